"""The use cases of the worker that holds a link: send orders, settle them, and sweep the engine."""

"""The domain's values: frozen, checked when they are made, free of I/O."""

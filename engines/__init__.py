"""Adapters to workflow engines: each implements `ProcessEngine` on the API of one kind of engine."""

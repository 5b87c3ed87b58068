"""Compares the documents of versions in a process of its own, so that the event loop stays free."""

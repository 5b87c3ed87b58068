"""Statements on processes, and a cache of the documents of their versions."""

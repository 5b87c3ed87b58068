"""Statements on processes, and the documents of their versions."""

"""Processes, and what belongs to them: versions, their comparisons, and instances."""

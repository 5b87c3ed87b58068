"""The commands of `uplift`, one module for each group."""

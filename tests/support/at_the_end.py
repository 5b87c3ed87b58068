"""What is closed when a test run ends."""

from contextlib import ExitStack

AT_THE_END = ExitStack()
"""Closed when a test run ends, and not when its program does: a process of several ends without a word."""

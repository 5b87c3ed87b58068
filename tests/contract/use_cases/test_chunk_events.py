"""Runs the contract of chunk events on each of our stores."""

from uplift.testing.store.chunk_events import *

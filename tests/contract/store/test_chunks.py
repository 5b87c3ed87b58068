"""Runs the contract of chunks on each of our stores."""

from uplift.testing.store.chunks import *

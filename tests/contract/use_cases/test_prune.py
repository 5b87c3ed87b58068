"""Runs the contract of pruning on each of our stores."""

from uplift.testing.store.pruning import *

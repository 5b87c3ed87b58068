"""Runs the contract of histories on each of our stores."""

from uplift.testing.store.histories import *

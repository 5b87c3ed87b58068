"""Runs the contract of outcomes on each of our stores."""

from uplift.testing.store.outcomes import *

"""Runs the contract of unfinished upgrades on each of our stores."""

from uplift.testing.store.unfinished import *

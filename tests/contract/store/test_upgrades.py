"""Runs the contract of upgrades on each of our stores."""

from uplift.testing.store.upgrades import *

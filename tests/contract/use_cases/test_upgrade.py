"""Runs the contract of whole upgrades on each of our stores."""

from uplift.testing.store.whole_upgrades import *

"""Runs the contract of what follows linked upgrades on each of our stores."""

from uplift.testing.store.linked_upgrades import *

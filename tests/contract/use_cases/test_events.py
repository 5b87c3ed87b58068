"""Runs the contract of the events of upgrades on each of our stores."""

from uplift.testing.store.events import *

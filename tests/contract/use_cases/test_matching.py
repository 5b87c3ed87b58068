"""Runs the contract of selections by conditions on each of our stores."""

from uplift.testing.store.matching import *

"""Runs the contract of links and sweeps on each of our stores."""

from uplift.testing.store.links import *

"""Runs the contract of instances on each of our stores."""

from uplift.testing.store.instances import *

"""Runs the contract of control on each of our stores."""

from uplift.testing.store.control import *

"""Runs the contract of orders on each of our stores."""

from uplift.testing.store.orders import *

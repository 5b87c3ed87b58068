"""Runs the contract of watching on each of our stores."""

from uplift.testing.store.watching import *

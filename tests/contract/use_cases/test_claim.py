"""Runs the contract of claims on each of our stores."""

from uplift.testing.store.claims import *

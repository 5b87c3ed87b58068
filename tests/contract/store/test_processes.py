"""Runs the contract of processes and versions on each of our stores."""

from uplift.testing.store.processes import *

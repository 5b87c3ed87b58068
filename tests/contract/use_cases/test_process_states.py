"""Runs the contract of the states of processes on each of our stores."""

from uplift.testing.store.process_states import *

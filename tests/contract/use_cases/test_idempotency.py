"""Runs the contract of idempotency on each of our stores."""

from uplift.testing.store.idempotency import *

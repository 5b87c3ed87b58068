"""Runs the contract of partitions on each of our stores."""

from uplift.testing.store.partitions import *

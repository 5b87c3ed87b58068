"""Runs the contract of retries and undos of an upgrade on each of our stores."""

from uplift.testing.store.following import *

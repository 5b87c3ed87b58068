"""Runs the contract of requests on each of our stores."""

from uplift.testing.store.requests import *

"""Runs the contract of scopes on each of our stores."""

from uplift.testing.store.scopes import *

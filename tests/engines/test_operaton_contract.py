"""Runs the contract of an adapter on a real Operaton."""

from uplift.testing.engine import *

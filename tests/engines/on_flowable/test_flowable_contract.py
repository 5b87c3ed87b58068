"""Runs the contract of an adapter on a real Flowable."""

from uplift.testing.engine import *

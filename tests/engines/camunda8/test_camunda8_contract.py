"""Runs the contract of an adapter on a fake Camunda 8."""

from uplift.testing.engine import *

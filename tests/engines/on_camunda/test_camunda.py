"""Runs the contract, and the tests of instances in every state, on Camunda 7.24.0.

Operaton descends from it. Camunda 7 is at the end of its life, so this takes place in the long mode only.
"""

from tests.engines.test_operaton_instances import *
from uplift.testing.engine import *

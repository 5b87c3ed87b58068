"""The long mode, UPLIFT_FAULTS=long: for what takes long and rarely fails."""

import os

import pytest

IS_LONG = os.environ.get("UPLIFT_FAULTS") == "long"
long_only = pytest.mark.skipif(not IS_LONG, reason="takes long, and rarely fails: UPLIFT_FAULTS=long")

"""Provides the clients of other GraphQL projects."""

from pathlib import Path

import pytest

from tests.support.other_tools import javascript_tools


@pytest.fixture
def tools() -> Path:
    """The folder of the clients, which come from npm and are installed on the first run."""
    return javascript_tools()

"""What a benchmark may need, each as a function that returns the reason why it is missing."""

import shutil

from tests.support.operaton import cache
from tests.support.postgres import SEARCHED, binaries


def postgresql() -> str | None:
    return None if binaries() else f"there is no PostgreSQL server in {SEARCHED} or on the PATH"


def operaton() -> str | None:
    """A real Operaton, which Maven builds if it was not built before."""
    if shutil.which("java") is None:
        return "there is no Java"
    if shutil.which("mvn") is None and not any(cache().glob("operaton-*.jar")):
        return "there is no Maven, and Operaton was not built before"
    return None

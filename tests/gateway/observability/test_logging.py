"""Log lines have the configured format and level, and contain no secret."""

import json
import logging
import subprocess
import sys

SECRET = "uplift_geheim"
PROGRAM = f"""
import logging, structlog, warnings
from uplift.gateway.observability.logging import configure_logs
from uplift.gateway.observability.metrics import Metrics
from uplift.gateway.settings import Settings

def fails(token):
    headers = {{"authorization": token}}
    raise ValueError("a fault of ours", len(headers))

configure_logs(Settings(), Metrics())
log = structlog.get_logger()
log.debug("below the level")
log.info("upgrade claimed", upgrade="u-1")
logging.getLogger("uvicorn.error").warning("a library says %s", "so")
logging.getLogger("aiosqlite").debug("a statement and its values")
logging.getLogger("httpx2").info("a request to an engine")
warnings.warn_explicit("Python warns", UserWarning, logging.__file__, 1)

async def _async_resolver():
    pass

_async_resolver()  # graphql-core leaves one when an operation is cancelled
try:
    fails("{SECRET}")
except ValueError as error:
    log.error("unexpected_error", exc_info=error)
    log.exception("once more")
    logging.getLogger("uvicorn.error").exception("and a library")
"""


def logged(**environment: str) -> str:
    """The program's standard error. It runs in a process of its own, because logging is configured once."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.replace(SECRET, '" + "'.join((SECRET[:9], SECRET[9:])))],
        env={"PATH": "", **environment},
        capture_output=True,
        text=True,
        check=True,
        cwd=sys.path[0],
    )
    assert done.stdout == ""
    return done.stderr


def test_people_read_lines() -> None:
    said = logged()
    assert "upgrade claimed" in said
    assert "u-1" in said
    assert "a library says so" in said
    assert "too small" not in said
    assert said.count("ValueError: ('a fault of ours', 1)") == 3
    assert SECRET not in said


def test_programs_read_one_json_object_a_line() -> None:
    records = [json.loads(line) for line in logged(UPLIFT_LOG_FORMAT="json").splitlines()]
    assert [record["event"] for record in records] == [
        "upgrade claimed",
        "a library says so",
        f"{logging.__file__}:1: UserWarning: Python warns",
        "unexpected_error",
        "once more",
        "and a library",
    ]
    assert [record["level"] for record in records] == [
        "info",
        "warning",
        "warning",
        "error",
        "error",
        "error",
    ]
    assert records[0]["upgrade"] == "u-1"
    for record in records:
        assert record["timestamp"].endswith("Z")
    for record in records[3:]:
        assert record["exception"][0]["exc_type"] == "ValueError"
    assert SECRET not in json.dumps(records)


def test_less_important_lines_are_left_out() -> None:
    said = logged(UPLIFT_LOG_FORMAT="json", UPLIFT_LOG_LEVEL="error")
    assert [json.loads(line)["level"] for line in said.splitlines()] == ["error"] * 3


def test_debug_lines_of_libraries_are_not_logged() -> None:
    said = logged(UPLIFT_LOG_FORMAT="json", UPLIFT_LOG_LEVEL="debug")
    events = [json.loads(line)["event"] for line in said.splitlines()]
    assert "below the level" in events
    assert "a statement and its values" not in events

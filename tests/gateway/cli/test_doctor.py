"""`uplift doctor` finds what is wrong with an installation, and changes nothing."""

import json
import shutil
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.gateway.gateway_world import (
    Place,
    a_world,
    execute,
    leave_queued,
    uplift,
    url_of,
    with_store,
)
from uplift.domain.clock import utc_now
from uplift.domain.model.access import Role
from uplift.domain.model.upgrade import UpgradeState
from uplift.gateway.auth.keys import create_key, first_admin_key
from uplift.gateway.doctor import machine
from uplift.storage.repositories.api_keys import SqlKeys
from uplift.storage.store import SqlStore
from uplift.testing.builders import instances
from uplift.testing.linked_work import a_linked_process
from uplift.testing.upgrade_work import request, work

LONG_AGO = timedelta(hours=1)


async def fill(store: SqlStore) -> None:
    await a_world(store)
    await first_admin_key(SqlKeys(store.database))


@pytest.fixture
def filled(empty: Place) -> Place:
    """A database with instances and one key."""
    with_store(empty, fill)
    return empty


def examined(where: Place | str, *options: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """The exit code, and the results by part."""
    url = where if isinstance(where, str) else url_of(where)
    done = uplift("doctor", "--json", "--database-url", url, "--port", "1", *options)
    return done.exit_code, {result["part"]: result for result in json.loads(done.stdout)}


def healths(results: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {part: result["health"] for part, result in results.items()}


def test_nothing_is_wrong_with_a_new_installation(filled: Place) -> None:
    code, results = examined(filled)
    expected = dict.fromkeys(("database", "schema", "writes", "clock", "keys", "workers"), "ok")
    if isinstance(filled, Path):
        expected["disk"] = "ok"
    found = healths(results)
    assert found.pop("database") in ("ok", "note")  # an older PostgreSQL
    expected.pop("database")
    assert found == {**expected, "file descriptors": "ok", "server": "note"}
    assert code == 0


def test_an_upgrade_that_nobody_runs_is_an_error_after_a_minute(filled: Place) -> None:
    with_store(filled, leave_queued)
    assert examined(filled)[1]["workers"]["health"] == "ok"
    shift = (
        f"requested_at - {int(LONG_AGO.total_seconds() * 1_000_000)}"
        if isinstance(filled, Path)
        else "requested_at - interval '1 hour'"
    )
    execute(filled, f"UPDATE upgrade SET requested_at = {shift}")
    code, results = examined(filled)
    assert results["workers"]["health"] == "error"
    assert "uplift worker" in results["workers"]["advice"]
    assert code == 1


def test_a_linked_upgrade_that_waits_for_its_engine_needs_no_worker(empty: Place) -> None:
    async def fill_linked(store: SqlStore) -> None:
        await first_admin_key(SqlKeys(store.database))
        await a_linked_process(store, holding=instances(range(5)))
        # Requested at noon of a past day.
        ordered = await work(store, (await request(store)).id)
        assert (ordered.state, ordered.unsettled) == (UpgradeState.RUNNING, 5)

    with_store(empty, fill_linked)
    assert examined(empty)[1]["workers"]["health"] == "ok"


def test_a_database_without_a_key_of_an_administrator(empty: Place) -> None:
    async def fill_without(store: SqlStore) -> None:
        await create_key(SqlKeys(store.database), name="page", role=Role.READER)

    with_store(empty, fill_without)
    code, results = examined(empty)
    assert (code, results["keys"]["health"]) == (1, "error")
    assert "uplift keys create" in results["keys"]["advice"]


def test_a_key_that_soon_expires_is_named(filled: Place) -> None:
    async def add(store: SqlStore) -> None:
        end = utc_now() + timedelta(days=3)
        await create_key(SqlKeys(store.database), name="nightly", role=Role.READER, expires_at=end)

    with_store(filled, add)
    code, results = examined(filled)
    assert (code, results["keys"]["health"]) == (0, "warning")
    assert "nightly" in results["keys"]["found"]


def test_an_older_schema(file: Path) -> None:
    execute(file, "UPDATE alembic_version SET version_num = '0001'")
    code, results = examined(file)
    assert (code, results["schema"]["health"]) == (1, "error")
    assert "0001" in results["schema"]["found"]
    assert "workers" not in results


def test_a_file_that_is_missing_is_not_created(folder: Path) -> None:
    code, results = examined(folder / "none.sqlite")
    assert (code, results["database"]["health"]) == (1, "error")
    assert list(folder.iterdir()) == []


def test_a_file_that_is_no_database(folder: Path) -> None:
    (folder / "text.sqlite").write_text("no database", encoding="utf-8")
    code, results = examined(folder / "text.sqlite")
    assert (code, results["database"]["health"]) == (1, "error")
    assert "another file" in results["database"]["found"]


def test_a_server_that_cannot_be_reached_and_no_password_is_shown() -> None:
    code, results = examined("postgresql://uplift:geheim@127.0.0.1:1/uplift")
    assert (code, results["database"]["health"]) == (1, "error")
    assert "geheim" not in json.dumps(results)


def test_a_disk_that_is_nearly_full(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for free, health in ((2 * machine.LOW_DISK, "ok"), (machine.LOW_DISK - 1, "warning"), (1, "error")):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: shutil._ntuple_diskusage(1, 1, free))
        assert machine.examine_disk(folder / "uplift.sqlite").health == health


def test_more_connections_than_the_limit_of_descriptors_allows(filled: Place) -> None:
    _, results = examined(filled, "--max-connections", "1000000")
    assert results["file descriptors"]["health"] == "warning"
    assert "ulimit" in results["file descriptors"]["advice"]


class Other(BaseHTTPRequestHandler):
    """A program that is no Uplift."""

    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture
def another_port() -> Iterator[int]:
    """The port of a program that is no Uplift."""
    with HTTPServer(("127.0.0.1", 0), Other) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_another_program_on_the_port(filled: Place, another_port: int) -> None:
    code, results = examined(filled, "--port", str(another_port))
    assert (code, results["server"]["health"]) == (1, "error")


def test_the_table_has_what_to_do(folder: Path) -> None:
    done = uplift("doctor", "--database-url", f"sqlite:///{folder / 'none.sqlite'}", "--port", "1")
    assert "error   database" in done.stdout
    assert "→ Start 'uplift serve'" in done.stdout

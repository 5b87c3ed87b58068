"""The command line upgrades instances through a remote gateway."""

import asyncio
import re
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from queue import Queue
from typing import Any
from uuid import UUID, uuid4

import pytest
import typer
import uvicorn

from tests.gateway.gateway_world import (
    LATEST,
    RUNNING,
    WAITING,
    a_key,
    error_of,
    everything,
    output_of,
    with_store,
)
from uplift.domain import Role, UpgradeState
from uplift.gateway.app import build_app
from uplift.gateway.auth.keys import create_key, new_token
from uplift.gateway.cli import app
from uplift.gateway.settings import Settings
from uplift.storage.repositories.api_keys import SqlKeys
from uplift.storage.store import SqlStore
from uplift.testing.builders import ORDERS, an_id
from uplift.testing.stores import Everything, by_id

KEY = new_token()


@dataclass(frozen=True, kw_only=True)
class There:
    """A gateway that runs beside the tests, and its keys."""

    url: str
    file: Path
    admin: str
    reader: str

    def arguments(self, key: str | None = None) -> list[str]:
        return ["--url", self.url, "--api-key", key or self.admin]

    def everything(self) -> Everything:
        return everything(self.file)


@contextmanager
def serving(file: Path) -> Iterator[str]:
    """The real application on this database, over a socket, in a thread; yields its URL."""
    started: Queue[uvicorn.Server] = Queue()

    async def serve(listener: socket.socket) -> None:
        store = await SqlStore.open(file)
        try:
            gateway = build_app(store, Settings())
            server = uvicorn.Server(uvicorn.Config(gateway, log_config=None, lifespan="on", ws="none"))
            started.put(server)
            await server.serve([listener])
        finally:
            await store.close()

    with socket.create_server(
        ("127.0.0.1", 0)
    ) as listener:  # queues connections until the server accepts them
        thread = threading.Thread(target=lambda: asyncio.run(serve(listener)))
        thread.start()
        server = started.get(timeout=30)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture
def there(template: Path, tmp_path: Path) -> Iterator[There]:
    file = Path(shutil.copy(template, tmp_path / "there.sqlite"))
    _, admin = a_key(file, Role.SYSTEM_ADMIN, "ops")
    _, reader = a_key(file, Role.READER, "dashboard")
    with serving(file) as url:
        yield There(url=url, file=file, admin=admin, reader=reader)


COMMANDS = {
    "upgrade": ["crm/orders", "--all-active"],
    "upgrades list": [],
    "upgrades show": ["<id>"],
    "upgrades pause": ["<id>"],
    "upgrades resume": ["<id>"],
    "upgrades cancel": ["<id>"],
    "upgrades retry": ["<id>", "--for", "NOT_PENDING"],
    "upgrades undo": ["<id>"],
}
"""Every command that calls a gateway, with what it needs. A new one needs a row here."""


def remote_commands() -> set[str]:
    """The commands that have the option --url for a gateway; of links it is the engine's."""

    def below(command: Any, name: str) -> Iterator[str]:
        if any(option.envvar == "UPLIFT_URL" for option in command.params):
            yield name
        for sub_name, sub_command in getattr(command, "commands", {}).items():
            yield from below(sub_command, f"{name} {sub_name}".strip())

    return set(below(typer.main.get_command(app), ""))


def test_every_command_shows_a_key_only_what_is_in_its_scope(there: There) -> None:
    assert set(COMMANDS) == remote_commands()
    key_of_hr = with_store(
        there.file,
        lambda store: create_key(
            SqlKeys(store.database), name="hr", role=Role.SYSTEM_ADMIN, namespaces=frozenset({"hr"})
        ),
    )[1]
    output_of("upgrade", "crm/orders", "--all-active", *there.arguments())
    before = there.everything()
    (upgrade,) = before.upgrades
    remote = there.arguments(key_of_hr)
    assert str(upgrade.id) in output_of("upgrades", "list", *there.arguments())
    for command, needs in COMMANDS.items():
        arguments = [*command.split(), *(part.replace("<id>", str(upgrade.id)) for part in needs), *remote]
        if command == "upgrades list":
            assert str(upgrade.id) not in output_of(*arguments)
        elif command == "upgrade":
            assert error_of(*arguments) == "Expected to find process 'crm/orders', but there is none."
        else:
            assert error_of(*arguments) == f"Expected to find upgrade {upgrade.id}, but there is none."
    assert there.everything() == before


def counts(shown: str) -> dict[str, int]:
    return {name: int(count) for name, count in re.findall(r"│ +(\w+) +│ +(\d+) +│", shown)}


def test_a_remote_upgrade_does_the_same_as_a_local_one(there: There, folder: Path) -> None:
    ids = [option for number in (*WAITING, RUNNING, 99) for option in ("--id", str(an_id(number)))]
    shown = output_of("upgrade", "crm/orders", *ids, "--reason", "the new terms", *there.arguments())
    assert counts(shown) == {
        "upgraded": 3,
        "skipped": 2,
        "INSTANCE_NOT_FOUND": 1,
        "NOT_PENDING": 1,
        "excluded": 0,
    }
    found = there.everything()
    (upgrade,) = found.upgrades
    assert f"Upgrade {upgrade.id} of crm/orders to version 2: COMPLETED" in shown.splitlines()
    assert (upgrade.requested_by, upgrade.reason, upgrade.state) == (
        "ops",
        "the new terms",
        UpgradeState.COMPLETED,
    )
    assert {
        int(instance.version) for instance in found.instances[ORDERS] if instance.id in map(an_id, WAITING)
    } == {2}
    assert not (folder / "uplift.sqlite").exists()


def test_the_address_and_key_may_come_from_the_environment(there: There) -> None:
    environment = {"UPLIFT_URL": f"{there.url}/", "UPLIFT_API_KEY": there.admin}
    arguments = ["crm/orders", "--all-active", "--except", str(an_id(1))]
    shown = output_of("upgrade", *arguments, **environment)
    assert (counts(shown)["upgraded"], counts(shown)["excluded"]) == (2, 1)
    assert with_store(there.file, lambda store: by_id(store, ORDERS))[an_id(1)].version == 1


def test_a_remote_dry_run_shows_the_same_as_a_local_one(there: There) -> None:
    before = there.everything()
    conditions = ["--from-version", "1", "--at", "approve", "--status", "PENDING", "--limit", "2"]
    for selection in (["--all-active"], conditions):
        arguments = ["upgrade", "crm/orders", *selection, "--dry-run"]
        shown = output_of(*arguments, *there.arguments(there.reader))
        assert shown == output_of(*arguments, "--database-url", f"sqlite:///{there.file}")
    assert there.everything() == before


def test_a_remote_upgrade_shows_its_conditions(there: There) -> None:
    arguments = ["upgrade", "crm/orders", "--from-version", "1", "--limit", "2", *there.arguments()]
    assert "Selected: --from-version 1 --limit 2" in output_of(*arguments).splitlines()


def test_a_fingerprint_holds_a_remote_upgrade_to_its_plan(there: There) -> None:
    arguments = ["upgrade", "crm/orders", "--all-active", *there.arguments()]
    fingerprint = output_of(*arguments, "--dry-run").splitlines()[-1].removeprefix("Fingerprint ")
    assert counts(output_of(*arguments, "--fingerprint", fingerprint))["upgraded"] == 3
    before = there.everything()
    said = error_of(*arguments, "--fingerprint", fingerprint)
    assert said.startswith(
        f"Expected to carry out the plan {fingerprint}, but it would upgrade 0 instead of 3"
    )
    assert there.everything() == before


def test_remote_upgrades_are_listed_shown_and_undone(there: There) -> None:
    output_of("upgrade", "crm/orders", "--id", str(an_id(LATEST)), "--id", str(an_id(1)), *there.arguments())
    (upgrade,) = there.everything().upgrades
    assert str(upgrade.id) in output_of("upgrades", "list", *there.arguments(there.reader), COLUMNS="80")
    shown = output_of("upgrades", "show", str(upgrade.id), *there.arguments(there.reader))
    assert counts(shown) == {"upgraded": 1, "skipped": 1, "ALREADY_LATEST": 1, "excluded": 0}
    assert re.findall(r"│ [-0-9]+ [:0-9]+ │ (\w+) +│ (\w*) +│", shown) == [
        ("REQUESTED", "ops"),
        ("STARTED", ""),
        ("COMPLETED", ""),
    ]
    assert counts(output_of("upgrades", "undo", str(upgrade.id), *there.arguments()))["upgraded"] == 1
    assert with_store(there.file, lambda store: by_id(store, ORDERS))[an_id(1)].version == 1


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["crm/gone", "--all-active"], "Expected to find process 'crm/gone', but there is none."),
        (
            ["crm/orders", "--all-active", "--reason", "x" * 1_001],
            "Expected reason to be at most 1,000 characters, but got 1,001.",
        ),
        (
            ["crm/orders"],
            (
                "Expected --id or --ids-from with at least one id, or --all-active, --from-version, --at, "
                "--status or --limit, but got neither."
            ),
        ),
    ],
)
def test_shows_the_refusal_of_the_gateway(there: There, arguments: list[str], why: str) -> None:
    before = there.everything()
    assert error_of("upgrade", *arguments, *there.arguments()) == why
    assert there.everything() == before


def test_a_reader_upgrades_nothing(there: There) -> None:
    before = there.everything()
    said = error_of("upgrade", "crm/orders", "--all-active", *there.arguments(there.reader))
    assert said == (
        f"Expected {there.url}/graphql to carry out the request, but: "
        "Expected a system administrator, but the key 'dashboard' has the role 'reader'."
    )
    assert there.everything() == before


def test_an_unknown_key_is_refused_and_not_shown(there: There) -> None:
    before = there.everything()
    unknown = new_token()
    said = error_of("upgrade", "crm/orders", "--all-active", *there.arguments(unknown))
    assert said == (
        f"Expected {there.url}/graphql to carry out the request, but: "
        "Expected a valid API key as 'Authorization: Bearer <key>', "
        "but the one that was sent is unknown, revoked or expired."
    )
    assert there.everything() == before


def test_line_breaks_around_a_key_do_no_harm(there: There) -> None:
    shown = output_of("upgrade", "crm/orders", "--all-active", *there.arguments(f" {there.admin}\r\n"))
    assert counts(shown)["upgraded"] == 3


@pytest.mark.parametrize(
    "key",
    ["geheim", "schlüssel-geheim", "geheim\0", "\r\ngeheim: 1", "", f"{new_token()}x", "a geheim"],
    ids=range(7),
)
def test_what_is_no_key_is_not_sent_and_not_shown(key: str) -> None:
    nowhere = ["--url", "http://127.0.0.1:1", "--api-key", key]
    said = error_of("upgrade", "crm/orders", "--all-active", *nowhere)
    assert said == (
        "Expected an API key as 'uplift keys create' shows it, but the value of --api-key or "
        "UPLIFT_API_KEY has another form: it may be mistyped."
    )


def test_reports_an_upgrade_that_the_gateway_does_not_know(there: There) -> None:
    unknown = UUID(int=uuid4().int)
    said = error_of("upgrades", "show", str(unknown), *there.arguments())
    assert said == f"Expected to find upgrade {unknown}, but there is none."


def a_free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def test_reports_an_unreachable_gateway() -> None:
    url = f"http://me:geheim@127.0.0.1:{a_free_port()}"
    said = error_of("upgrade", "crm/orders", "--all-active", "--url", url, "--api-key", KEY)
    shown = url.replace("me:geheim", "***")
    assert said.startswith(f"Expected to reach {shown}/graphql, but: ")
    assert said.endswith(".")
    assert KEY not in said


@pytest.mark.parametrize(
    "url",
    ["", "127.0.0.1", "ftp://127.0.0.1", "http://", "http://[::1", "http://127.0.0.1:port", "http://a b"],
)
def test_reports_an_invalid_url(url: str) -> None:
    said = error_of("upgrade", "crm/orders", "--all-active", "--url", url, "--api-key", KEY)
    assert said.startswith("Expected ")
    assert KEY not in said


Reply = tuple[int, str, bytes]
NO_GATEWAY: dict[str, Reply] = {
    "a page": (200, "text/html", b"<h1>It works!</h1>"),
    "a missing page": (404, "text/html", b"gone"),
    "nothing": (200, "application/json", b""),
    "bytes": (200, "application/json", b"\xff\xfe"),
    "a redirect": (307, "text/html", b""),
    "another document": (200, "application/json", b'{"status": "ok"}'),
    "a list": (200, "application/json", b"[]"),
    "null": (200, "application/json", b"null"),
    "no data": (200, "application/json", b'{"data": null}'),
    "another schema": (200, "application/json", b'{"data": {"users": []}}'),
    "a null payload": (200, "application/json", b'{"data": {"upgradeInstances": null}}'),
    "odd errors": (200, "application/json", b'{"errors": ["x", {"message": "no such field"}]}'),
}


@contextmanager
def answering(status: int, media_type: str, body: bytes) -> Iterator[str]:
    """A server that gives every client the same answer; yields its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(status)
            self.send_header("content-type", media_type)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("reply", NO_GATEWAY.values(), ids=NO_GATEWAY)
def test_reports_a_server_that_is_no_gateway(reply: Reply) -> None:
    with answering(*reply) as url:
        said = error_of("upgrade", "crm/orders", "--all-active", "--url", url, "--api-key", KEY)
    assert said.startswith("Expected ")
    assert url in said
    assert KEY not in said

"""The metrics of a real gateway count what they document."""

import json
import re
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from tests.gateway.gateway_world import (
    Place,
    Program,
    a_key,
    execute,
    leave_queued,
    locked,
    started,
    until,
    url_of,
    with_store,
)
from tests.support.project import DOCS
from uplift.gateway.server.bounds import connections_within_descriptors
from uplift.gateway.settings import Settings
from uplift.storage.postgres.engines import MAX_CONNECTIONS
from uplift.storage.sqlite.backend import MAX_READERS
from uplift.testing.builders import an_id

DOCUMENTED = DOCS / "reference" / "metrics.md"
REST = "/pub/v1/bpm/instance/bytemplate/crm/orders/version"
ROUTE = "/pub/v1/bpm/instance/bytemplate/{namespace}/{code}/version"

Samples = dict[str, float]
"""The value of each sample, by its name and labels in Prometheus' notation."""


OF_LINKS = {
    "uplift_engine_requests_total",
    "uplift_engine_request_seconds",
    "uplift_engine_moves_total",
    "uplift_link_held",
    "uplift_link_reachable",
    "uplift_link_sweep_age_seconds",
}
"""The metrics of links, which test_link_metrics.py tries."""


def scraped(url: str) -> Samples:
    """All samples of a program's metrics."""
    reply = httpx2.get(url)
    assert reply.status_code == 200
    assert reply.headers["content-type"].startswith("text/plain; version=1.0.0")
    return samples_in(reply.text)


def samples_in(text: str) -> Samples:
    """All samples in a text of Prometheus' format."""
    return {
        sample.name + json.dumps(sample.labels, sort_keys=True)
        if sample.labels
        else sample.name: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def named(name: str, **labels: str) -> str:
    return name + json.dumps(labels, sort_keys=True)


def base_of(sample: str) -> str:
    """The documented metric of a sample, without labels and a histogram's suffix."""
    return re.sub(r"_(bucket|sum|count)$", "", sample.partition("{")[0])


def metrics_url(program: Program) -> str:
    return program.wait_for(r"Metrics are at (http://\S+/metrics), without an API key\.")


def address_of(url: str) -> tuple[str, int]:
    host, _, port = url.removeprefix("http://").partition(":")
    return host, int(port)


def raw(url: str, request: bytes) -> None:
    with socket.create_connection(address_of(url)) as connection:
        connection.sendall(request)
        while connection.recv(65_536):
            pass


def test_every_documented_metric_moves_when_its_thing_happens(folder: Path, database: Place) -> None:
    _, key = a_key(database)
    with_store(database, leave_queued)
    seen: set[str] = set()
    arguments = ("--port", "0", "--metrics-port", "0", "--no-worker", "--max-waiting-sockets", "1")
    with started("serve", *arguments, folder=folder) as program, ThreadPoolExecutor() as threads:
        url, metrics = program.url(), metrics_url(program)
        at_first = scraped(metrics)

        def moved(do: Callable[[], object], **expected: float) -> None:
            """The block changes these samples by these amounts."""
            before = scraped(metrics)
            do()
            until(lambda: all(change(before, scraped(metrics), name) == by for name, by in expected.items()))
            seen.update(map(base_of, expected))

        def upgrade_two() -> None:
            reply = httpx2.post(
                url + REST,
                json={"instanceIds": [str(an_id(1)), str(an_id(404))]},
                headers={"authorization": f"Bearer {key}"},
            )
            assert reply.status_code == 200

        def mutate(name: str) -> httpx2.Response:
            query = "{ upgrades { nodes { id state } } }"
            headers = {"authorization": f"Bearer {key}"}
            nodes = httpx2.post(f"{url}/graphql", json={"query": query}, headers=headers).json()["data"]
            (upgrade,) = (node["id"] for node in nodes["upgrades"]["nodes"] if node["state"] != "COMPLETED")
            change = f'mutation {{ {name}(input: {{id: "{upgrade}"}}) {{ upgrade {{ id }} }} }}'
            return httpx2.post(f"{url}/graphql", json={"query": change}, headers=headers, timeout=60)

        moved(
            upgrade_two,
            **{
                named("uplift_http_requests_total", route=ROUTE, method="POST", status="200"): 1,
                named("uplift_http_request_seconds_count", route=ROUTE): 1,
                named("uplift_outcomes_total", kind="UPGRADED"): 1,
                named("uplift_outcomes_total", kind="SKIPPED"): 1,
                named("uplift_skips_total", reason="INSTANCE_NOT_FOUND"): 1,
                named("uplift_skips_total", reason="NOT_PENDING"): 0,
                "uplift_chunk_seconds_count": 1,
                named("uplift_upgrades_ended_total", state="COMPLETED"): 1,
                named("uplift_upgrades_ended_total", state="FAILED"): 0,
            },
        )
        moved(
            lambda: mutate("pauseUpgrade"),
            **{
                named("uplift_upgrades", state="QUEUED"): -1,
                named("uplift_upgrades", state="PAUSED"): 1,
                named("uplift_upgrades", state="RUNNING"): 0,
            },
        )
        moved(
            lambda: httpx2.put(f"{url}/{key}"),
            **{named("uplift_http_requests_total", route="OTHER", method="OTHER", status="404"): 1},
        )
        moved(
            lambda: raw(url, b"GET / HTTP/1.1\r\n\r\n"),
            **{named("uplift_connections_refused_total", reason="bad_request"): 1},
        )
        until(lambda: scraped(metrics)["uplift_client_connections"] == 0)
        with socket.create_connection(address_of(url)):
            until(lambda: scraped(metrics)["uplift_client_connections"] == 1)
        limit = connections_within_descriptors(Settings().max_connections)
        assert scraped(metrics)["uplift_client_connections_max"] == limit
        seen |= {"uplift_client_connections", "uplift_client_connections_max"}
        moved(lambda: None, uplift_event_loop_lag_seconds_count=1)

        address = url.replace("http", "ws") + "/graphql"
        with connect(address, subprotocols=[Subprotocol("graphql-transport-ws")]):
            until(lambda: scraped(metrics)[named("uplift_open_streams", kind="websocket")] == 1)
            refusals = named("uplift_streams_refused_total", reason="waiting_full")
            with pytest.raises(InvalidStatus):
                connect(address, subprotocols=[Subprotocol("graphql-transport-ws")])
            until(lambda: scraped(metrics)[refusals] == 1)
            seen.add("uplift_streams_refused_total")
        until(lambda: scraped(metrics)[named("uplift_open_streams", kind="websocket")] == 0)
        seen.add("uplift_open_streams")

        with locked(database, "upgrade"):
            waiting = threads.submit(mutate, "resumeUpgrade")
            until(lambda: scraped(metrics)[named("uplift_connections_in_use", pool="writing")] == 1)
        assert waiting.result().status_code == 200
        until(lambda: scraped(metrics)[named("uplift_connections_in_use", pool="writing")] == 0)
        readers, writers = (
            (MAX_READERS, 1) if isinstance(database, Path) else (MAX_CONNECTIONS, MAX_CONNECTIONS)
        )
        assert at_first[named("uplift_connections_max", pool="writing")] == writers
        assert at_first[named("uplift_connections_max", pool="reading")] == readers
        seen |= {"uplift_connections_in_use", "uplift_connections_max"}

        assert at_first["uplift_database_up"] == 1
        execute(database, "ALTER TABLE upgrade RENAME TO lost")
        lines = named("uplift_log_lines_total", level="warning")
        until(lambda: scraped(metrics).get("uplift_database_up") == 0)
        assert scraped(metrics)[lines] > at_first[lines] == 0
        assert named("uplift_upgrades", state="PAUSED") not in scraped(metrics)
        seen |= {"uplift_database_up", "uplift_log_lines_total"}

        (build,) = (name for name in at_first if name.startswith("uplift_build_info"))
        assert '"version"' in build
        assert at_first[build] == 1
        assert at_first["process_resident_memory_bytes"] > 0
        seen |= {"uplift_build_info"}
        shown = {base_of(name) for name in at_first if name.startswith("uplift_")}
        assert key not in httpx2.get(metrics).text
        program.process.kill()
    execute(database, "ALTER TABLE lost RENAME TO upgrade")
    documented = set(re.findall(r"^\| `(uplift_\w+)`", DOCUMENTED.read_text(), re.MULTILINE)) - OF_LINKS
    assert documented == shown | {"uplift_http_requests_total", "uplift_http_request_seconds"}
    assert seen == documented


def change(before: Samples, after: Samples, name: str) -> float:
    return after.get(name, 0) - before.get(name, 0)


def test_a_worker_alone_shows_its_metrics_and_probes(folder: Path, database: Place) -> None:
    with_store(database, leave_queued)
    with started("worker", "--metrics-port", "0", folder=folder) as program:
        url = metrics_url(program)
        until(lambda: scraped(url)[named("uplift_outcomes_total", kind="UPGRADED")] == 3)
        assert scraped(url)[named("uplift_skips_total", reason="NOT_PENDING")] == 1
        assert httpx2.get(url.replace("/metrics", "/readyz")).status_code == 200
        assert program.stop() == 0


def test_serves_no_metrics_without_a_port_for_them(folder: Path, file: Path) -> None:
    with started("serve", "--port", "0", folder=folder) as program:
        assert httpx2.get(f"{program.url()}/metrics").status_code == 404
        assert program.stop() == 0
        assert "Metrics are at" not in program.output


def test_a_port_of_metrics_in_use_is_said_in_a_sentence(folder: Path, file: Path) -> None:
    with started("worker", "--metrics-port", "0", folder=folder) as program:
        port = metrics_url(program).rpartition(":")[2].partition("/")[0]
        other = folder / "other"
        other.mkdir()
        with started(
            "worker", "--metrics-port", port, folder=other, UPLIFT_DATABASE_URL=url_of(file)
        ) as refused:
            assert refused.process.wait(30) == 1
            assert refused.errors == f"Expected to listen at 127.0.0.1:{port}, but: Address already in use.\n"

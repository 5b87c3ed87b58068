"""The metrics of links: what is asked of engines, how they answer, and who holds the links."""

import re
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest

from tests.gateway.gateway_world import Place, a_key, started, until, uplift, with_store
from tests.gateway.observability.test_metrics import (
    OF_LINKS,
    Samples,
    metrics_url,
    named,
    samples_in,
    scraped,
)
from tests.support.project import DOCS
from uplift.domain.model.link import LinkKind
from uplift.domain.model.link_status import LinkStatus
from uplift.domain.model.upgrade import Lease
from uplift.domain.ports.process_engine import EngineFault, EngineInstanceId
from uplift.gateway.observability.measured_engine import MeasuredEngine
from uplift.gateway.observability.metrics import Metrics
from uplift.storage.store import SqlStore
from uplift.testing.builders import NOON, ORDERS
from uplift.testing.engine.documents import tasks
from uplift.testing.engine.fake import FakeEngine
from uplift.testing.engine.faults import unreachable
from uplift.testing.engine.harness import a_plan
from uplift.testing.linked_work import ENGINE, link_process, send
from uplift.testing.upgrade_work import SMALL, request, work

CLOSED = "http://127.0.0.1:1/engine-rest"


def shown(metrics: Metrics, **links: LinkStatus) -> Samples:
    return samples_in(metrics.render({}, {}, links, NOON).decode())


@pytest.mark.anyio
async def test_requests_and_moves_are_counted_by_their_results() -> None:
    fake, metrics = FakeEngine(), Metrics()
    engine = MeasuredEngine(fake, "loans", metrics)
    source, target = (fake.deploy("order", tasks("order", "check")) for _ in range(2))
    moving = [*fake.start(source, 3), EngineInstanceId("unknown")]
    await engine.move(a_plan(source, target, check="check"), moving)
    await engine.versions()
    fake.faults.fault = unreachable()
    with pytest.raises(EngineFault):
        await engine.locate(moving)
    samples = shown(metrics)
    requests = {"move": "OK", "versions": "OK", "locate": "UNREACHABLE"}
    for question, result in requests.items():
        assert (
            samples[named("uplift_engine_requests_total", link="loans", question=question, result=result)]
            == 1
        )
    assert samples[named("uplift_engine_request_seconds_count", link="loans")] == 3
    assert samples[named("uplift_engine_moves_total", link="loans", result="MOVED")] == 3
    assert samples[named("uplift_engine_moves_total", link="loans", result="INSTANCE_NOT_FOUND")] == 1


def test_the_status_of_each_link_is_shown() -> None:
    held = LinkStatus(
        lease=Lease(worker="one", until=NOON + timedelta(seconds=5)), swept_at=NOON - timedelta(minutes=2)
    )
    away = LinkStatus(unreachable_since=NOON)
    samples = shown(Metrics(), loans=held, orders=away)
    assert samples[named("uplift_link_held", link="loans")] == 1
    assert samples[named("uplift_link_held", link="orders")] == 0
    assert samples[named("uplift_link_reachable", link="loans")] == 1
    assert samples[named("uplift_link_reachable", link="orders")] == 0
    assert samples[named("uplift_link_sweep_age_seconds", link="loans")] == 120
    assert named("uplift_link_sweep_age_seconds", link="orders") not in samples


def test_a_worker_counts_what_it_asks_of_a_link(folder: Path, file: Place) -> None:
    assert uplift("links", "add", "loans", "--url", CLOSED).exit_code == 0
    with started("worker", "--metrics-port", "0", folder=folder) as program:
        metrics = metrics_url(program)
        refused = named(
            "uplift_engine_requests_total", link="loans", question="describe", result="UNREACHABLE"
        )
        first = named("uplift_engine_requests_total", link="loans", question="versions", result="UNREACHABLE")
        until(lambda: bool({refused, first} & scraped(metrics).keys()))
        until(lambda: scraped(metrics).get(named("uplift_link_held", link="loans")) == 1)


async def leave_sent(store: SqlStore) -> None:
    """Leave an upgrade whose three orders an engine of one's own has fetched."""
    await link_process(store, ORDERS, kind=LinkKind.PULL)
    await work(store, (await request(store)).id, SMALL)
    await send(store)


def test_moves_that_an_engine_settles_are_counted_once(folder: Path, file: Place) -> None:
    with_store(file, leave_sent)
    _, key = a_key(file)
    link = f"engine {ENGINE}"
    moved = ", ".join(f"{{number: {number}, isDone: true}}" for number in (1, 2))
    results = f'[{moved}, {{number: 3, isDone: false, code: MOVED_ON, message: "It has moved on."}}]'
    query = f'mutation {{settleMoves(input: {{link: "{link}", results: {results}}}) {{settled}}}}'
    with started("serve", "--port", "0", "--metrics-port", "0", "--no-worker", folder=folder) as program:
        for count in (3, 0):
            reply = httpx2.post(
                f"{program.url()}/graphql", json={"query": query}, headers={"authorization": f"Bearer {key}"}
            )
            assert reply.json() == {"data": {"settleMoves": {"settled": count}}}
        samples = scraped(metrics_url(program))
    moves = {name: value for name, value in samples.items() if name.startswith("uplift_engine_moves_total")}
    assert moves == {
        named("uplift_engine_moves_total", link=link, result="MOVED"): 2,
        named("uplift_engine_moves_total", link=link, result="MOVED_ON"): 1,
    }


def test_every_metric_of_links_is_documented() -> None:
    text = (DOCS / "reference" / "metrics.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `(uplift_(?:engine|link)_\w+)`", text, re.MULTILINE))
    assert documented == OF_LINKS

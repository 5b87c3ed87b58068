"""Serves the demo: a loan process with many instances."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.engine import URL

from uplift.domain.model.instance import Status
from uplift.domain.model.paging import PageRequest
from uplift.domain.model.request import UpgradeRequest
from uplift.domain.model.selection import AllActive
from uplift.domain.ports import InstanceFilter
from uplift.domain.use_cases.plan import plan_upgrade
from uplift.gateway.auth.keys import first_admin_key
from uplift.gateway.cli.output import report
from uplift.gateway.cli.runner import fail, local_caller, run
from uplift.gateway.cli.serving import announce_metrics
from uplift.gateway.cli.tables import plan_table
from uplift.gateway.demo import PROCESS, fill
from uplift.gateway.demo.temporary_postgres import PostgresError, temporary_postgres
from uplift.gateway.observability.logging import configure_logs
from uplift.gateway.observability.metrics import Metrics
from uplift.gateway.operations.summaries import summary_of_plan
from uplift.gateway.server.http_server import serve_store
from uplift.gateway.server.listener import listening
from uplift.gateway.server.metrics_server import metrics_served
from uplift.gateway.settings import Settings
from uplift.storage.repositories.api_keys import SqlKeys
from uplift.storage.store import SqlStore

ROWS = 16
"""Cohorts of the plan that the demo shows."""


def run_demo(settings: Settings, *, instances: int, seed: int, on_postgres: bool) -> None:
    """Serve a new temporary database with so many instances until stopped."""
    metrics = Metrics()
    configure_logs(settings, metrics)
    try:
        with temporary_postgres() if on_postgres else _temporary_file() as place:
            run(_serve_demo(place, instances, seed, settings, metrics))
    except PostgresError as error:
        fail(str(error))


@contextmanager
def _temporary_file() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="uplift-demo-") as folder:
        yield Path(folder) / "demo.sqlite"


async def _serve_demo(
    place: Path | URL, instances: int, seed: int, settings: Settings, metrics: Metrics
) -> None:
    with listening(settings.host, settings.port) as listeners:
        report(f"Creating {instances:,} instances of process {PROCESS} …")
        store = await SqlStore.open(place)
        try:
            await fill(store, instances=instances, seed=seed, caller=local_caller())
            api_key = await first_admin_key(SqlKeys(store.database))
            assert api_key is not None, "a new database has no keys"
            instance = await _pending_instance(store)
            plan = summary_of_plan(
                await plan_upgrade(store, UpgradeRequest(process=PROCESS, selection=AllActive()))
            )

            def welcome(url: str) -> None:
                report(_welcome(url, _shown(place), api_key, instance))
                report(plan_table(plan, rows=ROWS))

            async with metrics_served(store, settings, metrics, on_ready=announce_metrics):
                await serve_store(store, settings, metrics, listeners, on_ready=welcome)
        finally:
            await store.close()


async def _pending_instance(store: SqlStore) -> str:
    pending = InstanceFilter(statuses=frozenset({Status.PENDING}))
    page = (await store.instances.pages([PROCESS], pending, PageRequest(first=1)))[PROCESS]
    return str(page.items[0].id) if page.items else "00000000-0000-0000-0000-000000000000"


def _shown(place: Path | URL) -> str:
    """The URL of the database, for other commands."""
    if isinstance(place, Path):
        return f"sqlite:///{place}"
    # A folder in the query needs no escapes, and is easier to read without.
    return f"postgresql://{place.username}@/{place.database}?host={place.query['host']}"


def _welcome(url: str, database: str, api_key: str, instance: str) -> str:
    return f"""
Uplift serves {url} until you press Ctrl+C.

  System administrator key   {api_key}
  Console                    {url}/console   (sign in with the key)
  GraphiQL                   {url}/graphql   (put the key into the field at the top)
  REST, as OpenAPI           {url}/openapi.json
  Database                   {database}

Upgrade one instance over the REST path:

  curl -X POST {url}/pub/v1/bpm/instance/bytemplate/{PROCESS.namespace}/{PROCESS.code}/version \\
    -H 'Authorization: Bearer {api_key}' -H 'Content-Type: application/json' \\
    -d '{{"instanceIds": ["{instance}"]}}'

Upgrade all active instances by GraphQL:

  mutation {{
    upgradeInstances(input: {{
      namespace: "{PROCESS.namespace}", code: "{PROCESS.code}", selection: {{allActive: {{}}}}
    }}) {{
      upgrade {{ id total upgraded skipped countsByReason {{ code count }} }}
      userErrors {{ code message }}
    }}
  }}
"""

"""Scopes of API keys: one table of every operation and path, for keys of every scope and role."""

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest

from tests.gateway.gateway_world import RUNNING, WAITING
from tests.gateway.served_world import REST, World, a_served_world, bearing, codes, every_operation
from uplift.domain import (
    Caller,
    Role,
    UpgradeId,
    UpgradeRequest,
    Worker,
    all_active,
    by_ids,
    create_process,
    pause_upgrade,
    request_upgrade,
    save_draft,
)
from uplift.domain.model.chunk import ChunkPolicy
from uplift.domain.model.link import LinkKind
from uplift.domain.ports import Store
from uplift.domain.use_cases.links.link_request import LinkRequest
from uplift.domain.use_cases.links.managing import add_link
from uplift.gateway.auth.keys import create_key
from uplift.storage.repositories.api_keys import SqlKeys
from uplift.testing.builders import ADMIN, INVOICES, ORDERS, an_id

pytestmark = pytest.mark.anyio

SCOPES = {"all": None, "own": frozenset({"crm", "none"}), "other": frozenset({"hr"})}
"""The scopes of the keys. The processes of the world are in the namespace crm."""
ROLES = {"admin": Role.SYSTEM_ADMIN, "reader": Role.READER}

LATER = Worker(name="later", chunk_policy=ChunkPolicy(inline_limit=1, initial_size=1, min_size=1))
CLERK = Caller(name="clerk", role=Role.SYSTEM_ADMIN)
NEW = count()
UUID_TEXT = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

Variables = Callable[[Store], Awaitable[dict[str, Any]]]


async def nothing(_: Store) -> dict[str, Any]:
    return {}


async def a_done_upgrade(store: Store) -> dict[str, Any]:
    """An upgrade that upgraded an instance and skipped one that was RUNNING."""
    ids = [an_id(WAITING[0]), an_id(RUNNING)]
    request = UpgradeRequest(process=ORDERS, selection=by_ids(ids))
    return {"id": str((await request_upgrade(store, request, caller=CLERK, worker=Worker(name="now"))).id)}


async def a_queued_upgrade(store: Store) -> dict[str, Any]:
    request = UpgradeRequest(process=ORDERS, selection=all_active())
    return {"id": str((await request_upgrade(store, request, caller=CLERK, worker=LATER)).id)}


async def a_paused_upgrade(store: Store) -> dict[str, Any]:
    queued = await a_queued_upgrade(store)
    await pause_upgrade(store, UpgradeId(UUID(queued["id"])), caller=CLERK)
    return queued


async def an_instance_id(_: Store) -> dict[str, Any]:
    return {"id": str(an_id(WAITING[1]))}


async def the_ids_of_nodes(store: Store) -> dict[str, Any]:
    upgrade = (await a_done_upgrade(store))["id"]
    process, version, instance = "process:crm/orders", "version:crm/orders/1", f"instance:{an_id(WAITING[1])}"
    return {"process": process, "version": version, "instance": instance, "upgrade": upgrade}


async def a_process_name(_: Store) -> dict[str, Any]:
    return {"namespace": "crm", "code": "orders"}


async def a_selection(store: Store) -> dict[str, Any]:
    return {**await a_process_name(store), "selection": {"instanceIds": [str(an_id(WAITING[2]))]}}


async def a_draft(store: Store) -> dict[str, Any]:
    await save_draft(store, process=INVOICES, model=None, caller=ADMIN)
    return {"namespace": "crm", "code": "invoices"}


async def a_new_process(_: Store) -> dict[str, Any]:
    return {"namespace": "crm", "code": f"new{next(NEW)}"}


async def a_registration(store: Store) -> dict[str, Any]:
    new = {"id": str(an_id(1_000 + next(NEW))), "version": 1, "status": "PENDING"}
    return {**await a_process_name(store), "instances": [new]}


async def a_report(_: Store) -> dict[str, Any]:
    return {"instances": [{"id": str(an_id(WAITING[1])), "status": "PENDING", "position": []}]}


async def a_new_link(_: Store) -> dict[str, Any]:
    number = next(NEW)
    url = f"http://engine{number}.example/engine-rest"
    return {"name": f"engine{number}", "kind": "CAMUNDA7", "namespace": "crm", "url": url}


async def the_name_of_a_link(store: Store) -> dict[str, Any]:
    new = await a_new_link(store)
    request = LinkRequest(
        name=new["name"], kind=LinkKind.CAMUNDA7, namespace=new["namespace"], url=new["url"]
    )
    await add_link(store, request, caller=CLERK)
    return {"name": request.name}


async def a_link(store: Store) -> dict[str, Any]:
    """The link of an engine that fetches the orders of a process of its own."""
    code = (await a_new_process(store))["code"]
    process = await create_process(store, namespace="crm", code=code, title="", caller=CLERK)
    request = LinkRequest(
        name=f"engine of {code}".replace(" ", "-"),
        kind=LinkKind.PULL,
        namespace="crm",
        processes=(process.key,),
    )
    await add_link(store, request, caller=CLERK)
    return {"link": request.name}


async def no_results(store: Store) -> dict[str, Any]:
    return {**await a_link(store), "results": []}


async def retried(store: Store) -> dict[str, Any]:
    return {**await a_done_upgrade(store), "reasons": ["NOT_PENDING"]}


@dataclass(frozen=True, kw_only=True)
class Row:
    """An operation, what it is asked for, and its answer to a key that may not see that."""

    query: str
    variables: Variables
    hidden: Any


def _query(text: str, variables: Variables, hidden: Any) -> Row:
    return Row(query=text, variables=variables, hidden={"data": hidden})


def _mutation(name: str, fields: str, variables: Variables, code: str) -> Row:
    kind = f"{name[0].upper()}{name[1:]}Input!"
    return Row(
        query=f"mutation($input: {kind}) {{ {name}(input: $input) {{ {fields} userErrors {{ code }} }} }}",
        variables=variables,
        hidden={"data": {name: {fields.partition(" ")[0]: None, "userErrors": [{"code": code}]}}},
    )


def _upgrade_mutation(name: str, variables: Variables, code: str = "UPGRADE_NOT_FOUND") -> Row:
    return _mutation(name, "upgrade { id }", variables, code)


NO_NODES: dict[str, Any] = {"nodes": [], "pageInfo": {"hasNextPage": False, "endCursor": None}}
PAGE = "{ nodes { %s } pageInfo { hasNextPage endCursor } }"
FORBIDDEN = ["FORBIDDEN"]
OPERATIONS = {
    "query viewer": _query("{ viewer { namespaces } }", nothing, {"viewer": {"namespaces": ["hr"]}}),
    "query server": _query(
        "{ server { limits { maxPageSize } } }", nothing, {"server": {"limits": {"maxPageSize": 1_000}}}
    ),
    "query process": _query(
        "query($namespace: String!, $code: String!) { process(namespace: $namespace, code: $code) "
        "{ title versions { number } cohorts { count } instances(first: 1) { nodes { id } totalCount } "
        "comparison(fromVersion: 1) { toVersion } } }",
        a_process_name,
        {"process": None},
    ),
    "query processes": _query(
        f"{{ processes(first: 10) {PAGE % 'code'} }}", nothing, {"processes": NO_NODES}
    ),
    "query node": _query(
        "query($process: ID!, $version: ID!, $instance: ID!, $upgrade: ID!) { process: node(id: $process) "
        "{ id } version: node(id: $version) { id } instance: node(id: $instance) { id } "
        "upgrade: node(id: $upgrade) { id ... on Upgrade { process { code } } } }",
        the_ids_of_nodes,
        dict.fromkeys(("process", "version", "instance", "upgrade")),
    ),
    "query instance": _query(
        "query($id: UUID!) { instance(id: $id) { process { code } version history { kind } } }",
        an_instance_id,
        {"instance": None},
    ),
    "query upgrade": _query(
        "query($id: UUID!) { upgrade(id: $id) { process { code } workers countsByReason { count } "
        "outcomes(first: 9) { nodes { instanceId } } } }",
        a_done_upgrade,
        {"upgrade": None},
    ),
    "query upgrades": _query(
        f"{{ upgrades(first: 10) {PAGE % 'id'} "
        f'of: upgrades(first: 10, process: {{namespace: "crm", code: "orders"}}) {PAGE % "id"} }}',
        a_done_upgrade,
        {"upgrades": NO_NODES, "of": NO_NODES},
    ),
    "query upgradePlan": _query(
        "query($input: UpgradePlanInput!) { upgradePlan(input: $input) "
        "{ plan { total expectedSeconds cohorts { count } } userErrors { code } } }",
        a_selection,
        {"upgradePlan": {"plan": None, "userErrors": [{"code": "PROCESS_NOT_FOUND"}]}},
    ),
    "query links": _query("{ links { name processes { code } } }", a_link, {"links": []}),
    "query moves": _query(
        "query($link: String!) { moves(link: $link) { pageInfo { hasNextPage } } }", a_link, {"moves": None}
    ),
    "mutation upgradeInstances": _upgrade_mutation("upgradeInstances", a_selection, "PROCESS_NOT_FOUND"),
    "mutation pauseUpgrade": _upgrade_mutation("pauseUpgrade", a_queued_upgrade),
    "mutation resumeUpgrade": _upgrade_mutation("resumeUpgrade", a_paused_upgrade),
    "mutation cancelUpgrade": _upgrade_mutation("cancelUpgrade", a_queued_upgrade),
    "mutation retryUpgrade": _upgrade_mutation("retryUpgrade", retried),
    "mutation undoUpgrade": _upgrade_mutation("undoUpgrade", a_done_upgrade),
    "mutation createProcess": Row(
        query="mutation($input: CreateProcessInput!) "
        "{ createProcess(input: $input) { process { code } userErrors { code } } }",
        variables=a_new_process,
        hidden=FORBIDDEN,  # whether the process exists or not: another test says so of the store
    ),
    "mutation saveDraft": _mutation("saveDraft", "version { number }", a_process_name, "PROCESS_NOT_FOUND"),
    "mutation publishVersion": _mutation(
        "publishVersion", "version { number }", a_draft, "PROCESS_NOT_FOUND"
    ),
    "mutation registerInstances": _mutation(
        "registerInstances", "count", a_registration, "PROCESS_NOT_FOUND"
    ),
    "mutation reportInstances": _mutation("reportInstances", "count", a_report, "INVALID_INPUT"),
    "mutation linkEngine": Row(
        query="mutation($input: LinkEngineInput!) "
        "{ linkEngine(input: $input) { link { name } userErrors { code } } }",
        variables=a_new_link,
        hidden=FORBIDDEN,
    ),
    "mutation unlinkEngine": _mutation("unlinkEngine", "name", the_name_of_a_link, "LINK_NOT_FOUND"),
    "mutation sweepEngine": _mutation("sweepEngine", "link { name }", the_name_of_a_link, "LINK_NOT_FOUND"),
    "mutation settleMoves": _mutation("settleMoves", "settled", no_results, "LINK_NOT_FOUND"),
    "subscription upgradeProgress": Row(
        query="subscription($id: UUID!) { upgradeProgress(id: $id) { process { code } state } }",
        variables=a_done_upgrade,
        hidden=["UPGRADE_NOT_FOUND"],
    ),
    "subscription processChanged": Row(
        query="subscription($namespace: String!, $code: String!) "
        "{ processChanged(namespace: $namespace, code: $code) { title cohorts { count } } }",
        variables=a_process_name,
        hidden=["PROCESS_NOT_FOUND"],
    ),
    "subscription upgradesChanged": Row(
        query="subscription { upgradesChanged { process { code } state } }",
        variables=a_queued_upgrade,
        hidden={"data": {"upgradesChanged": []}},
    ),
}
"""Every root field of the schema. A new field needs a row here."""


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@dataclass(frozen=True, kw_only=True)
class ScopedWorld:
    """The application without a worker, and a key of each scope and role."""

    world: World
    keys: dict[tuple[str, str], str]

    async def ask(self, row: Row, variables: dict[str, Any], key: str) -> httpx2.Response:
        body = {"query": row.query, "variables": {"input": variables} if "$input" in row.query else variables}
        if row.query.startswith("subscription"):
            return await self.world.first_event(body, bearing(key))
        return await self.world.client.post("/graphql", json=body, headers=bearing(key))


@pytest.fixture(scope="module")
async def scoped(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ScopedWorld]:
    """One world for all tests here. Each request gets what it needs anew."""
    async with a_served_world(tmp_path_factory.mktemp("scopes"), worker=False) as world:
        keys = {}
        for scope, namespaces in SCOPES.items():
            for name, role in ROLES.items():
                _, keys[scope, name] = await create_key(
                    SqlKeys(world.store.database), name=f"{scope} {name}", role=role, namespaces=namespaces
                )
        yield ScopedWorld(world=world, keys=keys)


def answer(reply: httpx2.Response) -> dict[str, Any]:
    """The JSON of a reply; of a stream, that of its first event."""
    if reply.headers["content-type"].startswith("text/event-stream"):
        [first, *_] = [line for line in reply.text.splitlines() if line.startswith("data: ")]
        found: dict[str, Any] = json.loads(first.removeprefix("data: "))
    else:
        found = reply.json()
    return found


def test_the_table_has_a_row_for_every_operation() -> None:
    assert set(OPERATIONS) == set(every_operation())


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_an_operation_shows_a_key_what_is_in_its_scope(scoped: ScopedWorld, operation: str) -> None:
    row = OPERATIONS[operation]
    for (scope, role), key in scoped.keys.items():
        variables = await row.variables(scoped.world.store)
        is_refused = role == "reader" and operation.startswith("mutation")
        before = await scoped.world.everything() if is_refused or scope == "other" else None
        reply = await scoped.ask(row, variables, key)
        found = answer(reply)
        if is_refused:
            assert (reply.status_code, codes(reply)) == (403, FORBIDDEN), (scope, role)
        elif scope != "other":
            assert "errors" not in found, (scope, role)
            assert None not in found["data"].values(), (scope, role)
            [shown, *_] = found["data"].values()
            assert shown != [], (scope, role)
            if isinstance(shown, list):
                continue
            assert shown.get("userErrors", []) == [], (scope, role)
            assert shown.get("nodes") != [], (scope, role)
            continue
        elif isinstance(row.hidden, list):
            assert [error["extensions"]["code"] for error in found["errors"]] == row.hidden, role
            assert set((found.get("data") or {}).values()) <= {None}
        else:
            assert found == row.hidden, role
        assert await scoped.world.everything() == before, (scope, role)


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_what_is_hidden_is_answered_like_what_never_existed(
    scoped: ScopedWorld, operation: str
) -> None:
    """A client that guesses ids, names and links cannot tell those that exist, not even by a message."""
    row = OPERATIONS[operation]
    shown = replace(row, query=row.query.replace("userErrors { code }", "userErrors { code field message }"))
    for role in ROLES:
        variables = await row.variables(scoped.world.store)
        text = json.dumps(variables)
        guesses = {found: str(uuid4()) for found in UUID_TEXT.findall(text)} | {
            "crm": "crx",
            "engine-of": "engine-at",
            "number-of": "number-at",
        }
        other = replace(shown, query=replaced(shown.query, guesses))
        hidden = await scoped.ask(shown, variables, scoped.keys["other", role])
        missing = await scoped.ask(other, json.loads(replaced(text, guesses)), scoped.keys["other", role])
        assert hidden.status_code == missing.status_code
        assert replaced(json.dumps(answer(hidden)), guesses) == json.dumps(answer(missing))


def replaced(text: str, guesses: dict[str, str]) -> str:
    for found, guess in guesses.items():
        text = text.replace(found, guess)
    return text


UPGRADE_STATUS = "/pub/v1/bpm/upgrades/{id}"


@pytest.mark.parametrize("scope", SCOPES)
async def test_the_rest_path_shows_a_key_what_is_in_its_scope(scoped: ScopedWorld, scope: str) -> None:
    client, is_hidden = scoped.world.client, scope == "other"
    done = await a_done_upgrade(scoped.world.store)
    for role in ROLES:
        headers = bearing(scoped.keys[scope, role])
        body = {"instanceIds": [str(an_id(WAITING[2]))]}
        before = await scoped.world.everything()
        upgraded = await client.post(REST, json=body, headers=headers)
        malformed = await client.post(REST, json={"instanceIds": "x"}, headers=headers)
        status = await client.get(UPGRADE_STATUS.format(**done), headers=headers)
        found = [reply.status_code for reply in (upgraded, malformed, status)]
        if role == "reader":
            assert found == [403, 403, 404 if is_hidden else 200]
        else:
            assert found == ([404, 404, 404] if is_hidden else [200, 400, 200])
        if is_hidden:
            assert await scoped.world.everything() == before
            unknown = await client.get(UPGRADE_STATUS.format(id=an_id(98)), headers=headers)
            assert status.text == unknown.text.replace(str(an_id(98)), done["id"])


async def test_the_first_cursor_of_another_namespace_leads_nowhere(scoped: ScopedWorld) -> None:
    row = OPERATIONS["query processes"]
    reply = await scoped.ask(row, {}, scoped.keys["all", "reader"])
    cursor = reply.json()["data"]["processes"]["pageInfo"]["endCursor"]
    for after in (cursor, "azA", "azE"):
        after_it = row.query.replace("first: 10", f'first: 10, after: "{after}"')
        reply = await scoped.ask(
            Row(query=after_it, variables=nothing, hidden=None), {}, scoped.keys["other", "reader"]
        )
        assert reply.json()["data"]["processes"] == NO_NODES

"""Links are added, removed and swept on request; every bad field is named, and nothing is written."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from uplift.domain import (
    Caller,
    Forbidden,
    InvalidInput,
    LinkExists,
    ProcessKey,
    ProcessNotFound,
    Role,
    cancel_upgrade,
)
from uplift.domain.errors import LinkInUse, LinkNotFound, OutsideScope, ProcessLinked
from uplift.domain.model.link import (
    Credentials,
    CredentialScheme,
    LinkId,
    LinkKind,
    SecretPlace,
    TokenEndpoint,
    Webhook,
)
from uplift.domain.scope import visible_to
from uplift.domain.use_cases.links.link_request import LinkRequest
from uplift.domain.use_cases.links.managing import (
    add_link,
    find_link,
    remove_link,
    request_sweep,
)
from uplift.storage.memory import InMemoryStore
from uplift.testing.builders import ADMIN, INVOICES, NOON, ORDERS, a_clock, a_process, instances
from uplift.testing.linked_work import ENGINE, a_linked_process, drop, send_and_confirm
from uplift.testing.upgrade_work import request

pytestmark = pytest.mark.anyio

CAMUNDA = LinkRequest(
    name="loans", kind=LinkKind.CAMUNDA7, namespace="lending", url="http://engine.example:8080/engine-rest"
)
HOOK = Webhook(url="https://shop.example/hook", secret=SecretPlace(environment="HOOK_SECRET"))
PULL = LinkRequest(name="own", kind=LinkKind.PULL, namespace="crm", processes=(ORDERS,))
READER = Caller(name="dashboard", role=Role.READER)


def basic(**changes: str | None) -> Credentials:
    given: dict[str, Any] = {"user": "uplift", "environment": "ENGINE_PASSWORD", **changes}
    return Credentials(scheme=CredentialScheme.BASIC, **given)


def client(url: str = "https://login.example/token", **changes: str | None) -> Credentials:
    endpoint = TokenEndpoint(
        url=url, audience=changes.pop("audience", None), scope=changes.pop("scope", None)
    )
    return replace(basic(**changes), scheme=CredentialScheme.OAUTH, token_endpoint=endpoint)


BAD: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "name with a space": ({"name": "my engine"}, ("name",)),
    "no name": ({"name": ""}, ("name",)),
    "long name": ({"name": "x" * 101}, ("name",)),
    "namespace with a slash": ({"namespace": "a/b"}, ("namespace",)),
    "no url": ({"url": None}, ("url",)),
    "url without a scheme": ({"url": "engine.example/engine-rest"}, ("url",)),
    "url of a file": ({"url": "file:///etc/passwd"}, ("url",)),
    "url without a host": ({"url": "http:///engine-rest"}, ("url",)),
    "url with a password": ({"url": "http://u:geheim@engine.example/"}, ("url",)),
    "url with a query": ({"url": "http://engine.example/?a=1"}, ("url",)),
    "url with a bad port": ({"url": "http://engine.example:99999/"}, ("url",)),
    "url with a line break": ({"url": "http://engine.example/\n"}, ("url",)),
    "empty tenant": ({"tenant": ""}, ("tenant",)),
    "no secret": ({"credentials": basic(environment=None)}, ("credentials",)),
    "two secrets": ({"credentials": basic(file="/run/secret")}, ("credentials",)),
    "a secret for a name": (
        {"credentials": basic(environment="hunter2!")},
        ("credentials", "environment"),
    ),
    "no user": ({"credentials": basic(user=None)}, ("credentials", "user")),
    "a colon in the user": ({"credentials": basic(user="a:b")}, ("credentials", "user")),
    "a user of a token": (
        {"credentials": Credentials(scheme=CredentialScheme.BEARER, user="u", environment="T")},
        ("credentials", "user"),
    ),
    "a client without an id": ({"credentials": client(user=None)}, ("credentials", "user")),
    "a client without a URL of tokens": (
        {"credentials": replace(client(), token_endpoint=None)},
        ("credentials", "token_url"),
    ),
    "a URL of tokens with a password": (
        {"credentials": client("https://u:geheim@login.example/token")},
        ("credentials", "token_url"),
    ),
    "no audience": ({"credentials": client(audience="")}, ("credentials", "audience")),
    "a scope of two lines": ({"credentials": client(scope="a\nb")}, ("credentials", "scope")),
    "a URL of tokens for a password": (
        {"credentials": replace(client(), scheme=CredentialScheme.BASIC)},
        ("credentials", "token_url"),
    ),
    "no rate": ({"max_rate": 0.0}, ("max_rate",)),
    "rate that is no number": ({"max_rate": float("nan")}, ("max_rate",)),
    "sweeps without a pause": ({"sweep_interval": timedelta()}, ("sweep_interval",)),
    "sweeps once a year": ({"sweep_interval": timedelta(days=365)}, ("sweep_interval",)),
    "processes": ({"processes": (ORDERS,)}, ("processes",)),
    "webhook": ({"webhook": HOOK}, ("webhook",)),
}


@pytest.mark.parametrize("case", BAD)
async def test_a_bad_field_is_named_and_nothing_is_written(case: str) -> None:
    changes, field = BAD[case]
    store = InMemoryStore()
    with pytest.raises(InvalidInput) as caught:
        await add_link(store, replace(CAMUNDA, **changes), caller=ADMIN)
    assert caught.value.field == field
    assert "geheim" not in caught.value.message
    assert await store.links.all() == ()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"url": "http://engine.example/"}, ("url",)),
        ({"tenant": "north"}, ("tenant",)),
        ({"max_rate": 5.0}, ("max_rate",)),
        ({"processes": ()}, ("processes",)),
        ({"processes": (ProcessKey(namespace="hr", code="x"),)}, ("processes", "0")),
        *(
            ({"webhook": replace(HOOK, **change)}, ("webhook", *field))
            for change, field in (
                ({"url": ""}, ("url",)),
                ({"url": "shop.example/hook"}, ("url",)),
                ({"url": "https://u:geheim@shop.example/"}, ("url",)),
                ({"url": "https://shop.example/?token=geheim"}, ("url",)),
                ({"secret": SecretPlace()}, ("secret",)),
                ({"secret": SecretPlace(environment="A", file="/b")}, ("secret",)),
                ({"secret": SecretPlace(environment="whsec_+/=")}, ("secret", "environment")),
                ({"secret": SecretPlace(file="")}, ("secret", "file")),
                ({"old_secret": SecretPlace()}, ("old_secret",)),
                ({"old_secret": HOOK.secret}, ("old_secret",)),
            )
        ),
    ],
)
async def test_an_engine_that_pulls_has_processes_and_no_address(
    changes: dict[str, Any], field: tuple[str, ...]
) -> None:
    store = InMemoryStore()
    await a_process(store)
    with pytest.raises(InvalidInput) as caught:
        await add_link(store, replace(PULL, **changes), caller=ADMIN)
    assert caught.value.field == field
    assert "geheim" not in caught.value.message
    assert await store.links.all() == ()


async def test_a_webhook_is_stored_as_requested() -> None:
    store = InMemoryStore()
    await a_process(store)
    hook = replace(HOOK, old_secret=SecretPlace(file="/run/secrets/old"))
    assert (await add_link(store, replace(PULL, webhook=hook), caller=ADMIN)).webhook == hook


async def test_a_link_is_stored_as_requested() -> None:
    store = InMemoryStore()
    wanted = replace(CAMUNDA, url=f"{CAMUNDA.url}/", tenant="north", credentials=basic(), max_rate=20.0)
    link = await add_link(store, wanted, caller=ADMIN, clock=a_clock(NOON))
    assert await store.links.all() == (link,)
    assert await find_link(store, "loans") == link
    assert (link.url, link.created_at, link.created_by) == (CAMUNDA.url, NOON, ADMIN.name)
    assert (link.tenant, link.credentials, link.max_rate) == ("north", basic(), 20.0)


async def test_names_and_engines_are_linked_once() -> None:
    store = InMemoryStore()
    await add_link(store, CAMUNDA, caller=ADMIN)
    with pytest.raises(LinkExists):
        await add_link(store, replace(CAMUNDA, url="http://other.example/"), caller=ADMIN)
    with pytest.raises(InvalidInput, match="'loans' leads to") as caught:
        await add_link(store, replace(CAMUNDA, name="again"), caller=ADMIN)
    assert caught.value.field == ("url",)
    await add_link(store, replace(CAMUNDA, name="north", tenant="north"), caller=ADMIN)
    assert [link.name for link in await store.links.all()] == ["loans", "north"]


async def test_the_processes_of_an_engine_that_pulls_are_linked() -> None:
    store = InMemoryStore()
    await a_process(store)
    link = await add_link(store, PULL, caller=ADMIN)
    assert [linked.process for linked in await store.links.processes(link.id)] == [ORDERS]
    with pytest.raises(ProcessNotFound):
        await add_link(store, replace(PULL, name="other", processes=(INVOICES,)), caller=ADMIN)
    with pytest.raises(ProcessLinked):
        await add_link(store, replace(PULL, name="other"), caller=ADMIN)
    assert [stored.name for stored in await store.links.all()] == ["own"]


async def test_only_administrators_within_their_scope_change_links() -> None:
    store = InMemoryStore()
    await add_link(store, CAMUNDA, caller=ADMIN)
    for change in (
        add_link(store, replace(CAMUNDA, name="x", tenant="x"), caller=READER),
        remove_link(store, "loans", caller=READER),
        request_sweep(store, "loans", caller=READER),
    ):
        with pytest.raises(Forbidden):
            await change
    clerk = Caller(name="clerk", role=Role.SYSTEM_ADMIN, namespaces=frozenset({"hr"}))
    seen = visible_to(store, clerk)
    with pytest.raises(OutsideScope):
        await add_link(seen, replace(CAMUNDA, name="x", tenant="x"), caller=clerk)
    for hidden in (
        remove_link(seen, "loans", caller=clerk),
        request_sweep(seen, "loans", caller=clerk),
    ):
        with pytest.raises(LinkNotFound):
            await hidden
    assert [link.name for link in await store.links.all()] == ["loans"]


async def test_a_sweep_is_requested_of_an_engine_that_is_called() -> None:
    store = InMemoryStore()
    link = await add_link(store, CAMUNDA, caller=ADMIN)
    await request_sweep(store, "loans", caller=ADMIN, clock=a_clock(NOON))
    assert (await store.links.statuses([link.id]))[link.id].sweep_requested_at == NOON
    await a_process(store)
    await add_link(store, PULL, caller=ADMIN)
    with pytest.raises(InvalidInput, match="reports itself"):
        await request_sweep(store, "own", caller=ADMIN)


async def test_a_link_stays_while_an_upgrade_needs_it() -> None:
    store = InMemoryStore()
    await a_linked_process(store, holding=instances(range(3)))
    name = f"engine {ENGINE}"
    upgrade = await request(store)
    with pytest.raises(LinkInUse) as caught:
        await remove_link(store, name, caller=ADMIN)
    assert caught.value.upgrade_id == upgrade.id
    await cancel_upgrade(store, upgrade.id, caller=ADMIN)
    await drop(store)
    await send_and_confirm(store)
    await remove_link(store, name, caller=ADMIN)
    assert await store.links.all() == ()
    assert await store.links.find(LinkId(ENGINE)) is None
    with pytest.raises(LinkNotFound):
        await remove_link(store, name, caller=ADMIN)

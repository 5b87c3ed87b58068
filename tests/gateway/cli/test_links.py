"""`uplift links add` stores where webhooks go and tokens come from; `links list` shows a failed webhook."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.gateway.gateway_world import Place, error_of, output_of, with_store
from uplift.domain.model.link import (
    Credentials,
    CredentialScheme,
    Link,
    SecretPlace,
    TokenEndpoint,
    Webhook,
)
from uplift.storage.store import SqlStore
from uplift.testing.builders import NOON, ORDERS, a_process

ADD = ("links", "add", "own", "--kind", "pull", "--namespace", "crm", "--process", str(ORDERS))
URL = "https://shop.example/hook"
HOOK = ("--webhook-url", URL, "--webhook-secret-env", "HOOK")


@pytest.fixture
def place(folder: Path) -> Place:
    """A database with a process that is not linked."""

    async def fill(store: SqlStore) -> None:
        await a_process(store)

    file = folder / "uplift.sqlite"
    with_store(file, fill)
    return file


def links(place: Place) -> tuple[Link, ...]:
    async def all_links(store: SqlStore) -> tuple[Link, ...]:
        return await store.links.all()

    return with_store(place, all_links)


def test_adds_a_webhook_and_lists_its_last_error(place: Place) -> None:
    output_of(*ADD, *HOOK, "--webhook-old-secret-file", "/run/secrets/old")
    (link,) = links(place)
    assert link.webhook == Webhook(
        url=URL, secret=SecretPlace(environment="HOOK"), old_secret=SecretPlace(file="/run/secrets/old")
    )

    async def fail(store: SqlStore) -> None:
        async with store.transaction() as transaction:
            locked = await transaction.links.lock(link.id)
            assert locked is not None
            await locked.save(replace(locked.status, webhook_error="Status 500."))

    with_store(place, fail)
    assert "Status 500." in output_of("links", "list")


def test_lists_why_an_engine_counts_as_unreachable(place: Place) -> None:
    output_of(*ADD)
    (link,) = links(place)

    async def fail(store: SqlStore) -> None:
        async with store.transaction() as transaction:
            locked = await transaction.links.lock(link.id)
            assert locked is not None
            error = "Check the URL."
            await locked.save(replace(locked.status, unreachable_since=NOON, sweep_error=error))

    with_store(place, fail)
    shown = " ".join(output_of("links", "list").split())
    assert f"unreachable since {NOON:%Y-%m-%d %H:%M:%S}: Check the URL." in shown


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--webhook-secret-env", "HOOK"), "Expected --webhook-url with the secret of a webhook"),
        (("--webhook-old-secret-file", "/old"), "Expected --webhook-url with the secret of a webhook"),
        (("--webhook-url", URL), "either in a variable of the environment or in a file"),
        ((*HOOK, "--webhook-secret-file", "/new"), "either in a variable of the environment or in a file"),
        ((*HOOK, "--webhook-old-secret-env", "HOOK"), "in another place than the new one, but got 'HOOK'"),
        (("--webhook-url", "ftp://x", "--webhook-secret-env", "HOOK"), "Expected webhook.url to be https://"),
    ],
)
def test_a_bad_option_is_an_error_and_nothing_is_written(
    place: Place, options: tuple[str, ...], message: str
) -> None:
    assert message in " ".join(error_of(*ADD, *options).split())
    assert links(place) == ()


CALLED = ("links", "add", "c8", "--kind", "camunda8", "--url", "http://engine.example/v2")
CLIENT = ("--token-url", "https://login.example/token", "--user", "uplift", "--secret-env", "CLIENT")


def test_links_add_stores_where_tokens_are_fetched(place: Place) -> None:
    output_of(*CALLED, *CLIENT, "--audience", "zeebe", "--scope", "all")
    (link,) = links(place)
    assert link.credentials == Credentials(
        scheme=CredentialScheme.OAUTH,
        user="uplift",
        environment="CLIENT",
        token_endpoint=TokenEndpoint(url="https://login.example/token", audience="zeebe", scope="all"),
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (CLIENT[:4], "Expected --secret-env or --secret-file with --token-url, but got neither."),
        ((*CLIENT[:2], *CLIENT[4:]), "Expected a user for OAUTH, but got none."),
        ((*CLIENT[2:], "--audience", "x"), "Expected credentials.token_url to be 1 to 1,000 printable"),
        ((*CLIENT, "--scope", ""), "Expected credentials.scope to be 1 to 1,000 printable"),
    ],
)
def test_credentials_that_lack_something_are_an_error(
    place: Place, options: tuple[str, ...], message: str
) -> None:
    assert message in " ".join(error_of(*CALLED, *options).split())
    assert links(place) == ()


def test_an_engine_that_uplift_calls_has_no_webhook(place: Place) -> None:
    message = error_of("links", "add", "c7", "--url", "http://engine.example/", *HOOK)
    assert "Expected no webhook for an engine that Uplift calls, but got one for CAMUNDA7." in message
    assert links(place) == ()


@pytest.mark.parametrize("seconds", ["0", "nan", "1e300"])
def test_an_interval_out_of_bounds_is_refused(place: Place, seconds: str) -> None:
    assert "Expected 5 to 604,800 seconds between two sweeps, but got" in error_of(
        *ADD, "--sweep-seconds", seconds
    )
    assert links(place) == ()

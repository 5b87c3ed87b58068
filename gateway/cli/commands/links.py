"""The commands `links add`, `links check`, `links sync`, `links list` and `links remove`."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from uplift.domain.errors import InvalidInput
from uplift.domain.model.link import (
    DEFAULT_SWEEP_INTERVAL,
    Credentials,
    CredentialScheme,
    Link,
    LinkKind,
    SecretPlace,
    TokenEndpoint,
    token_endpoint,
)
from uplift.domain.model.link_status import LinkStatus
from uplift.domain.ports.process_engine import EngineFault
from uplift.domain.use_cases.links.link_request import LinkRequest, sweep_interval_of
from uplift.domain.use_cases.links.managing import (
    add_link,
    find_link,
    remove_link,
    request_sweep,
)
from uplift.gateway.cli.commands.webhook_options import (
    WebhookOldSecretEnv,
    WebhookOldSecretFile,
    WebhookSecretEnv,
    WebhookSecretFile,
    WebhookUrl,
    read_webhook,
)
from uplift.gateway.cli.options import DatabaseUrl, parse_process
from uplift.gateway.cli.output import report, show
from uplift.gateway.cli.runner import fail, local_caller, opened_store, run, settings_with
from uplift.gateway.database_clock import DatabaseClock
from uplift.gateway.engine_check import EngineCheck, check_engine
from uplift.storage.store import SqlStore

app = typer.Typer(
    no_args_is_help=True, help="Link workflow engines, so that upgrades move their instances where they run."
)
POLL_SECONDS = 0.5
LinkName = Annotated[str, typer.Argument(metavar="NAME", help="The name of the link.")]


@app.command("add")
def add(
    name: LinkName,
    kind: Annotated[
        LinkKind, typer.Option(case_sensitive=False, help="The kind of the engine.")
    ] = LinkKind.CAMUNDA7,
    url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="The base of its REST API, such as http://engine:8080/engine-rest."),
    ] = None,
    namespace: Annotated[
        str | None, typer.Option(help="The namespace of its processes; by default the name of the link.")
    ] = None,
    tenant: Annotated[str | None, typer.Option(help="Link what belongs to this tenant.")] = None,
    user: Annotated[
        str | None,
        typer.Option(help="The user, for Basic authentication, or with --token-url the id of the client."),
    ] = None,
    secret_env: Annotated[
        str | None,
        typer.Option(
            metavar="VARIABLE",
            help="The variable of the environment of the server or worker that has the password, with "
            "--token-url the secret of the client, or without --user the bearer token.",
        ),
    ] = None,
    secret_file: Annotated[
        str | None, typer.Option(metavar="FILE", help="The file that has it, instead of a variable.")
    ] = None,
    token_url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Where to fetch tokens, by OAuth 2.0 client credentials."),
    ] = None,
    audience: Annotated[
        str | None, typer.Option(help="With --token-url: the audience of the tokens.")
    ] = None,
    scope: Annotated[str | None, typer.Option(help="With --token-url: the scope of the tokens.")] = None,
    max_rate: Annotated[
        float | None, typer.Option(metavar="N", help="Send at most this many instances a second.")
    ] = None,
    sweep_seconds: Annotated[
        float, typer.Option(help="The time between two readings of the engine, in seconds.")
    ] = DEFAULT_SWEEP_INTERVAL.total_seconds(),
    process: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAMESPACE/CODE",
            help="For --kind pull: a process that the engine runs; can be repeated.",
        ),
    ] = None,
    webhook_url: WebhookUrl = None,
    webhook_secret_env: WebhookSecretEnv = None,
    webhook_secret_file: WebhookSecretFile = None,
    webhook_old_secret_env: WebhookOldSecretEnv = None,
    webhook_old_secret_file: WebhookOldSecretFile = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Link an engine. A running server or worker begins to read it at once.

    `uplift links check` asks the engine what it is. An engine of your own (--kind pull) fetches its orders
    itself.
    """

    async def work() -> str:
        request = LinkRequest(
            name=name,
            kind=kind,
            namespace=namespace or name,
            url=url,
            tenant=tenant,
            credentials=_credentials(
                user,
                SecretPlace(environment=secret_env, file=secret_file),
                token_endpoint(token_url, audience=audience, scope=scope),
            ),
            max_rate=max_rate,
            sweep_interval=sweep_interval_of(sweep_seconds),
            processes=tuple(map(parse_process, process or ())),
            webhook=read_webhook(
                webhook_url,
                secret=SecretPlace(environment=webhook_secret_env, file=webhook_secret_file),
                old_secret=SecretPlace(environment=webhook_old_secret_env, file=webhook_old_secret_file),
            ),
        )
        async with opened_store(settings_with(database_url=database_url)) as store:
            link = await add_link(
                store, request, caller=local_caller(), clock=await DatabaseClock.measured(store.database)
            )
            if kind is LinkKind.PULL:
                return f"Linked '{name}': its engine fetches orders by the GraphQL query moves."
            return f"Linked '{name}' to {link.url}. 'uplift links check {name}' asks what it is."

    report(run(work()))


@app.command("check")
def check(name: LinkName, database_url: DatabaseUrl = None) -> None:
    """Ask the engine of a link for its version, clock and rights. Exits with code 1 if something is wrong."""

    async def work() -> tuple[Table, list[str]]:
        async with _existing(database_url) as store:
            link = await find_link(store, name)
            table = _properties(link)
            if link.kind is LinkKind.PULL:
                return table, []
            try:
                answers = await check_engine(link)
            except EngineFault as fault:
                return table, [fault.message]
            _add_answers(table, answers)
            return table, [problem.found for problem in answers.problems]

    table, problems = run(work())
    show(table)
    if problems:
        fail("\n".join(problems))


@app.command("sync")
def sync(
    name: LinkName,
    wait_seconds: Annotated[
        float, typer.Option("--wait", min=0, help="Seconds to wait until the engine has been read.")
    ] = 600,
    database_url: DatabaseUrl = None,
) -> None:
    """Let the server or worker that holds the link read the engine now, and wait until it has."""

    async def work() -> LinkStatus | None:
        async with _existing(database_url) as store:
            requested = (await DatabaseClock.measured(store.database))()
            link = await request_sweep(store, name, caller=local_caller(), clock=lambda: requested)
            deadline = time.monotonic() + wait_seconds
            while time.monotonic() < deadline:
                status = (await store.links.statuses([link.id])).get(link.id, LinkStatus())
                started = status.sweep_started_at
                if started is not None and started >= requested:
                    if status.sweep_error is not None:
                        fail(f"Expected to read the engine of '{name}', but: {status.sweep_error}")
                    if status.swept_at is not None and status.swept_at >= started:
                        return status
                await asyncio.sleep(POLL_SECONDS)
            return None

    if run(work()) is None:
        fail(
            f"Expected the engine of '{name}' to be read within {wait_seconds:g} s, but it was not. "
            "'uplift links list' says why, and whether a server or worker holds the link."
        )
    report(f"Read the engine of '{name}'.")


@app.command("list")
def list_links(database_url: DatabaseUrl = None) -> None:
    """List all links, and how their engines were last found. Times are in UTC."""

    async def work() -> Table:
        table = Table(box=None, pad_edge=False)
        for column in ("name", "kind", "namespace", "tenant", "url", "held", "last read", "state"):
            table.add_column(column, no_wrap=column == "name")
        async with _existing(database_url) as store:
            found = await store.links.all_with_status()
            now = await store.database.now()
            for link, status in found:
                table.add_row(
                    Text(link.name),
                    link.kind,
                    Text(link.namespace),
                    Text(link.tenant or ""),
                    Text(link.url or ""),
                    "yes" if status.is_held(now) else "no",
                    "" if status.swept_at is None else f"{status.swept_at:%Y-%m-%d %H:%M:%S}",
                    Text(_state(status)),
                )
        return table

    show(run(work()))


@app.command("remove")
def remove(name: LinkName, database_url: DatabaseUrl = None) -> None:
    """Remove a link. Its processes, versions and instances stay, and are no longer read from the engine."""

    async def work() -> None:
        async with _existing(database_url) as store:
            await remove_link(store, name, caller=local_caller())

    run(work())
    report(f"Removed link '{name}'.")


@asynccontextmanager
async def _existing(database_url: str | None) -> AsyncIterator[SqlStore]:
    async with opened_store(settings_with(database_url=database_url), must_exist=True) as store:
        yield store


def _credentials(user: str | None, place: SecretPlace, endpoint: TokenEndpoint | None) -> Credentials | None:
    if place == SecretPlace():
        if user is not None or endpoint is not None:
            option = "--user" if endpoint is None else "--token-url"
            raise InvalidInput(f"Expected --secret-env or --secret-file with {option}, but got neither.")
        return None
    scheme = CredentialScheme.BEARER if user is None else CredentialScheme.BASIC
    if endpoint is not None:
        scheme = CredentialScheme.OAUTH
    return Credentials(
        scheme=scheme,
        user=user,
        environment=place.environment,
        file=place.file,
        token_endpoint=endpoint,
    )


def _properties(link: Link) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_row("link", Text(link.name))
    table.add_row("kind", link.kind)
    table.add_row("url", Text(link.url or "none: the engine fetches its orders itself"))
    return table


def _add_answers(table: Table, answers: EngineCheck) -> None:
    table.add_row("product", Text(answers.product))
    table.add_row("history level", Text(answers.described.history_level or "not known"))
    if answers.ahead is not None:
        table.add_row("clock", f"{answers.ahead.total_seconds():+.1f} s beside this machine")
    table.add_row("versions", f"{answers.versions:,}{' or more' if answers.has_more else ''}")


def _state(status: LinkStatus) -> str:
    if status.unreachable_since is not None:
        since = f"unreachable since {status.unreachable_since:%Y-%m-%d %H:%M:%S}"
        # Also an engine that answers, but not as it should, counts as unreachable: then the error says why.
        return since if status.sweep_error is None else f"{since}: {status.sweep_error}"
    if status.webhook_error is not None:
        return status.webhook_error
    return status.sweep_error or ("ok" if status.swept_at is not None else "not read yet")

"""Adds links to engines, requests sweeps of them, and removes them."""

import re
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import uuid4

from uplift.domain.clock import Clock, utc_now
from uplift.domain.errors import InvalidInput, LinkInUse, LinkNotFound, ProcessLinked
from uplift.domain.model.access import Caller, require_system_admin
from uplift.domain.model.link import (
    DEFAULT_SWEEP_INTERVAL,
    Credentials,
    CredentialScheme,
    Link,
    LinkId,
    LinkKind,
)
from uplift.domain.model.linked_process import LinkedProcess
from uplift.domain.model.process import ProcessKey, is_name
from uplift.domain.ports import LockedLink, Store
from uplift.domain.use_cases.versions import get_process

MAX_NAME_LENGTH = 100
MAX_TEXT_LENGTH = 1_000
"""The longest URL, tenant, user or file name, in characters."""
MAX_RATE = 1_000_000.0
MIN_SWEEP_INTERVAL = timedelta(seconds=5)
MAX_SWEEP_INTERVAL = timedelta(days=7)
MAX_PROCESSES = 1_000

MAX_PORT = 65_535

_URL = re.compile(r"https?://([\w.~-]+|\[[0-9A-Fa-f:.]+\])(:(?P<port>[0-9]{1,5}))?(/[^\s?#@]*)?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}")


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkRequest:
    """The request to add a link; see `Link` for the fields.

    `processes` are those that an engine of one's own runs: they exist, in the namespace of the link. Uplift
    finds the processes of other engines itself.
    """

    name: str
    kind: LinkKind
    namespace: str
    url: str | None = None
    tenant: str | None = None
    credentials: Credentials | None = None
    max_rate: float | None = None
    sweep_interval: timedelta = DEFAULT_SWEEP_INTERVAL
    processes: tuple[ProcessKey, ...] = ()


async def add_link(store: Store, request: LinkRequest, *, caller: Caller, clock: Clock = utc_now) -> Link:
    """Add a link. Workers begin to sweep its engine at once. The engine itself is not called.

    Raises Forbidden, OutsideScope, InvalidInput, LinkExists, ProcessNotFound or ProcessLinked.
    """
    require_system_admin(caller)
    _require_valid(request)
    link = Link(
        id=LinkId(uuid4()),
        name=request.name,
        kind=request.kind,
        namespace=request.namespace,
        url=None if request.url is None else request.url.rstrip("/"),
        tenant=request.tenant,
        credentials=request.credentials,
        max_rate=request.max_rate,
        sweep_interval=request.sweep_interval,
        created_at=clock(),
        created_by=caller.name,
    )
    async with store.transaction() as transaction:
        await transaction.links.add(link)
        # No other link is added until this transaction ends, so none to the same engine is missed here.
        _require_own_engine(link, await store.links.all())
        if request.processes:
            locked = await _lock(transaction.links.lock(link.id), link.name)
            for process in request.processes:
                if (await get_process(transaction, process)).link is not None:
                    raise ProcessLinked(
                        attempt="link an engine",
                        namespace=process.namespace,
                        process_code=process.code,
                    )
                await locked.add_process(
                    LinkedProcess(process=process, link=link.id, engine_key=process.code)
                )
    return link


async def remove_link(store: Store, name: str, *, caller: Caller) -> Link:
    """Remove a link. Its processes, versions and instances stay, and are no longer linked.

    Raises Forbidden, LinkNotFound, and LinkInUse while an upgrade of the link runs or waits for answers.
    """
    require_system_admin(caller)
    link = await find_link(store, name)
    async with store.transaction() as transaction:
        locked = await _lock(transaction.links.lock(link.id), name)
        if (upgrade_id := await locked.unfinished_upgrade()) is not None:
            raise LinkInUse(name=name, upgrade_id=upgrade_id)
        await locked.remove()
    return link


async def request_sweep(store: Store, name: str, *, caller: Caller, clock: Clock = utc_now) -> Link:
    """Let the worker that holds the link sweep its engine now. Raises Forbidden and LinkNotFound.

    An engine that pulls is not swept: InvalidInput.
    """
    require_system_admin(caller)
    link = await find_link(store, name)
    if link.kind is LinkKind.PULL:
        raise InvalidInput(
            f"Expected a link to an engine that Uplift calls, but the engine of '{name}' reports itself.",
            field=("name",),
        )
    async with store.transaction() as transaction:
        locked = await _lock(transaction.links.lock(link.id), name)
        await locked.save(replace(locked.status, sweep_requested_at=clock()))
    return link


async def find_link(store: Store, name: str) -> Link:
    """Find a link by its name. Raises LinkNotFound."""
    found = next((link for link in await store.links.all() if link.name == name), None)
    if found is None:
        raise LinkNotFound(name=name)
    return found


async def _lock(lock: Awaitable[LockedLink | None], name: str) -> LockedLink:
    locked = await lock
    if locked is None:  # it was removed since it was found
        raise LinkNotFound(name=name)
    return locked


def _require_own_engine(link: Link, links: Sequence[Link]) -> None:
    for other in links:
        same = (other.kind, other.url, other.tenant) == (link.kind, link.url, link.tenant)
        if same and other.id != link.id and link.url is not None:
            raise InvalidInput(
                f"Expected one link to each engine and tenant, but link '{other.name}' leads to "
                f"{link.url} already.",
                field=("url",),
            )


def _require_valid(request: LinkRequest) -> None:
    """Raise InvalidInput unless the request can be a link."""
    _require_name(request.name, "name", MAX_NAME_LENGTH)
    _require_name(request.namespace, "namespace", MAX_NAME_LENGTH * 2)
    if request.kind is LinkKind.PULL:
        _require_pull(request)
    else:
        _require_called(request)
    if request.max_rate is not None and not 0 < request.max_rate <= MAX_RATE:
        raise InvalidInput(
            f"Expected max_rate to be above 0 and at most {MAX_RATE:,.0f} instances a second, "
            f"but got {request.max_rate:g}.",
            field=("max_rate",),
        )
    if not MIN_SWEEP_INTERVAL <= request.sweep_interval <= MAX_SWEEP_INTERVAL:
        raise InvalidInput(
            f"Expected sweep_interval to be {MIN_SWEEP_INTERVAL.total_seconds():.0f} to "
            f"{MAX_SWEEP_INTERVAL.total_seconds():,.0f} seconds, "
            f"but got {request.sweep_interval.total_seconds():g}.",
            field=("sweep_interval",),
        )


def _require_pull(request: LinkRequest) -> None:
    for field in ("url", "tenant", "credentials", "max_rate"):
        if getattr(request, field) is not None:
            raise InvalidInput(
                f"Expected no {field} for an engine that fetches its orders itself, but got one.",
                field=(field,),
            )
    if not 1 <= len(request.processes) <= MAX_PROCESSES:
        raise InvalidInput(
            f"Expected 1 to {MAX_PROCESSES:,} processes that the engine runs, but got "
            f"{len(request.processes):,}.",
            field=("processes",),
        )
    for index, process in enumerate(request.processes):
        if process.namespace != request.namespace:
            raise InvalidInput(
                f"Expected processes in the namespace of the link, '{request.namespace}', "
                f"but got '{process}'.",
                field=("processes", str(index)),
            )


def _require_called(request: LinkRequest) -> None:
    if request.processes:
        raise InvalidInput(
            "Expected no processes, because Uplift finds those of the engine itself, but got some.",
            field=("processes",),
        )
    _require_url(request.url)
    if request.tenant is not None:
        _require_text(request.tenant, "tenant")
    if request.credentials is not None:
        _require_credentials(request.credentials)


def _require_url(url: str | None) -> None:
    if url is None:
        raise InvalidInput("Expected the URL of the engine's REST API, but got none.", field=("url",))
    _require_text(url, "url")
    # Not shown: it may have a password.
    if not (found := _URL.fullmatch(url)) or not 0 < int(found["port"] or 80) <= MAX_PORT:
        raise InvalidInput(
            "Expected url to be http:// or https:// with a host, such as http://engine:8080/engine-rest, "
            "without a user, a password, a query or a fragment. Credentials are read from the environment or "
            "a file.",
            field=("url",),
        )


def _require_credentials(credentials: Credentials) -> None:
    if (credentials.environment is None) == (credentials.file is None):
        raise InvalidInput(
            "Expected the secret either in a variable of the environment or in a file.",
            field=("credentials",),
        )
    if credentials.environment is not None and not _VARIABLE.fullmatch(credentials.environment):
        raise InvalidInput(
            "Expected the name of a variable of the environment, "
            f"but got {credentials.environment[:MAX_NAME_LENGTH]!r}. The secret itself is never stored.",
            field=("credentials", "environment"),
        )
    if credentials.file is not None:
        _require_text(credentials.file, "credentials", "file")
    is_basic = credentials.scheme is CredentialScheme.BASIC
    if is_basic and not credentials.user:
        raise InvalidInput("Expected a user for BASIC, but got none.", field=("credentials", "user"))
    if not is_basic and credentials.user is not None:
        raise InvalidInput("Expected no user for BEARER, but got one.", field=("credentials", "user"))
    if credentials.user is not None:
        _require_text(credentials.user, "credentials", "user")
        if ":" in credentials.user:
            raise InvalidInput(
                f"Expected a user without ':' (RFC 7617), but got {credentials.user!r}.",
                field=("credentials", "user"),
            )


def _require_name(text: str, field: str, length: int) -> None:
    if not is_name(text) or len(text) > length:
        raise InvalidInput(
            f"Expected {field} to be 1 to {length} printable characters without spaces and '/', "
            f"but got {text[:length]!r}.",
            field=(field,),
        )


def _require_text(text: str, *field: str) -> None:
    if not 0 < len(text) <= MAX_TEXT_LENGTH or not text.isprintable():
        raise InvalidInput(
            f"Expected {'.'.join(field)} to be 1 to {MAX_TEXT_LENGTH:,} printable characters, "
            f"but got {text[:MAX_NAME_LENGTH]!r}.",
            field=field,
        )

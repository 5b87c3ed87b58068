"""Answers requests to upgrade instances and requests for the status of an upgrade."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from starlette.responses import Response
from starlette.types import Receive, Scope
from structlog import get_logger

from uplift.domain.errors import ErrorCode, StoreUnavailable, UpliftError
from uplift.domain.model.access import Authenticate, require_reader, require_system_admin
from uplift.domain.model.paging import Page, PageRequest
from uplift.domain.model.process import ProcessKey
from uplift.domain.model.request import UpgradeRequest
from uplift.domain.model.selection import SelectionKind
from uplift.domain.model.upgrade import Outcome, OutcomeKind, Upgrade
from uplift.domain.ports import ANY_OUTCOME, OutcomeFilter, Store
from uplift.domain.scope import visible_to
from uplift.domain.use_cases.request import request_upgrade
from uplift.domain.use_cases.versions import get_process
from uplift.domain.use_cases.watch import get_upgrade
from uplift.domain.use_cases.worker import Worker
from uplift.rest_compat.body import RestLimits, read_body, read_selection
from uplift.rest_compat.errors import RestCode, RestError
from uplift.rest_compat.headers import read_idempotency_key, read_preference
from uplift.rest_compat.replies import accepted_response, status_response, upgrade_response
from uplift.rest_compat.requests import (
    header_values,
    identify,
    process_key_of,
    require_origin,
    require_path,
    root_path_of,
    status_path,
    upgrade_id_of,
)
from uplift.web.error_status import HEADERS_OF, STATUS_OF
from uplift.web.errors import RequestError, require_method
from uplift.web.incidents import log_outage
from uplift.web.large_requests import INLINE_BYTES, read_large
from uplift.web.origins import Origins
from uplift.web.request_memory import HeldRequest, RequestMemory
from uplift.web.request_slots import RequestSlots
from uplift.web.waiting import disconnection, wait_for_end

MAX_LISTED = 1_000
"""Instances that one reply lists at most (rest.md#the-reply)."""

_NOTHING: Page[Outcome] = Page(items=(), sort_keys=(), has_next=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradeEndpoint:
    """Upgrades the selected instances of a process.

    Errors are found in this order: path and method, origin (403), caller (401, 429, 403), process (404), form
    of the body (415, 413, 408), and its content (400, 422). The body is read after the caller is known.
    """

    store: Store
    authenticate: Authenticate
    worker: Worker
    limits: RestLimits
    stopping: asyncio.Event
    origins: Origins
    memory: RequestMemory
    slots: RequestSlots

    async def answer(self, scope: Scope, receive: Receive) -> Response:
        require_path(scope)
        require_method(scope["method"], "POST")
        headers: Mapping[bytes, bytes] = dict(scope["headers"])
        require_origin(scope, self.origins)
        caller = await identify(headers, self.authenticate)
        require_system_admin(caller)
        process = process_key_of(scope)
        store = visible_to(self.store, caller)
        # Not while the client waits for the end of the upgrade, which costs next to nothing.
        with self.slots.taken(caller.name), self.memory.held(caller.name) as held:
            upgrade = await request_upgrade(
                store,
                await self._read(store, process, scope, headers, receive, held),
                caller=caller,
                worker=self.worker,
            )
        # From here on nothing refers to the ids: many clients may wait for long.
        get_logger(__name__).info(
            "upgrade requested", upgrade_id=str(upgrade.id), process=str(process), state=upgrade.state
        )
        try:
            return await self._report(store, upgrade, scope, receive)
        except StoreUnavailable as error:
            log_outage(error)
            reason = "the store cannot answer now"
            raise _result_unknown(upgrade, scope, ErrorCode.STORE_UNAVAILABLE, reason) from None

    async def _read(
        self,
        store: Store,
        process: ProcessKey,
        scope: Scope,
        headers: Mapping[bytes, bytes],
        receive: Receive,
        held: HeldRequest,
    ) -> UpgradeRequest:
        try:
            body = await read_body(headers, receive, self.limits, held)
            idempotency_key = read_idempotency_key(header_values(scope, b"idempotency-key"))
            if len(body) <= INLINE_BYTES:
                selection = read_selection(body, max_ids=self.limits.max_ids)
            else:
                selection = await read_large(read_selection, body, max_ids=self.limits.max_ids)
            return UpgradeRequest(process=process, selection=selection, idempotency_key=idempotency_key)
        except (RequestError, UpliftError):
            # A process that does not exist comes first (404). Only a bad request costs this query: for a good
            # one the use case finds it out.
            await get_process(store, process)
            raise

    async def _report(self, store: Store, upgrade: Upgrade, scope: Scope, receive: Receive) -> Response:
        preference = read_preference(header_values(scope, b"prefer"))
        if not preference.is_immediate:
            upgrade = await wait_for_end(
                store,
                upgrade,
                max_seconds=preference.max_seconds,
                stopping=self.stopping,
                disconnected=partial(disconnection, receive),
            )
        if self.stopping.is_set() and not (upgrade.is_finished or preference.respond_async):
            # Not a 202: older clients take any 2xx for the end of the upgrade.
            raise _result_unknown(upgrade, scope, RestCode.SERVER_STOPS, "the server is being stopped")
        outcomes = await listed_outcomes(store, upgrade)
        if preference.is_immediate or not upgrade.is_finished:
            return accepted_response(upgrade, outcomes, root_path=root_path_of(scope))
        return upgrade_response(upgrade, outcomes)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusEndpoint:
    """Reports the state of an upgrade to any caller who may see it, whichever API requested the upgrade."""

    store: Store
    authenticate: Authenticate
    slots: RequestSlots

    async def answer(self, scope: Scope, _: Receive) -> Response:
        require_path(scope)
        require_method(scope["method"], "GET", "HEAD")
        headers: Mapping[bytes, bytes] = dict(scope["headers"])
        caller = await identify(headers, self.authenticate)
        require_reader(caller)
        store = visible_to(self.store, caller)
        with self.slots.taken(caller.name):
            upgrade = await get_upgrade(store, upgrade_id_of(scope))
            return status_response(upgrade, await listed_outcomes(store, upgrade))


ANSWERED = OutcomeFilter(kinds=frozenset({OutcomeKind.UPGRADED, OutcomeKind.SKIPPED}))


async def listed_outcomes(store: Store, upgrade: Upgrade) -> Page[Outcome]:
    """The outcomes that a reply lists: all of a selection by ids, else the skipped ones.

    Instances whose engine has not answered yet have no outcome that this path knows.
    """
    if upgrade.selection is SelectionKind.BY_IDS:
        outcome_filter = ANY_OUTCOME if upgrade.link is None else ANSWERED
    elif upgrade.skipped:
        outcome_filter = OutcomeFilter(kinds=frozenset({OutcomeKind.SKIPPED}))
    else:
        return _NOTHING
    listed = _NOTHING
    # A page of a filtered list may end early, although more outcomes follow.
    while len(listed.items) < MAX_LISTED:
        request = PageRequest(first=MAX_LISTED - len(listed.items), after=listed.last_key)
        page = (await store.upgrades.outcome_pages([upgrade.id], outcome_filter, request))[upgrade.id]
        listed = Page(
            items=listed.items + page.items,
            sort_keys=listed.sort_keys + page.sort_keys,
            has_next=page.has_next,
            end=page.end,
        )
        if not page.has_next or (upgrade.is_finished and len(listed.items) == upgrade.skipped):
            break
    return listed


def _result_unknown(upgrade: Upgrade, scope: Scope, code: ErrorCode | RestCode, reason: str) -> RestError:
    """The only error that is raised after the request has been stored."""
    path, unavailable = status_path(upgrade.id, root_path_of(scope)), ErrorCode.STORE_UNAVAILABLE
    return RestError(
        STATUS_OF[unavailable],
        code,
        f"Expected to report the result of upgrade {upgrade.id}, but {reason}. The upgrade is stored "
        f"and goes on; its status is at {path}.",
        headers={**HEADERS_OF[unavailable], "location": path},
    )

"""How is a request to upgrade instances answered?"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.responses import Response
from starlette.types import Receive, Scope
from structlog import get_logger

from uplift.domain.errors import ErrorCode, StoreUnavailable, UpliftError
from uplift.domain.model.access import Authenticate, require_system_admin
from uplift.domain.model.process import ProcessKey
from uplift.domain.model.request import UpgradeRequest
from uplift.domain.model.upgrade import Upgrade, UpgradeId
from uplift.domain.ports import Store
from uplift.domain.use_cases.request import request_upgrade
from uplift.domain.use_cases.run import Worker
from uplift.domain.use_cases.versions import get_process
from uplift.rest_compat.errors import STATUS_OF, RequestError, RestCode, headers_of, log_outage
from uplift.rest_compat.idempotency import idempotency_key_of
from uplift.rest_compat.listing import listed_outcomes
from uplift.rest_compat.preferences import Preference, preference_of
from uplift.rest_compat.replies import accepted_response, upgrade_response
from uplift.rest_compat.request_body import RestLimits, read_body
from uplift.rest_compat.requests import (
    AllowsOrigin,
    caller_of,
    check_method,
    check_origin,
    check_path,
    path_of_status,
    process_key,
    values_of,
)
from uplift.rest_compat.selection import selection_of
from uplift.rest_compat.waiting import wait_for_the_end


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrading:
    """Upgrades the instances of a process that the body of a request selects.

    What is wrong is told in this order: the path and method, where it comes from (403), who asks (401, 429,
    403), the process (404), the form of the body (415, 413, 408), and what is asked (400, 422). Nothing is
    read of the body before it is known who asks.
    """

    store: Store
    authenticate: Authenticate
    worker: Worker
    limits: RestLimits
    stopping: asyncio.Event
    allows_origin: AllowsOrigin

    async def answer(self, scope: Scope, receive: Receive) -> Response:
        check_path(scope)
        check_method(scope, "POST")
        headers: Mapping[bytes, bytes] = dict(scope["headers"])
        check_origin(headers, self.allows_origin)
        caller = await caller_of(headers, self.authenticate)
        require_system_admin(caller)
        process = process_key(scope)
        request = await self._request(process, scope, headers, receive)
        upgrade = await request_upgrade(self.store, request, caller=caller, worker=self.worker)
        get_logger(__name__).info(
            "upgrade requested", upgrade_id=str(upgrade.id), process=str(process), state=upgrade.state
        )
        try:
            return await self._tell(upgrade, preference_of(values_of(scope, b"prefer")), receive)
        except StoreUnavailable as error:
            log_outage(error)
            why = "the store cannot answer now"
            raise _cannot_tell(upgrade.id, ErrorCode.STORE_UNAVAILABLE, why) from None

    async def _request(
        self, process: ProcessKey, scope: Scope, headers: Mapping[bytes, bytes], receive: Receive
    ) -> UpgradeRequest:
        try:
            body = await read_body(headers, receive, self.limits)
            key = idempotency_key_of(values_of(scope, b"idempotency-key"))
            selection = selection_of(body, most=self.limits.max_ids)
            return UpgradeRequest(process=process, selection=selection, idempotency_key=key)
        except (RequestError, UpliftError):
            # A good request learns from its upgrade whether the process exists, with one question less.
            await get_process(self.store, process)
            raise

    async def _tell(self, upgrade: Upgrade, preference: Preference, receive: Receive) -> Response:
        if not preference.is_at_once:
            upgrade = await wait_for_the_end(
                self.store, upgrade, receive, self.stopping, seconds=preference.patience
            )
        if self.stopping.is_set() and not (upgrade.is_finished or preference.respond_async):
            # Older clients read any 2xx as the end.
            raise _cannot_tell(upgrade.id, RestCode.SERVER_STOPS, "the server is being stopped")
        listed = await listed_outcomes(self.store, upgrade)
        if preference.is_at_once or not upgrade.is_finished:
            return accepted_response(upgrade, listed)
        return upgrade_response(upgrade, listed)


def _cannot_tell(upgrade: UpgradeId, code: ErrorCode | RestCode, why: str) -> RequestError:
    """Unlike other refusals this one comes when the request is stored already."""
    where, unavailable = path_of_status(upgrade), ErrorCode.STORE_UNAVAILABLE
    return RequestError(
        STATUS_OF[unavailable],
        code,
        f"Expected to tell what became of upgrade {upgrade}, but {why}. The upgrade is stored and goes on; "
        f"ask later at {where}.",
        headers={**headers_of(unavailable), "location": where},
    )

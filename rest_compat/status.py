"""How far has an upgrade come? Whoever has a key may ask."""

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.responses import Response
from starlette.types import Receive, Scope

from uplift.domain.model.access import Authenticate
from uplift.domain.ports import Store
from uplift.domain.use_cases.watch import get_upgrade
from uplift.rest_compat.listing import listed_outcomes
from uplift.rest_compat.replies import status_response
from uplift.rest_compat.requests import caller_of, check_method, check_path, upgrade_id


@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradeStatus:
    """Shows an upgrade as it is, whichever front door it came by."""

    store: Store
    authenticate: Authenticate

    async def answer(self, scope: Scope, _: Receive) -> Response:
        check_path(scope)
        check_method(scope, "GET", "HEAD")
        headers: Mapping[bytes, bytes] = dict(scope["headers"])
        await caller_of(headers, self.authenticate)
        upgrade = await get_upgrade(self.store, upgrade_id(scope))
        return status_response(upgrade, await listed_outcomes(self.store, upgrade))

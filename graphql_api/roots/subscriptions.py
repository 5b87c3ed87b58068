"""What can a client follow while it happens?"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, cast
from uuid import UUID

import strawberry

from uplift import domain
from uplift.domain.use_cases.watch import watch
from uplift.graphql_api.context import Context, Info
from uplift.graphql_api.types.fields import subscription_field
from uplift.graphql_api.types.upgrades import Upgrade, show_upgrade


@strawberry.type(
    description=(
        "What can be followed, over a WebSocket (graphql-transport-ws) or as server-sent events. Any valid "
        "key may."
    )
)
class Subscription:
    @subscription_field(
        "The upgrade with this id: as it is now, then whenever it has changed, at most twice a second, and a "
        "last time when it is finished, whichever server works on it. If there is none, that is an error "
        "with the code UPGRADE_NOT_FOUND."
    )
    async def upgrade_progress(
        self,
        info: Info,
        given: Annotated[UUID, strawberry.argument(name="id", description="The id of the upgrade.")],
    ) -> AsyncGenerator[Upgrade, None]:
        return _progress(info.context, domain.UpgradeId(given))


async def _progress(context: Context, wanted: domain.UpgradeId) -> AsyncGenerator[Upgrade, None]:
    watched = cast("AsyncGenerator[domain.Upgrade, None]", watch(context.store, wanted))
    async with aclosing(watched):
        async for upgrade in watched:
            context.loaders.forget()  # what was read for the event before is old
            yield show_upgrade(upgrade)

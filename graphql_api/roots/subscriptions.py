"""The subscriptions of the schema."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated
from uuid import UUID

import strawberry

from uplift import domain
from uplift.domain.use_cases.watch import watch
from uplift.graphql_api.context import Context, Info
from uplift.graphql_api.types.fields import subscription_field
from uplift.graphql_api.types.upgrades import Upgrade


@strawberry.type(
    description="Events over a WebSocket (graphql-transport-ws) or as server-sent events. Every valid API "
    "key may subscribe."
)
class Subscription:
    @subscription_field(
        "The progress of the upgrade with this id: its present state, then each change, at most twice a "
        "second, until it is finished. Changes by other servers are included. An unknown id is an error "
        "with the code UPGRADE_NOT_FOUND."
    )
    async def upgrade_progress(
        self,
        info: Info,
        upgrade_id: Annotated[UUID, strawberry.argument(name="id", description="The id of the upgrade.")],
    ) -> AsyncGenerator[Upgrade, None]:
        return _progress(info.context, domain.UpgradeId(upgrade_id))


async def _progress(context: Context, upgrade_id: domain.UpgradeId) -> AsyncGenerator[Upgrade, None]:
    async with aclosing(watch(context.store, upgrade_id)) as upgrades:
        async for upgrade in upgrades:
            context.loaders.clear()  # they hold what was read for the event before
            yield Upgrade.from_domain(upgrade)

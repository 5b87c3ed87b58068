"""The subscriptions of the schema."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated
from uuid import UUID

import strawberry

from uplift import domain
from uplift.domain.errors import InvalidInput
from uplift.domain.use_cases.watch import watch
from uplift.domain.use_cases.watch_process import watch_process
from uplift.domain.use_cases.watch_unfinished import MAX_WATCHED, Whose, watch_unfinished
from uplift.graphql_api.context import Context, Info
from uplift.graphql_api.types.fields import subscription_field
from uplift.graphql_api.types.processes.processes import Process
from uplift.graphql_api.types.upgrades.upgrades import Upgrade


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

    @subscription_field(
        "The process with this namespace and code: its present state, then its newest state after changes, "
        "at most once a second. Changes are versions that are saved or published, and instances that are "
        "registered, reported or moved, if that changes the number of a cohort. Changes by other servers are "
        "included. An unknown process is an error with the code PROCESS_NOT_FOUND."
    )
    async def process_changed(
        self,
        info: Info,
        namespace: Annotated[str, strawberry.argument(description="The code of the workspace.")],
        code: Annotated[str, strawberry.argument(description="The code of the process.")],
    ) -> AsyncGenerator[Process, None]:
        return _process(info.context, domain.ProcessKey(namespace=namespace, code=code))

    @subscription_field(
        "The unfinished upgrades, then what changes: first those that are QUEUED, RUNNING or PAUSED, the "
        "newest first, perhaps none; then those that were requested, made progress, changed their state or "
        f"ended, at most once a second. Follows the {MAX_WATCHED} newest unfinished ones. An upgrade that "
        "begins and ends within a second may be left out. The node budget assumes "
        f"{MAX_WATCHED} upgrades.",
        items=MAX_WATCHED,
    )
    async def upgrades_changed(
        self,
        info: Info,
        namespace: Annotated[
            str | None, strawberry.argument(description="Only upgrades of processes in this namespace.")
        ] = None,
        code: Annotated[
            str | None,
            strawberry.argument(
                description="Only upgrades of the process with this code; `namespace` is required then."
            ),
        ] = None,
    ) -> AsyncGenerator[list[Upgrade], None]:
        return _unfinished(info.context, namespace, code)


async def _progress(context: Context, upgrade_id: domain.UpgradeId) -> AsyncGenerator[Upgrade, None]:
    async with aclosing(watch(context.store, upgrade_id)) as upgrades:
        async for upgrade in upgrades:
            context.loaders.clear()  # they hold what was read for the event before
            yield Upgrade.from_domain(upgrade)


async def _process(context: Context, process_key: domain.ProcessKey) -> AsyncGenerator[Process, None]:
    async with aclosing(watch_process(context.store, process_key)) as states:
        async for watched in states:
            context.loaders.clear()
            if watched.cohorts is not None:
                context.loaders.cohorts.prime(process_key, watched.cohorts)
            yield Process.from_domain(watched.process)


async def _unfinished(
    context: Context, namespace: str | None, code: str | None
) -> AsyncGenerator[list[Upgrade], None]:
    whose: Whose = namespace
    if code is not None:
        if namespace is None:
            raise InvalidInput(
                f"Expected a namespace with the code {code!r}, but got none.", field=("namespace",)
            )
        whose = domain.ProcessKey(namespace=namespace, code=code)
    async with aclosing(watch_unfinished(context.store, whose)) as events:
        async for upgrades in events:
            context.loaders.clear()
            yield list(map(Upgrade.from_domain, upgrades))

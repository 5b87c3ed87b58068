"""The queries and mutations on links to workflow engines."""

from typing import Annotated

import strawberry

from uplift.domain.errors import LinkNotFound
from uplift.domain.model import link as links
from uplift.domain.model.access import require_engine
from uplift.domain.model.process import ProcessKey
from uplift.domain.use_cases.links.engine_side import list_orders, settle
from uplift.domain.use_cases.links.managing import add_link, find_link, remove_link, request_sweep
from uplift.domain.use_cases.links.move_plans import MovePlans
from uplift.graphql_api.context import Context, Info
from uplift.graphql_api.roots.attempts import INPUT, attempt
from uplift.graphql_api.types.connections import DEFAULT_PAGE_SIZE, After, First, page_of
from uplift.graphql_api.types.fields import root_field
from uplift.graphql_api.types.links.links import (
    Link,
    LinkEngineInput,
    LinkEnginePayload,
    Move,
    MoveConnection,
    SettleMovesInput,
    SettleMovesPayload,
    SweepEngineInput,
    SweepEnginePayload,
    UnlinkEngineInput,
    UnlinkEnginePayload,
)

NODES_OF_LINKS = 100


@strawberry.type
class LinkQueries:
    @root_field("All links to workflow engines, by name.", nodes=NODES_OF_LINKS)
    async def links(self, info: Info) -> list[Link]:
        found = await info.context.store.links.all_with_status()
        return [Link.from_domain(link, status) for link, status in found]

    @root_field(
        "The orders of a link, by number, which has no gaps: an engine of your own asks for those after the "
        "last one that it has settled. Null if there is no such link.",
        for_engines=True,
    )
    async def moves(
        self,
        info: Info,
        link: Annotated[str, strawberry.argument(description="The name of the link.")],
        first: First = DEFAULT_PAGE_SIZE,
        after: After = None,
    ) -> MoveConnection | None:
        context = info.context
        plans = MovePlans(context.store, context.worker.comparer)
        request = page_of(first, after)
        try:
            page = await list_orders(context.store, link, request)
        except LinkNotFound:
            return None
        return MoveConnection(
            page=page.map(lambda order: Move.from_domain(order, plans)), follows_cursor=after is not None
        )


@strawberry.type
class LinkMutations:
    @root_field(
        "Link a workflow engine: its processes, versions and instances appear without an import, and the "
        "engine carries out upgrades of its instances. Workers begin to read it at once."
    )
    async def link_engine(
        self, info: Info, input_: Annotated[LinkEngineInput, INPUT]
    ) -> LinkEnginePayload | None:
        context = info.context
        added, refused = await attempt(
            context,
            lambda: add_link(
                context.store, input_.request(), caller=context.caller, clock=context.worker.clock
            ),
        )
        return LinkEnginePayload(link=await _with_status(context, added), user_errors=refused)

    @root_field(
        "Remove a link. Its processes, versions and instances stay as they were last read, and can then be "
        "changed like all others."
    )
    async def unlink_engine(
        self, info: Info, input_: Annotated[UnlinkEngineInput, INPUT]
    ) -> UnlinkEnginePayload | None:
        context = info.context

        async def remove() -> tuple[str, list[ProcessKey]]:
            link = await find_link(context.store, input_.name)
            linked = await context.store.links.processes(link.id)
            await remove_link(context.store, input_.name, caller=context.caller)
            return link.name, [process.process for process in linked]

        removed, refused = await attempt(context, remove)
        name, keys = removed or (None, [])
        processes = await context.loaders.processes.load_many(keys)
        return UnlinkEnginePayload(name=name, processes=processes, user_errors=refused)

    @root_field("Read the versions, instances and positions of a linked engine now.")
    async def sweep_engine(
        self, info: Info, input_: Annotated[SweepEngineInput, INPUT]
    ) -> SweepEnginePayload | None:
        context = info.context
        swept, refused = await attempt(
            context,
            lambda: request_sweep(
                context.store, input_.name, caller=context.caller, clock=context.worker.clock
            ),
        )
        return SweepEnginePayload(link=await _with_status(context, swept), user_errors=refused)

    @root_field(
        "Answer orders of `moves`: a moved instance is on its new version from then on. A request can be "
        "repeated: orders that are settled keep their first answer, and unknown ones are ignored.",
        for_engines=True,
    )
    async def settle_moves(
        self, info: Info, input_: Annotated[SettleMovesInput, INPUT]
    ) -> SettleMovesPayload | None:
        context = info.context
        settled, refused = await attempt(
            context,
            lambda: settle(
                context.store,
                input_.link,
                [result.settlement() for result in input_.results],
                caller=context.caller,
                clock=context.worker.clock,
            ),
            require_engine,
        )
        if settled is None:
            return SettleMovesPayload(settled=None, user_errors=refused)
        context.on_settled(input_.link, settled)
        count = sum(of_upgrade.count for of_upgrade in settled)
        return SettleMovesPayload(settled=count, user_errors=refused)


async def _with_status(context: Context, link: links.Link | None) -> Link | None:
    if link is None:
        return None
    status = (await context.store.links.statuses([link.id])).get(link.id)
    return Link.from_domain(link, status)

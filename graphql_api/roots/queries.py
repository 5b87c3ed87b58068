"""The queries of the schema."""

from typing import Annotated
from uuid import UUID

import strawberry

from uplift import domain
from uplift.domain.errors import UpliftError
from uplift.domain.ports.processes import ANY_PROCESS, MAX_SEARCH_LENGTH, ProcessFilter
from uplift.domain.use_cases.links.objections import with_objections
from uplift.domain.use_cases.plan import plan_upgrade
from uplift.graphql_api.context import Info
from uplift.graphql_api.roots.links import LinkQueries
from uplift.graphql_api.roots.nodes import find_node
from uplift.graphql_api.types.connections import DEFAULT_PAGE_SIZE, After, First, listing_of, page_of
from uplift.graphql_api.types.enums import ProcessOrder
from uplift.graphql_api.types.fields import root_field
from uplift.graphql_api.types.inputs.filters import UpgradeFilterInput, upgrade_filter_of
from uplift.graphql_api.types.inputs.inputs import NODES_OF_AN_INSTRUCTION, ProcessKeyInput, UpgradePlanInput
from uplift.graphql_api.types.nodes import Node
from uplift.graphql_api.types.processes.instances import ProcessInstance
from uplift.graphql_api.types.processes.processes import Process, ProcessConnection
from uplift.graphql_api.types.server import Server
from uplift.graphql_api.types.upgrades.plans import NODES_OF_A_PLAN, UpgradePlan, UpgradePlanPayload
from uplift.graphql_api.types.upgrades.upgrades import Upgrade, UpgradeConnection
from uplift.graphql_api.types.user_errors import user_error_from_domain
from uplift.graphql_api.types.viewer import Viewer

NODES_OF_A_SEARCH = 100
"""The cost in the node budget of looking at thousands of rows for a page."""
NODES_OF_AN_ID = 0.01
"""The cost in the node budget of an id in a selection: a plan looks each up."""
NODES_OF_A_LIMIT = 1_000
"""The cost in the node budget of a limit in a selection: a plan looks for its instances one by one."""
PLAN_ARGUMENTS = {
    "input.selection.instanceIds": NODES_OF_AN_ID,
    "input.selection.allActive.except": NODES_OF_AN_ID,
    "input.selection.matching.except": NODES_OF_AN_ID,
    "input.selection.matching.limit": NODES_OF_A_LIMIT,
    "input.mappings.instructions": NODES_OF_AN_INSTRUCTION,
}


@strawberry.type(
    description="Queries. Every valid API key may run them, but those of engines only `moves`, `viewer` and "
    "`server`. What is outside of the scope of a key looks as "
    "if it did not exist. The node budget limits how many nodes an operation requests: its page sizes, "
    "multiplied down the nesting."
)
class Query(LinkQueries):
    @root_field("The sender of this request: the name, role and scope of its API key.", for_engines=True)
    async def viewer(self, info: Info) -> Viewer:
        return Viewer.from_domain(info.context.caller)

    @root_field(
        "The server that answers this request: its version, and the limits that a client must know.",
        for_engines=True,
    )
    async def server(self, info: Info) -> Server:
        return Server.from_context(info.context)

    @root_field("The object with this id, or null if there is none or the text is not an id.")
    async def node(
        self,
        info: Info,
        node_id: Annotated[
            strawberry.ID, strawberry.argument(name="id", description="The id of the object.")
        ],
    ) -> Node | None:
        return await find_node(info.context.loaders, node_id)

    @root_field("The process with this namespace and code, or null if there is none.")
    async def process(
        self,
        info: Info,
        namespace: Annotated[str, strawberry.argument(description="The code of the workspace.")],
        code: Annotated[str, strawberry.argument(description="The code of the process.")],
    ) -> Process | None:
        process_key = domain.ProcessKey(namespace=namespace, code=code)
        process = await info.context.store.processes.find(process_key)
        return None if process is None else Process.from_domain(process)

    @root_field(
        "All processes, or those with a namespace or a part of a name or title. "
        f"The search costs {NODES_OF_A_SEARCH} nodes in the node budget.",
        per={"search": NODES_OF_A_SEARCH},
    )
    async def processes(
        self,
        info: Info,
        search: Annotated[
            str | None,
            strawberry.argument(
                description="Only processes whose title or `namespace/code` contains this text of at most "
                f"{MAX_SEARCH_LENGTH} characters, whatever its case in any script. No character has a "
                "special meaning. Null or empty for all."
            ),
        ] = None,
        namespace: Annotated[
            str | None, strawberry.argument(description="Only processes of this namespace.")
        ] = None,
        order_by: Annotated[
            ProcessOrder, strawberry.argument(description="The order of the list.")
        ] = ProcessOrder.CREATED,
        first: First = DEFAULT_PAGE_SIZE,
        after: After = None,
    ) -> ProcessConnection:
        process_filter = ProcessFilter(search=search or None, namespace=namespace)
        is_plain = process_filter == ANY_PROCESS and order_by is ProcessOrder.CREATED
        listing = "" if is_plain else listing_of(order_by, process_filter.search, namespace)
        page = await info.context.store.processes.page(
            page_of(first, after, listing), process_filter, order=order_by
        )
        return ProcessConnection(
            page=page.map(Process.from_domain),
            follows_cursor=after is not None,
            listing=listing,
            process_filter=process_filter,
        )

    @root_field("The instance with this id, of any process, or null if there is none.")
    async def instance(
        self,
        info: Info,
        instance_id: Annotated[UUID, strawberry.argument(name="id", description="The id of the instance.")],
    ) -> ProcessInstance | None:
        key = domain.InstanceId(instance_id)
        instance = (await info.context.store.instances.find_many([key])).get(key)
        return None if instance is None else ProcessInstance.from_domain(instance)

    @root_field("The upgrade with this id, or null if there is none.")
    async def upgrade(
        self,
        info: Info,
        upgrade_id: Annotated[UUID, strawberry.argument(name="id", description="The id of the upgrade.")],
    ) -> Upgrade | None:
        upgrade = await info.context.store.upgrades.find(domain.UpgradeId(upgrade_id))
        return None if upgrade is None else Upgrade.from_domain(upgrade)

    @root_field(
        "Upgrades, the newest first. A page looks at a bounded number of upgrades, so with a filter it may "
        "be short, or empty, although `hasNextPage` is true. "
        f"The filter costs {NODES_OF_A_SEARCH} nodes in the node budget.",
        per={"filter": NODES_OF_A_SEARCH},
    )
    async def upgrades(
        self,
        info: Info,
        process: Annotated[
            ProcessKeyInput | None, strawberry.argument(description="Only upgrades of this process.")
        ] = None,
        filter_: Annotated[
            UpgradeFilterInput | None,
            strawberry.argument(name="filter", description="Only upgrades that meet these conditions."),
        ] = None,
        first: First = DEFAULT_PAGE_SIZE,
        after: After = None,
    ) -> UpgradeConnection:
        process_key = None if process is None else process.process_key()
        upgrade_filter = upgrade_filter_of(filter_)
        page = await info.context.store.upgrades.page(process_key, page_of(first, after), upgrade_filter)
        return UpgradeConnection(
            page=page.map(Upgrade.from_domain),
            follows_cursor=after is not None,
            process_key=process_key,
            upgrade_filter=upgrade_filter,
        )

    @root_field(
        "What an upgrade would do if it were requested now, decided by the same rules. Changes nothing. "
        "Runs a few grouped queries, however many instances are selected. Costs "
        f"{NODES_OF_A_PLAN:,} nodes in the node budget, {NODES_OF_AN_ID} for each id that is named, "
        f"{NODES_OF_AN_INSTRUCTION} for each instruction, and {NODES_OF_A_LIMIT:,} for a `limit`.",
        nodes=NODES_OF_A_PLAN,
        per=PLAN_ARGUMENTS,
    )
    async def upgrade_plan(
        self,
        info: Info,
        input_: Annotated[
            UpgradePlanInput, strawberry.argument(name="input", description="The upgrade to plan.")
        ],
    ) -> UpgradePlanPayload | None:
        try:
            context = info.context
            request = input_.request(max_ids=context.limits.max_ids)
            comparer = context.worker.comparer
            plan = await plan_upgrade(context.store, request, comparer=comparer)
            if context.connect is not None:
                plan = await with_objections(context.store, plan, context.connect, comparer=comparer)
        except UpliftError as error:
            return UpgradePlanPayload(plan=None, user_errors=[user_error_from_domain(error)])
        return UpgradePlanPayload(plan=UpgradePlan.from_domain(plan), user_errors=[])

"""What can a client ask for first?"""

from typing import Annotated
from uuid import UUID

import strawberry

from uplift import domain
from uplift.domain.errors import UpliftError
from uplift.domain.model.paging import page_request
from uplift.domain.use_cases.plan import plan_upgrade
from uplift.graphql_api.context import Info
from uplift.graphql_api.types.connections import DEFAULT_PAGE_SIZE, After, First
from uplift.graphql_api.types.fields import root_field
from uplift.graphql_api.types.inputs import ProcessKeyInput, UpgradePlanInput
from uplift.graphql_api.types.instances import ProcessInstance, show_instance
from uplift.graphql_api.types.plans import NODES_OF_A_PLAN, UpgradePlanPayload, show_plan
from uplift.graphql_api.types.processes import Process, ProcessConnection, show_process
from uplift.graphql_api.types.upgrades import Upgrade, UpgradeConnection, show_upgrade
from uplift.graphql_api.types.user_errors import show_refusal


@strawberry.type(description="What can be read. Any valid key may.")
class Query:
    @root_field("The process of this name, or null if there is none.")
    async def process(
        self,
        info: Info,
        namespace: Annotated[str, strawberry.argument(description="The code of its workspace.")],
        code: Annotated[str, strawberry.argument(description="The code of the process.")],
    ) -> Process | None:
        key = domain.ProcessKey(namespace=namespace, code=code)
        process = await info.context.store.process(key)
        return None if process is None else show_process(process)

    @root_field("All processes, the oldest first.")
    async def processes(
        self, info: Info, first: First = DEFAULT_PAGE_SIZE, after: After = None
    ) -> ProcessConnection:
        page = await info.context.store.processes(page_request(first, after))
        return ProcessConnection(page=page.map(show_process), follows_cursor=after is not None)

    @root_field("The instance with this id, of whatever process, or null if there is none.")
    async def instance(
        self,
        info: Info,
        given: Annotated[UUID, strawberry.argument(name="id", description="The id of the instance.")],
    ) -> ProcessInstance | None:
        instance_id = domain.InstanceId(given)
        found = (await info.context.store.instances([instance_id])).get(instance_id)
        return None if found is None else show_instance(found)

    @root_field("The upgrade with this id, or null if there is none.")
    async def upgrade(
        self,
        info: Info,
        given: Annotated[UUID, strawberry.argument(name="id", description="The id of the upgrade.")],
    ) -> Upgrade | None:
        found = await info.context.store.upgrade(domain.UpgradeId(given))
        return None if found is None else show_upgrade(found)

    @root_field("Upgrades, the newest first.")
    async def upgrades(
        self,
        info: Info,
        process: Annotated[
            ProcessKeyInput | None, strawberry.argument(description="Only those of this process.")
        ] = None,
        first: First = DEFAULT_PAGE_SIZE,
        after: After = None,
    ) -> UpgradeConnection:
        key = None if process is None else process.key()
        page = await info.context.store.upgrades(key, page_request(first, after))
        return UpgradeConnection(page=page.map(show_upgrade), follows_cursor=after is not None)

    @root_field(
        "What an upgrade would do if it were asked for now, by the same rules; writes nothing. It costs a "
        "few grouped queries, however many instances are selected, and counts as "
        f"{NODES_OF_A_PLAN:,} nodes in the budget of an operation.",
        nodes=NODES_OF_A_PLAN,
    )
    async def upgrade_plan(
        self,
        info: Info,
        asked: Annotated[UpgradePlanInput, strawberry.argument(name="input", description="What to upgrade.")],
    ) -> UpgradePlanPayload | None:
        try:
            plan = await plan_upgrade(info.context.store, asked.request(max_ids=info.context.limits.max_ids))
        except UpliftError as error:
            return UpgradePlanPayload(plan=None, user_errors=[show_refusal(error)])
        return UpgradePlanPayload(plan=show_plan(plan), user_errors=[])

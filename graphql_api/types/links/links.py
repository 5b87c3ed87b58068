"""Links to workflow engines, and the orders to move instances there."""

from datetime import datetime
from typing import Self
from uuid import UUID

import strawberry

from uplift import domain
from uplift.domain.model import link as links
from uplift.domain.model.decision import Decision, SkipReason
from uplift.domain.model.link_status import LinkStatus
from uplift.domain.model.order import Order, OrderNumber, Settlement
from uplift.domain.use_cases.links.engine_side import MAX_SETTLED
from uplift.domain.use_cases.links.link_request import LinkRequest, sweep_interval_of
from uplift.domain.use_cases.links.move_plans import MovePlans
from uplift.graphql_api.context import Info
from uplift.graphql_api.types.connections import Connection
from uplift.graphql_api.types.enums import LinkKind, OrderState, ReasonCode
from uplift.graphql_api.types.fields import field
from uplift.graphql_api.types.links.link_secrets import (
    LinkCredentials,
    LinkCredentialsInput,
    Webhook,
    WebhookInput,
)
from uplift.graphql_api.types.nodes import Node
from uplift.graphql_api.types.processes.comparisons import MappingPair
from uplift.graphql_api.types.processes.processes import Process
from uplift.graphql_api.types.upgrades.upgrades import Upgrade
from uplift.graphql_api.types.user_errors import UserError


@strawberry.type(description="A link to a workflow engine, which runs the instances of some processes.")
class Link(Node):
    link: strawberry.Private[links.Link]
    name: str = strawberry.field(description="The name of the link.")
    kind: LinkKind = strawberry.field(description="The kind of the engine.")
    namespace: str = strawberry.field(description="The namespace of its processes.")
    url: str | None = strawberry.field(
        description="The base of the engine's REST API; null for an engine that fetches its orders."
    )
    tenant: str | None = strawberry.field(description="The tenant that is linked; null for none.")
    credentials: LinkCredentials | None = strawberry.field(description="Where its secret is read.")
    max_rate: float | None = strawberry.field(
        description="How many instances a second are sent to the engine at most; null without a bound."
    )
    sweep_seconds: float = strawberry.field(description="The time between two sweeps, in seconds.")
    created_at: datetime = strawberry.field(description="When the link was added.")
    created_by: str = strawberry.field(description="The name of the API key that added it.")
    swept_at: datetime | None = strawberry.field(
        description="The end of the last complete sweep; null before the first one."
    )
    sweep_error: str | None = strawberry.field(
        description="Why the last sweep failed, or what it could not read; null if nothing."
    )
    unreachable_since: datetime | None = strawberry.field(
        description="Since when the engine does not answer; null while it does."
    )
    clock_difference_seconds: float | None = strawberry.field(
        description="How far the engine's clock is ahead of the server's, in seconds; null if unknown."
    )
    webhook: Webhook | None = strawberry.field(
        description="Where events are sent when orders wait or an upgrade has ended; null if nowhere."
    )
    webhook_error: str | None = strawberry.field(
        description="Why the last event did not arrive; null if it did."
    )

    status: strawberry.Private[LinkStatus]

    def node_id(self) -> str:
        """Implements Node."""
        return f"link:{self.link.id}"

    @field("Whether a worker holds the link, so that orders are sent and the engine is swept.")
    async def is_held(self, info: Info) -> bool:
        return self.status.is_held(info.context.worker.clock())

    @field("The processes that run in this engine.", items=10)
    async def processes(self, info: Info) -> list[Process]:
        linked = await info.context.store.links.processes(self.link.id)
        return await info.context.loaders.processes.load_many([process.process for process in linked])

    @classmethod
    def from_domain(cls, link: links.Link, status: LinkStatus | None) -> Self:
        known = status or LinkStatus()
        credentials, difference = link.credentials, known.clock_difference
        return cls(
            link=link,
            status=known,
            name=link.name,
            kind=link.kind,
            namespace=link.namespace,
            url=link.url,
            tenant=link.tenant,
            credentials=None if credentials is None else LinkCredentials.from_domain(credentials),
            max_rate=link.max_rate,
            sweep_seconds=link.sweep_interval.total_seconds(),
            created_at=link.created_at,
            created_by=link.created_by,
            swept_at=known.swept_at,
            sweep_error=known.sweep_error,
            unreachable_since=known.unreachable_since,
            clock_difference_seconds=None if difference is None else difference.total_seconds(),
            webhook=None if link.webhook is None else Webhook.from_domain(link.webhook),
            webhook_error=known.webhook_error,
        )


@strawberry.type(description="An order to a linked engine to move one instance.")
class Move:
    order: strawberry.Private[Order]
    plans: strawberry.Private[MovePlans]
    number: int = strawberry.field(
        description="The number of the order among those of its link, from 1, without gaps. It stays the "
        "same when the order is sent again."
    )
    state: OrderState = strawberry.field(description="Whether the engine has answered, and how.")
    instance_id: UUID = strawberry.field(description="The id of the instance.")
    engine_id: str = strawberry.field(description="The engine's id of the instance.")
    from_version: int = strawberry.field(description="The number of the version that the instance is on.")
    to_version: int = strawberry.field(description="The number of the version to move it to.")
    from_position: list[str] = strawberry.field(
        description="The ids of the elements at which it waited when it was ordered, sorted."
    )
    to_position: list[str] = strawberry.field(
        description="The ids of the elements at which it waits afterwards, sorted."
    )
    attempt: int = strawberry.field(description="How often the order was sent, from 1.")
    sent_at: datetime = strawberry.field(description="When the order was sent last.")

    @field(
        "What to map, and nothing else: the elements of the position, the subprocesses around them, and the "
        "events that listen there. Refuse the order if the instance waits elsewhere."
    )
    async def mapping(self) -> list[MappingPair]:
        order = self.order
        instructions = await self.plans.instructions(order.upgrade, order.process, order.decision)
        return [MappingPair(source=pair.source, target=pair.target) for pair in instructions]

    @field("The upgrade that ordered the move. Counts as a node in the node budget.", nodes=1)
    async def upgrade(self, info: Info) -> Upgrade:
        found = await info.context.loaders.found_upgrades.load(self.order.upgrade)
        assert found is not None, "upgrades are never deleted"
        return found

    @classmethod
    def from_domain(cls, order: Order, plans: MovePlans) -> Self:
        decision: Decision = order.decision
        assert decision.to_version is not None, "only decisions that upgrade have orders"
        return cls(
            order=order,
            plans=plans,
            number=order.number,
            state=order.state,
            instance_id=order.instance,
            engine_id=order.engine_id,
            from_version=decision.cohort.version,
            to_version=decision.to_version,
            from_position=sorted(decision.cohort.position),
            to_position=sorted(decision.to_position or ()),
            attempt=order.attempt,
            sent_at=order.sent_at,
        )


@strawberry.type(description="A page of the orders of a link, by number.")
class MoveConnection(Connection[Move]):
    pass


@strawberry.input(description="The link to add.")
class LinkEngineInput:
    name: str = strawberry.field(description="The name of the link.")
    kind: LinkKind = strawberry.field(description="The kind of the engine.")
    namespace: str = strawberry.field(description="The namespace of its processes.")
    url: str | None = strawberry.field(
        default=None,
        description="The base of the engine's REST API, such as `http://engine:8080/engine-rest`; null for "
        "PULL.",
    )
    tenant: str | None = strawberry.field(
        default=None, description="The tenant to link; null to link what belongs to none."
    )
    credentials: LinkCredentialsInput | None = strawberry.field(
        default=None, description="The credentials for the engine; null if it needs none."
    )
    max_rate: float | None = strawberry.field(
        default=None, description="How many instances a second to send at most; null for no bound."
    )
    sweep_seconds: float = strawberry.field(
        default=links.DEFAULT_SWEEP_INTERVAL.total_seconds(),
        description="The time between two sweeps, in seconds.",
    )
    processes: list[str] = strawberry.field(
        default_factory=list,
        description="For PULL: the codes of the processes that the engine runs. They exist.",
    )
    webhook: WebhookInput | None = strawberry.field(
        default=None,
        description="For PULL: where to send events when orders wait or an upgrade has ended; null: nowhere.",
    )

    def request(self) -> LinkRequest:
        """Raises InvalidInput."""
        return LinkRequest(
            name=self.name,
            kind=self.kind,
            namespace=self.namespace,
            url=self.url,
            tenant=self.tenant,
            credentials=None if self.credentials is None else self.credentials.credentials(),
            max_rate=self.max_rate,
            sweep_interval=sweep_interval_of(self.sweep_seconds),
            processes=tuple(
                domain.ProcessKey(namespace=self.namespace, code=code) for code in self.processes
            ),
            webhook=None if self.webhook is None else self.webhook.webhook(),
        )


@strawberry.input(description="The link to remove.")
class UnlinkEngineInput:
    name: str = strawberry.field(description="The name of the link.")


@strawberry.input(description="The link to sweep.")
class SweepEngineInput:
    name: str = strawberry.field(description="The name of the link.")


@strawberry.input(description="How the engine carried out an order.")
class MoveResultInput:
    number: int = strawberry.field(description="The number of the order.")
    is_done: bool = strawberry.field(description="Whether the instance was moved.")
    code: ReasonCode = strawberry.field(
        default=ReasonCode.ENGINE_REFUSED,
        description="If it was not: ENGINE_REFUSED, MOVED_ON (it waits elsewhere by now) or "
        "INSTANCE_NOT_FOUND (it has ended).",
    )
    message: str | None = strawberry.field(
        default=None, description="If it was not: why, as a sentence for operators."
    )

    def settlement(self) -> Settlement:
        refusal = SkipReason(code=self.code, message=self.message or "The engine gave no reason.")
        return Settlement(number=OrderNumber(self.number), refusal=None if self.is_done else refusal)


@strawberry.input(description="The answers of an engine to its orders.")
class SettleMovesInput:
    link: str = strawberry.field(description="The name of the link.")
    results: list[MoveResultInput] = strawberry.field(
        description=f"The results, at most {MAX_SETTLED:,}, each order once. Orders that are settled already "
        "keep their first answer."
    )


@strawberry.type
class _LinkPayload:
    link: Link | None = strawberry.field(description="The link; null if the request was refused.")
    user_errors: list[UserError] = strawberry.field(
        description="Why the request was refused; empty if it succeeded."
    )


@strawberry.type(description="The result of `linkEngine`.")
class LinkEnginePayload(_LinkPayload):
    pass


@strawberry.type(description="The result of `unlinkEngine`.")
class UnlinkEnginePayload:
    name: str | None = strawberry.field(
        description="The name of the removed link; null if the request was refused."
    )
    processes: list[Process] = strawberry.field(
        description="The processes that are no longer linked; empty if the request was refused."
    )
    user_errors: list[UserError] = strawberry.field(
        description="Why the request was refused; empty if it succeeded."
    )


@strawberry.type(description="The result of `sweepEngine`.")
class SweepEnginePayload(_LinkPayload):
    pass


@strawberry.type(description="The result of `settleMoves`.")
class SettleMovesPayload:
    settled: int | None = strawberry.field(
        description="How many orders were not settled before; null if the request was refused."
    )
    user_errors: list[UserError] = strawberry.field(
        description="Why the request was refused; empty if it succeeded."
    )

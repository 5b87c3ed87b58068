"""The versions of a process."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Self

import strawberry

from uplift import domain
from uplift.domain.bpmn import decode_document
from uplift.domain.model.cohort import tokens
from uplift.domain.rules.comparer import ListedElement
from uplift.domain.use_cases.compare import elements_of
from uplift.graphql_api.context import Info
from uplift.graphql_api.types.enums import VersionState
from uplift.graphql_api.types.fields import field
from uplift.graphql_api.types.nodes import Node
from uplift.graphql_api.types.processes.instances import COSTS_COUNTS, NODES_OF_COUNTS, TokenCount

if TYPE_CHECKING:  # it imports this module
    from uplift.graphql_api.types.processes.processes import Process

NODES_OF_A_DOCUMENT = 1_000
"""The cost of reading one BPMN document in the node budget: it may be as large as 1,000 rows."""
NODES_OF_A_PROCESS = 100
"""As how many processes that of a version counts: it leads from a list of versions back to that list."""


@strawberry.type(description="An element of the BPMN document of a version.")
class VersionElement:
    element_id: str = strawberry.field(description="The id of the element, unique only in its version.")
    name: str | None = strawberry.field(description="The name of the element, or null if it has none.")
    kind: str = strawberry.field(
        description="The type of the element, named as in BPMN 2.0 XML, for example `userTask`. An event "
        "subprocess is an `eventSubProcess`."
    )
    scope: str | None = strawberry.field(
        description="The id of the subprocess around the element; null directly in the process."
    )
    is_wait_state: bool = strawberry.field(
        description="Whether an instance can wait at the element, so that its position contains it."
    )

    @classmethod
    def from_domain(cls, listed: ListedElement) -> Self:
        element = listed.element
        return cls(
            element_id=element.id,
            name=element.name,
            kind=element.kind.value,
            scope=element.scope,
            is_wait_state=listed.is_wait_state,
        )


@strawberry.type(description="A version of a process. Versions are numbered from 1.")
class Version(Node):
    process_key: strawberry.Private[domain.ProcessKey]
    number: int = strawberry.field(description="The number of the version, unique in its process.")
    state: VersionState = strawberry.field(description="Whether the version is a draft or published.")
    has_bpmn: bool = strawberry.field(description="Whether the version has a BPMN document.")
    created_at: datetime = strawberry.field(description="When the draft was saved.")
    published_at: datetime | None = strawberry.field(
        description="When the version was published; null for a draft."
    )
    model_process_id: str | None = strawberry.field(
        description="The id of the process in the BPMN document that the version means, or null if it has no "
        "document. A process without an id is named `process: <name>`."
    )

    @field(
        "The BPMN 2.0 document (XML), or null if there is none. Each document costs "
        f"{NODES_OF_A_DOCUMENT:,} nodes in the node budget, because documents are read one by one.",
        nodes=NODES_OF_A_DOCUMENT,
    )
    async def bpmn(self, info: Info) -> str | None:
        model = await info.context.store.processes.model(self.process_key, domain.VersionNumber(self.number))
        return None if model is None else decode_document(model.document)

    @field(
        "The process of the version. The node budget counts it as "
        f"{NODES_OF_A_PROCESS} processes, because it can list the versions again.",
        items=NODES_OF_A_PROCESS,
    )
    async def process(
        self, info: Info
    ) -> Annotated["Process", strawberry.lazy("uplift.graphql_api.types.processes.processes")]:
        return await info.context.loaders.processes.load(self.process_key)

    @field(
        "The elements of the BPMN document, sorted by id; empty if there is none. The document costs "
        f"{NODES_OF_A_DOCUMENT:,} nodes in the node budget.",
        nodes=NODES_OF_A_DOCUMENT,
    )
    async def elements(self, info: Info) -> list[VersionElement]:
        listed = await elements_of(
            info.context.store,
            process=self.process_key,
            version=domain.VersionNumber(self.number),
            comparer=info.context.worker.comparer,
        )
        return list(map(VersionElement.from_domain, listed))

    @field(
        "The active instances at each element that has some, sorted by id." + COSTS_COUNTS,
        nodes=NODES_OF_COUNTS,
    )
    async def tokens(self, info: Info) -> list[TokenCount]:
        counted = await info.context.loaders.cohorts.load(self.process_key)
        return list(map(TokenCount.from_domain, tokens(counted, domain.VersionNumber(self.number))))

    def node_id(self) -> str:
        return f"version:{self.process_key}/{self.number}"

    @classmethod
    def from_domain(cls, process_key: domain.ProcessKey, version: domain.Version) -> Self:
        return cls(
            process_key=process_key,
            number=version.number,
            state=version.state,
            has_bpmn=version.has_model,
            created_at=version.created_at,
            published_at=version.published_at,
            model_process_id=version.model_process_id,
        )

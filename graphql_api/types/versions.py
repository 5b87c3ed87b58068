"""What does a client see of a version?"""

from datetime import datetime

import strawberry

from uplift import domain
from uplift.graphql_api.context import Info
from uplift.graphql_api.types.enums import VersionState
from uplift.graphql_api.types.fields import field
from uplift.graphql_api.types.xml_text import text_of

NODES_OF_A_DOCUMENT = 1_000
"""What reading one BPMN document counts in the node budget: it may be as large as 1,000 rows."""


@strawberry.type(description="One drawing of a process. Versions are numbered from 1.")
class Version:
    process_key: strawberry.Private[domain.ProcessKey]
    number: int = strawberry.field(description="The number of the version, unique in its process.")
    state: VersionState = strawberry.field(description="Whether it is a draft or published.")
    has_bpmn: bool = strawberry.field(description="Whether a BPMN document is kept for it.")
    created_at: datetime = strawberry.field(description="When this draft was saved.")
    published_at: datetime | None = strawberry.field(description="When it was published; null for a draft.")

    @field(
        "The BPMN 2.0 document (XML), or null if none is kept. Documents are read one by one, so each counts "
        f"as {NODES_OF_A_DOCUMENT:,} nodes in the budget of an operation.",
        nodes=NODES_OF_A_DOCUMENT,
    )
    async def bpmn(self, info: Info) -> str | None:
        document = await info.context.store.model(self.process_key, domain.VersionNumber(self.number))
        return None if document is None else text_of(document)


def show_version(process: domain.ProcessKey, version: domain.Version) -> Version:
    """A version of the process as a client sees it."""
    return Version(
        process_key=process,
        number=version.number,
        state=VersionState(version.state),
        has_bpmn=version.has_model,
        created_at=version.created_at,
        published_at=version.published_at,
    )

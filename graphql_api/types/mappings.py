"""What does a client see of where the elements of one version go in another?"""

from collections.abc import Iterable, Mapping

import strawberry

from uplift.domain.model import mapping


@strawberry.type(description="Where instances go that wait at an element: a source and a target element.")
class MappingPair:
    source: str = strawberry.field(description="The id of the element in the version they come from.")
    target: str = strawberry.field(description="The id of the element in the version they go to.")


@strawberry.type(description="The mapping instructions for the instances of one version.")
class VersionMapping:
    from_version: int = strawberry.field(description="The number of the version that instances come from.")
    instructions: list[MappingPair] = strawberry.field(
        description="Each overrides the generated pair of its source."
    )


def show_pairs(pairs: Mapping[str, str]) -> list[MappingPair]:
    """A mapping as a client sees it."""
    return [MappingPair(source=source, target=target) for source, target in pairs.items()]


def show_mappings(mappings: Iterable[mapping.VersionMapping]) -> list[VersionMapping]:
    """The instructions of a request as a client sees them."""
    return [
        VersionMapping(
            from_version=one.from_version,
            instructions=[MappingPair(source=pair.source, target=pair.target) for pair in one.instructions],
        )
        for one in mappings
    ]

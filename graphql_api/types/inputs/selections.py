"""The inputs that select instances."""

from uuid import UUID

import strawberry

from uplift import domain
from uplift.domain.model.conditions import MAX_CONDITIONS
from uplift.domain.model.selection import MAX_IDS, SelectionFields, all_active, by_ids, matching
from uplift.graphql_api.types.enums import Status

SELECTION_FIELDS = SelectionFields(
    ids="selection.instanceIds", all_active="selection.allActive", excluded="selection.allActive.except"
)
"""The paths of the parts of a selection in `UpgradeInstancesInput`, for the domain's errors."""
MATCHING_FIELDS = SelectionFields(
    excluded="selection.matching.except",
    versions="selection.matching.versions",
    elements="selection.matching.elements",
    statuses="selection.matching.statuses",
    limit="selection.matching.limit",
)


@strawberry.input(description="All PENDING and RUNNING instances of the process, except those listed.")
class AllActiveInput:
    except_: list[UUID] | None = strawberry.field(
        name="except",
        default=None,
        description=f"The ids of the instances to exclude, at most {MAX_IDS:,}. Unknown ids are ignored.",
    )


@strawberry.input(
    description="The PENDING and RUNNING instances of the process that meet every condition, except those "
    "listed. A condition that is null or absent requires nothing. Versions and elements, at most "
    f"{MAX_CONDITIONS:,} in all, must exist."
)
class MatchingInput:
    versions: list[int] | None = strawberry.field(
        default=None, description="Instances that are pinned to one of these versions; not empty."
    )
    elements: list[str] | None = strawberry.field(
        default=None,
        description="Instances that wait at one of the elements with these ids at least, alone or among "
        "others; not empty.",
    )
    statuses: list[Status] | None = strawberry.field(
        default=None,
        description="Instances with one of these statuses, PENDING or RUNNING; not empty. Only PENDING "
        "instances are upgraded, RUNNING ones are skipped.",
    )
    limit: int | None = strawberry.field(
        default=None,
        description=f"The first so many of these instances, 1 to {MAX_IDS:,}, in the order of registration. "
        "They are fixed when the upgrade is requested, and each gets an outcome.",
    )
    except_: list[UUID] | None = strawberry.field(
        name="except",
        default=None,
        description=f"The ids of the instances to exclude, at most {MAX_IDS:,}; `limit` counts none of them. "
        "Unknown ids are ignored.",
    )

    def selection(self, *, max_ids: int) -> domain.Matching:
        """The selection, with a limit and exclusions of at most `max_ids`. Raises InvalidSelection."""
        return matching(
            versions=self.versions,
            elements=self.elements,
            statuses=self.statuses,
            limit=self.limit,
            excluded=self.except_ or (),
            fields=MATCHING_FIELDS,
            max_ids=max_ids,
        )


@strawberry.input(
    one_of=True, description="The selected instances of the process. Exactly one field must be set."
)
class SelectionInput:
    instance_ids: list[UUID] | None = strawberry.field(
        default=strawberry.UNSET,
        description=f"The instances with these ids, 1 to {MAX_IDS:,}. Repeated ids count once.",
    )
    all_active: AllActiveInput | None = strawberry.field(
        default=strawberry.UNSET,
        description="All PENDING and RUNNING instances of the process, on any version.",
    )
    matching: MatchingInput | None = strawberry.field(
        default=strawberry.UNSET,
        description="The PENDING and RUNNING instances of the process that meet conditions.",
    )

    def selection(self, *, max_ids: int) -> domain.Selection:
        """The selection, of at most `max_ids` ids. Raises InvalidSelection."""
        if self.all_active:
            return all_active(self.all_active.except_ or (), fields=SELECTION_FIELDS, limit=max_ids)
        if self.matching:
            return self.matching.selection(max_ids=max_ids)
        return by_ids(self.instance_ids or (), fields=SELECTION_FIELDS, limit=max_ids)

"""Reasons why instances are skipped, findings about elements, and counts of both."""

from collections.abc import Mapping
from itertools import islice
from typing import Self

import strawberry

from uplift import domain
from uplift.domain import compatibility
from uplift.domain.bounded_cache import BoundedCache
from uplift.graphql_api.types.connections import page_of
from uplift.graphql_api.types.enums import FindingCode, ReasonCode, Severity


@strawberry.type(description="What the comparison of two versions found at an element.")
class Finding:
    severity: Severity = strawberry.field(description="Whether the finding prevents an upgrade.")
    code: FindingCode = strawberry.field(description="The finding as a stable code.")
    source: str | None = strawberry.field(
        description="The id of the element in the source version; null for NO_MODEL."
    )
    target: str | None = strawberry.field(
        description="The id of its counterpart in the target version, or null if it has none."
    )
    name: str | None = strawberry.field(description="The name of the element, or null if it has none.")
    message: str = strawberry.field(description="The finding as a sentence for operators.")

    @classmethod
    def from_domain(cls, finding: compatibility.Finding) -> Self:
        return cls(
            severity=finding.severity,
            code=finding.code,
            source=finding.source,
            target=finding.target,
            name=finding.name,
            message=finding.message,
        )


@strawberry.type(description="One reason why an instance is skipped.")
class SkipReason:
    code: ReasonCode = strawberry.field(description="The reason as a stable code.")
    message: str = strawberry.field(description="The reason as a sentence for operators.")
    findings: list[Finding] = strawberry.field(
        description="The findings that make the position INCOMPATIBLE; empty for all other reasons."
    )

    @classmethod
    def from_domain(cls, reason: domain.SkipReason) -> Self:
        return cls(
            code=reason.code,
            message=reason.message,
            findings=list(map(Finding.from_domain, reason.findings)),
        )


def reasons_from_domain(reasons: tuple[domain.SkipReason, ...]) -> list[SkipReason]:
    """The reasons of one outcome or decision.

    Cached, because a page of 1,000 outcomes repeats a few of these tuples.
    """
    found = _REASONS.get(reasons)
    if found is None:
        found = list(map(SkipReason.from_domain, reasons))
        _REASONS.put(reasons, found, sum(map(_size_of, reasons), start=200))
    return found


def _size_of(reason: domain.SkipReason) -> int:
    """About how much memory a cached reason takes, in bytes."""
    return 300 + 2 * len(reason.message) + sum(400 + 2 * len(found.message) for found in reason.findings)


_REASONS = BoundedCache[tuple[domain.SkipReason, ...], list[SkipReason]](4 * 2**20)


@strawberry.type(description="The number of instances that are skipped for one reason.")
class ReasonCount:
    code: ReasonCode = strawberry.field(description="The reason.")
    count: int = strawberry.field(
        description="The number of instances with this reason, alone or among others; never 0."
    )

    @classmethod
    def from_domain(cls, counts: Mapping[domain.ReasonCode, int]) -> list[Self]:
        return [cls(code=code, count=count) for code, count in counts.items()]


@strawberry.type(description="The number of instances with findings of one code.")
class FindingCount:
    severity: Severity = strawberry.field(description="Whether these findings prevent an upgrade.")
    code: FindingCode = strawberry.field(description="The code of the findings.")
    count: int = strawberry.field(description="The number of instances with such a finding; never 0.")

    @classmethod
    def from_domain(cls, counts: Mapping[compatibility.Code, int]) -> list[Self]:
        return [cls(severity=code.severity, code=code, count=count) for code, count in counts.items()]


@strawberry.type(description="The number of skipped instances that wait at one element.")
class ElementCount:
    element_id: str = strawberry.field(description="The id of the element in the version of the instances.")
    count: int = strawberry.field(
        description="The number of skipped instances that wait at it, alone or among others; never 0."
    )

    @classmethod
    def from_domain(cls, counts: Mapping[domain.ElementId, int], first: int | None) -> list[Self]:
        """The elements with the largest counts. Raises InvalidInput for `first`."""
        limit = page_of(first, None).first
        return [cls(element_id=element, count=count) for element, count in islice(counts.items(), limit)]

"""Reasons why instances are skipped, findings about elements, and counts of both."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Self

import strawberry

from uplift import domain
from uplift.domain import compatibility
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


@lru_cache(maxsize=1_024)
def reasons_from_domain(reasons: tuple[domain.SkipReason, ...]) -> list[SkipReason]:
    """The reasons of one outcome or decision.

    Cached, because a page of 1,000 outcomes repeats a few of these tuples.
    """
    return list(map(SkipReason.from_domain, reasons))


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

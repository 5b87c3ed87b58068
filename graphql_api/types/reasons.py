"""What does a client see of why instances are skipped, and of what else there is to know about them?"""

from collections.abc import Iterable, Mapping
from functools import lru_cache

import strawberry

from uplift import domain
from uplift.domain import compatibility
from uplift.graphql_api.types.enums import FindingCode, ReasonCode, Severity


@strawberry.type(description="One thing to know about an element when instances go to another version.")
class Finding:
    severity: Severity = strawberry.field(description="Whether it stands in the way of an upgrade.")
    code: FindingCode = strawberry.field(description="What it says as a stable code.")
    source: str | None = strawberry.field(
        description="The id of the element in the version that instances come from; null for NO_MODEL."
    )
    target: str | None = strawberry.field(
        description="The id of its counterpart in the target version, where there is one."
    )
    name: str | None = strawberry.field(description="The name of the element, if it has one.")
    message: str = strawberry.field(description="What it says as a sentence for an operator.")


@strawberry.type(description="One reason why an instance is skipped.")
class SkipReason:
    code: ReasonCode = strawberry.field(description="The reason as a stable code.")
    message: str = strawberry.field(description="The reason as a sentence for an operator.")
    findings: list[Finding] = strawberry.field(
        description="What makes the position INCOMPATIBLE; empty for all other reasons."
    )


@strawberry.type(description="How many instances are skipped for one reason.")
class ReasonCount:
    code: ReasonCode = strawberry.field(description="The reason.")
    count: int = strawberry.field(
        description="How many instances have this reason, alone or among others; never 0."
    )


@strawberry.type(description="How many instances one kind of finding concerns.")
class FindingCount:
    severity: Severity = strawberry.field(description="Whether it stands in the way of an upgrade.")
    code: FindingCode = strawberry.field(description="The kind of finding.")
    count: int = strawberry.field(description="How many instances have such a finding; never 0.")


@lru_cache(maxsize=1_024)
def show_reasons(reasons: tuple[domain.SkipReason, ...]) -> list[SkipReason]:
    """Reasons as a client sees them; kept, because a page of outcomes repeats a few by the hundred."""
    return [
        SkipReason(
            code=ReasonCode(reason.code),
            message=reason.message,
            findings=show_findings(reason.findings),
        )
        for reason in reasons
    ]


def show_findings(findings: Iterable[compatibility.Finding]) -> list[Finding]:
    """Findings as a client sees them."""
    return [
        Finding(
            severity=Severity(finding.severity),
            code=FindingCode(finding.code),
            source=finding.source,
            target=finding.target,
            name=finding.name,
            message=finding.message,
        )
        for finding in findings
    ]


def show_reason_counts(counts: Mapping[domain.ReasonCode, int]) -> list[ReasonCount]:
    """How many instances are skipped for each reason as a client sees it."""
    return [ReasonCount(code=ReasonCode(code), count=count) for code, count in counts.items()]


def show_finding_counts(counts: Mapping[compatibility.Code, int]) -> list[FindingCount]:
    """How many instances each kind of finding concerns as a client sees it."""
    return [
        FindingCount(severity=Severity(code.severity), code=FindingCode(code), count=count)
        for code, count in counts.items()
    ]

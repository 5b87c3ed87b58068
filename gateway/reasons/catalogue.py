"""Lists all codes with their advice, in the groups of docs/reference/reasons.md."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from uplift.domain.compatibility import Code, Severity
from uplift.domain.errors import ErrorCode
from uplift.gateway.reasons.advice import Advice
from uplift.gateway.reasons.engines import FAULTS
from uplift.gateway.reasons.findings import FINDINGS
from uplift.gateway.reasons.instances import REASONS
from uplift.gateway.reasons.refusals import REFUSALS
from uplift.gateway.reasons.requests import GRAPHQL, HTTP, REST
from uplift.graphql_api.types.user_errors import USER_ERRORS
from uplift.web.error_status import STATUS_OF

USER_ERROR_CODES = frozenset(error.code for error in USER_ERRORS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The codes of one kind. `kind` names one of them in a sentence, `text` is Markdown below the title.

    `facts` returns what the code itself says of a member, by the title of a column.
    """

    title: str
    kind: str
    text: str
    advice: Sequence[tuple[StrEnum, Advice]]
    facts: Callable[[StrEnum], Mapping[str, str]] = lambda _: {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What is known of a code."""

    kind: str
    advice: Advice


def _findings(severity: Severity) -> tuple[tuple[StrEnum, Advice], ...]:
    return tuple((code, FINDINGS[code]) for code in Code if code.severity is severity)


def _where(code: StrEnum) -> Mapping[str, str]:
    """How the APIs report an error of the domain."""
    place = "`userErrors`" if code in USER_ERROR_CODES else "`errors`"
    return {"HTTP status": str(STATUS_OF[ErrorCode(code)]), "In GraphQL": place}


GROUPS: tuple[Group, ...] = (
    Group(
        title="Why an instance is skipped",
        kind="a reason to skip an instance",
        text="In `reasons` of outcomes and plans, also on the REST path. The [rules](rules.md#the-instance) "
        "decide, or a [linked engine](engines.md#moves) answers.",
        advice=tuple(REASONS.items()),
    ),
    Group(
        title="Errors of the comparison",
        kind="an error of the comparison, which makes a position INCOMPATIBLE",
        text="In the findings of `INCOMPATIBLE`, of plans and of `uplift diff`. An error at an element stops "
        "the instances that wait there, and no others. [Rules](rules.md#the-pair) has the exact condition of "
        "each code, [compatibility](compatibility.md) says what is compared.",
        advice=_findings(Severity.ERROR),
    ),
    Group(
        title="Warnings of the comparison",
        kind="a warning, which stops no upgrade",
        text="Warnings never stop an upgrade.",
        advice=_findings(Severity.WARNING),
    ),
    Group(
        title="Why a request is refused",
        kind="the code of a refused request",
        text="A refused request has changed nothing. The REST path answers with the status and the `code`. "
        "The command line prints the message, and exits with code 1. [GraphQL](graphql.md#errors) reports "
        "the code in `userErrors` of a mutation or a plan, or else in `extensions.code` of `errors`. Queries "
        "and subscriptions report all codes in `errors`.",
        advice=tuple(REFUSALS.items()),
        facts=_where,
    ),
    Group(
        title="Why a request is not read",
        kind="the code of a request that is not read",
        text="Both APIs refuse these requests before a rule looks at them. "
        "[Limits](../how-to/operate.md#limits) and [connections](connections.md) have the bounds.",
        advice=tuple(HTTP.items()),
    ),
    Group(
        title="GraphQL only",
        kind="a code of GraphQL",
        text="In `extensions.code`. The operation has not run.",
        advice=tuple(GRAPHQL.items()),
    ),
    Group(
        title="REST path only",
        kind="a code of the REST path",
        text="In `code` of the [REST path](rest.md#when-a-request-is-refused).",
        advice=tuple(REST.items()),
    ),
    Group(
        title="Why a linked engine does not answer",
        kind="a fault of a linked engine",
        text="In the log, and as `result` of the metric `uplift_engine_requests_total`. `uplift links list` "
        "shows the sentence. [Engines](engines.md#time-and-size) says which answer counts as which fault.",
        advice=tuple(FAULTS.items()),
    ),
)


def explain(code: str) -> Explanation | None:
    """What is known of a code; None if Uplift reports no such code."""
    for group in GROUPS:
        for member, advice in group.advice:
            if member == code:
                return Explanation(kind=group.kind, advice=advice)
    return None

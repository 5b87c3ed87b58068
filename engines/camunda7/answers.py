"""Reads the errors with which Camunda 7 refuses a migration, and finds the instance that is to blame.

The codes and texts are those of camunda-engine 7.24 and Operaton 1.0 (MigrationLogger). They name one
instance for each request, the first that does not fit.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from uplift.domain.ports.process_engine import EngineFault, EngineInstanceId, Refusal
from uplift.engines.client import Reply
from uplift.engines.refusals import elsewhere, gone, refused
from uplift.engines.transport import plain

NO_INSTANCE = "ENGINE-23003"
"""There is no such instance."""
DOES_NOT_FIT = "ENGINE-23004"
"""The instance is at an activity that the plan does not map, or cannot move for another reason."""
_OF_THE_PLAN = re.compile(r"ENGINE-23(?!00[234])\d{3} ")
"""All errors of migrations but those of an instance."""
_NAMED = re.compile(r"(ENGINE-2300[23]) Process instance '(.*)' cannot be migrated", re.DOTALL)
"""NO_INSTANCE, or 23002 for one that is not on the source version of the plan."""
_NOT_MAPPED = "There is no migration instruction"


@dataclass(frozen=True, slots=True, kw_only=True)
class Culprit:
    """The instance for which a request was refused."""

    id: EngineInstanceId
    refusal: Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRefused:
    """The engine refuses the plan itself, and so every instance."""

    refusal: Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Unexplained:
    """An error of the engine that names neither an instance nor the plan, as for a conflict of writers."""

    message: str


def blame(reply: Reply, ids: Collection[EngineInstanceId]) -> Culprit | PlanRefused | Unexplained | None:
    """What an error in reply to a request with these instances means; None if it is no answer to it."""
    error = _error(reply)
    message = error.get("message")
    if not isinstance(message, str):
        return Unexplained(message=reply.message) if reply.status >= 500 and error else None
    if found := _NAMED.match(message):
        instance_id = EngineInstanceId(found[2])
        if instance_id in ids:
            return Culprit(id=instance_id, refusal=_named(found[1], reply.message))
    report = error.get("validationReport")
    if isinstance(report, dict) and report.get("processInstanceId") in ids:
        return Culprit(
            id=EngineInstanceId(report["processInstanceId"]), refusal=_unfit(report, reply.message)
        )
    if is_of_the_plan(reply):
        return PlanRefused(refusal=refused(reply.message))
    return Unexplained(message=reply.message) if reply.status >= 500 else None


def is_of_the_plan(reply: Reply) -> bool:
    """Whether an error refuses a migration plan."""
    return reply.status == 400 and _OF_THE_PLAN.match(reply.message) is not None


def _named(code: str, message: str) -> Refusal:
    return gone(message) if code == NO_INSTANCE else elsewhere(message)


def _unfit(report: dict[str, Any], message: str) -> Refusal:
    failures = list(_failures(report))
    text = plain("; ".join(failures)) if failures else message
    if any(_NOT_MAPPED in failure for failure in failures):
        return elsewhere(f"{DOES_NOT_FIT} {text}")
    return refused(f"{DOES_NOT_FIT} {text}")


def _failures(report: dict[str, Any]) -> Iterator[str]:
    """The failures of an instance, each with the activity that it concerns."""
    yield from _texts(report.get("failures"))
    for name in ("activityInstanceValidationReports", "transitionInstanceValidationReports"):
        part = report.get(name)
        for entry in part if isinstance(part, list) else ():
            if isinstance(entry, dict):
                for failure in _texts(entry.get("failures")):
                    yield f"'{entry.get('sourceScopeId')}': {failure}"


def _texts(value: object) -> Iterator[str]:
    return (text for text in (value if isinstance(value, list) else ()) if isinstance(text, str))


def _error(reply: Reply) -> dict[str, Any]:
    try:
        error = reply.json()
    except EngineFault:
        return {}
    return error if isinstance(error, dict) else {}

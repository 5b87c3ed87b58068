"""Reads what Camunda 7's dry run says against a migration plan."""

from collections.abc import Iterator, Mapping
from typing import Any

from uplift.domain.model.instance import ElementId
from uplift.domain.ports.process_engine import Objection
from uplift.engines.camunda7.answers import is_of_the_plan
from uplift.engines.camunda7.plans import activity
from uplift.engines.client import Reply
from uplift.engines.replies import object_of
from uplift.engines.transport import plain


def objections_in(reply: Reply) -> tuple[Objection, ...]:
    """The objections in a reply, each once. An error that refuses the whole plan has no element."""
    if is_of_the_plan(reply):
        return (Objection(source=None, message=reply.message),)
    return tuple(dict.fromkeys(_objections(reply, object_of(reply))))


def _objections(reply: Reply, report: Mapping[str, Any]) -> Iterator[Objection]:
    entries = report.get("instructionReports")
    if not isinstance(entries, list):
        raise reply.unexpected("it has no list as 'instructionReports'")
    for entry in entries:
        try:
            source = _source(entry["instruction"])
            failures = [plain(failure) for failure in entry["failures"]]
        except (KeyError, IndexError, TypeError):
            raise reply.unexpected("a report of an instruction has not the form of one") from None
        yield from (Objection(source=source, message=failure) for failure in failures)


def _source(instruction: Mapping[str, Any]) -> ElementId:
    return activity(instruction["sourceActivityIds"][0])

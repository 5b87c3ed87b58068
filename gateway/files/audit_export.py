"""Exports the audit of upgrades, one record for each outcome."""

import csv
import json
import re
from collections.abc import AsyncIterator
from datetime import datetime
from enum import StrEnum
from typing import Any, TextIO

from uplift.domain.model.paging import MAX_PAGE_SIZE, Page, PageRequest
from uplift.domain.model.process import ProcessKey
from uplift.domain.model.upgrade import Outcome, Upgrade
from uplift.domain.ports import OutcomeFilter, Store


class AuditFormat(StrEnum):
    """The file formats of the audit."""

    JSONL = "jsonl"
    CSV = "csv"


FORMULA = re.compile("(?:^|(?<=[;,\t\r\n|]))(?=[=+@\t\r\n\uff1d\uff0b\uff0d\uff20-])")
"""Where a formula would begin in a spreadsheet: at the beginning of a cell, or after what may separate cells.

The characters are those of https://owasp.org/www-community/attacks/CSV_Injection, full-width ones included.
"""

COLUMNS = (
    "upgrade",
    "process",
    "selection",
    "requestedBy",
    "reason",
    "startedAt",
    "finishedAt",
    "instance",
    "outcome",
    "fromVersion",
    "toVersion",
    "fromPosition",
    "toPosition",
    "reasons",
)


async def export_audit(
    store: Store, out: TextIO, file_format: AuditFormat, process: ProcessKey | None = None
) -> int:
    """Write a record for each outcome, newest upgrade first. Returns the number of records.

    In CSV, the elements of a position and the reasons are separated by spaces, and a text that a spreadsheet
    would take for a formula has an apostrophe before it.
    """
    written = 0
    rows = csv.writer(out, quoting=csv.QUOTE_ALL)
    if file_format is AuditFormat.CSV:
        rows.writerow(COLUMNS)
    async for upgrade, outcome in _outcomes(store, process):
        record = _record(upgrade, outcome)
        if file_format is AuditFormat.CSV:
            rows.writerow([cell_of(record[column]) for column in COLUMNS])
        else:
            out.write(json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n")
        written += 1
    return written


async def _outcomes(store: Store, process: ProcessKey | None) -> AsyncIterator[tuple[Upgrade, Outcome]]:
    async for upgrade in _upgrades(store, process):
        after: int | None = None
        while True:
            request = PageRequest(first=MAX_PAGE_SIZE, after=after)
            page = (await store.upgrades.outcome_pages([upgrade.id], OutcomeFilter(), request))[upgrade.id]
            for outcome in page.items:
                yield upgrade, outcome
            if not page.has_next:
                break
            after = page.sort_keys[-1]


async def _upgrades(store: Store, process: ProcessKey | None) -> AsyncIterator[Upgrade]:
    after: int | None = None
    while True:
        page: Page[Upgrade] = await store.upgrades.page(
            process, PageRequest(first=MAX_PAGE_SIZE, after=after)
        )
        for upgrade in page.items:
            yield upgrade
        if not page.has_next:
            break
        after = page.sort_keys[-1]


def _record(upgrade: Upgrade, outcome: Outcome) -> dict[str, Any]:
    return {
        "upgrade": str(upgrade.id),
        "process": str(upgrade.process),
        "selection": upgrade.selection,
        "requestedBy": upgrade.requested_by,
        "reason": upgrade.reason,
        "startedAt": _time(upgrade.started_at),
        "finishedAt": _time(upgrade.finished_at),
        "instance": str(outcome.instance),
        "outcome": outcome.kind,
        "fromVersion": outcome.from_version,
        "toVersion": outcome.to_version,
        "fromPosition": None if outcome.from_position is None else sorted(outcome.from_position),
        "toPosition": None if outcome.to_position is None else sorted(outcome.to_position),
        "reasons": [reason.code for reason in outcome.reasons],
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def cell_of(value: Any) -> Any:
    """The cell of a value in CSV."""
    text = " ".join(value) if isinstance(value, list) else value
    return FORMULA.sub("'", text) if isinstance(text, str) else text

"""Reads mappings from JSON files.

`uplift diff` reads the whole mapping between two documents, {"<source>": "<target>", …}. `uplift upgrade`
reads instructions by source version, {"<version>": {"<source>": "<target>", …}, …}.
"""

import json
from pathlib import Path
from typing import Any

from uplift.domain.errors import InvalidInput
from uplift.domain.model.instance import ElementId
from uplift.domain.model.mapping import MappingInstruction, VersionMapping
from uplift.domain.model.process import VersionNumber
from uplift.gateway.files.regular_files import open_regular
from uplift.web.json_limits import unreadable_reason

Pairs = list[tuple[str, Any]]
MAX_SHOWN = 100


def read_pairs(file: Path) -> list[tuple[str, str]]:
    """The pairs of a whole mapping. Raises InvalidInput, OSError."""
    return _pairs(_read(file), file)


def read_version_mappings(file: Path) -> tuple[VersionMapping, ...]:
    """The instructions by source version. Raises InvalidInput, OSError."""
    return tuple(_version_mapping(version, pairs, file) for version, pairs in _object(_read(file), file))


def _version_mapping(version: str, pairs: Any, file: Path) -> VersionMapping:
    if not (version.isascii() and version.isdecimal()):
        raise InvalidInput(
            f"Expected {file} to name source versions by number, but it names {_shown(version)}."
        )
    return VersionMapping(
        from_version=VersionNumber(int(version)),
        instructions=tuple(
            MappingInstruction(source=ElementId(source), target=ElementId(target))
            for source, target in _pairs(pairs, file)
        ),
    )


def _pairs(value: Any, file: Path) -> list[tuple[str, str]]:
    pairs, sources = _object(value, file), set[str]()
    for source, target in pairs:
        if not (isinstance(target, str) and source.isprintable() and target.isprintable()):
            raise InvalidInput(
                f"Expected {file} to map element ids to element ids, "
                f"but it maps {_shown(source)} to {_shown(target)}."
            )
        if source in sources:
            raise InvalidInput(
                f"Expected {file} to map each element once, but it maps {_shown(source)} twice."
            )
        sources.add(source)
    return pairs


def _object(value: Any, file: Path) -> Pairs:
    if not isinstance(value, _Object):
        raise InvalidInput(f"Expected {file} to hold a JSON object here, but found {_shown(value)}.")
    return list(value)


def _shown(value: Any) -> str:
    """A value of the file in at most about one line."""
    text = ascii(dict(value) if isinstance(value, _Object) else value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"


class _Object(list[tuple[str, Any]]):
    """A JSON object with all its members, repeated names included."""


def _read(file: Path) -> Any:
    with open_regular(file) as opened:
        content = opened.read()
    try:
        return json.loads(content, object_pairs_hook=_Object)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"Expected {file} to be JSON, but: {unreadable_reason(error)}.") from error

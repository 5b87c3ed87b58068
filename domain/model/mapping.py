"""Which elements does the caller of an upgrade map by hand, and may they be mapped so?"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from uplift.domain.compatibility import Finding
from uplift.domain.errors import ErrorCode, InvalidInput, UpliftError
from uplift.domain.model.instance import ElementId
from uplift.domain.model.process import VersionNumber

MAX_INSTRUCTIONS = 10_000
"""Most mapping instructions of one request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingInstruction:
    """An instance that waits at `source` shall wait at `target`; overrides the generated pair of `source`."""

    source: ElementId
    target: ElementId


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionMapping:
    """The instructions for the instances of one version."""

    from_version: VersionNumber
    instructions: tuple[MappingInstruction, ...]


class InvalidMapping(UpliftError):
    """Mapping instructions that break rules; `findings` has every broken rule (rules.md#the-pair)."""

    code = ErrorCode.INVALID_MAPPING

    def __init__(
        self, *, from_version: VersionNumber, findings: Sequence[Finding], field: tuple[str, ...]
    ) -> None:
        said = " ".join(finding.message for finding in findings)
        super().__init__(f"Expected a valid mapping from version {from_version}, but: {said}", field=field)
        self.from_version = from_version
        self.findings = tuple(findings)


def require_valid_mappings(mappings: Sequence[VersionMapping]) -> None:
    """Raise InvalidInput for a version that is mapped twice, and for too many instructions."""
    seen: set[VersionNumber] = set()
    for index, mapping in enumerate(mappings):
        if mapping.from_version in seen:
            raise InvalidInput(
                f"Expected to map each version once, but version {mapping.from_version} is mapped twice.",
                field=("mappings", str(index), "from_version"),
            )
        seen.add(mapping.from_version)
    count = sum(len(mapping.instructions) for mapping in mappings)
    if count > MAX_INSTRUCTIONS:
        raise InvalidInput(
            f"Expected at most {MAX_INSTRUCTIONS:,} mapping instructions, but got {count:,}.",
            field=("mappings",),
        )


def broken_by(mapping: VersionMapping, findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Those of a comparison's error findings that speak of an instruction."""
    instructed = {instruction.source for instruction in mapping.instructions}
    return tuple(finding for finding in findings if finding.source in instructed)

"""Mapping instructions, by which the caller of an upgrade overrides the generated mapping."""

from collections.abc import Sequence
from dataclasses import dataclass

from uplift.domain.compatibility import Finding, joined_messages
from uplift.domain.errors import ErrorCode, InvalidInput, UpliftError
from uplift.domain.model.instance import ElementId
from uplift.domain.model.process import VersionNumber

MAX_INSTRUCTIONS = 10_000
"""Mapping instructions that one request may carry, over all versions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingInstruction:
    """Maps the element `source` to the element `target`, in place of the generated pair of `source`."""

    source: ElementId
    target: ElementId


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionMapping:
    """The mapping instructions for the instances of one version."""

    from_version: VersionNumber
    instructions: tuple[MappingInstruction, ...]


class InvalidMapping(UpliftError):
    """Mapping instructions that break rules; `findings` has every broken rule (rules.md#the-pair)."""

    code = ErrorCode.INVALID_MAPPING

    def __init__(
        self, *, from_version: VersionNumber, findings: Sequence[Finding], field: tuple[str, ...]
    ) -> None:
        super().__init__(
            f"Expected a valid mapping from version {from_version}, but: {joined_messages(findings)}",
            field=field,
        )
        self.from_version = from_version
        self.findings = tuple(findings)


def require_valid_mappings(mappings: Sequence[VersionMapping]) -> None:
    """Raise InvalidInput for a version or a source that is mapped twice, and for too many instructions."""
    _require_few(sum(len(mapping.instructions) for mapping in mappings), ("mappings",))
    seen: set[VersionNumber] = set()
    for index, mapping in enumerate(mappings):
        if mapping.from_version in seen:
            raise InvalidInput(
                f"Expected to map each version once, but version {mapping.from_version} is mapped twice.",
                field=("mappings", str(index), "from_version"),
            )
        seen.add(mapping.from_version)
        _require_each_source_once(mapping, ("mappings", str(index), "instructions"))


def require_valid_instructions(mapping: VersionMapping) -> None:
    """Raise InvalidInput for a source that is mapped twice, and for too many instructions."""
    _require_few(len(mapping.instructions), ("instructions",))
    _require_each_source_once(mapping, ("instructions",))


def _require_few(count: int, field: tuple[str, ...]) -> None:
    if count > MAX_INSTRUCTIONS:
        raise InvalidInput(
            f"Expected at most {MAX_INSTRUCTIONS:,} mapping instructions, but got {count:,}.", field=field
        )


def _require_each_source_once(mapping: VersionMapping, field: tuple[str, ...]) -> None:
    seen: set[ElementId] = set()
    for index, instruction in enumerate(mapping.instructions):
        if instruction.source in seen:
            raise InvalidInput(
                f"Expected to map each element once, but the instructions for version {mapping.from_version} "
                f"map '{instruction.source[:100]}' twice.",
                field=(*field, str(index), "source"),
            )
        seen.add(instruction.source)

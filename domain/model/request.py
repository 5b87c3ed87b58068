"""The requests that lead to an upgrade: to upgrade instances, to retry an upgrade, and to undo one.

Both APIs and the command line build one of these values, and the use cases `request_upgrade`,
`request_retry` and `request_undo` store them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import ClassVar

from uplift.domain.model.decision import ReasonCode
from uplift.domain.model.mapping import VersionMapping
from uplift.domain.model.process import ProcessKey
from uplift.domain.model.selection import Retry, Selection, Undo, UpgradeId


@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradeRequest:
    """Upgrade the selected instances of a process to its latest published version.

    `mappings` override the generated mapping. With the `fingerprint` of a plan, the upgrade is refused if it
    would not do what the plan says. `reason` is kept for the audit. A request that is repeated with the same
    `idempotency_key` returns the upgrade of the first one.
    """

    process: ProcessKey
    selection: Selection
    mappings: tuple[VersionMapping, ...] = ()
    fingerprint: str | None = None
    reason: str | None = None
    idempotency_key: str | None = None

    def digest(self) -> bytes:
        """16 bytes that differ from those of any other request; the idempotency key is not part of it."""
        conditions = self.selection.conditions
        return _digest(
            self.selection.kind.value,
            self.process.namespace,
            self.process.code,
            [str(instance_id) for instance_id in self.selection.named_ids],
            _plain(self.mappings),
            self.fingerprint,
            self.reason,
            *(() if conditions is None else (conditions.plain(),)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRequest:
    """Upgrade the instances that an earlier upgrade skipped for one of `reasons`.

    The mappings of the earlier upgrade do not apply; see UpgradeRequest for the other fields.
    """

    upgrade_id: UpgradeId
    reasons: frozenset[ReasonCode]
    mappings: tuple[VersionMapping, ...] = ()
    reason: str | None = None
    idempotency_key: str | None = None

    @property
    def selection(self) -> Retry:
        """The instances to upgrade."""
        return Retry(of=self.upgrade_id, reasons=self.reasons)

    def digest(self) -> bytes:
        """See UpgradeRequest.digest."""
        return _digest(
            self.selection.kind.value,
            str(self.upgrade_id),
            sorted(code.value for code in self.reasons),
            _plain(self.mappings),
            self.reason,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoRequest:
    """Move the instances of an earlier upgrade back to the version and position that they had before it.

    Instances that have moved on since then are skipped. See UpgradeRequest for the other fields.
    """

    mappings: ClassVar[tuple[VersionMapping, ...]] = ()
    """An undo follows the recorded outcomes, so it takes no mappings."""

    upgrade_id: UpgradeId
    reason: str | None = None
    idempotency_key: str | None = None

    @property
    def selection(self) -> Undo:
        """The instances to move back."""
        return Undo(of=self.upgrade_id)

    def digest(self) -> bytes:
        """See UpgradeRequest.digest."""
        return _digest(self.selection.kind.value, str(self.upgrade_id), self.reason)


Request = UpgradeRequest | RetryRequest | UndoRequest


def _digest(*parts: object) -> bytes:
    # Plain values only: the text of a set, or of a class that is renamed, would differ in another program.
    return blake2b(repr(parts).encode(), digest_size=16).digest()


def _plain(mappings: Sequence[VersionMapping]) -> list[tuple[int, list[tuple[str, str]]]]:
    return [
        (
            mapping.from_version,
            [(instruction.source, instruction.target) for instruction in mapping.instructions],
        )
        for mapping in mappings
    ]

"""The digest of a request differs from that of every other request, and is the same in every program."""

from dataclasses import replace
from itertools import combinations
from uuid import UUID

import pytest

from uplift.domain import (
    ReasonCode,
    RetryRequest,
    SelectionKind,
    UndoRequest,
    UpgradeId,
    UpgradeRequest,
    VersionMapping,
    VersionNumber,
    all_active,
    by_ids,
)
from uplift.domain.model.request import Request
from uplift.testing.builders import INVOICES, ORDERS, an_id, an_instruction

ONE, TWO = UpgradeId(UUID(int=1)), UpgradeId(UUID(int=2))
MAPPING = VersionMapping(from_version=VersionNumber(1), instructions=(an_instruction("a", "b"),))
UPGRADE = UpgradeRequest(process=ORDERS, selection=all_active())
RETRY = RetryRequest(upgrade_id=ONE, reasons=frozenset({ReasonCode.NOT_PENDING}))
UNDO = UndoRequest(upgrade_id=ONE)

DIFFERENT: list[Request] = [
    UPGRADE,
    replace(UPGRADE, process=INVOICES),
    replace(UPGRADE, selection=all_active([an_id(1)])),
    replace(UPGRADE, selection=by_ids([an_id(1)])),
    replace(UPGRADE, selection=by_ids([an_id(1), an_id(2)])),
    replace(UPGRADE, mappings=(MAPPING,)),
    replace(UPGRADE, mappings=(replace(MAPPING, from_version=VersionNumber(2)),)),
    replace(UPGRADE, mappings=(replace(MAPPING, instructions=(an_instruction("a", "c"),)),)),
    replace(UPGRADE, fingerprint="why"),
    replace(UPGRADE, reason="why"),
    replace(UPGRADE, reason=""),
    RETRY,
    replace(RETRY, upgrade_id=TWO),
    replace(RETRY, reasons=frozenset({ReasonCode.NOT_PENDING, ReasonCode.INCOMPATIBLE})),
    replace(RETRY, mappings=(MAPPING,)),
    replace(RETRY, reason="why"),
    UNDO,
    replace(UNDO, upgrade_id=TWO),
    replace(UNDO, reason="why"),
]


def test_different_requests_have_different_digests() -> None:
    for first, second in combinations(DIFFERENT, 2):
        assert first.digest() != second.digest(), (first, second)


@pytest.mark.parametrize("request_", [UPGRADE, RETRY, UNDO], ids=["upgrade", "retry", "undo"])
def test_the_key_is_no_part_of_the_digest(request_: Request) -> None:
    assert replace(request_, idempotency_key="key").digest() == request_.digest()


def test_the_digest_is_the_same_in_every_program_and_release() -> None:
    reasons = frozenset({ReasonCode.INCOMPATIBLE, ReasonCode.NOT_PENDING, ReasonCode.ALREADY_LATEST})
    retry = replace(RETRY, reasons=reasons, mappings=(MAPPING,), reason="why")
    assert [request_.digest().hex() for request_ in (UPGRADE, retry, UNDO)] == [
        "f5922c33aa3a66141777ba092c4fa269",
        "385bddfb834538abebc47f6af619025f",
        "fb62a25748b86372f8d5adbcd2465537",
    ]


def test_a_request_knows_what_it_selects() -> None:
    assert (RETRY.selection.of, RETRY.selection.reasons) == (ONE, RETRY.reasons)
    assert (RETRY.selection.kind, UNDO.selection.kind) == (SelectionKind.RETRY, SelectionKind.UNDO)
    assert (UNDO.selection.of, UNDO.selection.reasons, UNDO.mappings) == (ONE, frozenset(), ())

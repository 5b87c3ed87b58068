"""The comparer in process caches what more than one request needs, within a limit in bytes."""

import gc
import tracemalloc
from collections.abc import Callable

import pytest

from tests.support.large_documents import (
    Versions,
    boundary_events,
    deep_tasks,
    document,
    event_subprocesses,
    ladder,
    removed_chain,
)
from uplift.domain.bpmn import read_model
from uplift.domain.compatibility import Comparison, compare
from uplift.domain.model.instance import ElementId, Position
from uplift.domain.model.process import VersionModel
from uplift.domain.rules import comparer as module
from uplift.domain.rules.comparer import InProcessComparer, Instructions, comparison_bytes

OLD, NEW = (VersionModel(document=text, process_id="p") for text in removed_chain(10))
OLDER, NEWER = (VersionModel(document=text, process_id="p") for text in ladder(10))
GONE = frozenset([ElementId("t0")])
MAPPED: Instructions = ((ElementId("t0"), ElementId("t9")),)


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[Comparison]:
    """Every comparison that is made, rather than found in a cache."""
    made: list[Comparison] = []

    def noted(*models: object, **options: object) -> Comparison:
        made.append(compare(*models, **options))  # type: ignore[arg-type]  # passed on as they are
        return made[-1]

    monkeypatch.setattr(module, "compare", noted)
    return made


def test_a_comparison_without_instructions_is_made_once(compared: list[Comparison]) -> None:
    comparer = InProcessComparer()
    for positions in ([], [GONE], [GONE, Position()]):
        assert set(comparer.migration_at_hand(OLD, NEW, (), positions).positions) == set(positions)
    comparer.differences_now(OLD, NEW)
    assert len(compared) == 1


def test_a_comparison_with_instructions_is_not_kept(compared: list[Comparison]) -> None:
    comparer = InProcessComparer()
    for _ in range(2):
        comparer.migration_at_hand(OLD, NEW, MAPPED, [GONE])
    assert len(compared) == 2


def test_a_comparison_beyond_the_limit_is_not_kept(compared: list[Comparison]) -> None:
    size = comparison_bytes(compare(read_model(OLD.document), read_model(NEW.document)))
    for limit, made in ((size, 1), (size - 1, 2)):
        compared.clear()
        comparer = InProcessComparer(max_cached_bytes=limit)
        for _ in range(2):
            comparer.migration_at_hand(OLD, NEW, (), [])
        assert len(compared) == made


def test_the_oldest_comparisons_make_room(compared: list[Comparison]) -> None:
    sizes = [
        comparison_bytes(compare(read_model(source.document), read_model(target.document)))
        for source, target in ((OLD, NEW), (OLDER, NEWER))
    ]
    comparer = InProcessComparer(max_cached_bytes=max(sizes))
    for source, target in ((OLD, NEW), (OLDER, NEWER), (OLD, NEW)):
        comparer.migration_at_hand(source, target, (), [])
    assert len(compared) == 3


@pytest.mark.parametrize(
    "shape",
    [deep_tasks, removed_chain, boundary_events, event_subprocesses],
    ids=lambda shape: shape.__name__,
)
def test_the_size_of_a_comparison_is_about_the_memory_that_it_takes(shape: Callable[[int], Versions]) -> None:
    old, new = shape(150)
    assert compare(*map(read_model, (document(), document())))  # imports and caches
    gc.collect()
    tracemalloc.start()
    try:
        comparison = compare(read_model(old), read_model(new))
        gc.collect()
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken / 2 < comparison_bytes(comparison) < 4 * taken

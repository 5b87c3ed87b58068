"""Times the comparison of two versions, for growing numbers of elements.

Run by hand: `python -m bench.compare_models`. Prints the best of several runs for each size and how much
slower it is than the size before; with linear growth, twice the elements take twice the time.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from time import perf_counter

from uplift.domain.bpmn import Element, ElementKind, Flow, ProcessModel, Trigger, TriggerKind, build_model
from uplift.domain.compatibility import Comparison, breaking_positions, compare, migrate_position

SIZES = (250, 500, 1_000, 2_000)
RUNS = 9
COHORTS = 500
BLOCK = 10
"""Elements of one block: a subprocess with four inside, three tasks, a boundary event and a gateway."""


def a_model(size: int, *, changed: bool) -> ProcessModel:
    """A chain of blocks, `size` elements in all; with `changed`, every fifth block has other tasks."""
    elements = [
        element for block in range(size // BLOCK) for element in _block(block, changed and block % 5 == 0)
    ]
    flows = [*_chain(elements, in_process=True), *_chain(elements, in_process=False)]
    incoming = {flow.target: flow.id for flow in flows}
    outgoing = {flow.source: flow.id for flow in flows}
    return build_model(
        process="process",
        elements=[
            replace(
                element,
                incoming=tuple(filter(None, [incoming.get(element.id)])),
                outgoing=tuple(filter(None, [outgoing.get(element.id)])),
            )
            for element in elements
        ],
        flows=flows,
    )


def _block(block: int, changed: bool) -> Iterator[Element]:
    scope = f"scope{block}"
    yield Element(id=scope, kind=ElementKind.SUB_PROCESS)
    yield Element(id=f"start{block}", kind=ElementKind.START_EVENT, scope=scope)
    yield Element(id=f"check{block}", kind=ElementKind.USER_TASK, scope=scope)
    other = ElementKind.SERVICE_TASK if changed else ElementKind.USER_TASK
    yield Element(id=f"approve{block}", kind=other, scope=scope, name="Approve")
    yield Element(id=f"join{block}", kind=ElementKind.PARALLEL_GATEWAY, scope=scope)
    yield Element(id=f"pay{block}", kind=ElementKind.USER_TASK, name="Pay now" if changed else "Pay")
    yield Element(id=f"book{block}", kind=ElementKind.SERVICE_TASK)
    yield Element(id=f"send{block}", kind=ElementKind.SEND_TASK)
    late = Trigger(kind=TriggerKind.TIMER, detail="timeDuration P1D")
    yield Element(id=f"late{block}", kind=ElementKind.BOUNDARY_EVENT, host=f"pay{block}", trigger=late)
    yield Element(id=f"way{block}", kind=ElementKind.EXCLUSIVE_GATEWAY)


def _chain(elements: Iterable[Element], *, in_process: bool) -> Iterator[Flow]:
    """Flows from each element to the next of the same scope."""
    before: Element | None = None
    for element in elements:
        if element.host is not None or (element.scope is None) is not in_process:
            continue
        if before is not None and before.scope == element.scope:
            yield Flow(id=f"{before.id}_{element.id}", source=before.id, target=element.id)
        before = element


def _best(source: ProcessModel, target: ProcessModel) -> tuple[float, Comparison]:
    times = []
    for _ in range(RUNS):
        begun = perf_counter()
        comparison = compare(source, target)
        times.append(perf_counter() - begun)
    return min(times), comparison


def _migrate_all(comparison: Comparison) -> float:
    elements = sorted(comparison.source.elements)
    positions = [frozenset({elements[cohort * 7 % len(elements)]}) for cohort in range(COHORTS)]
    begun = perf_counter()
    for position in positions:
        migrate_position(comparison, position)
    return perf_counter() - begun


def main() -> None:
    """Print one line per size."""
    before: float | None = None
    for size in SIZES:
        seconds, comparison = _best(a_model(size, changed=False), a_model(size, changed=True))
        ratio = "" if before is None else f", {seconds / before:.2f} times the size before"
        print(
            f"{size:5} elements: compare {seconds * 1000:6.1f} ms{ratio}; "
            f"migrate {COHORTS} cohorts {_migrate_all(comparison) * 1000:.1f} ms; "
            f"{len(comparison.mapping)} pairs, {len(comparison.findings)} findings, "
            f"{len(breaking_positions(comparison))} breaking positions"
        )
        before = seconds


if __name__ == "__main__":
    main()

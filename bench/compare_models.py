"""Times what `uplift diff` does, for growing numbers of elements, without and with extensions of vendors.

Run by hand: `python -m bench.compare_models`. For each size it prints the processor time of the best of
several runs, of reading both documents and of comparing them, and how many times longer both take than for
the size before: with linear growth as many times as there are more elements.
"""

import gc
from collections.abc import Callable, Iterator
from itertools import pairwise
from time import thread_time
from typing import TypeVar

from uplift.domain.bpmn import DocumentLimits, read_model
from uplift.domain.compatibility import Comparison, breaking_positions, compare, migrate_position

SIZES = (250, 500, 1_000, 2_000, 5_000, 10_000, 20_000)
RUNS = 9
COHORTS = 500
BLOCK = 10
"""Elements of one block: a subprocess with four inside, three tasks, a boundary event and a gateway."""
LIMITS = DocumentLimits(max_bytes=10**9, max_tags=10**7)
"""No limits: the default ones allow about 10,000 elements."""
BPMN = "http://www.omg.org/spec/BPMN/20100524/MODEL"
CAMUNDA = "http://camunda.org/schema/1.0/bpmn"
Result = TypeVar("Result")


def a_document(size: int, *, changed: bool, extended: bool) -> bytes:
    """A chain of blocks, `size` elements in all; with `changed`, every fifth block has other tasks."""
    blocks = "\n".join(
        "\n".join(_block(block, changed=changed and block % 5 == 0, extended=extended))
        for block in range(size // BLOCK)
    )
    return (
        f'<definitions xmlns="{BPMN}" xmlns:camunda="{CAMUNDA}">'
        f'<process id="process" isExecutable="true">\n{blocks}\n</process></definitions>'
    ).encode()


def _block(block: int, *, changed: bool, extended: bool) -> Iterator[str]:
    version = 2 if changed else 1
    form, implementation, marker = "", "", ""
    if extended:
        form = f'camunda:formRef="form{version}" camunda:formRefBinding="deployment"'
        implementation = f'camunda:type="external" camunda:topic="topic{version}"'
        marker = 'camunda:asyncBefore="true"'
    fields = (
        "<extensionElements><camunda:formData>"
        + "".join(f'<camunda:formField id="field{field}" type="string"/>' for field in range(5))
        + "</camunda:formData></extensionElements>"
    )
    other = "serviceTask" if changed else "userTask"
    yield f'<subProcess id="scope{block}" {marker}>'
    yield f'<startEvent id="start{block}"/>'
    yield f'<userTask id="check{block}" {form}>{fields if extended else ""}</userTask>'
    yield f'<{other} id="approve{block}" name="Approve"/>'
    yield f'<parallelGateway id="join{block}"/>'
    yield from _flows("start", "check", "approve", "join", block=block)
    yield "</subProcess>"
    yield f'<userTask id="pay{block}" name="{"Pay now" if changed else "Pay"}"/>'
    yield f'<serviceTask id="book{block}" {implementation}/>'
    yield f'<sendTask id="send{block}" {implementation}/>'
    yield f'<boundaryEvent id="late{block}" attachedToRef="pay{block}"><timerEventDefinition>'
    yield "<timeDuration>P1D</timeDuration></timerEventDefinition></boundaryEvent>"
    yield f'<exclusiveGateway id="way{block}" {marker}/>'
    yield from _flows("scope", "pay", "book", "send", "way", block=block)
    if block:
        yield f'<sequenceFlow id="into{block}" sourceRef="way{block - 1}" targetRef="scope{block}"/>'


def _flows(*elements: str, block: int) -> Iterator[str]:
    for source, target in pairwise(elements):
        ends = f'sourceRef="{source}{block}" targetRef="{target}{block}"'
        yield f'<sequenceFlow id="{source}_{target}{block}" {ends}/>'


def _best(work: Callable[[], Result]) -> tuple[float, Result]:
    times = []
    for _ in range(RUNS):
        begun = thread_time()
        result = work()
        times.append(thread_time() - begun)
    return min(times), result


def _migrate_all(comparison: Comparison) -> None:
    elements = sorted(comparison.source.elements)
    for cohort in range(COHORTS):
        migrate_position(comparison, frozenset({elements[cohort * 7 % len(elements)]}))


def _measure(size: int, before: tuple[int, float] | None, *, extended: bool) -> tuple[int, float]:
    documents = [a_document(size, changed=changed, extended=extended) for changed in (False, True)]
    reading, models = _best(lambda: [read_model(document, limits=LIMITS) for document in documents])
    comparing, comparison = _best(lambda: compare(*models))
    migrating, _ = _best(lambda: _migrate_all(comparison))
    whole = reading + comparing
    growth = (
        "" if before is None else f" ({whole / before[1]:.1f} times for {size / before[0]:.1f} times more)"
    )
    print(
        f"{size:6,} elements: {whole * 1000:7.1f} ms{growth}: read both {reading * 1000:.1f} ms, "
        f"compare {comparing * 1000:.1f} ms; migrate {COHORTS} cohorts {migrating * 1000:.1f} ms; "
        f"{len(comparison.mapping):,} pairs, {len(comparison.findings):,} findings, "
        f"{len(breaking_positions(comparison)):,} breaking positions"
    )
    return size, whole


def main() -> None:
    """Print one line per size."""
    gc.disable()  # as `uplift diff` and the program that compares for a gateway do
    for extended in (False, True):
        print("with extensions" if extended else "without extensions")
        before = None
        for size in SIZES:
            before = _measure(size, before, extended=extended)


if __name__ == "__main__":
    main()

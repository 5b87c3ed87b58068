"""Times what `uplift diff` does, for growing numbers of elements, without and with extensions of vendors.

For each size it prints the processor time of reading both documents and of comparing them. With linear growth
an element of the largest costs as much as one of a smaller one. The sizes take turns.
Run: python -m bench.compare_models [largest] [rounds]
"""

import gc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from time import thread_time
from typing import TypeVar

from bench.figures.alone import run_alone
from bench.figures.figure import Bench, Figure, at_most, compared, single
from uplift.domain.bpmn import DocumentLimits, read_model
from uplift.domain.compatibility import Comparison, breaking_positions, compare, migrate_position

SIZES = (250, 500, 1_000, 2_000, 5_000, 10_000, 20_000)
JUDGED = 1_000
"""Elements of the models that the targets are about."""
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


def _seconds_of(work: Callable[[], Result]) -> tuple[float, Result]:
    """The processor time of one call, and what it returned."""
    begun = thread_time()
    result = work()
    return thread_time() - begun, result


def _migrate_all(comparison: Comparison) -> None:
    elements = sorted(comparison.source.elements)
    for cohort in range(COHORTS):
        migrate_position(comparison, frozenset({elements[cohort * 7 % len(elements)]}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Milliseconds of processor time for two documents of one size."""

    size: int
    reading: float
    comparing: float

    @property
    def each(self) -> float:
        """Microseconds for each element."""
        return (self.reading + self.comparing) / self.size * 1_000


def _timed(size: int, *, extended: bool) -> Times:
    documents = [a_document(size, changed=changed, extended=extended) for changed in (False, True)]
    reading, models = _seconds_of(lambda: [read_model(document, limits=LIMITS) for document in documents])
    comparing, comparison = _seconds_of(lambda: compare(*models))
    migrating, _ = _seconds_of(lambda: _migrate_all(comparison))
    print(
        f"{size:6,} elements: read both {reading * 1000:.1f} ms, compare {comparing * 1000:.1f} ms; "
        f"migrate {COHORTS} cohorts {migrating * 1000:.1f} ms; {len(comparison.mapping):,} pairs, "
        f"{len(comparison.findings):,} findings, {len(breaking_positions(comparison)):,} breaking positions"
    )
    return Times(size=size, reading=reading * 1000, comparing=comparing * 1000)


def measure(largest: int, rounds: int) -> list[Figure]:
    gc.disable()  # as `uplift diff` and the program that compares for a gateway do
    figures = []
    for kind in ("without extensions", "with extensions"):
        print(kind)
        extended = kind == "with extensions"
        sizes = [size for size in SIZES if size <= max(largest, JUDGED)]
        times = [{size: _timed(size, extended=extended) for size in sizes} for _ in range(rounds)]
        judged, largest_times = ([by_size[size] for by_size in times] for size in (JUDGED, sizes[-1]))
        figures += [
            single(f"comparing {kind}", [time.comparing for time in judged], unit="ms", target=COMPARING),
            single(f"reading both {kind}", [time.reading for time in judged], unit="ms"),
            compared(
                f"an element of {sizes[-1]:,} {kind}",
                [time.each for time in largest_times],
                [time.each for time in judged],
                unit="µs",
                beside=f"one of {JUDGED:,}",
                target=LINEAR,
            ),
        ]
    return figures


COMPARING = at_most(f"comparing two models of {JUDGED:,} elements", 50, "ms")
LINEAR = at_most("an element of the largest model beside one of 1,000 (linear)", 2)
BENCH = Bench(
    compares=(
        f"two models of {JUDGED:,} elements, and documents of 250 to 20,000 without and with extensions, "
        "in processor time"
    ),
    sizes={"largest": (20_000, 1_000), "rounds": (3, 1)},
    targets=(COMPARING, LINEAR),
    measure=measure,
)

if __name__ == "__main__":
    run_alone(BENCH)

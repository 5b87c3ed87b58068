"""Builds large BPMN documents of the shapes that are slowest to read and to compare.

Each function takes the number of repetitions and returns the documents of an old and a new version.
"""

from collections.abc import Callable, Iterable

from tests.support.bpmn_builder import BPMN

Versions = tuple[bytes, bytes]

CAMUNDA = "http://camunda.org/schema/1.0/bpmn"

_TIMER = "<timerEventDefinition><timeDuration>P1D</timeDuration></timerEventDefinition>"
_MESSAGE = "<messageEventDefinition/>"
_COMPENSATION = "<compensateEventDefinition/>"
_LINK = '<linkEventDefinition name="link"/>'
DEPTH = 190
"""Subprocesses inside each other: nearly as many as the default limit allows."""


def document(*parts: str, definitions: str = "") -> bytes:
    """A document of one process with this content."""
    process = f'<process id="p" isExecutable="true">{"".join(parts)}</process>'
    return f'<definitions xmlns="{BPMN}">{definitions}{process}</definitions>'.encode()


def _times(count: int, part: Callable[[int], str]) -> str:
    return "".join(map(part, range(count)))


def _tasks(numbers: Iterable[int]) -> str:
    return "".join(f'<userTask id="t{number}"/>' for number in numbers)


def _flow(source: str, target: str) -> str:
    return f'<sequenceFlow id="{source}_{target}" sourceRef="{source}" targetRef="{target}"/>'


def _chain(count: int) -> str:
    return _times(count - 1, lambda number: _flow(f"t{number}", f"t{number + 1}"))


def deep_tasks(count: int) -> Versions:
    """Tasks inside of DEPTH subprocesses."""
    scopes = _times(DEPTH, lambda number: f'<subProcess id="s{number}">')
    same = document(scopes, _tasks(range(count)), "</subProcess>" * DEPTH)
    return same, same


def removed_chain(count: int) -> Versions:
    """A chain of tasks whose first half is gone."""
    return (
        document(_tasks(range(count)), _chain(count)),
        document(_tasks(range(count // 2, count))),
    )


def ladder(count: int) -> Versions:
    """A chain of tasks with flows in both directions, of which every other task is gone."""
    back = _times(count - 1, lambda number: _flow(f"t{number + 1}", f"t{number}"))
    return (
        document(_tasks(range(count)), _chain(count), back),
        document(_tasks(range(0, count, 2))),
    )


def parallel_flows(count: int) -> Versions:
    """Flows between one pair of gateways, half of them without an id."""
    gateways = '<parallelGateway id="a"/><parallelGateway id="b"/>'
    flows = _times(count // 2, lambda number: f'<sequenceFlow id="f{number}" sourceRef="a" targetRef="b"/>')
    same = document(gateways, flows, '<sequenceFlow sourceRef="a" targetRef="b"/>' * (count // 2))
    return same, same


def wide_fan(count: int) -> Versions:
    """Tasks between a forking and a joining gateway, which is gone."""
    ends = _times(count, lambda number: _flow("a", f"t{number}") + _flow(f"t{number}", "b"))
    return (
        document('<parallelGateway id="a"/><parallelGateway id="b"/>', _tasks(range(count)), ends),
        document(_tasks(range(count))),
    )


def boundary_events(count: int) -> Versions:
    """Boundary events of one task that are replaced by others."""

    def events(name: str) -> str:
        return _times(
            count,
            lambda number: f'<boundaryEvent id="{name}{number}" attachedToRef="u">{_TIMER}</boundaryEvent>',
        )

    task = '<userTask id="u"/>'
    return document(task, events("old")), document(task, events("new"))


def event_definitions(count: int) -> Versions:
    """An event with many definitions, and events that share the definition of a message with a long name."""
    long = f'<message id="m" name="{"x" * 1_000}"/><messageEventDefinition id="d" messageRef="m"/>'
    many = f'<startEvent id="s">{"<messageEventDefinition/>" * count}</startEvent>'
    shared = _times(
        count,
        lambda number: (
            f'<intermediateCatchEvent id="c{number}"><eventDefinitionRef>d</eventDefinitionRef>'
            "</intermediateCatchEvent>"
        ),
    )
    return (
        document(many, shared, definitions=long),
        document(many, shared, definitions=long.replace('name="x', 'name="y')),
    )


def associations(count: int) -> Versions:
    """Compensation events that all trigger one handler, each by two associations."""
    handler = '<userTask id="u"/><userTask id="h" isForCompensation="true"/>'
    events = _times(
        count,
        lambda number: (
            f'<boundaryEvent id="b{number}" attachedToRef="u">{_COMPENSATION}</boundaryEvent>'
            + f'<association sourceRef="b{number}" targetRef="h"/>' * 2
        ),
    )
    same = document(handler, events)
    return same, same


def event_subprocesses(count: int) -> Versions:
    """An event subprocess with many start events that are gone, and many without an id."""
    starts = _times(count, lambda number: f'<startEvent id="s{number}">{_MESSAGE}</startEvent>')
    nameless = f'<subProcess triggeredByEvent="true"><startEvent>{_TIMER}</startEvent></subProcess>' * count
    return (
        document(f'<subProcess id="e" triggeredByEvent="true">{starts}<task id="t"/></subProcess>', nameless),
        document('<subProcess id="e" triggeredByEvent="true"><task id="t"/></subProcess>', nameless),
    )


def long_ids(count: int) -> Versions:
    """Tasks that leave a subprocess whose id and name are as long as they are many."""
    scope, tasks = f'id="{"x" * 100 * count}" name="{"y" * 100 * count}"', _tasks(range(count))
    return document(f"<subProcess {scope}>{tasks}</subProcess>"), document(f"<task {scope}/>{tasks}")


def extensions(count: int) -> Versions:
    """Tasks with forms of several fields and long scripts, all of which change."""
    fields = '<c:formField id="a" type="long"/>' * 5

    def tasks(version: int) -> str:
        return _times(
            count,
            lambda number: (
                f'<scriptTask id="t{number}" xmlns:c="{CAMUNDA}" c:asyncBefore="true" c:formKey="f{version}">'
                f"<extensionElements><c:formData>{fields}</c:formData></extensionElements>"
                f"<script>{'x' * 1_000}{version}</script></scriptTask>"
            ),
        )

    return document(tasks(1)), document(tasks(2))


def lost_compensation(count: int) -> Versions:
    """Compensated tasks whose events are gone, on the branches of forks that end apart, and links."""
    forks = _times(
        count,
        lambda number: (
            f'<parallelGateway id="f{number}"/><userTask id="h{number}" isForCompensation="true"/>'
            f'<boundaryEvent id="b{number}" attachedToRef="t{number}">{_COMPENSATION}</boundaryEvent>'
            f'<association id="a{number}" sourceRef="b{number}" targetRef="h{number}"/>'
            f'<intermediateThrowEvent id="x{number}">{_COMPENSATION}</intermediateThrowEvent>'
            f'<intermediateThrowEvent id="l{number}">{_LINK}</intermediateThrowEvent>'
            f'<intermediateCatchEvent id="c{number}">{_LINK}</intermediateCatchEvent>'
            + _flow(f"f{number}", f"t{number}")
            + _flow(f"f{number}", f"f{number + 1}")
            + _flow(f"f{number}", f"x{number}")
        ),
    )
    end = f'<parallelGateway id="f{count}"/>'
    return document(_tasks(range(count)), forks, end), document(_tasks(range(count)))


SHAPES = (
    extensions,
    deep_tasks,
    removed_chain,
    ladder,
    parallel_flows,
    wide_fan,
    boundary_events,
    event_definitions,
    associations,
    event_subprocesses,
    long_ids,
    lost_compensation,
)

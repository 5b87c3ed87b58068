"""Chooses one of the processes of a BPMN document."""

from collections.abc import Sequence

from uplift.domain.bpmn.nodes import find_contents, has_flow_nodes
from uplift.domain.bpmn.tree import Node, quoted
from uplift.domain.errors import InvalidModel

_MAX_LISTED = 10
"""The most processes that a message lists."""


def choose_process(root: Node, process_id: str | None, preferred_id: str | None) -> Node:
    """Return the process with `process_id`, or without one the only process that fits best.

    That is the one with `preferred_id`, or else the only process, the only one that is executable, the only
    one with elements, or the only one that does not say that it is not executable. Camunda 7 and Flowable
    run the last one. All processes must have an id. Raises InvalidModel, with the processes to choose from,
    if there is no such process.
    """
    processes = list(root.children_named("process"))
    if not processes:
        raise InvalidModel("Expected a process in the BPMN document, but it has none.", line=root.line)
    if process_id is not None:
        return _process_with_id(processes, process_id)
    for candidates in (
        [process for process in processes if process.id == preferred_id],
        processes,
        [process for process in processes if process.is_true("isExecutable")],
        [process for process in processes if has_flow_nodes(process)],
        [process for process in processes if process.is_true("isExecutable", default=True)],
    ):
        if len(candidates) == 1:
            return candidates[0]
    raise InvalidModel(
        "Expected one process in the BPMN document, or only one that is executable or has elements, but it "
        f"has several: {_listed(processes)}. Choose one of them by its id.",
        line=processes[0].line,
        field=("process_id",),
    )


def _process_with_id(processes: Sequence[Node], process_id: str) -> Node:
    for process in processes:
        if process.id == process_id:
            return process
    raise InvalidModel(
        f"Expected a process with the id {quoted(process_id)} in the BPMN document, "
        f"but it has: {_listed(processes)}.",
        line=processes[0].line,
        field=("process_id",),
    )


def _listed(processes: Sequence[Node]) -> str:
    shown = sorted(processes, key=lambda process: str(process.id))[:_MAX_LISTED]
    others = len(processes) - len(shown)
    return ", ".join(map(_described, shown)) + (f" and {others:,} more" if others else "")


def _described(process: Node) -> str:
    name = process.attributes.get("name")
    elements = len(find_contents(process).flow_nodes)
    facts = (
        *([] if not name else [quoted(name)]),
        "executable" if process.is_true("isExecutable") else "not executable",
        f"{elements:,} element{'' if elements == 1 else 's'}" if elements else "no elements",
    )
    return f"{quoted(str(process.id))} ({', '.join(facts)})"

"""BPMN documents that the contract of an adapter deploys.

They run on Camunda 7 and its descendants, and on Flowable.
"""

_DOCUMENT = """<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" targetNamespace="https://example.org/"
    xmlns:camunda="http://camunda.org/schema/1.0/bpmn" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <message id="message_cancel" name="cancel"/>
  <process id="{key}" name="{name}" isExecutable="true" camunda:historyTimeToLive="P1D">
{body}
  </process>
</definitions>
"""


def a_document(key: str, *body: str, name: str = "Contract") -> bytes:
    """A document with one process, of these elements and flows."""
    return _DOCUMENT.format(key=key, name=name, body="\n".join(body)).encode()


def chain(*elements: str, inside: str = "") -> str:
    """Elements in a row between a start and an end, whose ids begin with `inside`.

    An element is the id of a user task, or the whole tag of another one.
    """
    tags = [f'<startEvent id="{inside}start"/>']
    ids = [f"{inside}start"]
    for element in elements:
        tags.append(element if element.startswith("<") else f'<userTask id="{element}"/>')
        ids.append(element.partition('id="')[2].partition('"')[0] or element)
    tags.append(f'<endEvent id="{inside}end"/>')
    ids.append(f"{inside}end")
    return "\n".join((*tags, *map(flow, ids, ids[1:])))


def flow(source: str, target: str) -> str:
    """A sequence flow."""
    return f'<sequenceFlow id="from_{source}_to_{target}" sourceRef="{source}" targetRef="{target}"/>'


def tasks(key: str, *elements: str) -> bytes:
    """User tasks in a row."""
    return a_document(key, chain(*elements))


def parallel(key: str, west: str, east: str) -> bytes:
    """Two user tasks between a fork and a join."""
    tags = (
        '<startEvent id="start"/>',
        '<parallelGateway id="fork"/>',
        f'<userTask id="{west}"/>',
        f'<userTask id="{east}"/>',
        '<parallelGateway id="join"/>',
        '<endEvent id="end"/>',
    )
    flows = [
        ("start", "fork"),
        *(("fork", task) for task in (west, east)),
        *((task, "join") for task in (west, east)),
        ("join", "end"),
    ]
    return a_document(key, *tags, *(flow(source, target) for source, target in flows))


def subprocess(key: str, scope: str, *elements: str) -> bytes:
    """User tasks in a row inside a subprocess."""
    inner = chain(*elements, inside=f"{scope}_")
    return a_document(key, chain(f'<subProcess id="{scope}">{inner}</subProcess>'))


def multi_instance(key: str, element: str, *, count: int = 2) -> bytes:
    """A parallel multi-instance user task."""
    loop = (
        '<multiInstanceLoopCharacteristics isSequential="false">'
        f'<loopCardinality xsi:type="tFormalExpression">{count}</loopCardinality>'
        "</multiInstanceLoopCharacteristics>"
    )
    return a_document(key, chain(f'<userTask id="{element}">{loop}</userTask>'))


def with_boundary(key: str, element: str, boundary: str) -> bytes:
    """A user task with an interrupting message boundary event, which leads to the user task `after`."""
    return a_document(
        key,
        chain(element),
        f'<boundaryEvent id="{boundary}" attachedToRef="{element}">'
        '<messageEventDefinition messageRef="message_cancel"/></boundaryEvent>',
        '<userTask id="after"/><endEvent id="cancelled"/>',
        flow(boundary, "after"),
        flow("after", "cancelled"),
    )

"""Finds where the link events of a process lead to."""

from uplift.domain.bpmn.model import ElementKind, ProcessModel, TriggerKind


def link_targets(model: ProcessModel) -> dict[str, str]:
    """The link catch events by the link throw events of the same name and scope that lead to them.

    A link has one catch event. If a document has several of one name, the first by id counts.
    """
    links = [
        (element, (element.scope, element.trigger.detail))
        for element in model.elements.values()
        if element.trigger is not None and element.trigger.kind is TriggerKind.LINK
    ]
    catches: dict[tuple[str | None, str | None], str] = {}
    for element, name in links:
        if element.kind is ElementKind.INTERMEDIATE_CATCH_EVENT:
            catches[name] = min(element.id, catches.get(name, element.id))
    return {
        element.id: catches[name]
        for element, name in links
        if element.kind is ElementKind.INTERMEDIATE_THROW_EVENT and name in catches
    }

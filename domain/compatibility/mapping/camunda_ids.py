"""Reads the ids that Camunda 7 gives to the parts of a multi-instance activity.

The body of the activity is `<id>#multiInstanceBody`. The activity inside it, which runs once for each
instance, is `<id>#innerInstance` or `<id>` itself.
"""

from uplift.domain.bpmn.model import ProcessModel

_BODY = "#multiInstanceBody"
_INNER = "#innerInstance"


def is_body(element_id: str) -> bool:
    """Whether the id names the body of a multi-instance activity."""
    return element_id.endswith(_BODY)


def without_part(element_id: str) -> str:
    """The id of the activity, for the id of the activity or of a part of it."""
    return element_id.removesuffix(_BODY).removesuffix(_INNER)


def exists(element_id: str, model: ProcessModel) -> bool:
    """Whether the model has an element of this id. Only multi-instance activities have parts."""
    activity = model.elements.get(without_part(element_id))
    return activity is not None and (activity.id == element_id or activity.multi_instance is not None)


def with_part_of(element_id: str, model: ProcessModel, source_id: str) -> str:
    """The id of the part of an activity that corresponds to the part of another one that `source_id` names.

    An activity that is not multi-instance has no parts.
    """
    if model.elements[element_id].multi_instance is None:
        return element_id
    return element_id + source_id.removeprefix(without_part(source_id))

"""The JSON of `uplift diff --json` has the documented form."""

import json

from tests.support.process_shapes import nested, with_boundary
from uplift.domain.compatibility import compare
from uplift.gateway.cli.commands.diff import comparison_json


def test_prints_mapping_and_findings_in_the_documented_form() -> None:
    source = with_boundary(message="M").user_task("gone", name="Sign")
    target = with_boundary(message="N")

    form = comparison_json(compare(source.model(), target.model()))

    assert json.loads(json.dumps(form)) == {
        "mapping": {"event": "event", "task": "task"},
        "findings": [
            {
                "severity": "error",
                "code": "ELEMENT_MISSING",
                "source": "gone",
                "target": None,
                "message": "Expected user task 'gone' (Sign) to exist in the target version, "
                "but it has no element of this id.",
            },
            {
                "severity": "warning",
                "code": "EVENT_DEFINITION_CHANGED",
                "source": "event",
                "target": "event",
                "message": "Boundary event 'event' waits for message 'N' in the target version, "
                "but 'M' stays armed unless the event trigger is updated.",
            },
        ],
    }


def test_lists_the_mapping_in_the_order_of_the_ids() -> None:
    model = nested("z", "m", "a").model()

    assert list(comparison_json(compare(model, model))["mapping"]) == ["a", "m", "task", "z"]

"""Which data form does a comparison have for pipelines?"""

import json

from tests.support.process_shapes import nested, with_boundary
from tests.support.project import DOCS
from uplift.domain.compatibility import Code, compare


def test_prints_mapping_and_findings_in_the_documented_form() -> None:
    source = with_boundary(message="M").user_task("gone", name="Sign")
    target = with_boundary(message="N")

    form = compare(source.model(), target.model()).to_json()

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
                "message": "boundary event 'event' waits for message 'N' in the target version, "
                "but 'M' stays armed unless the event trigger is updated.",
            },
        ],
    }


def test_lists_the_mapping_in_the_order_of_the_ids() -> None:
    model = nested("z", "m", "a").model()

    assert list(compare(model, model).to_json()["mapping"]) == ["a", "m", "task", "z"]


def test_keeps_the_codes_of_findings_stable() -> None:
    assert [code.value for code in Code] == [
        "ELEMENT_MISSING",
        "MAPPED_TWICE",
        "TYPE_CHANGED",
        "EVENT_TYPE_CHANGED",
        "SCOPE_CHANGED",
        "HOST_CHANGED",
        "TARGET_TAKEN",
        "MULTI_INSTANCE_ADDED",
        "MULTI_INSTANCE_CHANGED",
        "MULTI_INSTANCE_SPLIT",
        "GATEWAY_NARROWED",
        "CALLED_PROCESS_CHANGED",
        "NOT_A_WAIT_STATE",
        "COMPENSATION_HANDLER",
        "NAME_CHANGED",
        "NEW_BOUNDARY_EVENT",
        "LISTENER_REMOVED",
        "EVENT_DEFINITION_CHANGED",
        "PATH_BEHIND_CHANGED",
        "FORM_CHANGED",
        "NO_MODEL",
    ]


def test_explains_every_code_to_operators() -> None:
    explained = (DOCS / "reference" / "compatibility.md").read_text(encoding="utf-8")

    assert [code for code in Code if f"| `{code}` |" not in explained] == []

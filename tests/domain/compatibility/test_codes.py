"""The codes of findings are stable."""

from uplift.domain.compatibility import Code


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
        "COMPENSATION_LOST",
        "NAME_CHANGED",
        "NEW_BOUNDARY_EVENT",
        "LISTENER_REMOVED",
        "LISTENERS_MERGED",
        "LISTENER_MULTIPLIED",
        "EVENT_DEFINITION_CHANGED",
        "PATH_BEHIND_CHANGED",
        "FORM_CHANGED",
        "IMPLEMENTATION_CHANGED",
        "WAIT_REMOVED",
        "NO_MODEL",
        "ENGINE_OBJECTS",
        "ENGINE_NOT_ASKED",
    ]

"""The migration of positions between the documents of two versions."""

from tests.support.process_shapes import one_task
from uplift.domain.model.instance import ElementId
from uplift.domain.model.process import VersionModel
from uplift.domain.rules.comparer import InProcessComparer


def test_finds_the_fault_of_an_instruction_that_names_an_inner_activity() -> None:
    source = one_task(many="parallel").xml()
    target = one_task("other", kind="serviceTask", many="parallel").xml()
    instructions = ((ElementId("task#innerInstance"), ElementId("other")),)

    migration = InProcessComparer().migration_at_hand(
        VersionModel(document=source, process_id="process"),
        VersionModel(document=target, process_id="process"),
        instructions,
        (),
    )

    assert [finding.code.value for finding in migration.broken] == ["TYPE_CHANGED"]

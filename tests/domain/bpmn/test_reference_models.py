"""All processes in the reference models of the BPMN Model Interchange Working Group can be read.

They are not part of this repository: set BPMN_REFERENCE_MODELS to a folder that has them, or keep them in
`shared/data/bpmn-miwg-reference` beside the repository.
"""

import os
import re
from collections import Counter
from pathlib import Path
from random import Random
from xml.etree.ElementTree import tostring

import pytest
from defusedxml.ElementTree import fromstring

from tests.domain.bpmn.test_document_order import shuffle
from tests.support.project import ROOT
from uplift.domain.bpmn import ElementKind, read_model
from uplift.domain.compatibility import breaking_positions, compare
from uplift.domain.errors import InvalidModel

BESIDE = ROOT.parent / "shared" / "data" / "bpmn-miwg-reference"
FOLDER = Path(os.environ.get("BPMN_REFERENCE_MODELS", BESIDE))
DOCUMENTS = sorted(FOLDER.glob("*.bpmn"))

if not DOCUMENTS:
    pytest.skip(
        "the reference models are not here; BPMN_REFERENCE_MODELS names their folder", allow_module_level=True
    )

PROCESS = re.compile(rb"<(?:[\w.-]+:)?process\s[^>]*?\bid=\"([^\"]+)\"")


EXECUTABLE = re.compile(rb"<(?:[\w.-]+:)?process\s[^>]*?\bisExecutable=\"true\"")


def process_ids(document: bytes) -> list[str]:
    return [found.decode() for found in PROCESS.findall(document)]


@pytest.mark.parametrize("path", DOCUMENTS, ids=[path.stem for path in DOCUMENTS])
def test_reads_every_process_of_a_reference_model(path: Path) -> None:
    document = path.read_bytes()
    ids = process_ids(document)

    assert ids
    for process_id in ids:
        model = read_model(document, process_id=process_id)
        assert model.id == process_id
        assert model.elements
        assert compare(model, model).findings == ()
        assert breaking_positions(compare(model, model)) == ()


@pytest.mark.parametrize("path", DOCUMENTS, ids=[path.stem for path in DOCUMENTS])
def test_lists_the_processes_of_a_reference_model_with_several_to_choose_from(path: Path) -> None:
    document = path.read_bytes()
    ids = process_ids(document)

    if len(ids) == 1 or len(EXECUTABLE.findall(document)) == 1:
        assert read_model(document).id in ids
        return
    with pytest.raises(InvalidModel) as refused:
        read_model(document)
    assert all(f"'{process_id}'" in refused.value.message for process_id in ids)


@pytest.mark.parametrize("path", DOCUMENTS, ids=[path.stem for path in DOCUMENTS])
def test_the_order_of_tags_in_a_reference_model_does_not_matter(path: Path) -> None:
    document = path.read_bytes()
    models = {process_id: read_model(document, process_id=process_id) for process_id in process_ids(document)}
    root = fromstring(document)
    for seed in range(3):
        shuffle(root, Random(seed))
        shuffled = tostring(root)
        for process_id, model in models.items():
            assert read_model(shuffled, process_id=process_id) == model
            assert compare(model, read_model(shuffled, process_id=process_id)).findings == ()


def test_reads_all_that_the_largest_reference_model_has() -> None:
    document = (FOLDER / "B.2.0.bpmn").read_bytes()
    models = [read_model(document, process_id=process_id) for process_id in process_ids(document)]
    kinds = Counter(element.kind for model in models for element in model.elements.values())

    assert sum(kinds.values()) == 94
    assert kinds[ElementKind.TASK] == 22
    assert kinds[ElementKind.BOUNDARY_EVENT] == 11
    assert kinds[ElementKind.INTERMEDIATE_CATCH_EVENT] == 6
    assert kinds[ElementKind.SUB_PROCESS] == 5
    assert kinds[ElementKind.CALL_ACTIVITY] == 3
    assert kinds[ElementKind.EVENT_BASED_GATEWAY] == 1

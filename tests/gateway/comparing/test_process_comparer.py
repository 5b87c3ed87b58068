"""Documents are read and compared in a process of its own, within limits of time and memory."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

import pytest

from tests.support.large_documents import document, removed_chain
from uplift.domain.bpmn import DocumentLimits
from uplift.domain.compatibility import Code
from uplift.domain.errors import InvalidModel, StoreUnavailable
from uplift.domain.model.instance import ElementId, Position
from uplift.domain.model.process import VersionModel
from uplift.domain.rules.comparer import IN_PROCESS, Instructions
from uplift.gateway.comparing.child import ChildError, ChooseProcess
from uplift.gateway.comparing.process_comparer import ProcessComparer, ProcessLimits

pytestmark = pytest.mark.anyio

ALWAYS = ProcessLimits(inline_bytes=0)
GONE, STAYS = (frozenset([ElementId(element)]) for element in ("t0", "t9"))
OLD, NEW = (VersionModel(document=text, process_id="p") for text in removed_chain(10))
MAPPED: Instructions = ((ElementId("t0"), ElementId("nowhere")), (ElementId("t1"), ElementId("t9")))
LARGE = document("".join(f'<userTask id="t{number}"/>' for number in range(40_000)))


@asynccontextmanager
async def comparer_with(
    limits: ProcessLimits = ALWAYS, caller: Callable[[], str | None] = lambda: None
) -> AsyncIterator[ProcessComparer]:
    comparer = ProcessComparer(DocumentLimits(), limits, caller)
    try:
        yield comparer
    finally:
        await comparer.close()


def process_of(comparer: ProcessComparer) -> int | None:
    process = comparer._process
    return None if process is None else process.pid


async def until(is_true: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not is_true():  # noqa: ASYNC110  the process ends by a timer, without an event
            await asyncio.sleep(0.01)


async def choose(comparer: ProcessComparer, text: bytes = OLD.document, **options: Any) -> str:
    return await comparer.choose_process(text, **{"process_id": None, "preferred_id": None, **options})


async def test_the_process_answers_like_the_calling_one() -> None:
    positions = [GONE, STAYS, Position()]
    async with comparer_with() as comparer:
        assert await choose(comparer) == "p"
        pid = process_of(comparer)
        assert await comparer.differences(OLD, NEW) == await IN_PROCESS.differences(OLD, NEW)
        assert await comparer.elements(OLD) == await IN_PROCESS.elements(OLD)
        for instructions in ((), MAPPED):
            differences = await comparer.differences(OLD, NEW, instructions)
            assert differences == await IN_PROCESS.differences(OLD, NEW, instructions)
            for element in ("t1", "nothing"):
                targets = await comparer.targets(OLD, NEW, ElementId(element), instructions)
                assert targets == await IN_PROCESS.targets(OLD, NEW, ElementId(element), instructions)
                assert (targets is None) == (element == "nothing")
            found = await comparer.migrate(OLD, NEW, instructions, positions)
            assert found == await IN_PROCESS.migrate(OLD, NEW, instructions, positions)
            moves = await comparer.move_instructions(OLD, NEW, instructions, STAYS)
            assert moves == await IN_PROCESS.move_instructions(OLD, NEW, instructions, STAYS) != ()
        assert {finding.code for finding in found.broken} == {Code.ELEMENT_MISSING}
        assert process_of(comparer) == pid is not None


async def test_an_error_is_that_of_the_document() -> None:
    broken = document('\n<task id="a"/><task id="a"/>')
    async with comparer_with() as comparer:
        with pytest.raises(InvalidModel, match="Expected each id once") as refused:
            await choose(comparer, broken)
        assert (refused.value.line, refused.value.element, refused.value.field) == (2, "a", ("bpmn",))
        with pytest.raises(InvalidModel) as unknown:
            await choose(comparer, process_id="nothing")
        assert unknown.value.field == ("process_id",)
        with pytest.raises(InvalidModel, match="at most 5,000,000 bytes"):
            await choose(comparer, b"x" * 5_000_001)


async def test_small_documents_start_no_process() -> None:
    async with comparer_with(ProcessLimits()) as comparer:
        assert comparer.migration_at_hand(OLD, NEW, (), [GONE]) is not None
        assert await choose(comparer) == "p"
        await comparer.differences(OLD, NEW)
        assert process_of(comparer) is None


async def test_many_instructions_are_not_followed_in_the_event_loop() -> None:
    many = tuple((ElementId(f"e{number}"), ElementId("t9")) for number in range(501))
    async with comparer_with(ProcessLimits()) as comparer:
        assert comparer.migration_at_hand(OLD, NEW, many[:500], []) is not None
        assert comparer.migration_at_hand(OLD, NEW, many, []) is None
        assert len((await comparer.migrate(OLD, NEW, many, [])).broken) == 501
        assert process_of(comparer) is not None


async def test_closing_ends_a_job_at_once() -> None:
    async with comparer_with() as comparer:
        large = asyncio.create_task(choose(comparer, LARGE))
        await until(lambda: process_of(comparer) is not None)
        await comparer.close()
        with pytest.raises(StoreUnavailable, match="the program stops"):
            await large


async def test_a_result_without_instructions_is_at_hand_afterwards() -> None:
    async with comparer_with() as comparer:
        assert comparer.migration_at_hand(OLD, NEW, (), [GONE]) is None
        found = await comparer.migrate(OLD, NEW, (), [GONE])
        assert comparer.migration_at_hand(OLD, NEW, (), [GONE]) == found
        assert comparer.migration_at_hand(OLD, NEW, (), [GONE, STAYS]) is None
        assert comparer.migration_at_hand(NEW, OLD, (), [GONE]) is None


async def test_a_result_with_instructions_is_not_kept() -> None:
    async with comparer_with() as comparer:
        await comparer.migrate(OLD, NEW, MAPPED, [GONE])
        assert comparer.migration_at_hand(OLD, NEW, MAPPED, [GONE]) is None
        assert comparer.migration_at_hand(OLD, NEW, (), [GONE]) is None


async def test_results_beyond_the_limit_are_not_kept() -> None:
    async with comparer_with(replace(ALWAYS, cached_bytes=4_000)) as comparer:
        for position in (GONE, STAYS, Position()):
            await comparer.migrate(OLD, NEW, (), [position])
        assert comparer.migration_at_hand(OLD, NEW, (), [GONE]) is None


async def test_the_process_ends_when_it_is_idle() -> None:
    async with comparer_with(replace(ALWAYS, idle_seconds=0.01)) as comparer:
        assert await choose(comparer) == "p"
        await until(lambda: process_of(comparer) is None)
        assert await choose(comparer) == "p"


async def test_a_job_that_takes_too_long_ends_with_its_process() -> None:
    async with comparer_with(replace(ALWAYS, job_seconds=0.01)) as comparer:
        with pytest.raises(InvalidModel, match=r"at most 0\.01 seconds to read and compare"):
            await choose(comparer, LARGE)
        assert process_of(comparer) is None


async def test_a_job_that_takes_too_much_memory_is_refused() -> None:
    async with comparer_with(replace(ALWAYS, memory_bytes=24 * 2**20)) as comparer:
        with pytest.raises(InvalidModel, match="at most 24 MiB of memory to read and compare"):
            await choose(comparer, LARGE)
        assert await choose(comparer) == "p"


async def test_a_cancelled_job_leaves_no_answer_behind() -> None:
    async with comparer_with() as comparer:
        large = asyncio.create_task(choose(comparer, LARGE))
        await until(lambda: process_of(comparer) is not None)
        large.cancel()
        with suppress(asyncio.CancelledError):
            await large
        assert await choose(comparer, document('<task id="a"/>').replace(b'"p"', b'"q"')) == "q"


async def test_jobs_take_turns_and_only_some_wait() -> None:
    async with comparer_with(replace(ALWAYS, max_waiting=4)) as comparer:
        answers = await asyncio.gather(*(choose(comparer) for _ in range(4)), return_exceptions=True)
        assert answers[:3] == ["p", "p", "p"]  # one works, and of those that wait a caller may have half
        assert isinstance(answers[3], StoreUnavailable)
        assert await choose(comparer) == "p"


async def test_a_process_that_somebody_ends_answers_after_all() -> None:
    async with comparer_with(ALWAYS) as comparer:
        await choose(comparer)
        child = process_of(comparer)
        assert child is not None
        os.kill(child, signal.SIGSTOP)  # so that it is ended in the middle of the next job
        choosing = asyncio.create_task(choose(comparer))
        await asyncio.sleep(0.05)
        os.kill(child, signal.SIGKILL)
        assert await choosing == "p"


async def test_a_caller_does_not_wait_for_all_jobs_of_another() -> None:
    callers: ContextVar[str] = ContextVar("caller")
    answered: list[str] = []

    async def ask(caller: str) -> None:
        callers.set(caller)
        await choose(comparer)
        answered.append(caller)

    async with comparer_with(ALWAYS, callers.get) as comparer:
        await asyncio.gather(*(ask("greedy") for _ in range(6)), ask("other"))
    assert answered.index("other") == 2  # after the job that works, and the next one of greedy


async def test_an_unexpected_error_is_not_one_of_the_document(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ChooseProcess, "__reduce__", lambda _: (dict, ()))
    async with comparer_with() as comparer:
        with pytest.raises(ChildError, match="AttributeError"):
            await choose(comparer)

"""Lists of an engine are read page by page, and an engine that pages wrongly is no endless loop."""

import pytest

from uplift.domain.ports.process_engine import EngineCursor, EngineFault, EngineFaultKind, EnginePage
from uplift.domain.use_cases.links.pages import pages_of

pytestmark = pytest.mark.anyio


async def test_pages_follow_each_other_and_may_be_empty() -> None:
    pages: dict[str | None, EnginePage[int]] = {
        None: EnginePage(items=(1, 2), next=EngineCursor("a")),
        "a": EnginePage(items=(), next=EngineCursor("b")),
        "b": EnginePage(items=(), next=EngineCursor("c")),
        "c": EnginePage(items=(3,)),
    }

    async def read(after: EngineCursor | None) -> EnginePage[int]:
        return pages[after]

    assert [items async for items in pages_of(read)] == [(1, 2), (), (), (3,)]


@pytest.mark.parametrize(
    ("cursors", "message"), [(("a", "b", "c"), "one comes twice"), (("a", "a"), "one leads to itself")]
)
async def test_a_page_that_leads_nowhere_is_a_fault(cursors: tuple[str, ...], message: str) -> None:
    following = iter(cursors)
    is_same = len(set(cursors)) == len(cursors)

    async def read(after: EngineCursor | None) -> EnginePage[str]:
        items = ("first",) if is_same else (f"after {after}",)
        return EnginePage(items=items, next=EngineCursor(next(following)))

    with pytest.raises(EngineFault, match=message) as caught:
        async for _ in pages_of(read):
            pass
    assert caught.value.kind is EngineFaultKind.FAILED

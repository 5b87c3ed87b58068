"""Renders docs/reference/reasons.md.

After a change, write the page anew:

    python -m uplift.gateway.reasons.reference > docs/reference/reasons.md
"""

import sys
import textwrap
from collections.abc import Iterator

from uplift.gateway.reasons.catalogue import GROUPS, Group

WIDTH = 120

INTRODUCTION = """\
# Reasons

Every stable code that Uplift reports, what it means, and what to do about it. `uplift explain CODE` prints
the same. Programs may rely on codes. The sentences beside them are for people, and name the field and the
value. Later versions may add codes.

This page is generated from the folder `gateway/reasons`.
"""


def render_reference() -> str:
    """The page docs/reference/reasons.md."""
    return "\n".join((INTRODUCTION, *(line for group in GROUPS for line in _section(group))))


def _section(group: Group) -> Iterator[str]:
    yield f"## {group.title}\n"
    yield f"{textwrap.fill(group.text, WIDTH, break_on_hyphens=False)}\n"
    facts = [*group.facts(group.advice[0][0])]
    heads = ["Code", *facts, "What it means", "What to do"]
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    for code, advice in group.advice:
        cells = [f"`{code}`", *group.facts(code).values(), advice.means, advice.do]
        yield f"| {' | '.join(cells)} |"
    yield ""


if __name__ == "__main__":
    sys.stdout.write(render_reference())

"""The command `explain`."""

from typing import Annotated

import typer

from uplift.gateway.cli.output import show
from uplift.gateway.cli.runner import fail
from uplift.gateway.importing import uncollected


def explain_code(
    code: Annotated[str, typer.Argument(metavar="CODE", help="A code, such as INCOMPATIBLE.")],
) -> None:
    """Say what a reason, finding or error code means, and what to do about it."""
    with uncollected():
        from uplift.gateway.reasons import GROUPS, explain  # not by other commands: see `serve`
    explanation = explain(code.upper())
    if explanation is None:
        count = sum(len(group.advice) for group in GROUPS)
        fail(f"Expected one of the {count} codes of docs/reference/reasons.md, but got {code!r}.")
    means, do = explanation.advice.means, explanation.advice.do
    show(f"{code.upper()} is {explanation.kind}.\nIt means: {means}\nWhat to do: {do}")

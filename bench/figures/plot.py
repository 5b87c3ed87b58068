"""Draws how near each figure is to its target, as an SVG document.

One bar for each figure with a target. It begins at the target and shows by which factor the figure is better
(to the left) or worse (to the right), on a logarithmic axis. The plot follows the colour scheme of the
reader's system.
"""

import math
from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from bench.figures.figure import Figure, number
from bench.figures.result import Result

WIDTH, ROW, TOP, BOTTOM = 1_000, 20, 92, 16
LABELS, VALUES = 420, 170
"""Widths of the texts on both sides of the bars."""
FARTHEST = 10.0
"""Factors are drawn up to this one."""
TICKS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
HINT = "So many times better than the target (left), or worse (right), up to 10. Pale: measured under load."
STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #1f2328 }
  .title { font-size: 16px; font-weight: 600 }
  .faint { fill: #59636e }
  .end { text-anchor: end } .middle { text-anchor: middle }
  .paper { fill: #ffffff } .grid { stroke: #d1d9e0 } .target { stroke: #1f2328; stroke-width: 2 }
  .met { fill: #0a6fc2 } .missed { fill: #bc4c00 } .load { fill-opacity: 0.45; stroke-width: 1 }
  .met.load { stroke: #0a6fc2 } .missed.load { stroke: #bc4c00 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .faint { fill: #9198a1 } .paper { fill: #0d1117 }
    .grid { stroke: #3d444d } .target { stroke: #e6edf3 }
    .met { fill: #58a6ff } .missed { fill: #f0883e }
    .met.load { stroke: #58a6ff } .missed.load { stroke: #f0883e }
  }
"""


def plot(results: Sequence[Result]) -> str:
    """The SVG document."""
    return "\n".join(_lines(results)) + "\n"


def summary(results: Sequence[Result]) -> str:
    """How many figures meet their target."""
    judged = [figure.is_met for result in results for figure in result.figures if figure.target is not None]
    return f"{sum(map(bool, judged))} of {len(judged)} figures meet their target."


def described(results: Sequence[Result]) -> str:
    """What the plot shows, in words."""
    missed = [
        f"{result.bench}, {figure.what}"
        for result in results
        for figure in result.figures
        if figure.is_met is False
    ]
    return f"{summary(results)} Missed: {'; '.join(missed) or 'none'}."


def _lines(results: Sequence[Result]) -> Iterator[str]:
    shown = [(result, figure) for result in results for figure in result.figures if figure.target is not None]
    height = TOP + ROW * len(shown) + BOTTOM
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
        f'height="{height}" role="img" aria-labelledby="title desc">'
    )
    yield '<title id="title">Figures of the benchmarks beside their targets</title>'
    yield f'<desc id="desc">{escape(described(results))}</desc>'
    yield f"<style>{STYLE}</style>"
    yield f'<rect class="paper" width="{WIDTH}" height="{height}" rx="8"/>'
    yield '<text class="title" x="16" y="28">Figures beside their targets</text>'
    yield f'<text class="faint" x="16" y="48">{HINT}</text>'
    yield from _axis(TOP + ROW * len(shown))
    before = ""
    for row, (result, figure) in enumerate(shown):
        yield from _bar(TOP + ROW * row, result, figure, is_first=result.bench != before)
        before = result.bench
    yield "</svg>"


def _axis(end: int) -> Iterator[str]:
    for tick in TICKS:
        kind, factor = ("target", "target") if tick == 1 else ("grid", f"{max(tick, 1 / tick):.0f} ×")
        place = f"{_x(tick):.1f}"
        yield f'<line class="{kind}" x1="{place}" x2="{place}" y1="{TOP - 6}" y2="{end}"/>'
        yield f'<text class="faint middle" x="{place}" y="{TOP - 12}">{factor}</text>'


def _bar(y: int, result: Result, figure: Figure, *, is_first: bool) -> Iterator[str]:
    assert figure.target is not None
    part = min(max(figure.target.part_used(figure.value), 1 / FARTHEST), FARTHEST)
    start, end = sorted((_x(1), _x(part)))
    kind = ("met" if figure.is_met else "missed") + (" load" if result.is_under_load else "")
    if is_first:
        yield f'<line class="grid" x1="16" x2="{WIDTH - 16}" y1="{y}" y2="{y}"/>'
    yield f'<text class="end" x="{LABELS - 8}" y="{y + 14}">{escape(f"{result.bench}: {figure.what}")}</text>'
    width = max(end - start, 1)
    yield f'<rect class="{kind}" x="{start:.1f}" y="{y + 4}" width="{width:.1f}" height="{ROW - 8}"/>'
    yield (
        f'<text class="faint" x="{WIDTH - VALUES + 8}" y="{y + 14}">'
        f"{escape(f'{number(figure.value)}, {figure.target}')}</text>"
    )


def _x(part: float) -> float:
    """The place of a factor on the axis."""
    middle = (LABELS + WIDTH - VALUES) / 2
    return middle + (WIDTH - VALUES - LABELS) / 2 * 0.9 * math.log(part) / math.log(FARTHEST)

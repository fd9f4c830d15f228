"""The chart: one block of bars for each case that is charted, written as SVG by hand."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from .cases import Result, Row
from .report import number

__all__ = ["draw"]

_WIDTH, _LABEL, _VALUE = 760, 230, 150
_BAR, _GAP, _HEAD, _MARGIN = 16, 6, 34, 20
_OURS, _THEIRS = "#2f6fde", "#b9c0cb"
_STYLE = "text{font:12px system-ui,sans-serif;fill:#222}.h{font-weight:600}.n{fill:#667}"


def draw(results: Sequence[Result], caption: str) -> str:
    """The chart of those cases that are charted; `caption` says where and when."""
    y, blocks = _MARGIN, list[str]()
    for result in results:
        if result.case.charted:
            block, height = _block(result, y)
            blocks += block
            y += height
    blocks.append(f'<text class="n" x="{_MARGIN}" y="{y + 4}">{escape(caption)}</text>')
    height = y + _MARGIN
    size = f'width="{_WIDTH}" height="{height}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {_WIDTH} {height}">',
            f"<style>{_STYLE}</style>",
            f'<rect {size} fill="#fff"/>',
            *blocks,
            "</svg>\n",
        ]
    )


def _block(result: Result, top: int) -> tuple[list[str], int]:
    case = result.case
    rows = sorted(
        (row for row in result.rows if row.values), key=lambda row: row.value, reverse=not case.lower_is_better
    )
    longest = max((row.value for row in rows), default=1.0)
    better = "shorter is better" if case.lower_is_better else "longer is better"
    head = f'{escape(case.name)} <tspan class="n" font-weight="400">{escape(case.unit)}, {better}</tspan>'
    lines = [f'<text class="h" x="{_MARGIN}" y="{top + 12}">{head}</text>']
    for index, row in enumerate(rows):
        lines += _bar(result, row, top + 22 + index * (_BAR + _GAP), longest)
    return lines, _HEAD + len(rows) * (_BAR + _GAP)


def _bar(result: Result, row: Row, top: int, longest: float) -> list[str]:
    ours = row.peer == result.case.subject
    width = max(1.0, (_WIDTH - _LABEL - _VALUE - _MARGIN) * row.value / longest)
    ratio = "" if ours or not row.ratios else f"{result.case.subject} ÷ it: {row.ratio:.2f}"
    middle = top + _BAR - 4
    return [
        f'<text x="{_LABEL - 8}" y="{middle}" text-anchor="end">{escape(row.peer)}</text>',
        f'<rect x="{_LABEL}" y="{top}" width="{width:.1f}" height="{_BAR}" fill="{_OURS if ours else _THEIRS}"/>',
        f'<text x="{_LABEL + width + 6:.1f}" y="{middle}">{number(row.value)}'
        f'<tspan class="n" dx="8">{ratio}</tspan></text>',
    ]

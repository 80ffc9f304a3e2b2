"""How results look in notebooks: small HTML tables, every text escaped."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any


def shown_value(value: Any) -> str:
    """A value of an output, short.

    >>> shown_value(0.25), shown_value([1, 0])
    ('0.25', '[1, 0]')
    """
    return f"{value:g}" if isinstance(value, float) else str(value)


def html_table(header: Sequence[str], rows: Sequence[Sequence[str]], caption: str = "") -> str:
    """A table for `_repr_html_`.

    >>> html_table(["a"], [["<1>"]])
    '<table><thead><tr><th>a</th></tr></thead><tbody><tr><td>&lt;1&gt;</td></tr></tbody></table>'
    """

    def line(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    above = f"<caption>{html.escape(caption)}</caption>" if caption else ""
    body = "".join(line(row, "td") for row in rows)
    return f"<table>{above}<thead>{line(header, 'th')}</thead><tbody>{body}</tbody></table>"

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


def rich_table(header: Sequence[str], rows: Sequence[Sequence[str]], caption: str = "") -> Any:
    """A table for `__rich__`, which rich's `print` and consoles show; no text of it is read as markup."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, title=Text(caption) if caption else None, title_justify="left")
    for name in header:
        table.add_column(Text(name), justify="right", overflow="fold")
    for row in rows:
        table.add_row(*[Text(cell) for cell in row])
    return table


class Shown:
    """What a result shows in a notebook, and in a terminal through rich: the same table."""

    def _shown(self) -> tuple[Sequence[str], Sequence[Sequence[str]], str]:
        """Header, rows and caption."""
        raise NotImplementedError

    def _repr_html_(self) -> str:
        return html_table(*self._shown())

    def __rich__(self) -> Any:
        return rich_table(*self._shown())

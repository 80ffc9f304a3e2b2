"""How results look: tables with bars on a terminal, plain aligned text in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from itertools import islice

TERMINAL_ROWS = 32
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def bar(share: float, width: int) -> str:
    """A bar of at most `width` characters, exact to an eighth of one.

    >>> bar(0.5, 3)
    '█▌'
    """
    eighths = max(round(share * width * 8), 1 if share > 0 else 0)
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def aligned(header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] | None = None) -> str:
    """Columns of text, two blanks apart; those in `right` are right-aligned, all but the first when None.

    >>> print(aligned(["key", "n"], [["a", "1"], ["b", "23"]]))
    key   n
    a     1
    b    23
    """
    lines = [header, *rows]
    widths = [max(len(line[k]) for line in lines) for k in range(len(header))]
    on_the_right = range(1, len(header)) if right is None else right
    return "\n".join(
        "  ".join(
            text.rjust(width) if k in on_the_right else text.ljust(width)
            for k, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def print_table(
    header: Sequence[str], rows: Iterable[tuple[Sequence[str], float]], total: int, caption: str, top: int | None
) -> None:
    """A table with a bar for each row on a terminal; plain text of the same columns elsewhere.

    Args:
        header: texts; the first column is left-aligned.
        rows: texts, and the share from 0 to 1 that the bar shows; taken only as far as they are shown.
        total: how many rows there are.
        caption: said on a terminal only.
        top: how many rows to show; None shows all in a pipe and the first on a terminal.
    """
    interactive = sys.stdout.isatty()
    limit = top if top is not None else (TERMINAL_ROWS if interactive else total)
    shown = list(islice(rows, limit))
    left_out = total - len(shown)
    note = f"… {left_out:,} more row{'s' * (left_out != 1)}; --top says how many to show" if left_out else ""
    if interactive:
        texts, shares = [row for row, _ in shown], [share for _, share in shown]
        _print_rich(header, texts, shares, [line for line in (note, caption) if line])
        return
    print(aligned(header, [row for row, _ in shown]))
    if note:
        print(note, file=sys.stderr)


def _print_rich(
    header: Sequence[str], rows: Sequence[Sequence[str]], shares: Sequence[float], notes: Sequence[str]
) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for k, name in enumerate(header):
        table.add_column(Text(name), justify="left" if k == 0 else "right", overflow="fold")
    table.add_column("", no_wrap=True)
    used = sum(max([len(name), *(len(row[k]) for row in rows)]) + 3 for k, name in enumerate(header))
    width = min(40, max(8, console.width - used - 2))
    longest = max(shares, default=1.0) or 1.0
    for row, share in zip(rows, shares, strict=True):
        table.add_row(*[Text(cell) for cell in row], Text(bar(share / longest, width), style="cyan"))
    console.print(table)
    for note in notes:
        console.print(Text(note, style="dim"))

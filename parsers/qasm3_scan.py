"""One pass over an OpenQASM 3 text: where statements begin, which are flat, and what is nested too deeply.

The flat ones (a gate or a measurement on registers or their elements) are taken out, so that what is left for the
reference grammar is short; it remembers where its lines come from.
"""

from __future__ import annotations

import re

from parsers.errors import Source
from parsers.limits import Limits

_NAME = r"[A-Za-z_]\w*"
_OPERAND = rf"(?:{_NAME}(?:\s*\[\s*[0-9]+\s*\])?|\$[0-9]+)"
#: gate(parameters) operands;   or   target = measure qubit;   or   measure qubit -> target;
FLAT = re.compile(
    rf"\s*({_NAME})(?:\s*\(([^;{{}}\"@=]*)\)\s*|\s+)({_OPERAND}(?:\s*,\s*{_OPERAND})*)\s*;"
    rf"|\s*({_OPERAND})\s*=\s*measure\s+({_OPERAND})\s*;"
    rf"|\s*measure\s+({_OPERAND})\s*->\s*({_OPERAND})\s*;"
)
_FIRST = re.compile(r"\s*(#|@|pragma\b|\w+|\S)?")
_MARK = re.compile(r"[][(){};]|\"[^\"\n]*\"|'[^'\n]*'|[\"']")
_SET_BRACE = re.compile(r"(?:\bin|=)\s*\Z")
KEYWORDS = frozenset(
    "OPENQASM include defcalgrammar def cal defcal gate extern box let break continue if else end return for while in "
    "switch case default pragma input output const readonly mutable qreg qubit creg bool bit int uint float angle "
    "complex array void duration stretch gphase inv pow ctrl negctrl durationof delay reset measure barrier true false "
    "nop sizeof opaque".split()
)
#: Keywords whose statements are flat all the same.
_FLAT_WORDS = frozenset(["reset", "barrier"])
_BRACE = re.compile(r"[{}]")
_LONG = 5000  # characters; a statement of that length is not handed to the grammar when it has no end
#: What may be one long expression, and its operators: the grammar takes some 40 microseconds for each.
_EXPRESSION, _OPERATOR = re.compile(r"[^;{},]{20000,}"), re.compile(r"[-+*/%&|^<>=!~]+")
_SIGNS = re.compile(r"[-!~](?:\s*[-!~]){200}")
_PAIRS = {")": "(", "]": "[", "}": "{"}


class Rest:
    """Stretches of a text, put together, each beginning a line."""

    def __init__(self, text: str, stretches: list[tuple[int, int]]) -> None:
        self.stretches = stretches
        lines: list[str] = []
        #: Where each line starts in the whole text.
        self.starts: list[int] = []
        for start, end in stretches:
            if not text[start:end].strip():
                continue
            for line in text[start:end].split("\n"):
                if line.strip():
                    lines.append(line)
                    self.starts.append(start)
                start += len(line) + 1
        self.text = "".join(line + "\n" for line in lines)
        #: Where each line starts in `text`.
        self.own: list[int] = [0]
        for line in lines:
            self.own.append(self.own[-1] + len(line) + 1)

    def offset(self, line: int, column: int) -> int:
        """The offset in the whole text of a line, counted from 1, and a column, counted from 0."""
        if not self.starts:
            return 0
        line = min(line, len(self.starts))
        return self.starts[line - 1] + column


def scan(source: Source, limits: Limits) -> tuple[Rest, list[re.Match[str]]]:
    """The flat statements in order, and the rest of the text.

    `source` has no comments any more.

    >>> rest, flat = scan(Source("qubit q; h q;"), Limits())
    >>> rest.text, flat[0].group(1)
    ('qubit q;\\n', 'h')
    """
    text = source.text
    limit = limits.token_length
    long = None
    if max(map(len, text.split()), default=0) > limit:  # much faster than the search
        long = re.search(rf"[\w.]{{{limit + 1},}}", text)
    if long is not None:
        raise source.error(
            f"A name or number has at most {limits.token_length} characters; this one has {len(long.group())}.",
            long.start(),
        )
    signs = _SIGNS.search(text)
    if signs is not None:
        raise source.error("At most 200 signs follow one another.", signs.start())
    for piece in _EXPRESSION.finditer(text):
        operators = len(_OPERATOR.findall(text, piece.start(), piece.end()))
        if operators > limits.operators:
            raise source.error(
                f"An expression has at most {limits.operators:,} operators; this one has {operators:,}. Limits(operators=...) "
                "sets another bound.",
                piece.start() + len(piece.group()) - len(piece.group().lstrip()),
            )
    flat: list[re.Match[str]] = []
    kept: list[tuple[int, int]] = []
    at, size, copied, branches = 0, len(text), 0, 0
    match_flat, append = FLAT.match, flat.append
    while True:
        match = match_flat(text, at)
        if match is not None:
            name = match[1]
            if match[2] is not None and len(match[2]) > limits.nesting:
                _statement_end(source, match.start(2), limits, match.end(2))
            if name is None or name not in KEYWORDS or (name in _FLAT_WORDS and match[2] is None):
                append(match)
                if copied < at:
                    kept.append((copied, at))
                at = copied = match.end()
                continue
        first = _FIRST.match(text, at)
        assert first is not None
        word = first.group(1)
        if word is None:
            break
        branches = branches + 1 if word == "else" else 0
        if branches > limits.nesting:
            raise source.error(f"At most {limits.nesting} branches of one 'if' follow one another.", first.start(1))
        if word in ("cal", "defcal"):
            at = _calibration_end(source, first.start(1), limits)
            continue
        if word in ("#", "@", "pragma"):  # a line of its own, without meaning here
            start = first.start(1)
            end = text.find("\n", start)
            end = size if end < 0 else end
            if copied < start:
                kept.append((copied, start))
            at = copied = end
            continue
        at = _statement_end(source, first.start(1), limits)
    if copied < size:
        kept.append((copied, size))
    return Rest(text, kept), flat


def _calibration_end(source: Source, start: int, limits: Limits) -> int:
    """Just after the body of a calibration, whose text is free but for its braces."""
    depth = 0
    for mark in _BRACE.finditer(source.text, start):
        depth += 1 if mark.group() == "{" else -1
        if depth > limits.nesting:
            raise source.error(f"Blocks are nested at most {limits.nesting} deep.", mark.start())
        if depth <= 0:
            return mark.end()
    return _statement_end(source, start, limits)  # explains what is missing


def statements_of(source: Source, rest: Rest, limits: Limits) -> list[tuple[int, int]]:
    """Where the statements of the rest begin and end; an else belongs to the statement before it."""
    result: list[tuple[int, int]] = []
    for start, end in rest.stretches:
        while start < end:
            first = _FIRST.match(source.text, start, end)
            assert first is not None
            if first.group(1) is None:
                break
            ends = _calibration_end if first.group(1) in ("cal", "defcal") else _statement_end
            stop = ends(source, first.start(1), limits)
            if first.group(1) == "else" and result:
                result[-1] = (result[-1][0], stop)
            else:
                result.append((first.start(1), stop))
            start = stop
    return result


def _statement_end(source: Source, start: int, limits: Limits, end: int | None = None) -> int:
    """Just after the statement or block that starts here; brackets are counted on the way."""
    text = source.text
    open_: list[tuple[str, int]] = []
    if end is None:
        end = len(text)
    for mark in _MARK.finditer(text, start, end):
        c = mark.group()
        if c in "([{":
            open_.append((c, mark.start()))
            if len(open_) > limits.nesting:
                raise source.error(f"Brackets and blocks are nested at most {limits.nesting} deep.", mark.start())
        elif c in _PAIRS:
            if not open_ or open_[-1][0] != _PAIRS[c]:
                raise source.error(f"This '{c}' closes nothing; the brackets before it do not match.", mark.start())
            _, opened = open_.pop()
            if c == "}" and not open_ and not _SET_BRACE.search(text, max(start, opened - 60), opened):
                return mark.end()
        elif c == ";":
            if not open_:
                return mark.end()
        elif c in "\"'":
            raise source.error(
                "A string ends with a quotation mark on its own line; this one has no end.", mark.start()
            )
    if open_:
        raise source.error(f"This '{open_[-1][0]}' is never closed.", open_[-1][1])
    if end == len(text) and end - start > _LONG:
        raise source.error("This statement has no end; a ';' is missing.", start)
    return end

"""Statements that differ in numbers, or the name they declare, only: one is read by the grammar, others are made of it.

The grammar takes half a millisecond for a statement, and programs repeat themselves: `if (c == 3) x q[5];` a thousand
times with other numbers. So each shape, a text with its numbers and the name that it declares left open, is read
once. A tree is used for one statement after the other, with its numbers, name and places set anew; nobody may keep it,
so subroutines are no shapes.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Any

from parsers.errors import Source
from parsers.limits import Limits
from parsers.qasm3_grammar import parse_text
from parsers.qasm3_scan import KEYWORDS, Rest, statements_of

_UNIT = r"(?!\w|\.|\s*(?:dt|ns|us|µs|ms|s|im)\b)"
_NUMBER = re.compile(
    rf"(?<![\w.$])(?:((?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?{_UNIT}|[0-9]+[eE][+-]?[0-9]+{_UNIT})|([0-9]+){_UNIT})"
)
_NAME = re.compile(r"\w+")
_NO_SHAPE = re.compile(r"def|cal\b|include\b|OPENQASM\b|extern\b|.*[\"']", re.DOTALL)
_DECLARED = re.compile(
    r"(?:(?:const|input|output)\s+)?(?:bit|bool|int|uint|float|angle|complex|duration|array|qubit)"
    r"(?:\s*\[[^=;{}]*\]\s*|\s+)(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?=\s*[=;])"
)


def _open(text: str, start: int, end: int) -> list[re.Match[str]]:
    """What a shape leaves open of a statement: its numbers and the name that it declares, in order."""
    declared = _DECLARED.match(text, start, end)
    found = list(_NUMBER.finditer(text, start, end))
    if declared is None or declared["name"] in KEYWORDS:
        return found
    before = bisect_left([number.start() for number in found], declared.start("name"))
    name = _NAME.match(text, declared.start("name"))
    assert name is not None
    return [*found[:before], name, *found[before:]]


def _key(text: str) -> str:
    """A statement with its open places marked, by characters that no program has."""
    declared = _DECLARED.match(text)
    if declared is not None and declared["name"] not in KEYWORDS:
        text = f"{text[: declared.start('name')]}\0{text[declared.end('name') :]}"
    return _NUMBER.sub(lambda number: "\1" if number[1] else "\2", text)


class _Shape:
    """The tree of a statement, with where its numbers and places are."""

    def __init__(self, node: Any, start: int, numbers: list[re.Match[str]]) -> None:
        self.node = node
        starts = [number.start() for number in numbers]
        #: Each place: how far it is from the start of the statement, and how many numbers come before it.
        self.places: list[tuple[Any, int, int]] = []
        self.literals: list[tuple[Any, int]] = []
        self.usable = True
        found: dict[int, Any] = {}
        seen: set[int] = set()
        stack = [node]
        while stack:
            item = stack.pop()
            if isinstance(item, (list, tuple)):
                stack.extend(item)
                continue
            if not hasattr(item, "span"):
                continue
            span = item.span
            if id(span) not in seen:
                seen.add(id(span))
                column = span.start_column
                self.places.append((span, column - start, bisect_left(starts, column)))
            if type(item).__name__ in ("IntegerLiteral", "FloatLiteral", "Identifier"):
                found[span.start_column] = item
            stack.extend(v for k, v in vars(item).items() if k != "span" and not isinstance(v, (str, int, float)))
        for k, number in enumerate(numbers):
            literal = found.get(number.start())
            kind = "Identifier" if number.re is _NAME else "FloatLiteral" if number[1] else "IntegerLiteral"
            if type(literal).__name__ != kind:
                self.usable = False
                return
            self.literals.append((literal, k))

    def made(self, start: int, own: list[re.Match[str]], numbers: list[re.Match[str]]) -> Any:
        """The tree of another statement of this shape, which begins at `start` and has `numbers`."""
        longer = [0]  # how much longer the numbers so far are than the shape's own
        for mine, other in zip(own, numbers, strict=True):
            longer.append(longer[-1] + (other.end() - other.start()) - (mine.end() - mine.start()))
        for span, distance, before in self.places:
            span.start_column = start + distance + longer[before]
        for literal, k in self.literals:
            text = numbers[k].group()
            if numbers[k].re is _NAME:
                literal.name = text
            else:
                literal.value = int(text) if numbers[k][1] is None else float(text)
        return self.node


class Statements:
    """The statements of the rest of a program, one of each shape first."""

    def __init__(self, source: Source, rest: Rest, limits: Limits) -> None:
        self.source = source
        self.all = statements_of(source, rest, limits)
        self.shape_of: dict[int, int] = {}  # from the start of a statement to that of the first of its shape
        first: dict[str, int] = {}
        self.first: list[tuple[int, int]] = []
        for start, end in self.all:
            text = source.text[start:end]
            if not _NO_SHAPE.match(text):
                key = _key(text)
                known = first.setdefault(key, start)
                self.shape_of[start] = known
                if known != start:
                    continue
            self.first.append((start, end))

    def read(self) -> Iterator[tuple[int, Any]]:
        """Each statement's place and tree, which is good until the next one is asked for."""
        source = self.source
        nodes = parse_text(source, Rest(source.text, self.first)).statements
        starts = [start for start, _ in self.first]
        trees: dict[int, list[Any]] = {start: [] for start in starts}
        for node in nodes:
            trees[starts[bisect_right(starts, node.span.start_column) - 1]].append(node)
        shapes: dict[int, tuple[_Shape, list[re.Match[str]]]] = {}
        repeated = {known for start, known in self.shape_of.items() if known != start}
        for start, end in self.all:
            known = self.shape_of.get(start)
            if known not in repeated or known is None:
                for node in trees[start]:
                    yield node.span.start_column, node
                continue
            numbers = _open(source.text, start, end)
            if known == start and len(trees[start]) == 1:
                shapes[start] = (_Shape(trees[start][0], start, numbers), numbers)
            shape, own = shapes.get(known, (None, numbers))
            if shape is not None and shape.usable:
                yield start, shape.made(start, own, numbers)
                continue
            for node in parse_text(source, Rest(source.text, [(start, end)])).statements:
                yield node.span.start_column, node

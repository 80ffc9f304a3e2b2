"""OpenQASM 3 to a circuit.

Flat statements are recognised by one regular expression and lowered at once; the rest is given to the reference grammar
(the `openqasm3` package) in one piece, with the flat ones blanked so that places stay right, and both are lowered in the
order of the text.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Any

from parsers.comments import without_comments
from parsers.errors import QasmError, Source
from parsers.includes import read_include
from parsers.library import QELIB1_EXTRAS, QELIB1_NAMES, STDGATES_NAMES
from parsers.limits import Limits
from parsers.qasm3_control import Lowering, Stop
from parsers.qasm3_fast import FastPath
from parsers.qasm3_scan import KEYWORDS, Rest, scan
from parsers.qasm3_types import Problem
from qsim.circuit import Circuit
from qsim.errors import QsimError

_INCLUDE = re.compile(r'\s*include\s*"([^"\n]*)"\s*;')
_HEADER = re.compile(r"\s*OPENQASM\s+\d+(?:\.\d+)?\s*;")
_REGISTER = re.compile(
    r"\s*(qubit|bit)\s*(?:\[\s*(\d{1,9})\s*\])?\s*([A-Za-z_]\w*)\s*;|\s*(qreg|creg)\s+([A-Za-z_]\w*)\s*(?:\[\s*(\d{1,9})\s*\])?\s*;"
)
_PHYSICAL = re.compile(r"\$(\d+)")
_PLACE = re.compile(r"L(\d+):C(\d+): (.*)", re.DOTALL)
_BUILT_IN = {"stdgates.inc": STDGATES_NAMES, "qelib1.inc": {**QELIB1_NAMES, **QELIB1_EXTRAS}}
_HINTS = {
    "->": "OpenQASM 3 writes a measurement as 'bit = measure qubit;' or 'measure qubit -> bit;'.",
    "opaque": "'opaque' belongs to OpenQASM 2; in version 3 a gate has a body.",
    "pow": "'pow' is a modifier (pow(2) @ x q;); the power of numbers is written a ** b.",
}  # fmt: skip


def parse_qasm3(source: Source, include_dirs: Sequence[str | os.PathLike[str]], limits: Limits) -> Circuit:
    """The circuit of an OpenQASM 3 program."""
    program = _Program(source, include_dirs, limits)
    try:
        with _deep_recursion(), contextlib.suppress(Stop):
            program.run(source)
    except QasmError:
        raise
    except RecursionError:
        raise QasmError("The program is nested too deeply.", source.filename) from None
    except (Problem, QsimError) as error:
        raise QasmError(str(error), source.filename) from None
    return program.root


@contextlib.contextmanager
def _deep_recursion() -> Iterator[None]:
    """Room for programs nested as deeply as the limits allow."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, 20_000))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


class _Program(Lowering):
    """A program and its included files."""

    def run(self, source: Source) -> None:
        """Lower a file."""
        self.source = source = without_comments(source)
        rest, flat = scan(source, self.limits)
        if not self.files:
            self._physical_qubits(source)
        self.files.append(source.filename)
        fast = FastPath(self)
        statements = self._statements(source, rest)
        last = (len(source.text) + 1, None)
        at, waiting = next(statements, last)
        index = 0
        while index < len(flat):
            while at < flat[index].start():
                self._run_one(at, waiting)
                at, waiting = next(statements, last)
            stopped = fast.run(flat, index, at)
            if stopped < len(flat) and flat[stopped].start() < at:  # explains what is wrong, or does what is unusual
                self._slow(source, flat[stopped])
                stopped += 1
            index = stopped
        while waiting is not None:
            self._run_one(at, waiting)
            at, waiting = next(statements, last)
        self.files.pop()

    def _physical_qubits(self, source: Source) -> None:
        if "$" not in source.text:
            return
        numbers = {int(m.group(1)): m for m in _PHYSICAL.finditer(source.text) if len(m.group(1)) < 10}
        for number in sorted(numbers):
            self.physical(f"${number}", numbers[number].start())

    def _statements(self, source: Source, rest: Rest) -> Iterator[tuple[int, Any]]:
        """The statements that are not flat, with the offsets where they start."""
        if not rest.text:
            return
        simple = _simple_statements(rest)
        if simple is not None:
            yield from simple
            return
        for node in parse_text(source, rest).statements:
            yield node.span.start_column, node

    def _run_one(self, at: int, item: Any) -> None:
        if not isinstance(item, re.Match):
            if type(item).__name__ == "Include":
                self._include(item.filename, item)
            else:
                self.execute(item)
            return
        if item.re is _HEADER:
            return
        if item.re is _INCLUDE:
            self._include(item.group(1), at)
            return
        word, size, name, word2, name2, size2 = item.groups()
        word, name, size = word or word2, name or name2, size or size2
        self._register_declared(word, name, size, at)

    def _register_declared(self, word: str, name: str, size: str | None, at: int) -> None:
        from parsers.qasm3_context import BitVariable, Qubits

        number = 1 if size is None else int(size)
        kind: Any = Qubits if word in ("qubit", "qreg") else BitVariable
        self.declare(name, kind((), False), at)
        indices = self.add_qubits(number, name, at) if kind is Qubits else self.add_bits(number, name, at)
        self.globals[name] = kind(indices, size is None)

    def _Include(self, node: Any) -> None:
        raise self.error("include belongs at the top level of a program.", node)

    def _include(self, name: str, node: Any) -> None:
        if name in _BUILT_IN:
            self.include_gates(name, _BUILT_IN[name])
            return
        offset = node if isinstance(node, int) else node.span.start_column
        included = read_include(name, self.source, offset, self.include_dirs, self.limits, self.files)
        outer = self.source
        self.run(included)
        self.source = outer

    def _slow(self, source: Source, match: re.Match[str]) -> None:
        """A flat statement through the reference grammar."""
        for node in parse_text(source, Rest(source.text, [match.span()])).statements:
            self.execute(node)


def _simple_statements(rest: Rest) -> list[tuple[int, re.Match[str]]] | None:
    """The statements of a flat program: its header, includes and registers; None when there is anything else."""
    result: list[tuple[int, re.Match[str]]] = []
    at, text = 0, rest.text
    size = len(text.rstrip())
    while at < size:
        match = (
            _REGISTER.match(text, at) or _INCLUDE.match(text, at) or (_HEADER.match(text, at) if not result else None)
        )
        if match is None or (match.re is _REGISTER and (match.group(3) or match.group(5)) in KEYWORDS):
            return None
        start = at + len(match.group()) - len(match.group().lstrip())
        line = bisect_right(rest.own, start)
        result.append((rest.offset(line, start - rest.own[line - 1]), match))
        at = match.end()
    return result


def _relocate(program: Any, rest: Rest) -> None:
    """Make `start_column` of every span the offset in the source where the node starts."""
    lines = rest.text.split("\n")
    seen: set[int] = set()
    stack: list[tuple[Any, Any]] = [(program, None)]
    while stack:
        item, parent = stack.pop()
        if isinstance(item, (list, tuple)):
            stack.extend((entry, parent) for entry in item)
        elif hasattr(item, "span"):
            span = item.span
            if span is None:
                item.span = span = parent
            elif id(span) not in seen:
                name = getattr(item, "name", None)
                if type(item).__name__ == "Identifier" and isinstance(name, str) and parent is not None:
                    # The grammar counts the columns of some names from the start of the text.
                    line = lines[span.start_line - 1] if span.start_line <= len(lines) else ""
                    if not line.startswith(name, span.start_column):
                        span.start_column -= rest.own[min(span.start_line, len(rest.own)) - 1]
                        if not line.startswith(name, max(span.start_column, 0)):
                            item.span = span = parent
                if id(span) not in seen:
                    seen.add(id(span))
                    span.start_column = rest.offset(span.start_line, span.start_column)
            stack.extend(
                (entry, span)
                for key, entry in vars(item).items()
                if key != "span" and not isinstance(entry, (str, int, float))
            )


def parse_text(source: Source, rest: Rest) -> Any:
    """The syntax tree of stretches of the source; a span's `start_column` is an offset in the source."""
    import openqasm3
    from openqasm3.parser import QASM3ParsingError

    try:
        with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
            program = openqasm3.parse(rest.text)
    except QASM3ParsingError as error:
        raise _syntax_error(source, error, rest) from None
    except RecursionError:
        raise QasmError("The program is nested too deeply.", source.filename) from None
    except (AttributeError, ValueError, TypeError, KeyError, IndexError, AssertionError) as error:
        found = _PLACE.match(str(error))
        if found is not None:
            raise source.error(found.group(3), rest.offset(int(found.group(1)), int(found.group(2)))) from None
        raise QasmError("The program cannot be read as OpenQASM 3.", source.filename) from None
    _relocate(program, rest)
    return program


def _syntax_error(source: Source, error: Exception, rest: Rest) -> QasmError:
    found = _PLACE.match(str(error))
    if found is not None:
        message = found.group(3)
        message = message[0].upper() + message[1:] + ("" if message.endswith(".") else ".")
        return source.error(message, rest.offset(int(found.group(1)), int(found.group(2))))
    cause: Any = error.__cause__
    while cause is not None and getattr(cause, "offendingToken", None) is None:
        inner = (
            cause.args[0] if getattr(cause, "args", None) and isinstance(cause.args[0], Exception) else cause.__cause__
        )
        cause = None if inner is cause else inner
    if cause is None:
        return QasmError("The program cannot be read as OpenQASM 3.", source.filename)
    token = cause.offendingToken
    offset, text = rest.offset(token.line, token.column), token.text
    if text == "<EOF>":
        end = len(source.text.rstrip())
        return source.error("The program ends in the middle of a statement. Is a ';' or '}' missing?", end)
    hint = _HINTS.get(text)
    if hint is None:
        hint = "Something is missing before it." if text in ";)]}" else "Is a ';' missing before it?"
    return source.error(f"'{text[:40]}' cannot stand here. {hint}", offset)

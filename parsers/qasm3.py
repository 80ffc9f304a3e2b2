"""OpenQASM 3 to a circuit.

Flat statements are recognised by one regular expression and lowered at once; the rest is given to the reference grammar
(the `openqasm3` package) in one piece, with the flat ones blanked so that places stay right, and both are lowered in the
order of the text.
"""

from __future__ import annotations

import contextlib
import os
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from parsers.comments import without_comments
from parsers.errors import MAX_ERRORS, Consequence, QasmError, Source
from parsers.includes import read_include
from parsers.library import QELIB1_EXTRAS, QELIB1_NAMES, STDGATES_NAMES
from parsers.limits import Limits
from parsers.qasm3_branches import Stop
from parsers.qasm3_context import declared_names
from parsers.qasm3_control import Lowering
from parsers.qasm3_fast import FastPath
from parsers.qasm3_grammar import parse_text, too_deep
from parsers.qasm3_scan import KEYWORDS, Rest, scan
from parsers.qasm3_shapes import Statements
from parsers.qasm3_types import Problem
from qsim.circuit import Circuit
from qsim.errors import QsimError

_INCLUDE = re.compile(r'\s*include\s*"([^"\n]*)"\s*;')
_HEADER = re.compile(r"\s*OPENQASM\s+\d+(?:\.\d+)?\s*;")
_REGISTER = re.compile(
    r"\s*(qubit|bit)\s*(?:\[\s*(\d{1,9})\s*\])?\s*([A-Za-z_]\w*)\s*;|\s*(qreg|creg)\s+([A-Za-z_]\w*)\s*(?:\[\s*(\d{1,9})\s*\])?\s*;"
)
_PHYSICAL = re.compile(r"\$(\d+)")
_BUILT_IN = {"stdgates.inc": STDGATES_NAMES, "qelib1.inc": {**QELIB1_NAMES, **QELIB1_EXTRAS}}


def parse_qasm3(
    source: Source, include_dirs: Sequence[str | os.PathLike[str]], limits: Limits, skip_unsupported: bool = False
) -> Circuit:
    """The circuit of an OpenQASM 3 program."""
    program = Program(source, include_dirs, limits)
    program.skip_unsupported = skip_unsupported
    try:
        with contextlib.suppress(Stop):
            program.run(source)
    except QasmError as error:
        if not isinstance(error, Consequence):
            program.errors.append(error)
    except RecursionError:
        program.errors.append(too_deep(program.source))
    except (Problem, QsimError) as error:
        program.errors.append(QasmError(str(error), source.filename))
    if program.errors:
        raise QasmError.of(program.errors)
    return program.root


_MAX_ALONE = 500  # statements that are read alone, after a syntax error
_MAX_CONSEQUENCES = 200


class Program(Lowering):
    """A program and its included files.

    After a wrong statement the next ones are read all the same, to report what is wrong with them too; what only follows
    from an earlier error (the use of a name whose declaration is wrong) is not reported.
    """

    def __init__(self, source: Source, include_dirs: Sequence[str | os.PathLike[str]], limits: Limits) -> None:
        super().__init__(source, include_dirs, limits)
        self.errors: list[QasmError] = []
        self.consequences = 0

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
                self._attempt(self._run_one, at, waiting)
                at, waiting = next(statements, last)
            stopped = fast.run(flat, index, at)
            if stopped < len(flat) and flat[stopped].start() < at:  # explains what is wrong, or does what is unusual
                self._attempt(self._slow, source, flat[stopped])
                stopped += 1
            index = stopped
        while waiting is not None:
            self._attempt(self._run_one, at, waiting)
            at, waiting = next(statements, last)
        self.files.pop()

    def _attempt(self, action: Callable[..., None], *args: Any) -> None:
        """Lower a statement; what is wrong with it is kept, to go on with the next one."""
        source, item = self.source, args[-1]
        if not isinstance(item, re.Match):
            names = declared_names(item)
        else:
            names = [item[3] or item[5]] if item.re is _REGISTER else []
        new = [name for name in names if name not in self.globals]
        try:
            action(*args)
            return
        except Consequence:
            self.consequences += 1
        except QasmError as error:
            self.errors.append(error)
        self.source = source
        self.back_to_top()
        for name in new:
            self.globals.pop(name, None)
        self.broken.update(new)
        limits = self.limits
        spent = self.count > limits.operations or self.trips >= limits.loop_trips or self.statements > limits.statements
        if spent or len(self.errors) >= MAX_ERRORS or self.consequences >= _MAX_CONSEQUENCES:
            raise QasmError.of(self.errors) if not self.errors else self.errors.pop()

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
        statements = Statements(source, rest, self.limits)
        try:
            yield from statements.read()
        except QasmError as error:
            self.errors += self._syntax_errors(source, statements.first, error)
            raise self.errors.pop() from None

    def _syntax_errors(self, source: Source, stretches: list[tuple[int, int]], first: QasmError) -> list[QasmError]:
        """What is wrong with the statements, each read alone."""
        errors: list[QasmError] = []
        for start, end in stretches[:_MAX_ALONE]:
            try:
                parse_text(source, Rest(source.text, [(start, end)]))
            except QasmError as error:
                errors.append(error)
                if len(errors) >= MAX_ERRORS:
                    break
        return errors or [first]

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

"""Where in a text the operations of a circuit come from: read again, noting the line after every statement.

Reading notes no lines otherwise, because only a refusal needs them, and then once.
"""

from __future__ import annotations

import contextlib
import os
import warnings
from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

from parsers.comments import without_comments
from parsers.errors import QasmError, Source
from parsers.limits import Limits
from parsers.qasm2 import _WORD, _Enough
from parsers.qasm2 import _Parser as Qasm2Parser
from parsers.qasm2_calls import CALL, KEYWORDS, after_space
from parsers.qasm3 import Program
from parsers.qasm3_branches import Stop
from parsers.qasm3_fast import FastPath
from parsers.qasm3_scan import scan
from parsers.reader import _version
from qsim.circuit import Circuit
from qsim.classical import bodies
from qsim.gates import Gate

#: An operation of a circuit; and, for those in the bodies of branches and loops, which body of it, which of that, ...
Path = tuple[int, ...]


class Places:
    """Lines by operation, of a circuit and of the bodies of its branches.

    Attributes:
        circuit: what was read.
    """

    def __init__(self) -> None:
        self.circuit = Circuit()
        self._noted: dict[int, tuple[Circuit, list[tuple[str, int]]]] = {}
        self._newlines: dict[str, list[int]] = {}  # by text: where its lines end

    def forget_after(self, circuit: Circuit) -> None:
        """Lines of operations that were taken back."""
        if id(circuit) in self._noted:
            del self._noted[id(circuit)][1][len(circuit) :]

    def note(self, circuit: Circuit, source: Source, offset: int) -> None:
        """All operations that have no line yet are of this one."""
        lines = self._noted.setdefault(id(circuit), (circuit, []))[1]
        if len(circuit) > len(lines):
            ends = self._newlines.get(source.text)
            if ends is None:
                ends = self._newlines[source.text] = [k for k, letter in enumerate(source.text) if letter == "\n"]
            line = bisect_left(ends, offset) + 1
            lines.extend([(source.filename, line)] * (len(circuit) - len(lines)))

    def find(self, path: Path) -> tuple[str, int] | None:
        """File and line of an operation; of what it is in, where it has none of its own."""
        circuit, found, rest = self.circuit, None, list(path)
        while rest:
            lines, at = self._noted.get(id(circuit), (circuit, []))[1], rest.pop(0)
            if at < len(lines):
                found = lines[at]
            if not rest or at >= len(circuit):
                break
            operation = circuit[at].operation
            inner = [] if isinstance(operation, Gate) else list(bodies(operation))  # type: ignore[arg-type]
            body = rest.pop(0)
            if body >= len(inner):
                break
            circuit = inner[body]
        return found


def places(text: str, filename: str = "<string>", include_dirs: Sequence[str | os.PathLike[str]] = ()) -> Places:
    """The lines of a program that `loads` has read without errors.

    >>> found = places('OPENQASM 3.0;\\nqubit q;\\nbit c;\\nc = measure q;\\nreset q;\\n')
    >>> found.find((1,))
    ('<string>', 5)
    """
    source = Source(text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n"), filename)
    made = Places()
    if _version(source) == 2:
        parser = _Noting2(include_dirs, Limits())
        parser.places = made
        with contextlib.suppress(_Enough):
            parser.run(source)
        made.circuit = parser.circuit
        return made
    program = _Noting3(source, include_dirs, Limits())
    program.places = made
    program.skip_unsupported = True
    with contextlib.suppress(Stop), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they were given when it was read first
        program.run(source)
    made.circuit = program.root
    return made


class _Noting2(Qasm2Parser):
    places: Places

    def read_from(self, at: int, first: bool) -> tuple[int, QasmError | None]:
        """As the parser's, without its short cut."""
        text, size = self.source.text, len(self.source.text)
        try:
            while True:
                start, match = at, CALL.match(text, at)
                if match is not None and match.group(1) not in KEYWORDS:
                    self.call(self.program, match)
                    at = match.end()
                elif match is not None and match.group(1) == "measure":
                    self.measure(self.circuit, match)
                    at = match.end()
                else:
                    word = _WORD.match(text, at)
                    assert word is not None
                    if word.end() >= size and not word.group(1):
                        return -1, None
                    at = self.statement(word.group(1) or "", at, first)
                self.places.note(self.circuit, self.source, after_space(text, start))
                first = False
        except QasmError as error:
            return at, error


class _Noting3(Program):
    places: Places

    def run(self, source: Source) -> None:
        """As the program's, flat statements one by one."""
        self.source = source = without_comments(source)
        rest, flat = scan(source, self.limits)
        if not self.files:
            self._physical_qubits(source)
        self.files.append(source.filename)
        fast = FastPath(self)
        items = [(match.start(), True, match) for match in flat]
        items += [(at, False, item) for at, item in self._statements(source, rest)]
        for at, is_flat, item in sorted(items, key=lambda entry: entry[0]):
            if not is_flat:
                self._attempt(self._run_one, at, item)
            elif not fast.statement(item):
                self._attempt(self._slow, source, item)
            self.places.note(self.root, source, after_space(source.text, at))
        self.files.pop()

    def execute(self, node: Any) -> None:
        """Lower one statement, and note its line."""
        self.places.forget_after(self.circuit)
        try:
            super().execute(node)
        finally:
            span = getattr(node, "span", None)
            if span is not None:
                self.places.note(self.circuit, self.source, span.start_column)

"""OpenQASM 2.0: statements straight to the circuit.

One regular expression recognises gate calls and measurements, nearly all of a long program. The texts of parameters and
of operands repeat, so each distinct one is read once and remembered. Whatever does not match is read statement by
statement. Semantics: arXiv:1707.03429, with the matrices and the extended gate set that Qiskit documents.
"""

from __future__ import annotations

import contextlib
import os
import re
from array import array
from collections.abc import Sequence
from typing import NoReturn

from parsers.comments import without_comments
from parsers.errors import MAX_ERRORS, Consequence, QasmError, Source
from parsers.includes import read_include
from parsers.library import QELIB1_EXTRAS, QELIB1_NAMES, rows
from parsers.limits import Limits
from parsers.qasm2_calls import CALL, KEYWORDS, VERSION_3, Calls, Operands, Scope, after_space
from qsim.circuit import BARRIER, MEASURE, RESET, Circuit
from qsim.classical import Bits, ClassicalOperation, IfElse, Literal

_WORD = re.compile(r"\s*([A-Za-z_]\w*)?")
_VERSION = re.compile(r"\s*OPENQASM\s+[\d.]+\s*;")
_INCLUDE = re.compile(r'\s*include\s*"([^"\n]*)"\s*;')
_REGISTER = re.compile(r"\s*([qc])reg\s+([A-Za-z_]\w*)\s*\[\s*(\d+)\s*\]\s*;")
_OPAQUE = re.compile(r"\s*opaque\s+([A-Za-z_]\w*)\s*(?:\(([^(){};]*)\))?\s*([^(){};]*);")
_IF = re.compile(r"\s*if\s*\(\s*([A-Za-z_]\w*)\s*==\s*(\d+)\s*\)")
_BRACE = re.compile(r"[{}]")
_NEW_STATEMENT = re.compile(r"\s*[A-Za-z_]\w*\s+[A-Za-z_(]")
_DECLARED = re.compile(r"\s*(qreg|creg|gate|opaque)\s+([A-Za-z_]\w*)")
_MAX_TRIED = 200  # wrong statements after which reading stops
_EMPTY = re.compile(r"[;\s]+(?<=;)")
_REMEMBERED = 100_000


def parse_qasm2(source: Source, include_dirs: Sequence[str | os.PathLike[str]], limits: Limits) -> Circuit:
    """The circuit of an OpenQASM 2.0 program."""
    parser = _Parser(include_dirs, limits)
    with contextlib.suppress(_Enough):
        parser.run(source)
    if parser.errors:
        raise QasmError.of(parser.errors)
    return parser.circuit


class _Enough(Exception):
    """So many errors that reading does not go on."""


class _Parser(Calls):
    """Reads statements."""

    def run(self, source: Source) -> None:
        """Read a file; after a wrong statement the next ones are read all the same."""
        self.source = source = without_comments(source)
        at, first = 0, True
        while at >= 0:
            at, error = self.read_from(at, first)
            if error is not None:
                self.source, first = source, False
                at = self.after(at, error)

    def read_from(self, at: int, first: bool) -> tuple[int, QasmError | None]:
        """Read statements from `at` on, up to a wrong one: gives its place and error, or -1 at the end."""
        text, size = self.source.text, len(self.source.text)
        match_call, call, flat = CALL.match, self.call, self.flat
        program, most = self.program, self.limits.operations
        params_of, circuit = program.params_of, self.circuit
        rows, operands, values = circuit._rows, circuit._operands, circuit._values
        try:
            while True:
                match = match_call(text, at)
                if match is not None:
                    name, parameter_text, operand_text = match.groups()
                    known = flat.get((name, operand_text))
                    if known is not None and self.count < most:
                        code, num_params, qubits = known
                        params = () if parameter_text is None else params_of.get(parameter_text)
                        if params is not None and len(params) == num_params:
                            rows.extend((code, len(operands), len(qubits), len(values), 0, 0))
                            operands.extend(qubits)
                            if params:
                                values.extend(params)  # type: ignore[arg-type]
                            self.count += 1
                            at = match.end()
                            first = False
                            continue
                    if name not in KEYWORDS:
                        call(program, match)
                        at = match.end()
                    elif name == "measure":
                        self.measure(self.circuit, match)
                        at = match.end()
                    else:
                        at = self.statement(match.group(1), at, first)
                else:
                    word = _WORD.match(text, at)
                    assert word is not None
                    if word.end() >= size and not word.group(1):
                        return -1, None
                    at = self.statement(word.group(1) or "", at, first)
                first = False
        except QasmError as error:
            return at, error

    def after(self, at: int, error: QasmError) -> int:
        """Note an error of the statement that begins at `at`; gives where the next one begins."""
        if not isinstance(error, Consequence):
            self.errors.append(error)
        self.tried += 1
        if len(self.errors) >= MAX_ERRORS or self.tried >= _MAX_TRIED or self.count > self.limits.operations:
            raise _Enough
        text = self.source.text
        declared = _DECLARED.match(text, at)
        if declared is not None:
            self.broken.add(declared.group(2))
        body, end = text.find("{", at), text.find(";", at)
        if 0 <= body < (end if end >= 0 else len(text)):  # all of the block belongs to it
            depth = 0
            for brace in _BRACE.finditer(text, body):
                depth += 1 if brace.group() == "{" else -1
                if not depth:
                    return brace.end()
            return -1
        newline = text.find("\n", after_space(text, at))
        if 0 <= newline < end and _NEW_STATEMENT.match(text[newline:end]):
            return newline  # this statement has no ';'
        return end + 1 or -1

    def statement(self, word: str, at: int, first: bool = False) -> int:
        """Anything but a gate call or a measurement; returns where the next statement begins."""
        text, source = self.source.text, self.source
        start = after_space(text, at)
        if word == "OPENQASM":
            version = _VERSION.match(text, at)
            if version is None:
                raise source.error("A version line has the form 'OPENQASM 2.0;'.", start)
            if not first:
                raise source.error(
                    "The version line is the first statement of a program, and there is one only.", start
                )
            return version.end()
        if word == "include":
            return self.include(at, start)
        if word in ("qreg", "creg"):
            return self.register(at, start, word)
        if word == "gate":
            return self.definition(at, start)
        if word == "opaque":
            declared = _OPAQUE.match(text, at)
            if declared is None:
                raise source.error("An opaque gate has the form 'opaque name(parameters) qubits;'.", start)
            self.declare(declared.group(1), self.opaque(declared), declared.start(1))
            return declared.end()
        if word == "if":
            return self.condition(at, start)
        if word in ("reset", "barrier", "measure"):
            return self.operation(self.circuit, word, at, start)
        empty = _EMPTY.match(text, start)
        if empty is not None:
            return empty.end()
        self.syntax_error(word, start)

    def syntax_error(self, word: str, start: int) -> NoReturn:
        text, source = self.source.text, self.source
        if start >= len(text):
            raise source.error("The program ends in the middle of a statement.", len(text.rstrip()))
        if word in VERSION_3:
            raise source.error(
                f"'{word}' belongs to OpenQASM 3; this program is OpenQASM 2. Write 'OPENQASM 3.0;' first.", start
            )
        if not word:
            raise source.error(f"Here a statement is expected, not {text[start]!r}.", start)
        end = min((k for k in (text.find(c, start) for c in ";{}") if k >= 0), default=-1)
        newline = text.find("\n", start)
        bracket = re.match(r"\w+\s*\(", text[start : start + self.limits.token_length])
        if bracket is not None and end >= 0 and ")" not in text[start:end]:
            raise source.error("This bracket is not closed; put a ')' after the parameters.", start + bracket.end() - 1)
        if end < 0 or text[end] != ";" or (0 <= newline < end and _NEW_STATEMENT.match(text[newline:end])):
            raise source.error("A statement ends with ';'; this one has none.", start)
        raise source.error(
            "This is no statement of OpenQASM 2; a gate call has the form 'name(parameters) qubits;'.", start
        )

    def include(self, at: int, start: int) -> int:
        match = _INCLUDE.match(self.source.text, at)
        if match is None:
            raise self.source.error("An include has the form 'include \"qelib1.inc\";'.", start)
        name = match.group(1)
        if name == "qelib1.inc":
            self.included = True
            for known, row in (rows(QELIB1_NAMES) | rows(QELIB1_EXTRAS)).items():
                if known not in self.defined:
                    self.gates[known] = row
            self.forget()
            return match.end()
        if name == "stdgates.inc":
            raise self.source.error(
                'stdgates.inc belongs to OpenQASM 3; OpenQASM 2 programs include "qelib1.inc".', match.start(1)
            )
        outer = self.source
        inner = read_include(name, outer, match.start(1), self.include_dirs, self.limits, self.files)
        self.files.append(inner.filename)
        self.run(inner)
        self.files.pop()
        self.source = outer
        return match.end()

    def register(self, at: int, start: int, word: str) -> int:
        match = _REGISTER.match(self.source.text, at)
        if match is None:
            raise self.source.error(f"A register has the form '{word} name[size];'.", start)
        kind, name, digits = match.groups()
        if name in self.qregs or name in self.cregs:
            raise self.source.error(f"Names of registers are unique; '{name}' is declared already.", match.start(2))
        self.check_length(name, match.start(2))
        size = self.number(digits, match.start(3))
        limit = self.limits.qubits if kind == "q" else self.limits.clbits
        have = self.circuit.num_qubits if kind == "q" else self.circuit.num_clbits
        if have + size > limit:
            what = "qubits" if kind == "q" else "classical bits"
            raise self.source.error(
                f"A program has at most {limit:,} {what}; this makes {have + size:,}.", match.start(3)
            )
        self.branches.clear()  # their blocks have the qubits and bits of their time
        if kind == "q":
            self.qregs[name] = self.circuit.add_qubits(size, name)
        else:
            self.cregs[name] = self.circuit.add_clbits(size, name)
        return match.end()

    # everything else ------------------------------------------------------------------------------------------
    def measure(self, circuit: Circuit, match: re.Match[str]) -> None:
        text, offset = match.group(3), match.start(3)
        pairs = self.measures.get(text)
        if pairs is None:
            if match.group(2) is not None or text.count("->") != 1:
                raise self.source.error("A measurement has the form 'measure qubits -> bits;'.", match.start(1))
            if "," in text:
                raise self.source.error("A measurement has the form 'measure qubits -> bits;', one of each.", offset)
            both = self.operands(self.program, text.replace("->", " ,"), offset, 1)
            if len(both) > 1 and len({q for q, _ in both}) != len({c for _, c in both}):
                raise self.source.error("A register is measured into one of the same size.", offset)
            pairs = self.measures[text] = [(q, c) for q, c in both]
        self.charge(len(pairs), match.start(1))
        for pair in pairs:
            circuit._rows.extend((MEASURE, len(circuit._operands), 2, 0, 0, 0))
            circuit._operands.extend(pair)

    def operation(self, circuit: Circuit, word: str, at: int, start: int) -> int:
        match = CALL.match(self.source.text, at)
        if match is None or match.group(2) is not None:
            form = "measure qubits -> bits" if word == "measure" else f"{word} qubits"
            raise self.source.error(f"This statement has the form '{form};'.", start)
        if word == "measure":
            self.measure(circuit, match)
        elif word == "reset":
            each = self.one_each(match)
            self.charge(len(each), start)
            for qubits in each:
                circuit._rows.extend((RESET, len(circuit._operands), 1, 0, 0, 0))
                circuit._operands.extend(qubits)
        else:
            self.barrier(circuit, match)
        return match.end()

    def barrier(self, circuit: Circuit, match: re.Match[str]) -> None:
        text = match.group(3)
        qubits = self.barriers.get(text)
        if qubits is None:
            found: dict[int, None] = {}
            at = match.start(3)
            for part in text.split(","):
                found.update((q, None) for (q,) in self.operands(self.program, part, at, -1))
                at += len(part) + 1
            qubits = self.barriers[text] = array("q", found)
        self.charge(len(qubits), match.start(1))  # it costs memory, if no time
        circuit._rows.extend((BARRIER, len(circuit._operands), len(qubits), 0, 0, 0))
        circuit._operands.extend(qubits)

    def one_each(self, match: re.Match[str]) -> Operands:
        text = match.group(3)
        operands = self.program.operands_of.get(text)
        if operands is None:
            operands = self.program.operands_of[text] = self.operands(self.program, text, match.start(3), -1)
        if len(operands[0]) != 1:
            raise self.source.error("This statement takes one qubit or register.", match.start(3))
        return operands

    def condition(self, at: int, start: int) -> int:
        text = self.source.text
        match = _IF.match(text, at)
        if match is None:
            raise self.source.error(
                "A condition has the form 'if (register == number) operation;'; single bits and other comparisons belong "
                "to OpenQASM 3.", start
            )  # fmt: skip
        name, digits = match.groups()
        if len(digits) > self.limits.token_length:
            raise self.source.error(f"A number has at most {self.limits.token_length} digits.", match.start(2))
        condition = self.conditions.get((name, digits))
        if condition is None:
            bits = Bits(tuple(self.indices(self.program, name, match.start(1), True)))
            condition = self.conditions[name, digits] = ClassicalOperation("==", (bits, Literal(int(digits))))
        inner = CALL.match(text, match.end())
        if inner is not None:
            end = inner.end()
            known = self.branches.get(text[at:end])
            if known is not None:
                self.charge(known[1], start)
                self.circuit._append_other(known[0], (), ())
                return end
        before = self.count
        if inner is None:
            braces = " Braces belong to OpenQASM 3." if text.startswith("{", after_space(text, match.end())) else ""
            raise self.source.error(
                f"After 'if (...)' comes a gate call, a measurement or a reset.{braces}", match.end()
            )
        word = inner.group(1)
        block = self.circuit.block()
        if word in ("measure", "reset"):
            self.operation(block, word, match.end(), inner.start(1))
        elif word in KEYWORDS:
            raise self.source.error(
                f"After 'if (...)' comes a gate call, a measurement or a reset, not '{word}'.", inner.start(1)
            )
        else:
            scope = Scope(block, {}, None)
            scope.operands_of, scope.params_of, scope.gates_of = (
                self.program.operands_of, self.program.params_of, self.program.gates_of,
            )  # fmt: skip
            self.call(scope, inner)
        branch = IfElse(condition, block)
        self.circuit._append_other(branch, (), ())
        if len(self.branches) < _REMEMBERED:
            self.branches[text[at : inner.end()]] = branch, self.count - before
        return inner.end()

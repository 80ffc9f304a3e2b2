"""OpenQASM 2.0: statements straight to the circuit.

One regular expression recognises gate calls and measurements, nearly all of a long program. The texts of parameters and
of operands repeat, so each distinct one is read once and remembered. Whatever does not match is read statement by
statement. Semantics: arXiv:1707.03429, with the matrices and the extended gate set that Qiskit documents.
"""

from __future__ import annotations

import os
import re
from array import array
from collections.abc import Mapping, Sequence
from typing import NoReturn

from parsers.comments import without_comments
from parsers.definitions2 import ValueCheck
from parsers.errors import QasmError, Source
from parsers.expressions2 import ExpressionParser
from parsers.includes import read_include
from parsers.library import QELIB1_EXTRAS, QELIB1_NAMES, rows
from parsers.limits import Limits
from qsim.circuit import BARRIER, MEASURE, RESET, Circuit, GateDefinition, Register
from qsim.classical import Bits, ClassicalOperation, IfElse, Literal
from qsim.errors import ParameterError, QsimError, suggestion
from qsim.gates import GATES, Gate, GateRow
from qsim.parameters import Parameter, Value

_CALL = re.compile(r"\s*([A-Za-z_]\w*)\s*(?:\(([^;{}\"]*)\))?\s*([^;{}()\"]*);")
_WORD = re.compile(r"\s*([A-Za-z_]\w*)?")
_OPERAND = re.compile(r"\s*([A-Za-z_]\w*)\s*(?:\[\s*(\d+)\s*\]\s*)?\Z")
_VERSION = re.compile(r"\s*OPENQASM\s+[\d.]+\s*;")
_INCLUDE = re.compile(r'\s*include\s*"([^"\n]*)"\s*;')
_REGISTER = re.compile(r"\s*([qc])reg\s+([A-Za-z_]\w*)\s*\[\s*(\d+)\s*\]\s*;")
_GATE = re.compile(r"\s*gate\s+([A-Za-z_]\w*)\s*(?:\(([^(){};]*)\))?\s*([^(){};]*)\{([^{}]*)\}")
_OPAQUE = re.compile(r"\s*opaque\s+([A-Za-z_]\w*)\s*(?:\(([^(){};]*)\))?\s*([^(){};]*);")
_IF = re.compile(r"\s*if\s*\(\s*([A-Za-z_]\w*)\s*==\s*(\d+)\s*\)")
_NAME = re.compile(r"\s*([A-Za-z_]\w*)\s*\Z")
#: Two operands, or two statements, with nothing between them.
_UNSEPARATED = re.compile(r"\s*[A-Za-z_]\w*\s*(?:\[\s*\d+\s*\])?(?=\s+[A-Za-z_])")
_ASSIGNMENT = re.compile(r"\s*[A-Za-z_]\w*\s*(?:\[[^\];]*\]\s*)?=(?!=)")
_EMPTY = re.compile(r"[;\s]+(?<=;)")
_SPACE = re.compile(r"\s*")
_KEYWORDS = {"OPENQASM", "include", "qreg", "creg", "gate", "opaque", "if", "measure", "reset", "barrier"}
_VERSION_3 = frozenset(
    "qubit bit let const input output def for while "
    "int uint float angle bool ctrl negctrl inv pow gphase box end".split()
)


def _first(text: str, at: int) -> int:
    """The offset of what comes after space."""
    match = _SPACE.match(text, at)
    assert match is not None
    return match.end()


class _Opaque:
    """A gate that is declared without a body."""

    def __init__(self, name: str) -> None:
        self.name = name


_AnyGate = GateRow | GateDefinition | _Opaque
_Operands = list[tuple[int, ...]]


def parse_qasm2(source: Source, include_dirs: Sequence[str | os.PathLike[str]], limits: Limits) -> Circuit:
    """The circuit of an OpenQASM 2.0 program."""
    parser = _Parser(include_dirs, limits)
    parser.run(source)
    return parser.circuit


class _Scope:
    """What names mean where a gate is called: in the program, or in the body of a definition."""

    def __init__(self, circuit: Circuit, parameters: Mapping[str, Value], qubits: dict[str, int] | None) -> None:
        self.circuit = circuit
        self.parameters = parameters
        self.qubits = qubits  # formal qubits of a definition; None in the program
        self.params_of: dict[str, tuple[Value, ...]] = {}
        self.operands_of: dict[str, _Operands] = {}
        self.gates_of: dict[tuple[str, str], Gate] = {}


class _Parser:
    def __init__(self, include_dirs: Sequence[str | os.PathLike[str]], limits: Limits) -> None:
        self.include_dirs = include_dirs
        self.limits = limits
        self.circuit = Circuit()
        self.program = _Scope(self.circuit, {}, None)
        self.gates: dict[str, _AnyGate] = {"U": GATES["u"], "CX": GATES["cx"]}
        self.defined: set[str] = set()
        self.qregs: dict[str, Register] = {}
        self.cregs: dict[str, Register] = {}
        self.measures: dict[str, list[tuple[int, int]]] = {}
        self.barriers: dict[str, array[int]] = {}
        self.values = ValueCheck()
        self.conditions: dict[tuple[str, str], ClassicalOperation] = {}
        #: Calls of table gates on single qubits that were checked once: code, parameters, qubits.
        self.flat: dict[tuple[str, str], tuple[int, int, tuple[int, ...]]] = {}
        self.files: list[str] = []
        self.included = False
        self.count = 0

    # statements ---------------------------------------------------------------------------------------------
    def run(self, source: Source) -> None:
        self.source = source = without_comments(source)
        text, size, at = source.text, len(source.text), 0
        match_call, call, flat = _CALL.match, self.call, self.flat
        program, first, most = self.program, True, self.limits.operations
        params_of, circuit = program.params_of, self.circuit
        rows, operands, values = circuit._rows, circuit._operands, circuit._values
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
                if name not in _KEYWORDS:
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
                    return
                at = self.statement(word.group(1) or "", at, first)
            first = False

    def statement(self, word: str, at: int, first: bool = False) -> int:
        """Anything but a gate call or a measurement; returns where the next statement begins."""
        text, source = self.source.text, self.source
        start = _first(text, at)
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
            self.declare(declared.group(1), _Opaque(declared.group(1)), declared.start(1))
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
        if word in _VERSION_3:
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
        if (
            end < 0
            or text[end] != ";"
            or (0 <= newline < end and re.match(r"\s*[A-Za-z_]\w*\s+[A-Za-z_(]", text[newline:end]))
        ):
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
        if size < 1:
            raise self.source.error("A register has at least one element.", match.start(3))
        if have + size > limit:
            what = "qubits" if kind == "q" else "classical bits"
            raise self.source.error(
                f"A program has at most {limit:,} {what}; this makes {have + size:,}.", match.start(3)
            )
        if kind == "q":
            self.qregs[name] = self.circuit.add_qubits(size, name)
        else:
            self.cregs[name] = self.circuit.add_clbits(size, name)
        return match.end()

    def check_length(self, name: str, offset: int) -> None:
        if len(name) > self.limits.token_length:
            raise self.source.error(
                f"A name has at most {self.limits.token_length} characters; this one has {len(name)}.", offset
            )

    def number(self, digits: str, offset: int) -> int:
        if len(digits) > 18:
            raise self.source.error(f"This number of {len(digits)} digits is too large.", offset)
        return int(digits)

    # definitions ----------------------------------------------------------------------------------------------
    def declare(self, name: str, gate: _AnyGate, offset: int) -> None:
        self.check_length(name, offset)
        if name in self.defined or name in ("U", "CX"):
            raise self.source.error(f"Gate '{name}' is defined already.", offset)
        self.defined.add(name)
        self.gates[name] = gate
        self.forget()

    def forget(self) -> None:
        """A name has a new meaning: calls are looked up again."""
        self.program.gates_of.clear()
        self.flat.clear()

    def definition(self, at: int, start: int) -> int:
        match = _GATE.match(self.source.text, at)
        if match is None:
            raise self.source.error(
                "A gate definition has the form 'gate name(parameters) qubits { gate calls }'.", start
            )
        name = match.group(1)
        formals = self.names(match, 2, "parameter")
        wires = self.names(match, 3, "qubit")
        if not wires:
            raise self.source.error(f"Gate '{name}' acts on at least one qubit.", match.start(1))
        parameters = [Parameter(formal) for formal in formals]
        body = Circuit(len(wires))
        scope = _Scope(body, dict(zip(formals, parameters, strict=True)), {wire: k for k, wire in enumerate(wires)})
        self.body(scope, name, match.start(4), match.end(4))
        try:
            defined = GateDefinition(name, parameters, body)
            self.declare(name, defined, match.start(1))
            self.values.add(defined)
        except QasmError:
            raise
        except QsimError as error:
            raise self.source.error(str(error), match.start(1)) from None
        return match.end()

    def names(self, match: re.Match[str], group: int, what: str) -> list[str]:
        """The formal names of a definition, separated by commas."""
        text, offset = match.group(group) or "", match.start(group)
        result: dict[str, None] = {}
        if not text.strip():
            return []
        for part in text.split(","):
            name = _NAME.match(part)
            if name is None or name.group(1) in result:
                rule = f"The {what}s of a gate are different names separated by commas"
                raise self.source.error(f"{rule}; got '{part.strip()[:40]}'.", offset)
            self.check_length(name.group(1), offset)
            result[name.group(1)] = None
            offset += len(part) + 1
        return list(result)

    def body(self, scope: _Scope, name: str, at: int, end: int) -> None:
        text = self.source.text
        while _first(text, at) < end:
            match = _CALL.match(text, at, end)
            if match is None:
                start = _first(text, at)
                raise self.source.error("The body of a gate holds gate calls, each ending with ';'.", start)
            word = match.group(1)
            if word == "barrier":
                qubits = [q for group in self.operands(scope, match.group(3), match.start(3), -1) for q in group]
                scope.circuit.barrier(qubits)
            elif word in _KEYWORDS:
                raise self.source.error(f"The body of a gate holds gate calls only, no '{word}'.", match.start(1))
            elif word == name and word not in self.gates:
                raise self.source.error(f"A gate cannot use itself; '{name}' does.", match.start(1))
            else:
                self.call(scope, match)
            at = match.end()

    # gate calls -----------------------------------------------------------------------------------------------
    def call(self, scope: _Scope, match: re.Match[str]) -> None:
        name, parameter_text, operand_text = match.groups()
        gate = self.gates.get(name)
        if gate is None or type(gate) is _Opaque:
            self.unknown_gate(name, match.start(1), gate)
        operands = scope.operands_of.get(operand_text)
        if operands is None:
            operands = scope.operands_of[operand_text] = self.operands(scope, operand_text, match.start(3), -1)
        num_qubits = gate.num_qubits  # type: ignore[union-attr]
        if len(operands[0]) != num_qubits:
            raise self.source.error(
                f"Gate '{name}' acts on {num_qubits} qubit{'s' * (num_qubits != 1)}, got {len(operands[0])}.",
                match.start(3),
            )
        params: tuple[Value, ...] = ()
        if parameter_text is not None:
            known = scope.params_of.get(parameter_text)
            if known is None:
                reader = ExpressionParser(self.source, match.start(2), match.end(2), scope.parameters, self.limits)
                known = scope.params_of[parameter_text] = reader.list()
            params = known
        if len(params) != gate.num_params:  # type: ignore[union-attr]
            expected = gate.num_params  # type: ignore[union-attr]
            at = match.start(2) if parameter_text is not None else match.start(1)
            raise self.source.error(
                f"Gate '{name}' takes {expected} parameter{'s' * (expected != 1)}, got {len(params)}.", at
            )
        circuit = scope.circuit
        if isinstance(gate, GateRow):
            self.charge(len(operands), match.start(1))
            if scope is self.program and len(operands) == 1:
                self.flat[name, operand_text] = (gate.code, gate.num_params, operands[0])
            for qubits in operands:
                if scope.qubits is None:  # numbers in range, and no symbols: straight into the columns
                    circuit._rows.extend((gate.code, len(circuit._operands), num_qubits, len(circuit._values), 0, 0))
                    circuit._operands.extend(qubits)
                    circuit._values.extend(params)  # type: ignore[arg-type]
                else:
                    circuit._add(gate, qubits, params)
        else:
            assert isinstance(gate, GateDefinition)
            applied = scope.gates_of.get((name, parameter_text or ""))
            if applied is None:
                if scope.qubits is None and params and gate in self.values.partial:
                    try:
                        self.values.check(gate, params)
                    except ParameterError as error:
                        raise self.source.error(f"Gate '{name}' has no meaning here: {error}", match.start(2)) from None
                applied = scope.gates_of[name, parameter_text or ""] = Gate(gate, *params)
            self.charge(max(gate.size, 1) * len(operands), match.start(1))
            for qubits in operands:
                circuit._append(applied, qubits, ())

    def charge(self, gates: int, offset: int) -> None:
        """Count what a statement adds, before it is added."""
        self.count += gates
        if self.count > self.limits.operations:
            raise self.source.error(
                f"A program has at most {self.limits.operations:,} gates when definitions are expanded; "
                f"this statement makes it {self.count:,}.",
                offset,
            )

    def unknown_gate(self, name: str, offset: int, gate: _AnyGate | None) -> NoReturn:
        shown = name if len(name) <= 80 else name[:80] + "..."
        if gate is not None:
            raise self.source.error(f"Gate '{shown}' is opaque: it has no body, so it cannot be run.", offset)
        if name in _VERSION_3:
            raise self.source.error(
                f"'{name}' belongs to OpenQASM 3; this program is OpenQASM 2. Write 'OPENQASM 3.0;' first.", offset
            )
        if _ASSIGNMENT.match(self.source.text, offset):
            raise self.source.error(
                "An assignment belongs to OpenQASM 3; here a measurement has the form 'measure qubits -> bits;'.",
                offset,
            )
        if not self.included and name in QELIB1_NAMES:
            raise self.source.error(
                f"Gate '{name}' comes with an include. Add 'include \"qelib1.inc\";' after the version line.", offset
            )
        hint = " Did you mean 'cx'?" if name.lower() in ("cnot", "not") else ""
        if not hint and len(name) <= 80:
            hint = suggestion(name, self.gates)
        raise self.source.error(f"There is no gate called '{shown}'.{hint}", offset)

    def operands(self, scope: _Scope, text: str, offset: int, classical: int) -> _Operands:
        """The tuples of qubits (of bits where `classical` is the operand's index) that a statement goes through."""
        groups: list[Sequence[int]] = []
        single: list[bool] = []
        at = offset
        for k, part in enumerate(text.split(",")):
            match = _OPERAND.match(part)
            place = at + len(part) - len(part.lstrip())
            if match is None:
                unseparated = _UNSEPARATED.match(part)
                if unseparated is not None:
                    raise self.source.error(
                        "Operands are separated by ',' and a statement ends with ';'; after "
                        f"'{unseparated.group().strip()[:40]}' there is neither.",
                        at + unseparated.end(),
                    )
                shown = part.strip()[:40]
                raise self.source.error(
                    f"An operand is a register or one of its elements, like q[0]; got '{shown}'.", place
                )
            name, index = match.groups()
            indices = self.indices(scope, name, place, k == classical)
            if index is None:
                groups.append(indices)
                single.append(scope.qubits is not None)
            else:
                if scope.qubits is not None:
                    raise self.source.error(
                        f"In the body of a gate a qubit has no index; '{name}' is one qubit.", place
                    )
                number = self.number(index, place)
                if number >= len(indices):
                    raise self.source.error(
                        f"Register '{name}' has elements 0 to {len(indices) - 1}; there is no {name}[{number}].", place
                    )
                groups.append(indices[number : number + 1])
                single.append(True)
            at += len(part) + 1
        lengths = {len(group) for group, one in zip(groups, single, strict=True) if not one}
        if len(lengths) > 1:
            raise self.source.error(
                f"Registers in one statement have one size; here they have {' and '.join(map(str, sorted(lengths)))}.",
                offset,
            )
        times = lengths.pop() if lengths else 1
        result = [
            tuple(group[0] if one else group[k] for group, one in zip(groups, single, strict=True))
            for k in range(times)
        ]
        for qubits in result:
            if classical < 0 and len(set(qubits)) != len(qubits):
                raise self.source.error("A gate acts on different qubits; here one is given twice.", offset)
        return result

    def indices(self, scope: _Scope, name: str, offset: int, classical: bool) -> Sequence[int]:
        if scope.qubits is not None:
            if name not in scope.qubits:
                raise self.source.error(
                    f"This gate has no qubit '{name[:80]}'.{suggestion(name[:80], scope.qubits)}", offset
                )
            return (scope.qubits[name],)
        wanted, other = (self.cregs, self.qregs) if classical else (self.qregs, self.cregs)
        register = wanted.get(name)
        if register is None:
            kind = "classical" if classical else "quantum"
            if name in other:
                raise self.source.error(
                    f"A {kind} register is needed here; '{name}' is a {'quantum' if classical else 'classical'} one.",
                    offset,
                )
            raise self.source.error(
                f"There is no {kind} register '{name[:80]}'.{suggestion(name[:80], wanted)}", offset
            )
        return register.indices

    # everything else ------------------------------------------------------------------------------------------
    def measure(self, circuit: Circuit, match: re.Match[str]) -> None:
        text, offset = match.group(3), match.start(3)
        pairs = self.measures.get(text)
        if pairs is None:
            if match.group(2) is not None or text.count("->") != 1:
                raise self.source.error("A measurement has the form 'measure qubits -> bits;'.", match.start(1))
            both = self.operands(self.program, text.replace("->", " ,"), offset, 1)
            if len(both) > 1 and len({q for q, _ in both}) != len({c for _, c in both}):
                raise self.source.error("A register is measured into one of the same size.", offset)
            pairs = self.measures[text] = [(q, c) for q, c in both]
        self.charge(len(pairs), match.start(1))
        for pair in pairs:
            circuit._rows.extend((MEASURE, len(circuit._operands), 2, 0, 0, 0))
            circuit._operands.extend(pair)

    def operation(self, circuit: Circuit, word: str, at: int, start: int) -> int:
        match = _CALL.match(self.source.text, at)
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

    def one_each(self, match: re.Match[str]) -> _Operands:
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
            raise self.source.error("A condition has the form 'if (register == number) operation;'.", start)
        name, digits = match.groups()
        if len(digits) > self.limits.token_length:
            raise self.source.error(f"A number has at most {self.limits.token_length} digits.", match.start(2))
        condition = self.conditions.get((name, digits))
        if condition is None:
            bits = Bits(tuple(self.indices(self.program, name, match.start(1), True)))
            condition = self.conditions[name, digits] = ClassicalOperation("==", (bits, Literal(int(digits))))
        inner = _CALL.match(text, match.end())
        if inner is None:
            braces = " Braces belong to OpenQASM 3." if text.startswith("{", _first(text, match.end())) else ""
            raise self.source.error(
                f"After 'if (...)' comes a gate call, a measurement or a reset.{braces}", match.end()
            )
        word = inner.group(1)
        block = self.circuit.block()
        if word in ("measure", "reset"):
            self.operation(block, word, match.end(), inner.start(1))
        elif word in _KEYWORDS:
            raise self.source.error(
                f"After 'if (...)' comes a gate call, a measurement or a reset, not '{word}'.", inner.start(1)
            )
        else:
            scope = _Scope(block, {}, None)
            scope.operands_of, scope.params_of, scope.gates_of = (
                self.program.operands_of, self.program.params_of, self.program.gates_of,
            )  # fmt: skip
            self.call(scope, inner)
        self.circuit._append_other(IfElse(condition, block), (), ())
        return inner.end()

"""Gate calls, their operands, and gate definitions of OpenQASM 2.0."""

from __future__ import annotations

import os
import re
from array import array
from collections.abc import Mapping, Sequence
from typing import NoReturn

from parsers.definitions2 import ValueCheck
from parsers.errors import Consequence, QasmError, Source
from parsers.expressions2 import ExpressionParser
from parsers.hints import gate_hint
from parsers.library import QELIB1_EXTRAS, QELIB1_NAMES
from parsers.limits import Limits
from qsim.circuit import GATE_OBJECT, Circuit, GateDefinition, Register
from qsim.classical import ClassicalOperation, IfElse
from qsim.errors import ParameterError, QsimError, suggestion
from qsim.gates import GATES, Gate, GateRow
from qsim.parameters import Parameter, Value

CALL = re.compile(r"\s*([A-Za-z_]\w*)\s*(?:\(([^;{}\"]*)\))?\s*([^;{}()\"]*);")
KEYWORDS = {"OPENQASM", "include", "qreg", "creg", "gate", "opaque", "if", "measure", "reset", "barrier"}
VERSION_3 = frozenset(
    "qubit bit let const input output def for while "
    "int uint float angle bool ctrl negctrl inv pow gphase box end nop switch return extern duration stretch complex array cal "
    "defcal break continue".split()
)
_OPERAND = re.compile(r"\s*([A-Za-z_]\w*)\s*(?:\[\s*(\d+)\s*\]\s*)?\Z")
_GATE = re.compile(r"\s*gate\s+([A-Za-z_]\w*)\s*(?:\(([^(){};]*)\))?\s*([^(){};]*)\{([^{}]*)\}")
_NAME = re.compile(r"\s*([A-Za-z_]\w*)\s*\Z")
#: Two operands, or two statements, with nothing between them.
_UNSEPARATED = re.compile(r"\s*[A-Za-z_]\w*\s*(?:\[\s*\d+\s*\])?(?=\s+[A-Za-z_])")
_ASSIGNMENT = re.compile(r"\s*[A-Za-z_]\w*\s*(?:\[[^\];]*\]\s*)?=(?!=)")
_SPACE = re.compile(r"\s*")


def after_space(text: str, at: int) -> int:
    """The offset of what comes after space."""
    match = _SPACE.match(text, at)
    assert match is not None
    return match.end()


class Opaque:
    """A gate that is declared without a body."""

    def __init__(self, name: str) -> None:
        self.name = name


AnyGate = GateRow | GateDefinition | Opaque
Operands = list[tuple[int, ...]]


class Scope:
    """What names mean where a gate is called: in the program, or in the body of a definition."""

    def __init__(self, circuit: Circuit, parameters: Mapping[str, Value], qubits: dict[str, int] | None) -> None:
        self.circuit = circuit
        self.parameters = parameters
        self.qubits = qubits  # formal qubits of a definition; None in the program
        self.params_of: dict[str, tuple[Value, ...]] = {}
        self.operands_of: dict[str, Operands] = {}
        self.gates_of: dict[tuple[str, str], Gate] = {}


class Calls:
    """What a program has declared, and its gate calls."""

    source: Source  # the file that is read

    def __init__(self, include_dirs: Sequence[str | os.PathLike[str]], limits: Limits) -> None:
        self.include_dirs = include_dirs
        self.limits = limits
        self.circuit = Circuit()
        self.program = Scope(self.circuit, {}, None)
        self.gates: dict[str, AnyGate] = {"U": GATES["u"], "CX": GATES["cx"]}
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
        self.errors: list[QasmError] = []
        self.tried = 0
        self.broken: set[str] = set()  # names whose declaration is wrong
        #: Conditional statements that were read, by their text, and how many gates each counts.
        self.branches: dict[str, tuple[IfElse, int]] = {}

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
    def declare(self, name: str, gate: AnyGate, offset: int) -> None:
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
        self.branches.clear()

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
            raise self.source.error(
                f"Gate '{name}' acts on at least one qubit, which has a name of its own: 'gate {name[:40]} a {{ ... }}'.",
                match.start(1),
            )
        parameters = [Parameter(formal) for formal in formals]
        body = Circuit(len(wires))
        scope = Scope(body, dict(zip(formals, parameters, strict=True)), {wire: k for k, wire in enumerate(wires)})
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

    def opaque(self, declared: re.Match[str]) -> AnyGate:
        """A gate without a body: one that is known by its name, number of parameters and of qubits, or an unknown one."""
        name, params, qubits = declared.group(1), self.names(declared, 2, "parameter"), self.names(declared, 3, "qubit")
        known = GATES.get({**QELIB1_NAMES, **QELIB1_EXTRAS, "delay": "u0"}.get(name, ""))
        if known is not None and (known.num_params, known.num_qubits) == (len(params), len(qubits)):
            return known
        return Opaque(name)

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

    def body(self, scope: Scope, name: str, at: int, end: int) -> None:
        text = self.source.text
        while after_space(text, at) < end:
            match = CALL.match(text, at, end)
            if match is None:
                start = after_space(text, at)
                raise self.source.error("The body of a gate holds gate calls, each ending with ';'.", start)
            word = match.group(1)
            if word == "barrier":
                qubits = [q for group in self.operands(scope, match.group(3), match.start(3), -1) for q in group]
                scope.circuit.barrier(qubits)
            elif word in KEYWORDS:
                raise self.source.error(f"The body of a gate holds gate calls only, no '{word}'.", match.start(1))
            elif word == name and word not in self.gates:
                raise self.source.error(f"A gate cannot use itself; '{name}' does.", match.start(1))
            else:
                self.call(scope, match)
            at = match.end()

    # gate calls -----------------------------------------------------------------------------------------------
    def call(self, scope: Scope, match: re.Match[str]) -> None:
        name, parameter_text, operand_text = match.groups()
        gate = self.gates.get(name)
        if gate is None or type(gate) is Opaque:
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
            if scope.qubits is not None:
                for qubits in operands:
                    circuit._append(applied, qubits, ())
                return
            index = len(circuit._objects)  # numbers as parameters: nothing to check, and one object for all
            circuit._objects.append(applied)
            for qubits in operands:
                circuit._rows.extend((GATE_OBJECT, len(circuit._operands), num_qubits, index, 0, 0))
                circuit._operands.extend(qubits)

    def charge(self, gates: int, offset: int) -> None:
        """Count what a statement adds, before it is added."""
        self.count += gates
        if self.count > self.limits.operations:
            raise self.source.error(
                f"A program has at most {self.limits.operations:,} gates when definitions are expanded; "
                f"this statement makes it {self.count:,}. Raise the limit: Limits(operations=...).",
                offset,
            )

    def unknown_gate(self, name: str, offset: int, gate: AnyGate | None) -> NoReturn:
        shown = name if len(name) <= 80 else name[:80] + "..."
        if name in self.broken:
            raise Consequence(f"The declaration of '{shown}' is wrong.", self.source.filename)
        if gate is not None:
            raise self.source.error(f"Gate '{shown}' is opaque: it has no body, so it cannot be run.", offset)
        if name in VERSION_3:
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
        if name in self.qregs or name in self.cregs:
            raise self.source.error(
                f"'{name}' is a register, not a gate; a gate call has the form 'name(parameters) qubits;'.", offset
            )
        raise self.source.error(f"There is no gate called '{shown}'.{gate_hint(name, self.gates)}", offset)

    def operands(self, scope: Scope, text: str, offset: int, classical: int) -> Operands:
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
                if not shown:
                    rule = "Here an operand is missing: qubits stand after the name and parameters, without brackets: 'cx a, b;'."
                    raise self.source.error(rule, place)
                if re.match(r"[A-Za-z_]\w*\s*\[", shown):
                    raise self.source.error(
                        f"An index is a number from 0, as in q[0]; got '{shown}'. Ranges and variables belong to OpenQASM 3.",
                        place,
                    )
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

    def indices(self, scope: Scope, name: str, offset: int, classical: bool) -> Sequence[int]:
        if scope.qubits is not None:
            if name not in scope.qubits:
                raise self.source.error(
                    f"This gate has no qubit '{name[:80]}'.{suggestion(name[:80], scope.qubits)}", offset
                )
            return (scope.qubits[name],)
        wanted, other = (self.cregs, self.qregs) if classical else (self.qregs, self.cregs)
        register = wanted.get(name)
        if register is None:
            if name in self.broken:
                raise Consequence(f"The declaration of '{name[:80]}' is wrong.", self.source.filename)
            kind = "classical" if classical else "quantum"
            if name in other:
                raise self.source.error(
                    f"A {kind} register is needed here; '{name}' is a {'quantum' if classical else 'classical'} one.",
                    offset,
                )
            raise self.source.error(
                f"There is no {kind} register '{name[:80]}'.{suggestion(name[:80], wanted)}", offset
            )
        if not register.indices:  # exporters declare those; they have no use
            raise self.source.error(f"Register '{name[:80]}' has no elements, so nothing can be done with it.", offset)
        return register.indices

"""Gate calls and gate definitions of OpenQASM 3."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

from parsers.library import STDGATES_NAMES
from parsers.synthesis import angles_of, as_table_phase, definitions_first, matrix_circuit
from parsers.writer import Names
from parsers.writer_classical import refuse
from parsers.writer_gates import DEFINITIONS3, PHASED3, ROWS3, STANDARD3
from parsers.writer_values import number_text, value_text
from qsim.circuit import Circuit, GateDefinition
from qsim.gates import Gate, GateRow, UnitaryMatrix
from qsim.parameters import Parameter, Value

#: Qubits of the widest matrix that is written out: it takes some 4**n / 2 gates.
MATRIX_QUBITS = 8
#: Times that a gate is written for its power, where a power cannot be written.
MOST_REPEATED = 64


class GateWriter:
    """Writes gates, and collects the definitions that they need."""

    def __init__(self, names: Names, standalone: bool, wished: Iterable[str] = ()) -> None:
        self.names = names
        #: What qubits and angles are called inside definitions, with a number: like no register and no parameter of
        #: `wished`, because Braket's reader mistakes one for the other.
        self.wire, self.angle = (_unlike(wished, choices) for choices in (("q", "wire"), ("a", "angle")))
        self.standalone = standalone
        self.definitions: list[str] = []
        #: Gates of this module's tables, definitions and matrices -> their names in the text.
        self.written: dict[object, str] = {} if standalone else {name: name for name in STDGATES_NAMES}
        self.powers: dict[object, GateDefinition] = {}
        self.written.update({"U": "U", "gphase": "gphase"})

    def call(self, gate: Gate, qubits: Sequence[str], parameters: dict[str, str], *, top: bool = False) -> str:
        """One gate call, modifiers included; `top` for one outside of definitions."""
        gate = as_table_phase(gate)
        if self.standalone and any(power != -1 for power in gate.powers):
            gate = self._without_power(gate)
        if self.standalone and gate.controls and gate.name == "gphase" and isinstance(gate.base, GateRow):
            return self._controlled_phase(gate, qubits, parameters)
        modifiers = ""
        for value, count in _runs(gate.controls):
            word = "ctrl" if value else "negctrl"
            modifiers += f"{word} @ " if count == 1 else f"{word}({count}) @ "
        for power in reversed(gate.powers):
            modifiers += (
                "inv @ " if power == -1 else f"pow({int(power) if power.is_integer() else number_text(power)}) @ "
            )
        name = self.base(gate.base, phase_shows=bool(modifiers) or self.standalone or not top)
        params = ", ".join(value_text(p, parameters) for p in gate.params)
        operands = (" " + ", ".join(qubits)) if qubits else ""
        return f"{modifiers}{name}{f'({params})' if params else ''}{operands};"

    def _controlled_phase(self, gate: Gate, qubits: Sequence[str], parameters: dict[str, str]) -> str:
        """A phase where all controls have their values, without `gphase`: one of the last control, under the others."""
        plain = self.call(Gate("p", *gate.params)._with(controls=gate.controls[:-1]), qubits, parameters)
        if gate.controls[-1]:
            return plain
        name = self._row("p_of_0")
        return re.sub(rf"(^|@ ){self._row('p')}(?=\()", rf"\g<1>{name}", plain)

    def _phase(self, value: Value, wire: str, parameters: dict[str, str]) -> str:
        """A global phase inside a definition."""
        text = value_text(value, parameters)
        return f"{self._row('global_phase')}({text}) {wire};" if self.standalone else f"gphase({text});"

    def _without_power(self, gate: Gate) -> Gate:
        """The same gate with its power as a matrix or as repetitions.

        Braket's reader takes the power of a definition as that of each of its gates, which is another gate.
        """
        base, wide = gate.base, gate.base.num_qubits > MATRIX_QUBITS
        if not gate.is_symbolic and not wide:
            return Gate(UnitaryMatrix(gate.base_matrix(), f"{gate.name}_power"))._with(controls=gate.controls)
        exponent = math.prod(gate.powers)
        if not all(power.is_integer() for power in gate.powers) or abs(exponent) > MOST_REPEATED:
            return gate
        key = (base, exponent)
        if key not in self.powers:
            formals = [Parameter(f"a{k}") for k in range(len(gate.params))]
            body, once = Circuit(base.num_qubits), Gate(base, *formals)
            for _ in range(abs(int(exponent))):
                body.append(once if exponent > 0 else once._with(powers=(-1.0,)), range(base.num_qubits))
            self.powers[key] = GateDefinition(f"{gate.name}_power", formals, body)
        return gate._with(base=self.powers[key], powers=())

    def base(self, base: GateRow | GateDefinition | UnitaryMatrix, *, phase_shows: bool) -> str:
        """The name of a gate without modifiers, after it has been defined where it has to be."""
        if isinstance(base, GateRow):
            name = PHASED3[base.name] if phase_shows and base.name in PHASED3 else ROWS3.get(base.name, base.name)
            *modifiers, last = name.split()
            return " ".join([*modifiers, self._row(last)])
        known = self.written.get(base)
        if known is None:
            for definition in definitions_first(base, self.written) if isinstance(base, GateDefinition) else [base]:
                known = self.written[definition] = self._define(definition)
        assert known is not None
        return known

    def _row(self, name: str) -> str:
        known = self.written.get(name)
        if known is not None:
            return known
        text, uses = DEFINITIONS3.get(name) or STANDARD3[name]
        renamed = {used: self._row(used) for used in uses}
        renamed[name] = self.written[name] = self.names.free(name)
        head = re.fullmatch(r"gate \w+(?:\(([^)]*)\))? ([^{]*) \{.*", text)
        assert head is not None
        for group, prefix in ((head.group(1) or "", self.angle), (head.group(2), self.wire)):
            renamed.update({formal: f"{prefix}{k}" for k, formal in enumerate(re.findall(r"\w+", group))})
        self.definitions.append(re.sub(r"[A-Za-z_]\w*", lambda word: renamed.get(word.group(), word.group()), text))
        return self.written[name]

    def _define(self, base: GateDefinition | UnitaryMatrix) -> str:
        if isinstance(base, GateDefinition):
            return self._define_body(
                base.name, base.body, {p.name: f"{self.angle}{k}" for k, p in enumerate(base.parameters)}
            )
        if base.num_qubits == 1:
            phase, *angles = angles_of(base.matrix)
            u, name = self._row("u"), self._name(base.name)
            self.definitions.append(
                f"gate {name} {self.wire}0 {{ {self._phase(phase, f'{self.wire}0', {})} "
                f"{u}({', '.join(map(number_text, angles))}) {self.wire}0; }}"
            )
            return name
        if base.num_qubits > MATRIX_QUBITS:
            refuse(
                f"A matrix on at most {MATRIX_QUBITS} qubits is written as gates; '{base.name}' has {base.num_qubits}. "
                "Write it as gates yourself."
            )
        return self._define_body(base.name, matrix_circuit(base.matrix), {})

    def _define_body(self, wish: str, body: Circuit, formals: dict[str, str]) -> str:
        wires = [f"{self.wire}{k}" for k in range(body.num_qubits)]
        lines = []
        if body.global_phase != 0.0:
            lines.append("  " + self._phase(body.global_phase, wires[0], formals))
        for instruction in body:
            if isinstance(instruction.operation, Gate):  # what else there may be, a barrier or delay, is no gate
                gate = as_table_phase(instruction.operation)
                if gate.num_qubits:
                    lines.append("  " + self.call(gate, [wires[q] for q in instruction.qubits], formals))
                else:
                    lines.append("  " + self._phase(gate.params[0], wires[0], formals))
        name = self._name(wish)
        bracket = f"({', '.join(formals.values())})" if formals else ""
        self.definitions += [f"gate {name}{bracket} {', '.join(wires)} {{", *lines, "}"]
        return name

    def _name(self, wish: str) -> str:
        """A free name, none of the names of parameters and qubits inside definitions."""
        formal = re.fullmatch(rf"(?:{self.wire}|{self.angle})[0-9]*", wish) is not None
        return self.names.free(f"gate_{wish}" if formal else wish, "gate_")


def _unlike(wished: Iterable[str], choices: tuple[str, str]) -> str:
    """The first prefix for numbered names that no wished name has."""
    first, second = choices
    for prefix in (first, second, *(second + "_" * k for k in range(1, 1000))):
        if not any(re.fullmatch(rf"{prefix}[0-9]+", name) for name in wished):
            return prefix
    return second  # such names are made on purpose: no reader but Braket's minds


def _runs(controls: Sequence[int]) -> list[tuple[int, int]]:
    """Equal neighbours with how many there are."""
    runs: list[tuple[int, int]] = []
    for value in controls:
        if runs and runs[-1][0] == value:
            runs[-1] = (value, runs[-1][1] + 1)
        else:
            runs.append((value, 1))
    return runs

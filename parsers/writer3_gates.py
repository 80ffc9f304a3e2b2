"""Gate calls and gate definitions of OpenQASM 3."""

from __future__ import annotations

import re
from collections.abc import Sequence

from parsers.library import STDGATES_NAMES
from parsers.synthesis import angles_of, matrix_circuit
from parsers.writer import Names
from parsers.writer_classical import refuse
from parsers.writer_gates import DEFINITIONS3, PHASED3, ROWS3, STANDARD3
from parsers.writer_values import number_text, value_text
from qsim.circuit import Circuit, GateDefinition
from qsim.gates import Gate, GateRow, UnitaryMatrix

#: Qubits of the widest matrix that is written out: it takes some 4**n / 2 gates.
MATRIX_QUBITS = 8


class GateWriter:
    """Writes gates, and collects the definitions that they need."""

    def __init__(self, names: Names, standalone: bool) -> None:
        self.names = names
        self.standalone = standalone
        self.definitions: list[str] = []
        #: Gates of this module's tables, definitions and matrices -> their names in the text.
        self.written: dict[object, str] = {} if standalone else {name: name for name in STDGATES_NAMES}
        self.written.update({"U": "U", "gphase": "gphase"})

    def call(self, gate: Gate, qubits: Sequence[str], parameters: dict[str, str], *, top: bool = False) -> str:
        """One gate call, modifiers included; `top` for one outside of definitions."""
        modifiers = ""
        for value, count in _runs(gate.controls):
            word = "ctrl" if value else "negctrl"
            modifiers += f"{word} @ " if count == 1 else f"{word}({count}) @ "
        for power in reversed(gate.powers):
            modifiers += (
                "inv @ " if power == -1 else f"pow({int(power) if power.is_integer() else number_text(power)}) @ "
            )
        name = self.base(gate.base, phase_shows=bool(modifiers) or not top)
        params = ", ".join(value_text(p, parameters) for p in gate.params)
        operands = (" " + ", ".join(qubits)) if qubits else ""
        return f"{modifiers}{name}{f'({params})' if params else ''}{operands};"

    def base(self, base: GateRow | GateDefinition | UnitaryMatrix, *, phase_shows: bool) -> str:
        """The name of a gate without modifiers, after it has been defined where it has to be."""
        if isinstance(base, GateRow):
            name = PHASED3[base.name] if phase_shows and base.name in PHASED3 else ROWS3.get(base.name, base.name)
            *modifiers, last = name.split()
            return " ".join([*modifiers, self._row(last)])
        known = self.written.get(base)
        if known is None:
            known = self.written[base] = self._define(base)
        return known

    def _row(self, name: str) -> str:
        known = self.written.get(name)
        if known is not None:
            return known
        text, uses = DEFINITIONS3.get(name) or STANDARD3[name]
        renamed = {used: self._row(used) for used in uses}
        renamed[name] = self.written[name] = self.names.free(name)
        if any(old != new for old, new in renamed.items()):
            text = re.sub(r"\w+", lambda word: renamed.get(word.group(), word.group()), text)
        self.definitions.append(text)
        return self.written[name]

    def _define(self, base: GateDefinition | UnitaryMatrix) -> str:
        if isinstance(base, GateDefinition):
            return self._define_body(base.name, base.body, {p.name: f"a{k}" for k, p in enumerate(base.parameters)})
        if base.num_qubits == 1:
            phase, *angles = angles_of(base.matrix)
            u, name = self._row("u"), self._name(base.name)
            self.definitions.append(
                f"gate {name} q {{ gphase({number_text(phase)}); {u}({', '.join(map(number_text, angles))}) q; }}"
            )
            return name
        if base.num_qubits > MATRIX_QUBITS:
            refuse(
                f"A matrix on at most {MATRIX_QUBITS} qubits is written as gates; '{base.name}' has {base.num_qubits}. "
                "Write it as gates yourself."
            )
        return self._define_body(base.name, matrix_circuit(base.matrix), {})

    def _define_body(self, wish: str, body: Circuit, formals: dict[str, str]) -> str:
        wires = [f"q{k}" for k in range(body.num_qubits)]
        lines = []
        if body.global_phase != 0.0:
            lines.append(f"  gphase({value_text(body.global_phase, formals)});")
        for instruction in body:
            if isinstance(instruction.operation, Gate):  # what else there may be, a barrier or delay, is no gate
                lines.append("  " + self.call(instruction.operation, [wires[q] for q in instruction.qubits], formals))
        name = self._name(wish)
        bracket = f"({', '.join(formals.values())})" if formals else ""
        self.definitions += [f"gate {name}{bracket} {', '.join(wires)} {{", *lines, "}"]
        return name

    def _name(self, wish: str) -> str:
        """A free name, none of the names of parameters and qubits inside definitions."""
        return self.names.free(f"gate_{wish}" if re.fullmatch(r"[aq][0-9]*", wish) else wish, "gate_")


def _runs(controls: Sequence[int]) -> list[tuple[int, int]]:
    """Equal neighbours with how many there are."""
    runs: list[tuple[int, int]] = []
    for value in controls:
        if runs and runs[-1][0] == value:
            runs[-1] = (value, runs[-1][1] + 1)
        else:
            runs.append((value, 1))
    return runs

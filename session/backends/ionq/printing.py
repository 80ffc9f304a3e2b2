"""Circuits as IonQ takes them: its subset of OpenQASM 3, and lists of ``qis`` gates in JSON.

The text holds an include, one register of qubits, registers of bits, gates of stdgates.inc, measurements and, where the
target takes them, measurements in the middle and resets: nothing else, because what is outside IonQ's subset
(docs.ionq.com, API reference v0.4, "OpenQASM 3") is taken at submission and fails later. JSON is for jobs of several
circuits, which have no text form; IonQ measures all qubits at its end.
"""

from __future__ import annotations

from typing import Any

from parsers.library import STDGATES_NAMES
from parsers.writer import Names, names3
from qsim.circuit import Barrier, Circuit, Instruction, Measure, Reset
from qsim.gates import Gate
from session.backends.readout import Readout
from session.errors import SessionError

#: Gates of stdgates.inc that mean the same to every reader; ``u1``, ``u2``, ``u3`` and ``cu`` are left out.
QASM3_GATES = frozenset("id x y z h s sdg t tdg sx p rx ry rz cx cy cz ch cp crx cry crz swap ccx cswap".split())
#: Our names of gates -> IonQ's in a ``qis`` list (schema QisGate). ``xx``, ``yy`` and ``zz`` are left out.
QIS_GATES: dict[str, str] = {
    "x": "x", "y": "y", "z": "z", "h": "h", "s": "s", "sdg": "si", "t": "t", "tdg": "ti", "sx": "v", "sxdg": "vi",
    "rx": "rx", "ry": "ry", "rz": "rz", "cx": "cnot", "swap": "swap",
}  # fmt: skip
#: Registers that IonQ adds to results of its own.
_RESERVED = ("output_all",)


def qasm3(circuit: Circuit, read: Readout) -> tuple[str, list[tuple[str, int]]]:
    """A circuit of `QASM3_GATES` as text, and the names and sizes of its registers of bits, in the order of `read`.

    Registers are called as in the circuit where that is possible, and hold the bits that are written, no others. Barriers
    are left out; the global phase has no effect. Where nothing is measured midway, all measurements are at the end.

    >>> from session.backends.readout import readout
    >>> bell = Circuit(2).h(0).cx(0, 1).measure_all()
    >>> print(qasm3(bell, readout(bell))[0])
    OPENQASM 3.0;
    include "stdgates.inc";
    qubit[2] q;
    bit[2] c;
    h q[0];
    cx q[0], q[1];
    c[0] = measure q[0];
    c[1] = measure q[1];
    <BLANKLINE>
    """
    names = _names()
    lines = ["OPENQASM 3.0;", 'include "stdgates.inc";', f"qubit[{max(circuit.num_qubits, 1)}] q;"]
    texts: dict[int, str] = {}
    registers: list[tuple[str, int]] = []
    for wish, bits in read.registers:
        name = names.free(wish or "m", "c_")
        registers.append((name, len(bits)))
        lines.append(f"bit[{len(bits)}] {name};")
        texts.update({bit: f"{name}[{k}]" for k, bit in enumerate(bits)})
    statements = list(circuit)
    if read.is_final:  # a measurement before a gate of other qubits would look like one in the middle
        statements.sort(key=lambda instruction: isinstance(instruction.operation, Measure))
    lines += [line for instruction in statements if (line := _statement(instruction, texts))]
    return "\n".join(lines) + "\n", registers


def _names() -> Names:
    names = names3()
    names.reserved |= {*STDGATES_NAMES, *_RESERVED}
    names.taken.add("q")
    ascii_only = names.is_identifier
    names.is_identifier = lambda name: name.isascii() and ascii_only(name)
    return names


def _statement(instruction: Instruction, bits: dict[int, str]) -> str:
    operation = instruction.operation
    qubits = ", ".join(f"q[{qubit}]" for qubit in instruction.qubits)
    if isinstance(operation, Gate):
        angles = f"({', '.join(repr(float(angle)) for angle in operation.params)})" if operation.params else ""
        return f"{operation.name}{angles} {qubits};" if instruction.qubits else ""
    if isinstance(operation, Measure):
        return f"{bits[instruction.clbits[0]]} = measure {qubits};"
    if isinstance(operation, Reset):
        return f"reset {qubits};"
    if isinstance(operation, Barrier):
        return ""
    raise SessionError(f"IonQ has no {type(operation).__name__.lower()}.")


def qis(circuit: Circuit) -> list[dict[str, Any]]:
    """The gates of a circuit of `QIS_GATES` as IonQ's JSON has them; angles are in radians.

    >>> qis(Circuit(2).rx(0.5, 1).cx(1, 0))
    [{'gate': 'rx', 'target': 1, 'rotation': 0.5}, {'gate': 'cnot', 'control': 1, 'target': 0}]
    """
    return [_qis(instruction) for instruction in circuit if isinstance(instruction.operation, Gate)]


def _qis(instruction: Instruction) -> dict[str, Any]:
    operation, qubits = instruction.operation, instruction.qubits
    assert isinstance(operation, Gate)
    gate = QIS_GATES[operation.name]
    if gate == "cnot":
        return {"gate": gate, "control": qubits[0], "target": qubits[1]}
    if gate == "swap":
        return {"gate": gate, "targets": list(qubits)}
    made: dict[str, Any] = {"gate": gate, "target": qubits[0]}
    if operation.params:
        made["rotation"] = float(operation.params[0])
    return made


def gate_counts(circuit: Circuit) -> tuple[int, int]:
    """How many gates act on one qubit, and how many on more."""
    sizes = [len(one.qubits) for one in circuit if isinstance(one.operation, Gate) and one.qubits]
    return sizes.count(1), len(sizes) - sizes.count(1)

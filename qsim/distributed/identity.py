"""What a circuit is, as a digest: ranks compare theirs before they run it."""

from __future__ import annotations

import hashlib
from typing import Any

from qsim.circuit import Circuit, Delay, GateDefinition, Snapshot
from qsim.classical import bodies
from qsim.gates import Gate, UnitaryMatrix


def digest(circuit: Circuit) -> str:
    """Hexadecimal digits that are the same for circuits of the same operations, registers and parameters.

    >>> digest(Circuit(2).h(0)) == digest(Circuit(2).h(0)), digest(Circuit(2).h(0)) == digest(Circuit(2).h(1))
    (True, False)
    """
    result = hashlib.sha256()
    _add_circuit(result, circuit, {})
    return result.hexdigest()[:16]


def digest_of(*parts: Any) -> str:
    """The same of numbers, text and arrays."""
    result = hashlib.sha256()
    for part in parts:
        result.update(part.tobytes() if hasattr(part, "tobytes") else repr(part).encode())
        result.update(b"\0")
    return result.hexdigest()[:16]


def _add_circuit(result: Any, circuit: Circuit, known: dict[int, str]) -> None:
    registers = [(r.name, r.indices) for r in (*circuit.qubit_registers, *circuit.clbit_registers)]
    result.update(repr((circuit.num_qubits, circuit.num_clbits, registers, str(circuit.global_phase))).encode())
    for column in (circuit._rows, circuit._operands, circuit._values):
        result.update(column.tobytes())
    result.update(repr([(k, str(value)) for k, value in sorted(circuit._expressions.items())]).encode())
    for item in circuit._objects:
        if isinstance(item, Gate):
            _add_gate(result, item, known)
            continue
        result.update(repr(item).encode())
        if not isinstance(item, (Delay, Snapshot)):
            for body in bodies(item):
                _add_circuit(result, body, known)


def _add_gate(result: Any, gate: Gate, known: dict[int, str]) -> None:
    base = gate.base
    result.update(repr((base.name, [str(p) for p in gate.params], gate.controls, gate.powers)).encode())
    if isinstance(base, UnitaryMatrix):
        result.update(base.matrix.tobytes())
    elif isinstance(base, GateDefinition):
        if id(base) not in known:
            own = hashlib.sha256(repr([p.name for p in base.parameters]).encode())
            _add_circuit(own, base.body, known)
            known[id(base)] = own.hexdigest()
        result.update(known[id(base)].encode())

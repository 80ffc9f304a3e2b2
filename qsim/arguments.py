"""What a simulator is given, checked before anything runs, and which bits of a circuit its counts show."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import numpy as np

from qsim.circuit import MEASURE, ROW, Circuit, Register
from qsim.errors import CircuitError, QsimError
from qsim.pauli import SparsePauliOp

MAX_SHOTS = 1 << 40


def visible_bits(circuit: Circuit) -> tuple[list[int], list[Register]]:
    """The classical bits that counts show, and the registers of these: bits in no register (of measurements whose outcome
    a program keeps to itself) are not shown."""
    visible = [bit for register in circuit.clbit_registers for bit in register.indices]
    registers, at = [], 0
    for register in circuit.clbit_registers:
        registers.append(Register(register.name, tuple(range(at, at + len(register)))))
        at += len(register)
    return visible, registers


def checked_shots(shots: Any) -> int:
    if isinstance(shots, (bool, np.bool_)) or not isinstance(shots, (int, np.integer)) or not 1 <= shots <= MAX_SHOTS:
        raise QsimError(f"The number of shots is a whole number from 1 to 2**40, got {shots!r}.")
    return int(shots)


def checked_seed(seed: Any) -> int:
    """A seed as it is given, or a new one."""
    if seed is None:
        return secrets.randbits(63)
    if isinstance(seed, (bool, np.bool_)) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 1 << 64:
        raise QsimError(f"A seed is a whole number from 0 to 2**64 - 1, got {seed!r}.")
    return int(seed)


def checked_basis_state(state: Any, num_qubits: int) -> int:
    """The index of a basis state, which is given as that or as a bitstring."""
    if isinstance(state, str) and len(state) == num_qubits and set(state) <= {"0", "1"}:
        return int(state or "0", 2)
    if (
        not isinstance(state, (bool, np.bool_, str))
        and isinstance(state, (int, np.integer))
        and 0 <= state < 1 << num_qubits
    ):
        return int(state)
    raise QsimError(
        f"A basis state of {num_qubits} qubits is an index below 2**{num_qubits} or a string of {num_qubits} characters 0 and "
        f"1, got {state!r}."
    )


def as_operators(observable: Any) -> tuple[bool, list[Any]]:
    """Whether it is a single observable, and a list of it or of them, whose items are yet to be checked."""
    if isinstance(observable, SparsePauliOp):
        return True, [observable]
    try:
        return False, list(observable)
    except TypeError:
        name = type(observable).__name__
        raise QsimError(f"An observable is a SparsePauliOp or a list of them, got {name}.") from None


def checked_rounds(rounds: Any) -> int:
    if isinstance(rounds, (bool, np.bool_)) or not isinstance(rounds, (int, np.integer)) or rounds < 1:
        raise QsimError(f"max_loop_rounds is a whole number of at least 1, got {rounds!r}.")
    return int(rounds)


def parameter_names(circuit: Circuit) -> set[str]:
    """What parameters of a circuit are given by: names of single ones and of arrays."""
    return {p.name if p.array is None else p.array.name for p in circuit.parameters}


def check_circuit(circuit: Any) -> None:
    if not isinstance(circuit, Circuit):
        raise CircuitError(f"A simulator runs a Circuit, got {type(circuit).__name__}.")


def check_measured(circuit: Circuit) -> None:
    if MEASURE not in circuit._rows[::ROW] and not circuit.is_dynamic:
        raise CircuitError("Sampling needs a measurement, and the circuit has none. Add circuit.measure_all().")


def last_measurements(circuit: Circuit) -> Iterator[tuple[int, int]]:
    """Each measured qubit and its bit; of those that write to one bit the last."""
    rows, operands = circuit._rows, circuit._operands
    pairs: dict[int, int] = {}
    for at in range(0, len(rows), ROW):
        if rows[at] == MEASURE:
            clbit = operands[rows[at + 1] + 1]
            pairs.pop(clbit, None)
            pairs[clbit] = operands[rows[at + 1]]
    for clbit, qubit in pairs.items():
        yield qubit, clbit

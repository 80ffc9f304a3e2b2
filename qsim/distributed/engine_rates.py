"""How fast the engine runs passes here: three circuits, timed, and the two rates that explain them best."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from qsim.circuit import Circuit
from qsim.compiler import compile_circuit
from qsim.distributed.cost import work_of
from qsim.pool import controlled
from qsim.state import evolve

#: States of 64 or 32 MiB are more than caches hold.
_QUBITS, _REPEATS = 22, 3


def measure_engine(precision: str, threads: int, num_qubits: int = _QUBITS) -> tuple[float, float]:
    """Bytes a second that passes load and store, and seconds for one of the reference thread's; see `qsim.distributed.rates`.

    Circuits bound by memory, by rotations and by dense matrices, the best of three runs each, are fitted by least squares of
    relative errors. It takes about a second.

    >>> memory, arithmetic = measure_engine("single", 1, num_qubits=16)
    >>> memory > 0 < arithmetic
    True
    """
    dtype, itemsize = (np.complex128, 16) if precision == "double" else (np.complex64, 8)
    rows = []
    for make in (_light, _rotations, _dense):
        program = compile_circuit(make(num_qubits), dtype=dtype)
        work = work_of(program)

        def once(program: object = program) -> None:
            with controlled(progress=lambda done, total: None):
                evolve(program, np.zeros(0), dtype, threads)  # type: ignore[arg-type]

        seconds = _best(once)
        rows.append((2 * itemsize * work.amplitudes / seconds, 1e-11 * (itemsize / 8) * work.operations / seconds))
    table = np.array(rows)
    (move, compute), *_ = np.linalg.lstsq(table, np.ones(len(table)), rcond=None)
    if move <= 0 or compute <= 0:  # noise: both at once
        move = compute = 1.0 / float(table.sum(axis=1).mean())
    return 1.0 / float(move), float(compute)


def _best(function: Callable[[], None]) -> float:
    function()
    times = []
    for _ in range(_REPEATS):
        begun = time.perf_counter()
        function()
        times.append(time.perf_counter() - begun)
    return min(times)


def _light(num_qubits: int) -> Circuit:
    """Bound by memory: two layers of H and some CX."""
    circuit = Circuit(num_qubits).h(range(num_qubits))
    for q in range(0, num_qubits - 1, 2):
        circuit.cx(q, q + 1)
    return circuit.h(range(num_qubits))


def _rotations(num_qubits: int) -> Circuit:
    """Layers of RY and RZ and chains of CX."""
    random, circuit = np.random.default_rng(1), Circuit(num_qubits)
    for _ in range(4):
        for q in range(num_qubits):
            circuit.ry(random.uniform(-3, 3), q).rz(random.uniform(-3, 3), q)
        for q in range(num_qubits - 1):
            circuit.cx(q, q + 1)
    return circuit


def _dense(num_qubits: int) -> Circuit:
    """Bound by arithmetic: dense matrices on neighbours."""
    random, circuit = np.random.default_rng(1), Circuit(num_qubits)

    def turn(q: int) -> None:
        theta, phi, lam = random.uniform(-3, 3, 3).tolist()
        circuit.u3(theta, phi, lam, q)

    for layer in range(4):
        for q in range(layer % 2, num_qubits - 1, 2):
            turn(q)
            turn(q + 1)
            circuit.cx(q, q + 1)
            turn(q)
            turn(q + 1)
            circuit.cx(q + 1, q)
    return circuit

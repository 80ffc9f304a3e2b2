"""How fast the engine runs passes here: three circuits, timed, and the two rates that explain them best."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from qsim.circuit import Circuit
from qsim.compiler import compile_circuit
from qsim.compiler.program import Program
from qsim.distributed.cost import reference_seconds, work_of
from qsim.pool import controlled
from qsim.state import evolve

#: States of 64 or 32 MiB are more than caches hold.
_QUBITS, _REPEATS = 22, 3


def measure_engine(precision: str, threads: int, num_qubits: int = _QUBITS) -> tuple[float, float, float]:
    """Bytes a second that passes load and store, and the rates of sweeps and products; see `qsim.distributed.rates`.

    Circuits bound by memory, by rotations, by phases and by dense matrices, the best of three runs each, are fitted by least
    squares of relative errors, with no rate below a tenth of what it would be alone. It takes about a second.

    >>> memory, sweeps, products = measure_engine("single", 1, num_qubits=16)
    >>> memory > 0, sweeps > 0, products > 0
    (True, True, True)
    """
    dtype, itemsize = (np.complex128, 16) if precision == "double" else (np.complex64, 8)
    rows = []
    for make in (_light, _rotations, _phases, _dense):
        program = compile_circuit(make(num_qubits), dtype=dtype)
        work = work_of(program)

        def once(program: Program = program) -> None:
            with controlled(progress=lambda done, total: None):
                evolve(program, np.zeros(0), dtype, threads)

        seconds = _best(once)
        operations = [reference_seconds(number, itemsize) for number in (work.sweeps, work.products)]
        rows.append([number / seconds for number in (2 * itemsize * work.amplitudes, *operations)])
    table = np.array(rows)
    least = 0.1 / np.maximum(table.max(axis=0), 1e-30)
    found = np.linalg.lstsq(table, np.ones(len(table)), rcond=None)[0]
    low = found < least
    if low.any():  # noise: what is left over belongs to the other rates
        rest = np.linalg.lstsq(table[:, ~low], 1 - table[:, low] @ least[low], rcond=None)[0]
        found[low], found[~low] = least[low], np.maximum(rest, least[~low])
    return 1.0 / float(found[0]), float(found[1]), float(found[2])


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


def _phases(num_qubits: int) -> Circuit:
    """Steps of an Ising chain: phases of pairs, and RX."""
    circuit = Circuit(num_qubits).h(range(num_qubits))
    for step in range(4):
        for q in range(num_qubits):
            circuit.rzz(0.1 + step, q, (q + 1) % num_qubits)
        for q in range(num_qubits):
            circuit.rx(0.3 + q, q)
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

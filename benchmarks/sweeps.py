"""Expectation values over many parameter sets: the inner loop of a variational algorithm.

An ansatz of 64 angles, an observable of 30 random Pauli strings, 200 sets of angles. Circuits and observables are built
outside the clock, in the peers' own parametric forms; ours gets a circuit that it has not seen in each run.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.measure import Run, interleaved, timed
from benchmarks.report import Report, SweepRow
from qsim import Circuit, Parameter, Simulator, SparsePauliOp

Array = npt.NDArray[Any]
#: From angles of shape (sets, ANGLES) to expectation values of shape (sets,).
Sweep = Callable[[Array], Array]
SIZES, SETS, ANGLES, TERMS, WEIGHT = (4, 8, 12), 200, 64, 30, 6
#: How far apart expectation values may be, for an observable whose coefficients add up to about 25.
DTYPES = {"double": np.complex128, "single": np.complex64}
TOLERANCES = {"double": 1e-9, "single": 1e-3}


@dataclass(frozen=True)
class Task:
    """What is asked of everyone: gates as (name, qubits), of which RY and RZ take the next angle, and Pauli labels.

    A label's rightmost letter is qubit 0's, as Qiskit has it, too.
    """

    num_qubits: int
    gates: list[tuple[str, tuple[int, ...]]] = field(repr=False)
    terms: list[tuple[str, float]] = field(repr=False)
    angles: Array = field(repr=False)

    @property
    def letters(self) -> Iterator[tuple[list[tuple[int, str]], float]]:
        """The terms again, as pairs of qubit and letter, and a coefficient."""
        for label, coefficient in self.terms:
            yield [(q, letter) for q, letter in enumerate(reversed(label)) if letter != "I"], coefficient


def task(n: int, seed: int) -> Task:
    """Layers of RY and RZ on every qubit and a chain of CX until the angles are used up; random terms and angles."""
    random = np.random.default_rng(seed)
    gates: list[tuple[str, tuple[int, ...]]] = []
    left = ANGLES
    while left:
        turns = [(name, (q,)) for q in range(n) for name in ("ry", "rz")][:left]
        gates += [*turns, *(("cx", (q, q + 1)) for q in range(n - 1))]
        left -= len(turns)
    terms = []
    for _ in range(TERMS):
        label = ["I"] * n
        for q in random.choice(n, random.integers(1, min(n, WEIGHT) + 1), replace=False):
            label[q] = "XYZ"[random.integers(3)]
        terms.append(("".join(label), float(random.normal())))
    return Task(n, gates, terms, random.uniform(0, 2 * np.pi, (SETS, ANGLES)))


def ours(todo: Task, precision: str, threads: int) -> Callable[[], Sweep]:
    """Gives sweeps of ours, each with a circuit of its own."""
    simulator, operator = Simulator(precision, threads), SparsePauliOp.from_labels(todo.terms)

    def fresh() -> Sweep:
        circuit, parameters = Circuit(todo.num_qubits), iter(Parameter(f"t{k}") for k in range(ANGLES))
        for name, qubits in todo.gates:
            circuit.append(name, qubits, *([] if name == "cx" else [next(parameters)]))
        return lambda angles: np.asarray(simulator.expectation(circuit, operator, angles))

    return fresh


def qulacs(todo: Task, precision: str, threads: int) -> Sweep | None:
    """A loop that sets the parameters of a parametric circuit; double precision only."""
    from qulacs import Observable, ParametricQuantumCircuit, QuantumState

    if precision != "double":
        return None
    circuit, observable = ParametricQuantumCircuit(todo.num_qubits), Observable(todo.num_qubits)
    add = {"ry": circuit.add_parametric_RY_gate, "rz": circuit.add_parametric_RZ_gate}
    for name, qubits in todo.gates:
        if name == "cx":
            circuit.add_CNOT_gate(*qubits)
        else:
            add[name](*qubits, 0.0)
    for letters, coefficient in todo.letters:
        observable.add_operator(coefficient, " ".join(f"{letter} {q}" for q, letter in letters))

    def sweep(angles: Array) -> Array:
        state, values = QuantumState(todo.num_qubits), []
        for row in (-angles).tolist():  # its parametric rotations turn the other way
            for k, angle in enumerate(row):
                circuit.set_parameter(k, angle)
            state.set_zero_state()
            circuit.update_quantum_state(state)
            values.append(observable.get_expectation_value(state))
        return np.array(values)

    return sweep


def aer(todo: Task, precision: str, threads: int) -> Sweep:
    """Aer's EstimatorV2, exact: its own default precision of 0 adds no noise."""
    from qiskit import QuantumCircuit
    from qiskit.circuit import ParameterVector
    from qiskit.quantum_info import SparsePauliOp as Operator
    from qiskit_aer.primitives import EstimatorV2

    circuit, parameters = QuantumCircuit(todo.num_qubits), iter(ParameterVector("t", ANGLES))
    for name, qubits in todo.gates:
        getattr(circuit, name)(*([] if name == "cx" else [next(parameters)]), *qubits)
    operator = Operator.from_list(todo.terms)
    backend = {"method": "statevector", "precision": precision, "max_parallel_threads": threads}
    estimator = EstimatorV2(options={"backend_options": backend})
    return lambda angles: np.asarray(estimator.run([(circuit, operator, angles)]).result()[0].data.evs)


def lightning(todo: Task, precision: str, threads: int) -> Sweep:
    """A loop over a QNode of PennyLane's lightning.qubit."""
    import pennylane as qml

    device = qml.device("lightning.qubit", wires=todo.num_qubits, c_dtype=DTYPES[precision])
    paulis = {"X": qml.PauliX, "Y": qml.PauliY, "Z": qml.PauliZ}
    factors = [qml.prod(*[paulis[letter](q) for q, letter in letters]) for letters, _ in todo.letters]
    hamiltonian = qml.dot([coefficient for _, coefficient in todo.terms], factors)

    @qml.qnode(device, diff_method=None)  # type: ignore[untyped-decorator, unused-ignore]
    def node(row: Array) -> Any:
        angles = iter(row)
        for name, qubits in todo.gates:
            if name == "cx":
                qml.CNOT(qubits)
            else:
                (qml.RY if name == "ry" else qml.RZ)(next(angles), wires=qubits)
        return qml.expval(hamiltonian)

    return lambda angles: np.array([float(node(row)) for row in angles])


def run_sweep(report: Report, todo: Task, precision: str, threads: int, rounds: int, peer_limit: float) -> SweepRow:
    """Compare on one task and add the row; a peer whose values differ from ours is refused, and counted."""
    fresh, once = ours(todo, precision, threads), set()
    expected = fresh()(todo.angles)
    ready: dict[str, Callable[[], Run]] = {"ours": lambda: partial(fresh(), todo.angles)}
    for name, sweep in _installed(todo, precision, threads):
        seconds, values = timed(partial(sweep, todo.angles))
        difference = float(np.abs(values - expected).max())
        if not difference <= TOLERANCES[precision]:
            report.remark(f"sweep, {todo.num_qubits} qubits, {precision}: {name} differs from ours by {difference:.1e}")
            report.disagreements += 1
            continue
        ready[name] = partial(partial, sweep, todo.angles)
        if seconds > peer_limit:
            once.add(name)
    times = interleaved(ready, rounds, frozenset(once))
    row = SweepRow(todo.num_qubits, precision, times.pop("ours"), times, SETS)
    report.sweeps.append(row)
    return row


def _installed(todo: Task, precision: str, threads: int) -> Iterator[tuple[str, Sweep]]:
    for peer in (aer, qulacs, lightning):
        try:
            sweep = peer(todo, precision, threads)
        except ImportError as error:
            print(f"without {peer.__name__}: {error}", file=sys.stderr)
            continue
        if sweep is not None:
            yield peer.__name__, sweep

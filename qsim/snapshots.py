"""What is read from the state at marked places of a circuit: the circuit is cut there, and its state carried on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from qsim.circuit import BARRIER, DELAY, MEASURE, ROW, Circuit, Snapshot
from qsim.errors import CircuitError
from qsim.sampling import marginal_probabilities
from qsim.state import copy_of, evolve, operator_means

if TYPE_CHECKING:
    from qsim.simulator import Simulator

Array = npt.NDArray[Any]


def marked_places(circuit: Circuit) -> list[tuple[int, Snapshot]]:
    """The snapshots of a circuit and the numbers of their operations, in order.

    Raises:
        CircuitError: when there is none, and when a measurement comes before one.
    """
    rows = circuit._rows
    places: list[tuple[int, Snapshot]] = []
    measured = False
    for number, at in enumerate(range(0, len(rows), ROW)):
        if rows[at] == MEASURE:
            measured = True
        elif rows[at] == BARRIER and rows[at + 3]:
            snapshot = circuit._objects[rows[at + 3] - 1]
            assert isinstance(snapshot, Snapshot)
            if measured:
                raise CircuitError(
                    f"Snapshot '{snapshot.label}' comes after a measurement, where there is no single state. "
                    "Take it before."
                )
            places.append((number, snapshot))
    if not places:
        raise CircuitError(
            "The circuit has no snapshot. Mark places by save_statevector, save_probabilities or save_expectation."
        )
    return places


def results_size(places: list[tuple[int, Snapshot]], num_qubits: int, amplitude: int) -> int:
    """Bytes that the results of one run take."""
    sizes = {"statevector": amplitude << num_qubits, "expectation": 8}
    return sum(sizes[s.kind] if s.kind in sizes else 8 << len(s.qubits) for _, s in places)


def take_snapshots(
    simulator: Simulator, circuit: Circuit, tail: Circuit, row: Array, initial: Array | None
) -> dict[str, Any]:
    """One run's results by label, from |0...0> or `initial`, which is left as it is.

    `tail` is a copy of the circuit without its global phase, which belongs to the first piece only.
    """
    results: dict[str, Any] = {}
    state, begin = None if initial is None else copy_of(initial, simulator.threads), 0
    for number, snapshot in marked_places(circuit):
        if state is None or begin == 0 or _has_gates(circuit, begin, number):
            program, values = simulator._program(
                tail if begin else circuit, row, natural_start=state is not None, start=begin, stop=number
            )
            state = evolve(program, values, simulator._dtype, simulator.threads, state)
        begin = number + 1
        if snapshot.kind == "statevector":
            results[snapshot.label] = copy_of(state, simulator.threads)
        elif snapshot.kind == "probabilities":
            results[snapshot.label] = marginal_probabilities(state, snapshot.qubits, simulator.threads)
        else:
            results[snapshot.label] = float(
                operator_means(state.reshape(1, -1), snapshot.observable, simulator.threads)[0]
            )
    return results


def _has_gates(circuit: Circuit, start: int, stop: int) -> bool:
    codes = np.array(circuit._rows[ROW * start : ROW * stop : ROW], dtype=np.int64)
    return not np.isin(codes, (BARRIER, DELAY)).all()

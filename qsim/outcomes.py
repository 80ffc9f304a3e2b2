"""Exact distributions of a circuit's classical bits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from qsim.circuit import MEASURE, ROW, Circuit
from qsim.dynamic import exact_outcomes
from qsim.errors import CircuitError
from qsim.measured import move_bits
from qsim.memory import check_bytes
from qsim.parameter_binding import bind_parameters

if TYPE_CHECKING:
    from qsim.simulator import Simulator

Array = npt.NDArray[Any]


def outcome_probabilities(
    simulator: Simulator, circuit: Circuit, parameters: Any, initial_state: Any
) -> dict[str, float] | list[dict[str, float]]:
    """See `Simulator.outcome_probabilities`."""
    if not isinstance(circuit, Circuit):
        raise CircuitError(f"A simulator runs a Circuit, got {type(circuit).__name__}.")
    if MEASURE not in circuit._rows[::ROW] and not circuit.is_dynamic:
        raise CircuitError("Outcomes need a measurement, and the circuit has none. Add circuit.measure_all().")
    rows, batched = bind_parameters(circuit, parameters)
    width = len(_visible(circuit))
    found = []
    for row in rows:
        values, weights = _outcomes(simulator, circuit, row, initial_state)
        keys = [format(int(value), f"0{width}b") if width else "" for value in values]
        found.append(dict(zip(keys, weights.tolist(), strict=True)))
    return found if batched else found[0]


def outcome_array(
    simulator: Simulator, circuit: Circuit, parameters: Any, qubits: Sequence[int] | None, initial_state: Any
) -> Array:
    """The distribution over all values of a dynamic circuit's bits, shape (2**bits,), or (sets, 2**bits) for a batch."""
    if qubits is not None:
        raise CircuitError(
            "A circuit that resets, branches or uses qubits after measuring them has no single state, so its qubits have no "
            "probabilities at its end. Leave out `qubits`, for those of its classical bits, or measure the qubits."
        )
    rows, batched = bind_parameters(circuit, parameters)
    width = len(_visible(circuit))
    what = f"A table of the probabilities of {width} classical bits (2**{width} numbers)"
    check_bytes(len(rows) * 8 << width, simulator.memory_limit, what, "Use outcome_probabilities, or fewer bits.")
    result: Array = np.zeros((len(rows), 1 << width))
    for k, row in enumerate(rows):
        values, weights = _outcomes(simulator, circuit, row, initial_state)
        result[k, np.asarray(values, dtype=np.int64)] = weights
    return result if batched else result[0]


def _visible(circuit: Circuit) -> list[int]:
    """The bits of registers; others are a program's own."""
    return [bit for register in circuit.clbit_registers for bit in register.indices]


def _outcomes(simulator: Simulator, circuit: Circuit, row: Array, initial_state: Any) -> tuple[Any, Array]:
    if simulator._noisy is None:
        values, weights = exact_outcomes(simulator, circuit, row, initial_state)
    else:
        one, start = next(simulator._noisy_circuits(circuit, row[None], initial_state, density=True))
        values, weights = one.outcomes(start)
    visible = _visible(circuit)
    if visible != list(range(circuit.num_clbits)):
        values = np.asarray(values, dtype=np.int64 if circuit.num_clbits <= 62 else object)
        values, weights = move_bits(values, weights, [(bit, k) for k, bit in enumerate(visible)])
    return values, weights

"""Costs: the mean of a function of the measured states, or of a Hamiltonian, or of their lowest part.

The mean of the lowest share `quantile` of the shots is the conditional value at risk, CVaR: P. Barkoutsos et al.,
"Improving variational quantum optimization using CVaR", Quantum 4, 256 (2020), equation (6).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from qsim.pauli import SparsePauliOp
from session.errors import SessionError
from session.programs import Program
from session.results import ExecutionDetails
from session.tasks import CostFunction, Task, TaskKind

if TYPE_CHECKING:
    from session.backends.protocol import Backend


def read_cost(cost: Any) -> tuple[tuple[SparsePauliOp, ...], CostFunction | None]:
    """A cost as a caller gave it: a Hamiltonian, or a function of a parsed state."""
    if isinstance(cost, SparsePauliOp):
        return (cost,), None
    if callable(cost):
        return (), cost
    raise SessionError(
        "A cost is a SparsePauliOp, or a function of a parsed state (a dict of a value for each output) that returns a "
        f"number; got {type(cost).__name__}."
    )


def read_quantile(quantile: Any) -> float:
    """A share of the shots, above 0 and at most 1."""
    number = quantile if isinstance(quantile, (int, float, np.integer, np.floating)) else math.nan
    if isinstance(quantile, (bool, np.bool_)) or not 0 < number <= 1:
        raise SessionError(
            f"A quantile is a number above 0 and at most 1, the share of the lowest shots; got {quantile!r}."
        )
    return float(number)


def check_cost(program: Program, task: Task) -> None:
    """Raise for a cost that the program does not have."""
    for operator in task.observables:
        if task.quantile < 1 and operator.x_masks.any():
            raise SessionError(
                "A quantile below 1 is of the energies of measured states, so the hamiltonian has to be diagonal, of I and "
                f"Z alone; got {_short(operator)}. Leave the quantile out."
            )


def costs_of(backend: Backend, program: Program, task: Task) -> list[float]:
    """The cost of each parameter set."""
    if task.observables and task.quantile == 1:
        # Some backends take the mean alone for less than the mean and the variance.
        own = TaskKind.ESTIMATE_COST in backend.capabilities().operations
        found: Any = backend.run(program, task if own else replace(task, kind=TaskKind.ESTIMATE, several=False))
        return [float(result) for result in found]
    samples: Any = backend.run(program, replace(task, kind=TaskKind.SAMPLE, observables=(), cost=None, quantile=1.0))
    value_of = task.cost if task.cost is not None else None
    costs = []
    for details in samples:
        kept = details.filtered(task.filters) if task.filters else details
        if not kept.counts:
            raise SessionError("The filters on measured outputs let none of the shots through, so there is no cost.")
        pairs = _energies(kept, task.observables[0], program) if value_of is None else _values(kept, value_of)
        costs.append(lowest_mean(pairs, task.quantile))
    return costs


def lowest_mean(pairs: Sequence[tuple[float, int]], quantile: float = 1.0) -> float:
    """The mean cost of the lowest share of shots, out of (cost, shots) pairs.

    >>> lowest_mean([(3.0, 5), (1.0, 2), (2.0, 3)], 0.4)
    1.5
    """
    total = sum(shots for _, shots in pairs)
    left = wanted = total if quantile == 1 else max(1, math.ceil(quantile * total - 1e-9))
    weighted = []
    for cost, shots in sorted(pairs):
        taken = min(shots, left)
        weighted.append(cost * taken)
        left -= taken
        if not left:
            break
    return math.fsum(weighted) / wanted


def _values(details: ExecutionDetails, value_of: Callable[[dict[str, Any]], Any]) -> list[tuple[float, int]]:
    pairs = []
    for state, shots in details.parsed_counts:
        value = value_of(state)
        try:
            number = math.nan if isinstance(value, (bool, str, complex)) else float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if math.isnan(number):
            raise SessionError(f"A cost function returns a real number; for {state} it returned {value!r}.")
        pairs.append((number, shots))
    return pairs


def _energies(details: ExecutionDetails, operator: SparsePauliOp, program: Program) -> list[tuple[float, int]]:
    """The energy of each bitstring under a diagonal Hamiltonian on the program's qubits."""
    place = {qubit: bit for bit, qubit in enumerate(program.measured_qubits or ()) if qubit >= 0}
    terms = []
    for paulis, coefficient in operator:
        missing = [qubit for qubit, _ in paulis if qubit not in place]
        if missing:
            raise SessionError(f"The hamiltonian acts on qubit {missing[0]}, which the program does not measure.")
        terms.append((sum(1 << place[qubit] for qubit, _ in paulis), coefficient.real))
    pairs = []
    for bitstring, shots in details.counts.items():
        value = int(bitstring or "0", 2)
        energy = math.fsum(weight * (-1) ** (value & mask).bit_count() for mask, weight in terms)
        pairs.append((energy, shots))
    return pairs


def _short(operator: SparsePauliOp) -> str:
    text = str(operator)
    return text if len(text) <= 60 else text[:57] + "..."

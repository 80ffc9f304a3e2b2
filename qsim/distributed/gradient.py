"""Derivatives of an expectation value on a distributed state, by the adjoint method.

psi and O psi are taken back through the steps of the plan. Within a local part the ranks' circuits differ in phases and
in which controls are met, and each rank's part contributes its own sums: the engine's sweep runs on a part as on a state.
Exchanges are undone on both states. What acted on global positions alone at the beginning is a small circuit on one
amplitude a rank.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from qsim.circuit import Circuit
from qsim.compiler.lowering import Lowered
from qsim.distributed.operators import apply
from qsim.distributed.plan import Exchange, RankPlan
from qsim.distributed.resolve import phase_as_rows, resolve
from qsim.distributed.run import RankProgram, swap_blocks, together
from qsim.distributed.transport import Ranks
from qsim.gradients import Plan, plan_part, sweep_back
from qsim.pauli import SparsePauliOp

Array = npt.NDArray[Any]


def value_and_gradient(
    circuit: Circuit, plan: RankPlan, ranks: Ranks, operator: SparsePauliOp, row: Array, dtype: Any, threads: int
) -> tuple[float, Array]:
    """<psi|O|psi> and its derivatives by all parameters, on every rank. Takes two parts of a state."""
    size = 1 << plan.local_qubits
    with together(ranks):
        both = np.empty(2 * size, dtype)
    program = RankProgram.of(circuit, plan, ranks.rank, dtype)
    part = program.run(ranks, row, threads, both[:size])
    value, _ = apply(part, both, operator)
    slopes = np.zeros(len(plan.parameters))
    for number in range(len(plan.steps) - 1, -1, -1):
        step = plan.steps[number]
        if isinstance(step, Exchange):
            swap_blocks(step, ranks, both[:size])
            swap_blocks(step, ranks, both[size:])
            continue
        with together(ranks):
            rows = phase_as_rows(resolve(step.lowered, ranks.rank, plan.local_qubits))
            steps = _plan(circuit, (id(plan), number, ranks.rank), rows, plan.local_qubits, plan, dtype)
            slopes += sweep_back(steps, both, row, threads)
    slopes = ranks.sum(slopes)
    start = plan.start
    if start is not None and len(start.rows):
        ends = ranks.concatenate(both[[0, size]].astype(np.complex128))
        small = np.ascontiguousarray(np.array(ends).T.reshape(-1))
        with together(ranks):
            away = plan.num_qubits - plan.local_qubits
            steps = _plan(circuit, (id(plan), -1, 0), start, away, plan, np.complex128)
            slopes = slopes + sweep_back(steps, small, row, 1)
    return value, slopes


def _plan(circuit: Circuit, key: Any, rows: Lowered, num_qubits: int, plan: RankPlan, dtype: Any) -> Plan:
    """Kept on the circuit, for the next values."""
    whole = ("rank gradient", key, np.dtype(dtype).name)
    kept = circuit._compiled.get(whole)
    if kept is None:
        kept = circuit._compiled[whole] = plan_part(rows, num_qubits, plan.parameters, dtype)
    assert isinstance(kept, Plan)
    return kept

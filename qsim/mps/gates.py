"""The gates of a circuit on a matrix-product state, those on three qubits and more as matrix-product operators.

A gate U under controls is 1 + P (U - 1) with the projector P on the controls' values: two channels along the chain, of
which one does nothing, so that however many controls there are a bond grows by 1 + (the rank of U - 1 across it).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from qsim.circuit import Circuit
from qsim.compiler.lowering import MATRIX, Lowered, lower
from qsim.gates import row_by_code
from qsim.linalg import controlled_matrix
from qsim.mps.operators import compress, operator_factors, prepare
from qsim.mps.state import MatrixProductState

Array = npt.NDArray[Any]


def apply_circuit(state: MatrixProductState, circuit: Circuit, start: int = 0, stop: int | None = None) -> None:
    """Run operations [start, stop), gates without open parameters; measurements among them are left out."""
    apply_lowered(state, lower(circuit, start, stop))


def apply_lowered(state: MatrixProductState, lowered: Lowered) -> None:
    """Run flat operations."""
    known: dict[Any, tuple[Array, int]] = {}
    for number, (code, first, count, value, controls, bits) in enumerate(lowered.rows.tolist()):
        state.done = (number, len(lowered.rows))
        if code == MATRIX:
            base = lowered.matrices[value]
            key: Any = (MATRIX, value, controls, bits)
            own = 0
        else:
            row = row_by_code(code)
            params = lowered.values[value : value + row.num_params].tolist()
            key, own = (code, *params, controls, bits), row.controls
            base = known[key][0] if key in known else row.base_matrix(*params)
        qubits = lowered.operands[first : first + count].tolist()
        if count == 0:
            state.phase += float(np.angle(base[0, 0]))
            continue
        values = tuple((bits >> k) & 1 for k in range(controls)) + ((1,) * own if code != MATRIX else ())
        if count > 2:
            apply_wide(state, qubits, base, values)
            continue
        if key not in known:
            known[key] = (base, 0)
        matrix = controlled_matrix(base, values) if values else base
        if count == 1:
            state.apply_one(qubits[0], matrix)
        else:
            state.apply_two((qubits[0], qubits[1]), matrix)
    state.phase += float(lowered.phase)


def apply_wide(state: MatrixProductState, qubits: list[int], base: Array, values: tuple[int, ...]) -> None:
    """A matrix under controls, `qubits` being the controls and then the matrix's own."""
    controls, targets = qubits[: len(values)], qubits[len(values) :]
    if not targets:  # a phase under controls: a phase gate on the last of them
        phase = base[0, 0]
        base = np.diag([1, phase] if values[-1] else [phase, 1])
        controls, targets, values = controls[:-1], controls[-1:], values[:-1]
    first, last = _settled_range(state, qubits)
    order = sorted(range(len(targets)), key=lambda k: state.site_of[targets[k]])
    factors = operator_factors(base - np.eye(len(base)), order)
    wanted = {state.site_of[q]: value for q, value in zip(controls, values, strict=True)}
    acting = {state.site_of[targets[k]]: factor for k, factor in zip(order, factors, strict=True)}
    prepare(state, first, last)
    width = 1
    for site in range(first, last + 1):
        channel, width = _channel(site, wanted, acting, width)
        _multiply(state, site, channel, site == first, site == last)
    compress(state, first, last)


def _settled_range(state: MatrixProductState, qubits: list[int]) -> tuple[int, int]:
    """The sites from the first to the last of some qubits, once no gate waits there: a waiting SWAP moves qubits."""
    while True:
        sites = [state.site_of[qubit] for qubit in qubits]
        first, last = min(sites), max(sites)
        held = next((q for q in state.qubit_at[first : last + 1] if q in state._held), None)
        if held is None:
            return first, last
        state._release(held)


def _channel(site: int, wanted: dict[int, int], acting: dict[int, Array], width: int) -> tuple[Array, int]:
    """The acting channel's tensor at a site, (left, out, in, right), and its right width."""
    if site in acting:
        return acting[site], acting[site].shape[3]
    matrix = np.eye(2)
    if site in wanted:
        matrix[1 - wanted[site], 1 - wanted[site]] = 0
    return np.einsum("oi,ab->aoib", matrix, np.eye(width)), width


def _multiply(state: MatrixProductState, site: int, channel: Array, is_first: bool, is_last: bool) -> None:
    """Put both channels side by side: the tensor as it is, and the tensor with the operator on it."""
    tensor = state.tensors[site]
    left, _, right = tensor.shape
    a, _, _, b = channel.shape
    rows, columns = (left if is_first else left * (1 + a)), (right if is_last else right * (1 + b))
    state._ask(rows, columns)
    acted = np.einsum("aoib,lir->alobr", channel, tensor).reshape(a * left, 2, b * right)
    result: Array = np.zeros((rows, 2, columns), state.dtype)
    result[:left, :, :right] = tensor
    if is_first and is_last:
        result += acted
    elif is_first:
        result[:, :, right:] = acted
    elif is_last:
        result[left:] = acted
    else:
        result[left:, :, right:] = acted
    state.tensors[site] = result

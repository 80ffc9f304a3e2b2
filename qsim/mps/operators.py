"""Matrix-product operators on a few sites of a chain, and what puts the chain right afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from qsim.mps.state import MatrixProductState

Array = npt.NDArray[Any]


def operator_factors(matrix: Array, order: Sequence[int]) -> list[Array]:
    """An operator on k qubits as k tensors (left, out, in, right), for the qubits in `order`.

    >>> [factor.shape for factor in operator_factors(np.diag([1, 1, 1, -1.0]), [0, 1])]
    [(1, 2, 2, 2), (2, 2, 2, 1)]
    """
    count = len(order)
    axes = [axis for k in order for axis in (count - 1 - k, 2 * count - 1 - k)]
    rest = matrix.reshape((2,) * 2 * count).transpose(axes).reshape(1, -1)
    factors, width = [], 1
    for _ in range(count - 1):
        u, s, v = np.linalg.svd(rest.reshape(width * 4, -1), full_matrices=False)
        kept = max(1, int(np.count_nonzero(s > 1e-14 * max(s[0], 1e-300))))
        root = np.sqrt(s[:kept])
        factors.append((u[:, :kept] * root).reshape(width, 2, 2, kept))
        rest, width = root[:, None] * v[:kept], kept
    factors.append(rest.reshape(width, 2, 2, 1))
    return factors


def apply_apart(state: MatrixProductState, sites: Sequence[int], factors: Sequence[Array]) -> None:
    """An operator on sites that are apart: its bond goes through the tensors between them."""
    first, last = sites[0], sites[-1]
    prepare(state, first, last)
    acting: Mapping[int, Array] = dict(zip(sites, factors, strict=True))
    width = 1
    for site in range(first, last + 1):
        tensor = state.tensors[site]
        left, _, right = tensor.shape
        factor = acting.get(site)
        if factor is not None:
            a, _, _, width = factor.shape
            state._ask(a * left, width * right)
            moved = np.tensordot(factor, tensor, axes=(2, 1))  # (a, out, b, left, right)
            moved = moved.transpose(0, 3, 1, 2, 4).reshape(a * left, 2, width * right)
        else:
            state._ask(width * left, width * right)
            moved = np.zeros((width, left, 2, width, right), state.dtype)
            for k in range(width):
                moved[k, :, :, k] = tensor
            moved = moved.reshape(width * left, 2, width * right)
        state.tensors[site] = moved.astype(state.dtype, copy=False)
    compress(state, first, last)


def prepare(state: MatrixProductState, first: int, last: int) -> None:
    """Apply what waits on the sites from first to last alone, and put what is outside of them into canonical form."""
    for site in range(first, last + 1):
        waiting = state._waiting.pop(state.qubit_at[site], None)
        if waiting is not None:
            state._on_site(site, waiting)
    state.focus(first)
    if any(state.tensors[k].shape[2] == 1 for k in range(first, last)):  # they end in another segment
        state.focus(last)


def compress(state: MatrixProductState, first: int, last: int) -> None:
    """Make the sites from first to last canonical again, with the centre on the first, truncating."""
    from qsim.mps.state import CENTRE, LEFT, RIGHT

    for k in range(first, last):
        tensor = state.tensors[k]
        state._spend(0.2 * tensor.size * tensor.shape[2])
        q, r = np.linalg.qr(tensor.reshape(-1, tensor.shape[2]))
        state.tensors[k] = q.reshape(tensor.shape[0], 2, -1)
        state.tensors[k + 1] = np.tensordot(r, state.tensors[k + 1], 1)
        state.form[k] = LEFT
    state.form[last] = CENTRE
    for k in range(last, first, -1):
        tensor = state.tensors[k]
        u, s, v = state._split(tensor.reshape(tensor.shape[0], -1))
        state.tensors[k] = v.reshape(len(s), 2, tensor.shape[2])
        state.tensors[k - 1] = state.tensors[k - 1] @ (u * s)
        state.form[k], state.form[k - 1] = RIGHT if len(s) > 1 else CENTRE, CENTRE

"""`Observable`: Pauli operators compiled for expectation values, once for all states of one size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qsim.kernels import observables as kernels
from qsim.kernels import operators as applied
from qsim.kernels.opcodes import LANE_BITS
from qsim.pauli import SparsePauliOp
from qsim.pool import run_shares

Array = npt.NDArray[Any]
_LANES = (1 << LANE_BITS) - 1
#: A state is walked in at most so many stretches, whose sums are added up in order: results do not depend on threads.
_STRETCHES = 1024
#: Products of amplitudes that a thread makes before it looks whether the run is to stop: some milliseconds.
_CHUNK = 1 << 21
#: Below this much work a second thread is not worth waking.
_WORTH_A_THREAD = 1 << 17


@dataclass(frozen=True, eq=False)
class Observable:
    """Hermitian operators, ready to be taken the expectation value of.

    Attributes:
        num_qubits: of the states.
        num_operators: how many expectation values there are.
        groups, terms, weights: see `qsim.kernels.observables`.

    >>> from qsim import Pauli
    >>> bell = np.array([[0.5**0.5, 0, 0, 0.5**0.5]], dtype=complex)
    >>> compile_observable([Pauli.X(0) * Pauli.X(1), Pauli.Z(0)], 2).means(bell, threads=1).round(12)
    array([[1., 0.]])
    """

    num_qubits: int
    num_operators: int
    groups: Array
    terms: Array
    weights: Array

    def means(self, states: Array, threads: int) -> Array:
        """<psi|O|psi> of each state and operator.

        Args:
            states: complex64 or complex128, shape (sets, 2**n), contiguous.
            threads: how many threads.

        Returns:
            Floats, shape (sets, operators).
        """
        bits = min(self.num_qubits, kernels.BLOCK_BITS)
        blocks = 1 << (self.num_qubits - bits)
        span = max(1, blocks // _STRETCHES)
        flat = states.reshape(-1).view(np.float64 if states.dtype == np.complex128 else np.float32)
        stretches = len(states) * (blocks // span)
        out = np.empty(stretches * self.num_operators)
        # Products, half of which are made; a block takes as long as one of 256 at least.
        work = len(self.groups) // kernels.GROUP_COLUMNS * (max(states.size, len(states) << 8) >> 1) + states.size

        def share(_: int, start: int, stop: int) -> None:
            kernels.means(
                flat, bits, blocks, span, start, stop, self.groups, self.terms, self.weights, self.num_operators, out
            )

        if work < _WORTH_A_THREAD:
            share(0, 0, stretches)
        else:
            run_shares(
                share, stretches, threads, chunk=max(1, min(stretches // (4 * threads), stretches * _CHUNK // work))
            )
        result: Array = out.reshape(len(states), -1, self.num_operators).sum(axis=1)
        return result


def compile_observable(operators: Sequence[SparsePauliOp], num_qubits: int) -> Observable:
    """Compile operators together: terms with the same X-mask share their products, whichever operator they belong to.

    Args:
        operators: Hermitian, on no more than `num_qubits` qubits.
        num_qubits: of the states.
    """
    return compile_terms([terms_of(operator) for operator in operators], num_qubits)


def compile_terms(parts: Sequence[tuple[Array, Array, Array, Array]], num_qubits: int) -> Observable:
    """The same from each operator's terms, as `terms_of` gives them."""
    which = np.repeat(np.arange(len(parts)), [len(part[0]) for part in parts])
    x, z, re, im = (np.concatenate([part[k] for part in parts] or [np.zeros(0, np.int64)]) for k in range(4))
    bits = min(num_qubits, kernels.BLOCK_BITS)
    low = (1 << bits) - 1
    x_high, far, order = x >> bits, (x & low) >> LANE_BITS, x & low & _LANES
    odd = np.bitwise_count(x & z) & 1
    # By X-mask, such that each partner block, then each exchange of lanes comes up once; sums of one kind together.
    sort = np.lexsort((z, odd, far, order, x_high))
    x, z, re, im, which, odd = x[sort], z[sort], re[sort], im[sort], which[sort], odd[sort]
    weights = np.where(odd == 1, -im, re) * np.where(x >> bits != 0, 2.0, 1.0)
    terms = np.stack([z & low, z >> bits, which], axis=1).astype(np.int64)
    begins = np.flatnonzero(np.diff(x, prepend=-1)) if len(x) else np.zeros(0, np.int64)
    ends = np.append(begins[1:], len(x)) if len(x) else begins
    first_odd = ends - np.add.reduceat(odd, begins) if len(x) else begins
    masks = x[begins]
    exponents = np.frexp(masks >> bits)[1].astype(np.int64)  # v < 2**exponent <= 2 v
    half = np.where(exponents > 0, 1 << np.maximum(exponents - 1, 0), 0)
    groups = np.stack(
        [masks >> bits, (masks & low) >> LANE_BITS, masks & low & _LANES, half, begins, first_odd, ends], axis=1
    ).astype(np.int64)
    return Observable(num_qubits, len(parts), groups.reshape(-1), terms.reshape(-1), weights)


def compiled(operator: SparsePauliOp, num_qubits: int) -> Observable:
    """An operator's compiled form, which is kept on it for the last size of states."""
    kept: Observable | None = operator._compiled
    if kept is None or kept.num_qubits != num_qubits:
        kept = compile_observable([operator], num_qubits)
        operator._compiled = kept
    return kept


def terms_to_apply(operator: SparsePauliOp, bits: int) -> tuple[Array, Array, Array]:
    """`terms`, `weights` and `spans` as `qsim.kernels.operators` takes them for blocks of 2**bits; kept on the operator."""
    if operator._applied is not None and operator._applied[0] == bits:
        kept: tuple[Array, Array, Array] = operator._applied[1]
        return kept
    arranged = arrange_terms(*terms_of(operator), bits)
    operator._applied = bits, arranged
    return arranged


def arrange_terms(x: Array, z: Array, re: Array, im: Array, bits: int) -> tuple[Array, Array, Array]:
    """The same from the terms' masks and coefficients."""
    low, with_real, with_imaginary = (1 << bits) - 1, np.flatnonzero(re), np.flatnonzero(im)
    which = np.concatenate([with_real, with_imaginary])
    imaginary = np.arange(len(which)) >= len(with_real)
    x, z, weights = x[which], z[which], np.where(imaginary, im[which], re[which])
    order = (x & low & (applied.GROUP - 1)) + imaginary * applied.GROUP
    sort = np.lexsort((x >> bits, order))
    x, z = x[sort], z[sort]
    terms = np.stack([x >> bits, (x & low) >> applied.GROUP_BITS, z & low, z >> bits], axis=1)
    terms = terms.astype(np.int64).reshape(-1)
    spans = np.searchsorted(order[sort], np.arange(applied.SPANS)).astype(np.int64)
    return terms, weights[sort], spans


def terms_of(operator: SparsePauliOp) -> tuple[Array, Array, Array, Array]:
    """Masks of X and Z (int64) and coefficients (real and imaginary parts) of an operator's terms as X**x Z**z."""
    simplified = operator.simplify()._flat()
    count = len(simplified)
    x = np.fromiter((term[0] for term in simplified), np.int64, count)
    z = np.fromiter((term[1] for term in simplified), np.int64, count)
    coefficients = np.fromiter((term[2] for term in simplified), np.complex128, count)
    coefficients *= np.array([1, 1j, -1, -1j])[np.bitwise_count(x & z) % 4]  # Y = i X Z
    return x, z, np.ascontiguousarray(coefficients.real), np.ascontiguousarray(coefficients.imag)

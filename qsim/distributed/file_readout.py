"""Samples, probabilities and expectation values of a state in a file.

Shots are drawn as `qsim.sampling` draws them, so that a seed gives the counts that it gives in memory: the weights of all
blocks take one pass over the file, and then only blocks that have shots are read.

Expectation values: a term X**x Z**z relates amplitudes k and k ^ x, which have to be in memory together. The low bits of an
index are, and d dimensions more: with a space V of bit vectors over the high bits, the amplitudes at (r ^ v, low) for all v
in V are closed under x if its high part lies in V. So one pass over the file serves all terms whose high parts lie in a
space of d dimensions, a single one of which can hold any number of X. In the coordinates of V such a part is an ordinary
state, and the terms are ordinary ones: x_high = sum of c_i v_i becomes the bits c_i, and z_high becomes the bits z_high . v_i
with the sign (-1)**(z_high . r).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qsim.distributed.file_state import FileState, block_bits
from qsim.errors import MemoryLimitError
from qsim.kernels import sampling
from qsim.measured import as_clbits, qubits_to_sample, shots_at_a_time
from qsim.memory import readable
from qsim.observable import Observable, compile_terms, terms_of
from qsim.pauli import SparsePauliOp
from qsim.pool import report, run_shares
from qsim.sampling import block_norms, marginal_probabilities, sample_state, targets_by_block
from qsim.state import flat_view

Array = npt.NDArray[Any]
#: Bytes that a shot takes while it is drawn, and amplitudes of a piece that is read for an expectation value, as a power
#: of two: runs of 1 MiB.
_SHOT_BYTES, _LOW_BITS = 60, 16


# samples -------------------------------------------------------------------------------------------------------
def sample_file(
    state: FileState, pairs: Sequence[tuple[int, int]], shots: int, seed: int, room: int
) -> tuple[Array, Array]:
    """Outcomes of the classical bits that qubits are measured into, by pairs (qubit, bit), as `sample_bits` gives them.

    Args:
        room: bytes that may be taken beside the parts' array. Where the distribution of the measured qubits does not fit,
            all qubits are sampled, which takes other shots from the same seed.
    """
    n = state.num_qubits
    wanted = qubits_to_sample(pairs, n, shots)
    if wanted is not None and 40 << len(wanted) <= room:
        amplitudes = np.sqrt(probabilities_of(state, wanted, room)).astype(np.complex128)
        values, frequencies = sample_state(amplitudes, shots, seed, state.threads)
    else:
        wanted = None
        values, frequencies = sample_all(state, shots, seed, room)
    if list(pairs) == [(q, q) for q in range(n)]:
        return values, frequencies
    return as_clbits(values, frequencies, pairs, wanted)


def sample_all(state: FileState, shots: int, seed: int, room: int) -> tuple[Array, Array]:
    """Distinct outcomes of all qubits, ascending, and how often each came; shot s depends on the seed and s alone."""
    cumulative = np.concatenate([[0.0], np.cumsum(norms_of(state))])
    most = max(1 << 10, min(shots_at_a_time(state.num_qubits), room // _SHOT_BYTES))
    most -= most % 2  # shots come in pairs
    values, frequencies = np.zeros(0, np.int64), np.zeros(0, np.int64)
    for first in range(0, shots, most):
        found = _draw(state, cumulative, first, min(most, shots - first), seed)
        if not len(values):
            values, frequencies = found
            continue
        distinct, inverse = np.unique(np.concatenate([values, found[0]]), return_inverse=True)
        totals = np.zeros(len(distinct), np.int64)
        np.add.at(totals, inverse, np.concatenate([frequencies, found[1]]))
        values, frequencies = distinct, totals
    return values, frequencies


def norms_of(state: FileState) -> Array:
    """The weight of each block of amplitudes, in natural order."""
    n, low = state.num_qubits, block_bits(state.num_qubits)
    inside = state.bits[:low]
    others = [bit for bit in range(n) if bit not in inside]
    room = len(state.place).bit_length() - 1
    chunk, fixed = others[: room - low], others[room - low :]
    qubit_at = {bit: qubit for qubit, bit in enumerate(state.bits)}
    numbers = _deposit(np.arange(1 << len(chunk)), [qubit_at[bit] - low for bit in chunk])
    norms = np.empty(1 << (n - low))
    for part in range(1 << len(fixed)):
        amplitudes = state.read(inside + chunk, int(_deposit(part, fixed)))
        found = block_norms(amplitudes, state.threads, 1 << low)[0]
        norms[numbers | _deposit(part, [qubit_at[bit] - low for bit in fixed])] = found
        report(part + 1, 1 << len(fixed))
    return norms


def _draw(state: FileState, cumulative: Array, first: int, shots: int, seed: int) -> tuple[Array, Array]:
    """Outcomes of shots [first, first + shots)."""
    blocks, low = len(cumulative) - 1, block_bits(state.num_qubits)
    targets, offsets = targets_by_block(cumulative, first, shots, seed, state.threads)
    values, frequencies, found = np.empty(shots, np.int64), np.empty(shots, np.int64), np.zeros(blocks, np.int64)
    together = min(blocks, len(state.place) >> low)
    inside = state.bits[:low]
    high = state.bits[low : low + together.bit_length() - 1]
    for start in range(0, blocks, together):
        stop = start + together
        if offsets[start] == offsets[stop]:
            continue
        wanted = np.diff(offsets[start : stop + 1]) > 0
        base = state.index_of(start << low)
        begins, places, length = state.file.pieces(inside + high, base, low)
        chosen = wanted[begins >> low]
        amplitudes = state.place[: together << low]
        state.file.read(amplitudes, begins[chosen], places[chosen], length)
        flat, own, here = flat_view(amplitudes), offsets[start : stop + 1], found[start:stop]

        def share(_: int, a: int, b: int, flat: Array = flat, own: Array = own, here: Array = here) -> None:
            sampling.count_outcomes(flat, 1 << low, a, b, own, targets, values, frequencies, here)

        run_shares(share, together, state.threads, chunk=max(1, together // 64))
        values[own[0] : own[-1]] += start << low
        report(stop, blocks)
    count = sampling.close_gaps(offsets, found, values, frequencies)
    return values[:count].copy(), frequencies[:count].copy()


def probabilities_of(state: FileState, qubits: Sequence[int], room: int) -> Array:
    """Outcome probabilities of `qubits`, the first as least significant bit, shape (2**k,); one pass over the file.

    Raises:
        MemoryLimitError: they do not fit into `room` bytes.
    """
    if 16 << len(qubits) > room:
        raise MemoryLimitError(
            f"The probabilities of {len(qubits)} qubits take {readable(16 << len(qubits))}; {readable(max(room, 0))} are left "
            "beside the part of the state that is in memory. Ask for fewer qubits, or take samples."
        )
    size = min(len(state.place).bit_length() - 1, state.num_qubits)
    near = [q for q in qubits if state.bits[q] < size]
    far = [(place, state.bits[q]) for place, q in enumerate(qubits) if state.bits[q] >= size]
    numbers = _deposit(np.arange(1 << len(near)), [list(qubits).index(q) for q in near])
    out = np.zeros(1 << len(qubits))
    count = 1 << (state.num_qubits - size)
    for part in range(count):
        amplitudes = state.read(range(size), part << size)
        found = marginal_probabilities(amplitudes, [state.bits[q] for q in near], state.threads)
        out[numbers | sum(((part >> (bit - size)) & 1) << place for place, bit in far)] += found
        report(part + 1, count)
    return out


def _deposit(numbers: Any, places: Sequence[int]) -> Any:
    """Bit k of each number at places[k]."""
    result = numbers * 0
    for k, place in enumerate(places):
        result = result | ((numbers >> k) & 1) << place
    return result


# expectation values ----------------------------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class _Pass:
    """Terms that one pass over the file serves.

    Attributes:
        basis: of V, over the bits from `low` on, with pivots[i] the only one of the pivots in basis[i].
        rows: of the terms.
    """

    low: int
    basis: list[int]
    pivots: list[int]
    rows: list[int]


def expectations_of(state: FileState, operators: Sequence[SparsePauliOp]) -> Array:
    """<psi|O|psi> of each Hermitian operator, shape (operators,)."""
    n = state.num_qubits
    made = [terms_of(operator) for operator in operators]
    x, z, re, im = (np.concatenate([one[k] for one in made] or [np.zeros(0, np.int64)]) for k in range(4))
    which = np.repeat(np.arange(len(made)), [len(one[0]) for one in made])
    x, z = _deposit(x, state.bits), _deposit(z, state.bits)
    size = min(len(state.place).bit_length() - 1, n)
    low = size if size == n else max(0, min(_LOW_BITS, size - min(size, n - size)))
    totals = np.zeros(len(made))
    passes = _passes((x >> low).tolist(), low, size - low, n - low)
    for number, one in enumerate(passes):
        observable, signs, owners = _compiled(one, x, z, (re, im), which, size)
        fixed = [bit for bit in range(n - low) if bit not in one.pivots]
        count = 1 << len(fixed)
        for part in range(count):
            rest = int(_deposit(part, fixed))
            amplitudes = _closed(state, one, rest)
            found = observable.means(amplitudes.reshape(1, -1), state.threads)[0]
            odd = np.bitwise_count(signs & rest) & 1
            np.add.at(totals, owners, np.where(odd == 1, -found, found))
            report(number * count + part + 1, len(passes) * count)
    return totals


def _passes(highs: list[int], low: int, dimensions: int, width: int) -> list[_Pass]:
    """Share terms out to passes, each with as many of the first ones left as its dimensions allow."""
    left, passes = list(range(len(highs))), []
    while left:
        basis: list[int] = []  # reduced: each has a pivot, its lowest bit, that no other has
        rest, rows = [], []
        for row in left:
            remainder = _reduced(highs[row], basis)
            if remainder and len(basis) == dimensions:
                rest.append(row)
                continue
            rows.append(row)
            if remainder:
                _extend(basis, remainder)
        for bit in range(width):
            remainder = _reduced(1 << bit, basis)
            if remainder and len(basis) < dimensions:
                _extend(basis, remainder)
        basis.sort(key=lambda vector: vector & -vector)
        passes.append(_Pass(low, basis, [(v & -v).bit_length() - 1 for v in basis], rows))
        left = rest
    return passes


def _reduced(vector: int, basis: list[int]) -> int:
    for one in basis:
        if vector & one & -one:
            vector ^= one
    return vector


def _extend(basis: list[int], vector: int) -> None:
    pivot = vector & -vector
    for k, one in enumerate(basis):
        if one & pivot:
            basis[k] = one ^ vector
    basis.append(vector)


def _compiled(
    one: _Pass, x: Array, z: Array, weights: tuple[Array, Array], which: Array, size: int
) -> tuple[Observable, Array, Array]:
    """A pass's terms in coordinates of V: operators of terms that change sign together, their sign masks and owners."""
    rows = np.array(one.rows, dtype=np.int64)
    mask = (1 << one.low) - 1
    x_low, x_high, z_low, z_high = x[rows] & mask, x[rows] >> one.low, z[rows] & mask, z[rows] >> one.low
    for k, (vector, pivot) in enumerate(zip(one.basis, one.pivots, strict=True)):
        x_low = x_low | ((x_high >> pivot) & 1) << (one.low + k)
        z_low = z_low | (np.bitwise_count(z_high & vector).astype(np.int64) & 1) << (one.low + k)
    free = z_high & ~sum(1 << pivot for pivot in one.pivots)
    keys = np.stack([free, which[rows]], axis=1)
    groups, belongs = np.unique(keys, axis=0, return_inverse=True)
    columns = x_low, z_low, weights[0][rows], weights[1][rows]
    members = [np.flatnonzero(belongs.reshape(-1) == k) for k in range(len(groups))]
    parts = [(x[own], z[own], re[own], im[own]) for own in members for x, z, re, im in [columns]]
    return compile_terms(parts, size), groups[:, 0], groups[:, 1]


def _closed(state: FileState, one: _Pass, rest: int) -> Array:
    """The amplitudes at (rest ^ v, low) for all v in V, in the order of their coordinates."""
    highs = np.array([rest], dtype=np.int64)
    for vector in one.basis:
        highs = np.concatenate([highs, highs ^ vector])
    begins, places, length = state.file.pieces(range(one.low), 0)
    all_begins = (np.arange(len(highs), dtype=np.int64)[:, None] << one.low) + begins
    all_places = (highs[:, None] << one.low) + places
    amplitudes = state.place[: len(highs) << one.low]
    state.file.read(amplitudes, all_begins.reshape(-1), all_places.reshape(-1), length)
    return amplitudes

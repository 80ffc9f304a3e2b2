"""Samples of a state and probabilities of its qubits, exact, on several threads.

Two passes read the state and nothing of its size is made: the first sums up blocks of amplitudes, the second finds the
shots of each block in the block's own cumulative distribution. Results do not depend on the number of threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from qsim.kernels import readout, sampling
from qsim.measured import FEWEST_SHOTS, as_clbits, qubits_to_sample, shots_at_a_time
from qsim.pool import run_shares
from qsim.state import MIN_SHARE, flat_view

Array = npt.NDArray[Any]
#: Shots in a call: some 10 milliseconds' worth, more where the state is large.
_GROUP = 1 << 18
#: Blocks are larger in states of more qubits than this, so that tables of blocks stay small.
_SMALL_BLOCKS = 24
#: A first piece of work is about a millisecond of these: amplitudes, shots.
_AMPLITUDES, _SHOTS = 1 << 18, 1 << 14
#: Partial sums of probabilities are made for so many items of work, if there are not as many anyway.
_ITEM_BITS = 6


def sample_bits(
    state: Array, pairs: Sequence[tuple[int, int]], shots: int, seed: int, threads: int
) -> tuple[Array, Array]:
    """Outcomes of the classical bits that qubits are measured into, by pairs (qubit, bit), as `sample_state` gives them."""
    sampled = qubits_to_sample(pairs, len(state).bit_length() - 1, shots)
    if sampled is not None:
        # Amplitudes with these probabilities; they are a small part of the state.
        state = np.sqrt(marginal_probabilities(state, sampled, threads)).astype(np.complex128)
    values, frequencies = sample_state(state, shots, seed, threads)
    if list(pairs) == [(q, q) for q in range(len(state).bit_length() - 1)]:
        return values, frequencies
    return as_clbits(values, frequencies, pairs, sampled)


def sample_state(state: Array, shots: int, seed: int, threads: int) -> tuple[Array, Array]:
    """Outcomes of measuring all qubits of a state, shape (2**n,).

    Shot s depends on the seed and s alone. Memory: 36 bytes for each of at most 2**23 shots at a time; with more, 8 bytes
    for each possible outcome.

    Returns:
        Distinct outcomes, ascending, and how often each came, as int64.
    """
    norms, size = block_norms(state, threads)
    cumulative = np.concatenate([[0.0], np.cumsum(norms)])
    most = shots_at_a_time(len(state).bit_length() - 1)
    if shots <= most:
        return _draw(state, cumulative, size, 0, shots, seed, threads)
    totals = np.zeros(len(state), np.int64)  # the system gives pages as they are written
    for first in range(0, shots, most):
        values, frequencies = _draw(state, cumulative, size, first, min(most, shots - first), seed, threads)

        def add(_: int, start: int, stop: int, values: Array = values, frequencies: Array = frequencies) -> None:
            totals[values[start:stop]] += frequencies[start:stop]  # values are distinct

        run_shares(add, len(values), 1, chunk=_AMPLITUDES)
    return _nonzero(totals)


def _nonzero(totals: Array) -> tuple[Array, Array]:
    """The places of numbers that are not 0, and the numbers, piece by piece, so that a run can be stopped."""
    pieces = [slice(k, k + FEWEST_SHOTS) for k in range(0, len(totals), FEWEST_SHOTS)]
    count = sum(int(np.count_nonzero(totals[piece])) for piece in pieces)
    values, frequencies, at = np.empty(count, np.int64), np.empty(count, np.int64), 0
    for piece in pieces:
        places = np.flatnonzero(totals[piece])
        values[at : at + len(places)] = places + piece.start
        frequencies[at : at + len(places)] = totals[piece][places]
        at += len(places)
    return values, frequencies


def block_size(num_qubits: int) -> int:
    """Amplitudes of a block whose weight is summed up first."""
    return 1 << min(num_qubits, readout.BLOCK_BITS + (2 if num_qubits > _SMALL_BLOCKS else 0))


def block_norms(state: Array, threads: int, size: int | None = None) -> tuple[Array, int]:
    """The weight of each block of amplitudes, and the size of a block."""
    flat, size = flat_view(state), size or block_size(len(state).bit_length() - 1)
    norms = np.empty(len(state) // size)
    run_shares(
        lambda _, start, stop: readout.block_norms(flat, start, stop, size, norms),
        len(norms), threads if len(state) >= 1 << 16 else 1, chunk=_AMPLITUDES // size,
    )  # fmt: skip
    return norms, size


def _draw(
    state: Array, cumulative: Array, size: int, first: int, shots: int, seed: int, threads: int
) -> tuple[Array, Array]:
    """Outcomes of shots [first, first + shots)."""
    threads_to_draw = threads if shots >= _SHOTS else 1
    targets, offsets = targets_by_block(cumulative, first, shots, seed, threads_to_draw)
    return look_up(state, size, targets, offsets, threads)


def look_up(state: Array, size: int, targets: Array, offsets: Array, threads: int) -> tuple[Array, Array]:
    """Distinct outcomes and how often each came, for shots by block: see `targets_by_block`."""
    blocks, shots = len(offsets) - 1, len(targets)
    values, frequencies = np.empty(shots, np.int64), np.empty(shots, np.int64)
    found, flat = np.zeros(blocks, np.int64), flat_view(state)
    threads = threads if shots >= _SHOTS or len(state) >= 1 << 16 else 1
    run_shares(
        lambda _, start, stop: sampling.count_outcomes(
            flat, size, start, stop, offsets, targets, values, frequencies, found
        ),
        blocks, threads, chunk=max(1, min(_AMPLITUDES // (2 * size), _SHOTS * blocks // max(shots, 1))),
    )  # fmt: skip
    count = sampling.close_gaps(offsets, found, values, frequencies)
    if 2 * count > shots:
        return values[:count], frequencies[:count]
    return values[:count].copy(), frequencies[:count].copy()


def targets_by_block(cumulative: Array, first: int, shots: int, seed: int, threads: int) -> tuple[Array, Array]:
    """How far into its block's weight each shot falls, block by block, and where the blocks' shots begin."""
    blocks = len(cumulative) - 1
    group = min(_GROUP, -(-shots // (4 * threads))) if threads > 1 else _GROUP
    group += group % 2  # shots come in pairs
    groups = -(-shots // group)
    guide = np.empty(1 << (2 * min(blocks, shots) - 1).bit_length(), np.int32)
    sampling.guide_to_blocks(cumulative, guide)
    targets, block_of, histogram = np.empty(shots), np.empty(shots, np.int32), np.zeros((groups, blocks), np.int32)
    low, high = seed & 0xFFFFFFFF, seed >> 32
    run_shares(
        lambda _, start, stop: sampling.draw(
            cumulative, guide, low, high, first, group, start, stop, targets, block_of, histogram
        ),
        groups, threads, chunk=1,
    )  # fmt: skip
    offsets = np.zeros(blocks + 1, np.int64)
    np.cumsum(histogram.sum(axis=0), out=offsets[1:])
    cursors = np.zeros_like(histogram)
    np.cumsum(histogram[:-1], axis=0, out=cursors[1:])
    cursors += offsets[:-1].astype(np.int32)
    ordered = np.empty(shots)
    run_shares(
        lambda _, start, stop: sampling.sort_by_block(targets, block_of, group, start, stop, cursors, ordered),
        groups, threads, chunk=1,
    )  # fmt: skip
    return ordered, offsets


def marginal_probabilities(state: Array, qubits: Sequence[int], threads: int) -> Array:
    """Outcome probabilities of `qubits`, the first as least significant bit, shape (2**k,)."""
    flat, size = flat_view(state), len(state)
    if list(qubits) == list(range(size.bit_length() - 1)):
        out = np.empty(size)
        run_shares(
            lambda _, start, stop: readout.probabilities(flat, start, stop, out),
            size,
            threads if size >= MIN_SHARE else 1,
            chunk=_AMPLITUDES,
            steady=True,
        )
        return out
    bits, width = min(size.bit_length() - 1, readout.BLOCK_BITS), len(qubits)
    low = np.zeros(1 << bits, np.int64)
    held, places = [], []
    for place, qubit in enumerate(qubits):
        if qubit < bits:
            low |= ((np.arange(1 << bits) >> qubit) & 1) << place
        else:
            held.append(qubit - bits)
            places.append(place)
    summed = [bit for bit in range(size.bit_length() - 1 - bits) if bit not in held]
    part_bits = min(len(summed), max(0, _ITEM_BITS - len(held)))
    out = np.zeros(1 << (part_bits + width))
    arrays = [np.array(part, np.int64) for part in (held, places, summed)]
    items = 1 << (len(held) + part_bits)
    run_shares(
        lambda _, start, stop: sampling.marginal(flat, bits, start, stop, low, *arrays, part_bits, width, out),
        items, threads if size >= 4 * MIN_SHARE else 1, chunk=max(1, _AMPLITUDES * items // size),
    )  # fmt: skip
    return out if not part_bits else out.reshape(-1, 1 << width).sum(axis=0)

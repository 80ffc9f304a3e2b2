"""Reading a state that lies on many ranks: samples, probabilities, amplitudes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from qsim.distributed.run import Part, together
from qsim.measured import FEWEST_SHOTS, as_clbits, qubits_to_sample
from qsim.memory import check_bytes
from qsim.sampling import (
    block_norms,
    block_size,
    look_up,
    marginal_probabilities,
    sample_state,
    targets_by_block,
)

Array = npt.NDArray[Any]


def sampled_low_qubits(num_qubits: int, local_qubits: int) -> int:
    """How many of the lowest qubits sampling wants at their own positions: those within a block."""
    return min(local_qubits, block_size(num_qubits).bit_length() - 1)


def sampling_room(num_qubits: int, shots: int) -> int:
    """Bytes that sampling takes on every rank beside its part: all blocks' weights, and the shots that are drawn at a time."""
    return 24 * ((1 << num_qubits) // block_size(num_qubits)) + 64 * min(shots, FEWEST_SHOTS)


def sample_bits(
    part: Part, pairs: Sequence[tuple[int, int]], shots: int, seed: int, memory_limit: int | None
) -> tuple[Array, Array]:
    """Outcomes of classical bits, as `qsim.sampling.sample_bits` draws them from the whole state, on every rank.

    Shot s is the same uniform number, and it falls in the same cumulative distribution, summed up in the same order:
    blocks of amplitudes in natural order, and amplitudes in a block.
    """
    sampled = qubits_to_sample(pairs, part.num_qubits, shots)
    if sampled is not None:
        weights = probabilities(part, sampled, memory_limit)
        values, frequencies = _on_first(part, np.sqrt(weights).astype(np.complex128), shots, seed)
    elif part.local_qubits >= block_size(part.num_qubits).bit_length() - 1:
        values, frequencies = _sample_blocks(part, shots, seed)
    else:
        values, frequencies = _on_first(part, statevector(part, memory_limit), shots, seed)
    if list(pairs) == [(q, q) for q in range(part.num_qubits)]:
        return values, frequencies
    return as_clbits(values, frequencies, pairs, sampled)


def _on_first(part: Part, state: Array, shots: int, seed: int) -> tuple[Array, Array]:
    """Samples of a small state that every rank has; the first draws them."""
    values = frequencies = np.zeros(0, np.int64)
    with together(part.ranks):
        if part.ranks.rank == 0:
            values, frequencies = sample_state(state, shots, seed, part.threads)
    return part.ranks.concatenate(values)[0], part.ranks.concatenate(frequencies)[0]


def _sample_blocks(part: Part, shots: int, seed: int) -> tuple[Array, Array]:
    """Each rank finds the shots that fall in its own blocks; all ranks know all blocks' weights."""
    size, ranks = block_size(part.num_qubits), part.ranks
    bits = size.bit_length() - 1
    with together(ranks):
        norms = block_norms(part.state, part.threads, size)[0]
    firsts = np.arange(0, len(part.state), size)
    weights = np.empty(len(norms) * ranks.size)
    for rank, theirs in enumerate(ranks.concatenate(norms)):
        weights[part.basis_states(firsts, rank) >> bits] = theirs
    with together(ranks):
        cumulative = np.concatenate([[0.0], np.cumsum(weights)])
        mine = part.basis_states(firsts) >> bits
        values = frequencies = np.zeros(0, np.int64)
        for first in range(0, shots, FEWEST_SHOTS):
            count = min(FEWEST_SHOTS, shots - first)
            targets, offsets = targets_by_block(cumulative, first, count, seed, part.threads)
            lengths = offsets[mine + 1] - offsets[mine]
            own = np.concatenate([[0], np.cumsum(lengths)])
            chosen = np.arange(own[-1]) + np.repeat(offsets[mine] - own[:-1], lengths)
            found, often = look_up(part.state, size, targets[chosen], own, part.threads)
            if not len(values):
                values, frequencies = found, often
                continue
            both = np.concatenate([values, found])
            values, inverse = np.unique(both, return_inverse=True)
            totals = np.zeros(len(values), np.int64)
            np.add.at(totals, inverse, np.concatenate([frequencies, often]))
            frequencies = totals
        values = (part.basis_states(values & -size) & -size) | values & (size - 1)
    everything = np.concatenate(ranks.concatenate(values))
    order = np.argsort(everything, kind="stable")
    return everything[order], np.concatenate(ranks.concatenate(frequencies))[order]


def probabilities(part: Part, qubits: Sequence[int], memory_limit: int | None) -> Array:
    """Outcome probabilities of `qubits`, the first as least significant bit, shape (2**k,), on every rank."""
    local, width = part.local_qubits, len(qubits)
    inside = [k for k in range(width) if part.final[qubits[k]] < local]
    with together(part.ranks):
        check_bytes(
            24 << width, memory_limit, f"The distribution of {width} qubits, on every rank,", "Ask for fewer qubits."
        )
        index = np.zeros(1 << len(inside), np.int64)
        for j, k in enumerate(inside):
            index |= ((np.arange(len(index)) >> j) & 1) << k
        for k, qubit in enumerate(qubits):
            if part.final[qubit] >= local:
                index |= ((part.ranks.rank >> (part.final[qubit] - local)) & 1) << k
        result = np.zeros(1 << width)
        positions = [part.final[qubits[k]] for k in inside]
        result[index] = marginal_probabilities(part.state, positions, part.threads)
    return part.ranks.sum(result)


def statevector(part: Part, memory_limit: int | None) -> Array:
    """All amplitudes in natural order, shape (2**n,), on every rank."""
    n, local = part.num_qubits, part.local_qubits
    with together(part.ranks):
        check_bytes(
            part.state.itemsize << n, memory_limit, f"A statevector of {n} qubits, whole on every rank,",
            "Ask for amplitudes, probabilities or expectation values.",
        )  # fmt: skip
        result = np.empty(1 << n, part.state.dtype)
    step = 1 << min(local, 20)
    for start in range(0, 1 << local, step):
        indices = np.arange(start, start + step)
        for rank, piece in enumerate(part.ranks.concatenate(part.state[start : start + step])):
            result[part.basis_states(indices, rank)] = piece
    return result


def amplitudes(part: Part, basis: Array) -> Array:
    """The amplitudes of some basis states, on every rank."""
    whole = part.place(basis)
    mine = whole >> part.local_qubits == part.ranks.rank
    result = np.zeros(len(basis), part.state.dtype)
    result[mine] = part.state[whole[mine] & (len(part.state) - 1)]
    return part.ranks.sum(result)

"""Pauli operators on a state that lies on many ranks: expectation values, and O |psi>.

A term X**x Z**z takes rank r to rank r ^ x_global; Z on a global position is a sign of the rank that is read. Terms that
stay on the rank are the engine's own; for each x_global that occurs, pairs of ranks show each other their parts, a message
at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from qsim.distributed.run import Part, together
from qsim.kernels import operators as kernels
from qsim.observable import arrange_terms, compile_terms, terms_of
from qsim.pauli import SparsePauliOp
from qsim.pool import run_shares
from qsim.state import flat_view

Array = npt.NDArray[Any]
Terms = tuple[Array, Array, Array, Array]
#: Amplitudes of a message, as a power of two.
_CHUNK_BITS = 18
_BLOCKS = 64


def expectations(part: Part, operators: Sequence[SparsePauliOp]) -> Array:
    """<psi|O|psi> of Hermitian operators, shape (operators,), on every rank."""
    placed = [_placed(part, operator) for operator in operators]
    with together(part.ranks):
        own = [_on_rank(part, terms) for terms in placed]
        values = compile_terms(own, part.local_qubits).means(part.state.reshape(1, -1), part.threads)[0]
    for mask in _masks(part, placed):
        crossing = [_crossing(part, terms, mask) for terms in placed]
        for chunk, room in _chunks(part, mask):
            for k, terms in enumerate(crossing):
                values[k] += _couple(part, terms, chunk, room, None)
    return part.ranks.sum(values)


def apply(part: Part, both: Array, operator: SparsePauliOp) -> tuple[float, float]:
    """O psi, written behind psi in `both`, shape (2 * 2**local_qubits,); returns <psi|O|psi> and |O psi|**2."""
    size, bits = len(part.state), min(part.local_qubits, kernels.BLOCK_BITS)
    placed = _placed(part, operator)
    flat = flat_view(both)
    with together(part.ranks):
        terms, weights, spans = arrange_terms(*_on_rank(part, placed), bits)
        out = np.zeros((size >> bits, 2))
        run_shares(
            lambda _, start, stop: kernels.apply_operator(
                flat, 2 * size, bits, start, stop, terms, weights, spans, out
            ),
            len(out), part.threads, chunk=max(1, (1 << 12) // max(len(weights), 1)),
        )  # fmt: skip
    value = out[:, 0].sum()
    for mask in _masks(part, [placed]):
        crossing = _crossing(part, placed, mask)
        for chunk, room in _chunks(part, mask):
            value += _couple(part, crossing, chunk, room, both[size:])
    with together(part.ranks):
        square = 0.0
        for start in range(0, size, 1 << _CHUNK_BITS):
            piece = both[size + start : size + min(start + (1 << _CHUNK_BITS), size)].astype(np.complex128)
            square += float(np.vdot(piece, piece).real)
    value, square = part.ranks.sum(np.array([value, square])).tolist()
    return value, square


def _placed(part: Part, operator: SparsePauliOp) -> Terms:
    """An operator's terms on positions."""
    x, z, re, im = terms_of(operator)
    return part.place(x), part.place(z), re, im


def _signs(masks: Array, index: int) -> Array:
    """(-1)**|z & index| for each mask z."""
    signs: Array = 1.0 - 2.0 * (np.bitwise_count(masks & index) & 1)
    return signs


def _on_rank(part: Part, terms: Terms) -> Terms:
    """The terms that stay on a rank, as they act on its part."""
    x, z, re, im = terms
    local, low = part.local_qubits, len(part.state) - 1
    stays = x >> local == 0
    sign = _signs(z[stays] >> local, part.ranks.rank)
    return x[stays], z[stays] & low, sign * re[stays], sign * im[stays]


def _masks(part: Part, placed: Sequence[Terms]) -> list[int]:
    """The exchanges of ranks that occur, ascending."""
    found = {int(mask) for x, *_ in placed for mask in np.unique(x >> part.local_qubits)}
    return sorted(found - {0})


def _crossing(part: Part, terms: Terms, mask: int) -> list[tuple[int, Terms]]:
    """The terms with this exchange of ranks, by what they do to chunks: their x there, and the terms within a chunk.

    z keeps its bits above the chunk, for the sign that the chunk that is read gives.
    """
    x, z, re, im = terms
    local, low = part.local_qubits, len(part.state) - 1
    chosen = x >> local == mask
    sign = _signs(z[chosen] >> local, part.ranks.rank ^ mask)
    x, z, re, im = x[chosen] & low, z[chosen] & low, sign * re[chosen], sign * im[chosen]
    bits = min(local, _CHUNK_BITS)
    result = []
    for high in np.unique(x >> bits).tolist():
        group = x >> bits == high
        result.append((high, (x[group] & ((1 << bits) - 1), z[group], re[group], im[group])))
    return result


def _chunks(part: Part, mask: int) -> Iterator[tuple[int, Array]]:
    """Every chunk of the part of rank ^ mask, in the second of three places of a room."""
    size = 1 << min(part.local_qubits, _CHUNK_BITS)
    room = np.empty(3 * size, part.state.dtype)
    for chunk in range(len(part.state) // size):
        part.ranks.fetch(part.ranks.rank ^ mask, part.state[chunk * size : chunk * size + size], room[size : 2 * size])
        yield chunk, room


def _couple(part: Part, terms: list[tuple[int, Terms]], chunk: int, room: Array, result: Array | None) -> float:
    """This rank's part of <psi|O|psi> from one chunk of another's; O psi is added to `result` if given."""
    size = len(room) // 3
    bits = size.bit_length() - 1
    block = min(bits, kernels.BLOCK_BITS)
    flat, total = flat_view(room), 0.0
    for high, (x, z, re, im) in terms:
        goal = slice((chunk ^ high) * size, (chunk ^ high) * size + size)
        room[:size] = part.state[goal]
        sign = _signs(z >> bits, chunk)
        if bits < kernels.GROUP_BITS:  # the kernel takes blocks of a group or more
            room[2 * size :] = _applied_to_few(room[size : 2 * size], x, z & (size - 1), sign * re, sign * im)
            total += float(np.vdot(room[:size], room[2 * size :]).real)
            if result is not None:
                result[goal] += room[2 * size :]
            continue
        # Within the room, one more bit tells their amplitudes from ours.
        arranged = arrange_terms(x | size, z & (size - 1), sign * re, sign * im, block)
        out = np.zeros((size >> block, 2))
        _apply_share(flat, 4 * size, block, arranged, out, part.threads)
        total += float(out[:, 0].sum())
        if result is not None:
            result[goal] += room[2 * size :]
    return total


def _apply_share(
    flat: Array, goal: int, block: int, arranged: tuple[Array, Array, Array], out: Array, threads: int
) -> None:
    terms, weights, spans = arranged
    run_shares(
        lambda _, start, stop: kernels.apply_operator(flat, goal, block, start, stop, terms, weights, spans, out),
        len(out), threads if len(weights) * len(flat) > 1 << 18 else 1, chunk=max(1, _BLOCKS // max(len(weights), 1)),
    )  # fmt: skip


def _applied_to_few(state: Array, x: Array, z: Array, re: Array, im: Array) -> Array:
    """O psi of a few amplitudes."""
    result: Array = np.zeros(len(state), np.complex128)
    index = np.arange(len(state))
    for flips, phases, weight in zip(x.tolist(), z.tolist(), re + 1j * im, strict=True):
        result[index ^ flips] += weight * _signs(index, phases) * state
    return result

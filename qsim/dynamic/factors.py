"""The state of all qubits as a product of small states, each kept once.

A qubit is in a *factor*, the state of a few entangled qubits, or it is *known*: in a basis state of its own, which is one
bit of a mask. Qubits enter a factor when a gate first touches them and leave it as soon as they are unentangled, after a
measurement above all; so a factor halves with each outcome, and qubits that nothing has touched take no memory.

Equal factors are one object. Two states are taken for equal if they are, up to a global phase, within TOLERANCES of each
other in norm. That is far more than rounding: a gate moves a state by about 2**-53 of its norm, so a thousand gates stay
below 1e-13 (1e-5 in single precision). It is far less than anyone could see: measured probabilities of two such states
differ by at most twice the tolerance. Candidates are found by |<w|psi>|**2 for a fixed random w, which no global phase
changes; the number is looked up in cells of 1e-9 (1e-4) and in cells shifted by half of that, so that two numbers which
differ by rounding share at least one cell. What shares a cell is compared as a whole.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from qsim.dynamic.segments import SMALL_QUBITS, Segment
from qsim.errors import MemoryLimitError
from qsim.kernels import small
from qsim.memory import check_memory
from qsim.sampling import marginal_probabilities

Array = npt.NDArray[Any]
TOLERANCES = {"D": 1e-12, "F": 1e-5}
_CELLS = {"D": 1e-9, "F": 1e-4}
#: A probability below this is rounding.
_IMPOSSIBLE = {"D": 1e-14, "F": 1e-7}
#: Bits of an index that one table of weights serves.
_TABLE_BITS = 10
#: States above this many bytes are asked for before they are made, as are all if there is a limit.
_CHECKED_BYTES = 1 << 24


class Factor:
    """The state of some entangled qubits: `qubits` ascending, the first as the least significant bit."""

    __slots__ = ("amplitudes", "mask", "qubits")

    def __init__(self, qubits: tuple[int, ...], amplitudes: Array) -> None:
        self.qubits, self.amplitudes = qubits, amplitudes
        self.mask = sum(1 << q for q in qubits)


class Parts(NamedTuple):
    """What has become of some qubits: those that are |1> by themselves, and the factors that the others are in."""

    ones: int
    factors: tuple[Factor, ...]


class Factors:
    """All factors of one run, and what has been found out about them.

    Args:
        dtype: of amplitudes.
        threads, tile_bits: for large states.
        memory_limit: bytes that the run may take, or None.
        budget: bytes of states from which `forget` has something to do.
    """

    def __init__(self, dtype: Any, threads: int, tile_bits: int | None, memory_limit: int | None, budget: int) -> None:
        self.dtype, self.threads, self._tile_bits, self._limit = dtype, threads, tile_bits, memory_limit
        self._char = np.dtype(dtype).char
        self._tolerance, self._cell = TOLERANCES[self._char], _CELLS[self._char]
        self.budget = budget
        self.bytes = 0
        self._cells: dict[tuple[Any, ...], list[Factor]] = {}
        self._outcomes: dict[tuple[Factor, int], tuple[float, list[Parts | None]]] = {}
        self._results: dict[tuple[Any, ...], Parts] = {}
        self._coefficients: dict[tuple[Segment, tuple[float, ...]], Array] = {}

    def forget(self) -> None:
        """Let go of every state that nobody else holds; equal ones that are made again will be others."""
        self._cells, self._outcomes, self._results = {}, {}, {}
        self.bytes = 0

    # gates --------------------------------------------------------------------------------------------------
    def applied(self, segment: Segment, values: Mapping[str, float], ones: int, factors: tuple[Factor, ...]) -> Parts:
        """A segment on these factors, which are all that it touches, and on known qubits, of which `ones` are |1>."""
        given = tuple([values[name] for name in segment.names]) if segment.names else ()
        key = (segment, given, ones, factors)
        found = self._results.get(key)
        if found is None:
            found = self._results[key] = self._apply(segment, values, given, ones, factors)
        return found

    def _apply(
        self, segment: Segment, values: Mapping[str, float], given: tuple[float, ...], ones: int,
        factors: tuple[Factor, ...],
    ) -> Parts:  # fmt: skip
        qubits = width_of(segment, factors)
        self.check(len(qubits))
        if len(qubits) > SMALL_QUBITS and not factors and not ones:
            state = segment.run_large(None, qubits, values, self.dtype, self.threads, self._tile_bits)
            return self._kept(qubits, state)
        state = self._joined(qubits, ones, factors)
        if len(qubits) > SMALL_QUBITS:
            return self._kept(
                qubits, segment.run_large(state, qubits, values, self.dtype, self.threads, self._tile_bits)
            )
        coefficients = self._coefficients.get((segment, given))
        if coefficients is None:
            coefficients = self._coefficients[segment, given] = segment.coefficients(values)
        segment.run_small(state, qubits, coefficients)
        return self.separated(qubits, state)

    def check(self, width: int) -> None:
        """Refuse a state of so many qubits that does not fit."""
        itemsize = np.dtype(self.dtype).itemsize
        if width > 62 or self._limit is not None or itemsize << width >= _CHECKED_BYTES:
            # The state as it was, as it will be, and the kernels' room.
            needed = 2 * (itemsize << width) + self.threads * (itemsize << min(width, 16))
            try:
                check_memory(needed, width, itemsize, self._limit)
            except MemoryLimitError:
                if not self.bytes:
                    raise
                self.forget()
                check_memory(needed, width, itemsize, self._limit)

    def _joined(self, qubits: tuple[int, ...], ones: int, factors: Sequence[Factor]) -> Array:
        """The state of all these qubits, a new array: factors side by side, and known qubits, of which `ones` are |1>."""
        if len(factors) == 1 and len(factors[0].qubits) == len(qubits):
            return factors[0].amplitudes.copy()
        bit_of = {q: k for k, q in enumerate(qubits)}
        known = sum(1 << bit_of[q] for q in qubits if (ones >> q) & 1)
        state: Array = np.zeros(1 << len(qubits), dtype=self.dtype)
        index: Array = np.array([known])
        amplitudes: Array = np.ones(1, dtype=self.dtype)
        for factor in factors:
            places = _spread(tuple(bit_of[q] for q in factor.qubits))
            index = (places[:, None] | index).reshape(-1)
            amplitudes = (factor.amplitudes[:, None] * amplitudes).reshape(-1)
        state[index] = amplitudes
        return state

    # measuring ----------------------------------------------------------------------------------------------
    def one(self, factor: Factor, qubit: int) -> float:
        """The probability of finding 1 at a qubit of a factor; exactly 0 or 1 where rounding alone says otherwise."""
        return self._measured(factor, qubit)[0]

    def after(self, factor: Factor, qubit: int, outcome: int) -> Parts:
        """What the factor becomes when a qubit is measured with this outcome; the qubit is in `ones` if it is |1>."""
        parts = self._measured(factor, qubit)[1]
        found = parts[outcome]
        if found is None:
            bit = factor.qubits.index(qubit)
            half = factor.amplitudes.reshape(-1, 2, 1 << bit)[:, outcome].reshape(-1)
            half = half / self.dtype(np.linalg.norm(half))
            rest = self.separated(factor.qubits[:bit] + factor.qubits[bit + 1 :], half)
            found = parts[outcome] = Parts(rest.ones | outcome << qubit, rest.factors)
        return found

    def _measured(self, factor: Factor, qubit: int) -> tuple[float, list[Parts | None]]:
        entry = self._outcomes.get((factor, qubit))
        if entry is None:
            bit = factor.qubits.index(qubit)
            if len(factor.qubits) > SMALL_QUBITS:
                zero, one = marginal_probabilities(factor.amplitudes, [bit], self.threads).tolist()
            else:
                zero, one = small.outcome_weights(factor.amplitudes, bit)
            share = one / (zero + one)
            least = _IMPOSSIBLE[self._char]
            share = 0.0 if share < least else 1.0 if share > 1 - least else share
            entry = self._outcomes[factor, qubit] = share, [None, None]
        return entry

    # keeping ------------------------------------------------------------------------------------------------
    def separated(self, qubits: tuple[int, ...], state: Array) -> Parts:
        """A state as a product: every qubit that is not entangled with the others leaves it."""
        mask, best = small.separable_bits(state, self._tolerance)
        if not mask:
            return self._kept(qubits, state)
        ones, made, left = 0, [], list(qubits)
        for bit in reversed(range(len(qubits))):
            if not (mask >> bit) & 1:
                continue
            qubit = left.pop(bit)
            pair = np.array([state[best & ~(1 << bit)], state[best | 1 << bit]])
            weight = float(np.linalg.norm(pair))
            if abs(pair[1]) <= self._tolerance * weight:
                outcome = 0
            elif abs(pair[0]) <= self._tolerance * weight:
                outcome = 1
                ones |= 1 << qubit
            else:
                outcome = (best >> bit) & 1
                made.append(self._interned((qubit,), pair / self.dtype(weight)))
            state = state.reshape(-1, 2, 1 << bit)[:, outcome].reshape(-1)
            best = (best & ((1 << bit) - 1)) | (best >> (bit + 1)) << bit
        if left:
            made.append(self._interned(tuple(left), state / self.dtype(np.linalg.norm(state))))
        made.sort(key=lambda factor: factor.qubits)
        return Parts(ones, tuple(made))

    def _kept(self, qubits: tuple[int, ...], state: Array) -> Parts:
        return Parts(0, (self._interned(qubits, state),) if qubits else ())

    def _interned(self, qubits: tuple[int, ...], state: Array) -> Factor:
        """The factor with this state, up to a global phase."""
        number = abs(_projection(state)) ** 2 / self._cell
        low, middle = math.floor(number), math.floor(number + 0.5)
        keys = ((qubits, 0, low), (qubits, 1, middle))
        for key in keys:
            for factor in self._cells.get(key, ()):
                overlap = np.vdot(factor.amplitudes, state)
                turned = factor.amplitudes * self.dtype(overlap / (abs(overlap) or 1.0))
                if np.linalg.norm(state - turned) <= self._tolerance:
                    return factor
        factor = Factor(qubits, state)
        self.bytes += state.nbytes
        for key in keys:
            self._cells.setdefault(key, []).append(factor)
        return factor


def width_of(segment: Segment, factors: Sequence[Factor]) -> tuple[int, ...]:
    """The qubits of a state in which a segment runs: its own, and those of the factors it touches."""
    if len(factors) == 1 and not segment.mask & ~factors[0].mask:
        return factors[0].qubits
    return tuple(sorted({*segment.qubits, *(q for factor in factors for q in factor.qubits)}))


@lru_cache(maxsize=256)
def _spread(places: tuple[int, ...]) -> Array:
    """Entry k has bit j of k at places[j]."""
    index: Array = np.zeros(1, dtype=np.int64)
    for place in places:
        index = np.concatenate([index, index | 1 << place])
    return index


@lru_cache(maxsize=64)
def _weights(size: int) -> Array:
    random = np.random.Generator(np.random.Philox(key=size))
    table: Array = random.standard_normal(size) + 1j * random.standard_normal(size)
    return table / math.sqrt(2)


def _projection(state: Array) -> complex:
    """<w|psi> for a fixed random w, which on large states is a product of the same table over and over."""
    while len(state) > 1 << _TABLE_BITS:
        state = state.reshape(-1, 1 << _TABLE_BITS) @ _weights(1 << _TABLE_BITS).astype(state.dtype)
    return complex(np.dot(state, _weights(len(state))))

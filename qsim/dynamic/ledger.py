"""Which values of the classical bits how many shots have: the shots that share one state, in rows.

Histories that differ only in bits that nothing reads any more are simulated once; a ledger says how the shots of such a
group are spread over the values of all bits. Few rows are a dict, which is quickest for one or two; many are arrays, so
that splitting 10^5 rows takes a millisecond or two. What is written by all rows alike is noted and done later.

`Draws` splits numbers of shots at random, `Weights` splits probabilities; everything else is the same for both.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Union

import numpy as np
import numpy.typing as npt

from qsim.errors import CircuitError

Array = npt.NDArray[Any]
Number = Union[int, float]
#: More rows than this are arrays.
_FEW_ROWS = 32
#: Shots that are drawn one by one and dealt to rows at a time.
_DEALT = 1 << 22
#: Rows that exact distributions may have.
MAX_ROWS = 1 << 20


class Draws:
    """Splits whole numbers of shots: binomial and multinomial draws from a generator."""

    dtype = np.int64

    def __init__(self, random: np.random.Generator) -> None:
        self.random = random

    def split(self, shots: Any, one: float) -> Any:
        """How many of `shots` (a number) find 1."""
        return int(self.random.binomial(shots, one))

    def split_all(self, shots: Array, one: float) -> Array:
        """How many of each number of shots find 1."""
        ones = np.zeros(len(shots), dtype=np.int64)
        single = shots == 1
        # Most rows of many are of a single shot, whose binomial draw is a comparison.
        ones[single] = self.random.random(int(np.count_nonzero(single))) < one
        if not single.all():
            ones[~single] = self.random.binomial(shots[~single], one)
        return ones

    def outcomes(self, shots: Array, weights: Array) -> tuple[Array, Array, Array]:
        """Rows' shots over outcomes of these weights: a row, an outcome and how many shots, for all that occur."""
        total = int(shots.sum())
        if total > _DEALT or len(weights) * len(shots) <= total:
            found = self.random.multinomial(shots, weights / weights.sum())
            rows, values = np.nonzero(found)
            return rows, values, found[rows, values]
        cumulative = np.cumsum(weights)
        values = np.searchsorted(cumulative, self.random.random(total) * cumulative[-1], side="right")
        # Where rounding leads past the last outcome that can be, that one.
        values = np.minimum(values, np.flatnonzero(weights)[-1])
        both = np.repeat(np.arange(len(shots)), shots) * len(weights) + values
        both, frequencies = np.unique(both, return_counts=True)
        return both // len(weights), both % len(weights), frequencies


class Weights:
    """Splits probabilities."""

    dtype = np.float64

    def split(self, weight: Any, one: float) -> Any:
        """The part of a weight that finds 1."""
        return weight * one

    def split_all(self, weights: Array, one: float) -> Array:
        """The part of each weight that finds 1."""
        return weights * one

    def outcomes(self, rows: Array, weights: Array) -> tuple[Array, Array, Array]:
        """A row, an outcome and its weight, for all that are not zero."""
        values = np.flatnonzero(weights > 1e-16 * weights.sum())
        check_rows(len(rows) * len(values))
        parts = rows[:, None] * (weights[values] / weights.sum())
        return np.repeat(np.arange(len(rows)), len(values)), np.tile(values, len(rows)), parts.reshape(-1)


Splitter = Union[Draws, Weights]


def check_rows(rows: int) -> None:
    """Refuse an exact distribution with too many outcomes."""
    if rows > MAX_ROWS:
        raise CircuitError(
            f"The exact distribution of a circuit has at most {MAX_ROWS:,} outcomes on the way; this one has {rows:,} or "
            "more. Use sample."
        )


class Ledger:
    """Rows of (value of all classical bits, shots); `words` 64-bit words hold a value."""

    __slots__ = ("_cleared", "_counts", "_few", "_put", "_values", "words")

    def __init__(self, words: int, few: dict[int, Number] | None = None) -> None:
        self.words = words
        self._few: dict[int, Number] | None = {} if few is None else few
        self._values: Array = np.zeros((0, words), dtype=np.uint64)
        self._counts: Array = np.zeros(0)
        #: Bits that are to be cleared, and then set, in every row.
        self._cleared, self._put = 0, 0

    def __len__(self) -> int:
        return len(self._counts) if self._few is None else len(self._few)

    @property
    def total(self) -> Number:
        """All shots, or all weight."""
        return self._counts.sum().item() if self._few is None else sum(self._few.values())

    def write(self, mask: int, bits: int) -> None:
        """Give the bits of `mask` these values in every row."""
        self._cleared |= mask
        self._put = self._put & ~mask | bits

    def _settle(self) -> None:
        """Do what is noted."""
        if not self._cleared:
            return
        keep, put = ~self._cleared, self._put
        if self._few is not None:
            rows: dict[int, Number] = {}
            for value, count in self._few.items():
                value = value & keep | put
                rows[value] = rows.get(value, 0) + count
            self._few = rows
        else:
            self._values = self._values & _words(keep & ((1 << 64 * self.words) - 1), self.words) | _words(
                put, self.words
            )
        self._cleared = self._put = 0

    def _like(self, few: dict[int, Number] | None, values: Array | None = None, counts: Array | None = None) -> Ledger:
        made = Ledger(self.words, few)
        if values is not None and counts is not None:
            made._few, made._values, made._counts = None, values, counts
        made._cleared, made._put = self._cleared, self._put
        return made

    def split(self, one: float, splitter: Splitter) -> tuple[Ledger | None, Ledger | None]:
        """The rows of the shots that find 0, and of those that find 1, an outcome of probability `one`; None of no shots."""
        if self._few is not None:
            zeros, ones = {}, {}
            for value, count in self._few.items():
                taken = splitter.split(count, one)
                if taken:
                    ones[value] = taken
                if count != taken:
                    zeros[value] = count - taken
            return self._like(zeros) if zeros else None, self._like(ones) if ones else None
        taken = splitter.split_all(self._counts, one)
        result: list[Ledger | None] = []
        for counts in (self._counts - taken, taken):
            there = counts > 0
            left = self._values[there] if there.any() else None
            result.append(None if left is None else self._like(None, left, counts[there]))
        return result[0], result[1]

    def absorb(self, other: Ledger) -> None:
        """Take in the rows of another ledger."""
        self._settle()
        other._settle()
        if self._few is not None and other._few is not None and len(self._few) + len(other._few) <= 2 * _FEW_ROWS:
            for value, count in other._few.items():
                self._few[value] = self._few.get(value, 0) + count
            return
        first, second = self._arrays(), other._arrays()
        self._few = None
        self._values, self._counts = _merged(
            np.concatenate([first[0], second[0]]), np.concatenate([first[1], second[1]])
        )

    def _arrays(self) -> tuple[Array, Array]:
        if self._few is None:
            return self._values, self._counts
        values = np.zeros((len(self._few), self.words), dtype=np.uint64)
        for k, value in enumerate(self._few):
            values[k] = _words(value, self.words)
        kind = np.int64 if all(isinstance(count, int) for count in self._few.values()) else np.float64
        return values, np.array(list(self._few.values()), dtype=kind)

    def draw(self, clbits: Sequence[Sequence[int]], weights: Array, splitter: Splitter) -> None:
        """Give each row an outcome of these weights; bit k of an outcome is written to all of `clbits[k]`."""
        self._settle()
        values, counts = self._arrays()
        rows, outcomes, parts = splitter.outcomes(counts, weights)
        values = values[rows]
        self._put_outcomes(values, outcomes, range(len(clbits)), clbits)
        self._put_rows(values, parts)

    def deal(
        self, bits: Sequence[int], clbits: Sequence[Sequence[int]], found: Array, frequencies: Array, draws: Draws
    ) -> None:
        """Give the shots, in any order, these outcomes, of which bit `bits[k]` is written to all of `clbits[k]`."""
        self._settle()
        values, counts = self._arrays()
        if len(values) == 1:
            values, outcomes, counts = np.repeat(values, len(found), axis=0), found, frequencies
        else:
            values = np.repeat(values, counts, axis=0)
            outcomes = draws.random.permutation(np.repeat(found, frequencies))
            counts = np.ones(len(values), dtype=np.int64)
        self._put_outcomes(values, outcomes, bits, clbits)
        self._put_rows(values, counts)

    def _put_outcomes(
        self, values: Array, outcomes: Array, bits: Sequence[int], clbits: Sequence[Sequence[int]]
    ) -> None:
        """Write bit `bits[k]` of each row's outcome to all of `clbits[k]`."""
        mask = sum(1 << bit for group in clbits for bit in group)
        values &= _words(~mask & ((1 << 64 * self.words) - 1), self.words)
        for bit, group in zip(bits, clbits, strict=True):
            found = ((outcomes >> bit) & 1).astype(np.uint64)
            for clbit in group:
                values[:, clbit >> 6] |= found << np.uint64(clbit & 63)

    def _put_rows(self, values: Array, counts: Array) -> None:
        values, counts = _merged(values, counts)
        self._few, self._values, self._counts = None, values, counts
        if len(counts) <= _FEW_ROWS:
            self._few = dict(zip(_numbers(values), counts.tolist(), strict=True))

    def result(self) -> tuple[Any, Array]:
        """Distinct values, ascending, an int64 array or a list of integers, and how many shots, or what weight, each has."""
        self._settle()
        values, counts = _merged(*self._arrays())
        if self.words == 1 and (not len(values) or int(values.max()) < 1 << 63):
            return values[:, 0].astype(np.int64), counts
        numbers = _numbers(values)
        order = sorted(range(len(numbers)), key=numbers.__getitem__)
        return [numbers[k] for k in order], counts[order]


def _merged(values: Array, counts: Array) -> tuple[Array, Array]:
    """Rows with equal values put together; ascending where a value is one word."""
    if len(values) < 2:
        return values, counts
    if values.shape[1] == 1:
        order = np.argsort(values[:, 0], kind="stable")
    else:
        order = np.lexsort(values.T)
    values = values[order]
    first = np.concatenate([[True], (values[1:] != values[:-1]).any(axis=1)])
    return values[first], np.add.reduceat(counts[order], np.flatnonzero(first))


def _words(value: int, words: int) -> Array:
    """A value as 64-bit words, lowest first."""
    return np.frombuffer(value.to_bytes(8 * words, "little"), dtype="<u8").astype(np.uint64)


def _numbers(values: Array) -> list[int]:
    """Rows of words as integers."""
    if values.shape[1] == 1:
        return [int(value) for value in values[:, 0].tolist()]
    return list(_long(values))


def _long(values: Array) -> Iterator[int]:
    data, size = values.astype("<u8").tobytes(), 8 * values.shape[1]
    for at in range(0, len(data), size):
        yield int.from_bytes(data[at : at + size], "little")

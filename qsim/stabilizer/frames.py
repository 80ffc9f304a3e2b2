"""Sampling of a program: all shots side by side, as Pauli frames relative to one reference shot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from qsim.bits import as_integers, distinct, pack, row_bytes
from qsim.classical import Bits, ClassicalExpression, ClassicalOperation, Literal, clbits_of
from qsim.kernels import frames as kernels
from qsim.pool import run_shares
from qsim.stabilizer.program import Choose, Paulis, Program, Segment, Store
from qsim.stabilizer.tableau import Reference

Words = npt.NDArray[np.uint64]
#: Words of 64 shots that go through the program together: so many that a call costs little beside them, and so few
#: that the frames of some hundred qubits stay in cache.
BLOCK_WORDS = 64
#: Outcomes that wait to be added up.
_WAITING = 1 << 20
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)


def sampling_bytes(num_qubits: int, num_clbits: int, shots: int, threads: int) -> int:
    """Bytes that sampling takes, if all outcomes are different."""
    words = min(BLOCK_WORDS, -(-shots // 64))
    return threads * words * (16 * num_qubits + (8 + 64) * num_clbits) + 3 * shots * row_bytes(num_clbits)


def sample(
    program: Program, clbits: Sequence[int], shots: int, seed: int, threads: int
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Distinct outcomes of some classical bits as packed rows, ascending, and how often each came."""
    reference = Reference(program)
    blocks = -(-shots // (64 * BLOCK_WORDS))
    chosen = np.asarray(clbits, np.int64)
    rows, frequencies = np.zeros((0, row_bytes(len(clbits))), np.uint8), np.zeros(0, np.int64)
    waiting: list[npt.NDArray[np.uint8]] = []
    held = max(threads, _WAITING // (64 * BLOCK_WORDS))
    for first in range(0, blocks, held):
        waiting = [rows] * min(held, blocks - first)

        def share(_: int, start: int, stop: int, first: int = first, waiting: list[Any] = waiting) -> None:
            for block in range(start, stop):
                begin = (first + block) * BLOCK_WORDS
                count = min(64 * BLOCK_WORDS, shots - 64 * begin)
                shown = _Block(program, reference, seed, begin, -(-count // 64)).bits[chosen]
                waiting[block] = transposed(shown, count)

        run_shares(share, len(waiting), threads, chunk=1)
        made = np.concatenate(waiting)
        weights = np.concatenate([frequencies, np.ones(len(made), np.int64)])
        rows, frequencies = distinct(np.concatenate([rows, made]), weights)
    return rows, frequencies


def unpack_words(words: Words) -> npt.NDArray[np.uint8]:
    """Words of shots, shape (bits, words), as bits, shape (bits, shots)."""
    data = np.ascontiguousarray(words.astype("<u8", copy=False)).view(np.uint8)
    return np.unpackbits(data, axis=1, bitorder="little")


def transposed(words: Words, shots: int) -> npt.NDArray[np.uint8]:
    """Words of shots, shape (bits, words), as packed rows, shape (shots, bytes)."""
    turned = np.zeros((shots, -(-len(words) // 64)), np.uint64)
    kernels.transpose(np.ascontiguousarray(words), turned)
    return np.ascontiguousarray(turned.astype("<u8", copy=False).view(np.uint8)[:, : row_bytes(len(words))])


def pack_words(bits: npt.NDArray[Any]) -> Words:
    """The reverse of `unpack_words`."""
    data = np.packbits(bits.astype(np.uint8, copy=False), axis=1, bitorder="little")
    return np.ascontiguousarray(data).view("<u8").astype(np.uint64)


class _Block:
    """Some words of shots on their way through a program; `bits` are the values of the classical bits."""

    def __init__(self, program: Program, reference: Reference, seed: int, word: int, words: int) -> None:
        self.program, self.reference = program, reference
        self.seed, self.word = (seed & 0xFFFFFFFF, seed >> 32), word
        self.frames: Words = np.zeros((2, len(program.qubits), words), np.uint64)
        self.bits: Words = np.zeros((program.num_clbits, words), np.uint64)
        self.measured = 0
        self.run(program.steps, np.full(words, _ALL), True)

    def run(self, steps: Sequence[Any], mask: Words, taken: bool) -> None:
        """Go through steps that the shots of `mask` take; `taken` says whether the reference does."""
        for step in steps:
            if isinstance(step, Segment):
                self.kernel(step.ops, self.frames, step.place)
            elif isinstance(step, Paulis):
                self.paulis(step, mask, taken)
            elif isinstance(step, Store):
                self.store(step, mask)
            else:
                self.choose(step, mask)

    def kernel(self, ops: Any, frames: Words, place: int) -> None:
        outcomes = self.reference.outcomes[self.measured :]
        kernels.run(ops, frames, self.bits, outcomes, self.program.noise, *self.seed, self.word, place)
        self.measured += int(((ops[:, 0] == kernels.MEASURE) | (ops[:, 0] == kernels.MEASURE_LAST)).sum())

    def paulis(self, step: Paulis, mask: Words, taken: bool) -> None:
        difference = ~mask if taken else mask
        for qubit, x, z in step.factors:
            if x:
                self.frames[0, qubit] ^= difference
            if z:
                self.frames[1, qubit] ^= difference
        if len(step.noise):
            errors = np.zeros_like(self.frames)
            self.kernel(step.noise, errors, step.place)
            self.frames ^= errors & mask

    def store(self, step: Store, mask: Words) -> None:
        count = len(step.clbits)

        def bits_of(value: Any) -> npt.NDArray[np.uint8]:
            number = int(value)
            return np.array([(number >> k) & 1 for k in range(count)], np.uint8)

        for clbit, new in zip(step.clbits, self.evaluate(step.value, bits_of, count, mask), strict=True):
            self.bits[clbit] = (self.bits[clbit] & ~mask) | (new & mask)

    def choose(self, step: Choose, mask: Words) -> None:
        flags = self.reference.chosen[id(step)]
        tests = [test for test, _ in step.cases]

        def passes(value: Any) -> npt.NDArray[np.uint8]:
            flags = np.zeros(len(tests), np.uint8)
            which = next((k for k, test in enumerate(tests) if test(value)), None)
            if which is not None:
                flags[which] = 1
            return flags

        # All masks are made before a body may change what the expression reads.
        masks = self.evaluate(step.value, passes, len(tests), mask) & mask
        for (_, body), own, taken in zip(step.cases, masks, flags, strict=True):
            if taken or own.any():
                self.run(body, own, taken)

    def evaluate(self, expression: ClassicalExpression, made: Callable[[Any], Any], count: int, mask: Words) -> Words:
        """Bits that a function makes of an expression's value, for each shot of `mask`: shape (count, words)."""
        read = sorted(clbits_of(expression))
        words = self.bits.shape[1]
        quick = _quick(expression, self.bits)
        if quick is not None:
            yes, no = (np.where(made(value).astype(bool), _ALL, np.uint64(0)) for value in (1, 0))
            return (yes[:, None] & quick) | (no[:, None] & ~quick)
        if not read:
            constant = made(expression.evaluate(0)).astype(bool)
            return np.repeat(np.where(constant, _ALL, np.uint64(0))[:, None], words, axis=1)
        rows = pack(unpack_words(self.bits[read]).T)
        asked = unpack_words(mask[None, :])[0].astype(bool)
        values, inverse = _distinct_with_inverse(rows)
        table = np.zeros((len(values), count), np.uint8)
        for k in np.unique(inverse[asked]).tolist():  # of other shots it may have no value
            value = values[k]
            memory = sum(((value >> j) & 1) << clbit for j, clbit in enumerate(read))
            table[k] = made(expression.evaluate(memory))
        return pack_words(table[inverse].T)


def _distinct_with_inverse(rows: npt.NDArray[np.uint8]) -> tuple[list[int], npt.NDArray[np.int64]]:
    if rows.shape[1] <= 8:
        padded = np.zeros((len(rows), 8), np.uint8)
        padded[:, : rows.shape[1]] = rows
        values, inverse = np.unique(padded.view("<u8")[:, 0], return_inverse=True)
        return values.tolist(), inverse
    unique, inverse = np.unique(rows, axis=0, return_inverse=True)
    return as_integers(unique), inverse.reshape(-1)


def _quick(expression: ClassicalExpression, bits: Words) -> Words | None:
    """The words of an expression whose value is 0 or 1 and plain to see: one bit, or bits compared with a number."""
    if isinstance(expression, Bits) and len(expression.clbits) == 1:
        own: Words = bits[expression.clbits[0]].copy()
        return own
    if isinstance(expression, ClassicalOperation) and expression.op in ("==", "!=") and expression.width is None:
        left, right = expression.args
        if isinstance(left, Literal):
            left, right = right, left
        if isinstance(left, Bits) and isinstance(right, Literal):
            number = right.value
            if number != int(number) or not 0 <= number < 1 << len(left.clbits):
                return None
            equal = np.full(bits.shape[1], _ALL)
            for k, clbit in enumerate(left.clbits):
                equal &= bits[clbit] if (int(number) >> k) & 1 else ~bits[clbit]
            return equal if expression.op == "==" else ~equal
    return None


def compile_kernels() -> None:
    """Compile what sampling needs, or load it from the cache."""
    noise = (np.zeros(0, np.int64), np.zeros((0, 1, 2)), np.zeros((0, 2)))
    states = np.zeros((2, 1, 1), np.uint64)
    kernels.run(np.zeros((0, 4), np.int64), states, states[0], np.zeros(0, np.uint8), noise, 0, 0, 0, 0)
    kernels.move_through(np.zeros((0, 4), np.int64), states)
    transposed(states[0], 1)

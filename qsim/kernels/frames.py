"""Pauli frames: how far each of many shots of a Clifford circuit is from one reference shot, 64 shots to a word.

A frame is a Pauli product that, applied to the reference state, gives a shot's state. Clifford gates move it, noise
multiplies it, and a measurement's outcome differs from the reference's where the frame has an X. What is random about
outcomes comes in as Z on qubits in |0> or |1>, which changes no state (Gidney, "Stim: a fast stabilizer circuit
simulator", Quantum 5, 497 (2021), section 3). Here every random number depends on the seed, the place in the program and
the number of the word alone, so shots are the same however they are split into batches.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from qsim.kernels.jit import kernel

#: Codes of a program's operations beyond the simple Clifford gates 0 to 10 of `qsim.stabilizer.clifford`.
MEASURE, MEASURE_LAST, RESET, NOISE, START = 11, 12, 13, 14, 15


@kernel(inner=True)
def philox(low: int, high: int, c0: int, c1: int, c2: int, c3: int) -> Any:
    """Two words of 64 random bits that depend on the seed (low, high) and four counters of 32 bits alone.

    Philox 4x32 with 10 rounds (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
    """
    mask, shift = np.uint64(0xFFFFFFFF), np.uint64(32)
    a, b, c, d = np.uint64(c0) & mask, np.uint64(c1) & mask, np.uint64(c2) & mask, np.uint64(c3) & mask
    k0, k1 = np.uint64(low), np.uint64(high)
    for _ in range(10):
        p0, p1 = np.uint64(0xD2511F53) * a, np.uint64(0xCD9E8D57) * c
        a, b, c, d = (p1 >> shift) ^ b ^ k0, p1 & mask, (p0 >> shift) ^ d ^ k1, p0 & mask
        k0, k1 = (k0 + np.uint64(0x9E3779B9)) & mask, (k1 + np.uint64(0xBB67AE85)) & mask
    return (a << shift) | b, (c << shift) | d


@kernel(inner=True)
def uniform(word: int) -> float:
    """A number in (0, 1) out of 64 random bits."""
    return (np.float64(np.uint64(word) >> np.uint64(12)) + 0.5) * 2.0**-52


@kernel(inner=True)
def add_coins(target: Any, low: int, high: int, first: int, place: int) -> None:
    """Exclusive or of fair coins, one for each shot; `first` is the number of the first word, an even one."""
    for w in range(0, len(target), 2):
        one, other = philox(low, high, (first + w) >> 1, 0, place, 1)
        target[w] ^= one
        if w + 1 < len(target):
            target[w + 1] ^= other


@kernel(inner=True)
def add_errors(frames: Any, qubits: Any, channel: Any, low: int, high: int, first: int, place: int) -> None:
    """Multiply the frames by a channel's Paulis.

    `channel` has a row (cumulative probability among the errors, Pauli) for each, after (probability of any, 0). Bits
    0 to 3 of a Pauli's number are X on `qubits`, bits 4 to 7 Z. From one error to the next the distance is geometric.
    """
    chance = channel[0, 0]
    if not chance > 0.0:
        return
    scale = np.log1p(-chance)
    none = np.exp(64.0 * scale)
    for w in range(frames.shape[2]):
        draw, choice = philox(low, high, first + w, 0, place, 2)
        u = uniform(draw)
        if u <= none:
            continue
        at, event = 0.0, 0
        while True:
            at += np.floor(np.log(u) / scale)
            if at >= 64.0:
                break
            bit = np.uint64(1) << np.uint64(at)
            which = uniform(choice)
            row = 1
            while row < len(channel) - 1 and channel[row, 0] < which:
                row += 1
            pauli = int(channel[row, 1])
            for k in range(len(qubits)):
                if (pauli >> k) & 1:
                    frames[0, qubits[k], w] ^= bit
                if (pauli >> (k + 4)) & 1:
                    frames[1, qubits[k], w] ^= bit
            at += 1.0
            event += 1
            draw, choice = philox(low, high, first + w, event, place, 2)
            u = uniform(draw)


@kernel(inner=True)
def misread(bits: Any, chances: Any, low: int, high: int, first: int, place: int) -> None:
    """Flip outcomes: 0 to 1 with chances[0], 1 to 0 with chances[1]."""
    for w in range(len(bits)):
        word = bits[w]
        flips = np.uint64(0)
        for value in range(2):
            chance = chances[value]
            if not chance > 0.0:
                continue
            scale = np.log1p(-chance)
            at, event = 0.0, 0
            while True:
                draw, _ = philox(low, high, first + w, event, place, 3 + value)
                at += np.floor(np.log(uniform(draw)) / scale)
                if at >= 64.0:
                    break
                bit = np.uint64(1) << np.uint64(at)
                if ((word & bit) != np.uint64(0)) == (value == 1):
                    flips |= bit
                at += 1.0
                event += 1
        bits[w] = word ^ flips


@kernel(inner=True)
def move(frames: Any, op: int, a: int, b: int) -> None:
    """Take the frames through one simple Clifford gate."""
    x, z = frames[0], frames[1]
    if op == 0:  # H
        for w in range(x.shape[1]):
            x[a, w], z[a, w] = z[a, w], x[a, w]
    elif op <= 2:  # S and its inverse
        for w in range(x.shape[1]):
            z[a, w] ^= x[a, w]
    elif op <= 4:  # the square root of X and its inverse
        for w in range(x.shape[1]):
            x[a, w] ^= z[a, w]
    elif op == 8:  # CX
        for w in range(x.shape[1]):
            x[b, w] ^= x[a, w]
        for w in range(x.shape[1]):
            z[a, w] ^= z[b, w]
    elif op == 9:  # CZ
        for w in range(x.shape[1]):
            z[b, w] ^= x[a, w]
        for w in range(x.shape[1]):
            z[a, w] ^= x[b, w]
    elif op == 10:  # SWAP
        for w in range(x.shape[1]):
            x[a, w], x[b, w] = x[b, w], x[a, w]
        for w in range(x.shape[1]):
            z[a, w], z[b, w] = z[b, w], z[a, w]


@kernel()
def run(
    ops: Any, frames: Any, bits: Any, reference: Any, noise: Any, seed_low: int, seed_high: int, word: int, place: int
) -> None:
    """Take frames through a row of operations.

    Args:
        ops: (code, a, b, c), shape (operations, 4). MEASURE: qubit, bit, row of readout errors or -1. NOISE: first entry
            of the targets, how many, number of the channel.
        frames: X and Z parts, shape (2, qubits, words).
        bits: values of the classical bits, shape (bits, words).
        reference: the reference's outcomes of these measurements, in order.
        noise: (targets of channels, channels (number, rows, 2), readout errors (rows, 2)).
        word: the number of the first word, an even one.
        place: the number of the first operation in the whole program.
    """
    targets, channels, readout = noise
    measured = 0
    for k in range(len(ops)):
        op, a, b, c = ops[k, 0], ops[k, 1], ops[k, 2], ops[k, 3]
        if op <= 10:
            move(frames, op, a, b)
        elif op == 14:
            add_errors(frames, targets[a : a + b], channels[c], seed_low, seed_high, word, place + k)
        elif op >= 13:  # RESET and START: Z on |0> is nothing
            frames[0, a, :] = np.uint64(0)
            frames[1, a, :] = np.uint64(0)
            add_coins(frames[1, a], seed_low, seed_high, word, place + k)
        else:
            invert = np.uint64(0) - np.uint64(reference[measured])
            measured += 1
            for w in range(frames.shape[2]):
                bits[b, w] = frames[0, a, w] ^ invert
            if c >= 0:
                misread(bits[b], readout[c], seed_low, seed_high, word, place + k)
            if op == 11:
                add_coins(frames[1, a], seed_low, seed_high, word, place + k)


@kernel()
def move_through(ops: Any, frames: Any) -> None:
    """Take frames through the gates among a row of operations."""
    for k in range(len(ops)):
        if ops[k, 0] <= 10:
            move(frames, ops[k, 0], ops[k, 1], ops[k, 2])


@kernel()
def transpose(words: Any, out: Any) -> None:
    """Bits of shape (rows, 64 columns to a word) as (columns, 64 rows to a word).

    Squares of 64 by 64 bits are transposed by exchanging halves, quarters and so on (Warren, "Hacker's Delight", 7-3).
    """
    square = np.empty(64, np.uint64)
    for top in range(0, len(words), 64):
        height = min(64, len(words) - top)
        for w in range(words.shape[1]):
            if 64 * w >= len(out):
                break
            for k in range(64):
                square[k] = words[top + k, w] if k < height else np.uint64(0)
            width = 32
            mask = np.uint64(0xFFFFFFFF)
            while width:
                shift = np.uint64(width)
                k = 0
                while k < 64:
                    swapped = ((square[k] >> shift) ^ square[k + width]) & mask
                    square[k] ^= swapped << shift
                    square[k + width] ^= swapped
                    k = (k + width + 1) & ~width
                width >>= 1
                mask ^= mask << np.uint64(max(width, 0))
            for k in range(min(64, len(out) - 64 * w)):
                out[64 * w + k, top >> 6] = square[k]

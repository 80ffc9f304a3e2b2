"""Gates on a small state that is given, one after the other, and what a measurement has to know of a state.

For the states of circuits that branch: a few qubits, a few gates, another state each time. Amplitudes are in natural
order, as complex numbers; k is the bit of an index that belongs to the state's qubit k.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from qsim.kernels.jit import REDUCTION_MATH, kernel

#: Kinds of gates: a matrix, phases, and X.
MATRIX, PHASES, FLIP = range(3)
#: Columns of a gate: its kind, the bits that its controls are on and their values, how many targets it has, where their
#: bits (ascending) and then the offsets of its entries begin in `places`, and where its coefficients begin.
KIND, CONTROLS, VALUES, TARGETS, PLACES, COEFFICIENTS, COLUMNS = range(7)


@kernel()
def apply_gates(state: Any, gates: Any, places: Any, coefficients: Any) -> None:
    """All gates on `state`; `gates` has the columns above, `coefficients` matrices row by row, or diagonals."""
    size, most = len(state), 0
    for g in range(len(gates)):
        most = max(most, gates[g, TARGETS])
    room = np.empty(1 << most, np.complex128)
    for g in range(len(gates)):
        kind, mask, value, at, c = (
            gates[g, KIND], gates[g, CONTROLS], gates[g, VALUES], gates[g, PLACES], gates[g, COEFFICIENTS],
        )  # fmt: skip
        targets = gates[g, TARGETS]
        entries = 1 << targets
        if kind != PHASES and targets == 1:
            bit = 1 << places[at]
            m00, m01, m10, m11 = coefficients[c], coefficients[c + 1], coefficients[c + 2], coefficients[c + 3]
            for first in range(0, size, 2 * bit):
                for i in range(first, first + bit):
                    if i & mask != value:
                        continue
                    p, q = state[i], state[i + bit]
                    if kind == FLIP:
                        state[i], state[i + bit] = q, p
                    else:
                        state[i], state[i + bit] = m00 * p + m01 * q, m10 * p + m11 * q
            continue
        if kind == PHASES:
            for i in range(size):
                if i & mask == value:
                    entry = 0
                    for j in range(targets):
                        entry |= ((i >> places[at + j]) & 1) << j
                    state[i] *= coefficients[c + entry]
            continue
        offsets = at + targets
        inside = places[offsets + entries - 1]
        for i in range(size):
            if i & inside or i & mask != value:
                continue
            for e in range(entries):
                room[e] = state[i + places[offsets + e]]
            for e in range(entries):
                total = 0.0 + 0.0j
                for f in range(entries):
                    total += coefficients[c + entries * e + f] * room[f]
                state[i + places[offsets + e]] = total


@kernel(fastmath=REDUCTION_MATH)
def outcome_weights(state: Any, bit: int) -> Any:
    """The weights of the amplitudes whose index has 0 and 1 at `bit`."""
    step = 1 << bit
    zero, one = 0.0, 0.0
    for first in range(0, len(state), 2 * step):
        for i in range(first, first + step):
            zero += state[i].real * state[i].real + state[i].imag * state[i].imag
        for i in range(first + step, first + 2 * step):
            one += state[i].real * state[i].real + state[i].imag * state[i].imag
    return zero, one


@kernel()
def separable_bits(state: Any, tolerance: float) -> Any:
    """The bits whose qubit is in a state of its own, as a mask, and the index of the greatest amplitude.

    Were qubit k apart, the two halves of the state would be multiples of each other, in the ratio of the greatest
    amplitude and its partner: what is left of a half after that multiple is taken off may have a norm of `tolerance`.
    """
    size = len(state)
    best, greatest = 0, 0.0
    for i in range(size):
        weight = state[i].real * state[i].real + state[i].imag * state[i].imag
        if weight > greatest * (1 + 1e-9):  # the first of those that differ by rounding only
            best, greatest = i, weight
    mask = 0
    bit = 1
    while bit < size:
        p, q = np.complex128(state[best & ~bit]), np.complex128(state[best | bit])
        most = tolerance * tolerance * (p.real * p.real + p.imag * p.imag + q.real * q.real + q.imag * q.imag)
        left = 0.0
        for first in range(0, size, 2 * bit):
            for i in range(first, first + bit):
                d = state[i] * q - state[i + bit] * p
                left += d.real * d.real + d.imag * d.imag
            if left > most:
                break
        if left <= most:
            mask |= bit
        bit <<= 1
    return mask, best

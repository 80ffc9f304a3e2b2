"""A statevector of a few qubits by dense matrices: what contract servers run circuits with. Nothing here is this package's.

A gate is a name of OpenQASM 3's stdgates.inc, of IonQ's ``qis`` set or of AQT's; bit k of a state's number is qubit k.
"""

from __future__ import annotations

import cmath
import math
from collections import Counter

import numpy as np

X, Y, Z = (np.array(m, dtype=complex) for m in ([[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]))
FIXED = {
    "id": np.eye(2), "x": X, "y": Y, "z": Z, "h": (X + Z) / math.sqrt(2), "s": np.diag([1, 1j]), "sdg": np.diag([1, -1j]),
    "t": np.diag([1, cmath.exp(0.25j * math.pi)]), "tdg": np.diag([1, cmath.exp(-0.25j * math.pi)]),
    "sx": ((1 + 1j) * np.eye(2) + (1 - 1j) * X) / 2, "sxdg": ((1 - 1j) * np.eye(2) + (1 + 1j) * X) / 2,
}  # fmt: skip
SAME = {"si": "sdg", "ti": "tdg", "v": "sx", "vi": "sxdg", "not": "x"}
CONTROLLED = {"cx": "x", "cnot": "x", "cy": "y", "cz": "z", "ch": "h", "cp": "p", "crx": "rx", "cry": "ry", "crz": "rz",
              "ccx": "cx", "cswap": "swap"}  # fmt: skip
SWAP = np.eye(4)[[0, 2, 1, 3]]


def turn(angle, axis):
    """exp(-i angle/2 axis)."""
    return math.cos(angle / 2) * np.eye(len(axis)) - 1j * math.sin(angle / 2) * axis


def matrix(name, params=()):
    """Of a gate, its first qubit the least significant bit of the index."""
    name = SAME.get(name, name)
    if name in FIXED:
        return FIXED[name]
    if name in ("rx", "ry", "rz"):
        return turn(params[0], {"rx": X, "ry": Y, "rz": Z}[name])
    if name == "p":
        return np.diag([1, cmath.exp(1j * params[0])])
    if name == "r":
        return turn(params[0], math.cos(params[1]) * X + math.sin(params[1]) * Y)
    if name == "rxx":
        return turn(params[0], np.kron(X, X))
    if name == "swap":
        return SWAP
    inner = matrix(CONTROLLED[name], params)  # a KeyError for a gate that there is not
    whole = np.eye(2 * len(inner), dtype=complex)
    whole[1::2, 1::2] = inner  # the control is the first qubit
    return whole


def apply(state, gate, qubits):
    """A matrix on some qubits of a state."""
    n = state.size.bit_length() - 1
    axes = [n - 1 - q for q in reversed(qubits)]
    tensor = np.moveaxis(state.reshape((2,) * n), axes, range(len(axes)))
    tensor = (gate @ tensor.reshape(len(gate), -1)).reshape((2,) * n)
    return np.moveaxis(tensor, range(len(axes)), axes).reshape(-1)


def zero(n):
    """All qubits 0."""
    state = np.zeros(1 << n, dtype=complex)
    state[0] = 1
    return state


def run(n, gates):
    """The state after gates, each (name, params, qubits)."""
    state = zero(n)
    for name, params, qubits in gates:
        state = apply(state, matrix(name, params), qubits)
    return state


def probabilities(state):
    """By basis state, without those that are 0."""
    p = np.abs(state) ** 2
    return {k: float(v) for k, v in enumerate(p / p.sum()) if v > 1e-15}


def counts(state, shots, rng):
    """Shots by basis state."""
    p = np.abs(state) ** 2
    drawn = rng.multinomial(shots, p / p.sum())
    return {k: int(v) for k, v in enumerate(drawn) if v}


def trajectory(n, num_bits, steps, rng):
    """The bits, and the last state of the qubits, of one shot of steps with measurements ("measure", bit, [q]) and resets."""
    state, bits = zero(n), [0] * num_bits
    for name, params, qubits in steps:
        if name not in ("measure", "reset"):
            state = apply(state, matrix(name, params), qubits)
            continue
        ones = (np.arange(state.size) >> qubits[0] & 1).astype(bool)
        one = rng.random() < (np.abs(state[ones]) ** 2).sum()
        state = np.where(ones == one, state, 0)
        state /= np.linalg.norm(state)
        if name == "measure":
            bits[params] = int(one)
        elif one:
            state = apply(state, X, qubits)
    final = int(rng.choice(state.size, p=np.abs(state) ** 2 / (np.abs(state) ** 2).sum()))
    return tuple(bits), final


def shots(n, num_bits, steps, number, rng):
    """(bits, state of the qubits) of every shot; without measurements in the middle the state is computed once."""
    seen, midway = set(), False
    for name, _, qubits in steps:
        midway = midway or bool(seen & set(qubits))
        if name in ("measure", "reset"):
            midway = midway or name == "reset"
            seen.update(qubits)
    if midway:
        return [trajectory(n, num_bits, steps, rng) for _ in range(number)]
    state = run(n, [step for step in steps if step[0] != "measure"])
    found = []
    for basis, count in counts(state, number, rng).items():
        bits = [0] * num_bits
        for name, bit, qubits in steps:
            if name == "measure":
                bits[bit] = basis >> qubits[0] & 1
        found += [(tuple(bits), basis)] * count
    rng.shuffle(found)
    return found


def tally(found):
    """Counts of anything."""
    return dict(Counter(found))

"""Circuit families, seeded. Each gives the circuit's text in OpenQASM 2, which every simulator can be fed from."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

Gates = Iterator[str]


def qft(n: int) -> Gates:
    """Quantum Fourier transform: H and controlled phases, then swaps."""
    for i in reversed(range(n)):
        yield f"h q[{i}];"
        for j in reversed(range(i)):
            yield f"cp({math.pi / 2 ** (i - j)!r}) q[{j}],q[{i}];"
    for i in range(n // 2):
        yield f"swap q[{i}],q[{n - 1 - i}];"


def ghz(n: int) -> Gates:
    """H and a chain of CX."""
    yield "h q[0];"
    for i in range(n - 1):
        yield f"cx q[{i}],q[{i + 1}];"


def ansatz(n: int) -> Gates:
    """Ten layers of RY and RZ on every qubit, then a chain of CX."""
    random = np.random.default_rng(1)
    for _ in range(10):
        for q in range(n):
            yield f"ry({random.uniform(0, 6.28)!r}) q[{q}];"
            yield f"rz({random.uniform(0, 6.28)!r}) q[{q}];"
        for q in range(n - 1):
            yield f"cx q[{q}],q[{q + 1}];"


def ising(n: int) -> Gates:
    """Ten Trotter steps of an Ising ring in a transverse field."""
    random = np.random.default_rng(2)
    for q in range(n):
        yield f"h q[{q}];"
    for _ in range(10):
        for q in range(n):
            yield f"rzz({random.uniform(0, 1)!r}) q[{q}],q[{(q + 1) % n}];"
        for q in range(n):
            yield f"rx({random.uniform(0, 1)!r}) q[{q}];"


def random_cz(n: int) -> Gates:
    """Ten layers of random U3 on every qubit and CZ on a random matching."""
    random = np.random.default_rng(3)
    for _ in range(10):
        for q in range(n):
            yield _u3(random, q)
        order = random.permutation(n)
        for a, b in zip(order[::2], order[1::2], strict=False):
            yield f"cz q[{a}],q[{b}];"


def quantum_volume(n: int) -> Gates:
    """n layers of three CX and eight U3 on every pair of a random matching."""
    random = np.random.default_rng(4)
    for _ in range(n):
        order = random.permutation(n)
        for a, b in zip(order[::2], order[1::2], strict=False):
            for control, target in ((a, b), (b, a), (a, b)):
                yield _u3(random, a)
                yield _u3(random, b)
                yield f"cx q[{control}],q[{target}];"
            yield _u3(random, a)
            yield _u3(random, b)


def _u3(random: np.random.Generator, qubit: int) -> str:
    theta, phi, lam = random.uniform(0, 6.28, 3).tolist()
    return f"u3({theta!r},{phi!r},{lam!r}) q[{qubit}];"


FAMILIES: dict[str, Callable[[int], Gates]] = {
    "qft": qft, "ghz": ghz, "ansatz": ansatz, "ising": ising, "random_cz": random_cz, "quantum_volume": quantum_volume,
}  # fmt: skip


def program(family: str, n: int) -> str:
    """A family's circuit as OpenQASM 2."""
    header = ["OPENQASM 2.0;", 'include "qelib1.inc";', f"qreg q[{n}];"]
    return "\n".join([*header, *FAMILIES[family](n)])

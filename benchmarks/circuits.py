"""Circuit families, seeded: ``FAMILIES[name](n, seed)`` is a circuit of exactly n qubits, the same one every time.

Most are defined from 1 or 2 qubits up; `SMALLEST` lists those that need more. The programs of QASMBench are read from the
folder of real programs where there is one; they are no part of this repository.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from parsers import load
from qsim import Circuit, Gate

Random = np.random.Generator
Family = Callable[[int, int], Circuit]


def qft(n: int, seed: int) -> Circuit:
    """Quantum Fourier transform: H and controlled phases, then swaps. The same for every seed."""
    return _fourier(Circuit(n), range(n), sign=1)


def ghz(n: int, seed: int) -> Circuit:
    """H and a chain of CX. The same for every seed."""
    circuit = Circuit(n).h(0)
    return _chain(circuit)


def ansatz(n: int, seed: int) -> Circuit:
    """Ten layers of RY and RZ on every qubit, then a chain of CX."""
    random, circuit = np.random.default_rng(seed), Circuit(n)
    for _ in range(10):
        for q in range(n):
            circuit.ry(_angle(random), q).rz(_angle(random), q)
        _chain(circuit)
    return circuit


def ising(n: int, seed: int) -> Circuit:
    """Ten Trotter steps of an Ising ring in a transverse field."""
    random, circuit = np.random.default_rng(seed), Circuit(n)
    circuit.h(range(n))
    for _ in range(10):
        for q in range(n):
            circuit.rzz(random.uniform(0, 1), q, (q + 1) % n)
        for q in range(n):
            circuit.rx(random.uniform(0, 1), q)
    return circuit


def random_cz(n: int, seed: int) -> Circuit:
    """Ten layers of random U3 on every qubit and CZ on a random matching."""
    random, circuit = np.random.default_rng(seed), Circuit(n)
    for _ in range(10):
        for q in range(n):
            _u3(circuit, random, q)
        for a, b in _matching(n, random):
            circuit.cz(a, b)
    return circuit


def quantum_volume(n: int, seed: int) -> Circuit:
    """n layers of three CX and eight U3 on every pair of a random matching."""
    random, circuit = np.random.default_rng(seed), Circuit(n)
    for _ in range(n):
        for a, b in _matching(n, random):
            for control, target in ((a, b), (b, a), (a, b)):
                _u3(circuit, random, a)
                _u3(circuit, random, b)
                circuit.cx(control, target)
            _u3(circuit, random, a)
            _u3(circuit, random, b)
    return circuit


def qaoa(n: int, seed: int) -> Circuit:
    """Four rounds of QAOA for MaxCut on a random 3-regular graph; for odd n, one vertex has two neighbours."""
    random, circuit = np.random.default_rng(seed), Circuit(n)
    edges = cubic_graph(n, random)
    circuit.h(range(n))
    for _ in range(4):
        gamma, beta = random.uniform(0, math.pi, 2).tolist()
        for a, b in edges:
            circuit.rzz(gamma, a, b)
        circuit.rx(beta, range(n))
    return circuit


def cubic_graph(n: int, random: Random) -> list[tuple[int, int]]:
    """The edges of a random graph with three at each vertex (of 3n ends an odd one is left out), n at least 4.

    Pairs of ends are drawn until no vertex meets itself and no two meet twice: each such graph is equally likely
    (Bollobas, European Journal of Combinatorics 1, 311 (1980)), and about one draw in seven is one.
    """
    while True:
        ends = random.permutation(np.repeat(np.arange(n), 3)).tolist()
        edges = {(min(pair), max(pair)) for pair in zip(ends[::2], ends[1::2], strict=False)}
        if len(edges) == 3 * n // 2 and all(a != b for a, b in edges):
            return sorted(edges)


def grover(n: int, seed: int) -> Circuit:
    """Grover's search for one of 2^n strings (`marked`), as many rounds as are best, at most ten."""
    circuit, wanted = Circuit(n), marked(n, seed)
    zeros = [q for q in range(n) if not wanted >> q & 1]
    everywhere = list(range(n))
    flip = Gate("z").control(n - 1)  # of the amplitude of |1...1>
    circuit.h(everywhere)
    for _ in range(min(10, int(math.pi / 4 * math.sqrt(2**n)))):
        circuit.x(zeros).append(flip, everywhere).x(zeros)
        circuit.h(everywhere).x(everywhere).append(flip, everywhere).x(everywhere).h(everywhere)
    return circuit


def marked(n: int, seed: int) -> int:
    """What `grover` looks for."""
    return int(np.random.default_rng(seed).integers(2**n))


@dataclass(frozen=True)
class AdderLayout:
    """Where the numbers of an adder are, lowest bit first; without a `carry_out` it adds modulo 2^len(b)."""

    carry_in: int
    a: tuple[int, ...]
    b: tuple[int, ...]
    carry_out: int | None


def adder_layout(n: int) -> AdderLayout:
    """Carry, then b and a alternating as in the paper; the last qubit of an even number is the carry out."""
    bits = (n - 1) // 2
    pairs = range(1, 2 * bits, 2)
    return AdderLayout(0, tuple(q + 1 for q in pairs), tuple(pairs), n - 1 if n % 2 == 0 else None)


def addends(n: int, seed: int) -> tuple[int, int]:
    """The numbers a and b that `adder` adds."""
    a, b = np.random.default_rng(seed).integers(2 ** ((n - 1) // 2), size=2).tolist()
    return a, b


def adder(n: int, seed: int) -> Circuit:
    """Ripple-carry adder of two random numbers, b becomes a + b (Cuccaro et al., arXiv:quant-ph/0410184)."""
    circuit, layout = Circuit(n), adder_layout(n)
    for register, value in zip((layout.a, layout.b), addends(n, seed), strict=True):
        circuit.x([q for k, q in enumerate(register) if value >> k & 1])
    carries = (layout.carry_in, *layout.a)  # the carry into bit k is on a's qubit before
    steps = list(zip(carries, layout.b, layout.a, strict=False))
    for carry, b, a in steps:  # MAJ
        circuit.cx(a, b).cx(a, carry).ccx(carry, b, a)
    if layout.carry_out is not None:
        circuit.cx(layout.a[-1], layout.carry_out)
    for carry, b, a in reversed(steps):  # UMA
        circuit.ccx(carry, b, a).cx(a, carry).cx(carry, b)
    return circuit


def phase_estimation(n: int, seed: int) -> Circuit:
    """Estimates `phase` of a phase gate in n - 1 bits; the last qubit holds its eigenstate |1>."""
    circuit, turn = Circuit(n), 2 * math.pi * phase(seed)
    counting = range(n - 1)
    circuit.x(n - 1).h(counting)
    for q in counting:
        circuit.cp(math.remainder(turn * 2**q, 2 * math.pi), q, n - 1)
    return _fourier(circuit, counting, sign=-1)


def phase(seed: int) -> float:
    """What `phase_estimation` estimates, in turns."""
    return float(np.random.default_rng(seed).uniform(0, 1))


def clifford_t(n: int, seed: int) -> Circuit:
    """Twenty layers of a random one of H, S, T and their inverses on every qubit, and CX on a random matching."""
    random, circuit = np.random.default_rng(seed), Circuit(n)
    names = ("h", "s", "sdg", "t", "tdg")
    for _ in range(20):
        for q in range(n):
            circuit.append(names[random.integers(len(names))], [q])
        for a, b in _matching(n, random):
            circuit.cx(a, b)
    return circuit


FAMILIES: dict[str, Family] = {
    "qft": qft, "ghz": ghz, "ansatz": ansatz, "ising": ising, "random_cz": random_cz, "quantum_volume": quantum_volume,
    "qaoa": qaoa, "grover": grover, "adder": adder, "phase_estimation": phase_estimation, "clifford_t": clifford_t,
}  # fmt: skip
#: The fewest qubits of families that need more than two.
SMALLEST = {"ising": 3, "qaoa": 4, "adder": 3}
QASMBENCH = "qasmbench"


@dataclass(frozen=True)
class Case:
    """A circuit to be timed. `build` makes it anew each time, so that the engine has not seen it."""

    family: str
    name: str
    num_qubits: int
    build: Callable[[], Circuit]


def cases(families: Sequence[str], sizes: Sequence[int], seed: int, remark: Callable[[str], None]) -> list[Case]:
    """Every family at every size, and QASMBench's programs between the smallest and the largest; small ones first.

    What is left out goes to `remark`, with the reason.
    """
    found = []
    for family in families:
        if family == QASMBENCH:
            found += qasmbench(min(sizes), max(sizes), remark)
            continue
        for n in sizes:
            if n >= SMALLEST.get(family, 2):
                found.append(Case(family, family, n, partial(FAMILIES[family], n, seed)))
            else:
                remark(f"{family}, {n} qubits: it needs at least {SMALLEST[family]}")
    return sorted(found, key=lambda case: case.num_qubits)  # stable: families stay in order


def qasmbench(fewest: int, most: int, remark: Callable[[str], None]) -> list[Case]:
    """QASMBench's medium programs of that many qubits; those that reset or branch have no single final state."""
    root = corpus()
    if root is None:
        remark("qasmbench: no corpus; set QSIM_CORPUS to a folder that holds QASMBench")
        return []
    found = []
    for path in sorted((root / "QASMBench" / "medium").glob("*/*.qasm")):
        circuit = load(path, include_dirs=[path.parent])
        if not fewest <= circuit.num_qubits <= most:
            continue
        if circuit.is_dynamic:
            remark(f"{path.stem}: it resets, branches or goes on after measuring")
            continue
        found.append(Case(QASMBENCH, path.stem, circuit.num_qubits, partial(load, path, include_dirs=[path.parent])))
    return found


def corpus() -> Path | None:
    """The folder of real programs: QSIM_CORPUS, or shared/corpus beside the repository."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "corpus"
    for place in (os.environ.get("QSIM_CORPUS"), beside):
        if place and (Path(place) / "QASMBench").is_dir():
            return Path(place)
    return None


def _fourier(circuit: Circuit, qubits: Sequence[int], sign: int) -> Circuit:
    """The Fourier transform of `qubits`, lowest bit first, or its inverse for sign -1."""
    steps: list[tuple[str, tuple[float, ...], list[int]]] = []
    for i in reversed(range(len(qubits))):
        steps.append(("h", (), [qubits[i]]))
        steps += [("cp", (sign * math.pi / 2 ** (i - j),), [qubits[j], qubits[i]]) for j in reversed(range(i))]
    steps += [("swap", (), [qubits[i], qubits[-1 - i]]) for i in range(len(qubits) // 2)]
    for name, angles, operands in steps[::sign]:
        circuit.append(name, operands, *angles)
    return circuit


def _chain(circuit: Circuit) -> Circuit:
    for q in range(circuit.num_qubits - 1):
        circuit.cx(q, q + 1)
    return circuit


def _matching(n: int, random: Random) -> Iterator[tuple[int, int]]:
    order = random.permutation(n).tolist()
    return zip(order[::2], order[1::2], strict=False)


def _angle(random: Random) -> float:
    return float(random.uniform(0, 2 * math.pi))


def _u3(circuit: Circuit, random: Random, qubit: int) -> None:
    circuit.u3(_angle(random), _angle(random), _angle(random), qubit)

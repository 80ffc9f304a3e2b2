"""One bit order: small programs whose outcomes are certain, and different for every way of getting bits wrong.

Qubit 0 is the rightmost character of a bitstring, and of several registers the first declared is the rightmost. A backend
that reverses bits, swaps registers, or loses those that are not measured gives another outcome in at least one of these.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from qsim.pauli import Pauli, SparsePauliOp
from session.backends.protocol import Capabilities
from session.tasks import TaskKind

_HEAD = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'


class BitOrderError(AssertionError):
    """A backend's bits are not where they belong."""


@dataclass(frozen=True)
class Canary:
    """A program and what comes out of it with certainty.

    Args:
        name: what it looks at.
        program: OpenQASM text.
        expected: the bitstring of each parameter set.
        outputs: the value of each output of the first set, as `parsed_counts` have it.
        parameters: sets, for a program with inputs.
        num_qubits: that it needs.
        needs: "" for any target, "midway" for measurements in the middle, "feed_forward" for branches.
    """

    name: str
    program: str
    expected: tuple[str, ...]
    outputs: Mapping[str, int] = field(default_factory=dict)
    parameters: tuple[Mapping[str, float], ...] = ()
    num_qubits: int = 3
    needs: str = ""


@dataclass(frozen=True)
class EstimateCanary:
    """A program and expectation values of observables in its state that are certain: +1 or -1."""

    name: str
    program: str
    observables: tuple[SparsePauliOp, ...]
    expected: tuple[float, ...]
    num_qubits: int = 3


def _measured(body: str, qubits: int = 3) -> str:
    return f"{_HEAD}qubit[{qubits}] q;\nbit[{qubits}] c;\n{body}\nc = measure q;\n"


def _all() -> list[Canary]:
    one_of_three = [
        Canary(f"x on qubit {k} of three", _measured(f"x q[{k}];"), ("0" * (2 - k) + "1" + "0" * k,), {"c": 1 << k})
        for k in range(3)
    ]
    return [
        *one_of_three,
        Canary(
            "registers of unequal size",
            f"{_HEAD}qubit[5] q;\nbit[2] a;\nbit[3] b;\nx q[0];\nx q[3];\nx q[4];\n"
            "a[0] = measure q[0];\na[1] = measure q[1];\nb[0] = measure q[2];\nb[1] = measure q[3];\nb[2] = measure q[4];\n",
            ("11001",),
            {"a": 1, "b": 6},
            num_qubits=5,
        ),
        Canary(
            "registers of qubits of unequal size",
            f"{_HEAD}qubit p;\nqubit[2] q;\nbit[2] c;\nbit d;\nx q[0];\nc = measure q;\nd = measure p;\n",
            ("001",),
            {"c": 1, "d": 0},
        ),
        Canary(
            "OpenQASM 2, the longer register first",
            'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[3];\ncreg a[2];\ncreg b[1];\nx q[1];\nx q[2];\n'
            "measure q[0] -> a[0];\nmeasure q[1] -> a[1];\nmeasure q[2] -> b[0];\n",
            ("110",),
            {"a": 2, "b": 1},
        ),
        Canary(
            "one of three qubits measured",
            f"{_HEAD}qubit[3] q;\nbit c;\nx q[2];\nc = measure q[2];\n",
            ("1",),
            {"c": 1},
        ),
        Canary(
            "two of four bits written",
            f"{_HEAD}qubit[3] q;\nbit[4] c;\nx q[2];\nx q[0];\nc[1] = measure q[1];\nc[3] = measure q[2];\n",
            ("1000",),
            {"c": 8},
        ),
        Canary(
            "qubits measured in another order",
            f"{_HEAD}qubit[3] q;\nbit[3] c;\nx q[0];\nc[1] = measure q[0];\nc[0] = measure q[2];\nc[2] = measure q[1];\n",
            ("010",),
            {"c": 2},
        ),
        Canary("control and target", _measured("x q[0];\ncx q[0], q[2];\ncx q[1], q[0];"), ("101",), {"c": 5}),
        Canary("no measurement at all", f"{_HEAD}qubit[3] q;\nx q[1];\n", ("010",), {"q": 2}),
        Canary(
            "more than a byte",
            _measured("x q[0];\nx q[8];", 10),
            ("0100000001",),
            {"c": 257},
            num_qubits=10,
        ),
        Canary(
            "parameter sets in their order",
            f"{_HEAD}input float a;\nqubit[2] q;\nbit[2] c;\nrx(a) q[1];\nc = measure q;\n",
            ("00", "10", "00"),
            {"c": 0},
            ({"a": 0.0}, {"a": math.pi}, {"a": 2 * math.pi}),
        ),
        Canary(
            "measured twice",
            f"{_HEAD}qubit[2] q;\nbit[3] c;\nx q[0];\nc[0] = measure q[0];\nx q[0];\nc[1] = measure q[0];\nx q[0];\n"
            "c[2] = measure q[0];\n",
            ("101",),
            {"c": 5},
            needs="midway",
        ),
        Canary(
            "reset",
            f"{_HEAD}qubit[2] q;\nbit[2] c;\nx q[0];\nx q[1];\nreset q[0];\nc = measure q;\n",
            ("10",),
            {"c": 2},
            needs="midway",
        ),
        Canary(
            "a branch on a bit",
            f"{_HEAD}qubit[3] q;\nbit[2] m;\nbit[3] c;\nx q[1];\nm[0] = measure q[0];\nm[1] = measure q[1];\n"
            "if (m[1]) { x q[2]; }\nif (m[0]) { x q[0]; }\nc = measure q;\n",
            ("11010",),
            {"m": 2, "c": 6},
            needs="feed_forward",
        ),
    ]


def _estimates() -> list[EstimateCanary]:
    x, y, z = Pauli.X, Pauli.Y, Pauli.Z
    return [
        EstimateCanary(
            "Z on each qubit", f"{_HEAD}qubit[3] q;\nx q[2];\n", (z(0), z(1), z(2), z(1) * z(2)), (1.0, 1.0, -1.0, -1.0)
        ),
        EstimateCanary(
            "X and Y",
            f"{_HEAD}qubit[3] q;\nh q[0];\nh q[1];\ns q[1];\nx q[2];\nh q[2];\n",
            (x(0), y(1), x(2), x(0) * y(1) * x(2)),
            (1.0, 1.0, -1.0, -1.0),
        ),
    ]


def canaries(can: Capabilities) -> list[Canary]:
    """The programs that a backend with these capabilities can run.

    >>> len(canaries(Capabilities(operations=frozenset([TaskKind.SAMPLE]), num_qubits=3, feed_forward=False)))
    11
    """
    midway = getattr(can, "mid_circuit", None)
    allowed = {
        "": True,
        "midway": can.feed_forward if midway is None else bool(midway),
        "feed_forward": can.feed_forward,
    }
    return [
        one for one in _all() if allowed[one.needs] and (can.num_qubits is None or one.num_qubits <= can.num_qubits)
    ]


def problems_of(canary: Canary, results: Sequence[Any], least: float = 1.0) -> list[str]:
    """What is wrong with the `ExecutionDetails` of a canary's parameter sets; empty when all is right.

    Args:
        canary: what was run.
        results: one for each set.
        least: the share of shots that has to have the expected outcome: 1 without noise.
    """
    if len(results) != len(canary.expected):
        return [f"{canary.name}: {len(canary.expected)} sets gave {len(results)} results"]
    problems = []
    for number, (details, bitstring) in enumerate(zip(results, canary.expected, strict=True)):
        where = canary.name if len(canary.expected) == 1 else f"{canary.name}, set {number}"
        if details.counts.get(bitstring, 0) < least * details.num_shots:
            problems.append(f"{where}: expected {bitstring}, got {_most(details.counts)}")
    first = results[0].parsed_counts[0].state if results and results[0].counts else {}
    for name, value in canary.outputs.items():
        if not problems and first.get(name) != value:
            problems.append(f"{canary.name}: output {name} is {first.get(name)!r}, not {value}")
    return problems


def run_canaries(
    backend: Any, *, shots: int = 100, least: float = 1.0, preferences: Mapping[str, Any] | None = None
) -> int:
    """Run all canaries that a backend can, through sessions, estimates included; gives how many there were.

    Args:
        backend: a name or a backend.
        shots: of each.
        least: the share of shots that has to have the expected outcome; below 1 for a target with noise.
        preferences: of the sessions, besides.

    Raises:
        BitOrderError: with everything that went wrong.

    >>> run_canaries("simulator")
    18
    """
    from session.backends.registry import load_backend
    from session.execution import ExecutionSession
    from session.preferences import ExecutionPreferences

    chosen = dict(preferences or {})
    if isinstance(backend, str):
        backend = load_backend(ExecutionPreferences(backend=backend, **chosen))
    can = backend.capabilities()
    problems: list[str] = []
    ran = 0
    for one in canaries(can):
        with ExecutionSession(one.program, backend, num_shots=shots, execution_preferences=chosen) as session:
            results = session.sample(list(one.parameters)) if one.parameters else [session.sample()]
        problems += problems_of(one, results, least)
        ran += 1
    for estimate in _estimates():
        if TaskKind.ESTIMATE not in can.operations or (can.num_qubits or estimate.num_qubits) < estimate.num_qubits:
            continue
        with ExecutionSession(estimate.program, backend, num_shots=shots, execution_preferences=chosen) as session:
            values = [found.value for found in session.estimate(list(estimate.observables))]
        room = 1e-9 if least == 1 else 4 * (1 - least)
        for operator, value, expected in zip(estimate.observables, values, estimate.expected, strict=True):
            if abs(value - expected) > room:
                problems.append(f"{estimate.name}: {operator} is {value:.3g}, not {expected:g}")
        ran += 1
    if problems:
        raise BitOrderError("Bits are not where they belong:\n" + "\n".join(problems))
    return ran


def _most(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{key} ({n})" for key, n in sorted(counts.items(), key=lambda entry: -entry[1])[:3]) or "nothing"

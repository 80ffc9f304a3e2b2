"""Gates of two and more target qubits under controls, written so that as little as can be is controlled.

A gate A B A**-1 under controls is A (B under controls) A**-1: only the middle needs them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

#: A row of the gate table, its angles, and its qubits, controls first.
Part = tuple[str, tuple[float, ...], tuple[int, ...]]


def expansion(
    name: str, params: Sequence[float], controls: tuple[int, ...], targets: tuple[int, ...]
) -> Iterator[Part]:
    """The parts of a row of the gate table under `controls`, in order of time.

    The identities are those of the gate table's own definitions (Qiskit's circuit library, OpenQASM 3's stdgates.inc;
    arXiv:1508.03273 for the relative-phase Toffoli gates).

    >>> [part[0] for part in expansion("swap", (), (), (0, 1))]
    ['cx', 'cx', 'cx']
    """
    a, *rest = targets
    b = rest[0]
    if name in ("rxx", "ryy", "rzz", "rzx"):
        yield from _pauli_rotation(name, params[0], controls, a, b)
    elif name == "swap":
        yield "cx", (), (b, a)
        yield "cx", (), (*controls, a, b)
        yield "cx", (), (b, a)
    elif name == "dcx":
        yield "cx", (), (*controls, a, b)
        yield "cx", (), (*controls, b, a)
    elif name == "ecr":
        yield "rzx", (math.pi / 4,), (a, b)
        yield "x", (), (*controls, a)
        yield "rzx", (-math.pi / 4,), (a, b)
    elif name in ("iswap", "iswapdg"):
        yield from _exchange(-math.pi if name == "iswap" else math.pi, 0.0, controls, a, b)
    elif name == "xx_plus_yy":
        yield from _exchange(params[0], params[1], controls, a, b)
    elif name == "xx_minus_yy":
        yield "x", (), (a,)
        yield from _exchange(params[0], params[1], controls, a, b)
        yield "x", (), (a,)
    elif name == "rccx":
        yield from [("h", (), (rest[1],)), ("t", (), (rest[1],)), ("cx", (), (b, rest[1])), ("tdg", (), (rest[1],))]
        yield "cx", (), (*controls, a, rest[1])
        yield from [("t", (), (rest[1],)), ("cx", (), (b, rest[1])), ("tdg", (), (rest[1],)), ("h", (), (rest[1],))]
    elif name in ("rc3x", "rc3xdg"):
        yield from _relative_c3x(name == "rc3xdg", controls, targets)
    else:
        raise AssertionError(f"gate '{name}' has no expansion")


def _pauli_rotation(name: str, angle: float, controls: tuple[int, ...], a: int, b: int) -> Iterator[Part]:
    """A CX turns XX into X on its control and ZZ into Z on its target; phases turn YY into XX, and h Z into X."""
    if name == "ryy":
        yield from [("sdg", (), (a,)), ("sdg", (), (b,))]
    elif name == "rzx":
        yield "h", (), (b,)
    yield "cx", (), (a, b)
    if name in ("rxx", "ryy"):
        yield "rx", (angle,), (*controls, a)
    else:
        yield "rz", (angle,), (*controls, b)
    yield "cx", (), (a, b)
    if name == "ryy":
        yield from [("s", (), (a,)), ("s", (), (b,))]
    elif name == "rzx":
        yield "h", (), (b,)


def _exchange(theta: float, beta: float, controls: tuple[int, ...], a: int, b: int) -> Iterator[Part]:
    """xx_plus_yy(theta, beta): a rotation between |01> and |10>, which a CX turns into a controlled rx."""
    yield "cx", (), (b, a)
    yield "rz", (-beta,), (b,)
    yield "crx", (theta,), (*controls, a, b)
    yield "rz", (beta,), (b,)
    yield "cx", (), (b, a)


def _relative_c3x(inverse: bool, controls: tuple[int, ...], targets: tuple[int, ...]) -> Iterator[Part]:
    a, b, c, t = targets
    outer: list[Part] = [("h", (), (t,)), ("t", (), (t,)), ("cx", (), (c, t)), ("tdg", (), (t,)), ("h", (), (t,))]
    on_a: Part = ("cx", (), (*controls, a, t))
    on_b: Part = ("cx", (), (*controls, b, t))
    turn, back = ("t", (), (t,)), ("tdg", (), (t,))
    inner: list[Part] = [on_a, turn, on_b, back, on_a, turn, on_b, back]
    if inverse:
        inner = [turn, on_b, back, on_a, turn, on_b, back, on_a]
    yield from outer
    yield from inner
    yield from outer

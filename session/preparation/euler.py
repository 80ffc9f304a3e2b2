"""One-qubit unitaries as short sequences of the gates that a target has.

All is up to a global phase, which the caller keeps. Angles are of U = rz(phi) ry(theta) rz(lambda).

Sources: the Euler angles of any textbook (Nielsen and Chuang, theorem 4.1); two square roots of X between z rotations:
D. C. McKay et al., Phys. Rev. A 96, 022330 (2017), equation 4; gpi2, gpi, gpi2: K. Wright et al., Nat. Commun. 10, 5464
(2019), where the gates are those of an ion trap; two rotations in the X-Y plane: `_two_turns` derives it.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from qsim.linalg import phase_of

Matrix = npt.NDArray[np.complex128]
#: A gate as its name and its angles in radians.
Step = tuple[str, tuple[float, ...]]
Recipe = Callable[[Matrix], list[Step]]

#: Angles and entries below this are rounding.
ZERO = 2e-14
_PI = math.pi
_H: Matrix = np.array([[1, 1], [1, -1]], dtype=np.complex128) * math.sqrt(0.5)
_TO_X: Matrix = np.array([[1, -1], [1, 1]], dtype=np.complex128) * math.sqrt(0.5)  # ry(pi/2): rz becomes rx


def wrapped(angle: float) -> float:
    """The angle in (-pi, pi].

    >>> wrapped(-math.pi), wrapped(7 * math.pi)
    (3.141592653589793, 3.141592653589793)
    """
    turned = math.remainder(angle, 2 * _PI)
    return _PI if turned <= -_PI else turned


def euler_angles(matrix: Matrix) -> tuple[float, float, float]:
    """(theta, phi, lambda) with matrix = rz(phi) ry(theta) rz(lambda) up to a phase; theta in [0, pi].

    >>> euler_angles(np.diag([1, 1j]))
    (0.0, 0.0, 1.5707963267948966)
    """
    (a, b), (c, d) = matrix.tolist()
    if abs(c) < ZERO:
        return 0.0, 0.0, phase_of(d / a)
    if abs(a) < ZERO:
        return _PI, phase_of(-c / b), 0.0
    # The larger entries give phi + lambda or phi - lambda to rounding, where the phase of a small one is rough.
    total, difference = phase_of(d * a.conjugate()), phase_of(-c * b.conjugate())
    phi, lam = (total + difference) / 2, (total - difference) / 2
    if abs(wrapped(phi - phase_of(c / a))) > _PI / 2:
        phi, lam = phi + _PI, lam + _PI
    return 2 * math.atan2(abs(c), abs(a)), phi, lam


def _turn(name: str, angle: float) -> list[Step]:
    angle = wrapped(angle)
    return [(name, (angle,))] if abs(angle) > ZERO else []


def plane_turn(theta: float, phi: float) -> list[Step]:
    """r(theta, phi) with theta in [0, pi] and phi in [0, 2 pi).

    >>> plane_turn(-0.5, 0.0)
    [('r', (0.5, 3.141592653589793))]
    """
    theta = wrapped(theta)
    if theta < 0:
        theta, phi = -theta, phi + _PI
    phi = math.fmod(phi, 2 * _PI)
    phi += 2 * _PI if phi < 0 else 0.0
    return [("r", (theta, phi if phi < 2 * _PI else 0.0))] if theta > ZERO else []


def _general(name: str) -> Recipe:
    def recipe(matrix: Matrix) -> list[Step]:
        theta, phi, lam = euler_angles(matrix)
        trivial = theta < ZERO and abs(wrapped(phi + lam)) < ZERO
        return [] if trivial else [(name, (theta, wrapped(phi), wrapped(lam)))]

    return recipe


def _zyz(z: str) -> Recipe:
    def recipe(matrix: Matrix) -> list[Step]:
        theta, phi, lam = euler_angles(matrix)
        return [*_turn(z, lam), *_turn("ry", theta), *_turn(z, phi)]

    return recipe


def _zxz(z: str) -> Recipe:
    def recipe(matrix: Matrix) -> list[Step]:
        theta, phi, lam = euler_angles(matrix)
        if theta < ZERO:
            return _turn(z, phi + lam)
        return [*_turn(z, lam - _PI / 2), *_turn("rx", theta), *_turn(z, phi + _PI / 2)]

    return recipe


def _xyx(matrix: Matrix) -> list[Step]:
    theta, phi, lam = euler_angles(_TO_X.conj().T @ matrix @ _TO_X)
    return [*_turn("rx", lam), *_turn("ry", theta), *_turn("rx", phi)]


def _with_h(turn: str, source: Recipe) -> Recipe:
    """A recipe in rz and rx where only one of them is there: the other is that one between two h."""
    other = "rx" if turn != "rx" else "rz"

    def recipe(matrix: Matrix) -> list[Step]:
        steps: list[Step] = []
        for name, angles in source(matrix):
            steps += [("h", ()), (turn, angles), ("h", ())] if name == other else [(name, angles)]
        return steps

    return recipe


def _xzx(matrix: Matrix) -> list[Step]:
    return [("rx" if name == "rz" else "rz", angles) for name, angles in _zxz("rz")(_H @ matrix @ _H)]


def _with_sx(z: str, root: str) -> Recipe:
    """rz sx rz sx rz, with fewer sx where fewer do; `root` is sx or its inverse."""
    sign = 1.0 if root == "sx" else -1.0  # sxdg = rz(pi) sx rz(-pi) up to a phase

    def recipe(matrix: Matrix) -> list[Step]:
        theta, phi, lam = euler_angles(matrix)
        if theta < ZERO:
            return _turn(z, phi + lam)
        if abs(theta - _PI / 2) < ZERO:
            return [*_turn(z, lam - sign * _PI / 2), (root, ()), *_turn(z, phi + sign * _PI / 2)]
        first, last = (lam, phi + _PI) if root == "sx" else (lam - _PI, phi)
        return [*_turn(z, first), (root, ()), *_turn(z, theta + _PI), (root, ()), *_turn(z, last)]

    return recipe


def _with_x(z: str) -> Recipe:
    """Only what is diagonal or turns 0 into 1."""

    def recipe(matrix: Matrix) -> list[Step]:
        theta, phi, lam = euler_angles(matrix)
        if abs(theta - _PI) > ZERO:
            return _turn(z, phi + lam)
        return [("x", ()), *_turn(z, phi - lam + _PI)]

    return recipe


def _plane_and_z(z: str) -> Recipe:
    def recipe(matrix: Matrix) -> list[Step]:
        theta, phi, lam = euler_angles(matrix)
        if theta < ZERO:
            return _turn(z, phi + lam)
        return [*plane_turn(theta, _PI / 2 - lam), *_turn(z, phi + lam)]

    return recipe


def _two_turns(matrix: Matrix) -> list[Step]:
    """Two rotations about axes in the X-Y plane.

    With U = a - i (b . sigma) take n along (b_x, b_y): r(pi, n)**-1 U has no Z in it, so it is a rotation about an axis in
    the plane too.
    """
    special = matrix / cmath.sqrt(complex(np.linalg.det(matrix)))
    a, bz = special[0, 0].real, -special[0, 0].imag
    bx, by = -special[1, 0].imag, special[1, 0].real
    if abs(bz) < ZERO:
        return plane_turn(2 * math.atan2(math.hypot(bx, by), a), math.atan2(by, bx))
    angle = math.atan2(by, bx) if math.hypot(bx, by) > ZERO else 0.0
    x, y = math.cos(angle), math.sin(angle)
    along = bx * x + by * y
    # r(pi, n)**-1 U = along - i (-a x - bz y, -a y + bz x, 0) . sigma
    first_x, first_y = -a * x - bz * y, -a * y + bz * x
    first = plane_turn(2 * math.atan2(math.hypot(first_x, first_y), along), math.atan2(first_y, first_x))
    return [*first, *plane_turn(_PI, angle)]


def _ion_trap(matrix: Matrix) -> list[Step]:
    """gpi2(a), gpi(b), gpi2(c) is rz(c) ry(a + c - 2 b) rz(-a), up to a phase; fewer gates where fewer do."""
    theta, phi, lam = euler_angles(matrix)
    if theta < ZERO and abs(wrapped(phi + lam)) < ZERO:
        return []
    if abs(theta - _PI) < ZERO:
        return [("gpi", (wrapped((phi - lam + _PI) / 2),))]
    if abs(theta - _PI / 2) < ZERO and abs(wrapped(phi + lam)) < ZERO:
        return [("gpi2", (wrapped(phi + _PI / 2),))]
    a, c = -lam, phi
    return [("gpi2", (wrapped(a),)), ("gpi", (wrapped((a + c - theta) / 2),)), ("gpi2", (wrapped(c),))]


def recipes(gates: frozenset[str]) -> list[Recipe]:
    """The ways in which these gates make any one-qubit unitary; empty when they do not.

    >>> len(recipes(frozenset(("rz", "sx", "x")))), recipes(frozenset(("h", "t")))
    (2, [])
    """
    made: list[Recipe] = [_general(name) for name in ("u", "U", "u3_su2") if name in gates][:1]
    z = "rz" if "rz" in gates else "p" if "p" in gates else None
    if z is not None:
        if "r" in gates:
            made.append(_plane_and_z(z))
        if "ry" in gates:
            made.append(_zyz(z))
        if "rx" in gates:
            made.append(_zxz(z))
        roots = [root for root in ("sx", "sxdg") if root in gates]
        made += [_with_sx(z, root) for root in roots]
        if "rx" not in gates and "h" in gates:
            made.append(_with_h(z, _zxz(z)))
        if made and "x" in gates:
            made.append(_only_where(_with_x(z)))
    if {"rx", "ry"} <= gates:
        made.append(_xyx)
    if z is None and {"rx", "h"} <= gates:
        made.append(_with_h("rx", _xzx))
    if "r" in gates:
        made.append(_two_turns)
    if {"gpi", "gpi2"} <= gates:
        made.append(_ion_trap)
    return made


def _only_where(recipe: Recipe) -> Recipe:
    """`_with_x` for what it can do; anything else looks endless, so that another recipe is taken."""

    def guarded(matrix: Matrix) -> list[Step]:
        theta = euler_angles(matrix)[0]
        return recipe(matrix) if theta < ZERO or abs(theta - _PI) < ZERO else [("x", ())] * 99

    return guarded

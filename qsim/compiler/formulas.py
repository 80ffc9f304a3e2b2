"""The parametric gates as data: a shape, and angles that are affine in the gate's parameters.

Every parametric row of the gate table has one of three shapes, each with four angles a0 to a3:

- ANGLES: a diagonal matrix with entries exp(i a_k).
- ROTATION: exp(i a3) u(a0, a1, a2), a matrix on one qubit.
- EXCHANGE: a matrix on two qubits with cos(p0 / 2) on the diagonal of the rows in `rows`, and
  sin(p0 / 2) exp(i a_row) from row to row ^ `flip`; the other rows are those of the identity.
"""

from __future__ import annotations

from math import pi

import numpy as np

from qsim.kernels.opcodes import ANGLES, EXCHANGE, ROTATION

_ZERO = (0, 0, 0, 0, 0)
_P0, _P1, _P2, _P3 = (1, 0, 0, 0, 0), (0, 1, 0, 0, 0), (0, 0, 1, 0, 0), (0, 0, 0, 1, 0)
_HALF, _MINUS_HALF = (0.5, 0, 0, 0, 0), (-0.5, 0, 0, 0, 0)


def _constant(angle: float) -> tuple[float, ...]:
    return (0, 0, 0, 0, angle)


_MINUS_I, _PLUS_I, _RIGHT = _constant(-pi / 2), _constant(pi / 2), _constant(pi / 2)
_DOWN, _UP = (0, -1, 0, 0, -pi / 2), (0, 1, 0, 0, -pi / 2)

#: Gate name -> (shape, four rows of factors of p0 to p3 and a constant, flip, rows as bits).
_TABLE: dict[str, tuple[int, tuple[tuple[float, ...], ...], int, int]] = {
    "gphase": (ANGLES, (_P0, _ZERO, _ZERO, _ZERO), 0, 0),
    "p": (ANGLES, (_ZERO, _P0, _ZERO, _ZERO), 0, 0),
    "rz": (ANGLES, (_MINUS_HALF, _HALF, _ZERO, _ZERO), 0, 0),
    "rzz": (ANGLES, (_MINUS_HALF, _HALF, _HALF, _MINUS_HALF), 0, 0),
    "rx": (ROTATION, (_P0, _MINUS_I, _PLUS_I, _ZERO), 0, 0),
    "ry": (ROTATION, (_P0, _ZERO, _ZERO, _ZERO), 0, 0),
    "r": (ROTATION, (_P0, (0, 1, 0, 0, -pi / 2), (0, -1, 0, 0, pi / 2), _ZERO), 0, 0),
    "u": (ROTATION, (_P0, _P1, _P2, _ZERO), 0, 0),
    "U": (ROTATION, (_P0, _P1, _P2, _HALF), 0, 0),
    "u3_su2": (ROTATION, (_P0, _P1, _P2, (0, -0.5, -0.5, 0, 0)), 0, 0),
    "u2": (ROTATION, (_RIGHT, _P0, _P1, _ZERO), 0, 0),
    "u2_su2": (ROTATION, (_RIGHT, _P0, _P1, (-0.5, -0.5, 0, 0, 0)), 0, 0),
    "cu": (ROTATION, (_P0, _P1, _P2, _P3), 0, 0),
    "rxx": (EXCHANGE, (_MINUS_I,) * 4, 3, 0b1111),
    "ryy": (EXCHANGE, (_PLUS_I, _MINUS_I, _MINUS_I, _PLUS_I), 3, 0b1111),
    "rzx": (EXCHANGE, (_MINUS_I, _PLUS_I, _MINUS_I, _PLUS_I), 2, 0b1111),
    "xx_plus_yy": (EXCHANGE, (_ZERO, _DOWN, _UP, _ZERO), 3, 0b0110),
    "xx_minus_yy": (EXCHANGE, (_DOWN, _ZERO, _ZERO, _UP), 3, 0b1001),
}
_TABLE |= {"crx": _TABLE["rx"], "cry": _TABLE["ry"], "cu3": _TABLE["u"]}
# Diagonal gates on two qubits take their control as a target, like any other; it is the low bit of an entry's index.
_TABLE |= {
    "cp": (ANGLES, (_ZERO, _ZERO, _ZERO, _P0), 0, 0),
    "crz": (ANGLES, (_ZERO, _MINUS_HALF, _ZERO, _HALF), 0, 0),
}

#: Gate name -> number of its formula, from 1; 0 stands for a gate without parameters that matter.
FORMULAS: dict[str, int] = {name: k + 1 for k, name in enumerate(_TABLE)}
FIXED = 0
GPHASE = FORMULAS["gphase"]
#: Formula -> shape, flip, rows; shape (formulas, 3).
SHAPES = np.array([(0, 0, 0), *[(shape, flip, rows) for shape, _, flip, rows in _TABLE.values()]], dtype=np.int64)
#: Formula -> factors, shape (formulas, 4 angles, 5).
FACTORS = np.array([np.zeros((4, 5)), *[np.array(angles, dtype=float) for _, angles, _, _ in _TABLE.values()]])

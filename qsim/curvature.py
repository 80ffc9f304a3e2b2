"""Hessian-vector products: how a gradient changes along a direction, from gradients at ten points of that line.

An expectation value is a trigonometric polynomial in the angles of the gates. Along parameters + t * vector, where angles are
affine in the parameters, its frequencies are at most W = sum of |d angle / d t| over all gates: a gate has frequencies up to
1, since the eigenvalues of its generator are at most 1 apart. Central differences of order 2 m of exp(i w t) are wrong by
(m!)**2 / (2 m + 1)! (w h)**(2 m), relatively (Fornberg, Mathematics of Computation 51, 699 (1988), for the weights): with
m = 5 and h = 0.03 / W that is far below what rounding does, about 1e-13 W. Symbolic angles that are not affine have no such
bound; the small step leaves room for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import factorial
from typing import Any

import numpy as np
import numpy.typing as npt

from qsim.circuit import Circuit
from qsim.compiler.lowering import lower

Array = npt.NDArray[Any]
POINTS = 5
#: h W, by the number of bytes of a real number: in single precision rounding weighs more.
_STEPS = {8: 0.03, 4: 0.7}
#: Step of the differences that give d angle / d t, relative to the longest component of the vector.
_PROBE = 1e-5


def weights() -> list[float]:
    """Of f(k h) - f(-k h), k from 1 to POINTS, for h f'(0).

    >>> round(sum(2 * k * weight for k, weight in enumerate(weights(), 1)), 12)  # exact for f(t) = t
    1.0
    """
    m = POINTS
    return [(-1) ** (k + 1) * factorial(m) ** 2 / (k * factorial(m - k) * factorial(m + k)) for k in range(1, m + 1)]


def fastest(circuit: Circuit, row: Array, vector: Array) -> float:
    """The bound W on frequencies along the vector; 0 where no angle changes."""
    longest = float(np.abs(vector).max(initial=0.0))
    if longest == 0:
        return 0.0
    names = [parameter.name for parameter in circuit.parameters]
    step = _PROBE / longest
    before, after = (dict(zip(names, (row + sign * step * vector).tolist(), strict=True)) for sign in (-1, 1))
    total = 0.0
    for expression in lower(circuit).expressions.values():
        total += abs(expression.evaluate(after) - expression.evaluate(before)) / (2 * step)
    return total


def line(circuit: Circuit, row: Array, vector: Array, real: Any) -> tuple[Array, float]:
    """The points of the line at which gradients are taken, shape (2 POINTS, parameters), and the step h.

    Those at h, 2 h, ... come first, then those at -h, -2 h, ... No points where nothing changes.
    """
    bound = fastest(circuit, row, vector)
    if bound == 0:
        return np.zeros((0, len(row))), 1.0
    h = _STEPS[np.dtype(real).itemsize] / bound
    multiples = np.arange(1, POINTS + 1) * h
    return row + np.concatenate([multiples, -multiples])[:, None] * vector, h


def slope(gradients: Sequence[dict[str, Any]], h: float) -> dict[str, Any]:
    """The derivative along the line of what was found at its points."""
    result: dict[str, Any] = {}
    for name in gradients[0]:
        changes = [weight * (gradients[k][name] - gradients[POINTS + k][name]) for k, weight in enumerate(weights())]
        result[name] = sum(changes[::-1]) / h
    return result

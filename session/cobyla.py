"""COBYLA without constraints: a minimum by linear models in a simplex of shrinking size.

M. Powell, "A direct search optimization method that models the objective and constraint functions by linear interpolation",
in Advances in Optimization and Numerical Analysis (Kluwer, 1994), pages 51 to 67; his constants. Without constraints the
trust-region step has a closed form, so that an iteration is a few products of a matrix and a vector.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]
_FLAT, _LONG, _PULL, _EDGE = 0.25, 2.1, 0.5, 1.1  # alpha, beta, gamma and delta of section 2
_FRESH = 50  # replacements after which the inverse is computed anew


class _Simplex:
    """The best point, the edges from it to the others (columns), and the inverse of the matrix of those edges."""

    def __init__(self, function: Callable[[Vector], float], start: Vector, radius: float) -> None:
        size = len(start)
        self.best, self.cost = start.copy(), function(start)
        self.edges, self.inverse = radius * np.eye(size), np.eye(size) / radius
        self.costs = np.empty(size)
        for k in range(size):
            self.costs[k] = function(start + self.edges[:, k])
        self._age = 0

    def replace(self, k: int, edge: Vector, cost: float) -> None:
        """Put the point at `edge` from the best in the place of point k."""
        products = self.inverse @ edge
        row = self.inverse[k] / products[k]
        self.edges[:, k], self.costs[k] = edge, cost
        self.inverse -= products[:, None] * row
        self.inverse[k] = row
        self._age += 1
        if self._age >= _FRESH:
            self.inverse[:], self._age = np.linalg.inv(self.edges), 0

    def put_best_first(self) -> None:
        """Take edges from the best point of all."""
        k = int(self.costs.argmin())
        if self.costs[k] >= self.cost:
            return
        edge = self.edges[:, k].copy()
        self.best = self.best + edge
        self.edges -= edge[:, None]
        self.edges[:, k] = -edge
        self.inverse[k] = -self.inverse.sum(axis=0)
        self.cost, self.costs[k] = float(self.costs[k]), self.cost


def cobyla(function: Callable[[Vector], float], start: Vector, radius: float = 1.0, tolerance: float = 1e-4) -> Vector:
    """The point that COBYLA ends at; `function` may raise to end it earlier.

    Args:
        function: of a vector, to be made small.
        start: where to begin, of at least one element.
        radius: the first size of the simplex: a reasonable change of an element.
        tolerance: its last size: about the accuracy of the elements.

    >>> cobyla(lambda x: float((x[0] - 1) ** 2 + (x[1] + 2) ** 2), np.zeros(2), tolerance=1e-6).round(4).tolist()
    [1.0, -2.0]
    """
    radius = max(radius, tolerance)
    simplex = _Simplex(function, start, radius)
    improve = False  # whether the simplex comes before the next step
    while True:
        simplex.put_best_first()
        heights = 1 / np.sqrt(np.einsum("ij,ij->i", simplex.inverse, simplex.inverse))
        lengths = np.sqrt(np.einsum("ij,ij->j", simplex.edges, simplex.edges))
        sound = bool(heights.min() >= _FLAT * radius and lengths.max() <= _LONG * radius)
        slope = (simplex.costs - simplex.cost) @ simplex.inverse
        if improve and not sound:
            k = int(lengths.argmax() if lengths.max() > _LONG * radius else heights.argmin())
            edge = _PULL * radius * heights[k] * simplex.inverse[k]
            edge = -edge if slope @ edge > 0 else edge
            simplex.replace(k, edge, function(simplex.best + edge))
            improve = False
            continue
        norm = math.sqrt(slope @ slope)
        if norm > 0:
            edge = -radius / norm * slope
            cost = function(simplex.best + edge)
            gain = simplex.cost - cost
            dropped = _dropped(simplex, edge, gain, heights, lengths, radius)
            if dropped is not None:
                simplex.replace(dropped, edge, cost)
                if gain > 0 and gain >= 0.1 * radius * norm:
                    improve = False
                    continue
        if not sound:
            improve = True
            continue
        if radius <= tolerance:
            simplex.put_best_first()
            return simplex.best
        radius = tolerance if radius / 2 <= 1.5 * tolerance else radius / 2
        improve = False


def _dropped(
    simplex: _Simplex, edge: Vector, gain: float, heights: Vector, lengths: Vector, radius: float
) -> int | None:
    """The point that a new one at `edge` takes the place of: a far one, or the one that keeps most volume; or none."""
    volumes = np.abs(simplex.inverse @ edge)
    after = volumes * heights
    far = lengths
    if gain > 0:  # the new point will be the best, and edges are from there: |a - b|^2 = |a|^2 - 2 a b + |b|^2
        far = np.sqrt(np.maximum(edge @ edge - 2 * (edge @ simplex.edges) + lengths * lengths, 0.0))
    far = np.where((after >= _FLAT * radius) | (volumes >= 1), far, 0.0)
    if far.max() > _EDGE * radius:
        return int(far.argmax())
    k = int(volumes.argmax())
    return k if volumes[k] > (0.0 if gain > 0 else 1.0) else None

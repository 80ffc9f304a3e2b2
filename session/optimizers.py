"""Minimising a cost over a program's parameters: COBYLA, scipy's methods, Adam on gradients, and SPSA for costs from shots."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from qsim.pool import part
from session.cobyla import cobyla
from session.costs import costs_of
from session.errors import SessionError
from session.estimates import MinimizationResult
from session.programs import Program
from session.tasks import MinimizeOptions, Task, TaskKind, call_seed

if TYPE_CHECKING:
    from session.backends.protocol import Backend, Capabilities

Vector = npt.NDArray[np.float64]
#: Methods by lower-case name, scipy's but for COBYLA; those that need no gradient, and those that take one.
_WITHOUT = {name.lower(): name for name in ("COBYLA", "COBYQA", "Nelder-Mead", "Powell")}
_WITH = {name.lower(): name for name in ("L-BFGS-B", "BFGS", "CG", "SLSQP", "TNC", "Newton-CG")}
METHODS = (*_WITHOUT.values(), *_WITH.values(), "ADAM", "SPSA")


_REMEMBERED = 4096  # evaluations in which the point of an iteration is looked for


class _Stop(Exception):
    """The limit of iterations is reached."""


def read_options(max_iteration: Any, method: Any, tolerance: Any) -> MinimizeOptions:
    """Checked options of a minimisation.

    >>> read_options(10, "l-bfgs-b", None).method
    'L-BFGS-B'
    """
    if isinstance(max_iteration, bool) or not isinstance(max_iteration, (int, np.integer)) or max_iteration < 1:
        raise SessionError(f"max_iteration is a whole number of at least 1, got {max_iteration!r}.")
    known = {name.lower(): name for name in METHODS}
    if not isinstance(method, str) or method.lower() not in known:
        near = difflib.get_close_matches(method.lower(), known, n=1) if isinstance(method, str) else []
        hint = f" Did you mean {known[near[0]]!r}?" if near else ""
        raise SessionError(f"There is no method {method!r}.{hint} There are {', '.join(METHODS)}.")
    if tolerance is not None:
        number = tolerance if isinstance(tolerance, (int, float, np.integer, np.floating)) else math.nan
        if isinstance(tolerance, bool) or not 0 < number < math.inf:
            raise SessionError(f"tolerance is a number above 0, or None, got {tolerance!r}.")
        tolerance = float(number)
    return MinimizeOptions(int(max_iteration), known[method.lower()], tolerance)


def check_minimize(program: Program, task: Task, can: Capabilities) -> None:
    """Raise for a minimisation that cannot be done: no parameters, or a method whose gradients there are not."""
    assert task.options is not None
    if not program.circuit.parameters:
        raise SessionError("A program without parameters has nothing to minimise over.")
    method = task.options.method
    needs = method == "ADAM" or method.lower() in _WITH
    if needs and not _has_gradient(task, can) and (method == "ADAM" or not _is_smooth(task, can)):
        why = (
            f"backend without gradients (it can {', '.join(sorted(kind.value for kind in can.operations))})"
            if task.observables and task.quantile == 1 and not task.filters
            else "cost out of counted states (a function, a quantile below 1, or filters)"
        )
        raise SessionError(f"Method {method} needs gradients, which there are not of a {why}. Use COBYLA or SPSA.")


def _has_gradient(task: Task, can: Capabilities) -> bool:
    return bool(task.observables) and task.quantile == 1 and not task.filters and TaskKind.GRADIENT in can.operations


def _is_smooth(task: Task, can: Capabilities) -> bool:
    """Whether differences of nearby costs mean something: they are exact, in double precision."""
    return bool(task.observables) and task.quantile == 1 and can.precision == "double"


class _Costs:
    """The cost as a function of a vector of parameters, with a record of what was asked."""

    def __init__(self, backend: Backend, program: Program, task: Task) -> None:
        assert task.options is not None
        self._backend, self._program, self._task = backend, program, task
        self.can = backend.capabilities()
        self.options = task.options
        self.has_gradient = _has_gradient(task, self.can)
        self._fixed_seed = bool(task.observables) and task.quantile == 1 and self.can.precision != "shots"
        self.evaluations = 0
        self.last: tuple[float, Vector] = (math.nan, np.zeros(0))  # the latest evaluation
        self._seen: dict[bytes, tuple[float, Vector]] = {}  # by the bits of x
        self.history: list[tuple[float, Vector]] = []  # an entry an iteration
        self.best: tuple[float, Vector] | None = None

    def _asked(self, kind: TaskKind, points: Vector) -> Task:
        task = self._task
        seed = task.seed if self._fixed_seed else call_seed(task.seed, self.evaluations)
        rows = np.array(points, dtype=np.float64).reshape(-1, len(task.rows[0]))
        return Task(
            kind,
            rows,
            False,
            task.num_shots,
            seed,
            task.observables,
            False,
            task.filters,
            task.quantile,
            None,
            task.cost,
            task.grouping,
            task.mitigation_shots,
        )

    def _note(self, cost: float, x: Vector) -> None:
        if not math.isfinite(cost):
            raise SessionError(f"The cost is a finite number; at {self._program.named(x.tolist())} it is {cost}.")
        self.evaluations += 1
        entry = (cost, np.array(x, dtype=np.float64))
        self.last = entry
        if len(self._seen) >= _REMEMBERED:
            self._seen.clear()
        self._seen[entry[1].tobytes()] = entry
        if self.best is None or cost < self.best[0]:
            self.best = entry

    def value(self, x: Vector) -> float:
        """The cost at x."""
        return self.values(np.asarray(x).reshape(1, -1))[0]

    def values(self, points: Vector) -> list[float]:
        """The costs at several points, shape (points, parameters), as one batch."""
        done = min(len(self.history), self.options.max_iteration - 1)
        with part(done, self.options.max_iteration):
            found = costs_of(self._backend, self._program, self._asked(TaskKind.ESTIMATE_COST, points))
        for cost, x in zip(found, points, strict=True):
            self._note(cost, x)
        return found

    def value_and_gradient(self, x: Vector) -> tuple[float, Vector]:
        """The cost at x and its derivatives, from one sweep of the engine."""
        done = min(len(self.history), self.options.max_iteration - 1)
        with part(done, self.options.max_iteration):
            found: Any = self._backend.run(self._program, self._asked(TaskKind.GRADIENT, x))[0]
        self._note(found.value, x)
        return found.value, np.concatenate([np.atleast_1d(slope) for slope in found.values()])

    def iteration(self, x: Vector) -> None:
        """An optimiser's iteration ended at x."""
        if len(self.history) >= self.options.max_iteration:  # COBYQA tells of its first points too
            raise _Stop
        self.history.append(self._seen.get(np.asarray(x, dtype=np.float64).tobytes(), self.last))

    def each_is_an_iteration(self, x: Vector) -> float:
        """`value`, for methods whose limit counts evaluations."""
        if len(self.history) >= self.options.max_iteration:
            raise _Stop
        cost = self.value(x)
        self.history.append(self.last)
        return cost


def minimize(backend: Backend, program: Program, task: Task) -> MinimizationResult:
    """The history of minimising a task's cost from its one row of parameters; the best entry is the last."""
    costs = _Costs(backend, program, task)
    method = costs.options.method
    start = task.rows[0].copy()
    if method == "ADAM":
        converged, message = _adam(costs, start)
    elif method == "COBYLA":
        converged, message = _cobyla(costs, start)
    elif method == "SPSA":
        converged, message = _spsa(costs, start, np.random.default_rng(task.seed))
    else:
        converged, message = _scipy(costs, start)
    if costs.best is not None and (not costs.history or costs.history[-1][0] > costs.best[0]):
        costs.history.append(costs.best)
    metadata = {
        "backend": backend.name,
        "method": method,
        "converged": converged,
        "message": message,
        "iterations": min(len(costs.history), costs.options.max_iteration),
        "evaluations": costs.evaluations,
        "gradient": "adjoint" if costs.has_gradient and costs.can.precision != "shots" else
                    "parameter shift" if costs.has_gradient else None,
        "num_shots": None if costs._fixed_seed else task.num_shots,
        "seed": None if costs._fixed_seed and method != "SPSA" else task.seed,
    }  # fmt: skip
    if method != "ADAM" and method.lower() not in _WITH:
        metadata["gradient"] = None
    return MinimizationResult([(cost, program.named(x.tolist())) for cost, x in costs.history], metadata)


def _scipy(costs: _Costs, start: Vector) -> tuple[bool, str]:
    from scipy import optimize

    options = costs.options
    method = options.method
    limit: dict[str, Any] = {"maxfun" if method == "TNC" else "maxiter": options.max_iteration}
    callback: Callable[[Vector], None] | None = lambda xk: costs.iteration(xk)  # noqa: E731  (scipy looks at its argument's name)
    with_gradient = method.lower() in _WITH and costs.has_gradient
    try:
        found = optimize.minimize(
            costs.value_and_gradient if with_gradient else costs.value,
            start,
            jac=True if with_gradient else None,
            method=method,
            tol=options.tolerance,
            callback=callback,
            options=limit,
        )
    except _Stop:
        return False, f"The limit of {options.max_iteration} iterations is reached."
    return bool(found.success), str(found.message)


def _cobyla(costs: _Costs, start: Vector) -> tuple[bool, str]:
    """This package's own: scipy's takes a millisecond an evaluation, ten times what the engine takes for 8 qubits."""
    tolerance = 1e-4 if costs.options.tolerance is None else costs.options.tolerance
    try:
        cobyla(costs.each_is_an_iteration, start, tolerance=tolerance)
    except _Stop:
        return False, f"The limit of {costs.options.max_iteration} iterations is reached."
    return True, f"The simplex has shrunk to the tolerance of {tolerance:g}."


def _adam(costs: _Costs, x: Vector, rate: float = 0.1) -> tuple[bool, str]:
    """Adam: D. Kingma and J. Ba, arXiv:1412.6980, algorithm 1, at its own settings but for the rate."""
    first, second = np.zeros_like(x), np.zeros_like(x)
    tolerance = 1e-8 if costs.options.tolerance is None else costs.options.tolerance
    for step in range(1, costs.options.max_iteration + 1):
        _, slope = costs.value_and_gradient(x)
        costs.iteration(x)
        if np.abs(slope).max() < tolerance:
            return True, f"The largest derivative is below {tolerance:g}."
        first = 0.9 * first + 0.1 * slope
        second = 0.999 * second + 0.001 * slope**2
        x = x - rate * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
    return False, f"The limit of {costs.options.max_iteration} iterations is reached."


def _spsa(costs: _Costs, x: Vector, random: np.random.Generator, step: float = 0.2) -> tuple[bool, str]:
    """Simultaneous perturbation: J. Spall, IEEE Trans. Aerosp. Electron. Syst. 34, 817 (1998), with its exponents.

    The first steps have a length of about `step` in each parameter: five perturbations measure the slope that there is.
    """
    most = costs.options.max_iteration
    stability = 0.1 * most
    directions = random.choice((-1.0, 1.0), size=(5, len(x)))
    found = costs.values(np.concatenate([x + step * directions, x - step * directions]))
    typical = float(np.mean([abs(found[k] - found[k + 5]) for k in range(5)])) / (2 * step)
    gain = step * (stability + 1) ** 0.602 / max(typical, 1e-10)
    for k in range(most):
        width = step / (k + 1) ** 0.101
        direction = random.choice((-1.0, 1.0), size=len(x))
        cost, above, below = costs.values(np.stack([x, x + width * direction, x - width * direction]))
        previous = costs.history[-1][0] if costs.history else math.inf
        costs.iteration(x)
        if costs.options.tolerance is not None and abs(previous - cost) < costs.options.tolerance:
            return True, f"The cost changed by less than {costs.options.tolerance:g}."
        x = x - gain / (stability + k + 1) ** 0.602 * (above - below) / (2 * width) * direction
    costs.value(x)
    return False, f"The limit of {most} iterations is reached."

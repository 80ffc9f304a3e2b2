"""What a backend is asked to do: plain data, complete and checked, so that running it again gives the same result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from qsim.pauli import SparsePauliOp
from session.errors import SessionError
from session.filters import StateFilter
from session.operator_json import operator_from_json, operator_to_json

MAX_SEED = 1 << 53  # a drawn or derived seed survives JSON readers that know doubles only

_WORD = (1 << 64) - 1

#: A function of a parsed state (a value for each output), as `estimate_cost` and `minimize` take it.
CostFunction = Callable[[dict[str, Any]], float]


class TaskKind(StrEnum):
    """The operations of a session."""

    SAMPLE = "sample"
    ESTIMATE = "estimate"
    STATE_VECTOR = "calculate_state_vector"
    GRADIENT = "gradient"
    ESTIMATE_COST = "estimate_cost"
    MINIMIZE = "minimize"


@dataclass(frozen=True)
class MinimizeOptions:
    """How to minimise: see `ExecutionSession.minimize`."""

    max_iteration: int
    method: str = "COBYLA"
    tolerance: float | None = None


@dataclass(frozen=True)
class Task:
    """One call of a session.

    Args:
        kind: the operation.
        rows: parameter values in the order of the circuit's parameters, shape (sets, parameters). Set k is run with
            ``seed + k``. Of a minimisation they are where it begins.
        batched: whether the caller gave a list of sets, and so gets a list.
        num_shots: of each set.
        seed: of the first set.
        observables: of an estimate, a gradient, or a cost that is a Hamiltonian.
        several: whether the caller gave a list of observables, and so gets a list for each set.
        filters: on outputs; see `ExecutionSession.set_measured_state_filter`.
        quantile: of a cost: the mean of this share of the lowest shots.
        options: of a minimisation.
        cost: a cost that is a function of parsed states: no data, so that the task lives in this process only.
        grouping: of an estimate from shots: "qubit-wise" or "commuting"; None for the backend's own.
        mitigation_shots: of an estimate: shots of each of the two circuits that readout errors are measured with, which then
            are taken out; 0 for none.
    """

    kind: TaskKind
    rows: npt.NDArray[np.float64]
    batched: bool
    num_shots: int
    seed: int
    observables: tuple[SparsePauliOp, ...] = ()
    several: bool = False
    filters: tuple[StateFilter, ...] = ()
    quantile: float = 1.0
    options: MinimizeOptions | None = None
    cost: CostFunction | None = field(default=None, compare=False)
    grouping: str | None = None
    mitigation_shots: int = 0

    @property
    def is_storable(self) -> bool:
        """Whether it is plain data: no cost that is a function."""
        return self.cost is None

    def part(self, start: int, stop: int) -> Task:
        """The sets [start, stop) as a task of their own, which gives what they give in the whole."""
        return replace(self, rows=self.rows[start:stop], batched=True, seed=set_seed(self.seed, start))

    def to_dict(self) -> dict[str, Any]:
        """What JSON can hold, floats exact; `from_dict` takes it back.

        Raises:
            SessionError: the cost is a Python function.

        >>> task = Task(TaskKind.SAMPLE, np.array([[0.1]]), False, 10, 7)
        >>> Task.from_dict(task.to_dict()).rows.tolist()
        [[0.1]]
        """
        if self.cost is not None:
            raise SessionError(
                "A cost that is a Python function cannot be stored, so this task lives in this process only. A cost that "
                "is a SparsePauliOp can be."
            )
        options = self.options
        return {
            "kind": self.kind.value,
            "rows": self.rows.tolist(),
            "columns": self.rows.shape[1],
            "batched": self.batched,
            "num_shots": self.num_shots,
            "seed": self.seed,
            "observables": [operator_to_json(operator) for operator in self.observables],
            "several": self.several,
            "filters": [one.to_dict() for one in self.filters],
            "quantile": self.quantile,
            "options": None if options is None else [options.max_iteration, options.method, options.tolerance],
            "grouping": self.grouping,
            "mitigation_shots": self.mitigation_shots,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Task:
        """What `to_dict` gave.

        Raises:
            SessionError: the data is no task.
        """
        try:
            rows = np.array(data["rows"], dtype=np.float64).reshape(len(data["rows"]), int(data["columns"]))
            options = data["options"]
            return cls(
                kind=TaskKind(data["kind"]),
                rows=rows,
                batched=bool(data["batched"]),
                num_shots=int(data["num_shots"]),
                seed=int(data["seed"]),
                observables=tuple(operator_from_json(one) for one in data["observables"]),
                several=bool(data["several"]),
                filters=tuple(StateFilter.from_dict(one) for one in data["filters"]),
                quantile=float(data["quantile"]),
                options=None if options is None else MinimizeOptions(int(options[0]), str(options[1]), options[2]),
                grouping=data.get("grouping"),
                mitigation_shots=int(data.get("mitigation_shots", 0)),
            )
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise SessionError(f"This is no task of this package's JSON form: {error!r}.") from None


def call_seed(random_seed: int, call: int) -> int:
    """The seed of a session's call number `call`: the session's own for the first, derived ones after it.

    >>> call_seed(7, 0)
    7
    >>> call_seed(7, 1) == call_seed(7, 1) != call_seed(7, 2)
    True
    """
    if call == 0:
        return random_seed
    # SplitMix64: G. Steele, D. Lea and C. Flood, OOPSLA 2014, figure 16.
    word = (random_seed + call * 0x9E3779B97F4A7C15) & _WORD
    word = ((word ^ word >> 30) * 0xBF58476D1CE4E5B9) & _WORD
    word = ((word ^ word >> 27) * 0x94D049BB133111EB) & _WORD
    return (word ^ word >> 31) % MAX_SEED


def set_seed(seed: int, index: int) -> int:
    """The seed of set number `index` of a call: seeds go round at 2**64.

    >>> set_seed(7, 2)
    9
    """
    return (seed + index) % (1 << 64)

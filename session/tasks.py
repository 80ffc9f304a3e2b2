"""What a backend is asked to do: plain data, complete and checked, so that running it again gives the same result."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, Union

import numpy as np
import numpy.typing as npt

from qsim.pauli import SparsePauliOp
from session.results import EstimationResult, ExecutionDetails

Result = Union[ExecutionDetails, EstimationResult]
MAX_SEED = 1 << 53  # a drawn or derived seed survives JSON readers that know doubles only


class TaskKind(StrEnum):
    """The operations of a session that can be run in the background."""

    SAMPLE = "sample"
    ESTIMATE = "estimate"


@dataclass(frozen=True)
class Task:
    """One call of a session.

    `rows` are parameter values in the order of the circuit's parameters, shape (sets, parameters). Set k is run with
    ``seed + k``. `observable` is for estimates only.
    """

    kind: TaskKind
    rows: npt.NDArray[np.float64]
    batched: bool
    num_shots: int
    seed: int
    observable: SparsePauliOp | None = None


class Backend(Protocol):
    """What runs tasks. The session checks parameters; `check` is for what only the backend knows."""

    @property
    def name(self) -> str:
        """The name that users choose it by."""

    def check(self, task: Task) -> None:
        """Raise a `QsimError` when the task cannot be run here; called before a job is made of it."""

    def run(self, task: Task) -> list[Result]:
        """One result for each row of the task; called from any thread."""


def call_seed(random_seed: int, call: int) -> int:
    """The seed of a session's call number `call`: the session's own for the first, derived ones after it.

    >>> call_seed(7, 0)
    7
    >>> call_seed(7, 1) == call_seed(7, 1) != call_seed(7, 2)
    True
    """
    if call == 0:
        return random_seed
    words = np.random.SeedSequence([random_seed, call]).generate_state(1, np.uint64)
    return int(words[0]) % MAX_SEED

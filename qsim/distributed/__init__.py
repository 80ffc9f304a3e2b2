"""One statevector over many ranks, or in a file: plans of exchanges, transports, and simulators that run on them.

`plan` decides which qubits are global, and knows nothing of how ranks talk; see docs/distributed.md. mpi4py (extra `mpi`)
is imported when an `MPITransport` is made, not before.

>>> from qsim import Circuit
>>> from qsim.distributed import DistributedSimulator, run_in_threads
>>> ghz = Circuit(3).h(0).cx(0, 1).cx(1, 2)
>>> run_in_threads(4, lambda transport: DistributedSimulator(transport).probabilities(ghz, qubits=[2]).round(12))[0]
array([0.5, 0.5])
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qsim.distributed.file_simulator import FilePlan, FileSimulator
    from qsim.distributed.mpi import MPITransport, launched_ranks
    from qsim.distributed.plan import Exchange, Local, RankPlan, plan_ranks
    from qsim.distributed.simulator import DistributedSimulator
    from qsim.distributed.threads import run_in_threads

_WHERE = {
    "MPITransport": "mpi", "launched_ranks": "mpi", "Exchange": "plan", "Local": "plan", "RankPlan": "plan",
    "plan_ranks": "plan", "DistributedSimulator": "simulator", "run_in_threads": "threads",
    "FilePlan": "file_simulator", "FileSimulator": "file_simulator",
}  # fmt: skip

__all__ = [
    "DistributedSimulator", "Exchange", "FilePlan", "FileSimulator", "Local", "MPITransport", "RankPlan",
    "launched_ranks", "plan_ranks", "run_in_threads",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)

"""One statevector over many ranks, or in a file: plans of exchanges, transports, and simulators that run on them.

`plan` decides which qubits are global, and knows nothing of how ranks talk; see docs/distributed.md.
"""

from __future__ import annotations

from typing import Any

__all__ = ["FilePlan", "FileSimulator"]


def __getattr__(name: str) -> Any:  # imported at first use: compiling circuits takes Numba
    if name in __all__:
        from qsim.distributed import file_simulator

        return getattr(file_simulator, name)
    raise AttributeError(f"module 'qsim.distributed' has no attribute {name!r}")

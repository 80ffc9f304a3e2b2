"""How fast ranks on one machine exchange messages: ``mpiexec -n 2 python -m qsim.distributed.exchange_rate``."""

from __future__ import annotations

import time

import numpy as np

#: Bytes of a block that is exchanged, and of a message; how often.
_BLOCK, _MESSAGE, _TIMES = 1 << 27, 1 << 26, 4


def over_mpi() -> float:
    """Bytes a second that the two ranks send, both together, each message copied to its place as a run does."""
    from mpi4py import MPI

    world = MPI.COMM_WORLD
    block, room = np.ones(_BLOCK, np.uint8), np.empty(_MESSAGE, np.uint8)
    best = float("inf")
    for _ in range(_TIMES):
        world.Barrier()
        begun = time.perf_counter()
        for start in range(0, _BLOCK, _MESSAGE):
            piece = block[start : start + _MESSAGE]
            world.Sendrecv(piece, 1 - world.rank, recvbuf=room, source=1 - world.rank)
            piece[:] = room
        world.Barrier()
        best = min(best, time.perf_counter() - begun)
    return 2 * _BLOCK / best


def over_copies() -> float:
    """The same by what it takes at least, two copies of each byte in memory, on one thread.

    >>> over_copies() > 0
    True
    """
    block, room = np.ones(_MESSAGE, np.uint8), np.empty(_MESSAGE, np.uint8)
    best = float("inf")
    for _ in range(_TIMES):
        begun = time.perf_counter()
        room[:] = block
        block[:] = room
        best = min(best, time.perf_counter() - begun)
    return _MESSAGE / best


if __name__ == "__main__":
    from mpi4py import MPI

    rate = over_mpi()
    if MPI.COMM_WORLD.rank == 0:
        print(rate)

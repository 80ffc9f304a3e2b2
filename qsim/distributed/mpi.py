"""Ranks that are processes under MPI, by mpi4py, which is imported only here and only when asked for."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from qsim.errors import RankError

Array = npt.NDArray[Any]
#: Where launchers tell a process how many there are: MPICH and Intel MPI, Open MPI, MVAPICH.
_SIZES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")


def launched_ranks(environment: Mapping[str, str] | None = None) -> int:
    """How many ranks this process was started with by a launcher of MPI; 1 where it was not. Imports nothing.

    QSIM_MPI=0 says that there is one, for programs that run many of their own under a launcher.

    >>> launched_ranks({"PMI_SIZE": "4", "PMI_RANK": "0"}), launched_ranks({})
    (4, 1)
    """
    given = os.environ if environment is None else environment
    if given.get("QSIM_MPI") == "0":
        return 1
    names = _SIZES if "PMIX_RANK" not in given else (*_SIZES, "SLURM_STEP_NUM_TASKS")
    for name in names:
        text = given.get(name, "")
        if text.isdigit():
            return max(1, int(text))
    return 1


class MPITransport:
    """Messages over an MPI communicator.

    Args:
        communicator: of mpi4py; None takes a copy of COMM_WORLD.

    Raises:
        RankError: mpi4py or the MPI library is not there.
    """

    def __init__(self, communicator: Any = None) -> None:
        mpi = _mpi()
        self._mpi = mpi
        self._world = (mpi.COMM_WORLD if communicator is None else communicator).Dup()
        self.rank, self.size = int(self._world.Get_rank()), int(self._world.Get_size())

    def exchange(self, peer: int, send: Array, receive: Array) -> None:
        """As `qsim.distributed.transport.Transport` says."""
        byte = self._mpi.BYTE
        if send.nbytes >= 1 << 31:
            raise RankError(f"A message is shorter than 2**31 bytes, got {send.nbytes:,}. Take a smaller chunk.")
        self._world.Sendrecv(
            [send.view(np.uint8), byte], dest=peer, recvbuf=[receive.view(np.uint8), byte], source=peer
        )

    def gather(self, data: bytes) -> list[bytes]:
        """As `qsim.distributed.transport.Transport` says."""
        mpi = self._mpi
        lengths = np.empty(self.size, np.int64)
        self._world.Allgather([np.array([len(data)], np.int64), mpi.INT64_T], [lengths, mpi.INT64_T])
        total = int(lengths.sum())
        if total >= 1 << 31:
            raise RankError(f"Ranks gather fewer than 2**31 bytes at a time, got {total:,}.")
        ends = np.cumsum(lengths)
        room = np.empty(max(total, 1), np.uint8)
        starts = ends - lengths
        self._world.Allgatherv([np.frombuffer(data, np.uint8), mpi.BYTE], [room, lengths, starts, mpi.BYTE])
        return [room[start:end].tobytes() for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]

    def watch(self, agreed: Callable[[], BaseException | None]) -> None:
        """End all ranks when this process ends by an error that they have not agreed on: they would wait for it."""
        if self.size > 1:
            atexit.register(self._leave, agreed)

    def _leave(self, agreed: Callable[[], BaseException | None]) -> None:
        error = getattr(sys, "last_value", None)  # what the interpreter ended by, if anything
        if error is None or error is agreed() or self._mpi.Is_finalized():
            return
        self.abort(f"{type(error).__name__}: {error}")

    def abort(self, message: str) -> NoReturn:
        """As `qsim.distributed.transport.Transport` says."""
        print(f"error: rank {self.rank} of {self.size}: {message}", file=sys.stderr, flush=True)
        self._world.Abort(1)
        raise RankError(message)


def _mpi() -> Any:
    try:
        from mpi4py import MPI
    except ImportError as error:
        raise RankError(
            f'Running on several ranks takes mpi4py and an MPI library: pip install "qsim-session[mpi]". ({error})'
        ) from None
    except RuntimeError as error:  # mpi4py is there and finds no library of MPI
        raise RankError(
            f'mpi4py finds no MPI library: {error}. Install one (MPICH, Open MPI), or pip install "qsim-session[mpi]".'
        ) from None
    return MPI

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

#: What a rank that has ended tells the others in place of a length.
_ENDED = -1
#: The transports of this process, each with what tells the last error that its ranks agreed on.
_WATCHED: list[tuple[MPITransport, Callable[[], BaseException | None]]] = []


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

    def _lengths(self, length: int) -> tuple[Any, Array]:
        """Begin to tell all ranks a number and to hear theirs; the request, and where they will be."""
        lengths, int64 = np.empty(self.size, np.int64), self._mpi.INT64_T
        return self._world.Iallgather([np.array([length], np.int64), int64], [lengths, int64]), lengths

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
        request, lengths = self._lengths(len(data))
        request.Wait()
        if lengths.min() == _ENDED:
            raise RankError(
                f"Every rank makes the same calls: rank {int(lengths.argmin())} has ended, and rank {self.rank} goes on. "
                "Let all ranks run the same script to its end."
            )
        total = int(lengths.sum())
        if total >= 1 << 31:
            raise RankError(f"Ranks gather fewer than 2**31 bytes at a time, got {total:,}.")
        ends = np.cumsum(lengths)
        room = np.empty(max(total, 1), np.uint8)
        starts = ends - lengths
        self._world.Allgatherv([np.frombuffer(data, np.uint8), mpi.BYTE], [room, lengths, starts, mpi.BYTE])
        return [room[start:end].tobytes() for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]

    def watch(self, agreed: Callable[[], BaseException | None]) -> None:
        """See to it that no rank waits for this process once it has ended, by an error or before the others."""
        if self.size > 1:
            if not _WATCHED:
                atexit.register(_leave, os.getpid())
            _WATCHED.append((self, agreed))

    def abort(self, message: str) -> NoReturn:
        """As `qsim.distributed.transport.Transport` says."""
        print(f"error: rank {self.rank} of {self.size}: {message}", file=sys.stderr, flush=True)
        self._world.Abort(1)
        raise RankError(message)


def _leave(process: int) -> None:
    """At the end of a process. An error that the ranks have not agreed on ends all of them; else each hears that this one
    has ended, and those that go on fail in their next call, where they would wait for ever.
    """
    mpi = _mpi()
    if os.getpid() != process or mpi.Is_finalized():
        return
    error = getattr(sys, "last_value", None)  # what the interpreter ended by, if anything but sys.exit
    if error is not None and all(error is not agreed() for _, agreed in _WATCHED):
        _WATCHED[-1][0].abort(f"{type(error).__name__}: {error}")
    if "mpi4py.run" in sys.modules:
        return  # `python -m mpi4py` ends all ranks by itself after this, where sys.exit has said so
    farewells = [transport._lengths(_ENDED) for transport, _ in _WATCHED]  # at once, since nobody knows who calls what
    mpi.Request.Waitall([request for request, _ in farewells])


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

"""A statevector in a file: space checked first, pieces read and written on threads, removed unless it is kept.

An index of the file is an amplitude's number in some order of the qubits, which others know. Reading 2**k amplitudes means
naming the k bits of the index that they differ in: the lowest ones that are in their places make up contiguous runs.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from qsim.errors import QsimError
from qsim.memory import readable
from qsim.pool import run_shares

Array = npt.NDArray[Any]
#: Bytes that one call of the system moves at most: what Ctrl-C may have to wait for, 80 ms from a slow disk.
PIECE = 1 << 23
#: Room for the header of the .npy format, a whole page, so that amplitudes begin at one.
HEADER = 1 << 12
#: Bytes that are left free on the disk, since a full one hurts others too.
SPARE = 1 << 26


class DiskSpaceError(QsimError):
    """A state would need more room than the disk has; raised before anything is written."""


def check_place(where: str | os.PathLike[str], size: int, what: str) -> Path:
    """The folder or new file `where`, when `size` bytes fit there.

    Raises:
        QsimError: there is no such folder, it cannot be written to, or a file of that name exists.
        DiskSpaceError: with the numbers.
    """
    if not os.fspath(where):
        raise QsimError("A state is kept in a folder, or in a new file; got an empty name. '.' is the current folder.")
    path = Path(where)
    folder = path if path.is_dir() else path.parent
    if not folder.is_dir():
        raise QsimError(
            f"A state is kept in an existing folder, or in a new file in one; there is no folder '{folder}'."
        )
    if path != folder and path.exists():
        raise QsimError(f"'{path}' exists, and a state does not overwrite files. Give a folder, or a new name.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise QsimError(f"The folder '{folder}' cannot be written to. Give another one for the state's file.")
    free = shutil.disk_usage(folder).free
    if size + HEADER + SPARE > free:
        raise DiskSpaceError(
            f"{what} takes {readable(size)} on disk; in '{folder}' there are {readable(free)} free, of which "
            f"{readable(SPARE)} are left alone. Give a folder on another disk, or try precision='single' or fewer qubits."
        )
    return path


class StateFile:
    """2**num_qubits amplitudes in a file, all zero at first.

    Args:
        where: a folder, in which the file gets a name of its own, or the name of a new file.
        num_qubits: of the state.
        dtype: complex128 or complex64.
        threads: how many read and write at a time.
        keep: whether the file stays. If not, it has no name where the system allows that, so that nothing is left behind
            however the process ends.

    Raises:
        QsimError, DiskSpaceError: as `check_place`.

    >>> import numpy as np, tempfile
    >>> with tempfile.TemporaryDirectory() as folder, StateFile(folder, 3, np.complex128, 1) as file:
    ...     file.write(np.arange(4) + 0j, *file.pieces([1, 2], 1))
    ...     place = np.empty(8, complex)
    ...     file.read(place, *file.pieces([0, 1, 2], 0))
    ...     place.real
    array([0., 0., 0., 1., 0., 2., 0., 3.])
    """

    def __init__(self, where: Any, num_qubits: int, dtype: Any, threads: int, keep: bool = False) -> None:
        self.num_qubits, self.dtype, self.threads, self.keep = num_qubits, np.dtype(dtype), threads, keep
        self.bytes_read = self.bytes_written = 0
        size = self.dtype.itemsize << num_qubits
        path = check_place(where, size, f"A state of {num_qubits} qubits")
        try:
            if path.is_dir():
                self._file, name = tempfile.mkstemp(prefix="qsim-", suffix=".npy", dir=path)
                self.path = Path(name)
            else:
                flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
                self._file, self.path = os.open(path, flags, 0o600), path
        except OSError as error:
            raise QsimError(f"No file for a state can be made in '{path}': {error.strerror or error}.") from None
        self._seeking = threading.Lock()
        self._named = True
        try:
            os.truncate(self._file, HEADER + size)  # zeros that take no room yet
            if not keep and os.name == "posix":
                self.path.unlink()
                self._named = False
        except BaseException as error:
            self.close(failed=True)
            if isinstance(error, OSError):
                raise QsimError(f"A file of {readable(size)} cannot be made: {error.strerror or error}.") from None
            raise

    def __enter__(self) -> StateFile:
        return self

    def __exit__(self, kind: Any, value: Any, trace: Any) -> None:
        self.close(failed=kind is not None)

    def close(self, failed: bool = False) -> None:
        """Close the file, and remove it unless it is to be kept and nothing has failed."""
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)
        if self._named and (failed or not self.keep):
            with contextlib.suppress(OSError):
                self.path.unlink(missing_ok=True)

    def finish(self) -> None:
        """Write what is to be kept through to the disk, as an array for `numpy.load`."""
        text = f"{{'descr': '{self.dtype.str}', 'fortran_order': False, 'shape': ({1 << self.num_qubits},), }}"
        magic = b"\x93NUMPY\x01\x00" + (HEADER - 10).to_bytes(2, "little")
        header = magic + text.encode("ascii").ljust(HEADER - len(magic) - 1) + b"\n"
        self._move(memoryview(bytearray(header)), 0, True)
        os.fsync(self._file)

    def flush(self) -> None:
        """Write everything through to the disk, and let the system forget what it has of the file in memory."""
        os.fsync(self._file)
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(self._file, 0, 0, os.POSIX_FADV_DONTNEED)

    def pieces(self, bits: Sequence[int], base: int, most: int | None = None) -> tuple[Array, Array, int]:
        """Where 2**len(bits) amplitudes lie: entry i of them has bit j of i at bits[j] of its index, and `base` elsewhere.

        Args:
            most: the most amplitudes of a piece, as a power of two.

        Returns:
            For each piece where it begins among the amplitudes and in the file, and how many there are in each.
        """
        run = 0
        limit = (PIECE // self.dtype.itemsize).bit_length() - 1 if most is None else most
        while run < min(len(bits), limit) and bits[run] == run:
            run += 1
        begins = np.arange(1 << (len(bits) - run), dtype=np.int64) << run
        places = np.full_like(begins, base)
        for j, bit in enumerate(bits[run:]):
            places |= ((begins >> (run + j)) & 1) << bit
        return begins, places, 1 << run

    def read(self, amplitudes: Array, begins: Array, places: Array, length: int) -> None:
        """Read pieces of the file into `amplitudes`, contiguous; see `pieces`."""
        self._run(amplitudes, begins, places, length, False)

    def write(self, amplitudes: Array, begins: Array, places: Array, length: int) -> None:
        """Write pieces of `amplitudes`, contiguous, to the file; see `pieces`."""
        self._run(amplitudes, begins, places, length, True)

    def _run(self, amplitudes: Array, begins: Array, places: Array, length: int, write: bool) -> None:
        size = self.dtype.itemsize
        order = np.argsort(places, kind="stable")  # the disk's
        pairs = list(zip((size * begins[order]).tolist(), (HEADER + size * places[order]).tolist(), strict=True))
        view = amplitudes.data.cast("B")
        step = size * length

        def share(_: int, start: int, stop: int) -> None:
            for begin, place in pairs[start:stop]:
                self._move(view[begin : begin + step], place, write)

        run_shares(share, len(pairs), self.threads if len(pairs) * step > PIECE else 1, chunk=max(1, PIECE // step))
        if write:
            self.bytes_written += len(pairs) * step
        else:
            self.bytes_read += len(pairs) * step

    def _move(self, view: memoryview, place: int, write: bool) -> None:
        """All bytes of `view` to or from `place` in the file."""
        try:
            while len(view):
                done = self._transfer(view, place, write)
                if done <= 0:
                    raise OSError(0, "the file ends early")
                view, place = view[done:], place + done
        except OSError as error:
            action = "written" if write else "read"
            raise QsimError(
                f"The file of a state cannot be {action}: {error.strerror or error}. The run has no result."
            ) from None

    def _transfer(self, view: memoryview, place: int, write: bool) -> int:
        """Some bytes, as many as the system moves in one call; their number."""
        if hasattr(os, "preadv"):
            return (os.pwritev if write else os.preadv)(self._file, [view], place)
        with self._seeking:  # one thread at a time
            os.lseek(self._file, place, os.SEEK_SET)
            if write:
                return os.write(self._file, view)
            data = os.read(self._file, len(view))
        view[: len(data)] = data
        return len(data)

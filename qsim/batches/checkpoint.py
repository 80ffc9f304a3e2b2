"""Results of a batch in a file, as they come, so that a run that was cut short goes on where it was.

The file is a line that says what it is, and frames. A frame is `HEAD`: the length of what follows, its CRC-32 and the
CRC-32 of those two; then the payload. The payload of the first frame is JSON: which batch this is, as digests of its
program, parameters, seed and options. That of each further one is a part of the results: the length of a line of JSON, the
line, and arrays in NumPy's own format (NEP 1), without pickles. Frames are only ever added at the end, each in one write
that reaches the disk before the next; so a run that dies leaves at most one torn frame, which the next one cuts off.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import struct
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from qsim.batches.worker import Part, own_version, sources_digest
from qsim.errors import CheckpointError

MAGIC = b"qsim checkpoint 1\n"
HEAD = struct.Struct("<QII")
_LENGTH = struct.Struct("<Q")
#: Nothing that a batch gives is longer; a length beyond it is damage.
_LONGEST = 1 << 40
_WHAT = {
    "operation": "another operation",
    "program": "another program",
    "parameters": "other parameters",
    "seed": "another seed",
    "options": "other options",
    "version": "another version of qsim-session",
}


def identity(
    operation: str, program: Any, rows: np.ndarray[Any, Any], seed: int, options: Mapping[str, Any]
) -> dict[str, Any]:
    """What makes a batch this one and no other, as digests.

    Args:
        operation: its name.
        program: as data for JSON.
        rows: its parameters, shape (sets, parameters).
        seed: of set 0.
        options: all else that results depend on, as data for JSON.

    >>> identity("sample", {}, np.zeros((2, 1)), 7, {})["seed"]
    7
    """
    table = np.ascontiguousarray(rows, dtype="<f8")
    return {
        "operation": operation,
        "program": _digest(_line(program)),
        "parameters": _digest(f"{table.shape} ".encode() + table.tobytes()),
        "sets": len(table),
        "seed": seed,
        "options": _digest(_line(options)),
        "version": own_version() + (f" ({sources_digest()})" if sources_digest() else ""),
    }


def _line(data: Any) -> bytes:
    return json.dumps(data, sort_keys=True, separators=(",", ":")).encode()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Checkpoint:
    """A file that is open for one run; use it in a `with` block.

    Args:
        path: of the file, which is made if it is not there. Beside it lies ``<path>.lock``, so that one run at a time has it.
        batch: its `identity`.

    Raises:
        CheckpointError: the file is of another batch, is no checkpoint, is in use, or cannot be read or written.

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     batch = identity("sample", {}, np.zeros((2, 1)), 7, {})
    ...     with Checkpoint(f"{folder}/sweep", batch) as checkpoint:
    ...         checkpoint.append((0, 1, "text", {"values": np.array([0.5])}))
    ...     with Checkpoint(f"{folder}/sweep", batch) as checkpoint:
    ...         list(checkpoint.parts)
    [(0, 1, 'text', {'values': array([0.5])})]
    """

    def __init__(self, path: str | os.PathLike[str], batch: Mapping[str, Any]) -> None:
        self.path, self._batch = _checked_path(path), dict(batch)
        #: What was in the file when it was opened.
        self.parts: list[Part] = []
        self._file: BinaryIO | None = None
        self._lock: Any = None

    def __enter__(self) -> Checkpoint:
        self._lock = _locked(self.path)
        try:
            if not self.path.exists() or not self.path.stat().st_size:
                self._create()
            file = self.path.open("r+b")
            try:
                frames = _frames(file, self.path)
                _compare(_read_batch(next(frames, b""), self.path), self._batch, self.path)
                end = file.tell()
                for payload in frames:
                    self.parts.append(_read_part(payload, self.path))
                    end = file.tell()
                file.seek(end)
                file.truncate()  # a torn frame
            except BaseException:
                file.close()
                raise
            self._file = file
        except OSError as error:
            self._release()
            raise CheckpointError(f"The checkpoint {self.path} cannot be used: {error}.") from error
        except BaseException:
            self._release()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        self._release()

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()  # its file stays: one who waits for it may have it open
            self._lock = None

    def _create(self) -> None:
        """With its first frame, all at once: a file that is there says what it is of."""
        handle, name = tempfile.mkstemp(prefix=f".{self.path.name}.", dir=self.path.parent)
        try:
            with open(handle, "wb") as file:
                file.write(MAGIC + _frame(_line(self._batch)))
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, self.path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise
        _sync_folder(self.path.parent)

    def append(self, part: Part) -> None:
        """Add results; they are on the disk when this returns.

        Raises:
            CheckpointError: there is no room; what was there before is safe.
        """
        assert self._file is not None
        at = self._file.tell()
        try:
            self._file.write(_frame(_write_part(part)))
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file.fileno(), at)
            raise CheckpointError(
                f"Results cannot be added to the checkpoint {self.path}: {error}. What is in it is safe; make room and "
                "run the batch again."
            ) from error


def seed_of(path: str | os.PathLike[str]) -> int | None:
    """The seed of the batch that a checkpoint is of; None if there is no such file.

    Raises:
        CheckpointError: it is no checkpoint, or cannot be read.
    """
    place = _checked_path(path)
    try:
        if not place.exists() or not place.stat().st_size:
            return None
        with place.open("rb") as file:
            return int(_read_batch(next(_frames(file, place), b""), place)["seed"])
    except OSError as error:
        raise CheckpointError(f"The checkpoint {place} cannot be read: {error}.") from error


def _checked_path(path: Any) -> Path:
    if not isinstance(path, (str, os.PathLike)) or not os.fspath(path):
        raise CheckpointError(f"A checkpoint is given as the path of a file, got {path!r}.")
    place = Path(os.fspath(path))  # type: ignore[arg-type,unused-ignore]
    if place.is_dir():
        raise CheckpointError(f"A checkpoint is a file, and {place} is a folder. Name a file in it.")
    if not place.parent.is_dir():
        raise CheckpointError(f"There is no folder {place.parent} for the checkpoint {place.name}. Make it first.")
    return place


def _locked(path: Path) -> Any:
    from filelock import FileLock, Timeout

    lock = FileLock(f"{path}.lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise CheckpointError(
            f"Another run is writing to the checkpoint {path}. Wait for it, or name another file."
        ) from None
    except OSError as error:
        raise CheckpointError(f"The checkpoint {path} cannot be written: {error}.") from error
    return lock


def _sync_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):  # systems that cannot open folders keep them up to date themselves
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


# frames ---------------------------------------------------------------------------------------------------------
def _frame(payload: bytes) -> bytes:
    first = struct.pack("<QI", len(payload), zlib.crc32(payload))
    return first + struct.pack("<I", zlib.crc32(first)) + payload


def _frames(file: BinaryIO, path: Path) -> Iterator[bytes]:
    """The payloads of whole frames, up to a torn one; those that are damaged are left out, so that they are made again."""
    if file.read(len(MAGIC)) != MAGIC:
        raise CheckpointError(f"{path} is no checkpoint of this version of qsim-session, and is left as it is.")
    while len(head := file.read(HEAD.size)) == HEAD.size:
        length, crc, own = HEAD.unpack(head)
        if zlib.crc32(head[:12]) != own or length > _LONGEST:
            return
        payload = file.read(length)
        if len(payload) < length:
            return
        if zlib.crc32(payload) == crc:
            yield payload


def _read_batch(payload: bytes, path: Path) -> dict[str, Any]:
    try:
        data = json.loads(payload)
        return {**{name: data[name] for name in _WHAT}, "sets": int(data["sets"])}
    except (ValueError, KeyError, TypeError):
        raise CheckpointError(
            f"The beginning of the checkpoint {path} is damaged, so that it is not known what it is of. Name another file."
        ) from None


def _compare(theirs: Mapping[str, Any], ours: Mapping[str, Any], path: Path) -> None:
    different = [name for name in _WHAT if theirs[name] != ours[name]]
    if not different:
        return
    about = []
    for name in different:
        values = f": {theirs[name]}, not {ours[name]}" if name in ("operation", "seed", "version") else ""
        sets = f": {theirs['sets']} sets, not {ours['sets']}" if name == "parameters" else ""
        about.append(_WHAT[name] + values + (sets if theirs["sets"] != ours["sets"] else ""))
    raise CheckpointError(
        f"The checkpoint {path} is of {'; of '.join(about)}. It goes on only with the call that began it; name another file "
        "for this one, or delete it."
    )


# parts ----------------------------------------------------------------------------------------------------------
def _write_part(part: Part) -> bytes:
    start, count, text, arrays = part
    line = json.dumps({"start": start, "sets": count, "text": text, "arrays": list(arrays)}).encode()
    room = io.BytesIO()
    room.write(_LENGTH.pack(len(line)) + line)
    for array in arrays.values():
        np.lib.format.write_array(room, np.ascontiguousarray(array), allow_pickle=False)
    return room.getvalue()


def _read_part(payload: bytes, path: Path) -> Part:
    try:
        room = io.BytesIO(payload)
        (length,) = _LENGTH.unpack(room.read(_LENGTH.size))
        about = json.loads(room.read(length))
        arrays = {str(name): np.lib.format.read_array(room, allow_pickle=False) for name in about["arrays"]}
        return int(about["start"]), int(about["sets"]), str(about["text"]), arrays
    except (ValueError, KeyError, TypeError, struct.error) as error:
        raise CheckpointError(
            f"A part of the checkpoint {path} cannot be read: {error!r}. Name another file."
        ) from None

"""Results on their way to disk and back: small ones as text in the database, large ones in a file of their own.

A file is a zip archive without compression, which any tool opens: ``result.json``, the arrays ``0.npy``, ``1.npy`` …,
and at its end ``job.json``, which says whose result it is and has the SHA-256 of each member. It is written under
another name, made durable, and only then renamed, so that a file of the right name is whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from session.errors import StoreCorruptError, StoreError
from session.store.faults import fault
from session.store.place import explained, private_file, sync_folder
from session.store.spec import read_results, results_text

INLINE_BYTES = 64 * 1024
_CHUNK = 1 << 20


@dataclass(frozen=True)
class StoredResult:
    """What the database has of a result: the text or the file's name, its size in bytes, and its SHA-256."""

    text: str | None
    file: str | None
    size: int
    sha256: str


def write_result(folder: Path, header: dict[str, Any], results: Sequence[Any]) -> StoredResult:
    """Store the results of a job, durably when they are a file.

    Args:
        folder: the store's.
        header: whose result it is: ``job`` and ``fence``, and what else helps to find it again.
        results: one for each parameter set.
    """
    arrays: list[Any] = []

    def keep(array: Any) -> int:
        arrays.append(array)
        return len(arrays) - 1

    text = results_text(results, keep)
    size = len(text) + sum(array.nbytes for array in arrays)
    if size <= INLINE_BYTES:
        data = (results_text(results) if arrays else text).encode()
        return StoredResult(data.decode(), None, len(data), hashlib.sha256(data).hexdigest())
    name = f"{header['job']}.{header['fence']}.zip"
    target = folder / "results" / name
    partial = target.with_suffix(".tmp")
    with explained(folder):
        partial.unlink(missing_ok=True)
        descriptor = private_file(partial)
        try:
            with os.fdopen(descriptor, "wb") as file:
                size, sha256 = _write_archive(file, header, text, arrays)
                file.flush()
                os.fsync(file.fileno())
            fault("result-written")
            os.replace(partial, target)
            sync_folder(target.parent)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
    fault("result-renamed")
    return StoredResult(None, name, size, sha256)


class _Hashing:
    """A stream that is written once from front to end, and hashed on the way."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.size, self.digest = file, 0, hashlib.sha256()

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        self.file.write(view)
        self.digest.update(view)
        self.size += len(view)
        return len(view)

    def flush(self) -> None:
        self.file.flush()


def _write_archive(file: IO[bytes], header: dict[str, Any], text: str, arrays: list[Any]) -> tuple[int, str]:
    outer = _Hashing(file)
    digests: dict[str, str] = {}

    def add(name: str, write: Any) -> None:
        # A fixed date, so that equal results are equal files.
        with archive.open(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), "w", force_zip64=True) as member:
            inner = _Hashing(member)
            write(inner)
            digests[name] = inner.digest.hexdigest()

    stream: Any = outer
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        add("result.json", lambda stream: stream.write(text.encode()))
        for number, array in enumerate(arrays):
            add(f"{number}.npy", lambda stream, array=array: write_array(stream, array))
        about = {"format": "qsim-result 1", **header, "sha256": dict(digests)}
        add("job.json", lambda stream: stream.write(json.dumps(about).encode()))
    return outer.size, outer.digest.hexdigest()


def write_array(stream: Any, array: Any) -> None:
    """The .npy form of an array, without a second copy of it in memory."""
    flat = array if array.flags.c_contiguous else np.ascontiguousarray(array)
    np.lib.format.write_array_header_1_0(stream, np.lib.format.header_data_from_array_1_0(flat))
    data: Any = flat.reshape(-1).view(np.uint8) if flat.size else b""
    for start in range(0, len(data), _CHUNK):
        stream.write(data[start : start + _CHUNK])


def read_result(folder: Path, stored: StoredResult) -> list[Any]:
    """The results that were stored, after its SHA-256 was found to be right.

    Raises:
        StoreCorruptError: the file is missing or damaged.
    """
    if stored.text is not None:
        if hashlib.sha256(stored.text.encode()).hexdigest() != stored.sha256:
            raise StoreCorruptError(f"A result in '{folder}' is damaged: its SHA-256 is wrong. Submit the job again.")
        return read_results(stored.text)
    path = folder / "results" / str(stored.file)
    try:
        with open(path, "rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise StoreCorruptError(f"The file of a result, '{path}', is missing. Submit the job again.") from None
    except OSError as error:
        raise StoreError(f"The file of a result, '{path}', cannot be read: {error.strerror}.") from error
    if found != stored.sha256:
        raise StoreCorruptError(
            f"The file of a result, '{path}', is damaged: its SHA-256 is wrong. It was not changed. Submit the job again."
        )
    with zipfile.ZipFile(path) as archive:
        return _read_members(archive)


def _read_members(archive: zipfile.ZipFile) -> list[Any]:
    def array(number: int) -> Any:
        with archive.open(f"{int(number)}.npy") as member:
            return np.lib.format.read_array(member, allow_pickle=False)

    return read_results(archive.read("result.json").decode(), array)


def read_header(path: Path) -> dict[str, Any] | None:
    """Whose result a file is, by its own word, when every member of it is whole; None otherwise."""
    try:
        with zipfile.ZipFile(path) as archive:
            header: dict[str, Any] = json.loads(archive.read("job.json"))
            for name, sha256 in header["sha256"].items():
                with archive.open(name) as member:
                    if hashlib.file_digest(member, "sha256").hexdigest() != sha256:  # type: ignore[arg-type]
                        return None
            return header if header["format"] == "qsim-result 1" else None
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, TypeError, AttributeError):
        return None

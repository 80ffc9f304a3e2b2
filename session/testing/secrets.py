"""A planted secret is searched for in everything that an adapter leaves behind; and what is offline is held offline."""

from __future__ import annotations

import contextlib
import socket
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock


def find_canary(
    canary: str,
    *,
    folders: Iterable[Path] = (),
    texts: Iterable[str | bytes] = (),
    errors: Iterable[BaseException] = (),
    own_files: Iterable[str] = (),
) -> list[str]:
    """Where a planted secret is found: in files, texts (logs, reprs), or errors with the variables of all their frames.

    Args:
        canary: the secret, a text that is nowhere by chance.
        folders: all files in them, as bytes: a database, its journal, files of results.
        texts: whatever was printed or logged.
        errors: with their causes and contexts.
        own_files: names of files whose frames are left out, such as the test that holds the secret itself.

    Returns:
        The places, an empty list when it is nowhere.

    >>> find_canary("canary-1", texts=["all is well", "key=canary-1"])
    ['text 1']
    """
    wanted = canary.encode()
    found = [
        str(path)
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.is_file() and wanted in path.read_bytes()
    ]
    for number, text in enumerate(texts):
        if wanted in (text if isinstance(text, bytes) else text.encode()):
            found.append(f"text {number}")
    for number, error in enumerate(errors):
        if canary in _with_variables(error, {Path(name).name for name in own_files}):
            found.append(f"error {number} ({type(error).__name__})")
    return found


def _with_variables(error: BaseException, left_out: set[str]) -> str:
    pending = [traceback.TracebackException.from_exception(error, capture_locals=True)]
    shown = [repr(error)]
    left_out = left_out | {Path(__file__).name}
    while pending:
        one = pending.pop()
        one.stack[:] = [frame for frame in one.stack if Path(frame.filename).name not in left_out]
        shown.append("".join(one.format(chain=False)))
        pending += [other for other in (one.__cause__, one.__context__) if other is not None]
    return "".join(shown)


@contextlib.contextmanager
def no_network() -> Iterator[None]:
    """Any connection that is tried within the block is an error."""

    def refuse(*args: Any, **more: Any) -> Any:
        raise AssertionError("a step that is offline tried to reach the network")

    with mock.patch.object(socket.socket, "connect", refuse), mock.patch("socket.create_connection", refuse):
        yield

"""What a worker does: one block of parameter sets, or as much of it as takes a given time."""

from __future__ import annotations

import functools
import hashlib
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy.typing as npt

from qsim import first_runs, version
from qsim.errors import ExecutorError
from qsim.pool import check_cancelled, controlled, thread_count

Array = npt.NDArray[Any]
#: From a program, rows of parameters (sets, parameters), the seed of the first and the most threads, to results: text and
#: arrays of any shape.
Runner = Callable[[bytes, Array, int, "int | None"], tuple[str, dict[str, Array]]]
#: First set, number of sets, and their results.
Part = tuple[int, int, str, dict[str, Array]]

#: Runs whose caller has gone, of which blocks may still run on threads of this process.
_stopped: deque[str] = deque(maxlen=256)
#: The programs that were run here last.
_warm: deque[int] = deque(maxlen=64)
#: One block runs at a time in a process, with all of the threads that the process has.
_turn = threading.RLock()
_LOOK_SECONDS = 0.2


def run_block(
    runner: Runner, program: bytes, rows: Array, start: int, seed: int, terms: dict[str, Any]
) -> dict[str, Any]:
    """Run a block; nothing that goes wrong in it is raised, since not every exception survives the way back.

    Args:
        runner: a function that a worker can import.
        program: what it runs.
        rows: of the block, shape (sets, parameters).
        start: the number of the first set in the whole batch.
        seed: of set 0 of the whole batch; set k has ``seed + k``.
        terms: ``version`` and ``sources`` of the sender, the ``run`` that the block belongs to, the most ``threads``, and
            ``pilot``: 0 for all of the block, or the seconds after which it may stop.

    Returns:
        ``parts``, a list of `Part`; the ``seconds`` that ``timed`` sets of them took; ``error``, None or its type and
        message; ``machine``, on which last bits depend.
    """
    reply: dict[str, Any] = {"parts": [], "seconds": 0.0, "timed": 0, "error": None, "machine": ""}
    try:
        check_sender(terms["version"], terms["sources"])
        first_runs.compiled.update(("double", "single"))  # the engine's bits, on every worker
        with controlled(_Stop(terms["run"]), lambda done, total: None):
            while not _turn.acquire(timeout=_LOOK_SECONDS):
                check_cancelled()
            try:
                _work(runner, program, rows, start, seed, terms, reply)
            finally:
                _turn.release()
        reply["machine"] = _machine()
    except Exception as error:
        kind = type(error)
        reply["error"] = [kind.__module__, kind.__qualname__, str(error)]
    return reply


def _work(
    runner: Runner, program: bytes, rows: Array, start: int, seed: int, terms: dict[str, Any], reply: dict[str, Any]
) -> None:
    """All rows at once; of a pilot one, and then more and more of them, until its time is over.

    The first set of a program in a process compiles, so its time tells nothing about others, and is not told.
    """
    threads, pilot, key = threads_here(terms["threads"]), terms["pilot"], hash(program)
    at, size, is_cold = 0, 1 if pilot else len(rows), key not in _warm
    while at < len(rows):
        stop = min(at + size, len(rows))
        began = time.perf_counter()
        text, arrays = runner(program, rows[at:stop], (seed + start + at) % (1 << 64), threads)
        seconds = time.perf_counter() - began
        reply["parts"].append((start + at, stop - at, text, arrays))
        if not (pilot and is_cold):
            reply["seconds"], reply["timed"] = reply["seconds"] + seconds, reply["timed"] + stop - at
        if is_cold:
            _warm.append(key)
        if pilot and (reply["seconds"] >= pilot or (is_cold and seconds >= pilot)):
            return
        if reply["timed"]:
            each = reply["seconds"] / reply["timed"] + 1e-9
            size = max(1, min(2 * size, 1 + int((pilot - reply["seconds"]) / each)))
        at, is_cold = stop, False


class _Stop:
    """Says whether a block is to stop: asked by the engine between steps of its work."""

    def __init__(self, run: str) -> None:
        self._run, self._looked, self._worker, self._key = run, time.monotonic(), _dask_worker(), ""
        if self._worker is not None:
            self._key = self._worker.get_current_task()

    def is_set(self) -> bool:
        """Whether nobody waits for this block any more."""
        if self._run in _stopped:
            return True
        now = time.monotonic()
        if self._worker is None or now - self._looked < _LOOK_SECONDS:
            return False
        self._looked = now
        task = self._worker.state.tasks.get(self._key)
        return task is None or task.state == "cancelled"


def stop_run(run: str) -> None:
    """Let no block of a run go on in this process."""
    _stopped.append(run)


def threads_here(most: int | None) -> int | None:
    """How many threads a block gets: what its caller wants, and no more than this worker has."""
    worker = _dask_worker()
    if worker is None:
        return most
    own = max(1, min(int(worker.state.nthreads), thread_count(None)))
    return own if most is None else min(own, most)


def _dask_worker() -> Any:
    """The Dask worker that this thread works for; None elsewhere."""
    module = sys.modules.get("distributed.worker")
    if module is None:
        return None
    try:
        return module.get_worker()
    except ValueError:
        return None


# versions -------------------------------------------------------------------------------------------------------
def check_sender(sender: str, sources: str) -> None:
    """Raise when a task comes from another version of the package: its results might differ.

    >>> check_sender(own_version(), sources_digest())
    """
    mine, own = own_version(), sources_digest()
    if sender == mine and (sources == own or not sources or not own):
        return
    theirs, mine = (f"{v} (sources {s})" if s else v for v, s in ((sender, sources), (mine, own)))
    raise ExecutorError(
        f"A worker has qsim-session {mine}, and this batch was sent by {theirs}: results may differ. Install the same "
        "version in both places, and start the workers again."
    )


def own_version() -> str:
    """The version of the package that this process runs."""
    return " as ".join(dict.fromkeys((str(version.__version__), str(sys.modules["qsim"].__version__))))


@functools.cache
def sources_digest() -> str:
    """A digest of this distribution's sources, so that two checkouts of one version are told apart; empty without them."""
    digest, folder = hashlib.sha256(), Path(__file__).parents[2]
    try:
        for package in ("qsim", "parsers", "session"):
            for path in sorted((folder / package).rglob("*.py")):
                digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    except OSError:
        return ""
    return digest.hexdigest()[:16]


def _machine() -> str:
    """The compiler and the processor that it compiled for, once it has; empty before."""
    numba, llvmlite = sys.modules.get("numba"), sys.modules.get("llvmlite.binding")
    if numba is None or llvmlite is None:
        return ""
    return f"Numba {numba.__version__} for {llvmlite.get_host_cpu_name()}"


def own_terms(run: str, threads: int | None, pilot: float) -> dict[str, Any]:
    """The terms of a block that this process sends."""
    sources = sources_digest()
    return {"version": own_version(), "sources": sources, "run": run, "threads": threads, "pilot": pilot}


def _after_fork() -> None:
    global _turn  # which another thread of the parent may have held
    _turn = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

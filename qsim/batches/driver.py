"""Sending the blocks of a batch, taking their results, and sending again what was lost on the way."""

from __future__ import annotations

import secrets
import sys
import time
import warnings
from collections.abc import Callable
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np
import numpy.typing as npt

from qsim.batches.ledger import LEAST_SECONDS, Ledger
from qsim.batches.pools import Pool
from qsim.batches.worker import Part, Runner, own_terms, run_block, stop_run
from qsim.errors import ExecutorError, QsimError
from qsim.pool import check_cancelled, report

#: Blocks that are sent but not done, for each worker: one to work on, and one to go on with.
_AHEAD = 2
#: How often a block is sent again that an executor lost.
_MOST_LOST = 3
_LOOK_SECONDS = 0.1
#: So long all workers but one wait for the first to say how long a set takes, which it does soon unless it has to compile.
_PILOT_SECONDS = 0.5
#: The modules whose exceptions are raised again as what they were on the worker.
_OURS = ("builtins", "qsim.errors", "parsers.errors", "session.errors")


@dataclass(frozen=True)
class Work:
    """What is done with each block: see `qsim.batches.worker.run_block`.

    `threads` are as many as the caller of the batch wants for a run, None for all.
    """

    runner: Runner
    program: bytes
    rows: npt.NDArray[np.float64]
    seed: int
    threads: int | None


@dataclass
class Facts:
    """How a batch was run."""

    executor: str
    blocks: int = 0
    workers: int = 0
    resent: int = 0
    machines: set[str] = field(default_factory=set)
    seconds: float = 0.0  # of work, all workers together


def spread(pool: Pool, work: Work, ledger: Ledger, keep: Callable[[Part], Any] | None = None) -> Facts:
    """Run all sets of a batch that have no result yet.

    Args:
        pool: runs them.
        work: what is done with them.
        ledger: which have results; takes the results of the others.
        keep: called with each new result, in this thread; None keeps them in memory only.

    Raises:
        ExecutorError: the executor cannot run them.
        RunCancelled: by `qsim.pool.controlled`; what runs on workers is told to stop.
        Exception: what a run raised.
    """
    return _Driver(pool, work, ledger, keep).drive()


class _Driver:
    def __init__(self, pool: Pool, work: Work, ledger: Ledger, keep: Callable[[Part], Any] | None) -> None:
        self.pool, self.work, self.ledger, self.keep = pool, work, ledger, keep
        self.run = secrets.token_hex(8)
        self.facts = Facts(pool.name)
        self.sent: dict[int, tuple[Any, int, int]] = {}  # by id of a future: it, first set, set after the last
        self.done: SimpleQueue[Any] = SimpleQueue()
        self.began = self.heard = time.monotonic()  # the second: of a result, last

    def drive(self) -> Facts:
        try:
            while self.ledger.left:
                check_cancelled()
                self._send()
                self._receive()
            if len(self.facts.machines) > 1:
                listed = ", ".join(sorted(self.facts.machines))
                warnings.warn(
                    f"The workers of this batch differ ({listed}), so the last bits of a result may depend on who ran it.",
                    stacklevel=2,
                )
        except BaseException as error:
            stop_run(self.run)
            self.pool.cancel([future for future, _, _ in self.sent.values()])
            if isinstance(error, ExecutorError) and self.facts.blocks:
                done, sets = self.ledger.sets - self.ledger.left, self.ledger.sets
                kept = (
                    "are in the checkpoint" if self.keep is not None else "are lost; checkpoint= would have kept them"
                )
                raise ExecutorError(f"{error} {done:,} of {sets:,} sets were done, and {kept}.") from error
            raise
        return self.facts

    def _send(self) -> None:
        """Keep the workers busy."""
        while len(self.sent) < self._most_sent(workers := self.pool.workers()):
            block = self.ledger.next_block(workers)
            if block is None:
                return
            start, stop, is_pilot = block
            terms = own_terms(self.run, self.pool.threads(self.work.threads), LEAST_SECONDS if is_pilot else 0.0)
            rows = np.array(self.work.rows[start:stop])  # no view, which would travel with all that it is a part of
            future = self.pool.submit(
                run_block, self.work.runner, self.work.program, rows, start, self.work.seed, terms
            )
            self.sent[id(future)] = (future, start, stop)
            self.facts.workers = max(self.facts.workers, min(workers, len(self.sent)))
            future.add_done_callback(self.done.put)
            if not self.done.empty():  # an executor that runs what it is given at once: one block at a time
                return

    def _most_sent(self, workers: int) -> int:
        """As long as nobody knows how long a set takes, one worker finds out; if that takes it long, the others too."""
        if self.ledger.is_timed:
            return _AHEAD * workers
        return workers if time.monotonic() - self.began > _PILOT_SECONDS else 1

    def _receive(self) -> None:
        """Take what has come, or wait a moment for it."""
        if not self.sent:
            return
        try:
            future = self.done.get(timeout=_LOOK_SECONDS)
        except Empty:
            self.pool.watch(time.monotonic() - self.heard)
            return
        _, start, stop = self.sent[id(future)]
        try:
            reply = self.pool.result(future)
        except CancelledError as error:
            del self.sent[id(future)]
            self._again(start, stop, error)
            return
        except TimeoutError:  # its worker died with the result, and another one makes it again
            self.done.put(future)
            self.pool.watch(time.monotonic() - self.heard)
            return
        del self.sent[id(future)]
        self._take(reply, start, stop)

    def _again(self, start: int, stop: int, error: BaseException) -> None:
        self.facts.resent += 1
        if self.facts.resent > _MOST_LOST * max(8, self.facts.workers):
            raise ExecutorError(f"The executor cancelled blocks of this batch again and again: {error!r}") from error
        self.ledger.give_back(start, stop)

    def _take(self, reply: dict[str, Any], start: int, stop: int) -> None:
        if not isinstance(reply, dict) or "parts" not in reply:
            raise ExecutorError(f"The executor gave back {type(reply).__name__} and not what the function returned.")
        for part in reply["parts"]:
            if self.ledger.add(part) and self.keep is not None:
                self.keep(part)
        if reply["error"] is not None:
            raise rebuilt(*reply["error"])
        self.heard = time.monotonic()
        self.facts.blocks += 1
        self.facts.seconds += reply["seconds"]
        self.facts.machines |= {reply["machine"]} - {""}
        if reply["timed"]:
            self.ledger.timed(reply["seconds"], reply["timed"])
        self.ledger.give_back(start, stop)  # what a pilot did not come to; sets that are done are passed over
        report(self.ledger.sets - self.ledger.left, self.ledger.sets)


def rebuilt(module: str, name: str, message: str) -> Exception:
    """An exception that was raised on a worker, as itself if it is one of ours or of Python's.

    >>> rebuilt("builtins", "ZeroDivisionError", "by zero"), rebuilt("elsewhere", "Odd", "indeed")
    (ZeroDivisionError('by zero'), QsimError('On a worker: Odd: indeed'))
    """
    kind = getattr(sys.modules.get(module), name, None) if module in _OURS else None
    if isinstance(kind, type) and issubclass(kind, Exception):
        try:
            return kind(message)
        except TypeError:  # one that takes more than a message
            pass
    return QsimError(f"On a worker: {name}: {message}")

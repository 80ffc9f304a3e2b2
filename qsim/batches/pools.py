"""What a batch can be sent to: any executor of `concurrent.futures`' kind, or a client of Dask."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from typing import Any, Protocol

from qsim.errors import ExecutorError
from qsim.pool import available_cores
from qsim.version import __version__

#: Seconds that a batch waits for a cluster that has no workers, or whose scheduler cannot be reached; and for one that was
#: asked for none.
PATIENCE, LITTLE_PATIENCE = 30.0, 3.0
_LOOK_SECONDS = 1.0


class Pool(Protocol):
    """How the driver sees an executor."""

    name: str

    def workers(self) -> int:
        """Processes (or threads) that take blocks."""

    def threads(self, wanted: int | None) -> int | None:
        """The most threads that a block may have, when its caller wants so many."""

    def submit(self, function: Callable[..., Any], *args: Any) -> Any:
        """A future, which has `add_done_callback`, `result` and `cancel`."""

    def cancel(self, futures: Iterable[Any]) -> None:
        """Forget them."""

    def watch(self, idle: float) -> None:
        """Raise when nothing will come any more; `idle` is how many seconds ago something came."""

    def result(self, future: Any) -> Any:
        """Of one that is done.

        Raises:
            CancelledError: it was lost, and should be sent again.
            TimeoutError: it is not here yet; ask again.
        """


def open_pool(executor: Any) -> Pool:
    """The pool for an executor as a caller gives it; None is this process.

    Raises:
        ExecutorError: it is none, or it is closed.

    >>> open_pool(3)
    Traceback (most recent call last):
    ...
    qsim.errors.ExecutorError: An executor is a concurrent.futures.Executor, or a dask.distributed.Client; got int.
    """
    if executor is None:
        return PlainPool(Inline())
    names = _names(executor)
    if "distributed.ClientExecutor" in names:
        if executor._shutdown:
            raise ExecutorError("This executor of a Dask client is shut down. Make another: client.get_executor().")
        return DaskPool(executor._client, executor._kwargs)
    if "distributed.Client" in names:
        return DaskPool(executor, {})
    if not callable(getattr(executor, "submit", None)) or isinstance(executor, type):
        given = f"the class {executor.__name__}" if isinstance(executor, type) else type(executor).__name__
        hint = (
            " Give the client of the cluster: cluster.get_client()." if hasattr(executor, "scheduler_address") else ""
        )
        raise ExecutorError(
            f"An executor is a concurrent.futures.Executor, or a dask.distributed.Client; got {given}.{hint}"
        )
    return PlainPool(executor)


def _names(executor: Any) -> list[str]:
    """Package and name of an object's classes, which need not be imported to be told apart."""
    return [f"{kind.__module__.partition('.')[0]}.{kind.__name__}" for kind in type(executor).__mro__]


class Inline(Executor):
    """Runs what it is given at once, in the thread that submits it."""

    _max_workers = 1

    def submit(self, function: Any, /, *args: Any, **named: Any) -> Future[Any]:
        """A future that is done."""
        future: Future[Any] = Future()
        future.set_result(function(*args, **named))
        return future


class PlainPool:
    """An executor of `concurrent.futures`, or anything that behaves like one."""

    def __init__(self, executor: Any) -> None:
        self._executor = executor
        self.name = type(executor).__name__

    def workers(self) -> int:
        known = getattr(self._executor, "_max_workers", None) or getattr(self._executor, "num_workers", None)
        return known if isinstance(known, int) and known > 0 else available_cores()

    def threads(self, wanted: int | None) -> int | None:
        if wanted is None and "concurrent.ProcessPoolExecutor" in _names(self._executor):
            return max(1, available_cores() // self.workers())
        return wanted

    def submit(self, function: Callable[..., Any], *args: Any) -> Any:
        try:
            future = self._executor.submit(function, *args)
        except BrokenExecutor as error:
            raise ExecutorError(_broken(error)) from error
        except RuntimeError as error:  # what a pool says after its shutdown
            raise ExecutorError(f"The executor takes no more work: {error}. Make a new one.") from error
        if not callable(getattr(future, "add_done_callback", None)) or not callable(getattr(future, "result", None)):
            raise ExecutorError(
                f"submit of an executor gives a concurrent.futures.Future; {self.name}.submit gave "
                f"{type(future).__name__}."
            )
        return future

    def cancel(self, futures: Iterable[Any]) -> None:
        for future in futures:
            future.cancel()

    def watch(self, idle: float) -> None:
        """Its futures always end, one way or the other."""

    def result(self, future: Any) -> Any:
        try:
            return future.result()
        except BrokenExecutor as error:
            raise ExecutorError(_broken(error)) from error
        except (ImportError, AttributeError) as error:
            raise ExecutorError(not_importable(error)) from error


class DaskPool:
    """A client of `dask.distributed`: workers may come, go and die while a batch runs."""

    def __init__(self, client: Any, options: dict[str, Any]) -> None:
        self.name = "Client"
        self._client, self._options = client, options
        self._looked, self._workers = -math.inf, 0
        self._with_workers = time.monotonic()
        if getattr(client, "asynchronous", False):
            raise ExecutorError("A batch waits for its results, so it takes a Dask client with asynchronous=False.")
        self._check_open()

    def _check_open(self) -> None:
        if self._client.status in ("closed", "closing"):
            raise ExecutorError("This Dask client is closed. Make a new one: Client(cluster) or Client(address).")

    def workers(self) -> int:
        now = time.monotonic()
        if now - self._looked > _LOOK_SECONDS:
            self._check_open()
            try:
                self._workers = len(self._client.nthreads()) if self._client.status == "running" else 0
            except (OSError, RuntimeError, ValueError):  # its scheduler does not answer; `watch` waits for a while
                self._workers = 0
            self._looked = time.monotonic()
            if self._workers:
                self._with_workers = self._looked
        return max(1, self._workers)

    def threads(self, wanted: int | None) -> int | None:
        return wanted  # a worker knows how many it has

    def submit(self, function: Callable[..., Any], *args: Any) -> Any:
        self._check_open()
        try:
            return self._client.submit(function, *args, **{"pure": False, **self._options})
        except (RuntimeError, OSError) as error:
            raise ExecutorError(f"The Dask client takes no work: {error}") from error

    def cancel(self, futures: Iterable[Any]) -> None:
        waiting = list(futures)
        if waiting and self._client.status == "running":
            try:
                self._client.cancel(waiting, force=True)
            except (OSError, RuntimeError, TimeoutError):
                return  # the cluster has gone, and they with it

    def watch(self, idle: float) -> None:
        self.workers()
        without = min(time.monotonic() - self._with_workers, idle)
        patience = _patience(getattr(self._client, "cluster", None))
        if without > patience:
            if self._client.status != "running":
                raise ExecutorError(f"Dask's scheduler could not be reached for {without:.0f} s. Connect a new client.")
            raise ExecutorError(
                f"The Dask cluster has had no workers for {without:.0f} s. Start some, or wait for those that are coming with "
                "client.wait_for_workers(1), and run the batch then."
            )

    def result(self, future: Any) -> Any:
        try:
            return future.result(timeout=30)
        except (TimeoutError, ExecutorError):
            raise
        except (ImportError, AttributeError) as error:
            raise ExecutorError(not_importable(error)) from error
        except BaseException as error:
            if "Cancelled" in type(error).__name__:  # Dask's own, or asyncio's, as its version has it
                self._check_open()
                raise CancelledError(str(error)) from error
            if isinstance(error, Exception):
                raise ExecutorError(self._explained(error)) from error
            raise

    def _explained(self, error: Exception) -> str:
        kind = type(error).__name__
        if kind == "KilledWorker":
            return (
                "One block of the batch ended several workers, one after the other: they probably had too little memory for "
                f"its states. Give each worker more, or one thread fewer. Dask says: {error}"
            )
        cause = error.__cause__
        while cause is not None and not isinstance(cause, (ImportError, AttributeError)):
            cause = cause.__cause__
        if cause is not None or "deserializ" in str(error):
            return not_importable(cause or error)
        return f"The Dask cluster could not run a block: {kind}: {error}"


def not_importable(error: BaseException) -> str:
    """What is wrong when a worker cannot find the function that it is to call."""
    return (
        "A worker (or Dask's scheduler) cannot import this package as this process can, which has qsim-session "
        f"{__version__}: {type(error).__name__}: {error}. Install the same version in all places."
    )


def _broken(error: BaseException) -> str:
    return (
        f"A worker process ended before it gave its results, and the pool with it: {error} It may have had too little "
        "memory, or no qsim-session of this version. With checkpoint= a new pool goes on where this one ended."
    )


def _patience(cluster: Any) -> float:
    """Seconds to wait for workers: Dask's own setting, if it has a value."""
    from dask.config import get
    from dask.utils import parse_timedelta

    setting = get("distributed.scheduler.no-workers-timeout", None)
    if setting is not None:
        return float(parse_timedelta(setting))
    is_empty = getattr(cluster, "worker_spec", None) == {} and getattr(cluster, "_adaptive", None) is None
    return LITTLE_PATIENCE if is_empty else PATIENCE

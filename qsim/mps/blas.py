"""The linear algebra of matrix-product states runs on one thread.

Their matrices are small, so that a second thread of BLAS waits more than it works: on a machine that does other things too,
a decomposition of 128 by 128 takes ten times as long and more. One thread also leaves no sum to depend on how many there are.
"""

from __future__ import annotations

import functools
import importlib
import threading
from collections.abc import Callable
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])


class OneThread:
    """A context, one at a time or nested or of several threads at once, in which BLAS has one thread.

    Needs threadpoolctl, which comes with the extra `mps`; without it BLAS is left as it is.

    >>> with one_thread:
    ...     pass
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._controller: Any = None
        self._limits: Any = None

    def __enter__(self) -> None:
        with self._lock:
            if self._users == 0:
                self._limits = self._limited()
            self._users += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0 and self._limits is not None:
                self._limits.restore_original_limits()
                self._limits = None

    def during(self, function: Function) -> Function:
        """A function that runs in this context."""

        @functools.wraps(function)
        def inside(*args: Any, **options: Any) -> Any:
            with self:
                return function(*args, **options)

        return inside  # type: ignore[return-value]

    def _limited(self) -> Any:
        if self._controller is None:  # finding the libraries takes a few milliseconds
            try:
                self._controller = importlib.import_module("threadpoolctl").ThreadpoolController()
            except ImportError:
                self._controller = False
        return self._controller.limit(limits=1, user_api="blas") if self._controller else None


one_thread = OneThread()

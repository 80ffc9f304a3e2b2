"""How kernels are compiled and where the machine code is kept.

One decorator for all kernels: serial, without the interpreter lock, never `parallel=True`. Numba's own cache notices
changes only in a function's own file and mixes up concurrent writers of one index file, so kernels get a cache of
our own making out of Numba's parts: a folder named by everything that the code depends on, and one index file for
each signature.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite.binding
import numba
from numba.core import caching
from numba.core.runtime.nrt import rtsys

#: Re-association changes results with the vector width, so only reductions, which work on fixed blocks, may use it.
FAST_MATH = frozenset({"contract", "nsz", "arcp"})
REDUCTION_MATH = FAST_MATH | {"reassoc"}


def kernel(*, fastmath: frozenset[str] = FAST_MATH, inner: bool = False) -> Callable[[Callable[..., Any]], Any]:
    """Compile a function at its first call, or load it from the cache.

    inner: called by other kernels only, so that no wrapper for Python need be compiled.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        options = {"nogil": True, "fastmath": set(fastmath), "error_model": "numpy", "no_cfunc_wrapper": True}
        compiled = numba.njit(**options, no_cpython_wrapper=inner)(function)
        if hasattr(compiled, "_cache"):  # not with NUMBA_DISABLE_JIT
            compiled._cache = _KernelCache(function)
        return compiled

    return decorate


@functools.cache
def cache_folder() -> Path | None:
    """The folder of compiled kernels, or None when none can be used; `QSIM_CACHE_DIR` sets its parent."""
    import platformdirs

    configured = os.environ.get("QSIM_CACHE_DIR")
    parent = Path(configured) if configured else Path(platformdirs.user_cache_path("qsim-session", appauthor=False))
    folder = parent / "kernels" / _key()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError:
        return None
    status = folder.stat()
    # Compiled code is executed as it is, so a folder that others can write to is not trusted.
    if hasattr(os, "getuid") and (
        status.st_uid not in (os.getuid(), 0) or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    ):
        return None
    return folder


def _key() -> str:
    """A digest of all that compiled code depends on: kernel sources, Python, Numba and the processor."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.parent.rglob("*.py")):
        if path.parent.name in ("kernels", "compiler"):
            digest.update(path.name.encode())
            digest.update(path.read_bytes())
    target = llvmlite.binding
    for part in (sys.version, numba.__version__, platform.machine(), target.get_host_cpu_name()):
        digest.update(part.encode())
    digest.update(target.get_host_cpu_features().flatten().encode())
    return digest.hexdigest()[:32]


class _KernelCache(caching._Cache):  # type: ignore[misc]  # Numba is untyped
    """The cache of one kernel, in the form that Numba's dispatcher expects."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._impl: Any = None

    @property
    def cache_path(self) -> str:
        return str(cache_folder())

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        file = self._file(sig, target_context.codegen())
        if file is None:
            return None
        # Numba would refresh all its registries here, which takes 0.2 s, or 0.6 s with SciPy installed. Compiling needs
        # them; running compiled code needs only the runtime, which counts references to arrays.
        rtsys.initialize(target_context)
        try:
            data = file.load(self._index_key(sig, target_context.codegen()))
            return None if data is None else caching.CompileResultCacheImpl.rebuild(self, target_context, data)
        except Exception:  # a damaged or half-written file: compile again and overwrite it
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        file = self._file(sig, data.codegen)
        if file is None or data.library.has_dynamic_globals or any(not lifted.can_cache for lifted in data.lifted):
            return
        try:
            file.save(self._index_key(sig, data.codegen), data._reduce())
        except OSError:  # a full or read-only disk costs the next process a compilation, no more
            return

    def enable(self) -> None:
        """The cache has no other state."""

    def disable(self) -> None:
        """The cache has no other state."""

    def flush(self) -> None:
        """Nothing is kept in memory."""

    def _index_key(self, sig: Any, codegen: Any) -> tuple[str, ...]:
        return (str(sig), str(codegen.magic_tuple()))

    def _file(self, sig: Any, codegen: Any) -> Any:
        folder = cache_folder()
        if folder is None:
            return None
        name = f"{self._function.__module__}.{self._function.__qualname__}"
        signature = hashlib.sha256(repr(self._index_key(sig, codegen)).encode()).hexdigest()[:16]
        return caching.IndexDataCacheFile(str(folder), f"{name}-{signature}", folder.name)

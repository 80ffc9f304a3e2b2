"""How kernels are compiled and where the machine code is kept.

One decorator for all kernels: serial, without the interpreter lock, never `parallel=True`. Numba's own cache notices
changes only in a function's own file, mixes up concurrent writers of one index file and runs what it finds, so kernels
get a cache of our own: a folder named by everything that the code depends on, and in it a file for each kernel and
signature, written whole, sealed with a digest, and read only if nobody else can have written it.
"""

from __future__ import annotations

import functools
import hashlib
import os
import pickle
import platform
import stat
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite.binding
import numba
from numba.core import caching
from numba.core.compiler_lock import global_compiler_lock
from numba.core.runtime.nrt import rtsys
from numba.core.serialize import dumps

from qsim.kernels.inner import ApartCompiler, CopiedCompiler, InnerCompiler
from qsim.version import __version__

#: Re-association changes results with the vector width, so only reductions, which work on fixed blocks, may use it.
FAST_MATH = frozenset({"contract", "nsz", "arcp"})
REDUCTION_MATH = FAST_MATH | {"reassoc"}


def kernel(
    *, fastmath: frozenset[str] = FAST_MATH, inner: bool = False, apart: bool = False, copied: bool = False
) -> Callable[[Callable[..., Any]], Any]:
    """Compile a function at its first call, or load it from the cache.

    inner: called by other kernels only, and copied into them where that is worth it; see `qsim.kernels.inner`.
    apart: called by other kernels only, and never copied.
    copied: called by other kernels only, and always copied into them.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        options = {"nogil": True, "fastmath": set(fastmath), "error_model": "numpy", "no_cfunc_wrapper": True}
        if inner or apart or copied:
            pipeline = ApartCompiler if apart else CopiedCompiler if copied else InnerCompiler
            return numba.njit(**options, no_cpython_wrapper=True, pipeline_class=pipeline)(function)
        compiled = numba.njit(**options)(function)
        if hasattr(compiled, "_cache"):  # not with NUMBA_DISABLE_JIT
            compiled._cache = _KernelCache(function)
        return compiled

    return decorate


@functools.cache
def cache_folder() -> Path | None:
    """The folder of compiled kernels, or None when none can be used; `QSIM_CACHE_DIR` sets its parent."""
    parent = os.environ.get("QSIM_CACHE_DIR")
    try:
        if not parent:
            import platformdirs

            parent = platformdirs.user_cache_dir("qsim-session", appauthor=False)
            if not os.path.isabs(parent):  # a user without a home: "~" as it stands
                return None
        folder = Path(parent).expanduser().absolute() / "kernels" / _key()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        usable = _trusted(folder.lstat()) and folder.is_dir() and os.access(folder, os.R_OK | os.X_OK)
    except (OSError, RuntimeError, ValueError):
        return None
    return folder if usable else None


def _trusted(status: os.stat_result) -> bool:
    """Whether only this user and root can have written it, since compiled code is executed as it is."""
    if not hasattr(os, "getuid") or stat.S_ISLNK(status.st_mode):
        return not stat.S_ISLNK(status.st_mode)
    return status.st_uid in (os.getuid(), 0) and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _key() -> str:
    """A digest of all that compiled code depends on: kernel sources, versions and the processor."""
    digest = hashlib.sha256()

    def add(part: bytes) -> None:
        digest.update(len(part).to_bytes(8, "little") + part)

    package = Path(__file__).parent.parent
    for folder in ("compiler", "kernels"):
        for path in sorted((package / folder).rglob("*.py")):
            add(path.relative_to(package).as_posix().encode())
            add(path.read_bytes())
    target = llvmlite.binding
    settings = [getattr(numba.config, name, None) for name in ("OPT", "BOUNDSCHECK", "DEBUGINFO_DEFAULT")]
    for text in (
        __version__, sys.version, numba.__version__, llvmlite.__version__, sys.platform, platform.machine(),
        target.get_host_cpu_name(), target.get_host_cpu_features().flatten(), repr(settings),
    ):  # fmt: skip
        add(text.encode())
    return digest.hexdigest()[:32]


def _read(path: Path) -> bytes | None:
    """What `_write` wrote there, or None if there is nothing, or it is damaged or not to be trusted."""
    try:
        with open(path, "rb") as file:
            if not _trusted(os.fstat(file.fileno())):
                return None
            data = file.read()
    except OSError:
        return None
    seal, payload = data[:_SEAL], data[_SEAL:]
    return payload if seal == _seal(path, payload) else None


def _write(path: Path, payload: bytes) -> None:
    """Put a file there all at once, so that a reader sees the old one or the new one, or none."""
    handle, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
    try:
        with open(handle, "wb") as file:
            file.write(_seal(path, payload) + payload)
        os.replace(name, path)
    except BaseException:  # a full disk, or Ctrl-C
        os.unlink(name)
        raise


# Processes that start together would all compile the same kernels: each kernel is compiled by the first that claims it,
# by a lock on one byte of a file, which ends with the process. It saves work and is not needed for anything else, so
# whatever goes wrong with it is ignored, and nobody waits for long.
_patience = 60.0


def _claim(path: Path) -> None:
    """Wait while another process compiles what belongs there."""
    global _patience
    while not _lock_byte(path, release=False) and _patience > 0:
        time.sleep(0.02)
        _patience -= 0.02


def _release(path: Path) -> None:
    _lock_byte(path, release=True)


def _lock_byte(path: Path, release: bool) -> bool:
    """Whether nobody else has it."""
    try:
        import fcntl

        mode = fcntl.LOCK_UN if release else fcntl.LOCK_EX | fcntl.LOCK_NB
        fcntl.lockf(_lock_file(path.parent), mode, 1, int.from_bytes(_seal(path, b"")[:4], "little"))
    except (BlockingIOError, PermissionError):
        return False
    except (ImportError, OSError):
        return True
    return True


@functools.cache
def _lock_file(folder: Path) -> int:
    return os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)


_SEAL = hashlib.sha256().digest_size


def _seal(path: Path, payload: bytes) -> bytes:
    return hashlib.sha256(path.name.encode() + b"\0" + payload).digest()


class _KernelCache(caching._Cache):  # type: ignore[misc]  # Numba is untyped
    """The cache of one kernel, in the form that Numba's dispatcher expects."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._impl: Any = None

    @property
    def cache_path(self) -> str:
        return str(cache_folder())

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        path = self._path(sig, target_context.codegen())
        if path is None:
            return None
        payload = _read(path)
        if payload is None:
            _claim(path)
            payload = _read(path)
            if payload is None:
                return None  # ours to compile; `save_overload` lets the others go on
            _release(path)
        # Numba would refresh all its registries here, which takes 0.2 s, or 0.6 s with SciPy installed. Compiling needs
        # them; running compiled code needs only the runtime, which counts references to arrays.
        rtsys.initialize(target_context)
        try:
            return caching.CompileResultCacheImpl.rebuild(self, target_context, pickle.loads(payload))
        except Exception:  # what another Numba wrote, though it gave the same version: compile again
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        path = self._path(sig, data.codegen)
        if path is None:
            return
        try:
            if not data.library.has_dynamic_globals and all(lifted.can_cache for lifted in data.lifted):
                _write(path, dumps(data._reduce()))
        except OSError:  # a full or read-only disk costs the next process a compilation, no more
            return
        finally:
            _release(path)

    def enable(self) -> None:
        """The cache has no other state."""

    def disable(self) -> None:
        """The cache has no other state."""

    def flush(self) -> None:
        """Nothing is kept in memory."""

    def _path(self, sig: Any, codegen: Any) -> Path | None:
        folder = cache_folder()
        if folder is None:
            return None
        signature = hashlib.sha256(repr((str(sig), codegen.magic_tuple())).encode()).hexdigest()[:16]
        return folder / f"{self._function.__module__}.{self._function.__qualname__}-{signature}"


if hasattr(os, "register_at_fork"):
    # A child made while another thread compiles would find Numba's lock taken for ever, and its tables half written.
    os.register_at_fork(
        before=global_compiler_lock.acquire,
        after_in_parent=global_compiler_lock.release,
        after_in_child=global_compiler_lock.release,
    )

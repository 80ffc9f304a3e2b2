"""Compiling every kernel ahead of time, on two cores."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from qsim.errors import QsimError

_PRECISIONS = ("double", "single")


def kernels_ready(precision: str = "double") -> bool:
    """Whether this machine's compiled kernels are in the cache already, so that a first run is quick.

    >>> isinstance(kernels_ready(), bool)
    True
    """
    from qsim.kernels.jit import cache_folder

    name, folder = f"ready-{_checked(precision)}", cache_folder()
    return folder is not None and os.path.exists(folder / name)


def can_keep_kernels() -> bool:
    """Whether there is a cache folder that compiled kernels can be written to.

    >>> isinstance(can_keep_kernels(), bool)
    True
    """
    from qsim.kernels.jit import cache_folder

    folder = cache_folder()
    return folder is not None and os.access(folder, os.W_OK)


def warm_up(precision: str = "double") -> None:
    """Compile every kernel of one precision and keep the machine code in the cache; quick when it is there already.

    The kernels that plan and those that run are compiled side by side, the latter in a second process.

    >>> warm_up()
    """
    from qsim.kernels.jit import cache_folder

    ready, folder = kernels_ready(precision), cache_folder()
    if folder is None or not (ready or os.access(folder, os.W_OK)):
        return  # nothing can be kept: a run compiles what it needs, and no more
    if not ready:
        with _one_at_a_time(folder / "lock"):
            if not kernels_ready(precision):
                _compile(precision)
                with contextlib.suppress(OSError):  # a full disk: the next process asks again
                    (folder / f"ready-{precision}").touch(mode=0o600)
    _compile_running(precision)  # from the cache, as a rule


@contextlib.contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    """Processes that start together wait for one that compiles; where files cannot be locked, they all compile."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(ImportError, OSError):
            import fcntl

            file = stack.enter_context(path.open("ab"))
            fcntl.flock(file, fcntl.LOCK_EX)  # until it is closed, or the process ends
        yield


def _compile(precision: str) -> None:
    other = _in_another_process(precision)
    try:
        _compile_planning()
    except BaseException:
        if other is not None:
            other.terminate()
        raise
    finally:
        if other is not None:
            other.wait()
    _compile_running(precision)  # from the cache, unless the other process failed


def _in_another_process(precision: str) -> subprocess.Popen[bytes] | None:
    command = [sys.executable, "-c", f"from qsim.warmup import _compile_running; _compile_running({precision!r})"]
    paths = os.pathsep.join(path or os.getcwd() for path in sys.path)  # so that it finds this very package
    try:
        return subprocess.Popen(
            command, env={**os.environ, "PYTHONPATH": paths, "PYTHONSAFEPATH": "1"},
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
    except OSError:  # no more processes, or an interpreter inside another program
        return None


def _checked(precision: str) -> str:
    if precision not in _PRECISIONS:
        raise QsimError(f"The precision is 'double' or 'single', got {precision!r}.")
    return precision


def _compile_planning() -> None:
    from qsim.circuit import Circuit
    from qsim.compiler import compile_circuit, compile_thin

    circuit = Circuit(4).h(0).s(0).u(0.1, 0.2, 0.3, 1).cx(0, 1).rz(0.4, 1).cx(1, 0)
    compile_thin(circuit)
    compile_circuit(circuit, tile_bits=6)


def _compile_running(precision: str) -> None:
    import numpy as np

    from qsim.circuit import Circuit
    from qsim.compiler import compile_thin, run_directly
    from qsim.compiler.program import compile_kernels
    from qsim.kernels import small
    from qsim.parameters import Parameter
    from qsim.pauli import Pauli
    from qsim.sampling import marginal_probabilities, sample_state
    from qsim.simulator import Simulator
    from qsim.stabilizer import frames
    from qsim.state import operator_means, operator_moments

    dtype = np.dtype(np.complex128 if _checked(precision) == "double" else np.complex64)
    compile_kernels(np.float64 if precision == "double" else np.float32)
    state = np.array([1, 0], dtype=dtype)
    run_directly(Circuit(1), dtype.type)
    thin = compile_thin(Circuit(1))
    if thin is not None:
        thin.put_entries(np.zeros(4, state.real.dtype))
        thin.put_rows(np.zeros(4, state.real.dtype), 0, 1)
    frames.compile_kernels()
    sample_state(state, 1, 0, 1)
    operator_moments(state.reshape(1, 2), Pauli.X(0), 1)
    operator_means(state.reshape(1, 2), Pauli.X(0), 1)
    marginal_probabilities(state, [0], 1)
    marginal_probabilities(state, [], 1)
    small.apply_gates(state, np.zeros((0, small.COLUMNS), np.int64), np.zeros(0, np.int64), np.zeros(0, np.complex128))
    small.outcome_weights(state, 0)
    small.separable_bits(state, 0.0)
    angle = Parameter("angle")
    turned = Circuit(3).rx(2 * angle, 0).rzz(angle, 0, 1).rxx(angle, 1, 2).crx(angle, 0, 2).rz(angle, 1)
    Simulator(precision).gradient(turned, Pauli.X(0) + Pauli.Z(1), {"angle": 0.3})

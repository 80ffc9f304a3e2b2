"""Compiling every kernel ahead of time, on two cores."""

from __future__ import annotations

import subprocess
import sys

from qsim.errors import QsimError

_PRECISIONS = ("double", "single")


def kernels_ready(precision: str = "double") -> bool:
    """Whether this machine's compiled kernels are in the cache already, so that a first run is quick.

    >>> isinstance(kernels_ready(), bool)
    True
    """
    from qsim.kernels.jit import cache_folder

    folder = cache_folder()
    return folder is not None and (folder / f"ready-{_checked(precision)}").exists()


def warm_up(precision: str = "double") -> None:
    """Compile every kernel of one precision and keep the machine code in the cache; quick when it is there already.

    The kernels that plan and those that run are compiled side by side, the latter in a second process.

    >>> warm_up()
    """
    from qsim.kernels.jit import cache_folder

    folder = cache_folder()
    if folder is None:  # nothing could be shared between processes
        return
    if not kernels_ready(precision):
        command = [sys.executable, "-c", f"from qsim.warmup import _compile_running; _compile_running({precision!r})"]
        other = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            _compile_planning()
        finally:
            other.wait()
    _compile_running(precision)  # from the cache, unless the other process failed
    try:
        (folder / f"ready-{precision}").touch()
    except OSError:
        return  # a read-only cache: the next process asks again


def _checked(precision: str) -> str:
    if precision not in _PRECISIONS:
        raise QsimError(f"The precision is 'double' or 'single', got {precision!r}.")
    return precision


def _compile_planning() -> None:
    from qsim.circuit import Circuit
    from qsim.compiler import compile_circuit

    circuit = Circuit(4).h(0).s(0).u(0.1, 0.2, 0.3, 1).cx(0, 1).rz(0.4, 1).cx(1, 0)
    compile_circuit(circuit, tile_bits=3)


def _compile_running(precision: str) -> None:
    import numpy as np

    from qsim.compiler.program import compile_binding_kernels
    from qsim.pauli import Pauli
    from qsim.state import compile_kernels, marginal_probabilities, operator_moments, sample_state

    dtype = np.dtype(np.complex128 if _checked(precision) == "double" else np.complex64)
    compile_binding_kernels()
    compile_kernels(dtype)
    state = np.array([1, 0], dtype=dtype)
    sample_state(state, 1, 0, 1)
    operator_moments(state, Pauli.X(0), 1)
    marginal_probabilities(state, [0], 1)
    marginal_probabilities(state, [], 1)

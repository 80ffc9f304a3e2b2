"""Compiling every kernel ahead of time."""

from __future__ import annotations


def kernels_ready() -> bool:
    """Whether this machine's compiled kernels are in the cache already, so that a first run is quick.

    >>> isinstance(kernels_ready(), bool)
    True
    """
    from qsim.kernels.jit import cache_folder

    folder = cache_folder()
    return folder is not None and (folder / "ready").exists()


def warm_up(precision: str = "double") -> None:
    """Compile every kernel of one precision and keep the machine code in the cache.

    >>> warm_up()
    """
    from qsim.circuit import Circuit
    from qsim.kernels.jit import cache_folder
    from qsim.pauli import Pauli
    from qsim.simulator import Simulator

    circuit = Circuit(3).h(0).u(0.1, 0.2, 0.3, 1).cx(0, 1).rzz(0.4, 1, 2).rxx(0.5, 0, 2).measure_all()
    simulator = Simulator(precision, threads=1, _tile_bits=3)
    simulator.sample(circuit, shots=2, seed=1)
    simulator.expectation(circuit, Pauli.X(0))
    simulator.probabilities(circuit)
    simulator.probabilities(circuit, qubits=[0])
    folder = cache_folder()
    if folder is not None and precision == "double":
        try:
            (folder / "ready").touch()
        except OSError:
            return

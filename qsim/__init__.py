"""The engine: circuits, Pauli operators and an exact simulator of both."""

from qsim.circuit import Circuit, GateDefinition, Register
from qsim.counts import Counts
from qsim.errors import CircuitError, MemoryLimitError, ParameterError, QsimError
from qsim.gates import Gate, UnitaryMatrix
from qsim.noise import NoiseModel
from qsim.parameters import Expression, Parameter, ParameterArray
from qsim.pauli import Pauli, PauliTerm, SparsePauliOp
from qsim.simulator import Simulator
from qsim.version import __version__
from qsim.warmup import kernels_ready, warm_up

__all__ = [
    "Circuit", "CircuitError", "Counts", "Expression", "Gate", "GateDefinition", "MemoryLimitError", "NoiseModel",
    "Parameter", "ParameterArray", "ParameterError", "Pauli", "PauliTerm", "QsimError", "Register", "Simulator",
    "SparsePauliOp", "UnitaryMatrix", "__version__", "kernels_ready", "warm_up",
]  # fmt: skip

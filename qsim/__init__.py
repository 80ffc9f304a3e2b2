"""The engine: circuits, Pauli operators and an exact simulator of both."""

from qsim.circuit import Circuit, GateDefinition
from qsim.errors import CircuitError, MemoryLimitError, ParameterError, QsimError
from qsim.gates import Gate, UnitaryMatrix
from qsim.parameters import Expression, Parameter, ParameterArray

__all__ = [
    "Circuit", "CircuitError", "Expression", "Gate", "GateDefinition", "MemoryLimitError", "Parameter",
    "ParameterArray", "ParameterError", "QsimError", "UnitaryMatrix",
]  # fmt: skip
__version__ = "0.1.0"

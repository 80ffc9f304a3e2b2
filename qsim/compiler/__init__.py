"""From a circuit to a `Program`: lowering to flat arrays, scheduling into passes over memory, and binding."""

from qsim.compiler.lowering import Lowered, NeedsNumbers, lower
from qsim.compiler.program import DIRECT_QUBITS, Program, compile_circuit, compile_thin, run_directly

__all__ = [
    "DIRECT_QUBITS", "Lowered", "NeedsNumbers", "Program", "compile_circuit", "compile_thin", "lower", "run_directly",
]  # fmt: skip

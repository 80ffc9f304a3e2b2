"""From a circuit to a `Program`: lowering to flat arrays, scheduling into passes over memory, and binding."""

from qsim.compiler.lowering import Lowered, NeedsNumbers, lower
from qsim.compiler.program import Program, compile_circuit, run_directly

__all__ = ["Lowered", "NeedsNumbers", "Program", "compile_circuit", "lower", "run_directly"]

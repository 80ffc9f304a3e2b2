"""OpenQASM 2 and 3 text to circuits, and back."""

from parsers.errors import QasmError, QasmWarning
from parsers.interop import from_cirq, from_qiskit, to_qiskit
from parsers.limits import Limits
from parsers.reader import load, loads
from parsers.writer import dump, dumps

__all__ = [
    "Limits",
    "QasmError",
    "QasmWarning",
    "dump",
    "dumps",
    "from_cirq",
    "from_qiskit",
    "load",
    "loads",
    "to_qiskit",
]

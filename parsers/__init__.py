"""OpenQASM 2 and 3 text to circuits."""

from parsers.errors import QasmError
from parsers.limits import Limits
from parsers.reader import load, loads

__all__ = ["Limits", "QasmError", "load", "loads"]

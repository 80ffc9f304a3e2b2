"""What the command line reads: program files and ``--set`` values. Every error is one line that says the rule."""

from __future__ import annotations

import ast
import math
import operator
import os
import stat
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from qsim.circuit import Circuit
from qsim.errors import ParameterError, suggestion
from session.errors import SessionError

MAX_FILE_BYTES = 1 << 28


def read_text(name: str) -> str:
    """The text of a program file, or of standard input for ``-``.

    Raises:
        SessionError: the file is missing, a directory, not text, empty, too large or cannot be read.
    """
    shown = "standard input" if name == "-" else f"'{name}'"
    data = sys.stdin.buffer.read(MAX_FILE_BYTES + 1) if name == "-" else _read_bytes(name)
    if len(data) > MAX_FILE_BYTES:
        raise SessionError(f"A program has at most {MAX_FILE_BYTES >> 20} MiB of text; {shown} has more.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SessionError(f"A program is UTF-8 text; {shown} is not, at byte {error.start:,}.") from None
    if "\0" in text:
        raise SessionError(f"A program is text; {shown} is a binary file, with a zero byte at {text.index(chr(0)):,}.")
    if not text.strip():
        raise SessionError(f"{shown.capitalize()} is empty. An OpenQASM program begins with 'OPENQASM 3.0;'.")
    return text


def _read_bytes(name: str) -> bytes:
    path = Path(name)
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            inside = sorted(entry.name for entry in path.glob("*.qasm"))[:3]
            there = f" It has {', '.join(inside)}." if inside else ""
            raise SessionError(f"'{name}' is a directory; give an OpenQASM file.{there}")
        with path.open("rb") as file:
            return file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        raise SessionError(f"There is no file '{name}'.{suggestion(path.name, _neighbours(path))}") from None
    except SessionError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise SessionError(f"'{name}' cannot be read: {reason}.") from None


def _neighbours(path: Path) -> list[str]:
    try:
        return os.listdir(path.parent)[:1000]
    except OSError:
        return []


def read_values(settings: Sequence[str], circuit: Circuit) -> dict[str, float | list[float]]:
    """Values by parameter name out of ``name=value`` texts; an array's values are separated by commas.

    A value is a number or arithmetic on numbers and pi.

    >>> from qsim import Parameter
    >>> read_values(["t=pi/2"], Circuit(1).rx(Parameter("t"), 0))
    {'t': 1.5707963267948966}
    """
    arrays = {parameter.array.name for parameter in circuit.parameters if parameter.array is not None}
    values: dict[str, float | list[float]] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        name = name.strip()
        if not equals or not name or not text.strip():
            raise SessionError(f"A value is set as --set name=value, for example --set theta=0.5; got '{setting}'.")
        if name in values:
            raise SessionError(f"A parameter is set once; '{name}' is set twice.")
        numbers = [_number(name, part) for part in text.split(",")]
        values[name] = numbers if name in arrays or len(numbers) > 1 else numbers[0]
    return values


_OPERATORS: dict[type[ast.AST], Callable[..., float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
_CONSTANTS = {"pi": math.pi, "π": math.pi, "tau": math.tau, "τ": math.tau}


def _number(name: str, text: str) -> float:
    text = text.strip()
    try:
        if len(text) > 200:
            raise ValueError
        value = _evaluate(ast.parse(text, mode="eval").body)
    except (SyntaxError, ValueError, ZeroDivisionError, OverflowError, RecursionError, MemoryError):
        value = math.nan
    if not math.isfinite(value):
        raise ParameterError(
            f"The value of '{name}' is a finite number, or arithmetic on numbers and pi such as -3*pi/4; got '{text}'."
        )
    return value


def _evaluate(node: Any) -> float:
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)) and not isinstance(node.value, bool):
        return float(node.value)
    if isinstance(node, ast.Name) and node.id in _CONSTANTS:
        return _CONSTANTS[node.id]
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return _OPERATORS[type(node.op)](_evaluate(node.left), _evaluate(node.right))
    if isinstance(node, ast.UnaryOp) and type(node.op) in _OPERATORS:
        return _OPERATORS[type(node.op)](_evaluate(node.operand))
    raise ValueError

"""Circuits to OpenQASM text: the same unitary (3.0: global phase included), parameters and classical behaviour."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from parsers.errors import QasmError
from parsers.library import STDGATES_NAMES
from parsers.qasm3_scan import KEYWORDS
from parsers.writer_gates import ROWS2, ROWS3
from qsim.circuit import Circuit, Register

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_KEYWORDS2 = frozenset(
    "OPENQASM include qreg creg gate opaque if measure reset barrier pi sin cos tan exp ln sqrt U CX".split()
)
_BUILT_IN3 = frozenset(
    "pi tau euler U sin cos tan arcsin arccos arctan exp log sqrt floor ceiling mod popcount rotl rotr "
    "real imag im".split()
)


def dump(circuit: Circuit, path: str | os.PathLike[str], *, version: str = "3.0") -> None:
    """Write a circuit to a file; see `dumps`."""
    Path(path).write_text(dumps(circuit, version=version), encoding="utf-8")


def dumps(circuit: Circuit, *, version: str = "3.0") -> str:
    """A circuit as OpenQASM text that `loads` reads back as the same circuit.

    Args:
        circuit: any circuit; matrices of more than one qubit cannot be written.
        version: "3.0", or "2.0", which knows no parameters, no global phase and little feed-forward.

    Raises:
        QasmError: the circuit holds what this version cannot say.

    >>> print(dumps(Circuit(2).h(0).cx(0, 1)))
    OPENQASM 3.0;
    include "stdgates.inc";
    qubit[2] q;
    h q[0];
    cx q[0], q[1];
    <BLANKLINE>
    """
    if version in ("3.0", "3", "3.1"):
        from parsers.writer3 import write3

        return write3(circuit, "3.1" if version == "3.1" else "3.0")
    if version in ("2.0", "2"):
        from parsers.writer2 import write2

        return write2(circuit)
    raise QasmError(f"OpenQASM versions 2.0, 3.0 and 3.1 are written, got {version!r}.", "<circuit>")


class Names:
    """Identifiers that are taken, and free ones near a wish."""

    def __init__(self, version: int, taken: Iterable[str] = ()) -> None:
        gates3 = {*ROWS3, *STDGATES_NAMES}
        self.reserved = _KEYWORDS2 | set(ROWS2.values()) if version == 2 else KEYWORDS | _BUILT_IN3 | gates3
        self.taken = set(taken)

    def free(self, wish: str) -> str:
        """The wish, or the next free name like it; taken from now on."""
        name = re.sub(r"[^A-Za-z0-9_]", "_", wish)
        if not _IDENTIFIER.match(name) or name.startswith("__"):
            name = "q_" + name.lstrip("_")
        name = name[:200]
        base, number = name, 0
        while name in self.taken or name in self.reserved:
            number += 1
            name = f"{base}_{number}"
        self.taken.add(name)
        return name


def is_identifier(name: str) -> bool:
    """Whether a name can be written as it is."""
    return _IDENTIFIER.match(name) is not None


def registers(
    names: Names, declared: Iterable[Register], total: int, wish: str, line: Callable[[str, int], str]
) -> tuple[list[str], dict[int, str], dict[tuple[int, ...], str]]:
    """Declarations in the order of indices, the text of every element, and registers by their indices.

    Elements that belong to no register, or to one whose indices do not follow one another, get registers of their own.
    """
    lines: list[str] = []
    elements: dict[int, str] = {}
    whole: dict[tuple[int, ...], str] = {}
    starts = {register.indices[0]: register for register in declared if register.indices}
    at = 0
    while at < total:
        register = starts.get(at)
        if register is not None and register.indices == tuple(range(at, at + len(register))):
            name, size = names.free(register.name), len(register)
        else:
            size = 1
            while at + size < total and at + size not in starts:
                size += 1
            name = names.free(wish)
        lines.append(line(name, size))
        whole[tuple(range(at, at + size))] = name
        for k in range(size):
            elements[at + k] = f"{name}[{k}]"
        at += size
    return lines, elements, whole

"""Circuits to OpenQASM text: the same unitary (3.0: global phase included), parameters and classical behaviour."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from parsers.errors import QasmError
from parsers.qasm3_scan import KEYWORDS
from qsim.circuit import Circuit, Register

#: Categories of Unicode that an identifier of OpenQASM 3 may have.
_LETTERS = ("Lu", "Ll", "Lt", "Lm", "Lo", "Nl")
KEYWORDS2 = frozenset(
    "OPENQASM include qreg creg gate opaque if measure reset barrier pi sin cos tan exp ln sqrt U CX".split()
)
_BUILT_IN3 = frozenset(
    "pi tau euler U sin cos tan arcsin arccos arctan exp log sqrt floor ceiling mod popcount rotl rotr "
    "real imag im π τ ℇ euler".split()
)


def dump(circuit: Circuit, path: str | os.PathLike[str], *, version: str = "3.0", standalone: bool = False) -> None:
    """Write a circuit to a file; see `dumps`."""
    Path(path).write_text(dumps(circuit, version=version, standalone=standalone), encoding="utf-8")


def dumps(circuit: Circuit, *, version: str = "3.0", standalone: bool = False) -> str:
    """A circuit as OpenQASM text that `loads` reads back as the same circuit.

    Unitary, global phase (3.0), parameters and classical behaviour are the same; the global phase of a 2.0 text has no
    meaning. Gates that no include has, matrices and many controls are written as definitions, exactly. A register whose
    name is no identifier of the version gets one like it. A snapshot becomes a barrier, with a `QasmWarning`.

    Args:
        circuit: any circuit.
        version: "3.0", "3.1", or "2.0", which knows no parameters, no global phase and little feed-forward.
        standalone: OpenQASM 3 without an include, all gates defined in the text out of `U`, for readers that have no
            stdgates.inc, such as Amazon Braket's. A text is written so, too, when the circuit has parameters or registers
            called as gates of stdgates.inc are.

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
    if not isinstance(circuit, Circuit):
        raise QasmError(f"dumps takes a qsim.Circuit, got {type(circuit).__name__}.", "<circuit>")
    try:
        return _dumps(circuit, version, standalone)
    except RecursionError:
        raise QasmError(
            "The circuit's definitions or branches are nested too deeply to be written.", "<circuit>"
        ) from None


def _dumps(circuit: Circuit, version: str, standalone: bool) -> str:
    if version in ("3.0", "3", "3.1"):
        from parsers.writer3 import write3

        return write3(circuit, "3.1" if version == "3.1" else "3.0", standalone)
    if version in ("2.0", "2"):
        from parsers.writer2 import write2

        if standalone:
            raise QasmError("Only OpenQASM 3 is written without an include. Leave standalone out.", "<circuit>")
        return write2(circuit)
    raise QasmError(f"OpenQASM versions 2.0, 3.0 and 3.1 are written, got {version!r}.", "<circuit>")


class Names:
    """Identifiers that are taken, and free ones near a wish."""

    def __init__(self, reserved: Iterable[str], is_identifier: Callable[[str], bool]) -> None:
        self.reserved = set(reserved)
        self.taken: set[str] = set()
        self.numbers: dict[str, int] = {}  # name -> the last number that was put behind it
        self.is_identifier = is_identifier

    def is_free(self, name: str) -> bool:
        """Whether a name can be written as it is."""
        return self.is_identifier(name) and name not in self.reserved and name not in self.taken

    def free(self, wish: str, prefix: str = "q_") -> str:
        """The wish, or the next free name like it; taken from now on."""
        name = wish if self.is_identifier(wish) else re.sub(r"[^A-Za-z0-9_]", "_", wish)
        if not self.is_identifier(name):
            name = prefix + name.lstrip("_")
        name = name[:200]
        base, number = name, self.numbers.get(name, 0)
        while name in self.taken or name in self.reserved:
            number += 1
            name = f"{base}_{number}"
        self.numbers[base] = number
        self.taken.add(name)
        return name


def is_identifier2(name: str) -> bool:
    """Whether a name can be written in OpenQASM 2: a lower-case letter first.

    >>> is_identifier2("a_1"), is_identifier2("A")
    (True, False)
    """
    return re.fullmatch(r"[a-z][A-Za-z0-9_]*", name) is not None and len(name) <= 1000


def is_identifier3(name: str) -> bool:
    """Whether a name can be written in OpenQASM 3: letters of any script, digits and underscores.

    >>> is_identifier3("θ_1"), is_identifier3("2a")
    (True, False)
    """
    letters = all((c.isascii() and (c.isalnum() or c == "_")) or unicodedata.category(c) in _LETTERS for c in name)
    return letters and bool(name) and not name[0].isdigit() and not name.startswith("__") and len(name) <= 1000


def names2(rows: Iterable[str]) -> Names:
    """Names of OpenQASM 2, those of gate rows taken."""
    return Names({*KEYWORDS2, *rows}, is_identifier2)


def names3() -> Names:
    """Names of OpenQASM 3."""
    return Names({*KEYWORDS, *_BUILT_IN3}, is_identifier3)


@dataclass
class Written:
    """Registers of a text: declarations, the text of every element, and registers by their indices."""

    lines: list[str] = field(default_factory=list)
    elements: dict[int, str] = field(default_factory=dict)
    whole: dict[tuple[int, ...], str] = field(default_factory=dict)


def registers(
    names: Names, declared: Sequence[Register], total: int, wish: str, line: Callable[[str, int], str]
) -> Written:
    """Declarations of registers in the order of their indices.

    Of `total` elements those in no register, or in one whose indices do not follow one another, get registers of their
    own, called like `wish`.
    """
    written = Written()
    starts = {register.indices[0]: register for register in declared if register.indices}
    # Names that can be kept are, whatever the others become.
    kept = {register.name for register in declared if names.is_free(register.name)}
    names.taken |= kept
    at = 0
    while at < total:
        register = starts.get(at)
        if register is not None and register.indices == tuple(range(at, at + len(register))):
            name = register.name if register.name in kept else names.free(register.name)
            size = len(register)
        else:
            size = 1
            while at + size < total and at + size not in starts:
                size += 1
            name = names.free(wish)
        written.lines.append(line(name, size))
        written.whole[tuple(range(at, at + size))] = name
        for k in range(size):
            written.elements[at + k] = f"{name}[{k}]"
        at += size
    return written


def bit_registers(names: Names, circuit: Circuit, line: Callable[[str, int], str]) -> Written:
    """Declarations of the registers of classical bits; bits that are in none have no text."""
    written = Written()
    kept = {register.name for register in circuit.clbit_registers if names.is_free(register.name)}
    names.taken |= kept
    for register in circuit.clbit_registers:
        name = register.name if register.name in kept else names.free(register.name)
        if register.indices:
            written.lines.append(line(name, len(register)))
        written.whole[register.indices] = name
        for k, bit in enumerate(register.indices):
            written.elements[bit] = f"{name}[{k}]"
    return written

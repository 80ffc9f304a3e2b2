"""What a target takes: its gates by our names, and how they make every other one.

Targets call gates by many names. `canonical_name` gives the one that a prepared circuit has them by: a row of the gate
table, or one of the native gates of an ion trap that the table does not have, which are definitions here (`native_gate`).
Angles are in radians throughout; a printer turns them into a vendor's units.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache

from qsim.circuit import Circuit, GateDefinition
from qsim.gates import ALIASES, GATES, Gate
from qsim.parameters import Parameter
from session.errors import SessionError
from session.preparation.euler import Matrix, Recipe, recipes
from session.preparation.weyl import Canonical, canonical

#: Vendors' names of gates of the table. `prx` is r (phased x rotation), `zz`, `xx` and `yy` are rotations.
VENDOR_NAMES: dict[str, str] = {
    "not": "x", "cnot": "cx", "ccnot": "ccx", "si": "sdg", "ti": "tdg", "v": "sx", "vi": "sxdg", "phaseshift": "p",
    "cphaseshift": "cp", "prx": "r", "xx": "rxx", "yy": "ryy", "zz": "rzz", "cv": "csx", "toffoli": "ccx", "fredkin": "cswap",
    "sx_dg": "sxdg", "phasedxpowgate": "r",
}  # fmt: skip
#: Two-qubit rotations: the first canonical coordinate is |angle| / 2, or / 4 for controlled ones.
ROTATIONS: dict[str, float] = {
    "rxx": 2.0, "rzz": 2.0, "ryy": 2.0, "rzx": 2.0, "ms": 2.0, "cp": 4.0, "crz": 4.0, "crx": 4.0, "cry": 4.0,
}  # fmt: skip
#: Two-qubit gates without angles (or with fixed ones) that a CX can be made of.
FIXED = ("cx", "cz", "cy", "ecr", "ch", "iswap", "iswapdg", "dcx", "cs", "csdg", "csx", "csxdg")


class GateSetError(SessionError):
    """A circuit cannot be written in a target's gates.

    `operation` is the number of the operation that cannot, in its circuit, when that is known.
    """

    operation: int | None = None


def _natives() -> dict[str, GateDefinition]:
    a, b, c = Parameter("a"), Parameter("b"), Parameter("c")
    molmer = Circuit(2).rz(-a, 0).rz(-b, 1).rxx(c, 0, 1).rz(a, 0).rz(b, 1)
    return {
        "gpi": GateDefinition("gpi", [a], Circuit(1).r(math.pi, a, 0).gphase(math.pi / 2)),
        "gpi2": GateDefinition("gpi2", [a], Circuit(1).r(math.pi / 2, a, 0)),
        "ms": GateDefinition("ms", [a, b, c], molmer),
    }


@lru_cache(maxsize=1)
def _made() -> dict[str, GateDefinition]:
    return _natives()


def native_gate(name: str, *angles: float) -> Gate:
    """``gpi(a)``, ``gpi2(a)`` or ``ms(a, b, c)``, the gates of an ion trap, in radians.

    gpi(a) is X turned by `a` about Z; gpi2(a) its square root r(pi/2, a); ms(a, b, c) is
    exp(-i c/2 X_a X_b), where X_a = cos(a) X + sin(a) Y. IonQ's and Braket's documentation have the same.

    >>> native_gate("gpi", 0.0).matrix().real.round(9)
    array([[0., 1.],
           [1., 0.]])
    """
    return Gate(_made()[name], *angles)


def canonical_name(name: str) -> str | None:
    """The name that this package has a target's gate by; None for one that it does not know.

    >>> canonical_name("cnot"), canonical_name("u3"), canonical_name("prx"), canonical_name("pulse")
    ('cx', 'u', 'r', None)
    """
    lowered = name if name in GATES else name.lower()
    lowered = VENDOR_NAMES.get(lowered, lowered)
    lowered = ALIASES.get(lowered, lowered)
    return lowered if lowered in GATES or lowered in _made() else None


def make_gate(name: str, angles: Iterable[float] = ()) -> Gate:
    """A gate by its canonical name, of the table or native."""
    return Gate(name, *angles) if name in GATES else native_gate(name, *angles)


@lru_cache(maxsize=4096)
def canonical_of(name: str, angles: tuple[float, ...]) -> Canonical:
    """The canonical decomposition of a two-qubit gate."""
    return canonical(make_gate(name, angles).matrix())


class GateSet:
    """A target's gates, looked at once: use `gate_set`.

    Attributes:
        names: canonical names.
        one_qubit: recipes for any one-qubit unitary.
        fixed: names of gates that a CX is made of.
        rotations: names of two-qubit rotations.
    """

    def __init__(self, given: frozenset[str]) -> None:
        self.given = given
        self.unknown = sorted(name for name in given if canonical_name(name) is None)
        self.names = frozenset(found for name in given if (found := canonical_name(name)) is not None)
        self.one_qubit: list[Recipe] = recipes(self.names)
        self.fixed = [name for name in FIXED if name in self.names]
        self.rotations = [name for name in ROTATIONS if name in self.names]
        self.fixed_one_qubit: list[tuple[str, Matrix]] = [
            (name, GATES[name].matrix())
            for name in sorted(self.names)
            if name in GATES and GATES[name].num_qubits == 1 and not GATES[name].num_params and name != "id"
        ]
        if "xx_plus_yy" in self.names:
            self.fixed.append("xx_plus_yy")

    def text(self) -> str:
        """The gates as they were given, for messages."""
        return ", ".join(sorted(self.given)) or "none"

    def no_one_qubit(self, what: str) -> GateSetError:
        """Why a one-qubit gate cannot be written."""
        return GateSetError(
            f"{what} cannot be written in the gates of this target ({self.text()}): they do not make every one-qubit "
            f"gate. Any of these do: u; r; gpi with gpi2; rz (or p) with one of r, rx, ry, sx, h; rx with ry or h.{self._odd()}"
        )

    def no_two_qubit(self, what: str) -> GateSetError:
        """Why an entangling gate cannot be written."""
        return GateSetError(
            f"{what} cannot be written in the gates of this target ({self.text()}): none of them entangles two qubits. "
            f"Any of these do: {', '.join([*FIXED, *ROTATIONS])}.{self._odd()}"
        )

    def _odd(self) -> str:
        return f" Not known here: {', '.join(self.unknown)}." if self.unknown else ""


@lru_cache(maxsize=64)
def _gate_set(gates: frozenset[str]) -> GateSet:
    return GateSet(gates)


def gate_set(gates: Iterable[str]) -> GateSet:
    """The set of these gates, which may have a vendor's names.

    Raises:
        GateSetError: no gate of it is known, or it is not given by names.

    >>> sorted(gate_set(["prx", "cz"]).names)
    ['cz', 'r']
    """
    if isinstance(gates, str) or not all(isinstance(name, str) for name in gates):
        raise GateSetError(
            f"A target's gates are given as several names, as frozenset(('rz', 'sx', 'cx')); got {gates!r}."
        )
    made = _gate_set(frozenset(gates))
    if not made.names:
        raise GateSetError(f"None of the gates of this target is known here: {made.text()}.")
    return made

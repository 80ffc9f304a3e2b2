"""The methods of a circuit that append gates: one for every row of the gate table.

Written out, not generated, so that editors and type checkers know them. Angles are in radians, numbers or
expressions of parameters; controls come before targets. Each takes sequences of qubits too, and then applies the
gate to each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Union

from qsim.gates import GATES

if TYPE_CHECKING:
    from qsim.circuit import Circuit

QubitArgument = Union[int, Sequence[int]]


class GateMethods:
    """Mixed into `Circuit`; `_add` is the circuit's.

    >>> from qsim import Circuit
    >>> Circuit(3).h(range(3)).ccx(0, 1, 2).count_ops()
    {'h': 3, 'ccx': 1}
    """

    __slots__ = ()

    def _add(self, row: Any, qubits: tuple[Any, ...], params: tuple[Any, ...] = ()) -> Circuit:
        raise TypeError("GateMethods is a part of Circuit.")

    def h(self, qubit: QubitArgument) -> Circuit:
        """Hadamard."""
        return self._add(GATES["h"], (qubit,))

    def x(self, qubit: QubitArgument) -> Circuit:
        """Pauli X."""
        return self._add(GATES["x"], (qubit,))

    def y(self, qubit: QubitArgument) -> Circuit:
        """Pauli Y."""
        return self._add(GATES["y"], (qubit,))

    def z(self, qubit: QubitArgument) -> Circuit:
        """Pauli Z."""
        return self._add(GATES["z"], (qubit,))

    def s(self, qubit: QubitArgument) -> Circuit:
        """The phase gate: a quarter turn about Z."""
        return self._add(GATES["s"], (qubit,))

    def sdg(self, qubit: QubitArgument) -> Circuit:
        """The inverse of `s`."""
        return self._add(GATES["sdg"], (qubit,))

    def t(self, qubit: QubitArgument) -> Circuit:
        """An eighth turn about Z."""
        return self._add(GATES["t"], (qubit,))

    def tdg(self, qubit: QubitArgument) -> Circuit:
        """The inverse of `t`."""
        return self._add(GATES["tdg"], (qubit,))

    def sx(self, qubit: QubitArgument) -> Circuit:
        """The square root of X."""
        return self._add(GATES["sx"], (qubit,))

    def sxdg(self, qubit: QubitArgument) -> Circuit:
        """The inverse of `sx`."""
        return self._add(GATES["sxdg"], (qubit,))

    def id(self, qubit: QubitArgument) -> Circuit:
        """The identity."""
        return self._add(GATES["id"], (qubit,))

    def u0(self, gamma: Any, qubit: QubitArgument) -> Circuit:
        """The identity, for a time that has no meaning here."""
        return self._add(GATES["u0"], (qubit,), (gamma,))

    def p(self, angle: Any, qubit: QubitArgument) -> Circuit:
        """Phase: ``diag(1, exp(i angle))``."""
        return self._add(GATES["p"], (qubit,), (angle,))

    def rx(self, angle: Any, qubit: QubitArgument) -> Circuit:
        """Rotation ``exp(-i angle X / 2)``."""
        return self._add(GATES["rx"], (qubit,), (angle,))

    def ry(self, angle: Any, qubit: QubitArgument) -> Circuit:
        """Rotation ``exp(-i angle Y / 2)``."""
        return self._add(GATES["ry"], (qubit,), (angle,))

    def rz(self, angle: Any, qubit: QubitArgument) -> Circuit:
        """Rotation ``exp(-i angle Z / 2)``."""
        return self._add(GATES["rz"], (qubit,), (angle,))

    def r(self, theta: Any, phi: Any, qubit: QubitArgument) -> Circuit:
        """Rotation by `theta` about the axis at angle `phi` in the X-Y plane."""
        return self._add(GATES["r"], (qubit,), (theta, phi))

    def u(self, theta: Any, phi: Any, lam: Any, qubit: QubitArgument) -> Circuit:
        """The general one-qubit gate, with a real first entry ``cos(theta / 2)``."""
        return self._add(GATES["u"], (qubit,), (theta, phi, lam))

    def u1(self, angle: Any, qubit: QubitArgument) -> Circuit:
        """Phase, by its OpenQASM 2 name."""
        return self._add(GATES["p"], (qubit,), (angle,))

    def u2(self, phi: Any, lam: Any, qubit: QubitArgument) -> Circuit:
        """``u(pi / 2, phi, lam)``."""
        return self._add(GATES["u2"], (qubit,), (phi, lam))

    def u3(self, theta: Any, phi: Any, lam: Any, qubit: QubitArgument) -> Circuit:
        """``u``, by its OpenQASM 2 name."""
        return self._add(GATES["u"], (qubit,), (theta, phi, lam))

    def u2_su2(self, phi: Any, lam: Any, qubit: QubitArgument) -> Circuit:
        """``u2`` with determinant 1: the u2 of OpenQASM 3."""
        return self._add(GATES["u2_su2"], (qubit,), (phi, lam))

    def u3_su2(self, theta: Any, phi: Any, lam: Any, qubit: QubitArgument) -> Circuit:
        """``u`` with determinant 1: the u3 of OpenQASM 3."""
        return self._add(GATES["u3_su2"], (qubit,), (theta, phi, lam))

    def U(self, theta: Any, phi: Any, lam: Any, qubit: QubitArgument) -> Circuit:
        """The built-in gate of OpenQASM 3: ``exp(i theta / 2) u(theta, phi, lam)``."""
        return self._add(GATES["U"], (qubit,), (theta, phi, lam))

    def cx(self, control: QubitArgument, target: QubitArgument) -> Circuit:
        """Controlled X."""
        return self._add(GATES["cx"], (control, target))

    def cy(self, control: QubitArgument, target: QubitArgument) -> Circuit:
        """Controlled Y."""
        return self._add(GATES["cy"], (control, target))

    def cz(self, control: QubitArgument, target: QubitArgument) -> Circuit:
        """Controlled Z."""
        return self._add(GATES["cz"], (control, target))

    def ch(self, control: QubitArgument, target: QubitArgument) -> Circuit:
        """Controlled Hadamard."""
        return self._add(GATES["ch"], (control, target))

    def cs(self, control: QubitArgument, target: QubitArgument) -> Circuit:
        """Controlled S."""
        return self._add(GATES["cs"], (control, target))

    def csdg(self, control: QubitArgument, target: QubitArgument) -> Circuit:
        """The inverse of `cs`."""
        return self._add(GATES["csdg"], (control, target))

    def csx(self, control: QubitArgument, target: QubitArgument) -> Circuit:
        """Controlled square root of X."""
        return self._add(GATES["csx"], (control, target))

    def csxdg(self, control: QubitArgument, target: QubitArgument) -> Circuit:
        """The inverse of `csx`."""
        return self._add(GATES["csxdg"], (control, target))

    def cp(self, angle: Any, control: QubitArgument, target: QubitArgument) -> Circuit:
        """Controlled phase: ``exp(i angle)`` on |11>."""
        return self._add(GATES["cp"], (control, target), (angle,))

    def cu1(self, angle: Any, control: QubitArgument, target: QubitArgument) -> Circuit:
        """Controlled phase, by its OpenQASM 2 name."""
        return self._add(GATES["cp"], (control, target), (angle,))

    def crx(self, angle: Any, control: QubitArgument, target: QubitArgument) -> Circuit:
        """Controlled ``rx``."""
        return self._add(GATES["crx"], (control, target), (angle,))

    def cry(self, angle: Any, control: QubitArgument, target: QubitArgument) -> Circuit:
        """Controlled ``ry``."""
        return self._add(GATES["cry"], (control, target), (angle,))

    def crz(self, angle: Any, control: QubitArgument, target: QubitArgument) -> Circuit:
        """Controlled ``rz``."""
        return self._add(GATES["crz"], (control, target), (angle,))

    def cu3(self, theta: Any, phi: Any, lam: Any, control: QubitArgument, target: QubitArgument) -> Circuit:
        """Controlled ``u``."""
        return self._add(GATES["cu3"], (control, target), (theta, phi, lam))

    def cu(self, theta: Any, phi: Any, lam: Any, gamma: Any, control: QubitArgument, target: QubitArgument) -> Circuit:
        """Controlled ``exp(i gamma) u(theta, phi, lam)``."""
        return self._add(GATES["cu"], (control, target), (theta, phi, lam, gamma))

    def swap(self, first: QubitArgument, second: QubitArgument) -> Circuit:
        """Exchange two qubits."""
        return self._add(GATES["swap"], (first, second))

    def iswap(self, first: QubitArgument, second: QubitArgument) -> Circuit:
        """Exchange two qubits, with a factor i on |01> and |10>."""
        return self._add(GATES["iswap"], (first, second))

    def iswapdg(self, first: QubitArgument, second: QubitArgument) -> Circuit:
        """The inverse of `iswap`."""
        return self._add(GATES["iswapdg"], (first, second))

    def dcx(self, first: QubitArgument, second: QubitArgument) -> Circuit:
        """Two CX, the second the other way round."""
        return self._add(GATES["dcx"], (first, second))

    def ecr(self, first: QubitArgument, second: QubitArgument) -> Circuit:
        """Echoed cross-resonance: ``(X(first) - Y(first) X(second)) / sqrt(2)``."""
        return self._add(GATES["ecr"], (first, second))

    def rxx(self, angle: Any, first: QubitArgument, second: QubitArgument) -> Circuit:
        """Rotation ``exp(-i angle X X / 2)``."""
        return self._add(GATES["rxx"], (first, second), (angle,))

    def ryy(self, angle: Any, first: QubitArgument, second: QubitArgument) -> Circuit:
        """Rotation ``exp(-i angle Y Y / 2)``."""
        return self._add(GATES["ryy"], (first, second), (angle,))

    def rzz(self, angle: Any, first: QubitArgument, second: QubitArgument) -> Circuit:
        """Rotation ``exp(-i angle Z Z / 2)``."""
        return self._add(GATES["rzz"], (first, second), (angle,))

    def rzx(self, angle: Any, first: QubitArgument, second: QubitArgument) -> Circuit:
        """Rotation ``exp(-i angle Z(first) X(second) / 2)``."""
        return self._add(GATES["rzx"], (first, second), (angle,))

    def xx_plus_yy(self, theta: Any, beta: Any, first: QubitArgument, second: QubitArgument) -> Circuit:
        """Rotation by `theta` in the space of |01> and |10>, with phase `beta`."""
        return self._add(GATES["xx_plus_yy"], (first, second), (theta, beta))

    def xx_minus_yy(self, theta: Any, beta: Any, first: QubitArgument, second: QubitArgument) -> Circuit:
        """Rotation by `theta` in the space of |00> and |11>, with phase `beta`."""
        return self._add(GATES["xx_minus_yy"], (first, second), (theta, beta))

    def ccx(self, control1: QubitArgument, control2: QubitArgument, target: QubitArgument) -> Circuit:
        """Toffoli: X with two controls."""
        return self._add(GATES["ccx"], (control1, control2, target))

    def ccz(self, control1: QubitArgument, control2: QubitArgument, target: QubitArgument) -> Circuit:
        """Z with two controls."""
        return self._add(GATES["ccz"], (control1, control2, target))

    def cswap(self, control: QubitArgument, first: QubitArgument, second: QubitArgument) -> Circuit:
        """Fredkin: `swap` with a control."""
        return self._add(GATES["cswap"], (control, first, second))

    def rccx(self, control1: QubitArgument, control2: QubitArgument, target: QubitArgument) -> Circuit:
        """Toffoli up to relative phases (Margolus)."""
        return self._add(GATES["rccx"], (control1, control2, target))

    def c3x(
        self, control1: QubitArgument, control2: QubitArgument, control3: QubitArgument, target: QubitArgument
    ) -> Circuit:
        """X with three controls."""
        return self._add(GATES["c3x"], (control1, control2, control3, target))

    def c3sqrtx(
        self, control1: QubitArgument, control2: QubitArgument, control3: QubitArgument, target: QubitArgument
    ) -> Circuit:
        """Square root of X with three controls."""
        return self._add(GATES["c3sqrtx"], (control1, control2, control3, target))

    def c3sqrtxdg(
        self, control1: QubitArgument, control2: QubitArgument, control3: QubitArgument, target: QubitArgument
    ) -> Circuit:
        """The inverse of `c3sqrtx`."""
        return self._add(GATES["c3sqrtxdg"], (control1, control2, control3, target))

    def rc3x(
        self, control1: QubitArgument, control2: QubitArgument, control3: QubitArgument, target: QubitArgument
    ) -> Circuit:
        """X with three controls up to relative phases."""
        return self._add(GATES["rc3x"], (control1, control2, control3, target))

    def rc3xdg(
        self, control1: QubitArgument, control2: QubitArgument, control3: QubitArgument, target: QubitArgument
    ) -> Circuit:
        """The inverse of `rc3x`."""
        return self._add(GATES["rc3xdg"], (control1, control2, control3, target))

    def c4x(
        self,
        control1: QubitArgument,
        control2: QubitArgument,
        control3: QubitArgument,
        control4: QubitArgument,
        target: QubitArgument,
    ) -> Circuit:
        """X with four controls."""
        return self._add(GATES["c4x"], (control1, control2, control3, control4, target))

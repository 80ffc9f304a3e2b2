"""The gate table, and `Gate`: what is applied, apart from where.

One row a gate. A row gives the gate's own matrix without its controls (`base_matrix`), how many controls come in
front of it, its inverse as another row, and its structure, from which the compiler chooses kernels.

Matrices follow the specifications: OpenQASM 3 (`U` and the su(2) forms ``u2_su2`` and ``u3_su2`` that its
``stdgates.inc`` calls u2 and u3) and, for everything else, the matrices that Qiskit documents, which are also what
``qelib1.inc`` means up to a global phase. Of a gate's qubits the first is the least significant bit of its matrix's
index, and controls come first.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Flag, auto
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from qsim.errors import CircuitError, ParameterError, suggestion
from qsim.linalg import controlled_matrix, principal_power, unitary_error
from qsim.parameters import Expression, Value, to_value

if TYPE_CHECKING:
    from qsim.circuit import GateDefinition

ComplexMatrix = npt.NDArray[np.complex128]
MAX_MATRIX_QUBITS = 10
MAX_CONTROLS = 62


class Structure(Flag):
    """What a gate's base matrix is known to be, whatever its parameters.

    >>> Structure.DIAGONAL in GATES["rz"].structure
    True
    """

    GENERAL = 0
    DIAGONAL = auto()
    #: One non-zero entry in every row and column, times a phase.
    PERMUTATION = auto()
    REAL = auto()


@dataclass(frozen=True, slots=True)
class GateRow:
    """One row of the gate table.

    `base_matrix(*params)` is the matrix without the first `controls` qubits. `inverse` names the row of the inverse,
    `inverse_params` maps this gate's parameters to that row's and `inverse_order` reorders the qubits. `scales` lists
    the parameters that a power multiplies (rotations); a gate without them takes the principal power.
    """

    name: str
    num_qubits: int
    num_params: int
    base_matrix: Callable[..., ComplexMatrix]
    controls: int = 0
    structure: Structure = Structure.GENERAL
    inverse: str = ""
    inverse_params: Callable[..., tuple[Any, ...]] = field(default=lambda *params: params)
    inverse_order: tuple[int, ...] | None = None
    scales: tuple[int, ...] = ()
    code: int = -1

    def matrix(self, *params: float) -> ComplexMatrix:
        """The full matrix, controls included, shape ``(2**num_qubits,) * 2``."""
        return controlled_matrix(self.base_matrix(*params), (1,) * self.controls)


def _m(*rows: Sequence[complex]) -> ComplexMatrix:
    return np.array(rows, dtype=np.complex128)


def _fixed(matrix: npt.NDArray[Any]) -> Callable[..., ComplexMatrix]:
    matrix.setflags(write=False)
    return lambda *_: matrix


def _diag(*entries: complex) -> ComplexMatrix:
    return np.diag(np.array(entries, dtype=np.complex128))


def _phase(a: float) -> ComplexMatrix:
    return _diag(1, cmath.exp(1j * a))


def _rx(a: float) -> ComplexMatrix:
    c, s = math.cos(a / 2), math.sin(a / 2)
    return _m([c, -1j * s], [-1j * s, c])


def _ry(a: float) -> ComplexMatrix:
    c, s = math.cos(a / 2), math.sin(a / 2)
    return _m([c, -s], [s, c])


def _rz(a: float) -> ComplexMatrix:
    return _diag(cmath.exp(-0.5j * a), cmath.exp(0.5j * a))


def _r(a: float, b: float) -> ComplexMatrix:
    c, s = math.cos(a / 2), math.sin(a / 2)
    return _m([c, -1j * cmath.exp(-1j * b) * s], [-1j * cmath.exp(1j * b) * s, c])


def _u(a: float, b: float, c: float) -> ComplexMatrix:
    cos, sin = math.cos(a / 2), math.sin(a / 2)
    return _m([cos, -cmath.exp(1j * c) * sin], [cmath.exp(1j * b) * sin, cmath.exp(1j * (b + c)) * cos])


def _u_builtin(a: float, b: float, c: float) -> ComplexMatrix:
    return cmath.exp(0.5j * a) * _u(a, b, c)  # OpenQASM 3, "Built-in gates": 2 pi periodic in the first angle


def _u3_su2(a: float, b: float, c: float) -> ComplexMatrix:
    return cmath.exp(-0.5j * (b + c)) * _u(a, b, c)


def _u2(b: float, c: float) -> ComplexMatrix:
    return _u(math.pi / 2, b, c)


def _u2_su2(b: float, c: float) -> ComplexMatrix:
    return _u3_su2(math.pi / 2, b, c)


def _cu(a: float, b: float, c: float, d: float) -> ComplexMatrix:
    return cmath.exp(1j * d) * _u(a, b, c)


def _rotation2(pauli: npt.NDArray[Any]) -> Callable[[float], ComplexMatrix]:
    eye = np.eye(4, dtype=np.complex128)
    return lambda a: math.cos(a / 2) * eye - 1j * math.sin(a / 2) * pauli


def _xx_plus_yy(a: float, b: float) -> ComplexMatrix:
    c, s = math.cos(a / 2), -1j * math.sin(a / 2)
    up, down = s * cmath.exp(1j * b), s * cmath.exp(-1j * b)
    return _m([1, 0, 0, 0], [0, c, down, 0], [0, up, c, 0], [0, 0, 0, 1])


def _xx_minus_yy(a: float, b: float) -> ComplexMatrix:
    c, s = math.cos(a / 2), -1j * math.sin(a / 2)
    up, down = s * cmath.exp(1j * b), s * cmath.exp(-1j * b)
    return _m([c, 0, 0, down], [0, 1, 0, 0], [0, 0, 1, 0], [up, 0, 0, c])


def _phased_permutation(*columns: tuple[int, complex]) -> ComplexMatrix:
    """Column k has the one entry `columns[k]` = (row, value)."""
    matrix = np.zeros((len(columns), len(columns)), dtype=np.complex128)
    for column, (row, value) in enumerate(columns):
        matrix[row, column] = value
    return matrix


_R = math.sqrt(0.5)
_X = _m([0, 1], [1, 0])
_Y = _m([0, -1j], [1j, 0])
_Z = _diag(1, -1)
_H = _m([_R, _R], [_R, -_R])
_SX = _m([0.5 + 0.5j, 0.5 - 0.5j], [0.5 - 0.5j, 0.5 + 0.5j])
_T = cmath.exp(0.25j * math.pi)
_SWAP = _phased_permutation((0, 1), (2, 1), (1, 1), (3, 1))
_ISWAP = _phased_permutation((0, 1), (2, 1j), (1, 1j), (3, 1))
_DCX = _phased_permutation((0, 1), (2, 1), (3, 1), (1, 1))
_ECR = _R * _m(*(np.kron(np.eye(2), _X) - np.kron(_X, _Y)))  # X on the first qubit, minus X(second) Y(first)
# The relative-phase Toffolis of arXiv:1508.03273 (figures 3 and 4), in the form that Qiskit documents.
_RCCX = _phased_permutation((0, 1), (1, 1), (2, 1), (7, 1j), (4, 1), (5, -1), (6, 1), (3, -1j))
_RC3X = _phased_permutation(
    *[(k, 1) for k in range(3)], (3, 1j), (4, 1), (5, 1), (6, 1), (15, -1),
    *[(k, 1) for k in range(8, 11)], (11, -1j), (12, 1), (13, 1), (14, 1), (7, 1),
)  # fmt: skip


def _negate(*params: Any) -> tuple[Any, ...]:
    return tuple(-p for p in params)


def _negate_first(a: Any, *rest: Any) -> tuple[Any, ...]:
    return (-a, *rest)


def _u_inverse(a: Any, b: Any, c: Any) -> tuple[Any, ...]:
    return (-a, -c, -b)


def _u2_inverse(b: Any, c: Any) -> tuple[Any, ...]:
    return (-c - math.pi, -b + math.pi)


_D, _P, _RE = Structure.DIAGONAL, Structure.PERMUTATION, Structure.REAL
_ROWS: list[GateRow] = []


def _row(name: str, qubits: int, params: int, matrix: Callable[..., ComplexMatrix], **columns: Any) -> None:
    columns.setdefault("inverse", name)
    _ROWS.append(GateRow(name, qubits, params, matrix, code=len(_ROWS), **columns))


def _rotation(name: str, qubits: int, matrix: Callable[..., ComplexMatrix], **columns: Any) -> None:
    _row(name, qubits, 1, matrix, inverse_params=_negate, scales=(0,), **columns)


# fmt: off
_rotation("gphase", 0, lambda a: _m([cmath.exp(1j * a)]), structure=_D)
_row("id", 1, 0, _fixed(_diag(1, 1)), structure=_D | _P | _RE)
_row("u0", 1, 1, _fixed(_diag(1, 1)), structure=_D | _P | _RE, scales=(0,))
_row("x", 1, 0, _fixed(_X), structure=_P | _RE)
_row("y", 1, 0, _fixed(_Y), structure=_P)
_row("z", 1, 0, _fixed(_Z), structure=_D | _P | _RE)
_row("h", 1, 0, _fixed(_H), structure=_RE)
_row("s", 1, 0, _fixed(_diag(1, 1j)), structure=_D | _P, inverse="sdg")
_row("sdg", 1, 0, _fixed(_diag(1, -1j)), structure=_D | _P, inverse="s")
_row("t", 1, 0, _fixed(_diag(1, _T)), structure=_D | _P, inverse="tdg")
_row("tdg", 1, 0, _fixed(_diag(1, _T.conjugate())), structure=_D | _P, inverse="t")
_row("sx", 1, 0, _fixed(_SX), inverse="sxdg")
_row("sxdg", 1, 0, _fixed(_SX.conj().T.copy()), inverse="sx")
_rotation("p", 1, _phase, structure=_D | _P)
_rotation("rx", 1, _rx)
_rotation("ry", 1, _ry, structure=_RE)
_rotation("rz", 1, _rz, structure=_D | _P)
_row("r", 1, 2, _r, inverse_params=_negate_first, scales=(0,))
_row("u", 1, 3, _u, inverse_params=_u_inverse)
_row("u2", 1, 2, _u2, inverse_params=_u2_inverse)
_row("U", 1, 3, _u_builtin, inverse_params=_u_inverse)
_row("u2_su2", 1, 2, _u2_su2, inverse_params=_u2_inverse)
_row("u3_su2", 1, 3, _u3_su2, inverse_params=_u_inverse)
_row("cx", 2, 0, _fixed(_X), controls=1, structure=_P | _RE)
_row("cy", 2, 0, _fixed(_Y), controls=1, structure=_P)
_row("cz", 2, 0, _fixed(_Z), controls=1, structure=_D | _P | _RE)
_row("ch", 2, 0, _fixed(_H), controls=1, structure=_RE)
_row("cs", 2, 0, _fixed(_diag(1, 1j)), controls=1, structure=_D | _P, inverse="csdg")
_row("csdg", 2, 0, _fixed(_diag(1, -1j)), controls=1, structure=_D | _P, inverse="cs")
_row("csx", 2, 0, _fixed(_SX), controls=1, inverse="csxdg")
_row("csxdg", 2, 0, _fixed(_SX.conj().T.copy()), controls=1, inverse="csx")
_rotation("cp", 2, _phase, controls=1, structure=_D | _P)
_rotation("crx", 2, _rx, controls=1)
_rotation("cry", 2, _ry, controls=1, structure=_RE)
_rotation("crz", 2, _rz, controls=1, structure=_D | _P)
_row("cu3", 2, 3, _u, controls=1, inverse_params=_u_inverse)
_row("cu", 2, 4, _cu, controls=1, inverse_params=lambda a, b, c, d: (-a, -c, -b, -d))
_row("swap", 2, 0, _fixed(_SWAP), structure=_P | _RE)
_row("iswap", 2, 0, _fixed(_ISWAP), structure=_P, inverse="iswapdg")
_row("iswapdg", 2, 0, _fixed(_ISWAP.conj().T.copy()), structure=_P, inverse="iswap")
_row("dcx", 2, 0, _fixed(_DCX), structure=_P | _RE, inverse_order=(1, 0))
_row("ecr", 2, 0, _fixed(_ECR))
_rotation("rxx", 2, _rotation2(np.kron(_X, _X)))
_rotation("ryy", 2, _rotation2(np.kron(_Y, _Y)))
_rotation("rzz", 2, _rotation2(np.kron(_Z, _Z)), structure=_D | _P)
_rotation("rzx", 2, _rotation2(np.kron(_X, _Z)))
_row("xx_plus_yy", 2, 2, _xx_plus_yy, inverse_params=_negate_first, scales=(0,))
_row("xx_minus_yy", 2, 2, _xx_minus_yy, inverse_params=_negate_first, scales=(0,))
_row("ccx", 3, 0, _fixed(_X), controls=2, structure=_P | _RE)
_row("ccz", 3, 0, _fixed(_Z), controls=2, structure=_D | _P | _RE)
_row("cswap", 3, 0, _fixed(_SWAP), controls=1, structure=_P | _RE)
_row("rccx", 3, 0, _fixed(_RCCX), structure=_P)
_row("c3x", 4, 0, _fixed(_X), controls=3, structure=_P | _RE)
_row("c3sqrtx", 4, 0, _fixed(_SX), controls=3, inverse="c3sqrtxdg")
_row("c3sqrtxdg", 4, 0, _fixed(_SX.conj().T.copy()), controls=3, inverse="c3sqrtx")
_row("rc3x", 4, 0, _fixed(_RC3X), structure=_P, inverse="rc3xdg")
_row("rc3xdg", 4, 0, _fixed(_RC3X.conj().T.copy()), structure=_P, inverse="rc3x")
_row("c4x", 5, 0, _fixed(_X), controls=4, structure=_P | _RE)
# fmt: on

#: The gate table: name -> row.
GATES: dict[str, GateRow] = {row.name: row for row in _ROWS}
#: Other names of the same gates.
ALIASES: dict[str, str] = {
    "u1": "p", "phase": "p", "u3": "u", "cu1": "cp", "cphase": "cp", "CX": "cx", "i": "id", "c3sx": "c3sqrtx",
}  # fmt: skip
#: The angle k times which a fixed diagonal gate is a phase gate: its powers are phase gates too.
_FIXED_PHASES = {"z": math.pi, "s": math.pi / 2, "sdg": -math.pi / 2, "t": math.pi / 4, "tdg": -math.pi / 4,
                 "cz": math.pi, "cs": math.pi / 2, "csdg": -math.pi / 2, "ccz": math.pi}  # fmt: skip


def row_by_code(code: int) -> GateRow:
    """The table row with this index."""
    return _ROWS[code]


class UnitaryMatrix:
    """A gate given by its matrix, checked for unitarity once.

    `matrix` has shape ``(2**k, 2**k)``; the first qubit that it is applied to is the least significant bit.

    >>> UnitaryMatrix([[0, 1], [1, 0]]).num_qubits
    1
    """

    __slots__ = ("matrix", "name", "num_qubits")

    def __init__(self, matrix: npt.ArrayLike, name: str = "unitary") -> None:
        try:
            array = np.array(matrix, dtype=np.complex128)
        except (TypeError, ValueError) as error:
            raise CircuitError(f"A unitary gate is a square array of complex numbers: {error}.") from None
        size = array.shape[0] if array.ndim == 2 else 0
        if array.ndim != 2 or array.shape[1] != size or size < 1 or size & (size - 1):
            raise CircuitError(f"A unitary gate has shape (2**k, 2**k) for k qubits, got shape {array.shape}.")
        if size > 1 << MAX_MATRIX_QUBITS:
            raise CircuitError(
                f"A unitary gate acts on at most {MAX_MATRIX_QUBITS} qubits, got {size.bit_length() - 1}. "
                "Split it into smaller gates."
            )
        error_size = unitary_error(array)
        if not error_size < 1e-8:
            raise CircuitError(
                f"A gate's matrix must be unitary (U U\N{DAGGER} = 1 to 1e-8); this one is off by {error_size:.3g}."
            )
        array.setflags(write=False)
        self.matrix: ComplexMatrix = array
        self.num_qubits = size.bit_length() - 1
        self.name = name


class Gate:
    """What is applied: a table row, a definition or a matrix, with parameters and modifiers.

    Immutable. `controls` are the values that control qubits must have, first qubit first, and come before the base's
    own qubits; `powers` are applied to the base in order (an inverse is the power -1), before the controls.

    >>> Gate("x").control(2).num_qubits
    3
    >>> Gate("s").inverse()
    Gate('sdg')
    >>> Gate("rx", 0.5).power(3)
    Gate('rx', 1.5)
    """

    __slots__ = ("base", "controls", "params", "powers")

    base: GateRow | GateDefinition | UnitaryMatrix
    params: tuple[Value, ...]
    controls: tuple[int, ...]
    powers: tuple[float, ...]

    def __init__(self, base: str | GateRow | GateDefinition | UnitaryMatrix, *params: Any) -> None:
        resolved = find_gate(base) if isinstance(base, str) else base
        expected = 0 if isinstance(resolved, UnitaryMatrix) else resolved.num_params
        if len(params) != expected:
            raise CircuitError(
                f"Gate '{resolved.name}' takes {expected} parameter{'s' * (expected != 1)}, got {len(params)}."
            )
        self.base = resolved
        self.params = tuple(to_value(p, f"A parameter of gate '{resolved.name}'") for p in params)
        self.controls = ()
        self.powers = ()

    @property
    def name(self) -> str:
        """The base's name, without modifiers."""
        return self.base.name

    @property
    def num_qubits(self) -> int:
        """How many qubits it is applied to, controls included."""
        return len(self.controls) + self.base.num_qubits

    @property
    def is_symbolic(self) -> bool:
        """Whether a parameter is still an expression."""
        return any(isinstance(p, Expression) for p in self.params)

    def control(self, num: int = 1, value: int = 1) -> Gate:
        """With `num` more controls in front that must all be `value` (1, or 0 for a negative control)."""
        if not isinstance(num, int) or isinstance(num, bool) or num < 1:
            raise CircuitError(f"The number of controls is a positive integer, got {num!r}.")
        if value not in (0, 1):
            raise CircuitError(f"A control's value is 0 or 1, got {value!r}.")
        if len(self.controls) + num > MAX_CONTROLS:
            raise CircuitError(f"A gate has at most {MAX_CONTROLS} controls, got {len(self.controls) + num}.")
        return self._with(controls=(value,) * num + self.controls)

    def inverse(self) -> Gate:
        """Its adjoint."""
        return self.power(-1)

    def power(self, exponent: float) -> Gate:
        """Its power. A rotation's angle is multiplied; any other gate takes the principal power
        (eigenvalue phases in (-pi, pi] are multiplied by `exponent`) when `exponent` is not an integer."""
        checked = to_value(exponent, "A power")
        if isinstance(checked, Expression):
            raise CircuitError(f"A power must be a number, got the expression {checked}. Bind it first.")
        exponent = checked
        if exponent == 1:
            return self
        base, whole = self.base, float(exponent).is_integer()
        if isinstance(base, GateRow) and not self.powers:
            if base.scales:
                scaled = tuple(p * exponent if k in base.scales else p for k, p in enumerate(self.params))
                return self._with(params=scaled)
            if exponent == -1 and base.inverse_order is None:
                return self._with(base=GATES[base.inverse], params=base.inverse_params(*self.params))
            if whole and base.inverse == base.name and not base.num_params and base.inverse_order is None:
                return self if exponent % 2 else self._with(powers=(0.0,))
        # Only (U^a)^k with integer k is U^(a k) for every U; a fraction of an integer power is a new step.
        if whole and self.powers:
            merged = (*self.powers[:-1], self.powers[-1] * exponent)
        else:
            merged = (*self.powers, float(exponent))
        if not math.isfinite(merged[-1]):
            raise CircuitError(f"A power must be finite, got {merged[-1]}.")
        return self._with(powers=() if merged == (1.0,) else merged)

    def as_phase(self) -> Gate:
        """The same gate, a power of a fixed diagonal one written as a phase gate.

        Only for a gate that takes no further powers: those of a phase gate multiply its angle.

        >>> Gate("s").power(0.5).as_phase()
        Gate('p', 0.7853981633974483)
        """
        if len(self.powers) != 1 or self.base.name not in _FIXED_PHASES or not isinstance(self.base, GateRow):
            return self
        row = GATES["p" if self.base.controls > 1 else "c" * self.base.controls + "p"]
        extra = (1,) * (self.base.controls - row.controls)
        angle = _FIXED_PHASES[self.base.name] * self.powers[0]
        return self._with(base=row, params=(angle,), controls=self.controls + extra, powers=())

    def base_matrix(self) -> ComplexMatrix:
        """The matrix without `controls` (a row's own controls included), powers applied."""
        base = self.base
        if isinstance(base, UnitaryMatrix):
            matrix = base.matrix
        elif self.is_symbolic:
            names = sorted({q.name for p in self.params if isinstance(p, Expression) for q in p.parameters})
            raise ParameterError(f"The matrix of '{self.name}' needs numbers for its parameters {', '.join(names)}.")
        else:
            if base.num_qubits > MAX_MATRIX_QUBITS:
                raise CircuitError(
                    f"A gate's matrix is made for at most {MAX_MATRIX_QUBITS} qubits; '{base.name}' has "
                    f"{base.num_qubits}."
                )
            matrix = base.matrix(*[float(p) for p in self.params])
        for power in self.powers:
            matrix = principal_power(matrix, power)
        return matrix

    def matrix(self) -> ComplexMatrix:
        """The full matrix, shape ``(2**num_qubits,) * 2``; the first qubit is the least significant bit.

        >>> Gate("x").control().matrix().real.astype(int)
        array([[1, 0, 0, 0],
               [0, 0, 0, 1],
               [0, 0, 1, 0],
               [0, 1, 0, 0]])
        """
        if self.num_qubits > MAX_MATRIX_QUBITS:
            raise CircuitError(
                f"A gate's matrix is made for at most {MAX_MATRIX_QUBITS} qubits; this one has {self.num_qubits}."
            )
        return controlled_matrix(self.base_matrix(), self.controls)

    def _with(self, **changes: Any) -> Gate:
        copy = object.__new__(Gate)
        for name in Gate.__slots__:
            setattr(copy, name, changes[name] if name in changes else getattr(self, name))
        return copy

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Gate):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in Gate.__slots__)

    def __hash__(self) -> int:
        return hash((self.name, self.params, self.controls, self.powers))

    def __repr__(self) -> str:
        text = ", ".join([repr(self.name), *[str(p) for p in self.params]])
        for power in self.powers:
            text += f").power({power:g}"
        for value in reversed(self.controls):
            text += ").control(" + ("" if value else "value=0")
        return f"Gate({text})"


def find_gate(name: str) -> GateRow:
    """The table row called `name`, or by an alias of it.

    >>> find_gate("cu1").name
    'cp'
    """
    row = GATES.get(ALIASES.get(name, name))
    if row is None:
        raise CircuitError(f"There is no gate called '{name}'.{suggestion(name, [*GATES, *ALIASES])}")
    return row

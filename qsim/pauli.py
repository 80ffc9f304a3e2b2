"""Pauli operators: sums of products of I, X, Y and Z on numbered qubits, with complex coefficients.

A term is two bit masks, ``x_mask`` and ``z_mask``, of the qubits where it has an X part and a Z part (Y has
both), and the coefficient of the product of letters, in which Y is the real Y. Since Y = i X Z, that product
is i**|x & z| X**x Z**z, and a product of two terms is an exclusive or of the masks and a power of i
(J. Dehaene and B. De Moor, Phys. Rev. A 68, 042318 (2003); S. Aaronson and D. Gottesman, Phys. Rev. A 70,
052328 (2004)).

Sums are lazy: ``a + b`` keeps a reference to both, and the terms are put in one row when somebody looks. So
``sum(terms)`` and ``operator += term`` take constant time a step.
"""

from __future__ import annotations

import cmath
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from qsim.errors import QsimError
from qsim.pauli_text import (
    POWERS_OF_I,
    Term,
    Terms,
    checked_coefficient,
    checked_width,
    format_label,
    format_sum,
    is_scalar,
    paulis_of,
    products,
    read_labels,
    read_pairs,
    read_text,
    shown,
    single,
)

TOLERANCE = 1e-12
MAX_MATRIX_QUBITS = 14  # 4 GiB of complex128
_REPR_TERMS = 6

Scalar: TypeAlias = "int | float | complex | np.number[Any]"
PauliString: TypeAlias = "Mapping[int, str] | Iterable[tuple[int, str]]"
_Merged: TypeAlias = dict[tuple[int, int], complex]


class PauliTerm(NamedTuple):
    """One term: its Paulis, by rising qubit and without identities, and its coefficient.

    >>> term = (2 * Pauli.X(3) * Pauli.Z(0)).terms[0]
    >>> term
    PauliTerm(paulis=((0, 'Z'), (3, 'X')), coefficient=(2+0j))
    >>> str(term)
    '2.0*Z0*X3'
    """

    paulis: tuple[tuple[int, str], ...]
    coefficient: complex

    def __str__(self) -> str:
        return format_sum([self])


class _Sum(NamedTuple):
    left: SparsePauliOp
    right: SparsePauliOp


class Pauli:
    """The single-qubit Pauli operators, as operators with one term.

    Each raises `QsimError` unless the qubit is an integer from 0 to 65535.

    >>> print(0.5 * Pauli.X(0) * Pauli.Z(1) + 2)
    0.5*X0*Z1 + 2.0*I
    """

    @staticmethod
    def I(qubit: int) -> SparsePauliOp:  # noqa: E743
        """The identity. It acts on no qubit, but counts ``qubit + 1`` qubits.

        >>> Pauli.I(2).num_qubits
        3
        """
        return _make(*single(qubit, "I"))

    @staticmethod
    def X(qubit: int) -> SparsePauliOp:
        """The matrix [[0, 1], [1, 0]] on one qubit.

        >>> print(2 * Pauli.X(0))
        2.0*X0
        """
        return _make(*single(qubit, "X"))

    @staticmethod
    def Y(qubit: int) -> SparsePauliOp:
        """The matrix [[0, -i], [i, 0]] on one qubit.

        >>> Pauli.Y(0) == 1j * Pauli.X(0) * Pauli.Z(0)
        True
        """
        return _make(*single(qubit, "Y"))

    @staticmethod
    def Z(qubit: int) -> SparsePauliOp:
        """The matrix [[1, 0], [0, -1]] on one qubit.

        >>> Pauli.Z(0) ** 2 == 1
        True
        """
        return _make(*single(qubit, "Z"))


class SparsePauliOp:
    """A sum of Pauli products with complex coefficients; immutable.

    Made by `Pauli`, `from_terms`, `from_labels` or `from_string`, and by arithmetic: ``+ - * / ** @`` with
    operators and numbers, where ``*`` and ``@`` of two operators are both the operator product and a number
    added is a multiple of the identity. Sums keep every term as it was added, until `simplify`; products
    merge like terms and drop those that cancel exactly.

    Two operators are equal when they are the same mathematically, whatever their order of terms and number of
    qubits: like coefficients a, b differ by no more than 1e-12 * max(1, |a|, |b|), where |.| is the larger of
    the real and the imaginary part. A number equals that multiple of the identity. An equality with a
    tolerance has no hash, so operators are not hashable.

    Args:
        terms: (paulis, coefficient) pairs, as `from_terms` takes them.
        num_qubits: the least number of qubits to count; None takes 1 + the highest qubit.

    Raises:
        QsimError: what `from_terms` raises; in arithmetic, a coefficient that overflows, a division by zero
            or a negative power. Other types of operands are a TypeError.

    >>> energy = 0.5 * Pauli.Z(0) * Pauli.Z(1) - sum(Pauli.X(k) for k in range(2))
    >>> energy
    SparsePauliOp.from_string('0.5*Z0*Z1 - X0 - X1')
    >>> print((Pauli.X(0) + Pauli.Z(0)) ** 2)
    2.0*I
    >>> Pauli.X(0) * Pauli.Y(0) == 1j * Pauli.Z(0)
    True
    """

    __slots__ = ("_applied", "_compiled", "_count", "_hermitian", "_store", "_width")
    __array_ufunc__ = None  # numpy scalars on the left leave the arithmetic to this class
    _applied: Any  # by `qsim.observable`, for O |psi>; None until then
    _compiled: Any  # by `qsim.observable`, for expectation values; None until then
    _count: int
    _hermitian: bool | None
    _store: Terms | _Sum  # one attribute, replaced at once, so that threads may share an operator
    _width: int

    def __init__(self, terms: Iterable[tuple[PauliString, Scalar]] = (), num_qubits: int | None = None) -> None:
        self._applied = self._compiled = self._hermitian = None
        self._store, used = read_pairs(terms)
        self._count, self._width = len(self._store), checked_width(used, num_qubits)

    @classmethod
    def from_terms(cls, terms: Iterable[tuple[PauliString, Scalar]], num_qubits: int | None = None) -> SparsePauliOp:
        """An operator from (paulis, coefficient) pairs, the form of `PauliTerm`.

        Args:
            terms: pairs whose paulis are ``{qubit: letter}`` or an iterable of (qubit, letter), each qubit
                once; letters are I, X, Y, Z.
            num_qubits: the least number of qubits to count; None takes 1 + the highest qubit.

        Raises:
            QsimError: a qubit that is negative, repeated or no integer, another letter, a coefficient that is
                not a finite number, or a num_qubits too small for the terms.

        >>> print(SparsePauliOp.from_terms([({0: "Z", 2: "X"}, 0.5), ([(1, "Y")], -1), ({}, 3)]))
        0.5*Z0*X2 - Y1 + 3.0*I
        """
        return cls(terms, num_qubits)

    @classmethod
    def from_labels(cls, labels: str | Mapping[str, Scalar] | Iterable[tuple[str, Scalar]]) -> SparsePauliOp:
        """An operator from labels with a letter for every qubit; the rightmost letter is qubit 0.

        Args:
            labels: (label, coefficient) pairs, a mapping label -> coefficient, or one label. All labels have
                the same length, which becomes `num_qubits`.

        Raises:
            QsimError: a label that is empty, of another length or with another letter, or a coefficient that
                is not a finite number.

        >>> print(SparsePauliOp.from_labels([("XIZ", 1.0), ("IYI", 0.5)]))
        Z0*X2 + 0.5*Y1
        >>> SparsePauliOp.from_labels("IIZ").num_qubits
        3
        """
        return _make(*read_labels(labels))

    @classmethod
    def from_string(cls, text: str, num_qubits: int | None = None) -> SparsePauliOp:
        """Read the form that ``str`` writes, and looser ones; `qsim.pauli_text` has the grammar.

        Args:
            text: terms joined by + and -, each of numbers (``2``, ``1e-3``, ``0.5j``, ``(1+2j)``) and Paulis
                (``Z0``, ``Z(0)``, ``I``) with a ``*``, a space or nothing between them. Never run as code.
            num_qubits: the least number of qubits to count; None takes 1 + the highest qubit.

        Raises:
            QsimError: the text is not such a sum; the message has the column and a caret.

        >>> SparsePauliOp.from_string("Z0*Z1 + 0.5 X(0) - 2*Y3*X1 + 1.5")
        SparsePauliOp.from_string('Z0*Z1 + 0.5*X0 - 2.0*X1*Y3 + 1.5*I')
        """
        flat, used = read_text(text)
        return _make(flat, checked_width(used, num_qubits))

    @property
    def terms(self) -> tuple[PauliTerm, ...]:
        """The terms in the order they were added, like terms not merged.

        >>> (Pauli.Z(1) - 2).terms
        (PauliTerm(paulis=((1, 'Z'),), coefficient=(1+0j)), PauliTerm(paulis=(), coefficient=(-2+0j)))
        """
        return tuple(self)

    @property
    def num_terms(self) -> int:
        """The number of terms, also given by ``len``; like terms count apart until `simplify`.

        >>> (Pauli.X(0) + Pauli.X(0)).num_terms
        2
        """
        return self._count

    @property
    def num_qubits(self) -> int:
        """1 + the highest qubit ever used, or more where more were declared; arithmetic keeps the most.

        >>> (Pauli.X(0) + Pauli.Z(4)).num_qubits
        5
        """
        return self._width

    @property
    def x_masks(self) -> NDArray[np.uint64]:
        """Bit k of entry t: term t has X or Y on qubit k. Shape (num_terms,); QsimError above 64 qubits.

        >>> (Pauli.X(0) * Pauli.Y(2) + Pauli.Z(1)).x_masks
        array([5, 0], dtype=uint64)
        """
        return self._mask_array(0)

    @property
    def z_masks(self) -> NDArray[np.uint64]:
        """Bit k of entry t: term t has Z or Y on qubit k. Shape (num_terms,); QsimError above 64 qubits.

        >>> (Pauli.X(0) * Pauli.Y(2) + Pauli.Z(1)).z_masks
        array([4, 2], dtype=uint64)
        """
        return self._mask_array(1)

    @property
    def coefficients(self) -> NDArray[np.complex128]:
        """The coefficients of the products of Paulis (Y is the real Y); complex128, shape (num_terms,).

        >>> (2 * Pauli.Y(0) + 1j).coefficients
        array([2.+0.j, 0.+1.j])
        """
        return np.array([coefficient for _, _, coefficient in self._flat()], dtype=np.complex128)

    @property
    def is_hermitian(self) -> bool:
        """Whether every merged coefficient c is real: |imag c| <= 1e-12 * max(1, |c|).

        >>> (Pauli.X(0) * Pauli.Y(1)).is_hermitian, (Pauli.X(0) * Pauli.Y(0)).is_hermitian
        (True, False)
        """
        if self._hermitian is None:  # asked by every run, of an operator that never changes
            found = all(abs(c.imag) <= TOLERANCE * max(1.0, _size(c)) for c in _merged(self._flat()).values())
            self._hermitian = found
        return self._hermitian

    def simplify(self, tol: float = TOLERANCE) -> SparsePauliOp:
        """Merge like terms, in the order of first appearance, and drop those with |coefficient| <= tol.

        Raises QsimError where tol is not a number >= 0, or a merged coefficient overflows.

        >>> print((Pauli.Z(0) + Pauli.X(1) + 2 * Pauli.Z(0) - Pauli.X(1)).simplify())
        3.0*Z0
        """
        if not _is_tolerance(tol):
            raise QsimError(f"A tolerance is a number of at least 0; got {shown(tol)}. The default is {TOLERANCE}.")
        merged = _merged(self._flat())
        return _make(
            tuple((x, z, c) for (x, z), c in merged.items() if max(abs(c.real), abs(c.imag)) > tol), self._width
        )

    def adjoint(self) -> SparsePauliOp:
        """The Hermitian conjugate: every coefficient conjugated.

        >>> print((1j * Pauli.X(0)).adjoint())
        -1.0j*X0
        """
        return _make(tuple((x, z, complex(c.real, 0.0 - c.imag)) for x, z, c in self._flat()), self._width)

    @property
    def dagger(self) -> SparsePauliOp:
        """The same as `adjoint`, as a property.

        >>> (Pauli.X(0) * Pauli.Y(0)).dagger == Pauli.Y(0) * Pauli.X(0)
        True
        """
        return self.adjoint()

    def commutes_with(self, other: SparsePauliOp) -> bool:
        """Whether the commutator of the whole operators is zero, though single terms may not commute.

        Zero is within 1e-12 of the largest product of two coefficients. Time goes as the product of the
        numbers of terms. Raises QsimError where other is not an operator.

        >>> (Pauli.X(0) * Pauli.X(1)).commutes_with(Pauli.Z(0) * Pauli.Z(1))
        True
        >>> Pauli.X(0).commutes_with(Pauli.Z(0))
        False
        """
        left, right = self @ _checked_operator(other), other @ self
        scale = max((_size(c) for *_, c in self._flat()), default=0.0)
        scale *= max((_size(c) for *_, c in other._flat()), default=0.0)
        return _close(_merged(left._flat()), _merged(right._flat()), scale)

    def qubit_wise_commutes(self, other: SparsePauliOp) -> bool:
        """Whether, on every qubit, a Pauli of one operator and a Pauli of the other are equal or one is I.

        Two such products are measured in one basis (V. Verteletskyi, T.-C. Yen, A. Izmaylov, J. Chem. Phys.
        152, 124114 (2020)). Raises QsimError where other is not an operator.

        >>> (Pauli.X(0) + Pauli.Z(1)).qubit_wise_commutes(Pauli.X(0) * Pauli.Z(1))
        True
        >>> (Pauli.X(0) * Pauli.X(1)).qubit_wise_commutes(Pauli.Z(0) * Pauli.Z(1))
        False
        """
        x1, y1, z1 = _supports(self.simplify()._flat())
        x2, y2, z2 = _supports(_checked_operator(other).simplify()._flat())
        return not (x1 & (y2 | z2) | y1 & (x2 | z2) | z1 & (x2 | y2))

    def to_matrix(self, num_qubits: int | None = None) -> NDArray[np.complex128]:
        """The dense matrix, complex128, shape (2**n, 2**n); qubit 0 is the least significant bit of an index.

        n is the argument, or `num_qubits` of the operator. Raises QsimError, before memory is taken, where n
        is above 14 or too small for the operator.

        >>> (Pauli.Z(0) + Pauli.Z(1)).to_matrix().diagonal().real
        array([ 2.,  0.,  0., -2.])
        """
        width = checked_width(self._width, num_qubits)
        if width > MAX_MATRIX_QUBITS:
            raise QsimError(
                f"A dense matrix holds at most {MAX_MATRIX_QUBITS} qubits; {width} would take "
                f"2**{2 * width + 4} bytes. Work with the terms, or ask for an expectation value."
            )
        matrix = np.zeros((1 << width, 1 << width), dtype=np.complex128)
        columns = np.arange(1 << width)
        for x_mask, z_mask, coefficient in self._flat():
            signs = np.ones(1)  # (-1)**|column & z_mask|, doubled qubit by qubit
            for qubit in range(width):
                signs = np.concatenate((signs, -signs if z_mask >> qubit & 1 else signs))
            phase = POWERS_OF_I[(x_mask & z_mask).bit_count() & 3]
            matrix[columns ^ x_mask, columns] += coefficient * phase * signs
        return matrix

    def to_list(self, num_qubits: int | None = None) -> list[tuple[str, complex]]:
        """The (label, coefficient) pairs that `from_labels` reads; a label has at least one letter.

        Raises QsimError where num_qubits is too small for the operator.

        >>> (Pauli.X(2) * Pauli.Z(0) - 2).to_list()
        [('XIZ', (1+0j)), ('III', (-2+0j))]
        """
        width = checked_width(self._width, num_qubits)
        return [(format_label(x, z, width), c) for x, z, c in self._flat()]

    def to_label(self, num_qubits: int | None = None) -> str:
        """The label of an operator of exactly one term, whatever its coefficient; rightmost letter = qubit 0.

        Raises QsimError where there is not exactly one term, or num_qubits is too small.

        >>> Pauli.Z(1).to_label(num_qubits=3)
        'IZI'
        """
        if self._count != 1:
            raise QsimError(f"A label is for one term; this operator has {self._count}. Use to_list instead.")
        return self.to_list(num_qubits)[0][0]

    def __add__(self, other: SparsePauliOp | Scalar) -> SparsePauliOp:
        right = _operand(other)
        if right is None:
            return NotImplemented
        width = max(self._width, right._width)
        if not right._count or not self._count:
            part = self if self._count else right
            return part if part._width == width else _make(part._store, width, part._count)
        return _make(_Sum(self, right), width, self._count + right._count)

    def __radd__(self, other: Scalar) -> SparsePauliOp:
        left = _operand(other)
        return NotImplemented if left is None else left + self

    def __sub__(self, other: SparsePauliOp | Scalar) -> SparsePauliOp:
        right = _operand(other)
        return NotImplemented if right is None else self + -right

    def __rsub__(self, other: Scalar) -> SparsePauliOp:
        left = _operand(other)
        return NotImplemented if left is None else left + -self

    def __neg__(self) -> SparsePauliOp:
        return _make(tuple((x, z, 0j - c) for x, z, c in self._flat()), self._width)

    def __pos__(self) -> SparsePauliOp:
        return self

    def __mul__(self, other: SparsePauliOp | Scalar) -> SparsePauliOp:
        if isinstance(other, SparsePauliOp):
            return self @ other
        if not is_scalar(other):
            return NotImplemented
        factor = checked_coefficient(other)
        return _make(tuple((x, z, _finite(c * factor)) for x, z, c in self._flat()), self._width)

    def __rmul__(self, other: Scalar) -> SparsePauliOp:
        return self * other

    def __truediv__(self, other: Scalar) -> SparsePauliOp:
        if not is_scalar(other):
            return NotImplemented
        divisor = checked_coefficient(other)
        if divisor == 0:
            raise QsimError(f"A divisor is a number other than zero; got {other!r}. Check the divisor.")
        return _make(tuple((x, z, _finite(c / divisor)) for x, z, c in self._flat()), self._width)

    def __matmul__(self, other: SparsePauliOp) -> SparsePauliOp:
        if not isinstance(other, SparsePauliOp):
            return NotImplemented
        product = _merged((x, z, _finite(c)) for x, z, c in products(self._flat(), other._flat()))
        flat = tuple((x, z, c) for (x, z), c in product.items() if c)
        return _make(flat, max(self._width, other._width))

    def __pow__(self, exponent: int) -> SparsePauliOp:
        if isinstance(exponent, bool) or not isinstance(exponent, (int, np.integer)):
            return NotImplemented
        if exponent < 0:
            raise QsimError(f"A power is an integer of at least 0; got {shown(exponent)}. Write out the inverse.")
        result, square, remaining = _make(((0, 0, 1 + 0j),), self._width), self, int(exponent)
        while remaining:
            if remaining & 1:
                result = result @ square
            remaining >>= 1
            if remaining:
                square = square @ square
        return result

    def __eq__(self, other: object) -> bool:
        try:
            right = _operand(other)
        except QsimError:  # a number that is not finite
            return False
        return NotImplemented if right is None else _close(_merged(self._flat()), _merged(right._flat()))

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[PauliTerm]:
        for x_mask, z_mask, coefficient in self._flat():
            yield PauliTerm(paulis_of(x_mask, z_mask), coefficient)

    def __str__(self) -> str:
        return format_sum(self)

    def __repr__(self) -> str:
        if self._count > _REPR_TERMS:
            return f"<SparsePauliOp: {self._count} terms, {self._width} qubits>"
        highest = max(((x | z).bit_length() for x, z, _ in self._flat()), default=0)
        declared = f", num_qubits={self._width}" if self._width > highest else ""
        return f"SparsePauliOp.from_string({str(self)!r}{declared})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _make, (self._flat(), self._width)  # never the chain of sums, which may be deep

    def _flat(self) -> Terms:
        store = self._store
        if not isinstance(store, _Sum):
            return store
        flat: list[Term] = []
        pending: list[Terms | _Sum] = [store]
        while pending:  # a loop: chains of sums are deeper than the recursion limit
            part = pending.pop()
            if isinstance(part, _Sum):
                pending += (part.right._store, part.left._store)
            else:
                flat += part
        self._store = result = tuple(flat)
        return result

    def _mask_array(self, which: int) -> NDArray[np.uint64]:
        if self._width > 64:
            raise QsimError(
                f"Mask arrays hold at most 64 qubits; this operator has {self._width}. Use its terms instead."
            )
        return np.array([term[which] for term in self._flat()], dtype=np.uint64)


def _make(store: Terms | _Sum, width: int, count: int | None = None) -> SparsePauliOp:
    made = object.__new__(SparsePauliOp)
    made._store, made._width, made._count = store, width, len(store) if count is None else count
    made._applied = made._compiled = made._hermitian = None
    return made


def _operand(value: object) -> SparsePauliOp | None:
    """The value as an operator, a number as a multiple of the identity; None for what arithmetic refuses."""
    if isinstance(value, SparsePauliOp):
        return value
    if not is_scalar(value):
        return None
    return _make(((0, 0, checked_coefficient(value)),) if value != 0 else (), 0)


def _checked_operator(value: object) -> SparsePauliOp:
    if not isinstance(value, SparsePauliOp):
        raise QsimError(f"An operator is a SparsePauliOp; got {shown(value)}. Use Pauli or from_string.")
    return value


def check_observable(operator: object, num_qubits: int) -> None:
    """Refuse what has no expectation value in a state of so many qubits."""
    if not isinstance(operator, SparsePauliOp):
        raise QsimError(f"An observable is a SparsePauliOp or a list of them, got {type(operator).__name__}.")
    if operator.num_qubits > num_qubits:
        raise QsimError(
            f"An observable acts on the circuit's qubits; it has {operator.num_qubits}, the circuit has {num_qubits}."
        )
    # One that is compiled has been here before, and cannot change.
    if operator._compiled is None and not operator.is_hermitian:
        raise QsimError(
            "An expectation value is taken of a Hermitian operator, one whose coefficients are all real; this one has "
            "complex ones. Take (op + op.adjoint()) / 2, or its two parts one by one."
        )


def _is_tolerance(value: object) -> bool:
    numbers = (int, float, np.integer, np.floating)
    return isinstance(value, numbers) and not isinstance(value, bool) and bool(value >= 0)


def _size(value: complex) -> float:
    return max(abs(value.real), abs(value.imag))  # unlike abs(value), never overflows


def _finite(value: complex) -> complex:
    if not cmath.isfinite(value):
        raise QsimError("Coefficients stay below 1e308; got an overflow in arithmetic. Scale operators down.")
    return value


def _merged(terms: Iterable[Term]) -> _Merged:
    merged: _Merged = {}
    for x, z, c in terms:
        key = x, z
        merged[key] = _finite(merged[key] + c) if key in merged else 0j + c  # a coefficient alone is finite
    return merged


def _close(first: _Merged, second: _Merged, scale: float = 1.0) -> bool:
    for key in first.keys() | second.keys():
        a, b = first.get(key, 0j), second.get(key, 0j)
        if not _size(a - b) <= TOLERANCE * max(scale, _size(a), _size(b)):
            return False
    return True


def _supports(terms: Terms) -> tuple[int, int, int]:
    """Masks of the qubits on which some term has X, Y and Z."""
    has_x = has_y = has_z = 0
    for x, z, _ in terms:
        has_x, has_y, has_z = has_x | x & ~z, has_y | x & z, has_z | z & ~x
    return has_x, has_y, has_z

"""Quantum variables: which qubits a name stands for, and whether it stands for any."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from session.builder.errors import BuilderError
from session.builder.symbols import Symbol, whole
from session.builder.tracing import current, tracer
from session.builder.types import BIT, QType, is_symbolic, qtype_of, size_of
from session.errors import SessionError
from session.outputs import OutputType


class QVariable:
    """A quantum variable; the classes that programs name are `QBit`, `QArray` and `QNum`.

    It stands for no qubits until it is allocated or a function gives it some, and again after it is given away.
    """

    qtype: QType

    def __init__(self, name: str | None, qtype: QType) -> None:
        if name is not None and not isinstance(name, str):
            raise BuilderError(f"A quantum variable is made with its name, {type(self).__name__}('q'); got {name!r}.")
        self.name = name or "a variable"
        self.qtype = qtype
        self._qubits: tuple[int, ...] | None = None
        self._owner: QVariable | None = None  # of a part of another variable
        self._gone = ""  # why it stands for no qubits any more
        found = current.get()
        self._depth = 0 if found is None else found.depth  # of the block that it is made in
        self._frozen = False  # an argument that the function does not own

    # qubits -------------------------------------------------------------------------------------------------
    @property
    def is_allocated(self) -> bool:
        """Whether it stands for qubits."""
        return (self if self._owner is None else self._owner)._qubits is not None

    @property
    def gone(self) -> str:
        """What became of its qubits, if it had some."""
        return self._gone

    def qubits_for(self, what: str) -> tuple[int, ...]:
        """Its qubits, least significant first.

        Raises:
            BuilderError: it has none.
        """
        if not self.is_allocated or self._qubits is None:
            gone = (self if self._owner is None else self._owner)._gone
            why = f"was {gone}" if gone else "is not allocated yet; allocate it first"
            raise BuilderError(f"{what} needs qubits, and '{self.name}' {why}.")
        return self._qubits

    def take(self, qubits: Sequence[int], qtype: QType | None = None, *, by: str, what: str = "") -> None:
        """Stand for these qubits from now on; `what` names the variable in messages."""
        self.check_free(by)
        own = self.qtype if qtype is None else merged(self.qtype, qtype, self.name)
        self.qtype = own.sized(len(qubits), what or f"'{self.name}'")
        self._qubits = tuple(qubits)
        self._gone = ""

    def check_free(self, by: str) -> None:
        """Raise unless it can be given qubits."""
        if self._owner is not None:
            raise BuilderError(f"{by} gives qubits to a whole variable; '{self.name}' is a part of one.")
        if self._qubits is not None:
            raise BuilderError(
                f"{by} gives qubits to '{self.name}', which has {len(self._qubits)} already: a quantum state is not copied or "
                "overwritten. Use another variable, or free this one first."
            )
        self._check_depth(by)

    def give(self, by: str) -> tuple[int, ...]:
        """Stand for no qubits any more; returns those that it had."""
        if self._owner is not None:
            raise BuilderError(
                f"{by} takes a whole variable; '{self.name}' is a part of one. Use bind to split it first."
            )
        qubits = self.qubits_for(by)
        if self._frozen:
            raise BuilderError(
                f"{by} takes '{self.name}' away, which belongs to the caller. Declare the argument as Input[...] for that."
            )
        self._check_depth(by)
        self._qubits = None
        self._gone = f"given away by {by}"
        return qubits

    def _check_depth(self, by: str) -> None:
        found = tracer(by)
        if found.depth > self._depth:
            raise BuilderError(
                f"{by} changes which qubits '{self.name}' stands for, inside a block of control, invert or power, which is not "
                "done exactly once. Do it outside of the block."
            )

    def part(self, start: int, stop: int, qtype: QType, name: str) -> QVariable:
        """A view of some of its qubits."""
        made = variable(name, qtype)
        qubits = self.qubits_for(f"'{name}'")
        made._qubits = qubits[start:stop]
        made._owner = self if self._owner is None else self._owner
        return made

    # as a sequence of qubits --------------------------------------------------------------------------------
    @property
    def size(self) -> int:
        """How many qubits it has."""
        if self._qubits is None and self.qtype.size is not None:
            return self.qtype.size
        return len(self.qubits_for("A size"))

    def __getitem__(self, index: Any) -> QVariable:
        qubits = self.qubits_for("An index")
        element, width = BIT, 1
        if self.qtype.kind == "array" and self.qtype.element is not None:
            element, width = self.qtype.element, self.qtype.element.size or 1
        count = len(qubits) // width
        if isinstance(index, slice):
            start, stop, step = index.indices(count)
            if step != 1:
                raise BuilderError(f"A slice of '{self.name}' has no step, got {step}.")
            stop = max(stop, start)
            qtype = QType("array", (stop - start) * width, element=element, length=stop - start)
            return self.part(start * width, stop * width, qtype, f"{self.name}[{start}:{stop}]")
        if isinstance(index, (Symbol, bool, np.bool_)) or not isinstance(index, (int, np.integer)):
            whole(index, f"An index of '{self.name}'")
        if not -count <= index < count:
            raise BuilderError(f"'{self.name}' has elements 0 to {count - 1}, got {index}.")
        k = int(index) % count
        return self.part(k * width, (k + 1) * width, element, f"{self.name}[{k}]")

    def __len__(self) -> int:
        self.qubits_for("A length")
        width = self.qtype.element.size if self.qtype.kind == "array" and self.qtype.element is not None else 1
        return self.size // (width or 1)

    @property
    def len(self) -> int:
        """How many elements it has."""
        return len(self)

    def __iter__(self) -> Iterator[QVariable]:
        return (self[k] for k in range(len(self)))

    # conditions ---------------------------------------------------------------------------------------------
    def __eq__(self, other: object) -> Any:
        return QuantumCondition(self, other, True)

    def __ne__(self, other: object) -> Any:
        return QuantumCondition(self, other, False)

    __hash__ = object.__hash__

    def _no_arithmetic(self, *_: Any) -> Any:
        raise BuilderError(
            f"Arithmetic and order of quantum numbers are not part of this builder, which has gates, blocks and conditions "
            f"such as {self.name} == 3 for control. Write them with gates."
        )

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __xor__ = __or__ = __and__ = _no_arithmetic
    __iadd__ = __isub__ = __imul__ = __ixor__ = __ior__ = __lt__ = __le__ = __gt__ = __ge__ = _no_arithmetic

    def __bool__(self) -> bool:
        raise BuilderError(
            f"'{self.name}' is quantum, so it has no truth value now. Use control({self.name}, lambda: ...)."
        )

    def __repr__(self) -> str:
        where = "not allocated" if self._qubits is None else f"qubits {', '.join(map(str, self._qubits))}"
        return f"<{self.qtype} {self.name}: {where}>"


class QBit(QVariable):
    """One qubit; ``QBit("q")`` makes a local variable."""

    qtype = BIT

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name, BIT)


class QArray(QVariable):
    """Qubits, or other variables of one type, in a row: ``QArray[QBit, 3]``, ``QArray[QNum[2], 4]``, ``QArray``."""

    qtype = QType("array", element=BIT)

    def __init__(self, name: str | None = None, element_type: Any = None, length: Any = None) -> None:
        super().__init__(name, _array_type(BIT if element_type is None else element_type, length))

    def __class_getitem__(cls, given: Any) -> QType:
        element, *length = given if isinstance(given, tuple) else (given,)
        if isinstance(element, (int, np.integer)) and not length:  # QArray[3]
            element, length = BIT, [element]
        if len(length) > 1:
            raise BuilderError(f"A quantum array is written QArray[QBit] or QArray[QBit, 3]; got {given!r}.")
        return _array_type(element, length[0] if length else None)


class QNum(QVariable):
    """A number: ``QNum``, ``QNum[4]`` qubits, ``QNum[4, SIGNED, 2]`` with two of them after the binary point."""

    qtype = QType("num")

    def __init__(
        self, name: str | None = None, size: Any = None, is_signed: bool | None = None, fraction_digits: Any = None
    ) -> None:
        super().__init__(name, number_type(size, is_signed, fraction_digits))

    def __class_getitem__(cls, given: Any) -> QType:
        entries = given if isinstance(given, tuple) else (given,)
        if len(entries) > 3:
            raise BuilderError(f"A quantum number is written QNum[size, is_signed, fraction_digits]; got {given!r}.")
        return number_type(*entries)

    @property
    def is_signed(self) -> bool:
        """Whether its most significant qubit counts negative."""
        return bool(self.qtype.is_signed)

    @property
    def fraction_digits(self) -> int:
        """How many qubits are after the binary point."""
        return self.qtype.fraction_digits or 0


class QuantumCondition:
    """``variable == value``, for `control`."""

    def __init__(self, subject: QVariable, value: Any, equal: bool) -> None:
        self.subject, self.equal = subject, equal
        if isinstance(value, (QVariable, Symbol)) or not isinstance(value, (int, float, list, tuple, np.number)):
            raise BuilderError(
                f"A quantum variable is compared with a number that is known now, got {type(value).__name__}. To copy a state "
                "is not possible."
            )
        qubits = subject.qubits_for("A comparison")
        number = subject.qtype.kind == "array" and not isinstance(value, (list, tuple))
        kind = OutputType() if number else subject.qtype.sized(len(qubits), f"'{subject.name}'").output_type()
        try:
            self.raw = kind.raw(list(value) if isinstance(value, tuple) else value, len(qubits))
        except SessionError as error:
            raise BuilderError(f"'{subject.name}' is never {value!r}: {error}") from None

    def __bool__(self) -> bool:
        raise BuilderError(
            f"A comparison of '{self.subject.name}' is quantum: use control({self.subject.name} == ..., ...)."
        )


def variable(name: str | None, qtype: QType) -> QVariable:
    """A variable of a type."""
    made: QVariable = {"bit": QBit, "array": QArray, "num": QNum}[qtype.kind](name)
    made.qtype = qtype
    return made


def qubits_of(value: Any, what: str) -> tuple[int, ...]:
    """The qubits of a variable, or of a list of them, least significant first; none of them twice."""
    if isinstance(value, QVariable):
        return value.qubits_for(what)
    if isinstance(value, (list, tuple)) and value and all(isinstance(entry, QVariable) for entry in value):
        qubits = tuple(qubit for entry in value for qubit in entry.qubits_for(what))
        check_distinct(qubits, what)
        return qubits
    raise BuilderError(f"{what} takes a quantum variable, or a list of them; got {type(value).__name__}.")


def check_distinct(qubits: Sequence[int], what: str) -> None:
    """Raise when a qubit is given twice."""
    twice = next((qubit for k, qubit in enumerate(qubits) if qubit in qubits[:k]), None)
    if twice is not None:
        raise BuilderError(f"{what} acts on different qubits; qubit {twice} is given twice.")


def merged(declared: QType, given: QType, name: str) -> QType:
    """A declared type, with what it leaves open taken from the type of what it is given."""
    if declared.kind != given.kind:
        return declared
    if declared.kind == "num":
        return QType(
            "num",
            declared.size,
            given.is_signed if declared.is_signed is None else declared.is_signed,
            given.fraction_digits if declared.fraction_digits is None else declared.fraction_digits,
        )
    if declared.kind == "array" and declared.element is not None and given.element is not None:
        element = merged(declared.element, given.element, name)
        if element.size is None and given.element.size is not None and element.kind == given.element.kind:
            element = given.element
        return QType("array", declared.size, element=element, length=declared.length)
    return declared


def _array_type(element_type: Any, length: Any) -> QType:
    element = qtype_of(element_type, "QArray")
    count = None if is_symbolic(length) else size_of(length, "The length of a QArray")
    size = count * element.size if count is not None and element.size is not None else None
    return QType("array", size, element=element, length=count)


def number_type(size: Any = None, is_signed: Any = None, fraction_digits: Any = None) -> QType:
    qubits = None if is_symbolic(size) else size_of(size, "The size of a QNum")
    if is_signed is not None and not isinstance(is_signed, (bool, np.bool_)):
        raise BuilderError(f"A QNum is SIGNED (True) or UNSIGNED (False), got {is_signed!r}.")
    digits = None if fraction_digits is None else whole(fraction_digits, "fraction_digits of a QNum")
    if qubits is not None and digits is not None and digits > qubits:
        raise BuilderError(f"A QNum of {qubits} qubits has at most {qubits} fraction digits, got {digits}.")
    return QType("num", qubits, None if is_signed is None else bool(is_signed), digits)

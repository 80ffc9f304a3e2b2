"""Types of quantum and classical arguments, as annotations say them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, get_origin

import numpy as np

from session.builder.errors import BuilderError
from session.outputs import OutputType

SIGNED, UNSIGNED = True, False


@dataclass(frozen=True)
class QType:
    """A quantum type: what the qubits of a variable mean; None where that is known only later.

    `kind` is "bit", "array" or "num"; an array has an `element` type and a `length`.
    """

    kind: str
    size: int | None = None
    is_signed: bool | None = None
    fraction_digits: int | None = None
    element: QType | None = None
    length: int | None = None

    def __str__(self) -> str:
        if self.kind == "bit":
            return "QBit"
        if self.kind == "num":
            given = [self.size, self.is_signed, self.fraction_digits]
            shown = ", ".join(str(entry) for entry in given if entry is not None)
            return f"QNum[{shown}]" if shown else "QNum"
        return f"QArray[{self.element}" + ("]" if self.length is None else f", {self.length}]")

    def sized(self, qubits: int, what: str) -> QType:
        """The type of a variable of this type that has so many qubits.

        Raises:
            BuilderError: there is no such variable.
        """
        if self.size is not None and self.size != qubits:
            raise BuilderError(f"{what} is a {self} of {self.size} qubit{'s' * (self.size != 1)}, got {qubits}.")
        if self.kind == "num":
            return replace(self, size=qubits, is_signed=bool(self.is_signed), fraction_digits=self.fraction_digits or 0)
        if self.kind == "array":
            assert self.element is not None
            width = self.element.size
            if width is None:
                if self.length is None or qubits % self.length:
                    raise BuilderError(f"{what} is a {self}; {qubits} qubits do not say how long its elements are.")
                width = qubits // self.length
            if width == 0 or qubits % width:
                raise BuilderError(f"{what} is a {self} of elements of {width} qubits, got {qubits}.")
            return replace(self, size=qubits, length=qubits // width, element=self.element.sized(width, what))
        return self

    def output_type(self) -> OutputType:
        """How results read it."""
        if self.kind == "array":
            assert self.element is not None
            inner = self.element.output_type()
            if inner.length is None:
                return replace(inner, length=self.length)
            return OutputType(length=self.length, element=inner)
        return OutputType(bool(self.is_signed), self.fraction_digits or 0)


BIT = QType("bit", 1)


@dataclass(frozen=True)
class Direction:
    """An `Output` or `Input` of a quantum type."""

    name: str
    qtype: QType


@dataclass(frozen=True)
class CType:
    """A classical type: "real", "int" or "bool"; an array of them has a length, -1 when it is not said."""

    kind: str
    length: int | None = None

    def __str__(self) -> str:
        name = {"real": "CReal", "int": "CInt", "bool": "CBool"}[self.kind]
        if self.length is None:
            return name
        return f"CArray[{name}]" if self.length < 0 else f"CArray[{name}, {self.length}]"


class _Annotation(type):
    """So that ``CReal`` itself, never an instance of it, is the annotation."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        raise BuilderError(f"{cls.__name__} is the annotation of an argument; it is not called.")


class CReal(metaclass=_Annotation):
    """A real number; an argument of the main function is a parameter of the program."""

    ctype = CType("real")


class CInt(metaclass=_Annotation):
    """An integer."""

    ctype = CType("int")


class CBool(metaclass=_Annotation):
    """A truth value."""

    ctype = CType("bool")


class CArray(metaclass=_Annotation):
    """A list of classical values: ``CArray[CReal, 3]``, or ``CArray[CReal]`` where any length will do.

    >>> str(CArray[CReal, 3])
    'CArray[CReal, 3]'
    """

    ctype = CType("real", -1)

    def __class_getitem__(cls, given: Any) -> CType:
        element, *length = given if isinstance(given, tuple) else (given,)
        kind = getattr(element, "ctype", None)
        if not isinstance(kind, CType) or kind.length is not None or len(length) > 1:
            raise BuilderError(f"A classical array is written CArray[CReal] or CArray[CReal, 3]; got {given!r}.")
        said = bool(length) and not is_symbolic(length[0])
        return CType(kind.kind, size_of(length[0], "The length of a CArray") if said else -1)


class QCallable(metaclass=_Annotation):
    """A quantum function as an argument: ``QCallable``, or ``QCallable[QBit]`` for people to read."""

    def __class_getitem__(cls, given: Any) -> type[QCallable]:
        return cls


class Output:
    """A variable that the function allocates: ``Output[QBit]``."""

    def __class_getitem__(cls, given: Any) -> Direction:
        return Direction("output", qtype_of(given, "Output"))


class Input:
    """A variable that the function takes over from its caller: ``Input[QBit]``."""

    def __class_getitem__(cls, given: Any) -> Direction:
        return Direction("input", qtype_of(given, "Input"))


def qtype_of(annotation: Any, where: str) -> QType:
    """The quantum type that an annotation means."""
    if isinstance(annotation, QType):
        return annotation
    found = getattr(annotation, "qtype", None)
    if isinstance(found, QType):
        return found
    raise BuilderError(f"{where}[...] is of QBit, QArray or QNum, got {getattr(annotation, '__name__', annotation)!r}.")


def is_symbolic(value: Any) -> bool:
    """Whether a size is left open: not said, or the name of another argument, in quotes or a `Literal`."""
    return value is None or isinstance(value, str) or get_origin(value) is Literal


def size_of(value: Any, what: str) -> int:
    """A size in an annotation."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)) or value < 1:
        raise BuilderError(f"{what} is a whole number of at least 1, got {value!r}.")
    return int(value)

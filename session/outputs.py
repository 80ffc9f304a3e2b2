"""What the bits of a named output mean: an unsigned, signed or fixed-point number, or an array of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Union

import numpy as np
import numpy.typing as npt

from session.errors import SessionError

OutputValue = Union[int, float, "list[Any]"]
#: A float holds integers up to this many bits exactly.
_EXACT_BITS = 53


@dataclass(frozen=True)
class OutputType:
    """How an output is read; the default is an unsigned integer.

    Args:
        is_signed: two's complement: the most significant bit counts negative.
        fraction_digits: bits after the binary point.
        length: of an array of numbers of equal size, element 0 in the least significant bits; None for one number.
        element: of an array of arrays, the type of an element.

    >>> OutputType(is_signed=True).value(0b101, 3), OutputType(fraction_digits=2).value(0b101, 3)
    (-3, 1.25)
    >>> OutputType(length=3).value(0b101, 3)
    [1, 0, 1]
    """

    is_signed: bool = False
    fraction_digits: int = 0
    length: int | None = None
    element: OutputType | None = None

    @property
    def _own(self) -> OutputType:
        """The type of an array's element."""
        return self.element or OutputType(self.is_signed, self.fraction_digits)

    def value(self, raw: int, size: int) -> OutputValue:
        """The value of an output of `size` bits that hold the unsigned integer `raw`."""
        if self.length is not None:
            width = size // self.length if self.length else 0
            element = self._own
            return [element.value((raw >> (k * width)) & ((1 << width) - 1), width) for k in range(self.length)]
        if self.is_signed and size and raw >> (size - 1):
            raw -= 1 << size
        return raw / (1 << self.fraction_digits) if self.fraction_digits else raw

    def raw(self, value: Any, size: int) -> int:
        """The unsigned integer whose bits mean `value`.

        Raises:
            SessionError: the output has no such value.

        >>> OutputType(is_signed=True, fraction_digits=1).raw(-1.5, 4)
        13
        """
        if self.length is not None:
            if not isinstance(value, (Sequence, np.ndarray)) or isinstance(value, str) or len(value) != self.length:
                raise SessionError(f"A value of this output is a list of {self.length} numbers, got {value!r}.")
            width, element = size // max(self.length, 1), self._own
            return sum(element.raw(entry, width) << (k * width) for k, entry in enumerate(value))
        if isinstance(value, (str, complex)) or not hasattr(value, "__float__"):
            raise SessionError(f"A value of this output is a number, got {value!r}.")
        low = -(1 << (size - 1)) if self.is_signed and size else 0
        high = low + (1 << size) - 1
        scaled: Any = value * (1 << self.fraction_digits)
        if scaled != int(scaled) or not low <= scaled <= high:
            step = 1 / (1 << self.fraction_digits)
            raise SessionError(
                f"This output has values from {low * step:g} to {high * step:g} in steps of {step:g}, got {value!r}."
            )
        return int(scaled) % (1 << size)

    def column(self, raw: npt.NDArray[Any], size: int) -> tuple[Any, str]:
        """Values of many raw integers, and the dtype of their column: int64, float64, or object for what fits neither."""
        plain = self.length is None and size < 64 and raw.dtype != object
        if not plain or (self.fraction_digits and size > _EXACT_BITS):
            values: Any = [self.value(int(entry), size) for entry in raw]
            return values, "float64" if self.fraction_digits and self.length is None else "object"
        values = raw.astype(np.int64)
        if self.is_signed and size:
            values = np.where(values >> (size - 1) & 1, values - (1 << size), values)
        return (values / (1 << self.fraction_digits), "float64") if self.fraction_digits else (values, "int64")

    def to_dict(self) -> dict[str, Any]:
        """What JSON can hold."""
        data = {"is_signed": self.is_signed, "fraction_digits": self.fraction_digits, "length": self.length}
        return data if self.element is None else {**data, "element": self.element.to_dict()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> OutputType:
        """What `to_dict` gave."""
        length, element = data.get("length"), data.get("element")
        return cls(
            bool(data["is_signed"]),
            int(data["fraction_digits"]),
            None if length is None else int(length),
            None if element is None else cls.from_dict(element),
        )


PLAIN = OutputType()
Outputs = Mapping[str, "tuple[int, ...]"]
Types = Mapping[str, OutputType]


def types_to_dict(types: Types) -> dict[str, Any]:
    """Those types that are not plain unsigned integers."""
    return {name: kind.to_dict() for name, kind in types.items() if kind != PLAIN}


def types_from_dict(data: Mapping[str, Any]) -> dict[str, OutputType]:
    """What `types_to_dict` gave."""
    return {name: OutputType.from_dict(kind) for name, kind in data.items()}


def raw_value(value: int, bits: Sequence[int]) -> int:
    """The bits at some positions of an integer as an integer, least significant first; -1 is a bit that is always 0.

    >>> raw_value(0b110, (2, 0))
    1
    """
    return sum(((value >> bit) & 1) << k for k, bit in enumerate(bits) if bit >= 0)


def raw_values(values: npt.NDArray[Any], bits: Sequence[int]) -> npt.NDArray[Any]:
    """`raw_value` of many integers at once; an array of dtype int64, or object for 64 bits or more."""
    dtype: Any = np.int64 if len(bits) < 64 and values.dtype != object else object
    result = np.zeros(len(values), dtype=dtype)
    for k, bit in enumerate(bits):
        if bit >= 0:
            result |= ((values >> bit) & 1).astype(dtype) << k
    return result

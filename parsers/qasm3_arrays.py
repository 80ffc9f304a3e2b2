"""Arrays of OpenQASM 3: their types, values and indices."""

from __future__ import annotations

from typing import Any

import numpy as np

from parsers.qasm3_context import Variable
from parsers.qasm3_expressions import Expressions, as_slice
from parsers.qasm3_types import ArrayValue, Type, Typed, cast


def index_groups(node: Any) -> tuple[Any, list[Any]]:
    """What a chain of indices a[i, j][k] is on, and its brackets from left to right."""
    groups: list[Any] = []
    while type(node).__name__ == "IndexExpression":
        groups.append(node.index)
        node = node.collection
    return node, groups[::-1]


def split_groups(groups: list[Any], dimensions: int) -> tuple[list[Any], list[Any]]:
    """The indices of an array of so many dimensions, a[i][j] being a[i, j], and the brackets after them."""
    entries: list[Any] = []
    for k, group in enumerate(groups):
        if len(entries) >= dimensions or not isinstance(group, list):
            return entries, groups[k:]
        entries.extend(group)
    return entries, []


#: How many arrays of the largest size a program may have.
_ARRAYS = 4


class Arrays(Expressions):
    """Evaluates arrays."""

    elements = 0  # of all arrays

    def _IndexExpression(self, node: Any) -> Typed:
        root, groups = index_groups(node)
        symbol = self.find(root.name) if type(root).__name__ == "Identifier" else None
        if len(groups) < 2 or not isinstance(symbol, Variable) or not isinstance(symbol.value, ArrayValue):
            return super()._IndexExpression(node)
        value = Typed(symbol.type, self.lookup(root.name, root) and symbol.value)
        entries, rest = split_groups(groups, symbol.value.data.ndim)
        for index in [entries, *rest] if entries else rest:
            value = self.pick_or_choose(value, index, root.name, node)
        return value

    def array_index(self, index: Any, array: ArrayValue, name: str, node: Any) -> tuple[int | slice, ...]:
        """The numpy index of an array element or slice."""
        if type(index).__name__ == "DiscreteSet":
            raise self.error("An array is indexed by integers and ranges, not by a set.", node)
        if len(index) > array.data.ndim:
            raise self.error(f"'{name}' has {array.data.ndim} dimensions, got {len(index)} indices.", node)
        result: list[int | slice] = []
        for entry, length in zip(index, array.data.shape, strict=False):
            if type(entry).__name__ == "RangeDefinition":
                result.append(as_slice(*self._range(entry, length, name)))
            else:
                result.append(self._position(entry, length, name))
        return tuple(result)

    def array_type(self, node: Any) -> tuple[Type, tuple[int, ...]]:
        """Element type and shape of an array type, checked against the limit."""
        base = self.type_of(node.base_type)
        shape = tuple(self.constant_int(size, "The size of an array") for size in node.dimensions)
        total = 1
        for size, entry in zip(shape, node.dimensions, strict=True):
            if size < 1:
                raise self.error("The size of an array is at least 1.", entry)
            total *= size
            if total > self.limits.array_elements:
                raise self.error(
                    f"An array has at most {self.limits.array_elements:,} elements; this one has more.", entry
                )
        self.elements += total
        if self.elements > _ARRAYS * self.limits.array_elements:
            most = _ARRAYS * self.limits.array_elements
            raise self.error(f"All arrays of a program together have at most {most:,} elements.", node)
        return base, shape

    def array_value(self, node: Any, base: Type, shape: tuple[int, ...]) -> ArrayValue:
        """The array that an initial value describes."""
        data: np.ndarray[Any, Any] = np.empty(shape, dtype=object)
        self._fill(data, node, base)
        return ArrayValue(base, data)

    def _fill(self, data: np.ndarray[Any, Any], node: Any, base: Type) -> None:
        if type(node).__name__ != "ArrayLiteral":
            source = self.evaluate(node).value
            if not isinstance(source, ArrayValue) or source.data.shape != data.shape:
                raise self.error(f"The value of an array of shape {data.shape} is an array of that shape.", node)
            if source.base == base:
                self.work(data.size // 50, node)
                data[...] = source.data
                return
            self.work(data.size // 3, node)
            for at, item in np.ndenumerate(source.data):
                data[at] = self.guard(node, cast, Typed(source.base, item), base).value
            return
        if len(node.values) != data.shape[0]:
            raise self.error(f"This array has {data.shape[0]} elements, got {len(node.values)}.", node)
        for k, entry in enumerate(node.values):
            if data.ndim > 1:
                self._fill(data[k], entry, base)
            else:
                data[k] = self.guard(entry, cast, self.evaluate(entry), base).value

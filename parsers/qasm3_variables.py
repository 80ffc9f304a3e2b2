"""Variables that a measurement or an input decides: kept in bits of the circuit, written and read while it runs.

A variable starts as a value that is known while the program is read. It gets bits when a value that is not known is
assigned, or before a block that may or may not run assigns it; from then on every assignment is an operation of the
circuit, and what is known on the way (in a straight line of statements) is still remembered.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from parsers import qasm3_runtime as runtime
from parsers.qasm3_context import Frame, Variable
from parsers.qasm3_gates import Gates
from parsers.qasm3_types import ArrayValue, Type, Typed, zero
from qsim.circuit import MEASURE, ROW, Circuit, Delay, Snapshot
from qsim.classical import Assign, bodies
from qsim.gates import Gate

_REMEMBERED = 10_000
_CELLS = 65_536  # elements of an array that may be kept while the circuit runs


def parts(nodes: Iterable[Any]) -> Iterable[Any]:
    """All nodes of syntax trees, parents first."""
    stack = list(nodes)
    while stack:
        node = stack.pop()
        if isinstance(node, (list, tuple)):
            stack.extend(node)
        elif hasattr(node, "span"):
            yield node
            stack.extend(
                value for key, value in vars(node).items() if key != "span" and not isinstance(value, (str, int, float))
            )


def assigned_names(nodes: Iterable[Any]) -> list[str]:
    """The names that statements may assign: targets, and arguments, which may be arrays passed to be changed."""
    names: dict[str, None] = {}
    for node in parts(nodes):
        kind = type(node).__name__
        targets = [node.lvalue] if kind == "ClassicalAssignment" else []
        if kind == "FunctionCall":
            targets = list(node.arguments)
        elif kind == "QuantumMeasurementStatement" and node.target is not None:
            targets = [node.target]
        for target in targets:
            while type(target).__name__ in ("IndexedIdentifier", "IndexExpression"):
                target = target.name if type(target).__name__ == "IndexedIdentifier" else target.collection
            if type(target).__name__ == "Identifier":
                names[target.name] = None
    return list(names)


def written_bits(circuit: Circuit) -> set[int]:
    """The bits that operations of a block write."""
    result: set[int] = set()
    rows, operands = circuit._rows, circuit._operands
    result.update(operands[rows[at + 1] + 1] for at in range(0, len(rows), ROW) if rows[at] == MEASURE)
    for item in circuit._objects:
        if isinstance(item, Assign):
            result.update(item.clbits)
        elif not isinstance(item, (Gate, Delay, Snapshot)):
            for body in bodies(item):
                result |= written_bits(body)
    return result


class LoweringMark:
    """What lowering has done so far, to go back to when a loop must be lowered in another way."""

    def __init__(self, variables: Variables) -> None:
        self.frame: Frame = variables.frame
        self.circuits = [
            (block, len(block._rows), len(block._operands), len(block._values), len(block._objects),
             dict(block._expressions), dict(block._parameters), block._global_phase) for block in variables.blocks
        ]  # fmt: skip
        self.known, self.measured, self.count = dict(variables.known), set(variables.measured), variables.count
        self.level, self.loop_depth = variables.level, variables.loop_depth
        self.depths = len(self.frame.scopes), len(self.frame.loops)
        self.variables: list[tuple[Variable, Any, Any, Any, Any]] = []
        for scope in (*self.frame.scopes, variables.globals):
            for symbol in scope.values():
                if isinstance(symbol, Variable) and symbol.constant != "const":
                    array = symbol.value if isinstance(symbol.value, ArrayValue) else None
                    self.variables.append(
                        (symbol, symbol.value, symbol.bits, None if array is None else array.data.copy(),
                         None if array is None or array.cells is None else array.cells.copy())
                    )  # fmt: skip

    def restore(self, variables: Variables) -> None:
        """Go back."""
        variables.frame = self.frame
        del variables.blocks[len(self.circuits) :]
        for block, rows, operands, values, objects, expressions, parameters, phase in self.circuits:
            del block._rows[rows:], block._operands[operands:], block._values[values:], block._objects[objects:]
            block._expressions, block._parameters, block._global_phase = dict(expressions), dict(parameters), phase
        variables.known, variables.measured = dict(self.known), set(self.measured)
        variables.count, variables.level, variables.loop_depth = self.count, self.level, self.loop_depth
        del self.frame.scopes[self.depths[0] :], self.frame.loops[self.depths[1] :]
        for symbol, value, bits, data, cells in self.variables:
            symbol.value, symbol.bits = value, bits
            if data is not None:
                value.data[...] = data
                value.cells = cells


class Variables(Gates):
    """Keeps variables, in bits where they must be."""

    loop_depth = 0  # loops of the circuit around the current statement

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        #: The names that a part of a syntax tree assigns, by its identity; the part is kept so that it stays its own.
        self.assigned_in: dict[int, tuple[Any, list[str]]] = {}

    # one value ----------------------------------------------------------------------------------------------
    def hold(self, kind: Type, value: Any, node: Any) -> tuple[int, ...]:
        """New bits that keep a value of a type (nothing yet when it is None)."""
        bits = self.add_bits(self.guard(node, runtime.stored_width, kind), "", node)
        if value is not None:
            self._keep(bits, kind, value)
        return bits

    def _keep(self, bits: tuple[int, ...], kind: Type, value: Any) -> None:
        self.add_count(1)
        self.measured.update(bits)
        self.emit(Assign(bits, runtime.encoded(kind, runtime.expression(Typed(kind, value)))))

    def put(self, symbol: Variable, value: Any, node: Any) -> None:
        """Assign a value of the variable's type."""
        unknown = Typed(symbol.type, value).is_runtime
        if symbol.bits is None and (unknown or symbol.level < self.level):
            symbol.bits = self.hold(symbol.type, None, node)
        if symbol.bits is not None:
            self._keep(symbol.bits, symbol.type, value)
        symbol.value = runtime.reading(symbol.type, symbol.bits) if unknown and symbol.bits else value

    def new_variable(self, kind: Type, value: Any, node: Any, constant: str = "") -> Variable:
        """A variable declared here."""
        symbol = Variable(kind, None, constant, self.level)
        if value is not None:
            self.put(symbol, value, node)
        return symbol

    def put_element(self, array: ArrayValue, at: Any, value: Any, node: Any) -> None:
        """Assign an element of an array."""
        unknown = Typed(array.base, value).is_runtime
        if unknown and array.cells is None:
            self.hold_array(array, node)
        if array.cells is not None:
            self._keep(array.cells[at], array.base, value)
        array.data[at] = runtime.reading(array.base, array.cells[at]) if unknown and array.cells is not None else value

    def hold_array(self, array: ArrayValue, node: Any) -> None:
        """Keep every element of an array in bits."""
        if array.data.size > _CELLS:
            raise self.error(
                f"An array that depends on a measurement or an input has at most {_CELLS:,} elements; this one has "
                f"{array.data.size:,}.", node
            )  # fmt: skip
        self.work(4 * array.data.size, node)
        cells = np.empty(array.data.shape, dtype=object)
        for at, value in np.ndenumerate(array.data):
            cells[at] = self.hold(array.base, value, node)
        array.cells = cells

    # blocks -------------------------------------------------------------------------------------------------
    def keep_assigned(self, nodes: Iterable[Any], at: Any) -> list[Variable]:
        """Give bits to the variables that statements assign, which may or may not run; gives these variables."""
        kept = []
        names: dict[str, None] = {}
        for part in nodes:
            found = self.assigned_in.get(id(part))
            if found is None:
                if len(self.assigned_in) >= _REMEMBERED:
                    self.assigned_in.clear()
                found = self.assigned_in[id(part)] = (part, assigned_names([part]))
            names.update(dict.fromkeys(found[1]))
        for name in names:
            symbol = self.find(name)
            if not isinstance(symbol, Variable) or symbol.constant or symbol.type.kind in ("duration", "stretch"):
                continue
            if isinstance(symbol.value, ArrayValue):
                if symbol.value.cells is None:
                    self.hold_array(symbol.value, at)
            elif symbol.bits is None:
                value = symbol.value
                if value is None and self.loop_depth:  # what the last round left in these bits is gone
                    value = zero(symbol.type)
                symbol.bits = self.hold(symbol.type, value, at)
            kept.append(symbol)
        return kept

    @staticmethod
    def values_of(kept: list[Variable]) -> list[Any]:
        """What is known of variables, to be given back by `restore_values`."""
        return [s.value.data.copy() if isinstance(s.value, ArrayValue) else s.value for s in kept]

    @staticmethod
    def restore_values(kept: list[Variable], values: list[Any]) -> None:
        """Set what is known of variables."""
        for symbol, value in zip(kept, values, strict=True):
            if isinstance(symbol.value, ArrayValue):
                symbol.value.data[...] = value
            else:
                symbol.value = value

    @staticmethod
    def forget(kept: list[Variable]) -> None:
        """Nothing is known of variables any more; they are read from their bits."""
        for symbol in kept:
            array = symbol.value
            if isinstance(array, ArrayValue) and array.cells is not None:
                for at, cell in np.ndenumerate(array.cells):
                    array.data[at] = runtime.reading(array.base, cell)
            elif symbol.bits is not None:
                symbol.value = runtime.reading(symbol.type, symbol.bits)

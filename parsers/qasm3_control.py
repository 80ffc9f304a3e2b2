"""Subroutines of OpenQASM 3, inlined where they are called; `Lowering` is the whole language."""

from __future__ import annotations

from typing import Any

from parsers import qasm3_runtime as runtime
from parsers.errors import Source
from parsers.qasm3_branches import NeedsBlocks, Stop
from parsers.qasm3_context import Frame, Qubits, Subroutine, Variable, kind_of
from parsers.qasm3_loops import Loops
from parsers.qasm3_types import ArrayValue, Type, Typed, cast
from parsers.qasm3_variables import LoweringMark, parts
from parsers.threads import deep
from qsim.classical import Break


class _Return(Exception):
    """return, with its value."""

    def __init__(self, value: Typed | None) -> None:
        super().__init__()
        self.value = value


VOID = Typed(Type("void"), None)


def _may_return(statements: list[Any]) -> bool:
    """Whether a subroutine may return in a branch or loop."""
    return any(
        type(n).__name__ == "ReturnStatement"
        for statement in statements
        if type(statement).__name__ != "ReturnStatement"
        for n in parts([statement])
    )


class Lowering(Loops):
    """The whole language."""

    def back_to_top(self) -> None:
        """Leave whatever a wrong statement was in."""
        self.frame = self.top
        del self.frame.scopes[1:], self.frame.loops[:], self.blocks[1:], self.defining[:]
        self.level = self.loop_depth = self.depth = self.runtime_loops = 0

    def _SubroutineDefinition(self, node: Any) -> None:
        if len(self.frame.scopes) > 1 or self.frame.inside:
            raise self.error("A subroutine is defined at the top level of a program.", node)
        self.declare(node.name.name, Subroutine((node, self.source)), node)

    def _ReturnStatement(self, node: Any) -> None:
        if self.frame.return_type is None:
            raise self.error("'return' belongs inside a subroutine.", node)
        kind = self.frame.return_type
        if node.expression is None:
            value = VOID
        elif type(node.expression).__name__ == "QuantumMeasurement":
            value = self.measured_value(node.expression, node)
        else:
            value = self.evaluate(node.expression)
        if (kind.kind == "void") != (value.type.kind == "void"):
            rule = (
                "has no '-> type', so it returns nothing" if kind.kind == "void" else f"returns a value of type {kind}"
            )
            raise self.error(f"This subroutine {rule}.", node)
        value = self.guard(node, cast, value, kind)
        frame = self.frame
        if frame.level != self.level and frame.returns is None:
            raise NeedsBlocks(frame, "return")
        if frame.returns is None:
            raise _Return(value)
        if frame.level != self.level:
            self._endless_as_block()
        if frame.result is not None:
            self._keep(frame.result, kind, value.value)
        if frame.level == self.level:
            raise _Return(value)
        self.emit(Break(self.loop_depth - frame.returns + 1))
        raise Stop

    def call(self, node: Any) -> Typed:
        """Inline a subroutine call; gives its result."""
        return deep(self._call, node) if self.depth % 10 == 9 else self._call(node)

    def _call(self, node: Any) -> Typed:
        name = node.name.name
        symbol = self.lookup(name, node)
        if not isinstance(symbol, Subroutine):
            raise self.error(f"A subroutine is needed here; '{name}' is a {kind_of(symbol)}.", node)
        definition, source = symbol.node
        if len(definition.arguments) != len(node.arguments):
            expected = len(definition.arguments)
            raise self.error(
                f"Subroutine '{name}' takes {expected} argument{'s' * (expected != 1)}, got {len(node.arguments)}.",
                node,
            )
        if self.depth >= self.limits.call_depth:
            raise self.error(f"Subroutines call one another at most {self.limits.call_depth} deep.", node)
        self.trip(node)
        frame = Frame([{}], f"subroutine '{name}'", self.level)
        for formal, argument in zip(definition.arguments, node.arguments, strict=True):
            self._argument(frame, formal, argument)
        frame.return_type = self._in(source, frame, self._return_type, definition)
        self.depth += 1
        try:
            self.work(2 * len(self.blocks) + len(self.known) // 10, node)
            snapshot = None
            if _may_return(definition.body):
                self.work(20, node)
                snapshot = LoweringMark(self)
            names = dict(frame.scopes[0])
            inner = [(s, s.value, s.bits) for s in names.values() if isinstance(s, Variable)]
            try:
                result: Typed = self._in(source, frame, self._body, definition)
            except NeedsBlocks as needed:
                self.work(1500, node)  # it is lowered again, with all that it calls
                if snapshot is None or needed.target is not frame:
                    raise
                snapshot.restore(self)
                frame.scopes[0] = names
                for symbol, value, bits in inner:
                    if not isinstance(value, ArrayValue):
                        symbol.value, symbol.bits = value, bits
                result = self._call_in_block(source, frame, definition, node)
            return result
        finally:
            self.depth -= 1

    def _call_in_block(self, source: Source, frame: Frame, definition: Any, node: Any) -> Typed:
        """A subroutine that returns in a branch: its value is kept in bits, and returning leaves the block around it."""
        assert frame.return_type is not None
        kind = frame.return_type
        changed = [s for s in frame.scopes[0].values() if isinstance(s, Variable) and isinstance(s.value, ArrayValue)]
        arrays = [symbol for symbol in changed if not symbol.constant]
        for symbol in arrays:
            if symbol.value.cells is None:
                self.hold_array(symbol.value, node)
        frame.scopes[1:], frame.loops[:] = [], []
        frame.result = None if kind.kind == "void" else self.hold(kind, None, node)
        with self.one_shot() as frame.returns:
            frame.level = self.level
            self._in(source, frame, self._body, definition)
        self.forget(arrays)
        return VOID if frame.result is None else Typed(kind, runtime.reading(kind, frame.result))

    def _in(self, source: Source, frame: Frame, action: Any, definition: Any) -> Any:
        outer, outer_source = self.frame, self.source
        self.frame, self.source = frame, source
        try:
            result: Any = action(definition)
            return result
        finally:
            self.frame, self.source = outer, outer_source

    def _return_type(self, definition: Any) -> Type:
        return Type("void") if definition.return_type is None else self.type_of(definition.return_type)

    def _body(self, definition: Any) -> Typed:
        try:
            for statement in definition.body:
                self.execute(statement)
        except _Return as result:
            return result.value or VOID
        returns = bool(definition.body) and _may_return(
            definition.body[-1:]
        )  # in a branch, so that it may be left out here
        if (
            self.frame.return_type is not None
            and self.frame.return_type.kind != "void"
            and not (self.frame.result and returns)
        ):
            raise self.error(f"Subroutine '{definition.name.name}' ends without returning a value.", definition)
        return VOID

    def _argument(self, frame: Frame, formal: Any, argument: Any) -> None:
        """Give a formal argument its meaning in the called frame."""
        name, names = formal.name.name, frame.scopes[0]
        if name in names:
            raise self.error(f"The arguments of a subroutine have different names; '{name}' occurs twice.", formal)
        kind_name = type(formal).__name__
        if kind_name == "QuantumArgument":
            indices, _scalar = self.register(argument, Qubits)
            size = 1 if formal.size is None else self.constant_int(formal.size, "The number of qubits")
            if len(indices) != size:
                raise self.error(f"Argument '{name}' is {size} qubit{'s' * (size != 1)}, got {len(indices)}.", argument)
            used = {q for symbol in names.values() if isinstance(symbol, Qubits) for q in symbol.indices}
            if not used.isdisjoint(indices):
                raise self.error("A qubit is passed to a subroutine once; here it is passed twice.", argument)
            names[name] = Qubits(indices, formal.size is None)
            return
        if type(formal.type).__name__ in ("ArrayReferenceType", "ArrayType"):
            self._array_argument(names, formal, argument)
            return
        kind = self.type_of(formal.type)
        value = self.guard(argument, cast, self.evaluate(argument), kind)
        names[name] = self.new_variable(kind, value.value, argument)

    def _array_argument(self, names: dict[str, Any], formal: Any, argument: Any) -> None:
        name = formal.name.name
        value = self.evaluate(argument).value
        if not isinstance(value, ArrayValue):
            raise self.error(f"Argument '{name}' is an array.", argument)
        base, dimensions = self.type_of(formal.type.base_type), formal.type.dimensions
        if base != value.base:
            raise self.error(f"Argument '{name}' is an array of {base}, got one of {value.base}.", argument)
        if isinstance(dimensions, list):
            shape = tuple(self.constant_int(size, "The size of an array") for size in dimensions)
            if shape != value.data.shape:
                raise self.error(f"Argument '{name}' has shape {shape}, got {value.data.shape}.", argument)
        elif self.constant_int(dimensions, "The number of dimensions") != value.data.ndim:
            raise self.error(f"Argument '{name}' has another number of dimensions; got {value.data.ndim}.", argument)
        level, constant = self.level, ""
        root = argument
        while type(root).__name__ == "IndexExpression":
            root = root.collection
        symbol = self.find(getattr(root, "name", ""))
        if isinstance(symbol, Variable):
            level, constant = symbol.level, symbol.constant
        if formal.access is None or formal.access.name == "readonly":
            constant = constant or "readonly"
        elif constant:
            raise self.error(f"Argument '{name}' is mutable; a constant or input cannot be passed.", argument)
        names[name] = Variable(Type("array"), value, constant, level)

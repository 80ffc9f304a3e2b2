"""Control flow of OpenQASM 3: what is known is decided and unrolled now, what is measured becomes blocks of the circuit."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from parsers.errors import Source
from parsers.qasm3_context import BitVariable, Frame, Loop, Qubits, Subroutine, Variable, kind_of
from parsers.qasm3_statements import Statements
from parsers.qasm3_types import BIT, BOOL, INTEGERS, ArrayValue, Type, Typed, cast
from qsim.circuit import Circuit
from qsim.classical import Literal


class _Break(Exception):
    """break in a loop that is unrolled."""


class _Continue(Exception):
    """continue in a loop that is unrolled."""


class Stop(Exception):
    """Nothing after this is reached, up to the end of the block."""


class _Return(Exception):
    """return, with its value."""

    def __init__(self, value: Typed | None) -> None:
        super().__init__()
        self.value = value


#: Rounds of all while loops that are unrolled; a longer one hardly ever ends.
MAX_WHILE = 20_000
VOID = Typed(Type("void"), None)


class Lowering(Statements):
    """The whole language."""

    while_rounds = 0

    # branches -----------------------------------------------------------------------------------------------
    def branch(self, nodes: Iterable[Any]) -> Circuit:
        """The block of statements that run or not, by measured bits."""
        with self.block() as circuit, suppress(Stop):
            self.execute_all(nodes)
        return circuit

    def _branches(self, bodies: list[Iterable[Any]]) -> list[Circuit]:
        """Blocks of which at most one runs; afterwards only what agrees in all is known."""
        known, measured = dict(self.known), set(self.measured)
        after: list[tuple[dict[int, int], set[int]]] = []
        blocks = []
        for body in bodies:
            self.known, self.measured = dict(known), set(measured)
            blocks.append(self.branch(body))
            after.append((self.known, self.measured))
        after.append((known, measured))
        self.measured = set().union(*[entry[1] for entry in after])
        self.known = {}
        for bit in set().union(*[entry[0].keys() for entry in after]):
            values = {entry[0].get(bit, 0) for entry in after}
            if len(values) > 1:
                self.measured.add(bit)
            else:
                self.known[bit] = values.pop()
        return blocks

    def _BranchingStatement(self, node: Any) -> None:
        condition = self.truth(node.condition)
        if not condition.is_runtime:
            self.execute_all(node.if_block if condition.value else node.else_block)
            return
        if not node.else_block:
            (body,) = self._branches([node.if_block])
            self.circuit.if_else(condition.value, body)
            return
        body, orelse = self._branches([node.if_block, node.else_block])
        self.circuit.if_else(condition.value, body, orelse)

    def _SwitchStatement(self, node: Any) -> None:
        target = self.evaluate(node.target)
        if target.type.kind not in ("bit", "bool", *INTEGERS) or target.is_symbolic:
            raise self.error(
                f"The value of a switch is an integer or bits, got a value of type {target.type}.", node.target
            )
        seen: set[int] = set()
        cases: list[tuple[list[int], Any]] = []
        for labels, body in node.cases:
            values = [self.constant_int(label, "A case label") for label in labels]
            for value, label in zip(values, labels, strict=True):
                if value in seen:
                    raise self.error(f"A case label occurs once; {value} occurs again.", label)
                seen.add(value)
            cases.append((values, body))
        if not cases:
            raise self.error("A switch has at least one case.", node)
        if target.is_runtime:
            bodies = [body.statements for _, body in cases]
            if node.default is not None:
                bodies.append(node.default.statements)
            blocks = self._branches(bodies)
            labelled = [(values, block) for (values, _), block in zip(cases, blocks, strict=False)]
            self.circuit.switch(target.value, labelled, blocks[-1] if node.default is not None else None)
            return
        for values, body in cases:
            if int(target.value) in values:
                self.execute_all(body.statements)
                return
        if node.default is not None:
            self.execute_all(node.default.statements)

    # loops --------------------------------------------------------------------------------------------------
    @contextmanager
    def _loop(self, runtime: bool) -> Iterator[None]:
        loops = self.frame.loops
        loops.append(Loop(runtime, self.level + runtime))
        self.runtime_loops += runtime
        try:
            yield
        finally:
            self.runtime_loops -= runtime
            loops.pop()

    def trip(self, node: Any, times: int = 1) -> None:
        """Count rounds of loops before they are made."""
        if self.trips + times > self.limits.loop_trips:
            raise self.error(
                f"All loops of a program together go at most {self.limits.loop_trips:,} rounds while it is read; this one goes on.",
                node,
            )
        self.trips += times

    def _round(self, body: list[Any]) -> bool:
        """One unrolled round; whether the loop goes on."""
        try:
            self.execute_all(body)
        except _Continue:
            return True
        except _Break:
            return False
        return True

    def _WhileLoop(self, node: Any) -> None:
        # Whether the condition can be decided now, whatever the body does to bits.
        known, measured = dict(self.known), set(self.measured)
        self.measured = set(range(self.root.num_clbits))
        size = len(self.circuit)
        condition = self.truth(node.while_condition)
        if len(self.circuit) != size:
            raise self.error(
                "The condition of a while loop cannot act on qubits. Measure in the body of the loop.",
                node.while_condition,
            )
        endless = type(node.while_condition).__name__ == "BooleanLiteral" and condition.value
        if endless and not re.search(r"\b(?:Break|End|Return)Statement\(", repr(node.block)):
            raise self.error(
                "This loop never ends: its condition is true and nothing in it leaves it. Add a break.", node
            )
        if condition.is_runtime or (endless and self._leaves_on_bits(node.block)):
            with self._loop(True):
                body = self.branch(node.block)
            self.measured = set(range(self.root.num_clbits))
            self.known = {}
            self.circuit.while_loop(condition.value if condition.is_runtime else Literal(1), body)
            return
        self.known, self.measured = known, measured
        with self._loop(False):
            while condition.value:
                self.trip(node)
                self.while_rounds += 1
                if self.while_rounds > MAX_WHILE:
                    raise self.error(
                        f"While loops that are unrolled go at most {MAX_WHILE:,} rounds; does this one ever end?", node
                    )
                if not self._round(node.block):
                    break
                condition = self.truth(node.while_condition)

    def _leaves_on_bits(self, statements: list[Any], inside: bool = False) -> bool:
        """Whether a loop is left, or its round cut short, in a branch whose condition reads bits of the program."""
        for statement in statements:
            kind = type(statement).__name__
            if kind in ("BreakStatement", "ContinueStatement", "EndStatement") and inside:
                return True
            if kind == "BranchingStatement":
                names = re.findall(r"name='([^']+)'", repr(statement.condition))
                reads = inside or any(isinstance(self.find(name), BitVariable) for name in names)
                if self._leaves_on_bits([*statement.if_block, *statement.else_block], reads):
                    return True
            elif kind == "CompoundStatement" and self._leaves_on_bits(statement.statements, inside):
                return True
        return False

    def _ForInLoop(self, node: Any) -> None:
        kind = self.type_of(node.type)
        values = self._values(node.set_declaration, kind, node)
        name = node.identifier.name
        scopes = self.frame.scopes
        with self._loop(False):
            for value in values:
                self.trip(node)
                bits = isinstance(value, BitVariable)
                scopes.append({name: value if bits else Variable(kind, value, "the variable of a loop")})
                try:
                    if not self._round(node.block):
                        break
                finally:
                    scopes.pop()

    def _values(self, node: Any, kind: Type, loop: Any) -> Iterable[Any]:
        """What a loop goes over."""
        name = type(node).__name__
        if name == "RangeDefinition":
            if node.start is None or node.end is None:
                raise self.error("The range of a loop has a start and an end.", loop)
            start = self.constant_int(node.start, "The start of a loop")
            stop = self.constant_int(node.end, "The end of a loop")
            step = 1 if node.step is None else self.constant_int(node.step, "The step of a loop")
            if step == 0:
                raise self.error("The step of a range is not 0.", node.step)
            times = max(0, (stop - start) // step + 1)
            if self.trips + times > self.limits.loop_trips:
                self.trip(loop, times)
            numbers = range(start, stop + (1 if step > 0 else -1), step)
            if kind.kind == "int" and kind.width is None:
                return numbers
            return (self.guard(loop, cast, Typed(Type("int"), number), kind).value for number in numbers)
        if name == "DiscreteSet":
            return [
                self.storable(loop.identifier.name, self.guard(entry, cast, self.evaluate(entry), kind), entry)
                for entry in node.values
            ]
        if name == "Identifier" and isinstance(symbol := self.lookup(node.name, node), (BitVariable, Qubits)):
            if isinstance(symbol, Qubits):
                raise self.error("A loop goes over a range, a set, an array or bits, not over qubits.", loop)
            if not self.measured.isdisjoint(symbol.indices):
                return self._copied_bits(symbol, kind, loop)
        value = self.evaluate(node)
        if isinstance(value.value, ArrayValue):
            if value.value.data.ndim != 1:
                raise self.error("A loop goes over an array of one dimension.", loop)
            items = [Typed(value.value.base, item) for item in value.value.data]
        elif value.type.kind == "bit" and value.type.width is not None and not value.is_runtime:
            items = [Typed(BIT, (value.value >> k) & 1) for k in range(value.type.width)]
        else:
            raise self.error("A loop goes over a range, a set, an array or bits.", loop)
        for item in items:
            if item.value is None:
                raise self.error("An element of this array has no value yet.", loop)
        return [self.guard(loop, cast, item, kind).value for item in items]

    def _copied_bits(self, register: BitVariable, kind: Type, loop: Any) -> Iterator[BitVariable]:
        """Measured bits one by one, each copied, so that the loop's body may write the register."""
        if kind not in (BIT, BOOL):
            raise self.error(f"The variable of a loop over measured bits is of type bit, not {kind}.", loop)
        for bit in register.indices:
            copy = self.add_bits(1, "", loop)
            value = self.read_bits([bit], True)
            self.write_bits(copy, value.value)
            yield BitVariable(copy, True)

    def _leave(self, node: Any, word: str) -> Loop:
        if not self.frame.loops:
            raise self.error(f"'{word}' belongs inside a loop.", node)
        loop = self.frame.loops[-1]
        if not loop.runtime and loop.level != self.level:
            raise self.error(
                f"'{word}' depends on a measurement, but this loop is unrolled when the program is read. "
                "Write it as a while loop with a bit that says when to stop.", node
            )  # fmt: skip
        return loop

    def _BreakStatement(self, node: Any) -> None:
        if not self._leave(node, "break").runtime:
            raise _Break
        self.circuit.break_loop()
        raise Stop

    def _ContinueStatement(self, node: Any) -> None:
        if not self._leave(node, "continue").runtime:
            raise _Continue
        self.circuit.continue_loop()
        raise Stop

    def _EndStatement(self, node: Any) -> None:
        if self.level:
            self.circuit.end()
        raise Stop

    # subroutines --------------------------------------------------------------------------------------------
    def _SubroutineDefinition(self, node: Any) -> None:
        if len(self.frame.scopes) > 1 or self.frame.inside:
            raise self.error("A subroutine is defined at the top level of a program.", node)
        self.declare(node.name.name, Subroutine((node, self.source)), node)

    def _ReturnStatement(self, node: Any) -> None:
        if self.frame.return_type is None:
            raise self.error("'return' belongs inside a subroutine.", node)
        if self.level != self.frame.level:
            raise self.error(
                "'return' in a branch that depends on a measurement is not supported; assign a bit and return it at the end.",
                node,
            )
        if any(loop.runtime for loop in self.frame.loops):
            raise self.error("'return' in a loop that depends on a measurement is not supported.", node)
        kind = self.frame.return_type
        if node.expression is None:
            value = VOID
        elif type(node.expression).__name__ == "QuantumMeasurement":
            bits, scalar = self.measure(node.expression, None, node)
            value = self.read_bits(bits, scalar)
        else:
            value = self.evaluate(node.expression)
        if (kind.kind == "void") != (value.type.kind == "void"):
            rule = "returns nothing" if kind.kind == "void" else f"returns a value of type {kind}"
            raise self.error(f"This subroutine {rule}.", node)
        raise _Return(self.guard(node, cast, value, kind))

    def call(self, node: Any) -> Typed:
        """Inline a subroutine call; gives its result."""
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
            result: Typed = self._in(source, frame, self._body, definition)
            return result
        finally:
            self.depth -= 1

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
        if self.frame.return_type is not None and self.frame.return_type.kind != "void":
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
        names[name] = Variable(kind, value.value, level=self.level)

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

"""Control flow of OpenQASM 3: what is known is decided and unrolled now, what is measured becomes blocks of the circuit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from parsers import qasm3_runtime as runtime
from parsers.errors import Source
from parsers.qasm3_context import BitVariable, Frame, Loop, Qubits, Subroutine, Symbol, Variable, kind_of
from parsers.qasm3_expressions import NotKnown
from parsers.qasm3_statements import Statements
from parsers.qasm3_types import BIT, BOOL, INT, INTEGERS, ArrayValue, Type, Typed, cast
from parsers.qasm3_variables import LoweringMark, parts, written_bits
from parsers.threads import deep
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


class _NeedsBlocks(Exception):
    """A loop or subroutine is left in a branch that depends on a measurement: it must be lowered as blocks."""

    def __init__(self, target: Any, word: str) -> None:
        super().__init__()
        self.target = target
        self.word = word


#: Rounds of all while loops that are unrolled; a longer one hardly ever ends.
MAX_WHILE = 20_000
#: Rounds of a while loop that are unrolled into blocks; a longer one becomes a loop of the circuit.
MAX_BLOCKS = 64
VOID = Typed(Type("void"), None)


_LEAVES = ("BreakStatement", "EndStatement", "ReturnStatement")


def _may_leave(statements: list[Any]) -> bool:
    """Whether a loop may be left, or its round cut short, in a branch."""
    return any(
        type(n).__name__ in ("ContinueStatement", *_LEAVES)
        for statement in statements
        if type(statement).__name__ not in ("BreakStatement", "ContinueStatement")
        for n in parts([statement])
    )


def _may_return(statements: list[Any]) -> bool:
    """Whether a subroutine may return in a branch or loop."""
    return any(
        type(n).__name__ == "ReturnStatement"
        for statement in statements
        if type(statement).__name__ != "ReturnStatement"
        for n in parts([statement])
    )


class Lowering(Statements):
    """The whole language."""

    while_rounds = 0

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.looked_at: dict[int, list[Any]] = {}  # branches that do not run, by identity; kept so that it stays theirs

    def back_to_top(self) -> None:
        """Leave whatever a wrong statement was in."""
        self.frame = self.top
        del self.frame.scopes[1:], self.frame.loops[:], self.blocks[1:], self.defining[:]
        self.level = self.loop_depth = self.depth = self.runtime_loops = 0

    # branches -----------------------------------------------------------------------------------------------
    def branch(self, nodes: Iterable[Any]) -> Circuit:
        """The block of statements that run or not, by measured bits."""
        with self.block() as circuit, suppress(Stop):
            self.execute_all(nodes)
        return circuit

    def _branches(self, bodies: list[Iterable[Any]], node: Any) -> list[Circuit]:
        """Blocks of which at most one runs; afterwards only what agrees in all is known."""
        kept = self.keep_assigned([list(body) for body in bodies], node)
        values = self.values_of(kept)
        known, measured = dict(self.known), set(self.measured)
        after: list[tuple[dict[int, int], set[int]]] = []
        blocks = []
        for body in bodies:
            self.known, self.measured = dict(known), set(measured)
            self.restore_values(kept, values)
            blocks.append(self.branch(body))
            after.append((self.known, self.measured))
        after.append((known, measured))
        self.measured = set().union(*[entry[1] for entry in after])
        self.known = {}
        for bit in set().union(*[entry[0].keys() for entry in after]):
            values_of_bit = {entry[0].get(bit, 0) for entry in after}
            if len(values_of_bit) > 1:
                self.measured.add(bit)
            else:
                self.known[bit] = values_of_bit.pop()
        self.forget(kept)
        return blocks

    @contextmanager
    def one_shot(self) -> Iterator[int]:
        """A block that a break leaves: a loop of one round. Gives how many loops of the circuit are around its inside."""
        with self.block() as body:
            self.loop_depth += 1
            try:
                yield self.loop_depth
            finally:
                self.loop_depth -= 1
            body.break_loop()
        self.circuit.while_loop(Literal(1), body)
        written = written_bits(body)
        self.measured |= written
        for bit in written:
            self.known.pop(bit, None)

    def _BranchingStatement(self, node: Any) -> None:
        condition = self.truth(node.condition)
        if not condition.is_runtime:
            self._unused(node.else_block if condition.value else node.if_block)
            self.execute_all(node.if_block if condition.value else node.else_block)
            return
        if not node.else_block:
            (body,) = self._branches([node.if_block], node)
            self.circuit.if_else(condition.value, body)
            return
        body, orelse = self._branches([node.if_block, node.else_block], node)
        self.circuit.if_else(condition.value, body, orelse)

    def _unused(self, statements: list[Any]) -> None:
        """Look at the gates of a branch that never runs: a misspelt one is an error all the same."""
        if not statements or id(statements) in self.looked_at:
            return
        self.looked_at[id(statements)] = statements
        for node in parts(statements):
            if type(node).__name__ == "QuantumGate" and (node.name.name != "nop" or self.find("nop") is not None):
                self.gate_named(node.name.name, node)

    def _SwitchStatement(self, node: Any) -> None:
        target = self.evaluate(node.target)
        if target.type.kind not in ("bit", "bool", *INTEGERS):
            raise self.error(
                f"The value of a switch is an integer or bits, got a value of type {target.type}.", node.target
            )
        if target.is_symbolic:
            target = runtime.run_time(target)
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
            blocks = self._branches(bodies, node)
            labelled = [(values, block) for (values, _), block in zip(cases, blocks, strict=False)]
            self.circuit.switch(target.value, labelled, blocks[-1] if node.default is not None else None)
            return
        for values, body in cases:
            if int(target.value) not in values:
                self._unused(body.statements)
        for values, body in cases:
            if int(target.value) in values:
                self.execute_all(body.statements)
                return
        if node.default is not None:
            self.execute_all(node.default.statements)

    # loops --------------------------------------------------------------------------------------------------
    @contextmanager
    def _loop(self, loop: Loop) -> Iterator[None]:
        loops = self.frame.loops
        loops.append(loop)
        self.runtime_loops += loop.runtime
        try:
            yield
        finally:
            self.runtime_loops -= loop.runtime
            loops.pop()

    def trip(self, node: Any, times: int = 1) -> None:
        """Count rounds of loops before they are made."""
        if self.trips + times > self.limits.loop_trips:
            raise self.error(
                f"All loops of a program together go at most {self.limits.loop_trips:,} rounds while it is read; this one goes on.",
                node,
            )
        self.trips += times

    def _round(self, body: list[Any], names: dict[str, Symbol]) -> bool:
        """One unrolled round, in which `names` are declared; whether the loop goes on."""
        scopes = self.frame.scopes
        scopes.append(names)
        try:
            self.execute_all(body)
        except _Continue:
            return True
        except _Break:
            return False
        finally:
            scopes.pop()
        return True

    def _in_blocks(self, node: Any, lower: Callable[[str], Any]) -> None:
        """Lower a loop, again with blocks around it, or around each round, when it is left in a measured branch."""
        blocks, snapshot = "", LoweringMark(self) if _may_leave(node.block) else None
        while True:
            try:
                lower(blocks)
                return
            except _NeedsBlocks as needed:
                if snapshot is None or getattr(needed.target, "node", None) is not node or blocks == "loop":
                    raise
                if blocks == "continue" and needed.word != "loop":
                    raise
                blocks = needed.word if not blocks or needed.word == "loop" else "continue"
                snapshot.restore(self)

    def _rounds(self, node: Any, blocks: str, rounds: Callable[[], Iterator[Any]]) -> None:
        """Unroll a loop: `rounds` sets up one round after the other, and says when the loop is over."""
        if not blocks:
            with self._loop(Loop(False, self.level, node=node)):
                for names in rounds():
                    if not self._round(node.block, names):
                        break
            return
        kept = self.keep_assigned([node.block], node)
        with self.one_shot() as depth:
            for names in rounds():
                if blocks == "break":
                    with self._loop(Loop(False, self.level, depth, node=node)):
                        goes_on = self._round(node.block, names)
                else:
                    with self.one_shot() as inner, self._loop(Loop(False, self.level, depth, inner, node)):
                        goes_on = self._round(node.block, names)
                    self.forget(kept)
                if not goes_on:
                    break
        self.forget(kept)

    def _WhileLoop(self, node: Any) -> None:
        condition, acts = self._condition(node)
        endless = type(node.while_condition).__name__ == "BooleanLiteral" and condition.value
        if endless and not any(type(n).__name__ in _LEAVES for n in parts(node.block)):
            raise self.error(
                "This loop never ends: its condition is true and nothing in it leaves it. Add a break.", node
            )
        if condition.is_runtime or acts:
            self._runtime_while(node, acts)
            return

        def rounds() -> Iterator[dict[str, Symbol]]:
            while True:
                condition = self.truth(node.while_condition)
                if condition.is_runtime:
                    self._runtime_while(node, False)
                    return
                if not condition.value:
                    return
                self.trip(node)
                self.while_rounds += 1
                if in_blocks:
                    in_blocks[0] += 1
                    if in_blocks[0] > MAX_BLOCKS:
                        raise _NeedsBlocks(Loop(False, self.level, node=node), "loop")
                if self.while_rounds > MAX_WHILE:
                    raise self.error(
                        f"While loops that are unrolled go at most {MAX_WHILE:,} rounds; does this one ever end?", node
                    )
                yield {}

        def lower(blocks: str) -> None:
            in_blocks[:] = [0] if blocks else []
            if blocks == "loop" or (blocks and endless):
                self._runtime_while(node, False)
            else:
                self._rounds(node, blocks, rounds)

        in_blocks: list[int] = []  # rounds so far, when they are in blocks

        self._in_blocks(node, lower)

    def _condition(self, node: Any) -> tuple[Typed, bool]:
        """The condition of a while loop whatever its body does to bits, and whether it acts on the circuit itself."""
        calls = any(type(n).__name__ == "FunctionCall" for n in parts([node.while_condition]))
        snapshot = LoweringMark(self) if calls else None
        known, measured = dict(self.known), set(self.measured)
        self.measured = set(range(self.root.num_clbits))
        with self.block() as scratch:
            condition = self.truth(node.while_condition)
        self.known, self.measured = known, measured
        if snapshot is not None:
            snapshot.restore(self)
        return condition, len(scratch) > 0

    def _runtime_while(self, node: Any, acts: bool) -> None:
        """A loop of the circuit."""
        kept = self.keep_assigned([node.block, node.while_condition], node)
        self.forget(kept)
        self.measured, self.known = set(range(self.root.num_clbits)), {}
        condition = Typed(BOOL, True) if acts else self.truth(node.while_condition)
        loop = Loop(True, self.level + 1, self.loop_depth + 1, self.loop_depth + 1)
        with self.block() as body, self._loop(loop), self._one_deeper(), suppress(Stop):
            if acts:
                goes_on = self.truth(node.while_condition)
                with self.block() as leave:
                    leave.break_loop()
                self.circuit.if_else(runtime.unary("!", goes_on).value, leave)
            self.execute_all(node.block)
        self.forget(kept)
        self.measured, self.known = set(range(self.root.num_clbits)), {}
        self.circuit.while_loop(condition.value if condition.is_runtime else Literal(int(condition.value)), body)

    @contextmanager
    def _one_deeper(self) -> Iterator[None]:
        self.loop_depth += 1
        try:
            yield
        finally:
            self.loop_depth -= 1

    def _ForInLoop(self, node: Any) -> None:
        kind = self.type_of(node.type)
        try:
            values = self._values(node.set_declaration, kind, node)
        except NotKnown:
            if type(node.set_declaration).__name__ != "RangeDefinition":
                raise
            self._runtime_for(node, kind)
            return
        name = node.identifier.name

        def rounds() -> Iterator[dict[str, Symbol]]:
            for value in values:
                self.trip(node)
                if isinstance(value, BitVariable):
                    yield {name: value}
                else:
                    yield {name: self.new_variable(kind, value, node, "the variable of a loop")}

        self._in_blocks(node, lambda blocks: self._rounds(node, blocks, rounds))

    def _runtime_for(self, node: Any, kind: Type) -> None:
        """A loop over a range whose ends are known only while the circuit runs."""
        limits = node.set_declaration
        if limits.start is None or limits.end is None:
            raise self.error("The range of a loop has a start and an end.", node)
        step = 1 if limits.step is None else self.constant_int(limits.step, "The step of a loop")
        if step == 0:
            raise self.error("The step of a range is not 0.", limits.step)
        ends = []
        for end in (limits.start, limits.end):
            value = self.evaluate(end)
            if value.type.kind not in (*INTEGERS, "bool", "bit"):
                raise self.error(f"An end of a range is an integer, got a value of type {value.type}.", end)
            ends.append(self.hold(INT, self.guard(end, cast, value, INT).value, node))
        following, last = (runtime.reading(INT, bits) for bits in ends)
        kept = self.keep_assigned([node.block], node)
        self.forget(kept)
        variable = self.new_variable(kind, self.guard(node, cast, Typed(INT, following), kind).value, node)
        self.measured, self.known = set(range(self.root.num_clbits)), {}
        loop = Loop(True, self.level + 1, self.loop_depth + 1, self.loop_depth + 1)
        with self.block() as body, self._loop(loop), self._one_deeper(), suppress(Stop):
            self.put(variable, self.guard(node, cast, Typed(INT, following), kind).value, node)
            self.circuit.assign(list(ends[0]), runtime.operation("+", following, step))
            variable.constant = "the variable of a loop"
            self.frame.scopes.append({node.identifier.name: variable})
            try:
                self.execute_all(node.block)
            finally:
                self.frame.scopes.pop()
        self.forget(kept)
        self.measured, self.known = set(range(self.root.num_clbits)), {}
        self.circuit.while_loop(runtime.operation("<=" if step > 0 else ">=", following, last), body)

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
            return [self.guard(entry, cast, self.evaluate(entry), kind).value for entry in node.values]
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
        elif value.type.kind == "bit" and value.type.width is not None and value.is_runtime:
            bits = (runtime.operation("&", runtime.operation(">>", value.value, k), 1) for k in range(value.type.width))
            items = [Typed(BIT, bit) for bit in bits]
        elif value.type.kind == "bit" and value.type.width is not None:
            items = [Typed(BIT, (value.value >> k) & 1) for k in range(value.type.width)]
        else:
            raise self.error("A loop goes over a range, a set, an array or bits.", loop)
        for item in items:
            if item.value is None:
                raise self.error("An element of this array has no value yet.", loop)
        return [self.guard(loop, cast, item, kind).value for item in items]

    def _copied_bits(self, register: BitVariable, kind: Type, loop: Any) -> Iterator[Any]:
        """Measured bits one by one, each copied, so that the loop's body may write the register."""
        for bit in register.indices:
            value = self.read_bits([bit], True)
            if kind != BIT:
                yield self.guard(loop, cast, value, kind).value
                continue
            copy = self.add_bits(1, "", loop)
            self.write_bits(copy, value.value if value.is_runtime else int(value.value))
            yield BitVariable(copy, True)

    def _leave(self, node: Any, word: str) -> None:
        """break or continue: now, when it is reached in every run; else as an operation of the circuit."""
        if not self.frame.loops:
            raise self.error(f"'{word}' belongs inside a loop.", node)
        loop = self.frame.loops[-1]
        if not loop.runtime and loop.level == self.level:
            raise _Break if word == "break" else _Continue
        around = loop.breaks if word == "break" else loop.continues
        if around is None:
            raise _NeedsBlocks(loop, word)
        levels = self.loop_depth - around + 1
        if word == "continue" and loop.runtime:
            self.circuit.continue_loop(levels)
        else:
            self.circuit.break_loop(levels)
        raise Stop

    def _endless_as_block(self) -> None:
        """A loop whose condition is true is not unrolled when it is left in a branch."""
        for loop in self.frame.loops:
            if not loop.runtime and type(getattr(loop.node, "while_condition", None)).__name__ == "BooleanLiteral":
                raise _NeedsBlocks(loop, "break")

    def _BreakStatement(self, node: Any) -> None:
        self._leave(node, "break")

    def _ContinueStatement(self, node: Any) -> None:
        self._leave(node, "continue")

    def _EndStatement(self, node: Any) -> None:
        if self.level:
            self._endless_as_block()
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
        kind = self.frame.return_type
        if node.expression is None:
            value = VOID
        elif type(node.expression).__name__ == "QuantumMeasurement":
            value = self.measured_value(node.expression, node)
        else:
            value = self.evaluate(node.expression)
        if (kind.kind == "void") != (value.type.kind == "void"):
            rule = "returns nothing" if kind.kind == "void" else f"returns a value of type {kind}"
            raise self.error(f"This subroutine {rule}.", node)
        value = self.guard(node, cast, value, kind)
        frame = self.frame
        if frame.level != self.level and frame.returns is None:
            raise _NeedsBlocks(frame, "return")
        if frame.returns is None:
            raise _Return(value)
        if frame.level != self.level:
            self._endless_as_block()
        if frame.result is not None:
            self._keep(frame.result, kind, value.value)
        if frame.level == self.level:
            raise _Return(value)
        self.circuit.break_loop(self.loop_depth - frame.returns + 1)
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
            snapshot = LoweringMark(self) if _may_return(definition.body) else None
            names = dict(frame.scopes[0])
            inner = [(s, s.value, s.bits) for s in names.values() if isinstance(s, Variable)]
            try:
                result: Typed = self._in(source, frame, self._body, definition)
            except _NeedsBlocks as needed:
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

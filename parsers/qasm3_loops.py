"""Loops of OpenQASM 3: unrolled where their rounds are known, else loops of the circuit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from parsers import qasm3_runtime as runtime
from parsers.qasm3_branches import Branches, NeedsBlocks, Stop
from parsers.qasm3_context import BitVariable, Loop, Qubits, Symbol
from parsers.qasm3_durations import DURATION, Duration
from parsers.qasm3_expressions import NotKnown
from parsers.qasm3_types import BIT, BOOL, INT, INTEGERS, ArrayValue, Type, Typed, cast
from parsers.qasm3_variables import LoweringMark, parts
from qsim.classical import Assign, Break, Continue, End, IfElse, Literal, WhileLoop


class _Break(Exception):
    """break in a loop that is unrolled."""


class _Continue(Exception):
    """continue in a loop that is unrolled."""


#: Rounds of a while loop that are unrolled into blocks; a longer one becomes a loop of the circuit.
MAX_BLOCKS = 64
_LEAVES = ("BreakStatement", "EndStatement", "ReturnStatement")


def _may_leave(statements: list[Any]) -> bool:
    """Whether a loop may be left, or its round cut short, in a branch."""
    return any(
        type(n).__name__ in ("ContinueStatement", *_LEAVES)
        for statement in statements
        if type(statement).__name__ not in ("BreakStatement", "ContinueStatement")
        for n in parts([statement])
    )


class Loops(Branches):
    """Lowers for and while, break, continue and end."""

    while_rounds = 0

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
                f"All loops of a program together go at most {self.limits.loop_trips:,} rounds while it is read; this one "
                "goes on. Raise the limit: Limits(loop_trips=...).", node
            )  # fmt: skip
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
            except NeedsBlocks as needed:
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
                        raise NeedsBlocks(Loop(False, self.level, node=node), "loop")
                if self.while_rounds > self.limits.while_trips:
                    raise self.error(
                        f"While loops that are unrolled go at most {self.limits.while_trips:,} rounds; does this one "
                        "ever end? If so, raise the limit: Limits(while_trips=...).", node
                    )  # fmt: skip
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
                    self.emit(Break())
                self.emit(IfElse(runtime.unary("!", goes_on).value, leave))
            self.execute_all(node.block)
        self.forget(kept)
        self.measured, self.known = set(range(self.root.num_clbits)), {}
        self.emit(WhileLoop(condition.value if condition.is_runtime else Literal(int(condition.value)), body))

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
            self.emit(Assign(ends[0], runtime.operation("+", following, step)))
            variable.constant = "the variable of a loop"
            self.frame.scopes.append({node.identifier.name: variable})
            try:
                self.execute_all(node.block)
            finally:
                self.frame.scopes.pop()
        self.forget(kept)
        self.measured, self.known = set(range(self.root.num_clbits)), {}
        self.emit(WhileLoop(runtime.operation("<=" if step > 0 else ">=", following, last), body))

    def _values(self, node: Any, kind: Type, loop: Any) -> Iterable[Any]:
        """What a loop goes over."""
        name = type(node).__name__
        if name == "RangeDefinition":
            if node.start is None or node.end is None:
                raise self.error("The range of a loop has a start and an end.", loop)
            if kind.kind == "duration":
                return self._durations(node, loop)
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
        return [self.guard(loop, cast, item, kind).value for item in items]

    def _durations(self, node: Any, loop: Any) -> Iterable[Duration]:
        """A range of durations: its ends and its step are durations."""
        if node.step is None:
            raise self.error("A range of durations has a step, as in [10ns:5ns:50ns].", loop)
        start, step, stop = map(self._duration_end, (node.start, node.step, node.end))
        if bool(step.dt) == bool(step.seconds) or any(d.dt if step.seconds else d.seconds for d in (start, stop)):
            raise self.error("The durations of a range are all in seconds or all in dt, and its step is not 0.", loop)
        first, by, last = (d.seconds or d.dt for d in (start, step, stop))
        times = max(0, (last - first) // by + 1)
        if self.trips + times > self.limits.loop_trips:
            self.trip(loop, times)
        return (start + Duration(step.seconds * k, step.dt * k) for k in range(int(times)))

    def _duration_end(self, node: Any) -> Duration:
        value = self.evaluate(node)
        if value.type.kind in INTEGERS and value.value == 0:
            return Duration()
        result: Duration = self.guard(node, cast, value, DURATION).value
        return result

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
            raise NeedsBlocks(loop, word)
        levels = self.loop_depth - around + 1
        if word == "continue" and loop.runtime:
            self.emit(Continue(levels))
        else:
            self.emit(Break(levels))
        raise Stop

    def _endless_as_block(self) -> None:
        """A loop whose condition is true is not unrolled when it is left in a branch."""
        for loop in self.frame.loops:
            if not loop.runtime and type(getattr(loop.node, "while_condition", None)).__name__ == "BooleanLiteral":
                raise NeedsBlocks(loop, "break")

    def _BreakStatement(self, node: Any) -> None:
        self._leave(node, "break")

    def _ContinueStatement(self, node: Any) -> None:
        self._leave(node, "continue")

    def _EndStatement(self, node: Any) -> None:
        if self.level:
            self._endless_as_block()
            self.emit(End())
        raise Stop

"""A circuit that branches as a graph of instructions, each of which knows what may come next.

Control flow becomes edges: a branch has one successor for each way, a loop's body leads back to its condition, `break`
and `end` are edges themselves. Instructions are numbered so that every edge but a loop's way back leads to a higher
number; who always goes on with the lowest number meets all histories of a point there before any of them passes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from qsim.circuit import BARRIER, DELAY, FEED_FORWARD, MEASURE, RESET, ROW, Circuit
from qsim.classical import (
    Assign,
    Break,
    ClassicalExpression,
    Continue,
    End,
    FeedForward,
    IfElse,
    Switch,
    WhileLoop,
    WithValues,
    bodies,
    clbits_of,
)  # fmt: skip
from qsim.dynamic.operations import gate_steps
from qsim.dynamic.ordering import MeasureStep, ResetStep, Step, ordered
from qsim.dynamic.segments import Segment
from qsim.errors import CircuitError
from qsim.parameters import Parameter


class Instruction:
    """What all instructions have.

    Attributes:
        number: ascending along every edge except a loop's way back.
        depth: how many values of enclosing `WithValues` nodes there are here.
        live_bits: classical bits whose value may be read from here on (before it is written).
        live_qubits: qubits whose state may matter from here on (before a reset).
    """

    __slots__ = ("depth", "live_bits", "live_qubits", "number")
    number: int
    depth: int
    live_bits: int
    live_qubits: int

    def successors(self) -> Sequence[Instruction]:
        """Where it may lead."""
        return (self.next,) if hasattr(self, "next") else ()


class Gates(Instruction):
    """Run a segment."""

    __slots__ = ("next", "segment")

    def __init__(self, segment: Segment, follow: Instruction) -> None:
        self.segment, self.next = segment, follow


class MeasureQubit(Instruction):
    """Measure a qubit into a bit; `final` when nothing later depends on either."""

    __slots__ = ("clbit", "final", "next", "qubit")

    def __init__(self, qubit: int, clbit: int, follow: Instruction) -> None:
        self.qubit, self.clbit, self.next, self.final = qubit, clbit, follow, False


class ResetQubit(Instruction):
    """Put a qubit back to |0>."""

    __slots__ = ("next", "qubit")

    def __init__(self, qubit: int, follow: Instruction) -> None:
        self.qubit, self.next = qubit, follow


class Choose(Instruction):
    """Go where the value of an expression leads: to `ways[value]`, or to `other`.

    `ways` of a condition has 1 alone, since its value is taken as true or false.
    """

    __slots__ = ("expression", "is_condition", "other", "reads", "ways")

    def __init__(
        self, expression: ClassicalExpression, ways: dict[int, Instruction], other: Instruction, is_condition: bool
    ) -> None:
        self.expression, self.ways, self.other, self.is_condition = expression, ways, other, is_condition
        self.reads = _mask(clbits_of(expression))

    def successors(self) -> Sequence[Instruction]:
        return (*dict.fromkeys(self.ways.values()), self.other)


class Back(Instruction):
    """The end of a round of a loop, before its condition; `endless` when the body writes no classical bit."""

    __slots__ = ("endless", "next")

    def __init__(self, condition: Choose, endless: bool) -> None:
        self.next, self.endless = condition, endless


class Store(Instruction):
    """Write the value of an expression into classical bits, least significant first."""

    __slots__ = ("clbits", "expression", "next", "reads", "writes")

    def __init__(self, node: Assign, follow: Instruction) -> None:
        self.clbits, self.expression, self.next = node.clbits, node.value, follow
        self.reads, self.writes = _mask(clbits_of(node.value)), _mask(node.clbits)


class Enter(Instruction):
    """Begin a body whose parameters, under names that occur nowhere else, have the values of these expressions."""

    __slots__ = ("expressions", "names", "next", "reads")

    def __init__(self, names: Sequence[str], node: WithValues, follow: Instruction) -> None:
        self.names, self.expressions, self.next = names, node.values, follow
        self.reads = _mask({bit for value in node.values for bit in clbits_of(value)})


class Stop(Instruction):
    """The end of the program."""

    __slots__ = ()


@dataclass(frozen=True)
class Code:
    """A circuit as instructions: where it begins, and all of them by number."""

    first: Instruction
    instructions: tuple[Instruction, ...]


def instructions_of(circuit: Circuit) -> Code:
    """The graph of a circuit, without what `qsim.dynamic.liveness` adds.

    Raises:
        CircuitError: for a break or continue outside a loop.
    """
    writer = _Writer()
    stop = writer.number(Stop(), 0)
    first = writer.write(circuit, stop, _Place(stop, (), 0))
    made = tuple(reversed(writer.made))
    for number, instruction in enumerate(made):
        instruction.number = number
    return Code(first, made)


@dataclass(frozen=True)
class _Place:
    """What surrounds a body: the end of the program, the loops (way back, exit), innermost last, and the depth."""

    stop: Instruction
    loops: tuple[tuple[Instruction, Instruction], ...]
    depth: int


class _Writer:
    """Writes instructions last one first, so that what follows is there already."""

    def __init__(self) -> None:
        self.made: list[Instruction] = []
        self._scopes = 0

    def number(self, instruction: Instruction, depth: int) -> Instruction:
        self.made.append(instruction)
        instruction.depth, instruction.live_bits, instruction.live_qubits = depth, 0, 0
        return instruction

    def write(self, circuit: Circuit, follow: Instruction, place: _Place) -> Instruction:
        """The first instruction of a circuit that goes on to `follow`."""
        rows, stop = circuit._rows, len(circuit)
        while stop:
            start = stop
            while start and rows[(start - 1) * ROW] != FEED_FORWARD:
                start -= 1
            follow = self._straight(circuit, start, stop, follow, place.depth)
            stop = start
            if stop:
                stop -= 1
                node = circuit._objects[rows[stop * ROW + 3]]
                follow = self._node(node, follow, place)  # type: ignore[arg-type]
        return follow

    def _straight(self, circuit: Circuit, start: int, stop: int, follow: Instruction, depth: int) -> Instruction:
        """Operations [start, stop), which are gates, measurements and resets."""
        for item in reversed(ordered(list(_steps(circuit, start, stop)))):
            made: Instruction
            if isinstance(item, MeasureStep):
                made = MeasureQubit(item.qubit, item.clbit, follow)
            elif isinstance(item, ResetStep):
                made = ResetQubit(item.qubit, follow)
            else:
                made = Gates(Segment(item), follow)
            follow = self.number(made, depth)
        return follow

    def _node(self, node: FeedForward, follow: Instruction, place: _Place) -> Instruction:
        if isinstance(node, IfElse):
            other = follow if node.orelse is None else self.write(node.orelse, follow, place)
            ways = {1: self.write(node.body, follow, place)}
            return self.number(Choose(node.condition, ways, other, True), place.depth)
        if isinstance(node, Switch):
            other = follow if node.default is None else self.write(node.default, follow, place)
            ways = {}
            for labels, body in reversed(node.cases):  # the first case that lists a value has it
                first = self.write(body, follow, place)
                ways.update(dict.fromkeys(labels, first))
            return self.number(Choose(node.target, ways, other, False), place.depth)
        if isinstance(node, WhileLoop):
            condition = Choose(node.condition, {}, follow, True)
            back = self.number(Back(condition, not _writes(node.body)), place.depth)
            inner = _Place(place.stop, (*place.loops, (back, follow)), place.depth)
            condition.ways[1] = self.write(node.body, back, inner)
            return self.number(condition, place.depth)
        if isinstance(node, Assign):
            return self.number(Store(node, follow), place.depth)
        if isinstance(node, WithValues):
            self._scopes += 1
            names = [f"{parameter.name} of body {self._scopes}" for parameter in node.parameters]
            renamed = {p.name: Parameter(name) for p, name in zip(node.parameters, names, strict=True)}
            inner = _Place(place.stop, place.loops, place.depth + len(names))
            return self.number(Enter(names, node, self.write(node.body.bind(renamed), follow, inner)), place.depth)
        if isinstance(node, End):
            return place.stop
        assert isinstance(node, (Break, Continue))
        if not place.loops:
            raise CircuitError(f"A {type(node).__name__.lower()} belongs inside a loop; this one is in none.")
        if node.levels > len(place.loops):
            raise CircuitError(
                f"A {type(node).__name__.lower()} of {node.levels} loops belongs inside so many; there are "
                f"{len(place.loops)} around this one."
            )
        back, leave = place.loops[-node.levels]
        return leave if isinstance(node, Break) else back


def _steps(circuit: Circuit, start: int, stop: int) -> Iterator[Step]:
    rows, operands = circuit._rows, circuit._operands
    for at in range(start, stop):
        code, first, count = rows[at * ROW : at * ROW + 3]
        if code == MEASURE:
            yield MeasureStep(operands[first], operands[first + 1])
        elif code == RESET:
            yield from map(ResetStep, operands[first : first + count])
        elif code not in (BARRIER, DELAY):
            yield from gate_steps(circuit, at)


def _writes(body: Circuit) -> bool:
    """Whether anything in a body may write a classical bit."""
    for at in range(0, len(body._rows), ROW):
        if body._rows[at] == MEASURE:
            return True
        if body._rows[at] == FEED_FORWARD:
            node = body._objects[body._rows[at + 3]]
            if isinstance(node, Assign) or any(_writes(inner) for inner in bodies(node)):  # type: ignore[arg-type]
                return True
    return False


def _mask(bits: Sequence[int] | set[int] | tuple[int, ...]) -> int:
    """A mask with these bits; of many, by way of bytes, since adding them up one by one takes quadratic time."""
    room = bytearray(max(bits, default=-1) // 8 + 1)
    for bit in bits:
        room[bit >> 3] |= 1 << (bit & 7)
    return int.from_bytes(room, "little")

"""Following all histories of a program at once, each state with its share of the shots.

A *point* is an instruction together with everything that decides what happens from there on: the classical bits that may
still be read, the values of enclosing bodies, the state, and which final measurements are still to be drawn. Histories
that come to the same point are one from then on, with a ledger of how their shots spread over the classical bits. At a
measurement the shots are split between the outcomes by a binomial draw (several of them make a multinomial one), which
is exactly what independent shots would do.

Points are taken in the order of their instructions, so that all histories of a round, or of the two sides of an `if`, are
at its end before any goes on: breadth first. When the states that wait take more than half of what there is for states,
the most advanced point goes on alone until they take less: depth first. Both orders depend on nothing but the program,
the seed and the memory limit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from heapq import heappop, heappush
from typing import Any, NamedTuple

import numpy.typing as npt

from qsim.classical import ClassicalExpression, bind_expression, parameters_of
from qsim.dynamic.code import Back, Choose, Code, Enter, Gates, Instruction, MeasureQubit, ResetQubit, Store
from qsim.dynamic.factors import Factor, Factors, Parts, width_of
from qsim.dynamic.ledger import Draws, Ledger, Splitter, check_rows
from qsim.errors import CircuitError
from qsim.pool import report
from qsim.sampling import marginal_probabilities, sample_state

Array = npt.NDArray[Any]
#: A state that would become wider than this is first relieved of what is measured already or never used again.
WIDE = 16
#: Probabilities of more measured qubits than this are not made; shots are drawn from the state.
_MOST_WEIGHTS = 20
#: In exact distributions, histories less probable than this are given up, and so many may be told apart at one point.
_NEGLIGIBLE = 1e-16
MAX_HISTORIES = 1 << 15
#: What may be given up in all.
_MOST_GIVEN_UP = 1e-9


class Point(NamedTuple):
    """What decides about the future, besides the instruction.

    Attributes:
        values: of the parameters of enclosing bodies, by name.
        bits: the classical bits that may be read.
        ones: the known qubits that are |1>.
        factors: the entangled qubits, by rising first qubit.
        waiting: final measurements that are not drawn yet, (qubit, bit), ascending.
    """

    values: tuple[tuple[str, float], ...]
    bits: int
    ones: int
    factors: tuple[Factor, ...]
    waiting: tuple[tuple[int, int], ...]


class Histories:
    """The histories that have come to one point: their ledger, and how often any of them has gone round a loop.

    `mark` is a point at the end of a round since which everything was certain, `since` how many rounds ago that was, and
    `span` after how many rounds it moves on.
    """

    __slots__ = ("ledger", "mark", "rounds", "since", "span")

    def __init__(self, ledger: Ledger, rounds: int) -> None:
        self.ledger, self.rounds = ledger, rounds
        self.mark: tuple[Instruction, Point] | None = None
        self.since, self.span = 0, 1


class Explorer:
    """One run of a program.

    Args:
        code: with what `qsim.dynamic.liveness` fills in.
        factors: where states are kept.
        values: of the circuit's parameters, by name.
        splitter: of shots, or of probabilities.
        words: 64-bit words that all classical bits take.
        max_rounds: how often a history may go round loops.
    """

    def __init__(
        self, code: Code, factors: Factors, values: Mapping[str, float], splitter: Splitter, words: int, max_rounds: int
    ) -> None:
        self._code, self._factors, self._values = code, factors, values
        self._splitter, self._max_rounds = splitter, max_rounds
        self._exact = not isinstance(splitter, Draws)
        self._waiting: dict[int, dict[Point, Histories]] = {}
        self._order: list[int] = []
        self._ended = Ledger(words)
        self._crowded = False
        self._bound: dict[tuple[ClassicalExpression, tuple[Any, ...]], ClassicalExpression] = {}

    def run(self, ledger: Ledger, state: Parts) -> tuple[Any, Array]:
        """The values of the classical bits, ascending, and the shots, or the weight, of each."""
        self._arrive(self._code.first, Point((), 0, state.ones, state.factors, ()), Histories(ledger, 0))
        steps = 0
        while self._order:
            for number, point, histories in self._taken():
                steps += 1
                if not steps & 255:
                    report(0, 1)
                self._step(self._code.instructions[number], point, histories)
            if self._factors.bytes > self._factors.budget:
                self._tidy()
        report(1, 1)
        values, shares = self._ended.result()
        if self._exact and shares.sum() < 1 - _MOST_GIVEN_UP:
            raise CircuitError(
                f"The exact distribution of this circuit has so many histories that those of a probability below "
                f"{_NEGLIGIBLE:g} add up to {1 - shares.sum():.1g}. Use sample."
            )
        return values, shares

    # which point is next ------------------------------------------------------------------------------------
    def _taken(self) -> Iterator[tuple[int, Point, Histories]]:
        """What is gone on with: all points of the first instruction, or one of the last."""
        if not self._crowded:
            number = heappop(self._order)
            for point, histories in self._waiting.pop(number).items():
                yield number, point, histories
            return
        number = max(self._order)
        points = self._waiting[number]
        point = next(reversed(points))
        histories = points.pop(point)
        if not points:
            del self._waiting[number]
            self._order = sorted(self._waiting)  # sorted is a heap
        yield number, point, histories

    def _tidy(self) -> None:
        """Let go of states that no point has, and see whether those that wait take too much."""
        self._factors.forget()
        held = {id(f): f for points in self._waiting.values() for point in points for f in point.factors}
        size = sum(factor.amplitudes.nbytes for factor in held.values())
        self._crowded = 2 * size > self._factors.budget
        self._factors.bytes = size

    def _arrive(self, instruction: Instruction, point: Point, histories: Histories) -> None:
        """Come to an instruction; what does not matter from there on is left behind."""
        values, bits, ones, factors, waiting = point
        needed = instruction.live_qubits
        for qubit, _ in waiting:
            needed |= 1 << qubit
        for factor in factors:
            if not factor.mask & needed:
                factors = tuple([f for f in factors if f.mask & needed])
                break
        if len(values) > instruction.depth:
            values = values[: instruction.depth]
        point = Point(values, bits & instruction.live_bits, ones & needed, factors, waiting)
        points = self._waiting.get(instruction.number)
        if points is None:
            points = self._waiting[instruction.number] = {}
            heappush(self._order, instruction.number)
        there = points.get(point)
        if there is None:
            points[point] = histories
            if self._exact and len(points) > MAX_HISTORIES:
                raise CircuitError(
                    f"An exact distribution follows at most {MAX_HISTORIES:,} histories with different states or classical bits "
                    "at a time; this circuit has more. Use sample."
                )
        else:
            there.ledger.absorb(histories.ledger)
            there.rounds = max(there.rounds, histories.rounds)

    # what instructions do -----------------------------------------------------------------------------------
    def _step(self, instruction: Instruction, point: Point, histories: Histories) -> None:
        if isinstance(instruction, Gates):
            self._gates(instruction, point, histories)
        elif isinstance(instruction, MeasureQubit):
            self._measure(instruction, point, histories)
        elif isinstance(instruction, Choose):
            self._choose(instruction, point, histories)
        elif isinstance(instruction, ResetQubit):
            for _, after, part in self._outcomes(instruction.qubit, point, histories):
                self._arrive(instruction.next, after._replace(ones=after.ones & ~(1 << instruction.qubit)), part)
        elif isinstance(instruction, Store):
            number = int(self._value(instruction.expression, point))
            bits = sum(((number >> k) & 1) << clbit for k, clbit in enumerate(instruction.clbits))
            histories.ledger.write(instruction.writes, bits)
            self._arrive(instruction.next, point._replace(bits=point.bits & ~instruction.writes | bits), histories)
        elif isinstance(instruction, Back):
            self._round(instruction, point, histories)
            self._arrive(instruction.next, point, histories)
        elif isinstance(instruction, Enter):
            given = [float(self._value(expression, point)) for expression in instruction.expressions]
            values = (*point.values, *zip(instruction.names, given, strict=True))
            self._arrive(instruction.next, point._replace(values=values), histories)
        else:
            self._end(point, histories)

    def _gates(self, instruction: Gates, point: Point, histories: Histories) -> None:
        segment = instruction.segment
        touched = tuple([f for f in point.factors if f.mask & segment.mask])
        if point.waiting or touched:
            qubits = width_of(segment, touched)
            if len(qubits) > WIDE and self._relieve(instruction, touched, point, histories):
                return
        values = {**self._values, **dict(point.values)} if point.values else self._values
        result = self._factors.applied(segment, values, point.ones & segment.mask, touched)
        self._arrive(instruction.next, self._with(point, touched, segment.mask, result), histories)

    def _relieve(self, instruction: Gates, touched: tuple[Factor, ...], point: Point, histories: Histories) -> bool:
        """Measure a qubit of a wide state that is done with, and come back; False when there is none.

        It is one that waits for its final measurement and that the segment does not touch, or one that nothing uses any
        more, whose outcome nobody sees.
        """
        busy = instruction.live_qubits
        for qubit, _ in point.waiting:
            busy &= ~(1 << qubit)
        busy |= instruction.segment.mask
        for factor in touched:
            done = factor.mask & ~busy
            if done:
                self._settle(done.bit_length() - 1, instruction, point, histories)
                return True
        return False

    def _settle(self, qubit: int, instruction: Instruction, point: Point, histories: Histories) -> None:
        """Measure a qubit now, into the bits that wait for it, and come to the same instruction again."""
        clbits = [clbit for q, clbit in point.waiting if q == qubit]
        left = tuple([pair for pair in point.waiting if pair[0] != qubit])
        mask = sum(1 << clbit for clbit in clbits)
        for outcome, after, part in self._outcomes(qubit, point, histories):
            part.ledger.write(mask, mask if outcome else 0)
            self._arrive(instruction, after._replace(waiting=left), part)

    def _with(self, point: Point, taken: tuple[Factor, ...], mask: int, parts: Parts) -> Point:
        """The point with some factors, and the known qubits of a mask, replaced."""
        if len(taken) == len(point.factors):
            factors = parts.factors
        else:
            others = [f for f in point.factors if f not in taken]
            factors = tuple(sorted([*others, *parts.factors], key=_first_qubit))
        return Point(point.values, point.bits, point.ones & ~mask | parts.ones, factors, point.waiting)

    def _outcomes(self, qubit: int, point: Point, histories: Histories) -> Iterator[tuple[int, Point, Histories]]:
        """The outcomes of measuring a qubit that shots fall on, and what they lead to."""
        factor = next((f for f in point.factors if (f.mask >> qubit) & 1), None)
        if factor is None:
            yield (point.ones >> qubit) & 1, point, histories
            return
        one = self._factors.one(factor, qubit)
        parts: tuple[Ledger | None, Ledger | None]
        if one == 0.0 or one == 1.0:
            parts = (None, histories.ledger) if one else (histories.ledger, None)
        else:
            parts = histories.ledger.split(one, self._splitter)
        for outcome in (0, 1):
            ledger = parts[outcome]
            if ledger is None or (self._exact and ledger.total < _NEGLIGIBLE):
                continue
            after = self._with(point, (factor,), 1 << qubit, self._factors.after(factor, qubit, outcome))
            yield outcome, after, histories if ledger is histories.ledger else Histories(ledger, histories.rounds)

    def _measure(self, instruction: MeasureQubit, point: Point, histories: Histories) -> None:
        qubit, clbit = instruction.qubit, instruction.clbit
        if instruction.final:
            factor = next((f for f in point.factors if (f.mask >> qubit) & 1), None)
            if factor is not None and 0.0 < self._factors.one(factor, qubit) < 1.0:
                waiting = tuple(sorted((*point.waiting, (qubit, clbit))))
                self._arrive(instruction.next, point._replace(waiting=waiting), histories)
                return
        for outcome, after, part in self._outcomes(qubit, point, histories):
            part.ledger.write(1 << clbit, outcome << clbit)
            bits = after.bits & ~(1 << clbit) | outcome << clbit
            self._arrive(instruction.next, after._replace(bits=bits), part)

    def _value(self, expression: ClassicalExpression, point: Point) -> Any:
        """The value of an expression at a point."""
        names = parameters_of(expression)
        if names:
            values = {**self._values, **dict(point.values)}
            expression = bind_expression(expression, {p.name: values[p.name] for p in names})
        return expression.evaluate(point.bits)

    def _choose(self, instruction: Choose, point: Point, histories: Histories) -> None:
        value = self._value(instruction.expression, point)
        if instruction.is_condition:
            value = 1 if value else 0
        self._arrive(instruction.ways.get(value, instruction.other), point, histories)

    def _round(self, instruction: Back, point: Point, histories: Histories) -> None:
        """Count a round of a loop, and refuse a loop that cannot end."""
        if instruction.endless and self._value(instruction.next.expression, point):
            raise CircuitError(
                "A while loop goes on for ever: a round of it left every classical bit as it was. Its body must change "
                "what its condition reads."
            )
        histories.rounds += 1
        histories.since += 1
        here = (instruction, point)
        if histories.mark == here:
            raise CircuitError(
                f"A while loop goes on for ever: {_rounds(histories.since)} of it, in which every outcome was certain, led "
                "back to the same state and the same classical bits. Its body must change what its condition reads."
            )
        # Brent's way to find a cycle: the mark moves to where one is after 1, 2, 4, 8... rounds.
        if histories.mark is None or histories.since == histories.span:
            histories.mark, histories.since, histories.span = here, 0, 2 * histories.span
        if histories.rounds > self._max_rounds:
            raise CircuitError(
                f"A history may go round while loops {self._max_rounds:,} times (max_loop_rounds); this one goes on. "
                "Does a while loop's condition ever become false? If it only takes long, set "
                "Simulator(max_loop_rounds=...) higher."
            )

    # the end ------------------------------------------------------------------------------------------------
    def _end(self, point: Point, histories: Histories) -> None:
        """Draw the measurements that have waited, factor by factor."""
        ledger = histories.ledger
        for factor in point.factors:
            bits_of: dict[int, list[int]] = {}
            for qubit, clbit in point.waiting:
                if (factor.mask >> qubit) & 1:
                    bits_of.setdefault(factor.qubits.index(qubit), []).append(clbit)
            if bits_of:
                self._draw(factor, bits_of, ledger)
        for qubit, clbit in point.waiting:
            if not any((f.mask >> qubit) & 1 for f in point.factors):
                ledger.write(1 << clbit, ((point.ones >> qubit) & 1) << clbit)
        self._ended.absorb(ledger)
        if self._exact:
            check_rows(len(self._ended))

    def _draw(self, factor: Factor, bits_of: Mapping[int, list[int]], ledger: Ledger) -> None:
        measured = list(bits_of)
        clbits = list(bits_of.values())
        threads = self._factors.threads
        if len(measured) <= _MOST_WEIGHTS or self._exact:
            if self._exact:
                check_rows(1 << len(measured) if len(measured) > _MOST_WEIGHTS else 1)
            weights = marginal_probabilities(factor.amplitudes, measured, threads)
            ledger.draw(clbits, weights, self._splitter)
            return
        assert isinstance(self._splitter, Draws)
        seed = int(self._splitter.random.integers(1 << 63))
        values, frequencies = sample_state(factor.amplitudes, int(ledger.total), seed, threads)
        ledger.deal(measured, clbits, values, frequencies, self._splitter)


def _first_qubit(factor: Factor) -> int:
    return factor.qubits[0]


def _rounds(number: int) -> str:
    return f"{number:,} round{'s' * (number != 1)}"

"""Where a noisy program goes on after a feed-forward node: frames of steps, as `qsim.dynamic` has them of operations."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from qsim.circuit import Circuit
from qsim.classical import Assign, Break, Continue, End, FeedForward, IfElse, Switch, WhileLoop, WithValues
from qsim.errors import CircuitError
from qsim.noisy import Step, noisy_steps

if TYPE_CHECKING:
    from qsim.noise import NoiseModel

#: How often a while loop's body may be run in one history.
MAX_ROUNDS = 10_000


def endless(rounds: int) -> str:
    """What is said of a loop that goes on."""
    return f"A while loop still goes on after {rounds:,} rounds. Does its condition ever become false?"


@dataclass(frozen=True)
class Frame:
    """Steps that are being run, the next one being number `at`, and what comes when they end."""

    steps: list[Step]
    at: int = 0
    below: Frame | None = None
    loop: WhileLoop | None = None
    #: How often a loop's body has been run already.
    rounds: int = 0

    def next(self) -> Frame:
        """The frame after the step at hand."""
        return replace(self, at=self.at + 1)


class Flow:
    """The steps of a program and of all bodies in it, made when they are first reached; for several threads."""

    def __init__(self, circuit: Circuit, model: NoiseModel) -> None:
        self.model = model
        self._known: dict[tuple[int, tuple[float, ...]], tuple[Circuit, list[Step]]] = {}
        self._lock = threading.Lock()
        self.start = Frame(self._steps(circuit, (), circuit))

    def _steps(self, circuit: Circuit, values: tuple[float, ...], key: object) -> list[Step]:
        with self._lock:
            found = self._known.get((id(key), values))
            if found is None:
                found = self._known[id(key), values] = (circuit, noisy_steps(circuit, self.model))
            return found[1]

    def ended(self, frame: Frame, memory: int) -> Frame | None:
        """What follows when a frame's steps are done."""
        if frame.loop is not None and frame.loop.condition.evaluate(memory):
            if frame.rounds >= MAX_ROUNDS:
                raise CircuitError(endless(MAX_ROUNDS))
            return replace(frame, at=0, rounds=frame.rounds + 1)
        return frame.below

    def follow(self, node: FeedForward, frame: Frame, memory: int) -> tuple[Frame | None, int]:
        """The frame and the classical bits after a node, which is the step before `frame`'s next."""
        if isinstance(node, IfElse):
            body = node.body if node.condition.evaluate(memory) else node.orelse
            return (frame if body is None else Frame(self._steps(body, (), body), 0, frame)), memory
        if isinstance(node, WhileLoop):
            if not node.condition.evaluate(memory):
                return frame, memory
            return Frame(self._steps(node.body, (), node.body), 0, frame, node), memory
        if isinstance(node, Switch):
            value = node.target.evaluate(memory)
            body = next((case for labels, case in node.cases if value in labels), node.default)
            return (frame if body is None else Frame(self._steps(body, (), body), 0, frame)), memory
        if isinstance(node, Assign):
            number = int(node.value.evaluate(memory))
            for k, clbit in enumerate(node.clbits):
                memory = memory & ~(1 << clbit) | ((number >> k) & 1) << clbit
            return frame, memory
        if isinstance(node, WithValues):
            values = tuple(float(value.evaluate(memory)) for value in node.values)
            names = [parameter.name for parameter in node.parameters]
            body = node.body.bind(dict(zip(names, values, strict=True)))
            return Frame(self._steps(body, values, node), 0, frame), memory
        if isinstance(node, End):
            return None, memory
        assert isinstance(node, (Break, Continue))
        return _left(node, frame), memory


def _left(node: Break | Continue, frame: Frame) -> Frame | None:
    """Where a break or a continue leads."""
    at: Frame | None = frame
    for level in range(node.levels):
        if level and at is not None:
            at = at.below
        while at is not None and at.loop is None:
            at = at.below
    if at is None:
        raise CircuitError(f"A {type(node).__name__.lower()} belongs inside a loop; this one is in none.")
    return at.below if isinstance(node, Break) else replace(at, at=len(at.steps))

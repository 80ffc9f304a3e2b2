"""Trajectories of any noisy program: any channels, measurements midway, resets and feed-forward.

All shots begin as one group with one state and part where their random numbers tell them to: at a channel's operator, at a
measurement's outcome, at a reset. Depth first, so few states wait at a time. Shot s takes its numbers from the seed, s and
how many it has taken before, so that what a shot does depends neither on the other shots nor on threads.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from qsim.circuit import Circuit
from qsim.errors import CircuitError
from qsim.kraus_tree import KrausSegment, squared_norm
from qsim.noise import NoiseModel
from qsim.noisy import Measurement, ResetQubit, Segment
from qsim.noisy_flow import Flow, Frame
from qsim.pool import check_cancelled, report, run_shares

Array = npt.NDArray[Any]
#: Steps that a group of shots may take, over all its parts.
MAX_STEPS = 1_000_000
#: Up to so many qubits each thread has shots of its own, so many at a time at least.
_OWN_QUBITS, _FEWEST = 19, 32
_GAMMA = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Leaf:
    """Shots that are done: their state, normalised up to rounding, what is still to be measured of it, and their bits."""

    state: Array
    shots: Array
    memory: int
    measured: tuple[Measurement, ...]
    drawn: int


@dataclass(frozen=True)
class _Group:
    """Shots with one history: where they are, their classical bits, and how many random numbers each has taken."""

    shots: Array
    frame: Frame
    memory: int
    drawn: int


@dataclass(frozen=True)
class _AtStep:
    state: Array
    group: _Group


@dataclass(frozen=True)
class _OnPath:
    """Shots inside a segment to which nothing has happened since its squared norm was 1; `limits` are their numbers."""

    state: Array
    weight: float
    position: int
    limits: Array
    group: _Group


@dataclass(frozen=True)
class _Leaving:
    """Shots that leave the path between two positions; the state is that of the first."""

    state: Array
    weight: float
    first: int
    last: int
    limits: Array
    group: _Group


@dataclass(frozen=True)
class _Parting:
    """A state just before shots part, and what to make of it for each of the parts."""

    state: Array
    parts: list[tuple[Callable[[Array], Array], Callable[[Array], Any]]]


class NoisyProgram:
    """A program under a noise model, ready to be run for any shots."""

    def __init__(
        self, circuit: Circuit, model: NoiseModel, dtype: Any, threads: int, tile_bits: int | None = None
    ) -> None:
        self.n, self.model, self.dtype, self.tile_bits = circuit.num_qubits, model, dtype, tile_bits
        self.flow = Flow(circuit, model)
        self.own = self.n <= _OWN_QUBITS
        self.threads = threads
        self._segments: dict[int, KrausSegment] = {}
        self._lock = threading.Lock()

    def run(self, shots: int, seed: int, start: Array | None, visit: Callable[[Leaf], None], first: int = 0) -> None:
        """Run shots [first, first + shots): call `visit`, perhaps on several threads at a time, with all of them in groups."""
        if start is None:
            start = np.zeros(1 << self.n, dtype=self.dtype)
            start[0] = 1
        pieces = max(1, min(4 * self.threads, shots // _FEWEST)) if self.own and self.threads > 1 else 1
        ends = [shots * k // pieces for k in range(pieces + 1)]

        def share(worker: int, begin: int, end: int) -> None:
            for k in range(begin, end):
                _Walk(self, seed, visit).all(start.copy(), np.arange(first + ends[k], first + ends[k + 1]))
            if worker == 0:
                report(end, pieces)

        run_shares(share, pieces, self.threads if self.own else 1, chunk=1)

    def segment(self, segment: Segment) -> KrausSegment:
        """The runnable form of a segment."""
        found = self._segments.get(id(segment))
        if found is None:
            with self._lock:
                found = self._segments.setdefault(
                    id(segment), KrausSegment(segment, self.n, self.dtype, self.tile_bits)
                )
        return found


class _Walk:
    """A depth-first walk with one group of shots."""

    def __init__(self, program: NoisyProgram, seed: int, visit: Callable[[Leaf], None]) -> None:
        self.program, self.seed, self.visit = program, seed, visit
        self.threads = 1 if program.own else program.threads
        self.stack: list[Any] = []

    def all(self, start: Array, shots: Array) -> None:
        self.stack.append(_AtStep(start, _Group(shots, self.program.flow.start, 0, 0)))
        steps = 0
        while self.stack:
            check_cancelled()
            task = self.stack.pop()
            if isinstance(task, _AtStep):
                steps += 1
                if steps > MAX_STEPS + 1000 * len(shots):
                    raise CircuitError(
                        f"A program may take {MAX_STEPS:,} steps over all its branches; this one goes on. "
                        "Does a while loop's condition ever become false?"
                    )
                self._step(task)
            elif isinstance(task, _OnPath):
                self._path(task)
            elif isinstance(task, _Leaving):
                self._leave(task)
            else:
                make, then = task.parts[0]
                if len(task.parts) > 1:
                    self.stack.append(_Parting(task.state, task.parts[1:]))
                self.stack.append(then(make(task.state)))

    # steps --------------------------------------------------------------------------------------------------
    def _step(self, task: _AtStep) -> None:
        state, group = task.state, task.group
        frame = group.frame
        if frame.at == len(frame.steps):
            following = self.program.flow.ended(frame, group.memory)
            self._go_on(state, group, following, group.memory)
            return
        step = frame.steps[frame.at]
        if isinstance(step, Segment):
            self._begin(step, state, group)
        elif isinstance(step, Measurement):
            rest = frame.steps[frame.at :]
            if frame.below is None and frame.loop is None and all(isinstance(s, Measurement) for s in rest):
                self.visit(Leaf(state, group.shots, group.memory, tuple(rest), group.drawn))  # type: ignore[arg-type]
            else:
                self._measure(step, state, group)
        elif isinstance(step, ResetQubit):
            self._reset(step.qubit, state, group)
        else:
            following, memory = self.program.flow.follow(step, frame.next(), group.memory)
            self._go_on(state, group, following, memory)

    def _go_on(self, state: Array, group: _Group, frame: Frame | None, memory: int) -> None:
        if frame is None:
            self.visit(Leaf(state, group.shots, memory, (), group.drawn))
        else:
            self.stack.append(_AtStep(state, replace(group, frame=frame, memory=memory)))

    def _measure(self, step: Measurement, state: Array, group: _Group) -> None:
        zero, one = _weights(state, step.qubit)
        outcome = uniform(self.seed, group.shots, group.drawn) * (zero + one) >= zero
        error = self.program.model.readout_error(step.qubit)
        reported = outcome
        if error is not None:
            wrong = uniform(self.seed, group.shots, group.drawn + 1) < np.where(outcome, error.p10, error.p01)
            reported = outcome ^ wrong
        parts: list[Any] = []
        for value in (0, 1):
            for bit in (0, 1):
                mine = group.shots[(outcome == value) & (reported == bit)]
                if len(mine):
                    memory = group.memory & ~(1 << step.clbit) | bit << step.clbit
                    after = _Group(mine, group.frame.next(), memory, group.drawn + 2)
                    parts.append((_projected(step.qubit, value, False), _then(after)))
        self.stack.append(_Parting(state, parts))

    def _reset(self, qubit: int, state: Array, group: _Group) -> None:
        zero, one = _weights(state, qubit)
        outcome = uniform(self.seed, group.shots, group.drawn) * (zero + one) >= zero
        parts: list[Any] = []
        for value in (0, 1):
            mine = group.shots[outcome == value]
            if len(mine):
                after = replace(group, shots=mine, frame=group.frame.next(), drawn=group.drawn + 1)
                parts.append((_projected(qubit, value, True), _then(after)))
        self.stack.append(_Parting(state, parts))

    # noise --------------------------------------------------------------------------------------------------
    def _begin(self, segment: Segment, state: Array, group: _Group) -> None:
        if not segment.rows and not segment.places:
            self.stack.append(_AtStep(state, replace(group, frame=group.frame.next())))
            return
        if segment.places:
            state *= state.dtype.type(1 / np.sqrt(squared_norm(state)))
        limits = uniform(self.seed, group.shots, group.drawn)
        self.stack.append(_OnPath(state, 1.0, 0, limits, replace(group, drawn=group.drawn + 1)))

    def _segment(self, group: _Group) -> KrausSegment:
        step = group.frame.steps[group.frame.at]
        assert isinstance(step, Segment)
        return self.program.segment(step)

    def _path(self, task: _OnPath) -> None:
        """Take shots along the path of "nothing happened", by one stretch."""
        segment, group = self._segment(task.group), task.group
        if task.position == segment.size:
            segment.run(segment.size, segment.size, task.state, self.threads, noise=False)
            task.state[:] *= task.state.dtype.type(1 / np.sqrt(squared_norm(task.state)))
            self.stack.append(_AtStep(task.state, replace(group, frame=group.frame.next())))
            return
        end = segment.block(task.position)
        after, weight = self._tried(segment, task.position, end, task.state, task.weight)
        leaving = task.limits >= weight
        if not leaving.all():
            stay = replace(group, shots=group.shots[~leaving])
            self.stack.append(_OnPath(after, weight, end, task.limits[~leaving], stay))
        if leaving.any():
            left = replace(group, shots=group.shots[leaving])
            self.stack.append(_Leaving(task.state, task.weight, task.position, end, task.limits[leaving], left))

    def _tried(self, segment: KrausSegment, first: int, last: int, state: Array, weight: float) -> tuple[Array, float]:
        """A copy of the state taken along the path, its squared norm kept at 1, and the weight there."""
        after = state.copy()
        factor = segment.run(first, last, after, self.threads)
        norm = squared_norm(after)
        if norm > 0:
            after *= after.dtype.type(1 / np.sqrt(norm))
        return after, weight * factor * norm

    def _leave(self, task: _Leaving) -> None:
        """Find the place at which shots leave the path, by halves, and what happens to them there."""
        segment, group = self._segment(task.group), task.group
        if task.last - task.first > 1:
            middle = (task.first + task.last) // 2
            after, weight = self._tried(segment, task.first, middle, task.state, task.weight)
            early = task.limits >= weight
            if not early.all():
                late = replace(group, shots=group.shots[~early])
                self.stack.append(_Leaving(after, weight, middle, task.last, task.limits[~early], late))
            if early.any():
                first = replace(group, shots=group.shots[early])
                self.stack.append(_Leaving(task.state, task.weight, task.first, middle, task.limits[early], first))
            return
        place, state = task.first, task.state
        segment.run(place, place, state, self.threads, noise=False)
        weights = segment.weights(place, state)
        cumulative = np.cumsum(weights)
        if not cumulative.size or cumulative[-1] <= 0:  # within rounding nothing can happen here
            chosen = np.full(len(group.shots), -1)
        else:
            numbers = uniform(self.seed, group.shots, group.drawn) * cumulative[-1]
            chosen = np.minimum(np.searchsorted(cumulative, numbers, side="right"), int(np.flatnonzero(weights)[-1]))
        parts: list[Any] = []
        for which in np.unique(chosen).tolist():
            mine = replace(group, shots=group.shots[chosen == which], drawn=group.drawn + 2)
            limits = uniform(self.seed, mine.shots, group.drawn + 1)
            parts.append((_jumped(segment, place, which + 1), _then_path(place + 1, limits, mine)))
        self.stack.append(_Parting(state, parts))


def uniform(seed: int, shots: Array, drawn: int) -> Array:
    """Number `drawn` of each shot, from 0 to 1: a counter-based generator, splitmix64 on the seed, shot and count."""
    with np.errstate(over="ignore"):
        value = _mixed(np.uint64(seed) + _GAMMA * (shots.astype(np.uint64) + np.uint64(1)))
        value = _mixed(value + _GAMMA * np.uint64(drawn + 1))
    return np.asarray((value >> np.uint64(11)).astype(np.float64) * 2.0**-53)


def _mixed(value: Array) -> Array:
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(value ^ (value >> np.uint64(31)))


def _weights(state: Array, qubit: int) -> tuple[float, float]:
    view = state.reshape(-1, 2, 1 << qubit)
    zero, one = [float(np.vdot(view[:, k], view[:, k]).real) for k in (0, 1)]
    # Below rounding an outcome does not happen: its state would be noise.
    return (0.0 if zero < 1e-14 * one else zero), (0.0 if one < 1e-14 * zero else one)


def _projected(qubit: int, value: int, reset: bool) -> Callable[[Array], Array]:
    def make(state: Array) -> Array:
        source = state.reshape(-1, 2, 1 << qubit)
        result = np.zeros_like(state)
        view = result.reshape(-1, 2, 1 << qubit)
        view[:, 0 if reset else value] = source[:, value]
        result *= result.dtype.type(1 / np.sqrt(squared_norm(result)))
        return result

    return make


def _jumped(segment: KrausSegment, place: int, which: int) -> Callable[[Array], Array]:
    return lambda state: segment.jump(place, which, state)


def _then(group: _Group) -> Callable[[Array], Any]:
    return lambda state: _AtStep(state, group)


def _then_path(position: int, limits: Array, group: _Group) -> Callable[[Array], Any]:
    return lambda state: _OnPath(state, 1.0, position, limits, group)

"""Dynamic circuits on any kind of state: every history is followed with its share of the shots.

`qsim.dynamic` does the same for statevectors. Here a state is whatever can apply gates, say how likely a qubit is 1,
be projected and be copied: a stabiliser tableau or a matrix-product state. At a measurement the shots are split by a
binomial draw, which is what independent shots would do; depth first, so that at most one state a measurement waits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import numpy as np

from qsim.circuit import FEED_FORWARD, MEASURE, RESET, ROW, Circuit
from qsim.classical import Assign, Break, Continue, End, FeedForward, IfElse, Switch, WhileLoop, WithValues
from qsim.errors import CircuitError

if TYPE_CHECKING:
    from qsim.noise import NoiseModel

MAX_STEPS = 10_000_000
#: Rounds of a loop that change no bit and measure only what is certain, after which it is taken to go on for ever.
MAX_IDLE = 10_000
#: Below rounding an outcome does not happen: its state would be noise.
CERTAIN = 1e-14

Self = TypeVar("Self", bound="State")


class State(Protocol):
    """What a method's states can do."""

    def copy(self: Self) -> Self: ...

    def apply(self, circuit: Circuit, start: int, stop: int) -> None: ...

    def chance_of_one(self, qubit: int) -> float: ...

    def project(self, qubit: int, value: int) -> None: ...

    def flip(self, qubit: int) -> None: ...

    def pauli(self, letters: str, qubits: Sequence[int]) -> None: ...


Kind = TypeVar("Kind", bound=State)


@dataclass(frozen=True)
class _Frame:
    """A circuit that is being run, from operation `at` on, and what to do when it ends."""

    circuit: Circuit
    at: int
    below: _Frame | None
    loop: WhileLoop | None = None
    #: The classical bits and the numbers of measurements and of splits so far when the loop's round began.
    begun: tuple[int, int, int] = (0, 0, 0)
    idle: int = 0


@dataclass
class _Branch(Generic[Kind]):
    """One history: its state, its classical bits and how many shots share it."""

    frame: _Frame | None
    state: Kind
    memory: int
    shots: int
    measured: int = 0
    uncertain: int = 0
    #: Of loops, so far.
    rounds: int = 0

    @property
    def progress(self) -> tuple[int, int, int]:
        """What shows that a loop gets on."""
        return self.memory, self.measured, self.uncertain


class Brancher(Generic[Kind]):
    """Follows all histories of a circuit without open parameters.

    Args:
        noise: Pauli channels, drawn as outcomes are, and readout errors.
        on_end: told each final state, with the shots that reached it.
        max_rounds: how often one history may go round loops.
    """

    def __init__(
        self, seed: int, noise: NoiseModel | None = None, on_end: Any = None, max_rounds: int = 100_000
    ) -> None:
        self._max_rounds = max_rounds
        self._random = np.random.Generator(np.random.Philox(key=seed))
        self._noise = None if noise is None or noise.is_ideal else noise
        self._on_end = on_end
        self._bound: dict[Any, tuple[Any, Circuit]] = {}
        self._recognizer: Any = None

    def sample(self, state: Kind, circuit: Circuit, shots: int) -> dict[int, int]:
        """How often each value of the classical bits comes out of `shots` runs from `state`, which is used up."""
        waiting = [_Branch(_Frame(circuit, 0, None), state, 0, shots)]
        totals: dict[int, int] = {}
        steps = 0
        while waiting:
            branch = waiting.pop()
            while branch.frame is not None:
                steps += 1
                if steps > MAX_STEPS:
                    raise CircuitError(
                        f"A program may take {MAX_STEPS:,} steps over all its branches; this one goes on. "
                        "Does a while loop's condition ever become false?"
                    )
                waiting.extend(self._step(branch))
            totals[branch.memory] = totals.get(branch.memory, 0) + branch.shots
            if self._on_end is not None:
                self._on_end(branch.state, branch.shots)
        return totals

    def _step(self, branch: _Branch[Kind]) -> list[_Branch[Kind]]:
        """Run up to and including the next operation that is no gate; branches that split off come back."""
        frame = branch.frame
        assert frame is not None
        circuit, start, rows = frame.circuit, frame.at, frame.circuit._rows
        stop, size = start, len(circuit)
        while stop < size and rows[stop * ROW] not in (MEASURE, RESET, FEED_FORWARD):
            stop += 1
            if self._noise is not None:
                break
        if stop > start:
            branch.state.apply(circuit, start, stop)
            branch.frame = replace(frame, at=stop)
            return [] if self._noise is None else self._noisy(branch, circuit, start)
        if stop == size:
            self._end(branch, frame)
            return []
        branch.frame = replace(frame, at=stop + 1)
        code, first, _, index = rows[stop * ROW : stop * ROW + 4]
        if code == FEED_FORWARD:
            self._follow(branch, circuit._objects[index])  # type: ignore[arg-type]
            return []
        qubit = circuit._operands[first]
        if code == MEASURE:
            split = self._channels([branch], "measure", (qubit,))
            for one in list(split):
                split.extend(self._measure(one, qubit, circuit._operands[first + 1]))
        else:
            split = [branch]
            for q in circuit._operands[first : first + rows[stop * ROW + 2]]:
                for one in list(split):
                    split.extend(self._reset(one, q))
                split = self._channels(split, "reset", (q,))
        return split[1:]

    def _measure(self, branch: _Branch[Kind], qubit: int, clbit: int) -> list[_Branch[Kind]]:
        found = [branch]
        other = self._split(branch, qubit)
        if other is not None:
            found.append(other)
        for value, one in enumerate(found) if other is not None else [(self._last, branch)]:
            one.measured += 1
            one.memory = one.memory & ~(1 << clbit) | value << clbit
        error = None if self._noise is None else self._noise.readout_error(qubit)
        if error is not None:
            for one in list(found):
                chance = error.p10 if (one.memory >> clbit) & 1 else error.p01
                wrong = int(self._random.binomial(one.shots, chance))
                if wrong == one.shots:
                    one.memory ^= 1 << clbit
                elif wrong:
                    twin = replace(one, state=one.state.copy(), shots=wrong, memory=one.memory ^ (1 << clbit))
                    one.shots -= wrong
                    found.append(twin)
        return found[1:]

    def _reset(self, branch: _Branch[Kind], qubit: int) -> list[_Branch[Kind]]:
        other = self._split(branch, qubit)
        if other is not None:
            other.state.flip(qubit)
            return [other]
        if self._last:
            branch.state.flip(qubit)
        return []

    def _split(self, branch: _Branch[Kind], qubit: int) -> _Branch[Kind] | None:
        """Project on outcomes: the branch keeps 0 and another with 1 comes back, or all shots keep `self._last`."""
        one = branch.state.chance_of_one(qubit)
        one = 0.0 if one < CERTAIN else 1.0 if one > 1 - CERTAIN else one
        branch.uncertain += 0.0 < one < 1.0
        ones = int(self._random.binomial(branch.shots, one))
        if 0 < ones < branch.shots:
            other = replace(branch, state=branch.state.copy(), shots=ones)
            branch.shots -= ones
            other.state.project(qubit, 1)
            branch.state.project(qubit, 0)
            return other
        self._last = 1 if ones else 0
        if 0.0 < one < 1.0:
            branch.state.project(qubit, self._last)
        return None

    # noise --------------------------------------------------------------------------------------------------
    def _noisy(self, branch: _Branch[Kind], circuit: Circuit, index: int) -> list[_Branch[Kind]]:
        """What the channels after a gate make of a branch."""
        from qsim.circuit import BARRIER
        from qsim.stabilizer.clifford import Recognizer
        from qsim.stabilizer.noise import noise_names

        if circuit._rows[index * ROW] == BARRIER:
            return []
        self._recognizer = self._recognizer or Recognizer()
        branches, qubits = [branch], circuit[index].qubits
        for _, name, local in noise_names(circuit, index, self._recognizer, self._noise):
            branches = self._channels(branches, name, tuple(qubits[k] for k in local))
        return branches[1:]

    def _channels(self, branches: list[_Branch[Kind]], name: str, qubits: tuple[int, ...]) -> list[_Branch[Kind]]:
        if self._noise is None or not name:
            return branches
        for channel, on in self._noise.channels_for(name, qubits):
            labels, chances = zip(*(channel.pauli_probabilities or {}).items(), strict=True)
            weights = np.array(chances) / sum(chances)
            for branch in list(branches):
                shares = self._random.multinomial(branch.shots, weights)
                hit = [(label, int(share)) for label, share in zip(labels, shares, strict=True) if share]
                for label, share in hit[1:]:
                    other = replace(branch, state=branch.state.copy(), shots=share)
                    other.state.pauli(label, on)
                    branches.append(other)
                branch.shots = hit[0][1]
                branch.state.pauli(hit[0][0], on)
        return branches

    # control flow -------------------------------------------------------------------------------------------
    def _end(self, branch: _Branch[Kind], frame: _Frame) -> None:
        """A circuit ends: its loop goes on, or what is below does."""
        if frame.loop is None or not frame.loop.condition.evaluate(branch.memory):
            branch.frame = frame.below
            return
        if frame.begun == branch.progress:
            raise CircuitError(
                "A while loop goes on for ever: a round of it measured nothing and left every bit as it was. "
                "Its body must change what its condition reads."
            )
        branch.rounds += 1
        if branch.rounds > self._max_rounds:
            raise CircuitError(
                f"A history may go round while loops {self._max_rounds:,} times (max_loop_rounds); this one goes on. "
                "Does a while loop's condition ever become false? If it only takes long, set "
                "Simulator(max_loop_rounds=...) higher."
            )
        changed = branch.memory != frame.begun[0] or branch.uncertain != frame.begun[2]
        idle = 0 if changed else frame.idle + 1
        if idle >= MAX_IDLE:
            raise CircuitError(
                f"A while loop goes on for ever: {MAX_IDLE:,} rounds left every bit as it was and measured only what "
                "was certain. Its body must change what its condition reads."
            )
        branch.frame = replace(frame, at=0, begun=branch.progress, idle=idle)

    def _follow(self, branch: _Branch[Kind], node: FeedForward) -> None:
        """Decide where a branch goes at a feed-forward node."""
        frame, memory = branch.frame, branch.memory
        body: Circuit | None = None
        if isinstance(node, IfElse):
            body = node.body if node.condition.evaluate(memory) else node.orelse
        elif isinstance(node, Switch):
            value = node.target.evaluate(memory)
            body = next((case for labels, case in node.cases if value in labels), node.default)
        elif isinstance(node, WithValues):
            body = self._with_values(node, memory)
        elif isinstance(node, WhileLoop):
            if node.condition.evaluate(memory):
                branch.frame = _Frame(node.body, 0, frame, node, branch.progress)
        elif isinstance(node, Assign):
            number = int(node.value.evaluate(memory))
            for k, clbit in enumerate(node.clbits):
                branch.memory = branch.memory & ~(1 << clbit) | ((number >> k) & 1) << clbit
        elif isinstance(node, End):
            branch.frame = None
        else:
            branch.frame = _left(node, frame)
        if body is not None:
            branch.frame = _Frame(body, 0, frame)

    def _with_values(self, node: WithValues, memory: int) -> Circuit:
        """The body with its parameters set; kept, so that what states remember about it is found again."""
        values = tuple(float(value.evaluate(memory)) for value in node.values)
        known = self._bound.get((id(node), values))
        if known is None:
            names = [parameter.name for parameter in node.parameters]
            known = (node, node.body.bind(dict(zip(names, values, strict=True))))
            if len(self._bound) < 10_000:
                self._bound[id(node), values] = known
        return known[1]


def _left(node: Break | Continue, frame: _Frame | None) -> _Frame | None:
    """Where a break or a continue leads."""
    for level in range(node.levels):
        if level and frame is not None:
            frame = frame.below
        while frame is not None and frame.loop is None:
            frame = frame.below
    if frame is None:
        raise CircuitError(f"A {type(node).__name__.lower()} belongs inside a loop; this one is in none.")
    return frame.below if isinstance(node, Break) else replace(frame, at=len(frame.circuit))

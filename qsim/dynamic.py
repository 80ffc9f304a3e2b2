"""Circuits whose course depends on measured bits: every branch is followed with its share of the shots.

At a measurement the shots are split between the two outcomes by a binomial draw, which is exactly what independent
shots would do, so the cost follows the number of distinct histories and not the number of shots. Depth first: the
states that wait are at most one for each measurement on the way.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from qsim.circuit import BARRIER, DELAY, FEED_FORWARD, MEASURE, RESET, ROW, Circuit
from qsim.classical import Assign, Break, Continue, End, FeedForward, IfElse, Switch, WhileLoop, WithValues
from qsim.errors import CircuitError
from qsim.state import evolve

if TYPE_CHECKING:
    from qsim.simulator import Simulator

Array = npt.NDArray[Any]
MAX_STEPS = 1_000_000
MAX_IDLE = 10_000


@dataclass(frozen=True)
class _Frame:
    """A circuit that is being run, from operation `at` on, and what to do when it ends."""

    circuit: Circuit
    at: int
    below: _Frame | None
    loop: WhileLoop | None = None
    #: The classical bits and the numbers of measurements and of splits so far when the loop's round began.
    begun: tuple[int, int, int] = (0, 0, 0)
    #: How many rounds in a row changed no bit and measured only what was certain.
    idle: int = 0


@dataclass
class _Branch:
    """One history: its state, its classical bits and how many shots share it."""

    frame: _Frame | None
    state: Array
    memory: int
    shots: int
    measured: int = 0
    uncertain: int = 0

    @property
    def progress(self) -> tuple[int, int, int]:
        """What shows that a loop gets on."""
        return self.memory, self.measured, self.uncertain


def sample_dynamic(
    simulator: Simulator, circuit: Circuit, row: Array, shots: int, seed: int, initial: Array | None = None
) -> dict[int, int]:
    """How often each value of the classical bits comes out of `shots` runs from |0...0> or `initial` (overwritten)."""
    if circuit.parameters:
        circuit = circuit.bind({p.name: float(v) for p, v in zip(circuit.parameters, row, strict=True)})
    random = np.random.Generator(np.random.Philox(key=seed))
    state = initial
    if state is None:
        state = np.zeros(1 << circuit.num_qubits, dtype=simulator._dtype)
        state[0] = 1
    branches = [_Branch(_Frame(circuit, 0, None), state, 0, shots)]
    totals: dict[int, int] = {}
    steps = 0
    while branches:
        branch = branches.pop()
        while branch.frame is not None:
            steps += 1
            if steps > MAX_STEPS:
                raise CircuitError(
                    f"A program may take {MAX_STEPS:,} steps over all its branches; this one goes on. "
                    "Does a while loop's condition ever become false?"
                )
            other = _step(simulator, branch, random)
            if other is not None:
                branches.append(other)
        totals[branch.memory] = totals.get(branch.memory, 0) + branch.shots
    return totals


def _step(simulator: Simulator, branch: _Branch, random: np.random.Generator) -> _Branch | None:
    """Run up to and including the next operation that is no gate; a second branch comes back when one splits off."""
    frame = branch.frame
    assert frame is not None
    circuit, start = frame.circuit, frame.at
    stop, size, rows = start, len(circuit), circuit._rows
    while stop < size and rows[stop * ROW] not in (MEASURE, RESET, FEED_FORWARD):
        stop += 1
    if start == 0 or any(rows[k * ROW] not in (BARRIER, DELAY) for k in range(start, stop)):
        _run_gates(simulator, branch, circuit, start, stop)
    if stop == size:
        if frame.loop is not None and frame.loop.condition.evaluate(branch.memory):
            if frame.begun == branch.progress:
                raise CircuitError(
                    "A while loop goes on for ever: a round of it measured nothing and left every bit as it was. "
                    "Its body must change what its condition reads."
                )
            changed = branch.memory != frame.begun[0] or branch.uncertain != frame.begun[2]
            idle = 0 if changed else frame.idle + 1
            if idle >= MAX_IDLE:
                raise CircuitError(
                    f"A while loop goes on for ever: {MAX_IDLE:,} rounds left every bit as it was and measured only what "
                    "was certain. Its body must change what its condition reads."
                )
            branch.frame = replace(frame, at=0, begun=branch.progress, idle=idle)
        else:
            branch.frame = frame.below
        return None
    branch.frame = replace(frame, at=stop + 1)
    code, first, _, index = rows[stop * ROW : stop * ROW + 4]
    if code == FEED_FORWARD:
        node = circuit._objects[index]
        _follow(branch, node)  # type: ignore[arg-type]
        return None
    qubit = circuit._operands[first]
    other = _measure(branch, qubit, random)
    for outcome in (branch, other):
        if outcome is None:
            continue
        view = outcome.state.reshape(-1, 2, 1 << qubit)
        value = int(not np.any(view[:, 0]))
        if code == MEASURE:
            clbit = circuit._operands[first + 1]
            outcome.measured += 1
            outcome.memory = outcome.memory & ~(1 << clbit) | value << clbit
        elif value:
            view[:, 0] = view[:, 1]
            view[:, 1] = 0
    return other


def _run_gates(simulator: Simulator, branch: _Branch, circuit: Circuit, start: int, stop: int) -> None:
    from qsim.compiler import compile_circuit

    program = compile_circuit(
        circuit, dtype=simulator._dtype, tile_bits=simulator._tile_bits, natural_start=True, start=start, stop=stop
    )
    branch.state = evolve(program, np.zeros(0), simulator._dtype, simulator.threads, branch.state)
    # The circuit's own phase belongs to its start only; a state's phase is not seen by measurements, so it may repeat.


def _measure(branch: _Branch, qubit: int, random: np.random.Generator) -> _Branch | None:
    """Project on the outcomes of a qubit; the branch keeps one, the other comes back when shots fall on it."""
    view = branch.state.reshape(-1, 2, 1 << qubit)
    weights = [float(np.vdot(view[:, k], view[:, k]).real) for k in (0, 1)]
    one = weights[1] / (weights[0] + weights[1])
    # Below rounding an outcome does not happen: its state would be noise.
    one = 0.0 if one < 1e-14 else 1.0 if one > 1 - 1e-14 else one
    branch.uncertain += 0.0 < one < 1.0
    ones = int(random.binomial(branch.shots, one))
    other = None
    if 0 < ones < branch.shots:
        other = _Branch(branch.frame, branch.state.copy(), branch.memory, ones, branch.measured, branch.uncertain)
        branch.shots -= ones
        _project(other.state.reshape(-1, 2, 1 << qubit), 1, weights[1])
        _project(view, 0, weights[0])
    else:
        kept = 1 if ones else 0
        _project(view, kept, weights[kept])
    return other


def _project(view: Array, kept: int, weight: float) -> None:
    view[:, 1 - kept] = 0
    view[:, kept] /= view.dtype.type(math.sqrt(weight))


def _follow(branch: _Branch, node: FeedForward) -> None:
    """Decide where a branch goes at a feed-forward node."""
    frame, memory = branch.frame, branch.memory
    if isinstance(node, IfElse):
        body = node.body if node.condition.evaluate(memory) else node.orelse
        if body is not None:
            branch.frame = _Frame(body, 0, frame)
    elif isinstance(node, WhileLoop):
        if node.condition.evaluate(memory):
            branch.frame = _Frame(node.body, 0, frame, node, branch.progress)
    elif isinstance(node, Switch):
        value = node.target.evaluate(memory)
        body = next((case for labels, case in node.cases if value in labels), node.default)
        if body is not None:
            branch.frame = _Frame(body, 0, frame)
    elif isinstance(node, Assign):
        number = int(node.value.evaluate(memory))
        for k, clbit in enumerate(node.clbits):
            branch.memory = branch.memory & ~(1 << clbit) | ((number >> k) & 1) << clbit
    elif isinstance(node, WithValues):
        names = [parameter.name for parameter in node.parameters]
        values = [float(value.evaluate(memory)) for value in node.values]
        branch.frame = _Frame(node.body.bind(dict(zip(names, values, strict=True))), 0, frame)
    elif isinstance(node, End):
        branch.frame = None
    elif isinstance(node, (Break, Continue)):
        for level in range(node.levels):
            if level and frame is not None:
                frame = frame.below
            while frame is not None and frame.loop is None:
                frame = frame.below
        if frame is None:
            raise CircuitError(f"A {type(node).__name__.lower()} belongs inside a loop; this one is in none.")
        if isinstance(node, Break):
            branch.frame = frame.below
        else:
            branch.frame = replace(frame, at=len(frame.circuit))

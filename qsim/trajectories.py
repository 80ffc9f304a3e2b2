"""Quantum trajectories of circuits with Pauli noise: many shots, as few runs as there are different circuits among them.

All shots' errors are drawn first (`error_patterns`) and turned into angles of one circuit (`frames`). The circuit is cut
into stretches; the noise-free state at each cut is kept, and a trajectory begins at the last cut before its first angle
that differs. The programs from the cuts to the end are compiled once. Trajectories run side by side on the threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qsim.compiler.program import Program, compile_lowered
from qsim.error_patterns import Patterns, PauliPlaces
from qsim.frames import FramedCircuit, framed
from qsim.kernels.readout import block_norms
from qsim.kraus_tree import run_alone
from qsim.noisy import Segment
from qsim.observable import compile_observable
from qsim.pauli import SparsePauliOp
from qsim.pool import part, report, run_shares
from qsim.state import copy_of, evolve, flat_view

Array = npt.NDArray[Any]
#: Shots whose errors are drawn together; which shot has which errors depends on it.
GROUP = 1 << 20
#: Cuts of a circuit, and bytes that the states at them take at most.
_CUTS, MOST_CUT_BYTES = 12, 1 << 29
#: Angles times patterns that are held at a time.
_ANGLES = 1 << 27
#: Up to so many qubits each thread runs trajectories of its own.
_OWN_QUBITS = 19
#: A state is looked through by blocks of so many amplitudes for so few shots; for more, in one piece.
_BLOCK, _FEW = 256, 32
#: What is done with a trajectory's state, overwritten afterwards: (state, number of the run).
Visit = Callable[[Array, int], None]


@dataclass(frozen=True)
class Pushed:
    """Patterns [first, last) as runs: which run each pattern belongs to, and what its Pauli at the end does."""

    first: int
    last: int
    run_of: Array
    x: Array
    z: Array
    changed: Array


class PauliTrajectories:
    """A noisy segment, ready to be run for any number of shots."""

    def __init__(
        self, segment: Segment, num_qubits: int, dtype: Any, threads: int, tile_bits: int | None = None,
        start: Array | None = None, room: int = MOST_CUT_BYTES,
    ) -> None:  # fmt: skip
        self.places = PauliPlaces(segment.places)
        self.circuit: FramedCircuit = framed(segment, num_qubits)
        self.n, self.dtype, self.threads, self.tile_bits = num_qubits, dtype, threads, tile_bits
        rows = len(self.circuit.rows)
        cuts = max(1, min(_CUTS if segment.places else 1, rows, room // (np.dtype(dtype).itemsize << num_qubits)))
        self.cuts = [rows * k // cuts for k in range(cuts + 1)]
        self.first_angle = np.searchsorted(np.array(self.circuit.row_of, np.int64), self.cuts).tolist()
        self.angles, self.slot = np.array(self.circuit.angles), np.array(self.circuit.slot, dtype=np.bool_)
        self.states: list[Array] = []
        self.programs: dict[int, Program] = {}
        self._run_ideal(start)

    def _run_ideal(self, start: Array | None) -> None:
        if start is None:
            start = np.zeros(1 << self.n, dtype=self.dtype)
            start[0] = 1
        self.states.append(start)
        for number, (begin, end) in enumerate(zip(self.cuts, self.cuts[1:], strict=False)):
            lowered, _ = self.circuit.lowered(begin, end, 0, symbolic=False)
            program = compile_lowered(lowered, self.n, (), dtype=self.dtype, tile_bits=self.tile_bits)
            state = copy_of(self.states[-1], self.threads)
            with part(number, 2 * (len(self.cuts) - 1)):  # what is reported: half of the work
                self.states.append(evolve(program, np.zeros(0), self.dtype, self.threads, state))

    def push(self, patterns: Patterns) -> Iterator[Pushed]:
        """All patterns, in parts that fit in memory."""
        total = len(patterns.counts)
        most = max(1, _ANGLES // max(len(self.angles), 1))
        for first in range(0, total, most):
            last = min(first + most, total)
            changed, x, z = self.circuit.push(patterns, first, last)
            packed = np.packbits(changed, axis=1)
            _, index, run_of = np.unique(packed, axis=0, return_index=True, return_inverse=True)
            yield Pushed(first, last, run_of.reshape(-1), x, z, changed[index])

    def run(self, pushed: Pushed, visit: Visit) -> None:
        """Every run of these patterns; `visit` may be called on several threads at a time."""
        changed = pushed.changed
        any_change = changed.any(axis=1) if len(self.angles) else np.zeros(len(changed), np.bool_)
        first = changed.argmax(axis=1) if len(self.angles) else np.zeros(len(changed), np.int64)
        rows = np.array([*self.circuit.row_of, 0], dtype=np.int64)[first]
        cut = np.searchsorted(self.cuts, rows, side="right") - 1
        cut = np.where(any_change, cut, len(self.cuts) - 1)
        for k in np.unique(cut).tolist():
            if k < len(self.cuts) - 1 and k not in self.programs:
                lowered, parameters = self.circuit.lowered(
                    self.cuts[k], self.cuts[-1], self.first_angle[k], symbolic=True
                )
                self.programs[k] = compile_lowered(
                    lowered, self.n, parameters, dtype=self.dtype, tile_bits=self.tile_bits
                )
        order = np.argsort(cut, kind="stable")
        own = self.n <= _OWN_QUBITS

        def share(worker: int, begin: int, end: int) -> None:
            for number in order[begin:end].tolist():
                with part(len(order) + begin, 2 * len(order)):  # for runs that report on their own
                    self._one(number, int(cut[number]), changed[number], visit, own)
            if worker == 0:
                report(len(order) + end, 2 * len(order))

        run_shares(share, len(order), self.threads if own else 1, chunk=1)

    def _one(self, number: int, cut: int, changed: Array, visit: Visit, own: bool) -> None:
        state = self.states[cut]
        if cut < len(self.cuts) - 1:
            program, first = self.programs[cut], self.first_angle[cut]
            slot, mask = self.slot[first:], changed[first:]
            values = np.where(slot, np.pi * mask, self.angles[first:] * (1.0 - 2.0 * mask))
            if own:
                state = state.copy()
                run_alone(program, state, values)
            else:
                state = evolve(program, values, self.dtype, self.threads, copy_of(state, self.threads))
        visit(state, number)


def sample_pauli(trajectories: PauliTrajectories, shots: int, random: np.random.Generator) -> Iterator[Array]:
    """Outcomes of all qubits, as integers, of groups of shots."""
    for begin in range(0, shots, GROUP):
        count = min(GROUP, shots - begin)
        patterns = trajectories.places.draw(count, random)
        uniform = random.random(count)
        outcomes = np.zeros(count, np.int64)
        for pushed in trajectories.push(patterns):
            inside = np.flatnonzero((patterns.of_shot >= pushed.first) & (patterns.of_shot < pushed.last))
            pattern = patterns.of_shot[inside] - pushed.first
            run = pushed.run_of[pattern]
            order = np.argsort(run, kind="stable")
            ends = np.cumsum(np.bincount(run, minlength=len(pushed.changed)))
            shot, flips = inside[order], pushed.x[pattern[order]]

            trajectories.run(pushed, _Sampled(ends, shot, flips, uniform, outcomes))
        yield outcomes


@dataclass(frozen=True)
class _Sampled:
    """Writes down the outcomes of a run's shots: shot[ends[k - 1] : ends[k]] are those of run k."""

    ends: Array
    shot: Array
    flips: Array
    uniform: Array
    outcomes: Array

    def __call__(self, state: Array, number: int) -> None:
        mine = slice(int(self.ends[number - 1]) if number else 0, int(self.ends[number]))
        shot = self.shot[mine]
        self.outcomes[shot] = outcomes_of(state, self.uniform[shot]) ^ self.flips[mine]


def outcomes_of(state: Array, uniform: Array) -> Array:
    """Where numbers from 0 to 1 fall in the cumulative distribution of a state, normalised or not."""
    parts = flat_view(state)
    size = min(len(state), _BLOCK if len(uniform) <= _FEW else len(state))
    norms = np.empty(len(state) // size)
    block_norms(parts, 0, len(norms), size, norms)
    ends = np.cumsum(norms)
    targets = uniform * ends[-1]
    blocks = np.searchsorted(ends, targets, side="right")
    if blocks.size and blocks.max() >= len(ends):  # rounding put a number past the end
        blocks = np.minimum(blocks, int(np.flatnonzero(norms)[-1]))
    found = np.empty(len(uniform), np.int64)
    for block in np.unique(blocks).tolist() if len(ends) > 1 and len(uniform) > 1 else blocks[:1].tolist():
        mine = blocks == block
        numbers = parts[2 * size * block : 2 * size * (block + 1)].astype(np.float64)
        cumulative = np.cumsum((numbers * numbers).reshape(-1, 2).sum(axis=1))
        inside = np.searchsorted(cumulative, targets[mine] - (ends[block] - norms[block]), side="right")
        if inside.max() >= size:
            inside = np.minimum(
                inside,
                int(np.flatnonzero(cumulative < cumulative[-1])[-1] + 1) if cumulative[0] < cumulative[-1] else 0,
            )
        found[mine] = inside + size * block
    return found


def estimate_pauli(
    trajectories: PauliTrajectories, operators: list[SparsePauliOp], shots: int, random: np.random.Generator
) -> tuple[Array, Array]:
    """Means and variances, over trajectories, of the expectation values of operators: two arrays of shape (operators,)."""
    simplified = [operator.simplify() for operator in operators]
    masks = [(x, z) for one in simplified for x, z in zip(one.x_masks.tolist(), one.z_masks.tolist(), strict=True)]
    terms = list(dict.fromkeys(masks))
    place = {term: k for k, term in enumerate(terms)}
    weights = np.zeros((len(terms), len(operators)))
    for column, one in enumerate(simplified):
        for x, z, c in zip(one.x_masks.tolist(), one.z_masks.tolist(), one.coefficients.real.tolist(), strict=True):
            weights[place[x, z], column] += c
    compiled = compile_observable([_single(x, z) for x, z in terms], trajectories.n)
    x_masks, z_masks = np.array([t[0] for t in terms], np.int64), np.array([t[1] for t in terms], np.int64)
    total, squares = np.zeros(len(operators)), np.zeros(len(operators))
    for begin in range(0, shots, GROUP):
        patterns = trajectories.places.draw(min(GROUP, shots - begin), random)
        for pushed in trajectories.push(patterns):
            values = np.zeros((len(pushed.changed), len(terms)))

            def visit(state: Array, number: int, values: Array = values) -> None:
                values[number] = compiled.means(state.reshape(1, -1), 1)[0]

            trajectories.run(pushed, visit)
            counts = patterns.counts[pushed.first : pushed.last].astype(np.float64)
            step = max(1, (1 << 22) // max(len(terms), 1))
            for at in range(0, len(counts), step):
                piece = slice(at, at + step)
                odd = (pushed.x[piece, None] & z_masks) ^ (pushed.z[piece, None] & x_masks)
                signs = 1.0 - 2.0 * (np.bitwise_count(odd) & 1)
                found = (values[pushed.run_of[piece]] * signs) @ weights
                total += counts[piece] @ found
                squares += counts[piece] @ found**2
    mean = total / shots
    return mean, np.maximum(squares / shots - mean**2, 0.0) * shots / max(shots - 1, 1)


def _single(x: int, z: int) -> SparsePauliOp:
    letters = {
        q: "IXZY"[(x >> q & 1) | 2 * (z >> q & 1)] for q in range(max((x | z).bit_length(), 1)) if (x | z) >> q & 1
    }
    return SparsePauliOp.from_terms([(letters, 1.0)])

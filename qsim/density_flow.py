"""Density matrices of programs that measure midway, reset and branch: one for each value of the classical bits.

Histories that come to the same place with the same bits are one matrix, their sum, so that memory and time follow the
number of different values and not of histories.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from qsim.channels import Channel
from qsim.circuit import Circuit
from qsim.classical import Break, Continue, End, FeedForward, WhileLoop
from qsim.density import run_segment
from qsim.errors import CircuitError, MemoryLimitError
from qsim.noise import NoiseModel
from qsim.noisy import Measurement, Place, ResetQubit, Segment, Step
from qsim.noisy_flow import MAX_ROUNDS, Flow, Frame, endless

Array = npt.NDArray[Any]
#: The unnormalised density matrix of each value of the classical bits.
Histories = dict[int, Array]
#: A history less likely than this is left out.
NEGLIGIBLE = 1e-12
_ZERO, _ONE = np.diag([1, 0]).astype(np.complex128), np.diag([0, 1]).astype(np.complex128)
_LOWER = np.array([[0, 1], [0, 0]], dtype=np.complex128)
#: A measurement that nobody looks at, and a reset.
DEPHASE = Channel("measure", [_ZERO.copy(), _ONE.copy()], {"type": "measure"})
RESET = Channel("reset", [_ZERO.copy(), _LOWER.copy()], {"type": "reset"})


def averaged(steps: list[Step]) -> Segment:
    """Steps without feed-forward as one segment, in which measurements and resets are channels as others are."""
    result = Segment()
    for step in steps:
        rows = len(result.rows)
        if isinstance(step, Segment):
            operands, values, matrices = len(result.operands), len(result.values), len(result.matrices)
            for code, first, count, value, controls, bits in step.rows:
                at = value + (values if code >= 0 else matrices)
                result.rows.append((code, first + operands, count, at, controls, bits))
            result.operands.extend(step.operands)
            result.values.extend(step.values)
            result.matrices.extend(step.matrices)
            result.places.extend(Place(place.at + rows, place.channel, place.qubits) for place in step.places)
        elif isinstance(step, Measurement):
            result.places.append(Place(rows, DEPHASE, (step.qubit,)))
        elif isinstance(step, ResetQubit):
            result.places.append(Place(rows, RESET, (step.qubit,)))
        else:
            raise CircuitError("A program that branches on outcomes is no single channel of gates.")
    return result


class HistoryRun:
    """Runs a program's histories together.

    Args:
        limit: bytes that the matrices of all histories may take together.
    """

    def __init__(
        self, circuit: Circuit, model: NoiseModel, dtype: Any, threads: int, limit: int, tile_bits: int | None = None
    ) -> None:
        self.n, self.model, self.dtype, self.threads, self.tile_bits = (
            circuit.num_qubits,
            model,
            dtype,
            threads,
            tile_bits,
        )
        self.flow = Flow(circuit, model)
        self.most = max(1, limit // (np.dtype(dtype).itemsize << 2 * self.n))

    def run(self, start: Array | None = None) -> Histories:
        """The histories at the end, from |0...0> or from vec(rho)."""
        if start is None:
            start = np.zeros(1 << 2 * self.n, dtype=self.dtype)
            start[0] = 1
        ended = self._frame(self.flow.start, {0: start})
        result: Histories = {}
        for how in (None, End):
            for memory, matrix in ended.get(how, {}).items():
                self._add(result, memory, matrix)
        return result

    def _frame(self, frame: Frame, live: Histories) -> dict[Any, Histories]:
        """Run a frame's steps: how it ended (None, End, or Break or Continue and out of how many loops) -> histories."""
        ended: dict[Any, Histories] = {}
        for number, step in enumerate(frame.steps):
            if not isinstance(step, (Segment, Measurement, ResetQubit)):
                after: Histories = {}
                for memory, matrix in live.items():
                    for how, histories in self._node(step, Frame(frame.steps, number + 1), memory, matrix).items():
                        target = after if how is None else ended.setdefault(how, {})
                        for later, part in histories.items():
                            self._add(target, later, part)
                live = after
            else:
                live = self._plain(step, live)
            if not live:
                break
        ended[None] = live
        return ended

    def _plain(self, step: Step, live: Histories) -> Histories:
        if isinstance(step, Segment):
            if not step.rows and not step.places:
                return live
            return {
                memory: run_segment(step, self.n, self.dtype, self.threads, matrix, self.tile_bits)
                for memory, matrix in live.items()
            }
        assert isinstance(step, (Measurement, ResetQubit))
        result: Histories = {}
        for memory, matrix in live.items():
            for outcome in (0, 1):
                part = _projected(matrix, step.qubit, outcome, self.n, isinstance(step, ResetQubit))
                if isinstance(step, ResetQubit):
                    self._add(result, memory, part)
                    continue
                error = self.model.readout_error(step.qubit)
                chances = np.eye(2)[outcome] if error is None else error.matrix[outcome]
                for bit in (0, 1):
                    if chances[bit] > 0:
                        later = memory & ~(1 << step.clbit) | bit << step.clbit
                        self._add(result, later, part * part.dtype.type(chances[bit]))
        return result

    def _node(self, node: FeedForward, frame: Frame, memory: int, matrix: Array) -> dict[Any, Histories]:
        if isinstance(node, End):
            return {End: {memory: matrix}}
        if isinstance(node, (Break, Continue)):
            return {(type(node), node.levels): {memory: matrix}}
        if isinstance(node, WhileLoop):
            return self._loop(node, memory, matrix)
        following, memory = self.flow.follow(node, frame, memory)
        assert following is not None
        if following is frame:
            return {None: {memory: matrix}}
        return self._frame(following, {memory: matrix})

    def _loop(self, node: WhileLoop, memory: int, matrix: Array) -> dict[Any, Histories]:
        result: dict[Any, Histories] = {None: {}}
        live = {memory: matrix}
        for _ in range(MAX_ROUNDS):
            going: Histories = {}
            for now, part in live.items():
                self._add(going if node.condition.evaluate(now) else result[None], now, part)
            if not going:
                return result
            body, _ = self.flow.follow(node, Frame([]), next(iter(going)))
            assert body is not None
            live = {}
            for how, histories in self._frame(Frame(body.steps), going).items():
                target = live
                if how is End:
                    target = result.setdefault(End, {})
                elif how == (Break, 1):
                    target = result[None]
                elif how is not None and how != (Continue, 1):
                    target = result.setdefault((how[0], how[1] - 1), {})
                for later, part in histories.items():
                    self._add(target, later, part)
        raise CircuitError(endless(MAX_ROUNDS))

    def _add(self, histories: Histories, memory: int, matrix: Array) -> None:
        if _trace(matrix) <= NEGLIGIBLE:
            return
        before = histories.get(memory)
        if before is not None:
            histories[memory] = before + matrix
            return
        if len(histories) >= self.most:
            raise MemoryLimitError(
                f"More than {self.most:,} values of the classical bits, each with a density matrix of {self.n} qubits, do "
                'not fit in memory. Sample with method="statevector".'
            )
        histories[memory] = matrix


def _trace(matrix: Array) -> float:
    size = 1 << (len(matrix).bit_length() - 1) // 2
    return float(matrix[:: size + 1].real.sum())


def _projected(matrix: Array, qubit: int, outcome: int, num_qubits: int, reset: bool) -> Array:
    """P rho P for the outcome of a qubit, moved to |0> for a reset."""
    result = np.zeros_like(matrix)
    shape = (1 << (num_qubits - 1 - qubit), 2, 1 << (num_qubits - 1), 2, 1 << qubit)
    to = 0 if reset else outcome
    result.reshape(shape)[:, to, :, to] = matrix.reshape(shape)[:, outcome, :, outcome]
    return result

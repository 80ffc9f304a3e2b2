"""Runs of gates between two classical points, compiled once for each set of qubits that they find in a state.

A state of few qubits is run by `qsim.kernels.small`, gate by gate, where a planner would take longer than it saves; a
larger one by a compiled `Program`. Which bits of an index belong to which qubits depends on what is in the state when
the run begins, so both are made for a tuple of qubits and kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from qsim.compiler.program import Program, compile_lowered
from qsim.dynamic.operations import GateStep, lowered
from qsim.kernels import small
from qsim.parameters import Parameter
from qsim.state import evolve

Array = npt.NDArray[Any]
Qubits = tuple[int, ...]
#: Up to so many qubits gates are done one by one: 4,096 amplitudes take some microseconds a gate.
SMALL_QUBITS = 12
#: Programs for so many sets of qubits are kept.
_MOST_PROGRAMS = 64


class Segment:
    """Gates that follow each other without a classical point between them.

    Args:
        steps: the gates.
        turned: the qubits on which any of them is neither diagonal nor a control.
    """

    def __init__(self, steps: list[GateStep]) -> None:
        self.steps = steps
        self.qubits: Qubits = tuple(sorted({q for step in steps for q in step.qubits}))
        self.mask = sum(1 << q for q in self.qubits)
        self.turned = sum(1 << q for q in {q for step in steps for q in step.qubits[len(step.steady) :]})
        self.names = tuple(dict.fromkeys(name for step in steps for name in step.names))
        self._late = any(step.late is not None for step in steps)
        self._layouts: dict[Qubits, tuple[Array, Array]] = {}
        self._programs: dict[Any, Program] = {}

    @cached_property
    def _constants(self) -> Array:
        return self._numbers({})

    def _numbers(self, values: Mapping[str, float]) -> Array:
        return np.concatenate([step.coefficients(values) for step in self.steps]).astype(np.complex128)

    def run_small(self, state: Array, qubits: Qubits, coefficients: Array) -> None:
        """Run on a state of these qubits, ascending, in place."""
        layout = self._layouts.get(qubits)
        if layout is None:
            layout = self._layouts[qubits] = self._lay_out(qubits)
        small.apply_gates(state, *layout, coefficients)

    def coefficients(self, values: Mapping[str, float]) -> Array:
        """What `run_small` needs, for these parameter values."""
        return self._numbers(values) if self.names else self._constants

    def _lay_out(self, qubits: Qubits) -> tuple[Array, Array]:
        """The gates and places of `small.apply_gates` for a state of these qubits."""
        bit_of = {q: k for k, q in enumerate(qubits)}
        gates, used = np.zeros((len(self.steps), small.COLUMNS), np.int64), 0
        places: list[int] = []
        for k, step in enumerate(self.steps):
            bits = [bit_of[q] for q in step.qubits]
            controls, targets = bits[: step.controls], bits[step.controls :]
            mask = sum(1 << b for b in controls)
            value = sum(((step.values >> j) & 1) << b for j, b in enumerate(controls))
            gates[k] = step.kind, mask, value, len(targets), len(places), used
            places.extend(targets)
            if step.kind != small.PHASES:
                places.extend(sum(((e >> j) & 1) << b for j, b in enumerate(targets)) for e in range(1 << len(targets)))
            used += 1 << (len(targets) if step.kind == small.PHASES else 2 * len(targets))
        return gates, np.array(places, dtype=np.int64)

    def run_large(
        self, state: Array | None, qubits: Qubits, values: Mapping[str, float], dtype: Any, threads: int,
        tile_bits: int | None,
    ) -> Array:  # fmt: skip
        """The state after the segment, of these qubits; from |0...0> when there is none (else it is overwritten)."""
        key = (qubits, np.dtype(dtype).char, tile_bits, state is None)
        program = self._programs.get(key)
        if program is None:
            places = {q: k for k, q in enumerate(qubits)}
            rows = lowered(self.steps, places, values)
            program = compile_lowered(
                rows, len(qubits), [Parameter(name) for name in self.names], dtype=dtype, tile_bits=tile_bits,
                natural_start=state is not None,
            )  # fmt: skip
            if not self._late:
                if len(self._programs) >= _MOST_PROGRAMS:
                    self._programs.clear()
                self._programs[key] = program
        row = np.array([values[name] for name in self.names], dtype=np.float64)
        return evolve(program, row, dtype, threads, state)

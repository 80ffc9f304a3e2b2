"""A circuit as flat steps, the form from which it is translated for other simulators.

Definitions are expanded, measurements and barriers left out, and each gate is split into controls and a plain gate, so that
a translator needs the plain gates only: CX, CCX and an X with ten controls are the gate X to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qsim import Circuit, Gate
from qsim.circuit import GateDefinition
from qsim.gates import GATES, GateRow

Matrix = npt.NDArray[np.complex128]


@dataclass(frozen=True)
class Step:
    """A gate on `targets`, applied where all `controls` are 1.

    `name` is a gate of the gate table that has no controls of its own, or "" where there is only a matrix. `matrix` is
    that of the targets alone, the first of them as the least significant bit.
    """

    name: str
    params: tuple[float, ...]
    controls: tuple[int, ...]
    targets: tuple[int, ...]
    matrix: Matrix

    @property
    def qubits(self) -> tuple[int, ...]:
        """Controls, then targets."""
        return self.controls + self.targets

    @property
    def full_matrix(self) -> Matrix:
        """The matrix of controls and targets, the first control as the least significant bit."""
        count = len(self.controls)
        result = np.eye(1 << len(self.qubits), dtype=np.complex128)
        result[np.ix_(*[np.arange(len(self.matrix)) << count | (1 << count) - 1] * 2)] = self.matrix
        return result


def steps(circuit: Circuit) -> Iterator[Step]:
    """The steps of a circuit without parameters; its global phase, which no measurement shows, is left out."""
    return _steps(circuit, range(circuit.num_qubits))


def _steps(circuit: Circuit, qubits: Sequence[int]) -> Iterator[Step]:
    for instruction in circuit:
        gate = instruction.operation
        if isinstance(gate, Gate):
            operands = tuple(qubits[q] for q in instruction.qubits)
            base, plain = gate.base, not gate.powers
            if isinstance(base, GateDefinition) and plain and not gate.controls:
                values = {p.name: value for p, value in zip(base.parameters, gate.params, strict=True)}
                yield from _steps(base.body.bind(values) if values else base.body, operands)
            elif isinstance(base, GateRow) and plain and all(gate.controls):
                yield from _table_gate(base, _numbers(gate.params), operands, len(gate.controls))
            else:
                yield Step("", (), (), operands, gate.matrix())


def _table_gate(row: GateRow, params: tuple[float, ...], operands: tuple[int, ...], controls: int) -> Iterator[Step]:
    controls += row.controls
    name = plain_name(row)
    if name == "gphase" and controls:  # a phase of the amplitudes where all controls are 1
        angle = params[0]
        yield Step("p", params, operands[: controls - 1], operands[controls - 1 :], GATES["p"].base_matrix(angle))
    elif name not in ("id", "u0", "gphase"):
        yield Step(name, params, operands[:controls], operands[controls:], row.base_matrix(*params))


def plain_name(row: GateRow) -> str:
    """The name of a table gate without its controls, or "" where that is none of the table's."""
    if not row.controls:
        return row.name
    name = {"cu3": "u"}.get(row.name, re.sub(r"^(c\d|c+)", "", row.name))
    return name if name in GATES and GATES[name].num_params == row.num_params else ""


def _numbers(params: Sequence[Any]) -> tuple[float, ...]:
    return tuple(float(value) for value in params)

"""Gradients by parameter-shift rules: from expectation values alone, as a check of the adjoint method.

In one angle p of one gate, every entry of the gate's matrix is a sum of exp(i w p) over few frequencies w, and an
expectation value is one over their differences. Where those are 0 and D alone, two values give the derivative; where
they are 0, D and 2 D, four do. Expressions follow by the chain rule through each gate's own angle.

Sources: Schuld et al., arXiv:1811.11184 (two terms); Anselmetti et al., arXiv:2104.05695 (four terms).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from qsim.circuit import Circuit
from qsim.compiler.formulas import FACTORS, FORMULAS, SHAPES
from qsim.compiler.lowering import MATRIX, lower
from qsim.compiler.program import compile_lowered, postfix
from qsim.errors import QsimError
from qsim.gates import row_by_code
from qsim.kernels import gradients as kernels
from qsim.kernels.opcodes import ANGLES, ROTATION
from qsim.parameters import Parameter
from qsim.pool import part
from qsim.state import evolve

Array = npt.NDArray[Any]


def parameter_shift(
    circuit: Circuit, value_of: Callable[[Array, int], float], parameters: Array, dtype: Any, threads: int
) -> Array:
    """The derivatives of <O> by all parameters, from two or four shifted values for each angle of each gate.

    value_of: gives <O> of a state, exactly or by an estimate; its second argument counts the states.
    """
    lowered = lower(circuit)
    rules: dict[int, list[tuple[float, float]]] = {}
    for code, _, _, first, controls, _ in lowered.rows.tolist():
        if code == MATRIX or row_by_code(code).name not in FORMULAS:
            continue
        gate = row_by_code(code)
        for index in range(gate.num_params):
            if first + index in lowered.expressions:
                rules[first + index] = shift_rule(gate.name, index, bool(controls or gate.controls))
    slots, codes_at, codes, arguments = postfix(lowered.expressions, circuit.parameters)
    # Every angle of every gate becomes a parameter of its own.
    angles = [Parameter(f"angle {slot}") for slot in rules]
    given = {p.name: float(v) for p, v in zip(circuit.parameters, parameters, strict=True)}
    base = np.array([lowered.expressions[slot].evaluate(given) for slot in rules])
    lowered.expressions = dict(zip(rules, angles, strict=True))
    lowered.phase = 0.0
    program = compile_lowered(lowered, circuit.num_qubits, angles, dtype=dtype, natural_start=False)
    slopes: dict[int, float] = {}
    count = 0
    for k, (slot, rule) in enumerate(rules.items()):
        total = 0.0
        with part(k, len(rules)):
            for shift, weight in rule:
                row = base.copy()
                row[k] += shift
                state = evolve(program, row, dtype, threads)
                total += weight * value_of(state, count)
                count += 1
        slopes[slot] = total
    result: Array = np.zeros(len(circuit.parameters))
    weights = np.array([slopes.get(int(slot), 0.0) for slot in slots])
    kernels.through_expressions(codes_at, codes, arguments, np.asarray(parameters, dtype=np.float64), weights, result)
    return result


def shift_rule(name: str, index: int, controlled: bool) -> list[tuple[float, float]]:
    """Pairs (shift, weight) whose weighted sum of shifted values is the derivative by a gate's angle `index`.

    >>> [(round(s, 3), w) for s, w in shift_rule("rx", 0, False)]
    [(1.571, 0.5), (-1.571, -0.5)]
    >>> len(shift_rule("crx", 0, True))
    4
    """
    found = frequencies(name, index) | ({0.0} if controlled else set())
    differences = sorted({round(abs(a - b), 9) for a in found for b in found} - {0.0})
    if not differences:
        return []
    unit = differences[0]
    if differences == [unit]:
        shift = math.pi / (2 * unit)
        return [(shift, unit / 2), (-shift, -unit / 2)]
    if differences == [unit, 2 * unit]:
        # In x = unit p, f' = c1 (f(x + near) - f(x - near)) + c2 (f(x + far) - f(x - far)) is to hold for sin x, sin 2 x.
        near, far = math.pi / 4, 3 * math.pi / 4
        system = np.array([[2 * math.sin(near), 2 * math.sin(far)], [2 * math.sin(2 * near), 2 * math.sin(2 * far)]])
        first, second = np.linalg.solve(system, [1.0, 2.0]).tolist()
        return [(sign * x / unit, sign * unit * c) for x, c in ((near, first), (far, second)) for sign in (1, -1)]
    raise QsimError(
        f"There is no shift rule for parameter {index} of gate '{name}': its frequencies are {differences}. Use gradient, "
        "which takes every gate."
    )


def frequencies(name: str, index: int) -> set[float]:
    """The w of the exp(i w p) that make up a gate's matrix in its parameter `index`."""
    formula = FORMULAS[name]
    shape, _, rows = SHAPES[formula].tolist()
    slopes = FACTORS[formula][:, index].tolist()
    gate_qubits = {"gphase": 0, "p": 1, "rz": 1}.get(name, 2)
    if shape == ANGLES:
        return set(slopes[: 1 << gate_qubits])
    if shape == ROTATION:
        half, row, column, common = slopes[0] / 2, slopes[1], slopes[2], slopes[3]
        return {common + a * row + b * column + sign * half for a in (0, 1) for b in (0, 1) for sign in (1, -1)}
    if index == 0:
        return {0.5, -0.5} | (set() if rows == 0b1111 else {0.0})
    return {0.0, *slopes}

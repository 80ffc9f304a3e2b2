"""How the command line shows the results of jobs: each kind as a table, or as plain data for JSON."""

from __future__ import annotations

import math
from typing import Any

from qsim.linalg import phase_of
from session.display import shown_value
from session.results import EstimationResult, ExecutionDetails, GradientResult, MinimizationResult, StateVectorResult
from session.terminal import aligned, print_table


def plain_result(value: Any) -> Any:
    """A result as what JSON can hold, without the tag that `session.results` gives it.

    >>> plain_result([0.5, EstimationResult(1.0, 0.0)])
    [0.5, {'value': 1.0, 'variance': 0.0, 'standard_error': 0.0, 'metadata': {}}]
    """
    if hasattr(value, "to_dict"):
        return value.to_dict()
    return [plain_result(one) for one in value] if isinstance(value, list) else value


def print_result(value: Any, top: int | None = None) -> None:
    """One result as a person reads it; of long ones the first `top` rows."""
    if isinstance(value, ExecutionDetails):
        _print_counts(value, top)
    elif isinstance(value, StateVectorResult):
        _print_amplitudes(value, top)
    elif isinstance(value, EstimationResult):
        error = repr(value.standard_error) if value.standard_error else "0 (exact)"
        print(
            aligned(["value", repr(value.value)], [["variance", repr(value.variance)], ["standard error", error]], ())
        )
    elif isinstance(value, GradientResult):
        print(aligned(["value", repr(value.value)], [[name, str(slope)] for name, slope in value.items()], ()))
    elif isinstance(value, MinimizationResult):
        found = [[name, str(one)] for name, one in value.optimal_parameters.items()]
        print(aligned(["cost", repr(value.optimal_cost)], [["evaluations", f"{len(value):,}"], *found], ()))
    elif isinstance(value, list):
        for one in value:
            print_result(one, top)
    else:
        print(value)


def _print_counts(details: ExecutionDetails, top: int | None) -> None:
    shots = details.num_shots
    rows = (
        ([bits, *map(shown_value, values.values()), f"{count:,}", f"{count / shots:.4f}"], count / shots)
        for bits, count, values in details.rows()
    )
    header = ["bitstring", *details.outputs, "counts", "probability"]
    print_table(header, rows, len(details.counts), f"{shots:,} shots, seed {details.seed}", top)


def _print_amplitudes(vector: StateVectorResult, top: int | None) -> None:
    states = vector.states
    rows = (([one.bitstring, *_polar(one.amplitude), f"{one.probability:.6f}"], one.probability) for one in states)
    print_table(["state", "amplitude", "phase", "probability"], rows, len(states), f"{vector.num_qubits} qubits", top)


def _polar(amplitude: complex) -> tuple[str, str]:
    return f"{amplitude:+.6f}", f"{phase_of(amplitude) / math.pi:+.4f}π"

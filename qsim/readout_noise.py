"""Outcomes that are misread: exactly on probabilities and on operators, at random on shots."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from qsim.errors import QsimError
from qsim.noise import NoiseModel
from qsim.pauli import SparsePauliOp

Floats = npt.NDArray[np.float64]
#: Terms that an operator may become when its letters get constant parts.
MAX_TERMS = 1_000_000


def misread(probabilities: Floats, qubits: Sequence[int], model: NoiseModel) -> Floats:
    """Probabilities, shape (2**k,), of what is reported when `qubits` (first: least significant bit) are measured."""
    result = probabilities
    for k, qubit in enumerate(qubits):
        error = model.readout_error(qubit)
        if error is not None:
            # Axis 1 is bit k; a row of the error's matrix is an outcome, a column what is reported.
            result = np.einsum("aib,ij->ajb", result.reshape(-1, 2, 1 << k), error.matrix).reshape(-1)
    return np.ascontiguousarray(result)


def misread_bits(
    outcomes: npt.NDArray[np.int64], qubits: Sequence[int], model: NoiseModel, random: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Outcomes of shots, bit q being qubit q, with the bits of `qubits` misread at random."""
    result = outcomes.copy()
    for qubit in qubits:
        error = model.readout_error(qubit)
        if error is not None:
            ones = (outcomes >> qubit) & 1
            wrong = random.random(len(outcomes)) < np.where(ones == 1, error.p10, error.p01)
            result ^= wrong.astype(np.int64) << qubit
    return result


def observed(operator: SparsePauliOp, model: NoiseModel) -> SparsePauliOp:
    """The operator whose expectation value is what measuring `operator`, term by term, would give on average.

    A letter P of a product is read as (1 - p01 - p10) P + (p10 - p01), on each qubit independently.

    >>> from qsim import Pauli
    >>> from qsim.noise import NoiseModel, ReadoutError
    >>> print(observed(Pauli.Z(0), NoiseModel().add_readout_error(ReadoutError(0.0, 0.25))))
    0.75*Z0 + 0.25*I
    """
    if not model.readout_errors:
        return operator
    found: dict[tuple[int, int], complex] = {}
    simple = operator.simplify()
    for x, z, c in zip(simple.x_masks.tolist(), simple.z_masks.tolist(), simple.coefficients.tolist(), strict=True):
        choices: list[list[tuple[int, float]]] = []
        for qubit in range((x | z).bit_length()):
            error = model.readout_error(qubit) if (x | z) >> qubit & 1 else None
            if error is None:
                continue
            kept, constant = 1 - error.p01 - error.p10, error.p10 - error.p01
            choices.append([(0, kept)] + ([(1 << qubit, constant)] if constant else []))
        count = 2 ** sum(len(choice) > 1 for choice in choices)
        if len(found) + count > MAX_TERMS:
            raise QsimError(
                f"With readout errors that are not symmetric a product of k Paulis has 2**k terms; here that is more than "
                f"{MAX_TERMS:,} in all. Take operators on fewer qubits, or sample."
            )
        for dropped in itertools.product(*choices):
            mask, weight = 0, c
            for bit, factor in dropped:
                mask |= bit
                weight *= factor
            key = x & ~mask, z & ~mask
            found[key] = found.get(key, 0) + weight
    return from_masks(found)


def from_masks(terms: dict[tuple[int, int], complex]) -> SparsePauliOp:
    """An operator from (X mask, Z mask) -> coefficient of the product of Paulis."""
    return SparsePauliOp.from_terms(
        [
            ({q: "IXZY"[(x >> q & 1) | 2 * (z >> q & 1)] for q in range((x | z).bit_length()) if (x | z) >> q & 1}, c)
            for (x, z), c in terms.items()
        ]
    )

"""Pauli operators as JSON, exactly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qsim.errors import QsimError
from qsim.pauli import SparsePauliOp


def operator_to_json(operator: SparsePauliOp) -> dict[str, Any]:
    """An operator as its terms: letters with their qubits, real and imaginary part.

    >>> from qsim.pauli import Pauli
    >>> operator_to_json(0.5 * Pauli.Z(0) * Pauli.X(2))
    {'qubits': 3, 'terms': [['Z0 X2', 0.5, 0.0]]}
    """
    terms = [
        [" ".join(f"{letter}{qubit}" for qubit, letter in paulis), coefficient.real, coefficient.imag]
        for paulis, coefficient in operator
    ]
    return {"qubits": operator.num_qubits, "terms": terms}


def operator_from_json(data: Mapping[str, Any]) -> SparsePauliOp:
    """What `operator_to_json` gave.

    >>> from qsim.pauli import Pauli
    >>> operator_from_json(operator_to_json(Pauli.Y(1) / 3)) == Pauli.Y(1) / 3
    True
    """
    try:
        terms = [
            ([(int(pauli[1:]), pauli[0]) for pauli in paulis.split()], complex(real, imag))
            for paulis, real, imag in data["terms"]
        ]
        return SparsePauliOp.from_terms(terms, int(data["qubits"]))
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise QsimError(f"This is no operator of this package's JSON form: {error}") from None

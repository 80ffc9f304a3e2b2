"""Circuits as JSON: `qsim.circuit_json` with the errors of this layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qsim import circuit_json
from qsim.circuit import Circuit
from qsim.errors import CircuitError
from session.errors import SessionError


def circuit_to_json(circuit: Circuit) -> dict[str, Any]:
    """A circuit as plain data; see `qsim.circuit_json.circuit_to_json`."""
    try:
        return circuit_json.circuit_to_json(circuit)
    except CircuitError as error:
        raise SessionError(str(error)) from None


def circuit_from_json(data: Mapping[str, Any]) -> Circuit:
    """What `circuit_to_json` gave.

    Raises:
        SessionError: the data is no circuit.

    >>> circuit_from_json(circuit_to_json(Circuit(2).h(0))).count_ops()
    {'h': 1}
    """
    try:
        return circuit_json.circuit_from_json(data)
    except CircuitError as error:
        raise SessionError(str(error)) from None

"""Pauli operators as JSON: `qsim.operator_json` with the errors of this layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qsim import operator_json
from qsim.errors import QsimError
from qsim.operator_json import operator_to_json
from qsim.pauli import SparsePauliOp
from session.errors import SessionError

__all__ = ["operator_from_json", "operator_to_json"]


def operator_from_json(data: Mapping[str, Any]) -> SparsePauliOp:
    """What `operator_to_json` gave.

    Raises:
        SessionError: the data is no operator.

    >>> from qsim.pauli import Pauli
    >>> operator_from_json(operator_to_json(Pauli.Y(1) / 3)) == Pauli.Y(1) / 3
    True
    """
    try:
        return operator_json.operator_from_json(data)
    except QsimError as error:
        raise SessionError(str(error)) from None

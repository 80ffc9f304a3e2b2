"""Checking the parameter values that a caller gives, and laying them out as rows of numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

import numpy as np
import numpy.typing as npt

from qsim.circuit import Circuit
from qsim.errors import MissingParameterError, ParameterError, suggestion
from qsim.parameters import Expression, Parameter

Floats = npt.NDArray[np.float64]


def bind_parameters(circuit: Circuit, parameters: Any) -> tuple[Floats, bool]:
    """Rows of values in the order of ``circuit.parameters``, shape (sets, parameters), and whether it is a batch.

    Args:
        circuit: whose parameters are bound.
        parameters: None, a mapping from name to number (or to a sequence, for an array parameter), a list of such
            mappings, or a 2-D array of shape (sets, parameters).

    Raises:
        ParameterError: a name is missing or unknown, a length or shape is wrong, a value is not a finite number.

    >>> theta = Parameter("theta")
    >>> bind_parameters(Circuit(1).rx(theta, 0), {"theta": 0.5})
    (array([[0.5]]), False)
    """
    names = circuit.parameters
    if parameters is None and not names:
        return np.empty((1, 0)), False
    if type(parameters) is dict and (row := _plain_row(names, parameters)) is not None:
        return np.array([row]), False
    if parameters is None or isinstance(parameters, Mapping):
        return np.array([_row(names, parameters or {})], dtype=np.float64).reshape(1, len(names)), False
    if isinstance(parameters, np.ndarray) and parameters.dtype != object:
        return _array(names, parameters), True
    if isinstance(parameters, Sequence) and not isinstance(parameters, (str, bytes)):
        if all(isinstance(entry, Mapping) for entry in parameters):
            rows = [_row(names, entry) for entry in parameters]
            return np.array(rows, dtype=np.float64).reshape(len(rows), len(names)), True
        wrong = next((k for k, entry in enumerate(parameters) if not isinstance(entry, Mapping)), 0)
        if any(isinstance(entry, Mapping) for entry in parameters):
            raise ParameterError(
                f"A list of parameter sets has a mapping from name to number in each place; set {wrong} is {parameters[wrong]!r}."
            )
        try:
            return _array(names, np.asarray(parameters, dtype=np.float64)), True
        except (TypeError, ValueError):
            pass
    raise ParameterError(
        "Parameters are a mapping from name to number, a list of such mappings, or a 2-D array of shape (sets, "
        f"{len(names)}); got {type(parameters).__name__}."
    )


def _array(names: Sequence[Parameter], values: npt.NDArray[Any]) -> Floats:
    if values.ndim != 2 or values.shape[1] != len(names):
        raise ParameterError(
            f"An array of parameter sets has shape (sets, {len(names)}), a column for each of "
            f"{_listing(names)}; got shape {values.shape}."
        )
    if values.dtype.kind not in "fiu":
        raise ParameterError(f"Parameter values are real numbers; the array has dtype {values.dtype}.")
    rows = np.ascontiguousarray(values, dtype=np.float64)
    if not np.isfinite(rows).all():
        row, column = np.argwhere(~np.isfinite(rows))[0]
        raise ParameterError(f"Parameter '{names[column].name}' must be finite; set {row} gives {rows[row, column]}.")
    return rows


def _plain_row(names: Sequence[Parameter], given: dict[Any, Any]) -> list[float] | None:
    """The usual case at a tenth of the time: every name as a string, with a finite float; None for anything else."""
    if len(given) != len(names):
        return None
    try:
        row = [given[parameter.name] for parameter in names]
    except KeyError:
        return None
    return row if row and all(type(value) is float and isfinite(value) for value in row) else None


def _row(names: Sequence[Parameter], given: Mapping[Any, Any]) -> list[float]:
    values: dict[str, float] = {}
    groups: dict[str, list[Parameter]] = {}
    for parameter in names:
        if parameter.array is not None:
            groups.setdefault(parameter.array.name, []).append(parameter)
    known = {parameter.name for parameter in names}
    for key, value in given.items():
        name = key.name if isinstance(key, Parameter) else key
        if name in groups:
            values.update(_elements(name, groups[name], value))
        elif name in known:
            values[name] = _number(name, value)
        else:
            shown = [p.name for p in names if p.array is None] + list(groups)
            raise ParameterError(
                f"There is no parameter {name!r}.{suggestion(str(name), shown)} This circuit has {_listing(names)}."
            )
    missing = [parameter for parameter in names if parameter.name not in values]
    if missing:
        raise MissingParameterError(f"Every parameter needs a value; missing: {_listing(missing)}.")
    return [values[parameter.name] for parameter in names]


def _elements(name: str, elements: list[Parameter], value: Any) -> dict[str, float]:
    if isinstance(value, (str, bytes, Mapping)) or not hasattr(value, "__len__"):
        raise ParameterError(f"Parameter '{name}' is an array of {len(elements)} numbers; got {value!r}.")
    if len(value) != len(elements):
        raise ParameterError(f"Parameter '{name}' is an array of {len(elements)} numbers; got {len(value)}.")
    if isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.ndim == 1 and np.isfinite(value).all():
        return dict(zip([element.name for element in elements], value.tolist(), strict=True))
    return {element.name: _number(element.name, entry) for element, entry in zip(elements, value, strict=True)}


def _number(name: str, value: Any) -> float:
    if type(value) is float and isfinite(value):
        return value
    scalar = value.item() if isinstance(value, np.ndarray) and value.ndim == 0 else value
    if isinstance(scalar, Expression):
        raise ParameterError(
            f"Parameter '{name}' is given a number; got the expression {scalar}. Use circuit.bind for that."
        )
    if isinstance(scalar, (bool, np.bool_)) or not isinstance(scalar, (int, float, np.integer, np.floating)):
        raise ParameterError(f"Parameter '{name}' is given a real number; got {value!r}.")
    try:
        number = float(scalar)
    except OverflowError:
        number = float("inf")
    if not isfinite(number):
        raise ParameterError(f"Parameter '{name}' must be finite; got {value!r}.")
    return number


def _listing(names: Sequence[Parameter]) -> str:
    """Names for a message: arrays as a whole, with their length."""
    shown: dict[str, str] = {}
    for parameter in names:
        if parameter.array is None:
            shown[parameter.name] = f"'{parameter.name}'"
        else:
            shown[parameter.array.name] = f"'{parameter.array.name}' ({len(parameter.array)} numbers)"
    text = list(shown.values())
    if not text:
        return "no parameters"
    return ", ".join(text[:12]) + (f" and {len(text) - 12} more" if len(text) > 12 else "")

"""The JSON form of a noise model: a closed, tagged, versioned format that holds numbers and names and nothing to run.

{"format": "qsim.noise_model", "version": 1, "num_qubits": null, "own_gates": [],
 "rules": [{"channel": {"type": "depolarizing", "p": 0.01, "num_qubits": 2}, "gates": ["cx"], "qubits": null}],
 "readout_errors": [{"p01": 0.01, "p10": 0.02, "qubits": null}]}
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from qsim import channels
from qsim.errors import QsimError, suggestion

if TYPE_CHECKING:
    from qsim.noise import NoiseModel

FORMAT, VERSION = "qsim.noise_model", 1
#: Text longer than this is refused before it is parsed, and more rules than this before they are made.
MAX_LENGTH, MAX_RULES = 1 << 26, 100_000
_FIELDS = ("format", "version", "num_qubits", "own_gates", "rules", "readout_errors")


def _matrices(given: Any) -> channels.Channel:
    try:
        arrays = [np.array(matrix, dtype=np.float64) for matrix in given]
    except (TypeError, ValueError):
        raise QsimError("Kraus operators are lists of rows of pairs [real part, imaginary part].") from None
    for array in arrays:
        if array.ndim != 3 or array.shape[2] != 2:
            raise QsimError(f"A Kraus operator is a list of rows of pairs, shape (2**k, 2**k, 2); got {array.shape}.")
    return channels.kraus([array[..., 0] + 1j * array[..., 1] for array in arrays])


#: type -> the constructor and its fields.
_CHANNELS: dict[str, tuple[Callable[..., channels.Channel], tuple[str, ...]]] = {
    "kraus": (lambda matrices: _matrices(matrices), ("matrices",)),
    "pauli": (channels.pauli_channel, ("probabilities",)),
    "depolarizing": (channels.depolarizing, ("p", "num_qubits")),
    "bit_flip": (channels.bit_flip, ("p",)),
    "phase_flip": (channels.phase_flip, ("p",)),
    "amplitude_damping": (channels.amplitude_damping, ("gamma", "excited")),
    "phase_damping": (channels.phase_damping, ("gamma",)),
    "thermal_relaxation": (channels.thermal_relaxation, ("t1", "t2", "time", "excited")),
}


def write(model: NoiseModel) -> str:
    """The model as JSON text."""
    rules = [
        {
            "channel": _finite(rule.channel.spec),
            "gates": list(rule.gates),
            "qubits": None if rule.qubits is None else [list(place) for place in rule.qubits],
        }
        for rule in model.rules
    ]
    errors = [
        {"p01": error.p01, "p10": error.p10, "qubits": None if qubit is None else [qubit]}
        for qubit, error in model.readout_errors.items()
    ]
    made = {
        "format": FORMAT, "version": VERSION, "num_qubits": model.num_qubits, "own_gates": list(model.own_gates),
        "rules": rules, "readout_errors": errors,
    }  # fmt: skip
    return json.dumps(made, allow_nan=False)


def read(given: str | bytes | Mapping[str, Any]) -> NoiseModel:
    """A model from JSON text or from the mapping that it holds; every value goes through the public constructors."""
    from qsim.noise import NoiseModel

    if isinstance(given, (str, bytes)):
        if len(given) > MAX_LENGTH:
            raise QsimError(f"A noise model's JSON has at most {MAX_LENGTH:,} characters, got {len(given):,}.")
        try:
            given = json.loads(given)
        except (ValueError, RecursionError) as error:
            raise QsimError(f"A noise model is JSON text: {error}.") from None
    if not isinstance(given, Mapping):
        raise QsimError(f"A noise model is a JSON object, got {type(given).__name__}.")
    if given.get("format") != FORMAT:
        raise QsimError(f"A noise model's 'format' is '{FORMAT}', got {given.get('format')!r}. Write one by to_json.")
    if given.get("version") != VERSION or isinstance(given.get("version"), bool):
        raise QsimError(f"This reads version {VERSION} of the format, got {given.get('version')!r}.")
    _check_fields(given, _FIELDS, ("format", "version"), "A noise model")
    model = NoiseModel(given.get("num_qubits"), _list(given.get("own_gates", []), "own_gates"))
    for number, rule in enumerate(_list(given.get("rules", []), "rules")):
        where = f"Rule {number}"
        _check_fields(rule, ("channel", "gates", "qubits"), ("channel", "gates"), where)
        try:
            model.add(_channel(rule["channel"]), _list(rule["gates"], "gates"), rule.get("qubits"))
        except QsimError as error:
            raise QsimError(f"{where}: {error}") from None
    for number, error_spec in enumerate(_list(given.get("readout_errors", []), "readout_errors")):
        where = f"Readout error {number}"
        _check_fields(error_spec, ("p01", "p10", "qubits"), ("p01", "p10"), where)
        try:
            model.add_readout_error(
                channels.ReadoutError(error_spec["p01"], error_spec["p10"]), error_spec.get("qubits")
            )
        except QsimError as error:
            raise QsimError(f"{where}: {error}") from None
    return model


def _channel(spec: Any) -> channels.Channel:
    if not isinstance(spec, Mapping) or not isinstance(spec.get("type"), str):
        raise QsimError("A channel is an object with a 'type'.")
    kind = spec["type"]
    if kind not in _CHANNELS:
        raise QsimError(f"There is no channel '{kind}'.{suggestion(kind, _CHANNELS)} There are {', '.join(_CHANNELS)}.")
    make, names = _CHANNELS[kind]
    optional = {"excited", "num_qubits"}
    _check_fields(spec, ("type", *names), tuple(n for n in names if n not in optional), f"Channel '{kind}'")
    values = {name: spec[name] for name in names if name in spec}
    if kind == "thermal_relaxation":
        values = {name: math.inf if value == "inf" else value for name, value in values.items()}
    return make(**values)


def _finite(spec: Mapping[str, Any]) -> dict[str, Any]:
    """JSON has no infinity: a time that never ends is written as text."""
    return {key: "inf" if isinstance(value, float) and math.isinf(value) else value for key, value in spec.items()}


def _list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, (list, tuple)):
        raise QsimError(f"'{what}' of a noise model is a list, got {type(value).__name__}.")
    if len(value) > MAX_RULES:
        raise QsimError(f"'{what}' of a noise model has at most {MAX_RULES:,} entries, got {len(value):,}.")
    return list(value)


def _check_fields(given: Any, known: tuple[str, ...], needed: tuple[str, ...], what: str) -> None:
    if not isinstance(given, Mapping):
        raise QsimError(f"{what} is a JSON object, got {type(given).__name__}.")
    for name in given:
        if name not in known:
            raise QsimError(f"{what} has no field {name!r}.{suggestion(str(name), known)} It has {', '.join(known)}.")
    for name in needed:
        if name not in given:
            raise QsimError(f"{what} needs the field '{name}'.")

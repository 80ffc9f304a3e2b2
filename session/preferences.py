"""What a session may be told about how to run, checked as it is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any

from qsim.errors import QsimError, suggestion
from qsim.methods import METHODS
from session.errors import SessionError

DEFAULT_SHOTS = 2048
MAX_SHOTS = 1 << 40
#: Ways to put terms together that are measured at once; those of `qsim.grouping`.
GROUPINGS = ("qubit-wise", "commuting")
MAX_SEED = 1 << 64


class BackendNames(StrEnum):
    """The simulators of this package.

    `SIMULATOR_STATEVECTOR` samples, and estimates exactly from the statevector; it is the default. `SIMULATOR` does
    everything from shots, as hardware does, so that its estimates have a standard error.

    >>> BackendNames("simulator")
    <BackendNames.SIMULATOR: 'simulator'>
    """

    SIMULATOR = "simulator"
    SIMULATOR_STATEVECTOR = "simulator_statevector"


@dataclass(frozen=True, kw_only=True)
class ExecutionPreferences:
    """How a session runs its program.

    Args:
        num_shots: shots of a `sample`, or of an estimate from shots; at least 1.
        random_seed: makes a session repeatable; drawn by the session when None.
        backend: one of `BackendNames`, "local" for the default one, or the name of another backend (``qsim backends``
            lists them).
        precision: "double" or "single".
        threads: threads of the engine; None takes all cores. Results do not depend on it.
        memory_limit: bytes that a run may take; None takes what is free.
        method: how the engine simulates: "automatic", "statevector", "density_matrix", "stabilizer" or "mps".
        noise: a `qsim.noise.NoiseModel`, its JSON text or mapping, or None for none.
        grouping: how terms of an estimate from shots are put together: "qubit-wise", where they agree qubit by qubit,
            "commuting", which makes fewer groups with entangling gates before the measurement, or None for the backend's
            own way.
        readout_mitigation: measure how often each qubit is misread, and take that out of estimates from shots: True, with
            as many shots for each of two calibration circuits as estimates have, or that number of shots.
        backend_options: what a backend of a plug-in takes besides, by name; plain data.

    Raises:
        SessionError: a value is out of range or of the wrong type.

    >>> ExecutionPreferences(num_shots=100).num_shots
    100
    """

    num_shots: int = DEFAULT_SHOTS
    random_seed: int | None = None
    backend: BackendNames | str = BackendNames.SIMULATOR_STATEVECTOR
    precision: str = "double"
    threads: int | None = None
    memory_limit: int | None = None
    method: str = "automatic"
    noise: Any = None
    grouping: str | None = None
    readout_mitigation: bool | int = False
    backend_options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "num_shots", checked_shots(self.num_shots))
        object.__setattr__(self, "random_seed", checked_seed(self.random_seed))
        object.__setattr__(self, "backend", backend_name(self.backend))
        if self.precision not in ("double", "single"):
            raise SessionError(f"The precision is 'double' or 'single', got {self.precision!r}.")
        for name in ("threads", "memory_limit"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise SessionError(f"{name} is a whole number of at least 1, or None; got {value!r}.")

        if not isinstance(self.method, str) or self.method not in METHODS:
            hint = suggestion(self.method, METHODS) if isinstance(self.method, str) else ""
            raise SessionError(f"There is no method {self.method!r}.{hint} There are {', '.join(METHODS)}.")
        object.__setattr__(self, "noise", _noise_model(self.noise))
        if self.grouping not in (None, *GROUPINGS):
            raise SessionError(f"grouping is {' or '.join(map(repr, GROUPINGS))}, or None; got {self.grouping!r}.")
        if not isinstance(self.readout_mitigation, bool):
            object.__setattr__(self, "readout_mitigation", checked_shots(self.readout_mitigation))
        if not isinstance(self.backend_options, Mapping) or not all(
            isinstance(key, str) for key in self.backend_options
        ):
            raise SessionError(f"backend_options maps names to values, got {self.backend_options!r}.")
        object.__setattr__(self, "backend_options", dict(self.backend_options))

    def __new__(cls, **values: Any) -> ExecutionPreferences:
        _check_names(values)  # before the generated __init__, whose TypeError has no suggestion
        return super().__new__(cls)

    def updated(self, **changes: Any) -> ExecutionPreferences:
        """A copy with some values changed; those given as None stay as they are.

        >>> ExecutionPreferences().updated(num_shots=10, random_seed=None).num_shots
        10
        """
        given = {name: value for name, value in changes.items() if value is not None}
        _check_names(given)
        return replace(self, **given)

    def mitigation_shots(self, num_shots: int) -> int:
        """Shots of each circuit that readout errors are measured with, for estimates of so many; 0 for no mitigation.

        >>> ExecutionPreferences(readout_mitigation=True).mitigation_shots(500)
        500
        """
        if isinstance(self.readout_mitigation, bool):
            return num_shots if self.readout_mitigation else 0
        return self.readout_mitigation

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> ExecutionPreferences:
        """Preferences from names and values, as a configuration file has them.

        >>> ExecutionPreferences.from_mapping({"num_shot": 10})
        Traceback (most recent call last):
        ...
        session.errors.SessionError: There is no preference 'num_shot'. Did you mean 'num_shots'? There are num_shots, random_seed, backend, precision, threads, memory_limit, method, noise, grouping, readout_mitigation, backend_options.
        """  # noqa: E501
        _check_names(values)
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """What JSON can hold; `from_dict` takes it back.

        >>> ExecutionPreferences.from_dict(ExecutionPreferences(num_shots=5).to_dict()) == ExecutionPreferences(num_shots=5)
        True
        """
        data = {one.name: getattr(self, one.name) for one in fields(self)}
        data["backend"] = str(self.backend)
        data["noise"] = None if self.noise is None else self.noise.to_json()
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ExecutionPreferences:
        """What `to_dict` gave."""
        values = dict(data)
        if values.get("noise") is not None:
            from qsim.noise import NoiseModel  # type: ignore[import-not-found,unused-ignore]

            values["noise"] = NoiseModel.from_json(values["noise"])
        return cls.from_mapping(values)


def _noise_model(value: Any) -> Any:
    """A noise model as it is given: itself, its JSON text, or the mapping that this holds."""
    if value is None:
        return None
    from qsim.noise import NoiseModel

    if isinstance(value, NoiseModel):
        return value
    if not isinstance(value, (str, bytes, Mapping)):
        raise SessionError(f"noise is a NoiseModel, its JSON form or None, got {type(value).__name__}.")
    try:
        return NoiseModel.from_json(value)
    except QsimError as error:
        raise SessionError(f"noise: {error}") from None


def checked_preferences(value: ExecutionPreferences | Mapping[str, Any] | None) -> ExecutionPreferences:
    """The preferences that a caller gave as an object, a mapping or not at all."""
    if value is None:
        return ExecutionPreferences()
    if isinstance(value, ExecutionPreferences):
        return value
    if isinstance(value, Mapping):
        return ExecutionPreferences.from_mapping(value)
    raise SessionError(f"execution_preferences is an ExecutionPreferences or a mapping, got {type(value).__name__}.")


def checked_shots(value: Any) -> int:
    """A number of shots, or an error that says the rule.

    >>> checked_shots(10)
    10
    """
    number = _whole(value)
    if number is None or not 1 <= number <= MAX_SHOTS:
        raise SessionError(f"The number of shots is a whole number from 1 to 2**40, got {value!r}.")
    return number


def checked_seed(value: Any) -> int | None:
    """A seed, or None for one that the session draws."""
    if value is None:
        return None
    number = _whole(value)
    if number is None or not 0 <= number < MAX_SEED:
        raise SessionError(f"A seed is a whole number from 0 to 2**64 - 1, got {value!r}.")
    return number


def backend_name(value: Any) -> BackendNames | str:
    """The backend that a caller named, by its member or its text."""
    if isinstance(value, str):
        if value == "local":
            return BackendNames.SIMULATOR_STATEVECTOR
        try:
            return BackendNames(value)
        except ValueError:
            pass
        from session.backends.registry import backend_names

        names = backend_names()
        if value in names:
            return str(value)
        raise SessionError(f"There is no backend '{value}'.{suggestion(value, names)} There are {', '.join(names)}.")
    names = [name.value for name in BackendNames]
    raise SessionError(f"A backend is given by its name, such as {', '.join(names)}; got {type(value).__name__}.")


def _check_names(values: Mapping[str, Any]) -> None:
    known = [field.name for field in fields(ExecutionPreferences)]
    for name in values:
        if name not in known:
            hint = suggestion(str(name), known)
            raise SessionError(f"There is no preference {name!r}.{hint} There are {', '.join(known)}.")


def _whole(value: Any) -> int | None:
    """An integer of any kind but a truth value (numpy's integers have __index__)."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        return None
    try:
        return int(value.__index__())
    except TypeError:  # numpy arrays have the method, and refuse
        return None

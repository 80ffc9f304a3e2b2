"""Noise models: which channels act after which gates, on which qubits, and how outcomes are misread.

>>> from qsim import Circuit, Simulator
>>> model = NoiseModel().add(depolarizing(0.02, 2), "cx").add_readout_error(ReadoutError(0.01, 0.03))
>>> bell = Circuit(2).h(0).cx(0, 1)
>>> Simulator(noise=model).probabilities(bell).round(4)
array([0.4859, 0.0241, 0.0241, 0.4659])
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from qsim.channels import (
    Channel,
    ReadoutError,
    amplitude_damping,
    bit_flip,
    depolarizing,
    kraus,
    pauli_channel,
    phase_damping,
    phase_flip,
    thermal_relaxation,
)
from qsim.errors import QsimError, suggestion
from qsim.gates import ALIASES, GATES

__all__ = [
    "Channel", "NoiseModel", "ReadoutError", "amplitude_damping", "bit_flip", "depolarizing", "kraus", "pauli_channel",
    "phase_damping", "phase_flip", "thermal_relaxation",
]  # fmt: skip

#: What noise attaches to besides the gates of the table, and on how many qubits; None: on any number.
OTHER_NAMES: dict[str, int | None] = {"measure": 1, "reset": 1, "delay": 1, "unitary": None}


@dataclass(frozen=True)
class Rule:
    """One channel after some gates, on some qubits (None: on all)."""

    channel: Channel
    gates: tuple[str, ...]
    qubits: tuple[tuple[int, ...], ...] | None


class NoiseModel:
    """Channels attached to gates, and readout errors attached to qubits.

    A channel acts after the gate, on the gate's qubits, first on first; "measure" is the exception, whose channel acts
    before. A channel of one qubit on a gate of more acts on each of its qubits. All rules that match act, in the order in
    which they were added.

    Names are those of the gate table ("cx", "u3", ...), "measure", "reset", "delay", and "unitary" for matrices. A gate
    with modifiers counts as the table's gate of that matrix (``ctrl @ x`` is "cx"), else by its base's name and control
    values do not matter. A gate that a program defines is noisy as the gates of its body are, unless its own name is in
    `own_gates`: then what is attached to that name acts after the whole of it, and nothing inside.

    Args:
        num_qubits: of the device, if the model is of one: rules for qubits beyond it are refused, and circuits may be
            smaller. Without it, a circuit has to have every qubit that a rule names.
        own_gates: names of gates that programs define.

    >>> model = NoiseModel().add(bit_flip(0.1), ["x", "cx"]).add(depolarizing(0.01, 2), "cx", [(0, 1)])
    >>> [(channel.name, qubits) for channel, qubits in model.channels_for("cx", (0, 1))]
    [('bit_flip', (0,)), ('bit_flip', (1,)), ('depolarizing', (0, 1))]
    """

    def __init__(self, num_qubits: int | None = None, own_gates: Iterable[str] = ()) -> None:
        if num_qubits is not None and (isinstance(num_qubits, bool) or not _is_whole(num_qubits) or num_qubits < 1):
            raise QsimError(f"A noise model's number of qubits is a whole number of at least 1, got {num_qubits!r}.")
        self.num_qubits = None if num_qubits is None else int(num_qubits)
        given = _names(own_gates)
        for name in given:
            if not isinstance(name, str) or not name:
                raise QsimError(f"A gate is named by text, got {name!r}.")
            if name in GATES or name in ALIASES or name in OTHER_NAMES:
                raise QsimError(f"'{name}' is a known gate already; own_gates are those that programs define.")
        self.own_gates = tuple(dict.fromkeys(given))
        self.rules: list[Rule] = []
        self._readout: dict[int | None, ReadoutError] = {}
        self._found: dict[tuple[str, tuple[int, ...]], list[tuple[Channel, tuple[int, ...]]]] = {}

    def add(self, channel: Channel, gates: str | Iterable[str], qubits: Any = None) -> NoiseModel:
        """Attach a channel to gates; returns the model, so that calls chain.

        Args:
            channel: on one qubit, or on as many as each of the gates has.
            gates: a name, or several.
            qubits: the tuples of qubits, in the gate's order, on which the gate is noisy, as ``[(0, 1)]``, or numbers for
                gates on one qubit; None is all. ``cx`` on (0, 1) is not ``cx`` on (1, 0).

        Raises:
            QsimError: for an unknown gate (with the nearest name), a channel that does not fit, and qubits that are out of
                range, repeated, or of another number than the gate's.
        """
        if not isinstance(channel, Channel):
            raise QsimError(
                f"Noise is a Channel, as qsim.noise.depolarizing(0.01) gives, got {type(channel).__name__}. "
                "Readout errors go to add_readout_error."
            )
        names = [self._gate_name(name) for name in _names(gates)]
        if not names:
            raise QsimError("Noise is attached to at least one gate name, got none.")
        places = None if qubits is None else self._places(qubits)
        for name in names:
            count = self._gate_qubits(name)
            if count is not None and channel.num_qubits not in (1, count):
                raise QsimError(
                    f"A channel acts on one qubit or on as many as its gate: '{name}' has {count}, the channel "
                    f"{channel.num_qubits}."
                )
            for place in places or ():
                if len(place) != (
                    channel.num_qubits if count is None and channel.num_qubits > 1 else count or len(place)
                ):
                    raise QsimError(
                        f"Noise on '{name}' is given for {count} qubits at a time, got {place}. Qubits are a list of "
                        "tuples, one for each place where the gate is noisy, as [(0, 1)]."
                    )
        self.rules.append(Rule(channel, tuple(names), places))
        self._found.clear()
        return self

    def add_readout_error(self, error: ReadoutError, qubits: Any = None) -> NoiseModel:
        """Make outcomes of `qubits`, or of all that have no error of their own, be misread; a later call replaces."""
        if not isinstance(error, ReadoutError):
            raise QsimError(f"A readout error is a ReadoutError(p01, p10), got {type(error).__name__}.")
        if qubits is None:
            self._readout[None] = error
            return self
        if _is_whole(qubits):
            qubits = [qubits]
        if isinstance(qubits, (str, bytes, Mapping)) or not isinstance(qubits, Iterable):
            raise QsimError(f"Qubits that are misread are a list of numbers, or one, got {qubits!r}.")
        checked = [self._qubit(qubit) for qubit in qubits]
        if not checked:
            raise QsimError("An empty list of qubits makes no outcome misread. Leave qubits out for all.")
        self._readout.update(dict.fromkeys(checked, error))
        return self

    # reading ------------------------------------------------------------------------------------------------
    def channels_for(self, gate: str, qubits: Sequence[int]) -> list[tuple[Channel, tuple[int, ...]]]:
        """The channels that act after an operation (before it, for "measure"), in order, and on which qubits."""
        key = (ALIASES.get(gate, gate), tuple(qubits))
        found = self._found.get(key)
        if found is None:
            found = []
            for rule in self.rules:
                if key[0] not in rule.gates or (rule.qubits is not None and key[1] not in rule.qubits):
                    continue
                if rule.channel.num_qubits == len(key[1]):
                    found.append((rule.channel, key[1]))
                elif rule.channel.num_qubits == 1:
                    found.extend((rule.channel, (qubit,)) for qubit in key[1])
                else:
                    raise QsimError(
                        f"A channel of {rule.channel.num_qubits} qubits is attached to '{gate}', which here has "
                        f"{len(key[1])} with its controls. Attach a channel of one qubit, which acts on each, or make the gate a "
                        "definition and name it in own_gates."
                    )
            if len(self._found) < 100_000:
                self._found[key] = found
        return found

    def readout_error(self, qubit: int) -> ReadoutError | None:
        """How outcomes of a qubit are misread, if they are."""
        return self._readout.get(qubit, self._readout.get(None))

    @property
    def readout_errors(self) -> dict[int | None, ReadoutError]:
        """Qubit -> error; None stands for all other qubits."""
        return dict(self._readout)

    @property
    def is_pauli(self) -> bool:
        """Whether all channels are mixtures of Paulis."""
        return all(rule.channel.pauli_probabilities is not None for rule in self.rules)

    @property
    def is_ideal(self) -> bool:
        """Whether there is no noise at all."""
        return not self.rules and not self._readout

    def check(self, num_qubits: int) -> None:
        """Raise when the model does not fit a circuit of so many qubits."""
        if self.num_qubits is not None:
            if num_qubits > self.num_qubits:
                raise QsimError(
                    f"The noise model is of a device with {self.num_qubits} qubits, and the circuit has {num_qubits}."
                )
            return
        named = {q for rule in self.rules for place in rule.qubits or () for q in place}
        named |= {q for q in self._readout if q is not None}
        if named and max(named) >= num_qubits:
            raise QsimError(
                f"The noise model names qubit {max(named)}, and the circuit has {num_qubits}, from 0 on. For a model of a "
                f"larger device say NoiseModel(num_qubits={max(named) + 1})."
            )

    def to_json(self) -> str:
        """The model as JSON text: numbers and names only; `from_json` reads it."""
        from qsim.noise_json import write

        text: str = write(self)
        return text

    @staticmethod
    def from_json(given: str | bytes | Mapping[str, Any]) -> NoiseModel:
        """A model from JSON text, or from what a JSON parser made of it.

        Raises:
            QsimError: no model, an unknown version, an unknown field, or values that the constructors refuse.

        >>> NoiseModel.from_json(NoiseModel().add(bit_flip(0.1), "x").to_json())
        NoiseModel(1 rule, 0 readout errors)
        """
        from qsim.noise_json import read

        model: NoiseModel = read(given)
        return model

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, NoiseModel):
            return NotImplemented
        mine, others = [(m.num_qubits, m.own_gates, m.rules, m._readout) for m in (self, other)]
        return mine == others

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        rules, errors = len(self.rules), len(self._readout)
        return (
            f"NoiseModel({rules} rule{'s' * (rules != 1)}, {errors} readout error{'s' * (errors != 1)}"
            f"{'' if self.num_qubits is None else f', {self.num_qubits} qubits'})"
        )

    # checks -------------------------------------------------------------------------------------------------
    def _gate_name(self, name: Any) -> str:
        if not isinstance(name, str):
            raise QsimError(f"A gate is named by text, got {name!r}.")
        known_as: str = ALIASES.get(name, name)
        known = [*GATES, *OTHER_NAMES, *self.own_gates]
        if known_as not in known or known_as == "gphase":
            raise QsimError(
                f"There is no gate '{name}' to attach noise to.{suggestion(name, [*known, *ALIASES])} A gate that a program "
                f"defines is named in NoiseModel(own_gates=[...])."
            )
        return known_as

    def _gate_qubits(self, name: str) -> int | None:
        return GATES[name].num_qubits if name in GATES else OTHER_NAMES.get(name)

    def _places(self, qubits: Any) -> tuple[tuple[int, ...], ...]:
        if _is_whole(qubits):
            qubits = [qubits]
        if isinstance(qubits, (str, bytes, Mapping)) or not isinstance(qubits, Iterable):
            raise QsimError(f"Qubits are a list of tuples, as [(0, 1)], or of numbers, got {qubits!r}.")
        places = []
        for place in qubits:
            numbers = [place] if _is_whole(place) else place
            if isinstance(numbers, (str, bytes)) or not isinstance(numbers, Iterable):
                raise QsimError(f"Qubits are a list of tuples, as [(0, 1)], or of numbers, got {place!r} in it.")
            checked = tuple(self._qubit(qubit) for qubit in numbers)
            if len(set(checked)) < len(checked) or not checked:
                raise QsimError(f"A gate acts on different qubits, got {checked}.")
            places.append(checked)
        if not places:
            raise QsimError("An empty list of qubits attaches noise nowhere. Leave qubits out for all.")
        return tuple(places)

    def _qubit(self, qubit: Any) -> int:
        if not _is_whole(qubit) or qubit < 0:
            raise QsimError(f"A qubit is given by its number, from 0 on, got {qubit!r}.")
        if self.num_qubits is not None and qubit >= self.num_qubits:
            raise QsimError(f"There is no qubit {qubit}: the model is of {self.num_qubits}, from 0 on.")
        return int(qubit)


def _names(given: Any) -> list[Any]:
    """A name, or several, as a list whose entries are yet to be checked."""
    if isinstance(given, str):
        return [given]
    if not isinstance(given, Iterable):
        raise QsimError(f"A gate is named by text, several by a list of texts, got {given!r}.")
    return list(given)


def _is_whole(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, (bool, np.bool_))

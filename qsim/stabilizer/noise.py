"""Pauli noise and readout errors of a noise model, as the tables that the frame kernels read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from qsim.circuit import DELAY, GATE_OBJECT, RESET, ROW, Circuit, GateDefinition
from qsim.compiler.lowering import MATRIX, lower_gate
from qsim.errors import QsimError
from qsim.gates import Gate, row_by_code
from qsim.stabilizer.clifford import Ops, Recognizer

if TYPE_CHECKING:
    from qsim.channels import Channel
    from qsim.noise import NoiseModel

#: A gate under one or two more controls that is a gate of the table itself.
_CONTROLLED = {
    "x": ("cx", "ccx", "c3x", "c4x"), "y": ("cy",), "z": ("cz", "ccz"), "h": ("ch",), "s": ("cs",), "sdg": ("csdg",),
    "sx": ("csx",), "sxdg": ("csxdg",), "p": ("cp",), "rx": ("crx",), "ry": ("cry",), "rz": ("crz",), "swap": ("cswap",),
    "cx": ("ccx", "c3x", "c4x"), "cz": ("ccz",), "ccx": ("c3x", "c4x"), "c3x": ("c4x",),
}  # fmt: skip


class NoiseTables:
    """Collects the channels and readout errors that a program uses."""

    def __init__(self, model: NoiseModel | None) -> None:
        self.model = model
        self._targets: list[int] = []
        self._rows: list[list[tuple[float, int]]] = []
        self._known: dict[int, tuple[Channel, int]] = {}
        self._readout: list[tuple[float, float]] = []
        self._errors: dict[Any, int] = {}

    def channels(self, name: str, qubits: Sequence[int]) -> list[tuple[Channel, tuple[int, ...]]]:
        """What acts at an operation, on which qubits of the circuit."""
        return [] if self.model is None or not name else self.model.channels_for(name, tuple(qubits))

    def add(self, channel: Channel, qubits: Sequence[int]) -> tuple[int, int, int]:
        """(first target, how many, number of the channel) of a channel on qubits of the program."""
        known = self._known.get(id(channel))
        if known is None:
            known = self._known[id(channel)] = (channel, len(self._rows))
            self._rows.append(_rows(channel))
        first = len(self._targets)
        self._targets.extend(qubits)
        return first, len(qubits), known[1]

    def readout(self, qubit: int) -> int:
        """The row of a qubit's readout error, -1 for none."""
        error = None if self.model is None else self.model.readout_error(qubit)
        if error is None:
            return -1
        key = (error.p01, error.p10)
        if key not in self._errors:
            self._errors[key] = len(self._readout)
            self._readout.append(key)
        return self._errors[key]

    def arrays(self) -> tuple[Any, Any, Any]:
        """Targets (entries,), channels (number, rows, 2) and readout errors (rows, 2)."""
        longest = max(map(len, self._rows), default=1)
        channels = np.zeros((len(self._rows), longest, 2))
        for k, rows in enumerate(self._rows):
            channels[k, : len(rows)] = rows
            channels[k, len(rows) :] = (1.0, 0.0)
        return np.array(self._targets, np.int64), channels, np.array(self._readout, np.float64).reshape(-1, 2)


def _rows(channel: Channel) -> list[tuple[float, int]]:
    """(probability of any error, 0), then (cumulative share among the errors, Pauli)."""
    probabilities = channel.pauli_probabilities
    if probabilities is None:
        raise QsimError(
            f"A stabiliser engine takes noise that is a mixture of Paulis; {channel!r} is not. "
            'Use method="statevector" or "density_matrix".'
        )
    errors = [(label, p) for label, p in probabilities.items() if p > 0 and set(label) != {"I"}]
    chance = min(1.0, sum(p for _, p in errors))
    rows, reached = [(chance, 0)], 0.0
    for label, p in errors:
        reached += p
        letters = label[::-1]  # the rightmost letter is the first qubit
        x = sum(1 << k for k, letter in enumerate(letters) if letter in "XY")
        z = sum(1 << k for k, letter in enumerate(letters) if letter in "YZ")
        rows.append((reached / chance, x | z << 4))
    if errors:
        rows[-1] = (1.0, rows[-1][1])
    return rows


def noise_names(
    circuit: Circuit, index: int, recognizer: Recognizer, model: NoiseModel | None
) -> list[tuple[Ops, str, tuple[int, ...]]]:
    """An operation in parts: simple gates, and under which name and on which of its qubits noise acts after them.

    A definition is as noisy as the gates of its body, unless its own name is one that noise is attached to.
    """
    code, _, count, first, controls, _ = circuit._rows[index * ROW : index * ROW + ROW]
    everything = tuple(range(count))
    if code == DELAY:
        return [((), "delay", (k,)) for k in everything]
    if code == RESET:
        return [((), "reset", (k,)) for k in everything]
    ops = recognizer.operations(circuit, index) or ()
    if code != GATE_OBJECT:
        return [(ops, controlled_name(row_by_code(code).name, controls), everything)]
    gate = circuit._objects[first]
    assert isinstance(gate, Gate)
    if not isinstance(gate.base, GateDefinition) or (model is not None and gate.name in model.own_gates):
        name = (
            "unitary" if not hasattr(gate.base, "inverse") and not isinstance(gate.base, GateDefinition) else gate.name
        )
        return [(ops, controlled_name(name, len(gate.controls)), everything)]
    lowered, parts = lower_gate(gate), []
    body = Circuit(gate.num_qubits)
    for code, start, number, value, extra, bits in lowered.rows.tolist():
        qubits = lowered.operands[start : start + number].tolist()
        if code == MATRIX:
            from qsim.gates import UnitaryMatrix

            inner = Gate(UnitaryMatrix(lowered.matrices[value]))
            name = "unitary"
        else:
            row = row_by_code(code)
            inner = Gate(row, *lowered.values[value : value + row.num_params].tolist())
            name = controlled_name(row.name, extra)
        inner = inner._with(controls=tuple((bits >> k) & 1 for k in range(extra)))
        if inner.num_qubits == 0:
            continue
        body.append(inner, range(inner.num_qubits))
        own = recognizer.operations(body, len(body) - 1)
        if own is None:
            return [(ops, "", ())]
        parts.append((tuple((op, qubits[a], qubits[b]) for op, a, b in own), name, tuple(qubits)))
    return parts


def controlled_name(name: str, controls: int) -> str:
    """The table's name of a gate under so many more controls, or the gate's own where there is none.

    >>> controlled_name("x", 1), controlled_name("rxx", 1)
    ('cx', 'rxx')
    """
    if not controls:
        return name
    names = _CONTROLLED.get(name, ())
    return names[controls - 1] if controls <= len(names) else name

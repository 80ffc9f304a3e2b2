"""A program as a session runs it: a circuit that measures, and the names of its outputs."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import isfinite
from typing import Any, Union

import numpy as np
import numpy.typing as npt

from qsim.circuit import MEASURE, Circuit, Measure
from qsim.classical import Assign, bodies
from qsim.errors import MissingParameterError, ParameterError
from qsim.parameter_binding import bind_parameters
from session.circuit_json import circuit_from_json, circuit_to_json
from session.errors import ProgramTypeError, SessionError
from session.outputs import OutputType, types_from_dict, types_to_dict
from session.quantum_program import QuantumProgram, RawNames

_HEADER = re.compile(r"\A(?:\s|//[^\n]*\n|/\*.*?\*/)*OPENQASM\s+(\d)", re.DOTALL)

Source = Union[str, Circuit, QuantumProgram]


@dataclass(frozen=True)
class Program:
    """One circuit for a whole session, so that it is parsed and compiled once.

    `circuit` is as given, `measured` has measurements of all outputs when the program has none. `outputs` maps the
    name of an output to its bits in `kept`, the classical bits that make up a bitstring, least significant first.
    """

    source: Source
    circuit: Circuit
    measured: Circuit
    kept: str | None  # the register that alone is kept, when measurements were added beside registers never written
    outputs: dict[str, tuple[int, ...]]
    is_qasm2: bool = False
    types: dict[str, OutputType] = field(default_factory=dict)
    raw_names: RawNames = field(default_factory=dict)
    include_dirs: tuple[str, ...] = ()  # folders whose files its text may include
    # Of what parameters made of another program: that one's text, folders and, by operation, places in its circuit.
    written: tuple[str, tuple[str, ...], tuple[tuple[int, ...], ...]] | None = field(default=None, compare=False)

    @property
    def includes(self) -> bool:
        """Whether its text may include files, so that it is not the whole program."""
        return bool(self.include_dirs)

    def bind(self, parameters: Any) -> tuple[npt.NDArray[np.float64], bool]:
        """Checked rows of parameter values, shape (sets, parameters), and whether they are a batch.

        Raises:
            ParameterError: by name, shape or type; and any parameter of a program in OpenQASM 2.
        """
        if not self._whole and type(parameters) is dict and (row := self._plain_row(parameters)) is not None:
            return np.array([row]), False
        if self.is_qasm2:
            self._refuse(parameters)
        if self.raw_names and isinstance(parameters, Mapping):
            parameters = self._renamed(parameters)
        elif self.raw_names and isinstance(parameters, (list, tuple)):
            parameters = [self._renamed(one) if isinstance(one, Mapping) else one for one in parameters]
        rows, batched = bind_parameters(self.circuit, parameters)
        self._check_integers(rows)
        return rows, batched

    @cached_property
    def _layout(self) -> list[tuple[str, int]]:
        """Names that a set of parameters has, and their numbers of elements, -1 for a single one."""
        arrays = {p.array.name: len(p.array) for p in self.circuit.parameters if p.array is not None}
        whole = sum(arrays.values()) + sum(p.array is None for p in self.circuit.parameters)
        if whole != len(self.circuit.parameters):
            return []  # an array of which parts are bound: the slow way knows
        names = dict.fromkeys(p.name if p.array is None else p.array.name for p in self.circuit.parameters)
        return [(name, arrays.get(name, -1)) for name in names]

    def _plain_row(self, given: dict[Any, Any]) -> list[float] | None:
        """The usual set, at a tenth of the time: all names there, with finite floats; None for anything else."""
        if not given or len(given) != len(self._layout):
            return None
        row: list[float] = []
        for name, size in self._layout:
            value = given.get(name)
            if size < 0:
                row.append(value)  # type: ignore[arg-type]  # looked at below
                continue
            if type(value) is np.ndarray and value.dtype == np.float64 and value.shape == (size,):
                row += value.tolist()
            elif type(value) is list and len(value) == size:
                row += value
            else:
                return None
        plain = set(map(type, row)) == {float} and isfinite(sum(row))
        return row if plain else None

    @cached_property
    def is_dynamic(self) -> bool:
        """Whether the circuit is more than gates and then measurements."""
        return self.circuit.is_dynamic

    def named(self, row: Sequence[float]) -> dict[str, float | list[float]]:
        """A row of values as a set by name, an array as a list.

        >>> from qsim.parameters import Parameter
        >>> read_program(Circuit(1).rx(Parameter("t"), 0)).named([0.5])
        {'t': 0.5}
        """
        values: dict[str, float | list[float]] = {}
        for parameter, value in zip(self.circuit.parameters, row, strict=True):
            if parameter.array is None:
                values[parameter.name] = float(value)
            else:
                entry = values.setdefault(parameter.array.name, [])
                assert isinstance(entry, list)
                entry.append(float(value))
        return values

    @cached_property
    def measured_qubits(self) -> tuple[int, ...] | None:
        """The qubit that each bit of a bitstring is measured from, -1 for one that is not; None for a dynamic program."""
        if self.measured.is_dynamic:
            return None
        written = {i.clbits[0]: i.qubits[0] for i in self.measured if isinstance(i.operation, Measure)}
        registers = [r for r in self.measured.clbit_registers if self.kept in (None, r.name)]
        return tuple(written.get(bit, -1) for register in registers for bit in register.indices)

    @property
    def output_qubits(self) -> dict[str, tuple[int, ...]]:
        """The qubits of each output, least significant first, -1 for a bit that is not measured.

        Raises:
            SessionError: the program measures midway, so that outputs are no qubits of one state.
        """
        qubits = self.measured_qubits
        if qubits is None:
            raise SessionError(
                "A state vector is of a program of gates, with measurements at its end at most; this one resets, "
                "branches or uses qubits after measuring them. Use sample."
            )
        return {name: tuple(qubits[bit] for bit in bits) for name, bits in self.outputs.items()}

    @property
    def has_measurements(self) -> bool:
        """Whether sampling has anything to read: not in a program without qubits."""
        return bool(self.measured.num_clbits) and (self.measured.is_dynamic or MEASURE in self.measured._rows[::6])

    def with_circuit(self, circuit: Circuit) -> Program:
        """The same program, outputs and parameters, with another circuit over the same qubits, bits and parameters."""
        if isinstance(self.source, QuantumProgram):
            one = self.source
            return _with_outputs(QuantumProgram(circuit, one.outputs, one.types, one.raw_names, one.integers))
        if self.measured is self.circuit:  # its bits are its outputs; where none is written, only this knows them
            return replace(self, source=circuit, circuit=circuit, measured=circuit) if writes_bits(circuit) else self
        return _program(circuit, circuit, is_qasm2=self.is_qasm2)

    # JSON ---------------------------------------------------------------------------------------------------
    @cached_property
    def data(self) -> dict[str, Any]:
        """The program as plain data, which another process can run: its text, or the circuit exactly.

        >>> program = read_program(Circuit(2).h(0))
        >>> Program.from_data(program.data).outputs
        {'q': (0, 1)}
        """
        if isinstance(self.source, str) and not self.includes:
            return {"text": self.source}
        names = {raw: [name, index] for raw, (name, index) in self.raw_names.items()}
        if isinstance(self.source, QuantumProgram):
            kind = types_to_dict(self.types)
            outputs = {name: list(qubits) for name, qubits in self.source.outputs.items()}
            circuit, integers = circuit_to_json(self.circuit), list(self.source.integers)
            return {"circuit": circuit, "program": outputs, "types": kind, "raw_names": names, "integers": integers}
        return {"circuit": circuit_to_json(self.circuit), "is_qasm2": self.is_qasm2}

    @staticmethod
    def from_data(data: Mapping[str, Any]) -> Program:
        """What `data` gave.

        Raises:
            SessionError: it is no program.
        """
        try:
            if "text" in data:
                return read_program(data["text"])
            circuit = circuit_from_json(data["circuit"])
            if "program" in data:
                names = {raw: (name, index) for raw, (name, index) in data["raw_names"].items()}
                types, integers = types_from_dict(data["types"]), data.get("integers", ())
                return read_program(QuantumProgram(circuit, data["program"], types, names, integers))
            return _program(circuit, circuit, is_qasm2=bool(data["is_qasm2"]))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise SessionError(f"This is no program of this package's JSON form: {error}.") from None

    # how ----------------------------------------------------------------------------------------------------
    def _refuse(self, parameters: Any) -> None:
        sets = [parameters] if isinstance(parameters, Mapping) else parameters
        if isinstance(sets, (list, tuple)) and any(isinstance(s, Mapping) and s for s in sets):
            names = ", ".join(dict.fromkeys(repr(name) for s in sets if isinstance(s, Mapping) for name in s))
            raise ParameterError(
                f"OpenQASM 2 has no inputs, so this program takes no parameters; got {names}. "
                "Write it in OpenQASM 3 and declare each, as in 'input float theta;'."
            )

    @cached_property
    def _whole(self) -> list[int]:
        """The columns of a row that hold whole numbers."""
        names = self.source.integers if isinstance(self.source, QuantumProgram) else ()
        owners = [p.name if p.array is None else p.array.name for p in self.circuit.parameters]
        return [column for column, owner in enumerate(owners) if owner in names]

    def _check_integers(self, rows: npt.NDArray[np.float64]) -> None:
        for column in self._whole:
            wrong = rows[rows[:, column] % 1 != 0, column]
            if len(wrong):
                name = self.circuit.parameters[column].name
                raise ParameterError(f"Parameter '{name}' is given a whole number; got {wrong[0]:g}.")

    def _renamed(self, given: Mapping[Any, Any]) -> Mapping[Any, Any]:
        """A parameter set with the names of a file's circuit replaced by those of its variables."""
        if not any(name in self.raw_names for name in given):
            return given
        values: dict[Any, Any] = {name: value for name, value in given.items() if name not in self.raw_names}
        parts: dict[str, dict[int, Any]] = {}
        for raw, value in given.items():
            if raw not in self.raw_names:
                continue
            name, index = self.raw_names[raw]
            if name in values:
                raise ParameterError(f"A parameter is given once; '{raw}' is a name of '{name}', which is given too.")
            if index is None:
                values[name] = value
            else:
                parts.setdefault(name, {})[index] = value
        for name, entries in parts.items():
            elements = {index: raw for raw, (own, index) in self.raw_names.items() if own == name and index is not None}
            missing = [raw for index, raw in sorted(elements.items()) if index not in entries]
            if missing:
                raise MissingParameterError(f"Every parameter needs a value; missing: {', '.join(map(repr, missing))}.")
            values[name] = [entries[index] for index in sorted(entries)]
        return values


def read_program(source: Any, filename: str = "<program>", include_dirs: Sequence[str] = ()) -> Program:
    """A program out of OpenQASM text, a circuit or a quantum program.

    Args:
        source: the text, circuit or quantum program, or a program, which is returned as it is.
        filename: where text came from, for messages.
        include_dirs: folders whose files the text may include.

    Raises:
        ProgramTypeError: for anything else.
        QasmError: for text that is not valid, with the place.

    >>> read_program(Circuit(2).h(0)).outputs
    {'q': (0, 1)}
    """
    if isinstance(source, Program):
        return source
    if isinstance(source, Circuit):
        return _program(source, source.copy())
    if isinstance(source, QuantumProgram):
        return _with_outputs(source)
    if isinstance(source, str):
        if "\n" not in source and len(source) < 1000 and os.path.exists(source):
            raise ProgramTypeError(
                f"A program is given as OpenQASM text, and '{source}' is a file. Read it: Path({source!r}).read_text()."
            )
        if source.lstrip().startswith("{"):
            raise ProgramTypeError(
                "This text is JSON, so it may be a saved quantum program: give QuantumProgram.from_json(text)."
            )
        from parsers import loads

        circuit = loads(source, filename=filename, include_dirs=include_dirs)
        return _program(source, circuit, is_qasm2=_is_qasm2(source), include_dirs=tuple(map(str, include_dirs)))
    raise ProgramTypeError(
        f"A session runs OpenQASM 2 or 3 text (str) or a qsim.Circuit; got {type(source).__name__}. "
        "A QuantumProgram is run too: synthesize makes one of a qfunc, QuantumProgram.from_json of a saved file."
    )


def _is_qasm2(text: str) -> bool:
    header = _HEADER.match(text)
    return header[1] == "2" if header else "qreg" in text


def _program(
    source: str | Circuit, circuit: Circuit, is_qasm2: bool = False, include_dirs: tuple[str, ...] = ()
) -> Program:
    if writes_bits(circuit):
        outputs = {register.name: register.indices for register in circuit.clbit_registers}
        return Program(source, circuit, circuit, None, outputs, is_qasm2, include_dirs=include_dirs)
    measured = circuit.copy().measure_all()
    kept = measured.clbit_registers[-1].name if circuit.num_clbits else None
    outputs = {register.name: register.indices for register in circuit.qubit_registers}
    return Program(source, circuit, measured, kept, outputs, is_qasm2, include_dirs=include_dirs)


def _with_outputs(source: QuantumProgram) -> Program:
    """The outputs of a quantum program are measured at its end, the first in the rightmost bits."""
    circuit = source.circuit
    measured = circuit.copy() if circuit.is_dynamic else without_measurements(circuit)
    qubits = [qubit for group in source.outputs.values() for qubit in group]
    register = measured.add_clbits(len(qubits))
    measured.measure(qubits, register.indices)
    outputs, at = {}, 0
    for name, group in source.outputs.items():
        outputs[name] = tuple(range(at, at + len(group)))
        at += len(group)
    return Program(
        source, circuit, measured, register.name, outputs, types=dict(source.types), raw_names=dict(source.raw_names)
    )


def without_measurements(circuit: Circuit) -> Circuit:
    """A copy without its measurements.

    >>> without_measurements(Circuit(1).h(0).measure_all()).count_ops()
    {'h': 1}
    """
    if MEASURE not in circuit._rows[::6]:
        return circuit.copy()
    copy = circuit.block()
    for parameter in circuit.parameters:
        copy.declare_parameter(parameter)
    copy.global_phase = circuit.global_phase
    for instruction in circuit:
        if not isinstance(instruction.operation, Measure):
            copy._append(instruction.operation, instruction.qubits, instruction.clbits)
    return copy


def writes_bits(circuit: Circuit) -> bool:
    """Whether a circuit measures, or assigns to a classical bit, anywhere in it.

    >>> writes_bits(Circuit(1).h(0)), writes_bits(Circuit(1).measure_all())
    (False, True)
    """
    if "measure" in circuit.count_ops():
        return True
    if not circuit.has_feed_forward:
        return False
    for instruction in circuit:
        operation = instruction.operation
        if isinstance(operation, (Measure, Assign)):
            return True
        if not instruction.qubits and any(writes_bits(body) for body in _bodies(operation)):
            return True
    return False


def _bodies(operation: Any) -> list[Circuit]:
    return list(bodies(operation))

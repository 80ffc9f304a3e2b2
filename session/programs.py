"""A program as a session runs it: a circuit that measures, and the names of its outputs."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qsim.circuit import Circuit, Measure
from qsim.classical import Assign, bodies
from qsim.errors import ParameterError
from qsim.parameter_binding import bind_parameters
from session.errors import ProgramTypeError

_HEADER = re.compile(r"\A(?:\s|//[^\n]*\n|/\*.*?\*/)*OPENQASM\s+(\d)", re.DOTALL)


@dataclass(frozen=True)
class Program:
    """One circuit for a whole session, so that it is parsed and compiled once.

    `circuit` is as given, `measured` has measurements of all qubits when the program has none. `outputs` maps the
    name of an output to its bits in `kept`, the classical bits that make up a bitstring, least significant first.
    """

    source: str | Circuit
    circuit: Circuit
    measured: Circuit
    kept: str | None  # the register that alone is kept, when measurements were added beside registers never written
    outputs: dict[str, tuple[int, ...]]
    is_qasm2: bool = False

    def bind(self, parameters: Any) -> tuple[npt.NDArray[np.float64], bool]:
        """Checked rows of parameter values, shape (sets, parameters), and whether they are a batch.

        Raises:
            ParameterError: by name, shape or type; and any parameter of a program in OpenQASM 2.
        """
        sets = [parameters] if isinstance(parameters, Mapping) else parameters
        if self.is_qasm2 and isinstance(sets, (list, tuple)) and any(isinstance(s, Mapping) and s for s in sets):
            names = ", ".join(dict.fromkeys(repr(name) for s in sets if isinstance(s, Mapping) for name in s))
            raise ParameterError(
                f"OpenQASM 2 has no inputs, so this program takes no parameters; got {names}. "
                "Write it in OpenQASM 3 and declare each, as in 'input float theta;'."
            )
        return bind_parameters(self.circuit, parameters)


def read_program(source: Any, filename: str = "<program>", include_dirs: Sequence[str] = ()) -> Program:
    """A program out of OpenQASM text or a circuit.

    Args:
        source: the text or circuit, or a program, which is returned as it is.
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
    if isinstance(source, str):
        if "\n" not in source and len(source) < 1000 and os.path.exists(source):
            raise ProgramTypeError(
                f"A program is given as OpenQASM text, and '{source}' is a file. Read it: Path({source!r}).read_text()."
            )
        from parsers import loads

        circuit = loads(source, filename=filename, include_dirs=include_dirs)
        return _program(source, circuit, is_qasm2=_is_qasm2(source))
    raise ProgramTypeError(f"A session runs OpenQASM 2 or 3 text (str) or a qsim.Circuit; got {type(source).__name__}.")


def _is_qasm2(text: str) -> bool:
    header = _HEADER.match(text)
    return header[1] == "2" if header else "qreg" in text


def _program(source: str | Circuit, circuit: Circuit, is_qasm2: bool = False) -> Program:
    if writes_bits(circuit):
        outputs = {register.name: register.indices for register in circuit.clbit_registers}
        return Program(source, circuit, circuit, None, outputs, is_qasm2)
    measured = circuit.copy().measure_all()
    kept = measured.clbit_registers[-1].name if circuit.num_clbits else None
    outputs = {register.name: register.indices for register in circuit.qubit_registers}
    return Program(source, circuit, measured, kept, outputs, is_qasm2)


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

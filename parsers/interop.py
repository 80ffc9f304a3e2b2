"""Circuits of other packages: what people hold in their hands. Nothing here is imported before it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from parsers.errors import QasmError

if TYPE_CHECKING:
    from qsim.circuit import Circuit
    from qsim.gates import Gate


def from_qiskit(circuit: Any) -> Circuit:
    """The circuit of a `qiskit.QuantumCircuit`: unitary with global phase, parameters, registers, outcomes.

    Qubit k is qubit k of Qiskit's circuit. Parameters keep their names; elements of a `ParameterVector` become a
    `ParameterArray`. A `for` loop is unrolled; classical variables are kept in bits that no result shows. Gates that are
    not in the gate table come by their definition or their matrix.

    Raises:
        QasmError: Qiskit is not installed (``pip install "qsim-session[qiskit]"``), or the circuit holds what cannot be
            converted, by name.

    Example: ``from_qiskit(QuantumCircuit(2))`` is a `Circuit` of 2 qubits.
    """
    _need("qiskit", "qiskit")
    from parsers.qiskit_reader import read

    try:
        return read(circuit)
    except RecursionError:
        refuse("Definitions or branches are nested too deeply inside one another.")


def to_qiskit(circuit: Circuit) -> Any:
    """A `qiskit.QuantumCircuit` of a circuit, the reverse of `from_qiskit`.

    Bits that belong to no register stay so. Snapshots become barriers, with a `QasmWarning`.

    Raises:
        QasmError: Qiskit is not installed (``pip install "qsim-session[qiskit]"``), or has no word for something: gate
            parameters that depend on measurements, negative integers and real numbers in conditions, `end`.

    Example: ``to_qiskit(Circuit(2).h(0).cx(0, 1))`` is a `QuantumCircuit`.
    """
    _need("qiskit", "qiskit")
    from parsers.qiskit_writer import write

    try:
        return write(circuit)
    except RecursionError:
        refuse("Definitions or branches are nested too deeply inside one another.")


def from_cirq(circuit: Any) -> Circuit:
    """The circuit of a `cirq.Circuit`; its qubits, sorted as Cirq sorts them, become qubits 0, 1 and so on.

    Cirq puts the first qubit leftmost in its matrices; here it is the least significant one. A measurement key becomes a
    register of that name; a symbol becomes a parameter.

    Raises:
        QasmError: Cirq is not installed (``pip install "qsim-session[cirq]"``), or the circuit holds what cannot be
            converted, by name.

    Example: ``from_cirq(cirq.Circuit(cirq.H(cirq.q(0))))`` is a `Circuit` of one qubit.
    """
    _need("cirq", "cirq")
    from parsers.cirq_reader import read

    return read(circuit)


def _need(module: str, extra: str) -> None:
    import importlib.util

    if importlib.util.find_spec(module) is None:
        raise QasmError(f'This needs {module}: pip install "qsim-session[{extra}]".', f"<{module}>")


def under(gate: Gate, values: tuple[int, ...], package: str = "qiskit") -> Gate:
    """A gate with more controls in front, which must have these values."""
    from qsim.gates import MAX_CONTROLS

    total = len(values) + len(gate.controls)
    if total > MAX_CONTROLS:
        refuse(f"A gate has at most {MAX_CONTROLS} controls; '{gate.name}' has {total}.", package)
    return gate._with(controls=(*values, *gate.controls))


def refuse(message: str, package: str = "qiskit") -> NoReturn:
    """What a circuit of another package holds cannot be converted."""
    raise QasmError(message, f"<{package}>")

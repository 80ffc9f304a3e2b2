"""Quantum programs: named outputs of a circuit, and saved program files of the older kind and of the newer one."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from qsim import Circuit, ParameterError
from session import ExecutionSession, OutputType, Pauli, ProgramTypeError, QuantumProgram, SessionError

QASM = """OPENQASM 3.0;
include "stdgates.inc";
input float[64] t_param;
input float[64] p_param_0;
input float[64] p_param_1;
qubit[5] q;
rx(t_param) q[0];
ry(2*p_param_0 + p_param_1) q[3];
x q[1];
x q[4];
"""


def saved(**changes: Any) -> dict[str, Any]:
    """A file of the older kind: x is signed with a fraction bit on qubits 1, 2, 4; qubit 2 and 3 of y in falling order."""
    data = {
        "outputs": {"qasm": QASM},
        "qasm_version": "3.0",
        "data": {"qubit_mapping": {"logical_outputs": {"x": [1, 2, 4], "y": [3, 0]}}},
        "model": {
            "circuit_outputs": {
                "x": {"size": 3, "is_signed": True, "fraction_places": 1},
                "y": {"size": 2, "is_signed": False, "fraction_places": 0},
            }
        },
    }
    return {**data, **changes}


def program(**changes: Any) -> QuantumProgram:
    return QuantumProgram.from_json(json.dumps(saved(**changes)))


def test_a_saved_program_has_its_variables() -> None:
    loaded = program()
    assert loaded.parameters == ("t", "p")
    assert loaded.outputs == {"x": (1, 2, 4), "y": (3, 0)}
    assert loaded.types == {"x": OutputType(True, 1)}
    with ExecutionSession(loaded, num_shots=10) as session:
        details = session.sample({"t": math.pi, "p": [math.pi / 2, 0.0]})
        assert session.program is loaded
    assert details.parsed_counts == [({"x": -1.5, "y": 3}, 10)]
    assert details.counts == {"11101": 10}
    assert details.counts_of_output("x") == {"101": 10}
    assert details.counts_of_qubits(4, 2, 1) == {"101": 10}
    frame = details.dataframe
    assert [str(kind) for kind in frame.dtypes[:2]] == ["float64", "int64"]


@pytest.mark.parametrize(
    "parameters",
    [
        {"t": 0.3, "p": [0.1, 0.2]},
        {"t_param": 0.3, "p": (0.1, 0.2)},
        {"t": 0.3, "p_param_0": 0.1, "p_param_1": 0.2},
        {"p_param_1": 0.2, "t_param": 0.3, "p_param_0": 0.1},
    ],
)
def test_variable_names_and_raw_names_bind(parameters: dict[str, Any]) -> None:
    with ExecutionSession(program()) as session:
        single = session.estimate(Pauli.Z(0) + Pauli.Z(3), parameters)
        batch = session.estimate(Pauli.Z(0) + Pauli.Z(3), [parameters, parameters])
    expected = math.cos(0.3) + math.cos(2 * 0.1 + 0.2)
    assert single.value == pytest.approx(expected)
    assert [result.value for result in batch] == [single.value, single.value]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"t": 0.3}, "missing: 'p' \\(2 numbers\\)"),
        ({"t": 0.3, "p_param_0": 0.1}, "missing: 'p_param_1'"),
        ({"t": 0.3, "t_param": 0.3, "p": [0, 0]}, "given once; 't_param' is a name of 't'"),
        ({"t": 0.3, "p": [0, 0], "p_param_0": 0.0}, "given once; 'p_param_0' is a name of 'p'"),
        ({"t": 0.3, "p": [0]}, "'p' is an array of 2 numbers; got 1"),
        ({"t": 0.3, "p": 1.0}, "'p' is an array of 2 numbers"),
        ({"t": "x", "p": [0, 0]}, "'t' is given a real number"),
        ({"tt": 0.3, "p": [0, 0]}, "There is no parameter 'tt'. Did you mean 't'"),
    ],
)
def test_wrong_parameters_are_named(parameters: dict[str, Any], message: str) -> None:
    with ExecutionSession(program()) as session, pytest.raises(ParameterError, match=message):
        session.sample(parameters)


def test_files_without_a_mapping_have_their_registers() -> None:
    loaded = program(data={}, model=None)
    assert loaded.outputs == {"q": (0, 1, 2, 3, 4)}


def test_openqasm_2_inside_a_file() -> None:
    text = 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[2];\nx q[1];\n'
    data = {"qubit_mapping": {"logical_outputs": {"a": [1], "b": [0]}}}
    loaded = program(outputs={"qasm": text}, qasm_version="2.0", data=data, model={})
    with ExecutionSession(loaded, num_shots=3) as session:
        assert session.sample().parsed_counts[0].state == {"a": 1, "b": 0}


@pytest.mark.parametrize("outputs", [{}, {"qasm": None}, {"qasm": ""}])
def test_a_file_of_the_newer_kind_says_how_to_export_its_circuit(outputs: Any) -> None:
    with pytest.raises(SessionError, match="no circuit in it: 'outputs' is empty.*Export the circuit"):
        program(outputs=outputs)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "A program file is JSON text"),
        ("[1]", "holds a JSON object, got list"),
        ("{}", "This JSON is no program file"),
        ("[" * 100_000, "A program file is JSON text"),
        ('{"format": "qsim-session program", "version": 9}', "version 1 are read, got version 9"),
        ('{"format": "qsim-session program", "version": 1}', "This program file is damaged"),
    ],
)
def test_what_is_no_program_file(text: str, message: str) -> None:
    with pytest.raises(SessionError, match=message):
        QuantumProgram.from_json(text)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"qasm_version": "2.0"}, "OpenQASM 2.0, and the text says 3.0"),
        ({"outputs": {"qasm": 3}}, "'outputs.qasm' is OpenQASM text, got int"),
        ({"data": {"qubit_mapping": {"logical_outputs": {"x": [1, 9, 4], "y": [3, 0]}}}}, "has qubit 9"),
        ({"data": {"qubit_mapping": {"logical_outputs": {"x": [1, 2, 4], "y": [1, 3]}}}}, "qubit 1 is in 'x' and 'y'"),
        ({"data": {"qubit_mapping": {"logical_outputs": {"x": ["a"]}}}}, "maps names to lists of qubits"),
        ({"model": {"circuit_outputs": {"x": {"size": 2}}}}, "size 2 in 'model.circuit_outputs' and 3 qubits"),
        ({"model": {"circuit_outputs": {"x": {"fraction_places": -1}}}}, "-1 fraction places"),
        ({"outputs": {"qasm": QASM.replace("p_param_0", "p_param_7")}}, "'p_param_7' but no 'p_param_0'"),
    ],
)
def test_damaged_files_say_what_is_wrong(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SessionError, match=message):
        program(**changes)


def test_json_given_as_a_program_is_told_apart_from_openqasm() -> None:
    with pytest.raises(ProgramTypeError, match="give QuantumProgram.from_json"):
        ExecutionSession(json.dumps(saved()))


def test_measurements_of_the_circuit_give_way_to_those_of_the_outputs() -> None:
    circuit = Circuit(3, 3).x(0).x(2).measure([0, 1, 2], [2, 1, 0])
    with ExecutionSession(QuantumProgram(circuit, {"a": [0], "b": [1, 2]}), num_shots=4) as session:
        assert session.sample().parsed_counts == [({"a": 1, "b": 2}, 4)]
        assert session.estimate(Pauli.Z(2)).value == -1


def test_a_program_that_branches_has_its_outputs_measured_at_the_end() -> None:
    from qsim.classical import Bits

    circuit = Circuit(2, 1).x(0).measure(0, 0)
    circuit.if_else(Bits((0,)), circuit.block().x(1))
    with ExecutionSession(QuantumProgram(circuit, {"b": [1]}), num_shots=4) as session:
        assert session.sample().counts == {"1": 4}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("x", {}), "has a qsim.Circuit, got str"),
        ((Circuit(2), {"a": [2]}), "Output 'a' has qubit 2; the program has qubits 0 to 1"),
        ((Circuit(2), {"a": [True]}), "has qubit True"),
        ((Circuit(2), {"a": [0, 0]}), "qubit 0 is in 'a' and 'a'"),
        ((Circuit(2), {"a": [0, 1]}, {"a": OutputType(length=3)}), "cannot have the type"),
        ((Circuit(2), {"a": [0]}, {"b": OutputType(True)}), "cannot have the type"),
    ],
)
def test_programs_made_wrongly(arguments: Any, message: str) -> None:
    with pytest.raises(SessionError, match=message):
        QuantumProgram(*arguments)


def test_the_command_line_runs_program_files_on_a_backend(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    from session.cli import main

    file = tmp_path / "program.qprog"
    file.write_text(json.dumps(saved()))
    settings = ["--set", "t=pi", "--set", "p_param_0=0", "--set", "p_param_1=pi"]
    assert main(["run", str(file), *settings, "--shots", "5", "--backend", "simulator", "--json"]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["counts"] == {"11101": 5}
    assert "no measurement" not in shown.err
    assert main(["run", str(file), *settings, "--backend", "simulater"]) == 1
    assert "Did you mean 'simulator'" in capsys.readouterr().err

"""Emulated targets: their gates, couplings, limits and noise, before anything is paid for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import oracle
import pytest
from click.testing import CliRunner

from qsim import Circuit, Parameter, Simulator
from qsim.noise import NoiseModel, ReadoutError, depolarizing
from session import ExecutionSession, Pauli, SessionError
from session.backends.emulated import emulate, target_of
from session.backends.protocol import Capabilities
from session.cli import cli
from session.preparation import TargetError
from session.programs import read_program
from session.tasks import Task, TaskKind

QASM = """OPENQASM 3.0;
include "stdgates.inc";
input float theta;
qubit[3] q;
bit[3] c;
h q[0];
cx q[0], q[1];
ry(theta) q[2];
ccx q[0], q[1], q[2];
c = measure q;
"""


def integers(counts: Any) -> dict[int, int]:
    return {int(key, 2): shots for key, shots in counts.items()}


@pytest.mark.parametrize("gates", [("r", "rz", "rxx"), ("prx", "cz"), ("gpi", "gpi2", "zz"), None])
def test_the_distribution_is_the_programs(gates: Any) -> None:
    with ExecutionSession(QASM, emulate(gates=gates), num_shots=20_000, random_seed=3) as session:
        results = session.sample([{"theta": 0.7}, {"theta": 2.0}])
    for theta, details in zip((0.7, 2.0), results, strict=True):
        exact = oracle.distribution(read_program(QASM).circuit.bind({"theta": theta}))
        oracle.assert_sampled(integers(details.counts), exact)
        assert details.metadata["method"] == "emulated"


def test_it_is_the_rebased_circuit_that_is_noisy() -> None:
    noise = NoiseModel().add(depolarizing(0.05, 2), "rxx").add(depolarizing(0.01), "r")
    noise.add_readout_error(ReadoutError(0.02, 0.05), [1])
    backend = emulate(gates=["r", "rz", "rxx"], noise=noise)
    with ExecutionSession(QASM, backend, num_shots=20_000, random_seed=3) as session:
        details = session.sample({"theta": 0.7})
    program = read_program(QASM)
    rows, batched = program.bind({"theta": 0.7})
    sent = backend.circuits(program, Task(TaskKind.SAMPLE, rows, batched, 1, 1))[0]
    exact = Simulator(noise=noise, method="density_matrix").probabilities(sent)
    oracle.assert_sampled(integers(details.counts), dict(enumerate(exact)))
    quiet = oracle.distribution(program.circuit.bind({"theta": 0.7}))
    with pytest.raises(AssertionError):
        oracle.assert_sampled(integers(details.counts), quiet)


def test_noise_of_native_gates_is_attached_by_their_names() -> None:
    noise = NoiseModel(own_gates=["ms"]).add(depolarizing(0.2, 2), "ms")
    circuit = Circuit(2).cx(0, 1).barrier().cx(0, 1)  # the barrier keeps them apart
    with ExecutionSession(circuit, emulate(gates=["gpi", "gpi2", "ms"], noise=noise), num_shots=5000) as session:
        assert 200 < 5000 - session.sample().counts["00"] < 2500


def test_estimates_and_mitigation_run_on_an_emulated_target() -> None:
    noise = NoiseModel().add_readout_error(ReadoutError(0.05, 0.1))
    circuit = Circuit(2).h(0).cx(0, 1)
    backend = emulate(gates=["rz", "sx", "x", "cz"], noise=noise)
    operator = Pauli.Z(0) * Pauli.Z(1) + Pauli.X(0) * Pauli.X(1)
    with ExecutionSession(circuit, backend, num_shots=20_000, random_seed=1) as session:
        raw = session.estimate(operator)
        session.update_execution_preferences(readout_mitigation=20_000)
        mitigated = session.estimate(operator)
    assert raw.value < 1.6 < 1.9 < mitigated.value < 2.1
    assert abs(mitigated.value - 2) < 5 * mitigated.standard_error


def test_couplings_are_refused_with_the_pair_and_the_line() -> None:
    line = emulate(num_qubits=3, connectivity=[(0, 1), (1, 2)], gates=["rz", "sx", "cz"])
    text = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[3] q;\ncx q[0], q[1];\ncx q[2],\n  q[0];\n'
    with ExecutionSession(text, line) as session, pytest.raises(TargetError, match=r"qubits 2 and 0.*line 5.*Qiskit"):
        session.sample()
    with (
        ExecutionSession(QASM, line) as session,
        pytest.raises(TargetError, match=r"0 and 2, which gate 'ccx'.*line 9"),
    ):
        session.sample({"theta": 0.1})
    with ExecutionSession(Circuit(3).cx(1, 0).swap(2, 1), line, num_shots=5) as session:
        assert session.sample().counts == {"000": 5}


def test_limits_are_refused_before_anything_runs() -> None:
    small = emulate(num_qubits=2, max_shots=100, max_sets=2, feed_forward=False, gates=["u", "cx"], label="tiny")
    theta = Parameter("theta")
    cases = [
        (Circuit(3), {}, "'tiny' has 2 qubits"),
        (Circuit(1).h(0).reset(0), {}, r"has no reset \(operation 1\)"),
        (Circuit(1).rx(theta, 0), {"parameters": [{"theta": 0.1}] * 3}, "at most 2 parameter sets"),
        (Circuit(1), {"num_shots": 101}, "at most 100 shots"),
    ]
    for circuit, arguments, message in cases:
        with ExecutionSession(circuit, small, num_shots=10) as session, pytest.raises(SessionError, match=message):
            session.sample(**arguments)


def test_by_name_with_plain_options_it_runs_as_a_job() -> None:
    options = {"gates": ["r", "rz", "rxx"], "num_qubits": 3, "label": "ions"}
    preferences = {"backend_options": options, "noise": NoiseModel().add_readout_error(ReadoutError(0.0, 1.0), [0])}
    with ExecutionSession(Circuit(2).x(0), "emulated", execution_preferences=preferences, num_shots=7) as session:
        details = session.submit_sample().result(60)
    assert dict(details[0].counts if isinstance(details, list) else details.counts) == {"00": 7}


def test_the_command_line_tries_a_program_on_a_target(tmp_path: Path) -> None:
    file = tmp_path / "bell.qasm"
    head = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\nh q[0];\ncx q[0], q[1];\n'
    file.write_text(head)
    target = [
        "--backend",
        "emulated",
        "--backend-option",
        'gates=["r","rz","rxx"]',
        "--backend-option",
        "feed_forward=false",
    ]
    found = CliRunner().invoke(cli, ["run", str(file), "--shots", "50", "--json", *target])
    assert found.exit_code == 0 and set(json.loads(found.stdout)["counts"]) <= {"00", "11"}
    noise = tmp_path / "noise.json"
    noise.write_text(NoiseModel().add_readout_error(ReadoutError(0.1, 0.1)).to_json())
    mitigated = ["--readout-mitigation", "4000", "--grouping", "qubit-wise", "--noise", str(noise), "--seed", "3"]
    arguments = ["estimate", str(file), "--observable", "Z0*Z1", "--shots", "4000", "--json", *target, *mitigated]
    value = json.loads(CliRunner().invoke(cli, arguments).stdout)["value"]
    assert abs(value - 1) < 0.1
    file.write_text(head + "reset q[0];\n")
    refused = CliRunner().invoke(cli, ["run", str(file), *target])
    assert isinstance(refused.exception, TargetError) or "line 6" in refused.output


def test_a_backend_is_imitated_with_its_own_way_of_rebasing() -> None:
    class Ions:
        name = "ions"
        preparation = {"merge": False, "delays": False}

        def capabilities(self) -> Capabilities:
            return Capabilities(
                operations=frozenset([TaskKind.SAMPLE]), gates=frozenset(["h", "s", "rz", "rx", "cnot"]), is_remote=True
            )

    backend = emulate(Ions())
    assert backend.name == "emulated ions" and not backend.capabilities().is_remote
    task = Task(TaskKind.SAMPLE, np.zeros((1, 0)), False, 1, 1)
    sent = backend.circuits(read_program(Circuit(1).h(0).s(0).h(0).s(0).h(0)), task)[0]
    assert sent.count_ops() == {"h": 3, "s": 2, "measure": 1}
    with ExecutionSession(Circuit(1).delay("1ns", 0), backend) as session, pytest.raises(TargetError, match="no delay"):
        session.sample()
    assert emulate(Ions().capabilities()).name == "emulated"


@pytest.mark.parametrize(("options", "message"), [
    ({"gate": ["x"]}, "no option 'gate'. Did you mean 'gates'"),
    ({"gates": "cx"}, "gates of an emulated target is a list"),
    ({"gates": ["pulse"]}, "None of the gates"),
    ({"connectivity": [(0, 0)]}, "pairs of different qubits"),
    ({"connectivity": [1]}, "pairs of qubits"),
    ({"num_qubits": 0}, "num_qubits of an emulated target is a whole number of at least 1"),
    ({"feed_forward": 1}, "feed_forward of an emulated target is True or False"),
    ({"like": "nowhere"}, "There is no backend 'nowhere'"),
])  # fmt: skip
def test_bad_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SessionError, match=message):
        target_of(options)


def test_what_is_emulated_is_a_backend() -> None:
    with pytest.raises(SessionError, match="Capabilities or a backend, got int"):
        emulate(3)

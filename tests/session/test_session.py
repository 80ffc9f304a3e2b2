"""Sessions: programs, parameters, seeds, defaults, and everything that is refused."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qsim import Circuit, Parameter, ParameterArray, ParameterError, QsimError, Simulator
from qsim.classical import Bits
from session import BackendNames, ExecutionPreferences, ExecutionSession, Pauli, ProgramTypeError, SessionError

THETA = Parameter("theta")
QASM2 = 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[2];\ncreg c[2];\nh q[0];\ncx q[0], q[1];\nmeasure q -> c;\n'
QASM3 = 'OPENQASM 3.0;\ninclude "stdgates.inc";\ninput float theta;\nqubit[2] q;\nry(theta) q[0];\ncx q[0], q[1];\n'


def rotation() -> Circuit:
    return Circuit(2).ry(THETA, 0).cx(0, 1)


# programs and outputs ----------------------------------------------------------------------------------------
def test_openqasm_2_text_runs() -> None:
    with ExecutionSession(QASM2, num_shots=1000, random_seed=1) as session:
        details = session.sample()
    assert set(details.counts) == {"00", "11"}
    assert details.num_shots == 1000
    assert session.program == QASM2


def test_openqasm_3_inputs_are_parameters() -> None:
    with ExecutionSession(QASM3, random_seed=1) as session:
        assert session.sample({"theta": math.pi}).counts == {"11": 2048}
        assert session.estimate(Pauli.Z(0), {"theta": 0.5}).value == pytest.approx(math.cos(0.5))


def test_a_program_without_measurement_is_measured_register_by_register() -> None:
    circuit = Circuit()
    circuit.add_qubits(1, "a")
    circuit.add_qubits(2, "b")
    circuit.x([0, 2])
    with ExecutionSession(circuit, num_shots=5) as session:
        details = session.sample()
    assert details.counts == {"101": 5}
    assert details.parsed_counts[0].state == {"a": 1, "b": 2}


def test_bits_that_are_never_written_are_no_part_of_an_added_measurement() -> None:
    with ExecutionSession(Circuit(2, 3).x(1), num_shots=5) as session:
        assert session.sample().counts == {"10": 5}


def test_measured_registers_are_the_outputs() -> None:
    circuit = Circuit(3)
    circuit.add_clbits(1, "a")
    circuit.add_clbits(2, "b")
    circuit.x([0, 1]).measure([0, 1, 2], [0, 2, 1])
    with ExecutionSession(circuit, num_shots=5) as session:
        details = session.sample()
    assert details.counts == {"101": 5}
    assert details.parsed_counts[0].state == {"a": 1, "b": 2}


def test_feed_forward_is_sampled_and_its_inner_measurements_count() -> None:
    circuit = Circuit(2, 2).x(0).measure(0, 0)
    circuit.if_else(Bits((0,)), circuit.block().x(1).measure(1, 1))
    with ExecutionSession(circuit, num_shots=5) as session:
        assert session.sample().counts == {"11": 5}


def test_the_sessions_circuit_is_a_copy() -> None:
    circuit = Circuit(1)
    with ExecutionSession(circuit, num_shots=5) as session:
        circuit.x(0)
        assert session.sample().counts == {"0": 5}
        assert session.program is circuit


@pytest.mark.parametrize("program", [None, 3, b"OPENQASM 2.0;", [Circuit(1)], Path("x.qasm")])
def test_other_programs_are_refused_with_what_is_accepted(program: Any) -> None:
    with pytest.raises(ProgramTypeError, match=r"OpenQASM 2 or 3 text \(str\) or a qsim.Circuit; got"):
        ExecutionSession(program)


def test_a_file_name_as_program_is_refused_with_advice(tmp_path: Path) -> None:
    file = tmp_path / "bell.qasm"
    file.write_text(QASM2)
    with pytest.raises(QsimError, match="is a file"):
        ExecutionSession(str(file))


def test_bad_openqasm_is_refused_with_the_place() -> None:
    with pytest.raises(QsimError, match="hh"):
        ExecutionSession(QASM2.replace("h q[0]", "hh q[0]"))


# sampling, estimating, batches ---------------------------------------------------------------------------------
def test_shots_default_to_2048_and_can_be_given_for_one_call() -> None:
    with ExecutionSession(Circuit(1)) as session:
        assert session.sample().num_shots == 2048
        assert session.sample(num_shots=7).num_shots == 7
        assert session.sample().num_shots == 2048


def test_a_list_of_parameter_sets_gives_a_list() -> None:
    sets = [{"theta": 0.0}, {"theta": math.pi}]
    with ExecutionSession(rotation(), num_shots=10) as session:
        assert [details.counts for details in session.sample(sets)] == [{"00": 10}, {"11": 10}]
        assert [result.value for result in session.estimate(Pauli.Z(0), sets)] == pytest.approx([1, -1])
        assert [result.value for result in session.observe(Pauli.Z(0), np.array([[0.0]]))] == [1.0]
        assert session.sample([]) == []
        assert session.estimate(Pauli.Z(0), []) == []


def test_estimates_are_exact_by_default() -> None:
    hamiltonian = 0.5 * Pauli.X(0) * Pauli.X(1) + Pauli.Z(1) - 2
    circuit = rotation().ry(0.3, 1)
    with ExecutionSession(circuit) as session:
        result = session.estimate(hamiltonian, {"theta": 0.7})
    simulator = Simulator()
    assert result.value == pytest.approx(simulator.expectation(circuit, hamiltonian, {"theta": 0.7}))
    assert result.variance == pytest.approx(simulator.variance(circuit, hamiltonian, {"theta": 0.7}))
    assert result.standard_error == 0
    assert result.metadata == {"backend": "simulator_statevector", "method": "statevector"}


def test_estimates_ignore_final_measurements() -> None:
    with ExecutionSession(rotation().measure_all()) as session:
        assert session.estimate(Pauli.X(0) * Pauli.X(1), {"theta": math.pi / 2}).value == pytest.approx(1)


def test_array_parameters_and_numpy_numbers() -> None:
    p = ParameterArray("p", 2)
    with ExecutionSession(Circuit(2).rx(p[0], 0).rx(p[1], 1), num_shots=5) as session:
        assert session.sample({"p": (np.float64(np.pi), np.int64(0))}).counts == {"01": 5}


# seeds -----------------------------------------------------------------------------------------------------------
def test_two_calls_differ_and_a_rerun_repeats_them() -> None:
    def run() -> list[dict[str, int]]:
        with ExecutionSession(Circuit(3).h([0, 1, 2]), random_seed=5) as session:
            return [session.sample().counts, session.sample().counts, session.submit_sample().result().counts]

    first = run()
    assert first == run()
    assert first[0] != first[1] != first[2]


def test_a_drawn_seed_is_recorded_and_repeats_the_counts() -> None:
    with ExecutionSession(Circuit(3).h([0, 1, 2])) as session:
        details = session.sample()
        other = session.sample()
    with ExecutionSession(Circuit(3).h([0, 1, 2]), random_seed=details.seed) as session:
        assert session.sample() == details
        assert session.sample() == other


def test_a_refused_call_uses_up_no_seed() -> None:
    with ExecutionSession(Circuit(3).h([0, 1, 2]), random_seed=5) as session:
        with pytest.raises(ParameterError):
            session.sample({"x": 1})
        assert session.sample().seed == 5


def test_a_batch_gives_what_its_sets_give_alone() -> None:
    with ExecutionSession(rotation(), random_seed=5) as session:
        batch = session.sample([{"theta": 1.0}, {"theta": 2.0}])
    with ExecutionSession(rotation(), random_seed=batch[1].seed) as session:
        assert session.sample({"theta": 2.0}) == batch[1]


def test_threads_do_not_change_counts() -> None:
    counts = []
    for threads in (1, 2):
        preferences = ExecutionPreferences(threads=threads, random_seed=3)
        with ExecutionSession(Circuit(10).h(range(10)), execution_preferences=preferences) as session:
            counts.append(session.sample().counts)
    assert counts[0] == counts[1]


# what is refused ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (None, "missing: 'theta'"),
        ({}, "missing: 'theta'"),
        ({"thetta": 1.0}, "Did you mean 'theta'"),
        ({"theta": "1"}, "real number"),
        ({"theta": [1.0, 2.0]}, "real number"),
        ({"theta": math.nan}, "finite"),
        ({"theta": True}, "real number"),
        ({"theta": 1j}, "real number"),
        ([{"theta": 1.0}, {}], "missing: 'theta'"),
        ([{"theta": 1.0}, 3], "mapping"),
        (0.5, "mapping"),
        ("theta", "mapping"),
        (np.zeros((2, 2)), "shape"),
    ],
)
def test_wrong_parameters_are_refused_at_the_call(parameters: Any, message: str) -> None:
    with ExecutionSession(rotation()) as session:
        calls = [
            session.sample,
            session.submit_sample,
            session.check,
            lambda p: session.estimate(Pauli.Z(0), p),
            lambda p: session.submit_estimate(Pauli.Z(0), p),
        ]
        for call in calls:
            with pytest.raises(ParameterError, match=message):
                call(parameters)


def test_parameters_of_openqasm_2_are_refused_with_the_reason() -> None:
    with ExecutionSession("// a comment first\n" + QASM2) as session:
        for parameters in ({"theta": 1.0}, [{"theta": 1.0}]):
            with pytest.raises(ParameterError, match=r"OpenQASM 2 has no inputs.*got 'theta'.*input float"):
                session.sample(parameters)
        assert len(session.sample([{}, {}])) == 2


@pytest.mark.parametrize("shots", [0, -1, 1.5, "10", True, (1 << 40) + 1, np.array([3])])
def test_wrong_shots(shots: Any) -> None:
    with pytest.raises(SessionError, match="number of shots"):
        ExecutionSession(Circuit(1), num_shots=shots)
    with ExecutionSession(Circuit(1)) as session, pytest.raises(SessionError, match="number of shots"):
        session.sample(num_shots=shots)


@pytest.mark.parametrize(
    ("hamiltonian", "message"),
    [
        ("Z0", "SparsePauliOp, got str"),
        (None, "SparsePauliOp, got NoneType"),
        (1j * Pauli.Z(0), "Hermitian"),
        (Pauli.Z(2), "it has 3, the program 2"),
    ],
)
def test_wrong_hamiltonians(hamiltonian: Any, message: str) -> None:
    with ExecutionSession(Circuit(2)) as session:
        for call in (session.estimate, session.submit_estimate):
            with pytest.raises(SessionError, match=message):
                call(hamiltonian)


def test_a_program_that_branches_has_no_expectation_value() -> None:
    with ExecutionSession(Circuit(1).x(0).reset(0)) as session, pytest.raises(SessionError, match="Use sample"):
        session.estimate(Pauli.Z(0))


def test_a_closed_session_is_refused() -> None:
    session = ExecutionSession(Circuit(1))
    session.close()
    session.close()
    calls = [
        session.sample,
        session.submit_sample,
        session.check,
        session.__enter__,
        lambda: session.estimate(Pauli.Z(0)),
        lambda: session.submit_observe(Pauli.Z(0)),
    ]
    for call in calls:
        with pytest.raises(SessionError, match="closed"):
            call()


def test_60_qubits_are_refused_with_numbers_before_a_job_is_made() -> None:
    preferences = ExecutionPreferences(method="statevector")
    with ExecutionSession(Circuit(60).h(range(60)), execution_preferences=preferences) as session:
        for call in (session.sample, session.submit_sample):
            with pytest.raises(MemoryError, match=r"60 qubits needs .* amplitudes of 16 bytes.*available"):
                call()


# preferences -------------------------------------------------------------------------------------------------------
def test_arguments_come_before_preferences() -> None:
    preferences = ExecutionPreferences(num_shots=5, random_seed=1, backend="simulator")  # type: ignore[arg-type]
    with ExecutionSession(Circuit(1), num_shots=7, execution_preferences=preferences) as session:
        assert session.preferences == ExecutionPreferences(num_shots=7, random_seed=1, backend=BackendNames.SIMULATOR)
    with ExecutionSession(Circuit(1), "simulator_statevector", execution_preferences={"num_shots": 9}) as session:
        assert session.preferences.num_shots == 9


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"num_shot": 1}, "Did you mean 'num_shots'"),
        ({"random_seed": -1}, "seed"),
        ({"random_seed": 1 << 64}, "seed"),
        ({"random_seed": "1"}, "seed"),
        ({"backend": "simulater"}, "Did you mean 'simulator'"),
        ({"backend": 1}, "by its name"),
        ({"precision": "half"}, "'double' or 'single'"),
        ({"threads": 0}, "threads"),
        ({"memory_limit": 1.5}, "memory_limit"),
    ],
)
def test_wrong_preferences(values: dict[str, Any], message: str) -> None:
    with pytest.raises(SessionError, match=message):
        ExecutionPreferences(**values)
    with pytest.raises(SessionError, match=message):
        ExecutionSession(Circuit(1), execution_preferences=values)


def test_preferences_of_another_type() -> None:
    with pytest.raises(SessionError, match="execution_preferences"):
        ExecutionSession(Circuit(1), execution_preferences=3)  # type: ignore[arg-type]


def test_a_memory_limit_is_kept() -> None:
    preferences = ExecutionPreferences(memory_limit=1 << 20, method="statevector")
    with (
        ExecutionSession(Circuit(20), execution_preferences=preferences) as session,
        pytest.raises(MemoryError, match="limit is 1 MiB"),
    ):
        session.sample()


def test_reprs() -> None:
    with ExecutionSession(Circuit(1)) as session:
        assert session.get_session_id() in repr(session)
        assert "simulator_statevector" in repr(session)
    assert "closed" in repr(session)


def test_a_list_with_something_else_among_its_parameter_sets_says_which():
    with ExecutionSession(Circuit(1).rx(Parameter("t"), 0)) as session:
        for call in (session.sample, session.submit_sample):
            with pytest.raises(ParameterError, match="set 1 is None"):
                call([{"t": 0.1}, None])

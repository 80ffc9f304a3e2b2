"""Estimates on what only samples, and with readout errors taken out: against exact values, by statistics."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from qsim import Circuit, Parameter, Simulator, SparsePauliOp
from qsim.estimation import measurements
from qsim.noise import NoiseModel, ReadoutError
from session import ExecutionSession, Pauli, SessionError
from session.backends.experiments import experiments, results_of
from session.backends.local import LocalBackend
from session.backends.measuring import plan
from session.backends.mitigation import ReadoutCalibration, _bits
from session.backends.protocol import Capabilities
from session.preferences import ExecutionPreferences
from session.preparation import combine, measurement_groups
from session.programs import Program, read_program
from session.results import Result
from session.tasks import Task, TaskKind

HAMILTONIAN = SparsePauliOp.from_string(
    "0.4*Z0*Z1 - 0.7*Z1*Z2 + 0.3*X0*X1 + 0.2*Y0*Y1 - 0.5*X2 + 0.25*Z0*X1*Y2 + 1.5*I - 0.3*Z2"
)
READOUT = (
    NoiseModel()
    .add_readout_error(ReadoutError(0.03, 0.08), [0])
    .add_readout_error(ReadoutError(0.1, 0.05), [1])
    .add_readout_error(ReadoutError(0.02, 0.12), [2])
)


def ansatz() -> Circuit:
    theta = Parameter("theta")
    return Circuit(3).ry(theta, 0).cx(0, 1).rx(0.8, 2).cx(1, 2).u(0.3, 0.9, -0.4, 1).rz(0.6, 0).ry(1.1, 0)


EXACT = float(Simulator().expectation(ansatz(), HAMILTONIAN, {"theta": 0.9}))


class SamplesOnly:
    """What hardware is: shots, and nothing else."""

    def __init__(self, **preferences: Any) -> None:
        self._local = LocalBackend(ExecutionPreferences(backend="simulator", **preferences))
        self.asked: list[tuple[int, int]] = []

    @property
    def name(self) -> str:
        return "samples"

    def capabilities(self) -> Capabilities:
        return Capabilities(operations=frozenset([TaskKind.SAMPLE]), max_shots=100_000)

    def check(self, program: Program, task: Task) -> None:
        assert task.kind is TaskKind.SAMPLE

    def run(self, program: Program, task: Task) -> list[Result]:
        assert task.kind is TaskKind.SAMPLE
        self.asked.append((len(task.rows), task.num_shots))
        return self._local.run(program, task)


def pulls(results: list[Any]) -> np.ndarray[Any, Any]:
    return np.array([(result.value - EXACT) / result.standard_error for result in results])


@pytest.mark.parametrize("grouping", [None, "qubit-wise", "commuting"])
def test_a_backend_that_samples_estimates_without_bias_and_knows_its_error(grouping: str | None) -> None:
    preferences = {"grouping": grouping} if grouping else {}
    backend = SamplesOnly()
    with ExecutionSession(
        ansatz(), backend, num_shots=400, random_seed=11, execution_preferences=preferences
    ) as session:
        results = session.estimate(HAMILTONIAN, [{"theta": 0.9}] * 300)
        several = session.estimate([HAMILTONIAN, Pauli.Z(0)], {"theta": 0.9})
    found = pulls(results)
    assert abs(found.mean()) < 4 / math.sqrt(len(found))
    assert 0.85 < found.std() < 1.15
    assert len(several) == 2 and results[0].metadata["num_shots"] == 400
    groups = results[0].metadata["groups"]
    assert sum(shots for _, shots in backend.asked[:groups]) == 400
    assert all(rows == 300 for rows, _ in backend.asked[:groups])


def test_qubit_wise_groups_are_turned_by_one_qubit_gates_alone() -> None:
    program = read_program(Circuit(3).h(0))
    rows, batched = program.bind(None)
    task = Task(TaskKind.ESTIMATE, rows, batched, 1000, 1, (HAMILTONIAN,))
    for one in experiments(program, task):
        assert all(len(i.qubits) == 1 for i in one.circuit)


def test_commuting_groups_are_fewer_and_have_entangling_gates() -> None:
    operator = SparsePauliOp.from_string("X0*X1 + Y0*Y1 + Z0*Z1")
    program = read_program(Circuit(2).h(0))
    rows, batched = program.bind(None)
    made = {
        grouping: experiments(program, Task(TaskKind.ESTIMATE, rows, batched, 100, 1, (operator,), grouping=grouping))
        for grouping in ("qubit-wise", "commuting")
    }
    assert [len(parts) for parts in made.values()] == [3, 1]
    assert "cx" in made["commuting"][0].circuit.count_ops()


def test_readout_errors_bias_an_estimate_and_mitigation_takes_the_bias_out() -> None:
    def run(**preferences: Any) -> list[Any]:
        chosen = {"noise": READOUT, **preferences}
        with ExecutionSession(
            ansatz(), "simulator", num_shots=600, random_seed=5, execution_preferences=chosen
        ) as session:
            # one call each, so that each has a calibration of its own
            return [session.estimate(HAMILTONIAN, {"theta": 0.9}) for _ in range(150)]

    biased = np.array([result.value for result in run()])
    results = run(readout_mitigation=2000)
    assert abs(biased.mean() - EXACT) > 0.02
    found = pulls(results)
    assert abs(np.mean([result.value for result in results]) - EXACT) < 0.015
    assert abs(found.mean()) < 4.5 / math.sqrt(len(found))
    assert 0.8 < found.std() < 1.2
    about = results[0].metadata["readout_mitigation"]
    assert about["calibration_shots"] == 2000
    assert about["p01"] == pytest.approx([0.03, 0.1, 0.02], abs=0.02)
    assert about["p10"] == pytest.approx([0.08, 0.05, 0.12], abs=0.03)


def test_few_calibration_shots_are_in_the_error_bar() -> None:
    def errors(shots: int) -> float:
        chosen = {"noise": READOUT, "readout_mitigation": shots}
        with ExecutionSession(
            ansatz(), "simulator", num_shots=5000, random_seed=2, execution_preferences=chosen
        ) as session:
            results = [session.estimate(HAMILTONIAN, {"theta": 0.9}) for _ in range(60)]
        found = pulls(results)
        assert 0.7 < found.std() < 1.3
        return float(np.mean([result.standard_error for result in results]))

    assert errors(100) > 1.5 * errors(10_000)


def test_exact_calibrations_give_exact_means() -> None:
    """The mean over the exact distribution of misread outcomes is the expectation value itself."""
    p01, p10 = np.array([0.03, 0.1, 0.02]), np.array([0.08, 0.05, 0.12])
    calibration = ReadoutCalibration(p01, p10, 0)
    circuit = ansatz().bind({"theta": 0.9})
    program = read_program(circuit)
    task = Task(TaskKind.ESTIMATE, np.zeros((1, 0)), False, 1000, 1, (HAMILTONIAN,))
    made = plan(program, HAMILTONIAN, 1000)
    noisy, many = Simulator(noise=READOUT), 10**15
    outcomes = [
        {k: round(float(p) * many) for k, p in enumerate(noisy.probabilities(one.circuit))}
        for one in experiments(program, task)
    ]
    value, _ = made.estimate(outcomes, calibration)
    assert value == pytest.approx(EXACT, abs=1e-9)


def test_calibrations_come_first_and_once_for_a_batch() -> None:
    program = read_program(ansatz())
    rows, batched = program.bind([{"theta": 0.1}, {"theta": 0.2}])
    task = Task(TaskKind.ESTIMATE, rows, batched, 400, 1, (HAMILTONIAN,), mitigation_shots=77)
    made = experiments(program, task)
    groups = (len(made) - 2) // 2
    assert [one.shots for one in made[:2]] == [77, 77] and made[1].circuit.count_ops()["x"] == 3
    outcomes = [{0: 77}, {7: 77}, *[{0: one.shots} for one in made[2:]]]
    results = results_of(program, task, outcomes, {})
    assert len(results) == 2 and groups > 1
    assert Task.from_dict(task.to_dict()).mitigation_shots == 77


def test_a_qubit_whose_outcome_says_nothing_is_refused() -> None:
    noise = NoiseModel().add_readout_error(ReadoutError(0.5, 0.5), [1])
    with (
        ExecutionSession(
            Circuit(2), "simulator", execution_preferences={"noise": noise, "readout_mitigation": True}, random_seed=1
        ) as session,
        pytest.raises(SessionError, match="Readout errors of qubit 1 cannot be taken out"),
    ):
        session.estimate(Pauli.Z(0) * Pauli.Z(1))


def test_many_outcomes_and_many_qubits() -> None:
    random = np.random.default_rng(1)
    calibration = ReadoutCalibration(np.full(70, 0.02), np.full(70, 0.03), 0)
    outcomes = {int(value) << 30 | k: 1 for k, value in enumerate(random.integers(0, 1 << 40, 20_000))}
    bits, shots = _bits(outcomes, 70)
    assert bits.shape == (70, 20_000) and shots.sum() == 20_000
    assert [sum(int(bits[q, k]) << q for q in range(70)) for k in (0, 7)] == list(outcomes)[0:8:7]
    group = measurements(Pauli.Z(0) * Pauli.Z(5) + Pauli.Z(3), 20, "qubit-wise").groups
    value, error = calibration.estimate(group, [outcomes])
    mean = sum((-1) ** ((key & 1) + (key >> 5 & 1)) for key in outcomes) / 20_000
    assert abs(value) < 10 * error and abs(mean) < 1
    with pytest.raises(SessionError, match="without any shots"):
        calibration.estimate(group, [{}])
    with pytest.raises(SessionError, match="without any shots"):
        plan(read_program(Circuit(1)), Pauli.Z(0), 10).estimate([{}])


def test_groups_and_their_counts_for_those_who_send_circuits_themselves() -> None:
    circuit = ansatz().bind({"theta": 0.9})
    found = []
    for seed in range(40):
        made = measurement_groups(circuit, HAMILTONIAN, 500, "commuting" if seed % 2 else "qubit-wise")
        counts = [
            Simulator().sample(group.circuit, group.shots, seed=100 * seed + k) for k, group in enumerate(made.groups)
        ]
        found.append(combine(made, [{int(key, 2): n for key, n in one.items()} for one in counts]))
    assert abs(pulls(found).mean()) < 4 / math.sqrt(40) and found[0].metadata["num_shots"] == 500
    with pytest.raises(SessionError, match="each of the .* circuits, got 0"):
        combine(made, [])
    with pytest.raises(SessionError, match="grouping is"):
        measurement_groups(circuit, HAMILTONIAN, 500, "all")
    with pytest.raises(SessionError, match="acts on the program's qubits"):
        measurement_groups(Circuit(1), HAMILTONIAN, 500)


def test_bad_preferences() -> None:
    with pytest.raises(SessionError, match="grouping is 'qubit-wise' or 'commuting'"):
        ExecutionPreferences(grouping="fast")
    with pytest.raises(SessionError, match="number of shots"):
        ExecutionPreferences(readout_mitigation=0.5)  # type: ignore[arg-type]
    with (
        ExecutionSession(ansatz(), SamplesOnly(), execution_preferences={"readout_mitigation": 200_000}) as session,
        pytest.raises(SessionError, match="got readout_mitigation=200,000"),
    ):
        session.estimate(HAMILTONIAN, {"theta": 0.1})
    with ExecutionSession(ansatz(), SamplesOnly(), num_shots=3) as session, pytest.raises(SessionError, match="groups"):
        session.estimate(HAMILTONIAN, {"theta": 0.1})


def test_minimisation_on_a_backend_that_samples() -> None:
    circuit = Circuit(1).ry(Parameter("a"), 0)
    with ExecutionSession(circuit, SamplesOnly(), num_shots=2000, random_seed=3) as session:
        found = session.minimize(Pauli.Z(0), {"a": 2.0}, 40)
    assert found.optimal_cost < -0.98


def test_probabilities_without_readout_errors() -> None:
    noisy = Simulator(noise=READOUT).sample(Circuit(3).h(0).cx(0, 1).cx(1, 2).measure_all(), 200_000, seed=4)
    calibration = ReadoutCalibration(np.array([0.03, 0.1, 0.02]), np.array([0.08, 0.05, 0.12]), 0)
    found = calibration.probabilities(dict(noisy), [0, 1, 2])
    assert sum(found.values()) == pytest.approx(1)
    assert found["000"] == pytest.approx(0.5, abs=0.01) and found["111"] == pytest.approx(0.5, abs=0.01)

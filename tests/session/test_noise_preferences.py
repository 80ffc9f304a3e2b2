"""Sessions under a noise model, given as itself or as its JSON form."""

import json

import pytest

from qsim import Circuit, NoiseModel, Pauli
from qsim.noise import ReadoutError, bit_flip, depolarizing
from session import ExecutionPreferences, ExecutionSession
from session.errors import SessionError

MODEL = NoiseModel().add(depolarizing(0.1, 2), "cx").add_readout_error(ReadoutError(0.0, 0.5), [0])
BELL = Circuit(2).h(0).cx(0, 1)


@pytest.mark.parametrize(
    "given", [MODEL, MODEL.to_json(), json.loads(MODEL.to_json())], ids=["model", "text", "mapping"]
)
def test_preferences_take_a_noise_model_in_each_of_its_forms(given):
    preferences = ExecutionPreferences(noise=given, random_seed=1, num_shots=4000)
    assert preferences.noise == MODEL
    assert ExecutionPreferences.from_dict(json.loads(json.dumps(preferences.to_dict()))) == preferences
    with ExecutionSession(BELL, execution_preferences=preferences) as session:
        counts = session.sample().counts
        assert counts["10"] == pytest.approx(4000 * (0.025 + 0.475 * 0.5), abs=200)
        found = session.estimate(Pauli.Z(0) * Pauli.Z(1))
        # Z0 is read as Z0 / 2 + 1 / 2, and <Z1> is 0.
        assert found.value == pytest.approx(0.9 * 0.5, abs=1e-12)
        assert found.metadata["method"] == "density_matrix"


def test_estimates_from_shots_are_trajectories_with_a_standard_error():
    preferences = ExecutionPreferences(noise=MODEL, random_seed=1, num_shots=2000, backend="simulator")
    with ExecutionSession(BELL, execution_preferences=preferences) as session:
        found = session.estimate(Pauli.X(0) * Pauli.X(1))
    assert found.metadata["method"] == "trajectories"
    assert 0 < found.standard_error < 0.05
    assert abs(found.value - 0.45) < 5 * found.standard_error


def test_what_is_no_noise_model_is_refused():
    for bad, message in [
        (3, "a NoiseModel, its JSON form or None"),
        ("{", "noise: .*JSON text"),
        (bit_flip(0.1), "got Channel"),
        (type("Frame", (), {"to_json": lambda self: "{}"})(), "got Frame"),
    ]:
        with pytest.raises(SessionError, match=message):
            ExecutionPreferences(noise=bad)


def test_the_command_line_takes_a_noise_model(tmp_path, capsys):
    from session.cli import main

    program, model = tmp_path / "bell.qasm", tmp_path / "noise.json"
    program.write_text('OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; h q[0]; cx q[0], q[1];')
    model.write_text(MODEL.to_json())
    assert main(["estimate", str(program), "--observable", "Z0*Z1", "--noise", str(model), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["value"] == pytest.approx(0.45, abs=1e-12)
    assert main(["run", str(program), "--noise", str(model), "--shots", "100", "--seed", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["num_shots"] == 100
    model.write_text("{}")
    assert main(["run", str(program), "--noise", str(model)]) == 1
    assert "qsim.noise_model" in capsys.readouterr().err


def test_trajectories_give_no_exact_estimates_and_the_call_says_so():
    preferences = ExecutionPreferences(noise=MODEL, method="statevector")
    with ExecutionSession(BELL, execution_preferences=preferences, num_shots=10) as session:
        for call in (session.estimate, session.submit_estimate, session.estimate_cost):
            with pytest.raises(SessionError, match=r"runs trajectories.*method='automatic'"):
                call(Pauli.Z(0))
        assert session.sample().num_shots == 10

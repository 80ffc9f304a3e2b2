"""The examples of circuits that branch do what their comments say, by statevectors and by the method that is chosen."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from parsers import load
from qsim import Simulator

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(params=["statevector", "automatic"])
def simulator(request):
    return Simulator(threads=1, method=request.param)


def outcomes(name, **values):
    """Exact probabilities by register: (values of the registers) -> probability, zeros left out."""
    circuit = load(EXAMPLES / f"{name}.qasm")
    exact, registers = Simulator(threads=1).outcome_probabilities(circuit, values or None), circuit.clbit_registers
    result = {}
    for key, probability in exact.items():
        bits = {index: key[len(key) - 1 - index] for index in range(len(key))}
        parts = tuple("".join(bits[k] for k in reversed(register.indices)) for register in registers)
        result[parts] = probability
    assert math.isclose(sum(exact.values()), 1, abs_tol=1e-12)
    return result


def test_teleportation(simulator):
    circuit = load(EXAMPLES / "teleport.qasm")
    counts = simulator.sample(circuit, 1000, {"theta": 0.8}, seed=1)
    assert counts.of_register("received") == {"0": 1000}
    exact = outcomes("teleport", theta=0.8)
    assert {key[1] for key in exact} == {"0"} and all(math.isclose(p, 0.25) for p in exact.values())


def test_repeat_until_success(simulator):
    counts = simulator.sample(load(EXAMPLES / "repeat_until_success.qasm"), 2000, seed=2)
    assert counts.of_register("check") == {"0": 2000} and counts.of_register("flags") == {"00": 2000}
    assert set(outcomes("repeat_until_success")) == {("00", "0")}


def test_iterative_phase_estimation(simulator):
    assert simulator.sample(load(EXAMPLES / "phase_estimation.qasm"), 100, seed=3) == {"1011": 100}
    assert set(outcomes("phase_estimation")) == {("1011",)}


def test_five_rounds_of_a_repetition_code_with_feedback(simulator):
    counts = simulator.sample(load(EXAMPLES / "repetition_code.qasm"), 5000, seed=4)
    share = counts.of_register("result")["111"] / 5000
    assert abs(share - math.sin(0.3) ** 2) < 0.02
    exact = outcomes("repetition_code")
    assert math.isclose(exact["01", "111"], math.sin(0.3) ** 2) and math.isclose(exact["01", "000"], math.cos(0.3) ** 2)


def test_a_distance_three_surface_code_patch(simulator):
    counts = simulator.sample(load(EXAMPLES / "surface_code.qasm"), 3000, seed=5)
    assert counts.of_register("z_first") == {"0000": 3000} and counts.of_register("z_second") == {"0010": 3000}
    for key in counts:
        result, _, x_second, _, x_first = key[:9], key[9:13], key[13:17], key[17:21], key[21:]
        assert x_first == x_second
        assert (int(result[8]) + int(result[5]) + int(result[2])) % 2 == 0
    exact = outcomes("surface_code")
    assert len(exact) == 256 and all(math.isclose(p, 1 / 256) for p in exact.values())

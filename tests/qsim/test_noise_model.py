"""Channels and noise models as objects: what they are made of, what is refused, and their JSON form."""

import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsim import NoiseModel, QsimError
from qsim.noise import (
    ReadoutError,
    amplitude_damping,
    bit_flip,
    depolarizing,
    kraus,
    pauli_channel,
    phase_damping,
    phase_flip,
    thermal_relaxation,
)

X, Y, Z = np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), np.diag([1, -1])
RHO = np.array([[0.3, 0.1 - 0.2j], [0.1 + 0.2j, 0.7]])


def applied(channel, rho):
    return sum(k @ rho @ k.conj().T for k in channel.kraus)


def random_kraus(seed, qubits, count):
    random = np.random.default_rng(seed)
    size = 1 << qubits
    tall = random.normal(size=(count * size, size)) + 1j * random.normal(size=(count * size, size))
    return list(np.linalg.qr(tall)[0].reshape(count, size, size))


CHANNELS = [
    depolarizing(0.1), depolarizing(0.3, 2), depolarizing(1.0), depolarizing(4 / 3), bit_flip(0.2), phase_flip(1.0),
    pauli_channel({"X": 0.1, "Y": 0.2}), pauli_channel({"XI": 0.1, "ZY": 0.3, "II": 0.6}), amplitude_damping(0.3),
    amplitude_damping(0.3, 0.2), amplitude_damping(1.0), phase_damping(0.5), phase_damping(1.0),
    thermal_relaxation(50, 70, 10), thermal_relaxation(50, 30, 10, 0.1), thermal_relaxation(50, 100, 1e4),
    thermal_relaxation(math.inf, 20, 3), kraus(random_kraus(1, 1, 3)), kraus(random_kraus(2, 2, 4)),
]  # fmt: skip


@pytest.mark.parametrize("channel", CHANNELS, ids=repr)
def test_every_channel_preserves_the_trace_and_survives_json(channel):
    total = sum(k.conj().T @ k for k in channel.kraus)
    assert np.abs(total - np.eye(len(total))).max() < 1e-12
    model = NoiseModel().add(channel, "cx" if channel.num_qubits == 2 else "x")
    again = NoiseModel.from_json(model.to_json())
    assert again == model
    assert np.allclose(again.rules[0].channel.superoperator(), channel.superoperator(), atol=1e-15)


def test_depolarizing_mixes_with_the_identity_as_aer_does():
    assert np.allclose(applied(depolarizing(0.2), RHO), 0.8 * RHO + 0.1 * np.eye(2), atol=1e-15)
    assert np.allclose(applied(depolarizing(1.0), RHO), np.eye(2) / 2, atol=1e-15)


def test_damping_and_relaxation_follow_their_formulas():
    damped = applied(amplitude_damping(0.36), RHO)
    assert np.allclose(damped, [[0.3 + 0.36 * 0.7, 0.8 * RHO[0, 1]], [0.8 * RHO[1, 0], 0.64 * 0.7]], atol=1e-15)
    assert np.allclose(applied(phase_damping(0.36), RHO), [[0.3, 0.8 * RHO[0, 1]], [0.8 * RHO[1, 0], 0.7]], atol=1e-15)
    for t1, t2, excited in [(50.0, 70.0, 0.0), (50.0, 100.0, 0.25), (50.0, 10.0, 1.0), (1e3, 1.0, 0.0)]:
        relaxed = applied(thermal_relaxation(t1, t2, 20.0, excited), RHO)
        keep = math.exp(-20 / t1)
        assert relaxed[1, 1] == pytest.approx(0.7 * keep + excited * (1 - keep), abs=1e-14)
        assert relaxed[0, 1] == pytest.approx(RHO[0, 1] * math.exp(-20 / t2), abs=1e-14)
        assert np.trace(relaxed) == pytest.approx(1, abs=1e-14)


def test_the_first_qubit_is_the_rightmost_letter():
    channel = pauli_channel({"IX": 1.0})
    assert np.allclose(channel.kraus[0], np.kron(np.eye(2), X))
    assert np.allclose(bit_flip(1.0).tensor(phase_flip(1.0)).kraus[0], np.kron(Z, X))


def test_kraus_operators_that_are_paulis_are_recognised():
    weights = {"II": 0.4, "XY": 0.3, "ZZ": 0.2, "YI": 0.1}
    letters = {"I": np.eye(2), "X": X, "Y": Y, "Z": Z}
    matrices = [1j * math.sqrt(p) * np.kron(letters[a], letters[b]) for (a, b), p in weights.items()]
    found = kraus(matrices).pauli_probabilities
    assert found == pytest.approx(weights)
    assert amplitude_damping(0.1).pauli_probabilities is None
    assert kraus([np.diag([1, 1j])]).pauli_probabilities is None


@given(st.integers(0, 100), st.integers(0, 100))
def test_composition_and_tensor_product_are_those_of_the_maps(first, second):
    a, b = kraus(random_kraus(first, 1, 2)), kraus(random_kraus(second, 1, 3))
    assert np.allclose(applied(a.compose(b), RHO), applied(b, applied(a, RHO)), atol=1e-12)
    both = np.kron(RHO.T, RHO)
    assert np.allclose(applied(a.tensor(b), both), np.kron(applied(b, RHO.T), applied(a, RHO)), atol=1e-12)
    assert np.allclose((a.superoperator() @ RHO.T.reshape(-1)).reshape(2, 2).T, applied(a, RHO), atol=1e-12)


def test_paulis_compose_to_paulis():
    both = depolarizing(0.1).compose(pauli_channel({"X": 0.1, "Y": 0.2}))
    assert both.pauli_probabilities is not None
    expected = applied(pauli_channel({"X": 0.1, "Y": 0.2}), applied(depolarizing(0.1), RHO))
    assert np.allclose(applied(both, RHO), expected, atol=1e-14)


BAD_CHANNELS = [
    (lambda: kraus([np.eye(2), 0.1 * X]), "off by 0.01"),
    (lambda: kraus([]), "at least one"),
    (lambda: kraus([np.eye(3)]), r"\(2\*\*k, 2\*\*k\)"),
    (lambda: kraus([np.eye(2), np.eye(4)]), "one shape"),
    (lambda: kraus([np.full((2, 2), np.nan)]), "finite"),
    (lambda: kraus([np.eye(64)]), "at most 4 qubits"),
    (lambda: kraus(["a"]), "array of complex numbers|shape"),
    (lambda: pauli_channel({"X": 0.7, "Z": 0.6}), "add up to 1"),
    (lambda: pauli_channel({"I": 0.5, "Z": 0.1}), "add up to 1"),
    (lambda: pauli_channel({"Q": 0.1}), "letters I, X, Y and Z"),
    (lambda: pauli_channel({"X": 0.1, "XX": 0.1}), "one length"),
    (lambda: pauli_channel({}), "label -> probability"),
    (lambda: depolarizing(1.5), "from 0 to 1.33333"),
    (lambda: depolarizing(0.1, 0), "at least 1"),
    (lambda: depolarizing(math.nan), "from 0 to"),
    (lambda: bit_flip(-0.1), "from 0 to 1"),
    (lambda: bit_flip("a"), "number from 0 to 1"),
    (lambda: amplitude_damping(1.1), "from 0 to 1"),
    (lambda: thermal_relaxation(10, 21, 1), "T2 is at most 2 T1"),
    (lambda: thermal_relaxation(0, 1, 1), "T1 is positive"),
    (lambda: thermal_relaxation(1, 1, -1), "at least 0"),
    (lambda: thermal_relaxation(1, 1, math.nan), "at least 0"),
    (lambda: ReadoutError(0.1, 2), "from 0 to 1"),
    (lambda: bit_flip(10**400), "from 0 to 1, got a whole number of 1329 bits"),
    (lambda: thermal_relaxation(10**400, 1, 1), "a double can hold"),
    (lambda: kraus([np.diag([1e200, 1])]), "larger than 1; number 0 has one of 1e.200"),
    (lambda: bit_flip(0.1).compose(depolarizing(0.1, 2)), "as many qubits"),
    (lambda: depolarizing(0.1, 3).tensor(depolarizing(0.1, 2)), "at most 4"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "message"), BAD_CHANNELS)
def test_a_bad_channel_is_refused_with_the_rule(make, message):
    with pytest.raises(QsimError, match=message):
        make()


def test_rules_match_names_aliases_and_qubits():
    model = NoiseModel().add(bit_flip(0.1), ["u3", "cu1"]).add(depolarizing(0.1, 2), "cx", [(0, 1), (2, 1)])
    model.add(phase_flip(0.1), "x", [3])
    assert [(c.name, q) for c, q in model.channels_for("u", (4,))] == [("bit_flip", (4,))]
    assert [(c.name, q) for c, q in model.channels_for("cp", (4, 0))] == [("bit_flip", (4,)), ("bit_flip", (0,))]
    assert [c.name for c, _ in model.channels_for("cx", (2, 1))] == ["depolarizing"]
    assert model.channels_for("cx", (1, 2)) == []
    assert [c.name for c, _ in model.channels_for("x", (3,))] == ["phase_flip"]
    assert model.channels_for("x", (0,)) == []


def test_readout_errors_have_a_default_and_exceptions():
    model = NoiseModel().add_readout_error(ReadoutError(0.1, 0.2)).add_readout_error(ReadoutError(0, 0.5), [1, 2])
    assert model.readout_error(0) == ReadoutError(0.1, 0.2)
    assert model.readout_error(2) == ReadoutError(0, 0.5)
    assert NoiseModel().readout_error(0) is None


BAD_RULES = [
    (lambda m: m.add(bit_flip(0.1), "cxx"), "Did you mean 'cx'"),
    (lambda m: m.add(bit_flip(0.1), "oracle"), "own_gates"),
    (lambda m: m.add(bit_flip(0.1), []), "at least one gate"),
    (lambda m: m.add(bit_flip(0.1), 3), "named by text"),
    (lambda m: m.add(bit_flip(0.1), "cx", (0, 1)), r"as \[\(0, 1\)\]"),
    (lambda m: m.add(bit_flip(0.1), "x", {0: 1}), "list of tuples"),
    (lambda m: m.add_readout_error(ReadoutError(0.1, 0.1), 1.5), "list of numbers"),
    (lambda m: m.add_readout_error(ReadoutError(0.1, 0.1), []), "empty list"),
    (lambda m: NoiseModel(own_gates=5), "named by text"),
    (lambda m: m.add(depolarizing(0.1, 2), "x"), "'x' has 1"),
    (lambda m: m.add(depolarizing(0.1, 2), "ccx"), "'ccx' has 3"),
    (lambda m: m.add(bit_flip(0.1), "cx", [0]), "2 qubits at a time"),
    (lambda m: m.add(bit_flip(0.1), "x", [(0, 1)]), "1 qubits at a time"),
    (lambda m: m.add(bit_flip(0.1), "cx", [(0, 0)]), "different qubits"),
    (lambda m: m.add(bit_flip(0.1), "x", [-1]), "from 0 on"),
    (lambda m: m.add(bit_flip(0.1), "x", []), "empty list"),
    (lambda m: m.add(bit_flip(0.1), "x", "01"), "list of tuples"),
    (lambda m: m.add(ReadoutError(0.1, 0.1), "x"), "add_readout_error"),
    (lambda m: m.add(0.1, "x"), "Channel"),
    (lambda m: m.add_readout_error(0.1), "ReadoutError"),
    (lambda m: m.add_readout_error(ReadoutError(0.1, 0.1), [True]), "by its number"),
    (lambda m: NoiseModel(2).add(bit_flip(0.1), "x", [2]), "model is of 2"),
    (lambda m: NoiseModel(0), "at least 1"),
    (lambda m: NoiseModel(own_gates=["cx"]), "known gate"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "message"), BAD_RULES)
def test_a_bad_rule_is_refused_with_the_rule(make, message):
    with pytest.raises(QsimError, match=message):
        make(NoiseModel())


def good_json():
    return json.loads(NoiseModel().add(bit_flip(0.1), "x").add_readout_error(ReadoutError(0.1, 0.2), [0]).to_json())


def changed(**changes):
    return {**good_json(), **changes}


BAD_JSON = [
    ("{", "JSON text"),
    ("[]", "JSON object"),
    (changed(format="other"), "'format'"),
    (changed(version=2), "version 1"),
    (changed(extra=1), "no field 'extra'"),
    (changed(rules={}), "is a list"),
    (changed(rules=[{"channel": {"type": "bit_flip", "p": 0.1}}]), "needs the field 'gates'"),
    (changed(rules=[{"channel": {"type": "bit_flop", "p": 0.1}, "gates": ["x"]}]), "Did you mean 'bit_flip'"),
    (changed(rules=[{"channel": {"type": "bit_flip", "p": 2}, "gates": ["x"]}]), "Rule 0: .*from 0 to 1"),
    (changed(rules=[{"channel": {"type": "bit_flip"}, "gates": ["x"]}]), "needs the field 'p'"),
    (changed(rules=[{"channel": {"type": "kraus", "matrices": [[1]]}, "gates": ["x"]}]), "pairs"),
    (changed(rules=[{"channel": {"type": "bit_flip", "p": 0.1}, "gates": ["xx"]}]), "no gate 'xx'"),
    (changed(rules=[{"channel": {"type": "bit_flip", "p": 10**400}, "gates": ["x"]}]), "Rule 0: .*from 0 to 1"),
    (changed(readout_errors=[{"p01": 0.1, "p10": 0.1, "qubits": 1.5}]), "Readout error 0: .*list of numbers"),
    (changed(readout_errors=[{"p01": 0.1}]), "needs the field 'p10'"),
]  # fmt: skip


@pytest.mark.parametrize(("given_json", "message"), BAD_JSON)
def test_bad_json_is_refused_with_the_rule(given_json, message):
    with pytest.raises(QsimError, match=message):
        NoiseModel.from_json(given_json)


def test_json_holds_a_whole_model():
    model = NoiseModel(4, own_gates=["oracle"])
    for channel, place in itertools.product(CHANNELS[:8], [None, [(0, 1)], [(2, 3), (1, 0)]]):
        model.add(channel, "cx", place)
    model.add(bit_flip(0.1), "oracle").add(thermal_relaxation(1, 1, 1), ["measure", "reset", "delay", "id"])
    model.add_readout_error(ReadoutError(0.1, 0.2)).add_readout_error(ReadoutError(0.0, 0.2), 3)
    assert NoiseModel.from_json(model.to_json()) == model
    assert NoiseModel.from_json(json.loads(model.to_json())) == model

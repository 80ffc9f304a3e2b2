"""Rebasing: the same unitary in every gate set, known numbers of entangling gates, and clear refusals."""

from __future__ import annotations

import math

import numpy as np
import oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import angles, circuits, unitaries

from qsim import Circuit, Gate, GateDefinition, Parameter, Simulator, UnitaryMatrix
from qsim.classical import Bits
from qsim.gates import GATES
from session.preparation import GateSetError, inlined, rebase
from session.preparation.gate_sets import canonical_name, gate_set
from session.preparation.unitaries import cx_count
from session.preparation.weyl import canonical, interaction

TARGETS = {
    "aqt": {"r", "rz", "rxx"},
    "ibm": {"rz", "sx", "x", "cx"},
    "heron": {"rz", "sx", "x", "cz"},
    "zx": {"rx", "rz", "cz"},
    "general": {"u3", "cx"},
    "iqm": {"prx", "cz"},
    "ionq": {"gpi", "gpi2", "ms"},
    "forte": {"gpi", "gpi2", "zz"},
    "eagle": {"rz", "sx", "x", "ecr"},
    "rigetti": {"rx", "rz", "iswap"},
    "phases": {"h", "p", "cs"},
    "controlled": {"rx", "ry", "crx"},
    "qis": set("x y z rx ry rz h s si v vi t ti not cnot swap xx yy zz".split()),
    "braket": set(
        "h x y z rx ry rz s si t ti v vi cnot ccnot swap iswap cz phaseshift cphaseshift xx yy zz ecr".split()
    ),
}
ENTANGLING = {name for name, row in GATES.items() if row.num_qubits > 1} | {"ms"}


def distance(made: Circuit, circuit: Circuit) -> float:
    return float(np.abs(oracle.circuit_unitary(made) - oracle.circuit_unitary(circuit)).max())


def entangling(circuit: Circuit) -> int:
    return sum(count for name, count in circuit.count_ops().items() if name in ENTANGLING)


def is_of(made: Circuit, gates: set[str]) -> bool:
    own = {canonical_name(name) for name in gates}
    return all(
        isinstance(i.operation, Gate)
        and i.operation.name in own
        and not i.operation.controls
        and not i.operation.powers
        for i in made
    )


@pytest.mark.parametrize("target", TARGETS)
@settings(max_examples=25)
@given(circuit=circuits(max_qubits=5, max_gates=3))
def test_the_unitary_stays_the_same_phase_included(target: str, circuit: Circuit) -> None:
    made = rebase(circuit, TARGETS[target])
    assert is_of(made, TARGETS[target])
    assert distance(made, circuit) < 2e-12


@settings(max_examples=60)
@given(circuit=circuits(max_qubits=4, max_gates=4), merge=st.booleans())
def test_ion_traps_get_their_angles(circuit: Circuit, merge: bool) -> None:
    made = rebase(circuit, {"r", "rz", "rxx"}, small_angles=True, merge=merge)
    for instruction in made:
        gate = instruction.operation
        if gate.name == "rxx":
            assert 0 < gate.params[0] <= math.pi / 2 + 1e-12
        elif gate.name == "r":
            assert 0 <= gate.params[0] <= math.pi and 0 <= gate.params[1] < 2 * math.pi
    assert distance(made, circuit) < 2e-12


@pytest.mark.parametrize("name", [name for name in GATES if name != "gphase"])
@given(data=st.data())
@settings(max_examples=4)
def test_every_gate_with_controls(name: str, data: st.DataObject) -> None:
    row = GATES[name]
    gate = Gate(name, *[data.draw(angles) for _ in range(row.num_params)])
    for value in data.draw(st.lists(st.integers(0, 1), max_size=min(3, 6 - row.num_qubits))):
        gate = gate.control(1, value=value)
    circuit = Circuit(gate.num_qubits).append(gate, data.draw(st.permutations(range(gate.num_qubits))))
    target = data.draw(st.sampled_from(sorted(TARGETS)))
    made = rebase(circuit, TARGETS[target])
    assert is_of(made, TARGETS[target])
    assert distance(made, circuit) < 2e-12


@pytest.mark.parametrize("controls", range(8))
@pytest.mark.parametrize("idle", [0, 1, 5])
def test_many_controls_with_and_without_qubits_to_borrow(controls: int, idle: int) -> None:
    num_qubits = controls + 1 + idle
    if num_qubits > 10:
        pytest.skip("the oracle's matrices would be large")
    for base in (Gate("x"), Gate("u", 0.3, 0.8, -1.1)):
        gate = base.control(controls) if controls else base
        circuit = Circuit(num_qubits).append(gate, range(controls + 1))
        made = rebase(circuit, {"u", "cx"})
        assert np.abs(Simulator().unitary(made) - Simulator().unitary(circuit)).max() < 2e-12


@pytest.mark.parametrize(("gate", "count"), [
    ("cx", 1), ("cz", 1), ("ch", 1), ("cy", 1), ("ecr", 1), ("swap", 3), ("iswap", 2), ("dcx", 2), ("rzz", 2), ("cu", 2),
    ("xx_plus_yy", 2), ("csx", 2), ("ccx", 6), ("ccz", 6), ("rccx", 3), ("c3x", 14), ("cswap", 8), ("rc3x", 6),
])  # fmt: skip
def test_numbers_of_cx_are_the_known_ones(gate: str, count: int) -> None:
    row = GATES[gate]
    circuit = Circuit(row.num_qubits).append(Gate(gate, *[0.7] * row.num_params), range(row.num_qubits))
    assert entangling(rebase(circuit, {"rz", "sx", "x", "cx"})) == count


@given(unitaries(2), st.sampled_from(["cx", "cz", "ecr", "rxx", "rzz", "ms", "cp"]))
def test_two_qubits_take_at_most_three_entangling_gates(matrix: np.ndarray, name: str) -> None:
    if len(matrix) < 4:
        return
    circuit = Circuit(2).unitary(matrix, [0, 1])
    made = rebase(circuit, {"u", name})
    assert entangling(made) <= 3
    assert distance(made, circuit) < 1e-12


def test_many_controls_take_linearly_many_cx_with_qubits_to_borrow() -> None:
    counts = []
    for controls in (10, 20, 40):
        circuit = Circuit(2 * controls).append(Gate("x").control(controls), range(controls + 1))
        counts.append(entangling(rebase(circuit, {"u", "cx"})))
    assert counts[2] - 2 * counts[1] < 20 and counts[1] - 2 * counts[0] < 20
    assert counts[0] <= 12 * 10


def test_one_qubit_runs_become_one_gate_or_three() -> None:
    circuit = Circuit(1).h(0).t(0).rx(0.3, 0).s(0).ry(1.1, 0).sx(0).rz(0.4, 0)
    assert len(rebase(circuit, {"u", "cx"})) == 1
    assert len(rebase(circuit, {"rz", "ry", "cx"})) == 3
    assert len(rebase(circuit, {"prx", "cz"})) == 2
    assert len(rebase(circuit, {"rz", "sx", "cx"})) == 5
    assert rebase(Circuit(1).h(0).h(0), {"rz", "sx", "cx"}).count_ops() == {}
    assert rebase(Circuit(1).h(0), {"rz", "sx", "cx"}).count_ops() == {"rz": 2, "sx": 1}


@pytest.mark.parametrize(("gates", "sizes"), [
    ({"rz", "sx", "x", "cx"}, {"cz": 7, "rzz": 3, "cp": 5, "rxx": 9, "swap": 3, "dcx": 2}),
    ({"rz", "sx", "x", "cz"}, {"cx": 7, "swap": 21}),
    ({"u", "cx"}, {"cz": 3, "ch": 3, "rzz": 3, "crx": 5}),
    ({"prx", "cz"}, {"cx": 3, "ch": 3, "rzz": 5, "swap": 9}),
    ({"r", "rz", "rxx"}, {"rxx": 1, "rzz": 7, "cx": 7}),
])  # fmt: skip
def test_sizes_in_all_are_those_of_the_usual_circuits(gates: set[str], sizes: dict[str, int]) -> None:
    for name, size in sizes.items():
        circuit = Circuit(2).append(Gate(name, *[0.7] * GATES[name].num_params), [0, 1])
        assert len(rebase(circuit, gates)) <= size, name


def test_neighbours_on_two_qubits_are_put_together() -> None:
    ising = Circuit(3).h(0).cx(0, 1).rz(0.7, 1).cx(0, 1).h(2).cx(1, 2).cx(1, 2).rx(0.2, 1)
    assert rebase(ising, {"r", "rz", "rxx"}).count_ops()["rxx"] == 1
    many = Circuit(2)
    for k in range(10):
        many.cx(k % 2, 1 - k % 2).rx(0.3 + k, 0).rz(0.2 * k, 1).iswap(0, 1)
    for gates in ({"rz", "sx", "x", "cz"}, {"u", "cx"}, {"gpi", "gpi2", "ms"}):
        assert entangling(rebase(many, gates)) == 3
        assert entangling(rebase(many, gates, merge=False)) == 30
        assert distance(rebase(many, gates), many) < 2e-12
    apart = Circuit(2, 1).cx(0, 1).barrier(0, 1).cx(0, 1).measure(0, 0).cx(0, 1)
    assert rebase(apart, {"u", "cx"}).count_ops()["cx"] == 3


def test_special_angles_take_fewer_gates() -> None:
    for circuit, count in (
        (Circuit(2).cp(math.pi, 0, 1), 1),
        (Circuit(2).crz(0, 0, 1), 0),
        (Circuit(2).rzz(math.pi, 0, 1), 0),
    ):
        assert entangling(rebase(circuit, {"u", "cx"})) == count


def test_what_the_target_takes_stays_as_it_is() -> None:
    circuit = Circuit(2).h(0).s(0).cx(0, 1).rzz(2.5, 0, 1).t(1)
    made = rebase(circuit, {"h", "s", "t", "cnot", "zz", "rz", "ry"}, merge=False)
    assert [(i.operation.name, i.operation.params) for i in made] == [
        (i.operation.name, i.operation.params) for i in circuit
    ]  # fmt: skip


def test_without_merging_gates_of_the_target_are_kept_one_by_one() -> None:
    circuit = Circuit(1).h(0).t(0).y(0).t(0).t(0).h(0).s(0)
    gates = {"h", "t", "s", "rz", "rx", "cx"}
    made = rebase(circuit, gates, merge=False)
    assert [i.operation.name for i in made if i.operation.name in ("h", "t", "s")] == ["h", "t", "t", "t", "h", "s"]
    assert distance(made, circuit) < 1e-12
    assert len(rebase(circuit, gates)) <= 3


def test_measurements_resets_and_branches_stay_in_place() -> None:
    circuit = Circuit(2, 2).h(0).measure(0, 0)
    circuit.if_else(Bits((0,)), circuit.block().h(1).cx(1, 0), circuit.block().y(1)).reset(0).barrier(0, 1).h(0)
    circuit.measure([0, 1], [0, 1])
    made = rebase(circuit, {"rz", "sx", "cz"})
    assert [type(i.operation).__name__ for i in made if i.operation.__class__.__name__ != "Gate"] == [
        "Measure", "IfElse", "Reset", "Barrier", "Measure", "Measure",
    ]  # fmt: skip
    branch = next(i.operation for i in made if type(i.operation).__name__ == "IfElse")
    assert set(branch.body.count_ops()) == {"rz", "sx", "cz"}
    exact, found = oracle.distribution(circuit), oracle.distribution(made)
    assert found == pytest.approx(exact, abs=1e-12)


def test_the_global_phase_of_the_circuit_and_of_definitions_counts() -> None:
    angle = Parameter("angle")
    inner = GateDefinition("inner", [angle], Circuit(1).gphase(angle).rx(angle, 0))
    circuit = (
        Circuit(3).gphase(0.4).append(Gate(inner, 0.7).control(2), [2, 0, 1]).append(Gate(inner, 0.7).power(3), [1])
    )
    assert distance(rebase(circuit, {"r", "rz", "rxx"}), circuit) < 1e-12


def test_definitions_are_inlined() -> None:
    pair = GateDefinition(
        "pair", [], Circuit(2).h(0).append(Gate(GateDefinition("in", [], Circuit(1).t(0))), [0]).cx(0, 1)
    )
    circuit = Circuit(3).append(Gate(pair).control(), [2, 0, 1]).append(Gate(pair).inverse(), [1, 0])
    made = inlined(circuit)
    assert all(not hasattr(i.operation.base, "body") for i in made)
    assert distance(made, circuit) < 1e-12


@given(circuit=circuits(max_qubits=4, max_gates=4))
@settings(max_examples=40)
def test_inlining_keeps_the_unitary(circuit: Circuit) -> None:
    assert distance(inlined(circuit), circuit) < 1e-12


@pytest.mark.parametrize(("gates", "circuit", "message"), [
    ({"rz", "cx"}, Circuit(1).h(0), r"one-qubit gate cannot be written .* \(cx, rz\): they do not make every one-qubit gate"),
    ({"h", "t", "cx"}, Circuit(1).rx(0.3, 0), "do not make every one-qubit gate"),
    ({"u"}, Circuit(2).cx(0, 1), "Gate 'cx' cannot be written .* none of them entangles two qubits"),
    ({"u", "swap"}, Circuit(2).cz(0, 1), "none of them entangles"),
    ({"u", "pulse"}, Circuit(2).cz(0, 1), "Not known here: pulse"),
    ({"pulse"}, Circuit(1), "None of the gates of this target is known here: pulse"),
    ("cx", Circuit(1), "given as several names"),
])  # fmt: skip
def test_what_cannot_be_written_is_refused(gates: object, circuit: Circuit, message: str) -> None:
    with pytest.raises(GateSetError, match=message):
        rebase(circuit, gates)


def test_the_error_knows_which_operation_it_was() -> None:
    with pytest.raises(GateSetError) as caught:
        rebase(Circuit(2).u(0.1, 0.2, 0.3, 0).cx(0, 1), {"u"})
    assert caught.value.operation == 1


def test_open_parameters_are_refused() -> None:
    theta = Parameter("theta")
    with pytest.raises(Exception, match="no numbers yet for theta. Bind the circuit first"):
        rebase(Circuit(1).rx(theta, 0), {"u", "cx"})
    with pytest.raises(Exception, match="no number yet for theta"):
        rebase(Circuit(1).gphase(theta), {"u", "cx"})


def test_angles_that_are_measured_are_refused() -> None:
    theta, circuit = Parameter("theta"), Circuit(1, 1).h(0).measure(0, 0)
    circuit.with_values([theta], [Bits((0,))], circuit.block().rx(theta, 0))
    with pytest.raises(GateSetError, match="angle is measured while the circuit runs"):
        rebase(circuit, {"u", "cx"})


@given(st.lists(st.floats(-4, 4), min_size=3, max_size=3), st.integers(0, 2**32 - 1))
def test_canonical_coordinates_lie_in_the_chamber(at: list[float], seed: int) -> None:
    random = np.random.default_rng(seed)
    gates = [np.linalg.qr(random.normal(size=(2, 2)) + 1j * random.normal(size=(2, 2)))[0] for _ in range(4)]
    matrix = np.kron(gates[0], gates[1]) @ interaction(*at) @ np.kron(gates[2], gates[3])
    found = canonical(matrix)
    a, b, c = found.coordinates
    assert math.pi / 4 + 1e-12 >= a >= b - 1e-12 and b + 1e-12 >= abs(c)
    assert np.abs(found.matrix() - matrix).max() < 1e-13


def test_names_of_vendors_are_known() -> None:
    assert gate_set(["cnot", "si", "phaseshift", "PRX", "zz"]).names == {"cx", "sdg", "p", "r", "rzz"}


@pytest.mark.parametrize("num_qubits", [3, 4, 5])
def test_matrices_of_many_qubits_take_as_many_cx_as_is_known(num_qubits: int) -> None:
    random = np.random.default_rng(3)
    size = 1 << num_qubits
    matrix = np.linalg.qr(random.normal(size=(size, size)) + 1j * random.normal(size=(size, size)))[0]
    circuit = Circuit(num_qubits).unitary(matrix, random.permutation(num_qubits).tolist())
    made = rebase(circuit, {"rz", "sx", "x", "cz"})
    assert distance(made, circuit) < 2e-12
    assert entangling(made) <= cx_count(num_qubits)


def test_matrices_under_controls_take_few_cx() -> None:
    random = np.random.default_rng(4)
    matrix = np.linalg.qr(random.normal(size=(4, 4)) + 1j * random.normal(size=(4, 4)))[0]
    for controls, count in ((1, 12), (2, 20), (3, 36), (7, 1500)):
        gate = Gate(UnitaryMatrix(matrix)).control(controls)
        circuit = Circuit(controls + 2).append(gate, range(controls + 2))
        made = rebase(circuit, {"u", "cx"})
        assert entangling(made) <= count
        assert np.abs(Simulator().unitary(made) - Simulator().unitary(circuit)).max() < 2e-12


def test_special_matrices_are_exact() -> None:
    random = np.random.default_rng(5)
    permutation = np.eye(8)[random.permutation(8)]
    block = np.kron(np.eye(2), np.linalg.qr(random.normal(size=(4, 4)))[0])
    for matrix in (
        np.eye(8),
        permutation,
        block,
        np.diag(np.exp(1j * np.arange(8))),
        -1j * permutation,
        np.kron(permutation, block),
    ):
        qubits = len(matrix).bit_length() - 1
        circuit = Circuit(qubits).unitary(matrix, range(qubits))
        assert distance(rebase(circuit, {"r", "rz", "rxx"}), circuit) < 2e-12


@pytest.mark.parametrize("size", [1e-15, 1e-13, 1e-12, 1e-10, 1e-8, 1e-6])
def test_angles_near_special_ones_are_exact_too(size: float) -> None:
    for target in ("aqt", "heron", "general", "iqm", "ionq", "rigetti", "phases"):
        for sign in (size, -size):
            circuit = Circuit(2)
            circuit.ry(sign, 0).cx(0, 1).rz(sign, 1).crx(math.pi + sign, 1, 0).append("xx_plus_yy", [0, 1], sign, 0.3)
            circuit.u(math.pi - sign, sign, 0.2, 0).cp(sign, 0, 1).u(math.pi / 2 + sign, 0.1, sign, 1).swap(0, 1)
            circuit.rxx(sign, 0, 1).ryy(math.pi / 2 - sign, 0, 1).rzz(sign, 1, 0)
            assert distance(rebase(circuit, TARGETS[target]), circuit) < 2e-12
            assert distance(rebase(circuit, TARGETS[target], merge=False), circuit) < 2e-12


def test_directions_near_an_axis_are_exact_too() -> None:
    random = np.random.default_rng(2)
    for size in (1e-15, 1e-12, 1e-10, 1e-9, 1e-8, 1e-5):
        for _ in range(20):
            tilts = [GATES["u"].matrix(*(size * random.normal(size=3))) for _ in range(4)]
            middle = GATES["rxx"].matrix(random.choice([math.pi / 2, 0.7, -math.pi]))
            turn = np.kron(GATES["z"].matrix(), np.eye(2)) if random.random() < 0.5 else np.eye(4)
            matrix = np.kron(tilts[0], tilts[1]) @ turn @ middle @ np.kron(tilts[2], tilts[3])
            found = canonical(matrix)
            assert np.abs(found.matrix() - matrix).max() < 1e-13
            circuit = Circuit(2).unitary(matrix, [0, 1])
            for target in ("aqt", "heron"):
                assert distance(rebase(circuit, TARGETS[target]), circuit) < 2e-12

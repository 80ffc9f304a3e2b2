"""Adjoint gradients against dense matrices and finite differences."""

import math
import threading

import numpy as np
import oracle
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from oracle import TABLE
from strategies import apply_modifiers, bound_circuits, modifier_lists, observables

from qsim import Circuit, Gate, Parameter, ParameterArray, Pauli, Simulator, SparsePauliOp
from qsim.compiler import NeedsNumbers
from qsim.errors import CircuitError, MemoryLimitError, ParameterError, QsimError, RunCancelled
from qsim.gradients import plan
from qsim.pool import controlled

#: An eighth-order central difference, and its step.
WEIGHTS = {1: 4 / 5, 2: -1 / 5, 3: 4 / 105, 4: -1 / 280}
STEP = 4e-3
PARAMETRIC = sorted(name for name, (_, count, *_) in TABLE.items() if count)


def difference(function, values, name):
    """The derivative of function(values) by one of them."""
    total = 0.0
    for steps, weight in WEIGHTS.items():
        up, down = (function({**values, name: values[name] + sign * steps * STEP}) for sign in (1, -1))
        total += weight * (up - down) / STEP
    return total


def dense_gradient(circuit, operator, values):
    return {
        p.name: difference(lambda v: oracle.expectation(circuit, operator, v), values, p.name)
        for p in circuit.parameters
    }


def flat(gradient):
    """Derivatives by the parameters' own names."""
    result = {}
    for name, slope in gradient.items():
        result |= {f"{name}[{k}]": s for k, s in enumerate(slope)} if isinstance(slope, np.ndarray) else {name: slope}
    return result


def assert_gradient(circuit, operator, values, tolerance=1e-9):
    value, gradient = Simulator().value_and_gradient(circuit, operator, values)
    assert value == pytest.approx(oracle.expectation(circuit, operator, values), abs=1e-12)
    found, expected = flat(gradient), dense_gradient(circuit, operator, values)
    for name, slope in expected.items():
        assert found[name] == pytest.approx(slope, abs=tolerance, rel=tolerance), name


def ansatz(num_qubits, layers, seed=1):
    angles = ParameterArray("w", 2 * num_qubits * layers)
    circuit = Circuit(num_qubits)
    for layer in range(layers):
        for q in range(num_qubits):
            k = 2 * (layer * num_qubits + q)
            circuit.ry(angles[k], q).rz(angles[k + 1], q)
        for q in range(num_qubits - 1):
            circuit.cx(q, q + 1)
    return circuit, {"w": np.random.default_rng(seed).uniform(-3, 3, len(angles))}


def operator_on(num_qubits, terms=6, seed=2):
    random = np.random.default_rng(seed)
    letters = ["".join(random.choice(list("IXYZ"), num_qubits)) for _ in range(terms)]
    return SparsePauliOp.from_labels(
        [(label, float(c)) for label, c in zip(letters, random.normal(size=terms), strict=True)]
    )


@pytest.mark.parametrize("name", PARAMETRIC)
@pytest.mark.parametrize("modifiers", [[], [("ctrl", 1)], [("negctrl", 1), ("inv",)], [("pow", 2), ("ctrl", 2)]])
def test_every_parametric_gate_under_modifiers(name, modifiers):
    count = TABLE[name][1]
    names = [Parameter(f"p{k}") for k in range(count)]
    gate = apply_modifiers(Gate(name, *[2 * p + 0.1 for p in names]), modifiers)
    n = gate.num_qubits + 1
    circuit = Circuit(n)
    for q in range(n):
        circuit.ry(0.3 + 0.4 * q, q).rz(0.7 - 0.2 * q, q)
    circuit.append(gate, list(range(n))[::-1][: gate.num_qubits])
    for q in range(n - 1):
        circuit.cx(q, q + 1).rx(0.2 * q + 0.5, q)
    values = {p.name: 0.4 + 0.3 * k for k, p in enumerate(names)}
    if circuit.parameters:
        assert_gradient(circuit, operator_on(n), values)


@given(st.data())
def test_random_circuits_against_dense_differences(data):
    circuit, values = data.draw(bound_circuits(max_qubits=5))
    operator = data.draw(observables(circuit.num_qubits))
    try:
        smooth = [Simulator().expectation(circuit, operator, {**values, p.name: values[p.name] + d})
                  for p in circuit.parameters for d in (-0.02, 0.02)]  # fmt: skip
        gradient = flat(Simulator().gradient(circuit, operator, values))
    except NeedsNumbers:
        assume(False)
    assume(all(abs(v) > 0.05 for v in values.values()))  # abs and % have corners
    assert np.isfinite(smooth).all()
    for name, slope in dense_gradient(circuit, operator, values).items():
        if abs(slope - gradient[name]) > 1e-6 * max(1, abs(slope)):
            near = [difference(lambda v: oracle.expectation(circuit, operator, v), {**values, name: values[name] + d},
                               name) for d in (-1e-3, 1e-3)]  # fmt: skip
            assume(max(abs(near[0] - slope), abs(near[1] - slope)) < 1.0)  # a corner between the points
        assert gradient[name] == pytest.approx(slope, abs=1e-7, rel=1e-7)


@pytest.mark.parametrize("n", [1, 2, 5, 8, 12, 13])
def test_ansatz_on_small_and_large_tiles(n):
    circuit, values = ansatz(n, 2)
    operator = operator_on(n)
    sim = Simulator(_tile_bits=8 if n > 9 else None)
    gradient = sim.gradient(circuit, operator, values)["w"]
    for k in (0, 1, n, 2 * n - 1, 3 * n, 4 * n - 1):
        moved = [{"w": values["w"] + sign * np.pi / 2 * np.eye(4 * n)[k]} for sign in (1, -1)]
        up, down = sim.expectation(circuit, operator, moved)
        assert gradient[k] == pytest.approx((up - down) / 2, abs=1e-11)


def test_every_function_of_an_expression():
    a, b = Parameter("a"), Parameter("b")
    made = [
        a + b, a - b, a * b, a / b, a**b, a**2, 2**a, a**0, b % a, -a, a.sin(), a.cos(), a.tan(), a.arcsin(), a.arccos(),
        a.arctan(), a.exp(), b.log(), b.sqrt(), abs(a - b), a * a * a / (b + a.sin() * b), (a * b).exp().sqrt(),
    ]  # fmt: skip
    for expression in made:
        circuit = Circuit(1).rx(expression, 0)
        assert_gradient(
            circuit, Pauli.Z(0) + Pauli.Y(0), {p.name: 0.4 + 0.9 * (p.name == "b") for p in circuit.parameters}
        )


def test_floor_and_ceiling_have_no_slope():
    from qsim.parameters import Expression

    a = Parameter("a")
    circuit = Circuit(1).rx(Expression("floor", (a,)) * 0.3 + a, 0).ry(Expression("ceiling", (a,)) * a, 0)
    assert_gradient(circuit, Pauli.Z(0) + Pauli.X(0), {"a": 1.4})


def test_layers_of_diagonal_gates_are_read_at_one_place():
    angles = ParameterArray("w", 12)
    circuit = Circuit(4)
    for q in range(4):
        circuit.h(q)
    for q in range(4):
        circuit.rzz(angles[q], q, (q + 1) % 4).rz(angles[4 + q], q)
        circuit.append(Gate("cp", angles[8 + q]).control(value=0), [q, (q + 1) % 4, (q + 2) % 4])
    circuit.cz(0, 1).rx(0.3, 0).ry(0.4, 1).cx(1, 2)
    assert_gradient(circuit, operator_on(4), {f"w[{k}]": 0.2 * k - 0.7 for k in range(12)})
    assert len(plan(circuit, np.complex128).segments) <= 2


def test_one_segment_a_layer_of_the_ansatz():
    circuit, _ = ansatz(6, 5)
    assert len(plan(circuit, np.complex128).segments) == 6  # and one for the last CX gates


@pytest.mark.parametrize("precision", ["double", "single"])
def test_states_that_are_a_tile_each(monkeypatch, precision):
    monkeypatch.setattr("qsim.gradients._ONE_CALL", 16)
    circuit, values = ansatz(6, 3)
    operator, tolerance = operator_on(6), 1e-12 if precision == "double" else 1e-5
    rows = [Simulator(precision, threads=t).gradient(circuit, operator, values)["w"] for t in (1, 2)]
    assert np.array_equal(*rows)
    assert (
        plan(circuit, np.dtype(f"complex{128 if precision == 'double' else 64}").type).segments[0].inverse.num_qubits
        == 6
    )
    monkeypatch.undo()
    together, _ = ansatz(6, 3)
    expected = Simulator().gradient(together, operator, values)["w"]
    assert np.abs(rows[0] - expected).max() < tolerance


def test_threads_give_identical_results():
    circuit, values = ansatz(16, 2)
    circuit.crx(0.2 * Parameter("a"), 3, 12).rzz(Parameter("a"), 1, 15).rxx(Parameter("a"), 2, 9)
    values["a"] = 0.3
    results = []
    for threads in (1, 2, 3):
        sim = Simulator()
        sim.threads = threads
        value, gradient = sim.value_and_gradient(circuit, operator_on(16), values)
        results.append(np.array([value, gradient["a"], *gradient["w"]]))
    assert np.array_equal(results[0], results[1])
    assert np.array_equal(results[0], results[2])


def test_a_batch_gives_what_its_members_give():
    circuit, _ = ansatz(5, 2)
    rows = np.random.default_rng(3).uniform(-3, 3, (4, 20))
    sim, operators = Simulator(), [operator_on(5), Pauli.Z(0)]
    values, slopes = sim.value_and_gradient(circuit, operators, rows)
    assert values.shape == (4, 2)
    assert len(slopes) == 4
    for k, row in enumerate(rows):
        for j, operator in enumerate(operators):
            value, slope = sim.value_and_gradient(circuit, operator, {"w": row})
            assert value == values[k, j]
            assert np.array_equal(slope["w"], slopes[k][j]["w"])
    assert sim.gradient(circuit, Pauli.Z(0), []) == []


def test_single_precision():
    circuit, values = ansatz(7, 3)
    operator = operator_on(7)
    exact = Simulator().gradient(circuit, operator, values)["w"]
    assert np.allclose(Simulator("single").gradient(circuit, operator, values)["w"], exact, atol=1e-5)


def test_no_parameters_and_no_terms():
    assert Simulator().value_and_gradient(Circuit(1).x(0), Pauli.Z(0)) == (-1.0, {})
    circuit = Circuit(2).rx(Parameter("a"), 0).gphase(Parameter("a"))
    assert Simulator().gradient(circuit, Pauli.Z(0) - Pauli.Z(0), {"a": 0.1})["a"] == 0.0


def test_bad_input_is_refused():
    a = Parameter("a")
    circuit, sim = Circuit(2).rx(a, 0), Simulator()
    with pytest.raises(QsimError, match="Hermitian"):
        sim.gradient(circuit, 1j * Pauli.Z(0), {"a": 1})
    with pytest.raises(QsimError, match="it has 3, the circuit has 2"):
        sim.gradient(circuit, Pauli.Z(2), {"a": 1})
    with pytest.raises(QsimError, match="observable is a SparsePauliOp"):
        sim.gradient(circuit, ["Z"], {"a": 1})
    with pytest.raises(ParameterError, match="missing: 'a'"):
        sim.gradient(circuit, Pauli.Z(0))
    with pytest.raises(CircuitError, match="measurements"):
        sim.gradient(circuit.copy().measure_all(), Pauli.Z(0), {"a": 1})
    with pytest.raises(CircuitError, match="resets, branches"):
        sim.gradient(circuit.copy().reset(0), Pauli.Z(0), {"a": 1})
    with pytest.raises(NeedsNumbers, match="fractional power|power"):
        sim.gradient(Circuit(1).append(Gate("u", a, a, a).power(0.5), [0]), Pauli.Z(0), {"a": 1})
    with pytest.raises(ParameterError, match="derivative"):
        sim.gradient(Circuit(1).rx(a.sqrt(), 0), Pauli.Y(0), {"a": 0})
    with pytest.raises(MemoryLimitError):
        Simulator(memory_limit=1 << 20).gradient(ansatz(16, 1)[0], Pauli.Z(0), {"w": np.zeros(32)})


def test_a_gradient_can_be_cancelled():
    stop = threading.Event()
    stop.set()
    circuit, values = ansatz(10, 2)
    with controlled(cancel=stop), pytest.raises(RunCancelled):
        Simulator().gradient(circuit, Pauli.Z(0), values)


@given(st.data())
def test_parameter_shift_agrees(data):
    circuit, values = data.draw(bound_circuits(max_qubits=4, max_gates=6))
    operator = data.draw(observables(circuit.num_qubits))
    try:
        gradient = flat(Simulator().gradient(circuit, operator, values))
    except NeedsNumbers:
        assume(False)
    shifted = flat(Simulator().parameter_shift_gradient(circuit, operator, values))
    assert shifted == pytest.approx(gradient, abs=1e-10, rel=1e-10)


@given(st.data())
def test_a_gate_alone_with_any_modifiers(data):
    name = data.draw(st.sampled_from(PARAMETRIC))
    names = [Parameter(f"p{k}") for k in range(TABLE[name][1])]
    modifiers = data.draw(modifier_lists(4 - min(TABLE[name][0], 4)))
    # Differences of a high power's many turns are not exact enough to compare with.
    assume(math.prod(max(abs(float(m[1])), 1) for m in modifiers if m[0] == "pow") <= 8)
    gate = apply_modifiers(Gate(name, *names), modifiers)
    circuit = Circuit(4)
    for q in range(4):
        circuit.u(0.3 + q, 0.2, 0.7 * q, q)
    circuit.cx(0, 2).append(gate, data.draw(st.permutations(range(4)))[: gate.num_qubits]).cx(1, 2).h(3)
    assume(circuit.parameters)
    values = {p.name: data.draw(st.floats(-3, 3)) for p in circuit.parameters}
    try:
        assert_gradient(circuit, operator_on(4), values)
    except NeedsNumbers:
        assume(False)


def test_parameter_shift_from_shots():
    circuit, values = ansatz(3, 1)
    operator = operator_on(3, 4)
    exact = Simulator().gradient(circuit, operator, values)["w"]
    found = np.array(
        [s["w"] for s in Simulator().parameter_shift_gradient(circuit, operator, [values] * 40, shots=4000, seed=3)]
    )
    errors = found.std(axis=0, ddof=1) / len(found) ** 0.5
    assert (np.abs(found.mean(axis=0) - exact) < 5 * errors + 1e-12).all()
    assert np.ptp(found, axis=0).max() > 0
    alone = Simulator(threads=1).parameter_shift_gradient(circuit, operator, values, shots=4000, seed=4)
    assert np.array_equal(alone["w"], found[1])
    with pytest.raises(QsimError, match="at least 2"):
        Simulator().parameter_shift_gradient(circuit, operator, values, shots=1)

"""Circuits to and from Qiskit: the same unitary with global phase, parameters, registers and outcomes."""

import math

import numpy as np
import oracle
import pytest
from hypothesis import HealthCheck, given, settings
from strategies import circuits
from test_round_trips_classical import op, shown

from parsers import QasmError, QasmWarning, dumps, from_qiskit, loads, to_qiskit
from qsim import Circuit, Gate, Parameter
from qsim.classical import Bits
from qsim.gates import GATES
from qsim.parameters import ParameterArray

pytestmark = [pytest.mark.peer, pytest.mark.filterwarnings("default")]
qiskit = pytest.importorskip("qiskit", reason="Qiskit is not installed")
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister  # noqa: E402
from qiskit.circuit import (  # noqa: E402
    CASE_DEFAULT,
    Clbit,
    ParameterVector,
    Qubit,
    library,
)
from qiskit.circuit import Parameter as TheirParameter  # noqa: E402
from qiskit.circuit.classical import expr, types  # noqa: E402
from qiskit.circuit.library import standard_gates  # noqa: E402
from qiskit.quantum_info import Operator, random_unitary  # noqa: E402

ANGLES = [0.3, -1.1, 2.5, 0.7]
relaxed = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def assert_same(theirs, ours, values=None):
    bound = theirs.assign_parameters(values) if values else theirs
    flat = {}
    for key, value in (values or {}).items():
        names = [p.name for p in key] if isinstance(key, ParameterVector) else [key.name]
        flat.update(zip(names, np.atleast_1d(value), strict=True))
    np.testing.assert_allclose(oracle.circuit_unitary(ours, flat), Operator(bound).data, atol=1e-9)


def library_gates():
    for name in sorted(n for n in dir(standard_gates) if n.endswith("Gate") and n not in ("C3SXGate2",)):
        kind = getattr(standard_gates, name)
        if name.startswith("MC"):
            yield kind(0.3, 3) if name in ("MCPhaseGate", "MCU1Gate") else kind(3)
            continue
        for count in range(5):
            try:
                yield kind(*ANGLES[:count])
                break
            except TypeError:
                continue


@pytest.mark.parametrize("gate", list(library_gates()), ids=lambda gate: gate.name + str(gate.num_qubits))
def test_every_gate_of_the_library(gate):
    theirs = QuantumCircuit(gate.num_qubits)
    theirs.append(gate, list(range(gate.num_qubits))[::-1])
    ours = from_qiskit(theirs)
    assert_same(theirs, ours)
    if gate.name in GATES:
        assert gate.name in ours.count_ops() or gate.name == "global_phase"
    if 0 < gate.num_qubits <= 3:
        controlled = gate.control(2, ctrl_state=1, annotated=False)
        theirs = QuantumCircuit(controlled.num_qubits)
        theirs.append(controlled, list(range(controlled.num_qubits))[::-1])
        assert_same(theirs, from_qiskit(theirs))
        annotated = QuantumCircuit(gate.num_qubits + 2)
        annotated.append(
            gate.control(2, ctrl_state=2, annotated=True).inverse(annotated=True), range(gate.num_qubits + 2)
        )
        assert_same(annotated, from_qiskit(annotated))


@pytest.mark.parametrize("state", range(4))
@pytest.mark.parametrize("name", ["CUGate", "CU3Gate", "CPhaseGate", "CXGate", "CSXGate", "CCXGate", "C3SXGate"])
def test_control_states_of_the_library(name, state):
    kind = getattr(library, name)
    counts = {"CUGate": 4, "CU3Gate": 3, "CPhaseGate": 1}
    gate = kind(*ANGLES[: counts.get(name, 0)])
    gate = gate.to_mutable() if hasattr(gate, "to_mutable") else gate
    gate.ctrl_state = state % (1 << gate.num_ctrl_qubits)
    theirs = QuantumCircuit(gate.num_qubits)
    theirs.append(gate, range(gate.num_qubits))
    assert_same(theirs, from_qiskit(theirs))


def test_matrices_definitions_and_phases():
    theirs = QuantumCircuit(4, global_phase=0.7)
    theirs.append(library.UnitaryGate(random_unitary(8, seed=1)), [3, 0, 2])
    inner = QuantumCircuit(2, name="inner", global_phase=0.3)
    inner.h(0)
    inner.cry(0.4, 0, 1)
    outer = QuantumCircuit(3, name="outer")
    outer.append(inner.to_gate(), [2, 0])
    outer.append(inner.to_gate().control(1, ctrl_state=0), [1, 0, 2])
    theirs.append(outer.to_gate(), [3, 1, 0])
    theirs.append(outer.to_gate().inverse(), [0, 1, 2])
    theirs.append(library.QFTGate(3), [0, 3, 1])
    theirs.append(library.PauliGate("XYZ"), [0, 1, 2])
    theirs.append(library.PermutationGate([2, 0, 1]), [0, 1, 2])
    theirs.append(library.DiagonalGate([1, 1j, -1, 1]), [0, 1])
    theirs.append(library.MCXGate(3, ctrl_state=5), [0, 1, 2, 3])
    theirs.append(library.XGate().power(0.3), [1])
    theirs.append(library.RXGate(0.3).power(0.5, annotated=True), [1])
    assert_same(theirs, from_qiskit(theirs))


def test_a_controlled_gate_whose_base_was_not_given_its_parameter():
    qasm3 = pytest.importorskip("qiskit_qasm3_import") and pytest.importorskip("qiskit.qasm3")
    text = "OPENQASM 3.0; gate p(a) q { U(0, 0, a) q; } gate cp(a) q, r { ctrl @ p(a) q, r; } gate g q, r { cp(0.4) q, r; } "
    theirs = qasm3.loads(text + "qubit[2] q; U(1, 2, 3) q[0]; U(0.5, 0.4, 0.3) q[1]; g q[0], q[1];")
    assert_same(theirs, from_qiskit(theirs))


def test_parameters_vectors_and_expressions():
    theta, phi, vector = TheirParameter("θ"), TheirParameter("phi"), ParameterVector("v", 3)
    theirs = QuantumCircuit(2, global_phase=theta / 2)
    theirs.rx(theta, 0)
    theirs.ry((2 * theta - vector[1]) / 3 + phi.sin() ** 2, 1)
    theirs.rz(abs(theta - 5).exp().log() * (vector[2] + 4).cos() - phi.tan() / (theta + 2), 0)
    theirs.cu(theta, -phi, vector[0].arctan(), theta**0.5, 0, 1)
    inner = QuantumCircuit(1, name="inner")
    inner.p(phi * 2, 0)
    theirs.append(inner.to_gate(), [1])
    theirs.append(inner.to_gate().control(), [1, 0])
    ours = from_qiskit(theirs)
    assert {p.name for p in ours.parameters} == {"θ", "phi", "v[0]", "v[1]", "v[2]"}
    values = {theta: 0.3, phi: -0.4, vector: [0.1, 1.2, -0.7]}
    assert_same(theirs, ours, values)
    again = to_qiskit(ours)
    assert {p.name for p in again.parameters} == {p.name for p in theirs.parameters}
    values = {p: {"θ": 0.3, "phi": -0.4, "v[0]": 0.1, "v[1]": 1.2, "v[2]": -0.7}[p.name] for p in again.parameters}
    assert_same(again, ours, values)
    assert_same(again, loads(dumps(ours)), values)


def test_registers_and_loose_bits():
    a, b = QuantumRegister(2, "a"), QuantumRegister(3, "b")
    c, d = ClassicalRegister(2, "c"), ClassicalRegister(1, "d")
    theirs = QuantumCircuit(a, [Qubit()], b, [Clbit()], c, d)
    overlap = QuantumRegister(bits=[a[1], b[0]], name="overlap")
    theirs.add_register(overlap)
    ours = from_qiskit(theirs)
    assert [(r.name, r.indices) for r in ours.qubit_registers] == [("a", (0, 1)), ("q", (2,)), ("b", (3, 4, 5))]
    assert [(r.name, r.indices) for r in ours.clbit_registers][1:] == [("c", (1, 2)), ("d", (3,))]


def random_circuit(seed, qubits=4):
    from qiskit.circuit.random import random_circuit as made

    return made(qubits, 10, max_operands=4, seed=seed)


@pytest.mark.parametrize("seed", range(25))
def test_random_circuits_there_and_back(seed):
    theirs = random_circuit(seed)
    ours = from_qiskit(theirs)
    assert_same(theirs, ours)
    assert_same(to_qiskit(ours), ours)


@given(circuits(max_qubits=4, max_gates=6))
@relaxed
def test_gates_of_every_kind_to_qiskit_and_back(circuit):
    theirs = to_qiskit(circuit)
    assert_same(theirs, circuit)
    np.testing.assert_allclose(oracle.circuit_unitary(from_qiskit(theirs)), oracle.circuit_unitary(circuit), atol=1e-9)


@pytest.mark.parametrize("name", GATES)
def test_every_row_to_qiskit(name):
    row = GATES[name]
    gate = Gate(row, *ANGLES[: row.num_params])
    circuit = Circuit(row.num_qubits + 2).append(gate, range(row.num_qubits))
    circuit.append(gate.control(1).control(1, 0), list(range(row.num_qubits + 2))[::-1])
    circuit.append(gate.power(0.5), range(row.num_qubits)).append(gate.inverse(), range(row.num_qubits))
    assert_same(to_qiskit(circuit), circuit)


# outcomes -----------------------------------------------------------------------------------------------------------
def aer_frequencies(theirs, shots=20_000):
    aer = pytest.importorskip("qiskit_aer")
    from qiskit import transpile

    simulator = aer.AerSimulator(seed_simulator=11)
    counts = simulator.run(transpile(theirs, simulator, optimization_level=0), shots=shots).result().get_counts()
    return {int(key.replace(" ", ""), 2): value for key, value in counts.items()}


def check_outcomes(theirs):
    ours = from_qiskit(theirs)
    oracle.assert_sampled(aer_frequencies(theirs), shown(ours))
    again = to_qiskit(ours)
    assert shown(from_qiskit(again)) == pytest.approx(shown(ours))
    return ours


def dynamic(qubits=3, bits=3):
    theirs = QuantumCircuit(QuantumRegister(qubits, "q"), ClassicalRegister(bits, "c"))
    theirs.h(0)
    theirs.ry(1.0, 1)
    theirs.measure([0, 1], [0, 1])
    return theirs


def test_measure_reset_barrier_delay():
    theirs = dynamic()
    theirs.barrier()
    theirs.reset(0)
    theirs.delay(100, 0, unit="ns")
    theirs.delay(1.5, 1, unit="us")
    theirs.ry(0.5, 0)
    theirs.measure(0, 2)
    ours = check_outcomes(theirs)
    assert ours.count_ops() == {"measure": 3, "ry": 2, "delay": 2, "h": 1, "barrier": 1, "reset": 1}


def test_if_else_and_switch():
    theirs = dynamic()
    with theirs.if_test((theirs.cregs[0], 2)) as otherwise:
        theirs.x(2)
    with otherwise:
        theirs.ry(0.7, 2)
    with theirs.if_test((theirs.clbits[0], 1)):
        theirs.h(2)
    theirs.measure(2, 2)
    with theirs.switch(theirs.cregs[0]) as case:
        with case(0, 3, 5):
            theirs.x(0)
        with case(1):
            theirs.h(1)
        with case(case.DEFAULT):
            theirs.ry(0.3, 0)
    theirs.measure([0, 1], [0, 1])
    check_outcomes(theirs)
    assert CASE_DEFAULT is not None


def test_while_with_break_and_continue():
    theirs = dynamic()
    with theirs.while_loop((theirs.clbits[0], 1)):
        theirs.h([0, 1])
        theirs.measure([0, 1], [0, 1])
        with theirs.if_test((theirs.clbits[1], 1)):
            theirs.break_loop()
        with theirs.if_test((theirs.clbits[0], 0)):
            theirs.continue_loop()
        theirs.x(2)
    theirs.measure(2, 2)
    check_outcomes(theirs)


def test_for_loops_unrolled_and_left():
    theirs = dynamic()
    angle = TheirParameter("angle")
    with theirs.for_loop(range(3), angle):
        theirs.rx(angle * 0.4, 2)
    with theirs.for_loop((1, 5, 2)):
        theirs.ry(0.7, 0)
        theirs.measure(0, 0)
        with theirs.if_test((theirs.clbits[0], 1)):
            theirs.break_loop()
        with theirs.while_loop((theirs.clbits[1], 1)):
            theirs.h(1)
            theirs.measure(1, 1)
            with theirs.if_test((theirs.clbits[1], 1)):
                theirs.continue_loop()
            theirs.break_loop()
        with theirs.if_test((theirs.clbits[1], 0)):
            theirs.x(2)
            theirs.continue_loop()
        theirs.h(2)
    theirs.measure(2, 2)
    check_outcomes(theirs)


def test_expressions_on_bits_and_registers():
    theirs = dynamic(3, 4)
    c = theirs.cregs[0]
    conditions = [
        (expr.logic_and(theirs.clbits[0], expr.logic_not(theirs.clbits[1])), lambda v: v & 1 and not v & 2),
        (expr.less(expr.bit_and(c, 6), 3), lambda v: v & 6 < 3),
        (expr.equal(expr.bit_xor(c, expr.shift_left(c, 1)), 3), lambda v: v ^ v << 1 & 15 == 3),
        (expr.equal(expr.shift_left(c, expr.lift(9)), 0), lambda v: True),
        (expr.greater_equal(expr.add(c, 14), 15), lambda v: (v + 14) % 16 >= 15),
        (expr.not_equal(expr.bit_not(c), 12), lambda v: 15 - v != 12),
        (expr.equal(expr.sub(c, 1), 15), lambda v: v == 0),
        (expr.index(c, 1), lambda v: v >> 1 & 1),
        (expr.cast(expr.shift_right(c, 1), types.Bool()), lambda v: v >> 1 != 0),
        (expr.less(expr.mul(c, 7), expr.lift(5, types.Uint(4))), lambda v: v * 7 % 16 < 5),
        (expr.equal(expr.div(expr.lift(7, types.Uint(4)), expr.bit_or(c, 2)), 3), lambda v: 7 // (v | 2) == 3),
        (expr.less(expr.mul(expr.cast(c, types.Float()), 0.4), 0.5), lambda v: v * 0.4 < 0.5),
    ]
    for condition, meaning in conditions:
        asked = theirs.copy()
        with asked.if_test(condition):
            asked.x(2)
        asked.measure(2, 3)
        ours = from_qiskit(asked)
        for outcome in shown(ours):
            assert bool(outcome >> 3) == bool(meaning(outcome & 7)), condition
        if "0.4" not in str(condition):
            assert shown(from_qiskit(to_qiskit(ours))) == pytest.approx(shown(ours))


def test_classical_variables():
    theirs = dynamic(3, 4)
    count = theirs.add_var("count", expr.lift(1, types.Uint(3)))
    flag = theirs.add_var("flag", expr.lift(theirs.clbits[0]))
    with theirs.if_test(expr.logic_not(flag)):
        theirs.store(count, expr.add(count, 7))
    with theirs.while_loop(expr.less(count, 3)):
        theirs.store(count, expr.add(count, 1))
        theirs.ry(0.4, 2)
    theirs.store(theirs.clbits[3], expr.equal(count, 3))
    theirs.measure(2, 2)
    ours = from_qiskit(theirs)
    assert [len(r) for r in ours.clbit_registers] == [4]
    for outcome in shown(ours):  # 1 + 7 wraps to 0, and counts up to 3
        assert outcome >> 3 == 1
    assert shown(from_qiskit(to_qiskit(ours))) == pytest.approx(shown(ours))
    assert shown(loads(dumps(ours))) == pytest.approx(shown(ours))


def test_inputs_become_parameters():
    theirs = QuantumCircuit(QuantumRegister(1, "q"), ClassicalRegister(1, "c"))
    n = theirs.add_input("n", types.Uint(4))
    with theirs.if_test(expr.equal(n, 3)):
        theirs.x(0)
    theirs.measure(0, 0)
    ours = from_qiskit(theirs)
    assert [p.name for p in ours.parameters] == ["n"]
    assert shown(ours, {"n": 3}) == {1: 1} and shown(ours, {"n": 2}) == {0: 1}


def test_boxes_instructions_and_blocks_on_some_qubits():
    theirs = dynamic()
    inner = QuantumCircuit(2, 1, name="measured")
    inner.cx(0, 1)
    inner.measure(1, 0)
    theirs.append(inner.to_instruction(), [2, 0], [2])
    theirs.h(2)
    block = QuantumCircuit([Qubit(), Clbit()])
    block.x(0)
    theirs.if_else((theirs.clbits[0], 1), block, None, [2], [1])
    theirs.measure(2, 1)
    check_outcomes(theirs)
    with theirs.box():
        theirs.h(2)
    assert from_qiskit(theirs).count_ops()["h"] == 3
    start = QuantumCircuit(2)
    start.initialize([0.6, 0, 0.8j, 0], [0, 1])
    np.testing.assert_allclose(shown_state(start), [0.36, 0, 0.64, 0], atol=1e-9)


def shown_state(theirs):
    theirs = theirs.copy()
    theirs.measure_all()
    found = shown(from_qiskit(theirs))
    return [found.get(k, 0) for k in range(1 << theirs.num_qubits)]


@pytest.mark.parametrize("make", [
    lambda: _opaque(qiskit.circuit.Gate("mystery", 2, [])),
    lambda: _opaque(qiskit.circuit.Instruction("strange", 2, 0, [])),
])  # fmt: skip
def test_what_cannot_be_converted_is_named(make):
    theirs = make()
    with pytest.raises(QasmError, match="mystery|strange"):
        from_qiskit(theirs)


def _opaque(operation):
    theirs = QuantumCircuit(2)
    theirs.append(operation, [0, 1])
    return theirs


def test_depth_and_many_controls():
    inner = QuantumCircuit(1, name="inner")
    inner.h(0)
    for _ in range(60):
        outer = QuantumCircuit(1, name="outer")
        outer.append(inner.to_gate(), [0])
        inner = outer
    assert_same(inner, from_qiskit(inner))
    many = QuantumCircuit(80)
    many.append(library.MCXGate(70), range(71))
    with pytest.raises(QasmError, match="at most 62 controls"):
        from_qiskit(many)
    for empty in (
        QuantumCircuit(),
        QuantumCircuit(0, 2),
        QuantumCircuit(QuantumRegister(0, "e"), ClassicalRegister(0, "f")),
    ):
        again = to_qiskit(from_qiskit(empty))
        assert (again.num_qubits, again.num_clbits) == (empty.num_qubits, empty.num_clbits)


#: Circuits that branch, as Qiskit writes them: our reader and the conversion agree.
@pytest.mark.parametrize("seed", range(12))
def test_texts_of_dynamic_circuits_mean_what_conversion_says(seed):
    from qiskit import qasm3

    rng = np.random.default_rng(seed)
    theirs = dynamic()
    for _ in range(4):
        bit, qubit, kind = int(rng.integers(3)), int(rng.integers(3)), rng.integers(5)
        if kind == 0:
            with theirs.if_test((theirs.clbits[bit], int(rng.integers(2)))) as otherwise:
                theirs.ry(0.4, qubit)
            with otherwise:
                theirs.x(qubit)
        elif kind == 1:
            with theirs.switch(theirs.cregs[0]) as case:
                with case(int(rng.integers(4)), 5):
                    theirs.h(qubit)
                with case(case.DEFAULT):
                    theirs.rx(0.3, qubit)
        elif kind == 2:
            with theirs.for_loop(range(3), TheirParameter(f"k{len(theirs.data)}")) as k:
                theirs.rx(k * 0.3, qubit)
                theirs.measure(qubit, bit)
                with theirs.if_test((theirs.clbits[bit], 1)):
                    theirs.break_loop() if rng.integers(2) else theirs.continue_loop()
                theirs.h(qubit)
        elif kind == 3:
            with theirs.while_loop((theirs.cregs[0], int(rng.integers(4)))):
                theirs.h([0, 1, 2])
                theirs.measure([0, 1, 2], [0, 1, 2])
        else:
            theirs.measure(qubit, bit)
            theirs.reset(qubit)
    theirs.measure([0, 1, 2], [0, 1, 2])
    ours = from_qiskit(theirs)
    assert shown(loads(qasm3.dumps(theirs))) == pytest.approx(shown(ours), abs=1e-7)
    assert shown(from_qiskit(to_qiskit(ours))) == pytest.approx(shown(ours), abs=1e-7)
    assert shown(loads(dumps(ours))) == pytest.approx(shown(ours), abs=1e-7)


def test_refusals_are_clear():
    with pytest.raises(QasmError, match="takes a qiskit"):
        from_qiskit("h q[0];")
    with pytest.raises(QasmError, match="takes a qsim"):
        to_qiskit("h q[0];")
    with pytest.raises(QasmError, match="no sign"):
        to_qiskit(Circuit(1, 2).if_else(op("<", op("-", Bits((0, 1)), 3), Bits((0,))), Circuit(1, 2).x(0)))
    with pytest.raises(QasmError, match="'end'"):
        to_qiskit(Circuit(1).end())
    with pytest.raises(QasmError, match="depend on measurements"):
        a = Parameter("a")
        to_qiskit(Circuit(1, 1).with_values([a], [Bits((0,))], Circuit(1, 1).rx(a, 0)))
    with pytest.raises(QasmError, match="remainder"):
        to_qiskit(Circuit(1).rx(Parameter("a") % 2, 0))
    with pytest.warns(QasmWarning, match="Snapshot"):
        assert to_qiskit(Circuit(1).save_statevector()).count_ops() == {"barrier": 1}


def test_breaks_of_several_loops_to_qiskit():
    circuit = Circuit(1, 2).x(0)
    outer, inner = circuit.block(), circuit.block()
    inner.measure(0, 0).break_loop(2)
    outer.while_loop(op("!", Bits((1,))), inner).x(0)
    circuit.while_loop(op("!", Bits((1,))), outer).measure(0, 1)
    theirs = to_qiskit(circuit)
    assert shown(from_qiskit(theirs)) != {}
    assert theirs.num_clbits == 2 and theirs.num_vars == 1  # a flag of its own


def test_parameter_arrays_become_vectors():
    p = ParameterArray("p", 3)
    theirs = to_qiskit(Circuit(1).rx(p[1] * 2, 0).ry(p[2].sqrt() + math.pi, 0))
    assert sorted(x.name for x in theirs.parameters) == ["p[1]", "p[2]"]
    (vector,) = {x.vector.name for x in theirs.parameters}
    assert vector == "p"

"""Building circuits: gates, broadcasting, registers, parameters, copies, what is read from them, and messages."""

from __future__ import annotations

import math

import numpy as np
import oracle
import pytest
import strategies
from hypothesis import given

from qsim import Circuit, CircuitError, Gate, GateDefinition, Parameter, ParameterArray, ParameterError, UnitaryMatrix
from qsim.circuit import Barrier, Delay, Instruction, Measure, Reset
from qsim.classical import Bits
from qsim.gates import ALIASES, GATES

A, B = Parameter("a"), Parameter("b")
METHODS = sorted(name for name in GATES if name != "gphase")


def close(first, second):
    return np.abs(np.subtract(first, second)).max() < 1e-10


# Gates ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", METHODS)
def test_every_gate_has_a_method(name):
    row = GATES[name]
    params = (0.3, 0.4, 0.5, 0.6)[: row.num_params]
    qubits = tuple(range(row.num_qubits))[::-1]
    circuit = Circuit(row.num_qubits)
    assert getattr(circuit, name)(*params, *qubits) is circuit
    assert list(circuit) == [Instruction(Gate(name, *params), qubits)]
    assert circuit.append(name, qubits, *params)[1] == circuit[0]
    assert circuit.append(Gate(name, *params), list(qubits))[2] == circuit[0]


@pytest.mark.parametrize("name", ["u1", "u3", "cu1"])
def test_methods_by_old_names(name):
    row = GATES[ALIASES[name]]
    circuit = Circuit(2)
    getattr(circuit, name)(*(0.1, 0.2, 0.3)[: row.num_params], *range(row.num_qubits))
    assert circuit[0].operation.base is row


def test_order_of_operands():
    circuit = Circuit(3).cx(2, 0).crz(0.5, 1, 2).cswap(1, 2, 0)
    assert [i.qubits for i in circuit] == [(2, 0), (1, 2), (1, 2, 0)]


def test_broadcasting():
    circuit = Circuit(4).h(range(3)).rx(0.5, [3, 1]).cx([0, 1], [2, 3]).cx(0, (1, 2)).x(np.array([0, 3])).y(np.int64(2))
    assert [i.qubits for i in circuit] == [
        (0,), (1,), (2,), (3,), (1,), (0, 2), (1, 3), (0, 1), (0, 2), (0,), (3,), (2,),
    ]  # fmt: skip
    register = Circuit().add_qubits(2)
    assert len(Circuit(2).h(register.indices)) == 2
    assert len(Circuit(2).h([])) == 0


def test_unitary_and_gphase():
    circuit = Circuit(3).unitary(oracle.SWAP, [2, 0], name="mine").unitary(oracle.X, 1).gphase(0.25).gphase(A)
    assert [(i.operation.name, i.qubits) for i in circuit] == [("mine", (2, 0)), ("unitary", (1,))]
    assert circuit.global_phase == 0.25 + A
    assert Circuit(0).append("gphase", [], 0.5).append(Gate("gphase", 0.25), []).global_phase == 0.75
    assert len(Circuit(1).append(Gate("gphase", 0.5).control(), [0])) == 1


def test_measurements_resets_barriers_delays():
    circuit = Circuit(3, 2).measure([2, 0], [0, 1]).reset([0, 1]).barrier().barrier(1, [2, 1]).delay("5ns", 1)
    assert list(circuit) == [
        Instruction(Measure(), (2,), (0,)), Instruction(Measure(), (0,), (1,)),
        Instruction(Reset(), (0,)), Instruction(Reset(), (1,)),
        Instruction(Barrier(), (0, 1, 2)), Instruction(Barrier(), (1, 2)), Instruction(Delay("5ns"), (1,)),
    ]  # fmt: skip


def test_measure_all_adds_a_register():
    circuit = Circuit(2, 1).measure_all()
    assert [len(r) for r in circuit.clbit_registers] == [1, 2] and circuit.num_clbits == 3
    assert [(i.qubits, i.clbits) for i in circuit] == [((0,), (1,)), ((1,), (2,))]


def test_indexing():
    circuit = Circuit(2).h(0).cx(0, 1)
    assert circuit[-1] == circuit[1] and len(circuit) == 2
    for index in (2, -3):
        with pytest.raises(IndexError):
            circuit[index]


# Registers -----------------------------------------------------------------------------------------------------


def test_registers():
    circuit = Circuit(1, 1)
    a, b, c = circuit.add_qubits(2, "a"), circuit.add_qubits(1), circuit.add_clbits(3, "out")
    assert (a.indices, b.indices, c.indices) == ((1, 2), (3,), (1, 2, 3))
    assert a[1] == 2 and len(c) == 3
    assert (circuit.num_qubits, circuit.num_clbits) == (4, 4)
    assert [r.name for r in circuit.qubit_registers][:2] == ["q", "a"]
    names = [r.name for r in (*circuit.qubit_registers, *circuit.clbit_registers)]
    assert len(set(names)) == len(names)
    with pytest.raises(CircuitError, match="Register names are unique; 'a' is taken"):
        circuit.add_clbits(1, "a")


# Parameters ----------------------------------------------------------------------------------------------------


def test_parameters_in_order_of_declaration_and_use():
    array = ParameterArray("w", 3)
    circuit = Circuit(2)
    circuit.declare_parameter(B)
    circuit.rx(array[2] + A, 0).ry(B, 0).gphase(Parameter("phase"))
    assert [p.name for p in circuit.parameters] == ["b", "w[0]", "w[1]", "w[2]", "a", "phase"]
    definition = GateDefinition("g", [A], Circuit(1).rx(A, 0))
    assert Circuit(1).append(Gate(definition, 2 * B), [0]).parameters == (B,)
    body = Circuit(1, 1).rx(A, 0)
    assert Circuit(1, 1).if_else(Bits((0,)), body).parameters == (A,)


def test_bind_numbers_expressions_and_arrays():
    array = ParameterArray("w", 2)
    circuit = Circuit(1, name="mine").rx(A + array[0], 0).rz(B * array[1], 0).gphase(A)
    part = circuit.bind({"a": 0.5, "w": [1, 2]})
    assert part.parameters == (B,) and part.name == "mine"
    assert part[0].operation.params == (1.5,) and part.global_phase == 0.5
    assert part[1].operation.params == (B * 2,)
    assert circuit.parameters == (A, array[0], array[1], B)
    assert circuit.bind({"a": 2 * B}).global_phase == 2 * B
    with pytest.raises(ParameterError, match="Parameter 'a' must be finite"):
        circuit.bind({"a": math.nan})


@given(strategies.bound_circuits(max_qubits=4, max_gates=8))
def test_bound_circuits_are_the_oracle_s(drawn):
    circuit, values = drawn
    bound = circuit.bind(values)
    assert bound.parameters == ()
    assert close(oracle.circuit_unitary(bound), oracle.circuit_unitary(circuit, values))


def test_bind_reaches_into_bodies():
    inner = Circuit(1, 1).rx(A, 0)
    circuit = Circuit(1, 1).if_else(Bits((0,)), Circuit(1, 1).while_loop(Bits((0,)), inner))
    bound = circuit.bind({"a": 0.5})
    assert bound.parameters == ()
    assert bound[0].operation.body[0].operation.body[0].operation == Gate("rx", 0.5)
    assert circuit.parameters == (A,)


# Copies, inverses, definitions ---------------------------------------------------------------------------------


def test_copy_is_independent():
    circuit = Circuit(2, 1).h(0).rx(A, 1).gphase(0.5)
    copy = circuit.copy()
    copy.x(0).measure(0, 0).gphase(1)
    copy.rx(B, 0).add_qubits(1)
    assert (len(circuit), circuit.num_qubits, circuit.parameters, circuit.global_phase) == (2, 2, (A,), 0.5)
    assert len(copy) == 5 and copy.parameters == (A, B)
    assert list(copy)[:2] == list(circuit)


@given(strategies.circuits(max_qubits=5))
def test_inverse_undoes(circuit):
    matrix = oracle.circuit_unitary(circuit)
    inverse = circuit.inverse()
    assert close(oracle.circuit_unitary(inverse) @ matrix, np.eye(len(matrix)))
    assert close(oracle.circuit_unitary(inverse.inverse()), matrix)


def test_inverse_keeps_parameters_barriers_and_refuses_measurements():
    circuit = Circuit(2).rx(A, 0).barrier().delay("1ns", 0).u2(A, B, 1).dcx(0, 1).gphase(A)
    values = {"a": 0.3, "b": 0.9}
    product = oracle.circuit_unitary(circuit.inverse(), values) @ oracle.circuit_unitary(circuit, values)
    assert close(product, np.eye(4))
    assert circuit.inverse().count_ops()["barrier"] == 1
    for other, what in [
        (Circuit(1, 1).measure(0, 0), "measure"),
        (Circuit(1).reset(0), "reset"),
        (Circuit(1, 1).if_else(Bits((0,)), Circuit(1, 1)), "ifelse"),
    ]:
        with pytest.raises(CircuitError, match=f"Only gates can be undone; the circuit has a {what}"):
            other.inverse()


def test_to_gate():
    circuit = Circuit(2, name="entangle").rx(A, 0).cx(0, 1).gphase(B)
    definition = circuit.to_gate()
    assert (definition.name, definition.num_qubits, definition.num_params) == ("entangle", 2, 2)
    outer = Circuit(3).append(Gate(definition, 0.4, 0.7).control(value=0), [1, 2, 0])
    expected = oracle.controlled(oracle.circuit_unitary(circuit, {"a": 0.4, "b": 0.7}), [0])
    assert close(oracle.circuit_unitary(outer), oracle.embed(expected, (1, 2, 0), np.eye(8, dtype=complex)))
    circuit.x(0)
    assert len(definition.body) == 2  # a copy
    with pytest.raises(CircuitError, match="takes 2 parameters, got 1"):
        Gate(definition, 1.0)


def test_definitions_refuse_what_is_no_gate():
    with pytest.raises(CircuitError, match="may hold gates only"):
        Circuit(1, 1).measure(0, 0).to_gate()
    with pytest.raises(CircuitError, match="may hold gates only"):
        Circuit(1).reset(0).to_gate()
    with pytest.raises(CircuitError, match="uses 'b', which is no parameter of it"):
        GateDefinition("g", [A], Circuit(1).rx(B, 0))


def test_definitions_that_grow_without_bound_are_refused():
    gate = GateDefinition("g0", [], Circuit(1).h(0).t(0))
    for level in range(1, 40):
        gate = GateDefinition(f"g{level}", [], Circuit(1).append(Gate(gate), [0]).append(Gate(gate), [0]))
        if gate.size > 50_000_000:
            break
    assert gate.size == 2 << level
    with pytest.raises(CircuitError, match=r"stands for .* gates when its definitions are expanded"):
        Circuit(1).append(Gate(gate), [0])


# Reading -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("circuit", "expected"),
    [
        (Circuit(2).h(0).cx(0, 1), False),
        (Circuit(2).h(0).measure_all(), False),
        (Circuit(2, 2).measure(0, 0).x(1).measure(1, 1), False),
        (Circuit(2, 2).measure(0, 0).barrier().delay("1ns", 0), False),
        (Circuit(2, 2).measure(0, 0).x(0), True),
        (Circuit(2, 2).measure(0, 0).cx(1, 0), True),
        (Circuit(2, 2).measure(0, 0).measure(0, 1), True),
        (Circuit(2, 2).measure(0, 0).measure(1, 0), True),
        (Circuit(2).reset(0), True),
        (Circuit(1, 1).if_else(Bits((0,)), Circuit(1, 1)), True),
        (Circuit(1, 1).measure(0, 0).append(Gate(UnitaryMatrix(oracle.X)), [0]), True),
    ],
)
def test_is_dynamic(circuit, expected):
    assert circuit.is_dynamic is expected


def test_depth_and_count_ops():
    circuit = Circuit(3, 2)
    assert circuit.depth() == 0 and circuit.count_ops() == {}
    circuit.h(range(3)).barrier().cx(0, 1).x(2).append(Gate("x").control(2), [0, 1, 2]).measure([0, 1], [0, 1])
    assert circuit.depth() == 4
    assert circuit.count_ops() == {"h": 3, "measure": 2, "barrier": 1, "cx": 1, "x": 1, "cc-x": 1}
    assert next(iter(circuit.count_ops())) == "h"
    circuit.if_else(Bits((0,)), circuit.block().x(0)).x(2)
    assert circuit.depth() == 6
    assert circuit.count_ops()["ifelse"] == 1
    circuit.unitary(oracle.X, 0, name="mine").delay("1ns", 0).reset(1)
    assert {"mine", "delay", "reset"} <= circuit.count_ops().keys()


@given(strategies.circuits(max_qubits=6))
def test_depth_is_the_longest_path(circuit):
    ends = [0] * circuit.num_qubits
    for instruction in circuit:
        level = 1 + max((ends[q] for q in instruction.qubits), default=max(ends))
        for q in instruction.qubits or range(circuit.num_qubits):
            ends[q] = level
    assert circuit.depth() == max(ends)


def test_repr():
    assert repr(Circuit(1, 2).x(0)) == "<Circuit: 1 qubit, 2 bits, 1 operation>"
    assert repr(Circuit(1).to_gate("g")) == "<GateDefinition 'g': 0 parameters, 1 qubits>"


# Errors --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda c: c.h(3), "There is no qubit 3: this circuit has qubits 0 to 2."),
        (lambda c: c.h(-1), "There is no qubit -1: this circuit has qubits 0 to 2."),
        (lambda c: c.h(1.0), "A qubit is given by its number, an integer from 0 to 2; got 1.0."),
        (lambda c: c.h("0"), "A qubit is given by its number, an integer from 0 to 2; got '0'."),
        (lambda c: c.h(True), "got True"),
        (lambda c: c.h(None), "got None"),
        (lambda c: c.h([0, 3]), "There is no qubit 3"),
        (lambda c: c.cx(0, 0), "A gate acts on different qubits; 'cx' got qubit 0 twice in (0, 0)."),
        (lambda c: c.cx([0, 1], [2, 1]), "'cx' got qubit 1 twice"),
        (lambda c: c.cx([0, 1], [2]), "given to one gate must have one length; 'cx' got lengths 1, 2."),
        (lambda c: c.rx(math.nan, 0), "A parameter of gate 'rx' must be finite, got nan."),
        (lambda c: c.rx("pi", 0), "A parameter of gate 'rx' is a real number or an expression"),
        (lambda c: c.append("hh", [0]), "There is no gate called 'hh'. Did you mean 'h'?"),
        (lambda c: c.append("h", [0, 1]), "Gate 'h' acts on 1 qubit, got 2."),
        (lambda c: c.append(Gate("h").control(), [0]), "Gate 'h' with its controls acts on 2 qubits, got 1."),
        (lambda c: c.append("rx", [0]), "Gate 'rx' takes 1 parameter, got 0."),
        (lambda c: c.append(Gate("x"), [0], 0.5), "Parameters go with a gate's name; a Gate has its own already."),
        (lambda c: c.append(3, [0]), "append takes a Gate or the name of one, got 3."),
        (lambda c: c.append(Gate("swap"), [1, 1]), "'swap' got qubit 1 twice"),
        (lambda c: c.unitary(np.ones((2, 2)), 0), "must be unitary"),
        (lambda c: c.unitary(np.eye(4), 0), "acts on 2 qubits, got 1"),
        (lambda c: c.gphase(math.inf), "A global phase must be finite, got inf."),
        (lambda c: c.measure(0, 1), "There is no classical bit 1: this circuit has classical bits 0 to 0."),
        (lambda c: c.measure([0, 1], [0]), "As many bits as qubits are measured; got 2 qubits and 1 bits."),
        (lambda c: c.measure(5, 0), "There is no qubit 5"),
        (lambda c: c.reset(7), "There is no qubit 7"),
        (lambda c: c.barrier(4), "There is no qubit 4"),
        (lambda c: c.add_qubits(-1), "The number of qubits is an integer of at least 0, got -1."),
        (lambda c: c.add_qubits(1.5), "The number of qubits is an integer of at least 0, got 1.5."),
        (lambda c: c.add_qubits(10**9), "A circuit has at most 1,000,000 qubits"),
        (lambda c: c.add_clbits(10**9), "A circuit has at most 10,000,000 classical bits"),
    ],
)
def test_errors(build, message):
    circuit = Circuit(3, 1).h(0)
    with pytest.raises((CircuitError, ParameterError)) as caught:
        build(circuit)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "build",
    [lambda c: c.rx(math.nan, 0), lambda c: c.cx(0, 0), lambda c: c.measure(0, 9), lambda c: c.measure([0, 9], [0, 0]),
     lambda c: c.u(0.1, 0.2, "x", 0), lambda c: c.append(Gate("x").control(), [0, 0])],
)  # fmt: skip
def test_a_refused_operation_leaves_the_circuit_as_it_was(build):
    circuit = Circuit(2, 1).ry(A, 0).u(A, 0.5, B, 1)
    before = list(circuit)
    with pytest.raises((CircuitError, ParameterError)):
        build(circuit)
    assert list(circuit) == before
    circuit.rx(0.25, 1)
    assert circuit[-1] == Instruction(Gate("rx", 0.25), (1,))
    assert circuit[0].operation.params == (A,)

"""Peephole steps: the oracle's unitary of the rows stays the same, and what should vanish does."""

from __future__ import annotations

import cmath
import copy
import math

import numpy as np
import oracle
import pytest
import strategies
from hypothesis import given, settings
from hypothesis import strategies as st

from qsim import Circuit, Gate, Parameter
from qsim.compiler import peephole
from qsim.compiler.lowering import MATRIX, NeedsNumbers, lower
from qsim.gates import GATES, row_by_code
from qsim.parameters import Expression

PARAMETRIC = sorted(name for name, (qubits, params, *_) in oracle.TABLE.items() if params and qubits)


def simplified(circuit):
    lowered = lower(circuit)
    peephole.simplify(lowered, circuit.num_qubits)
    return lowered


def names(circuit):
    """What is left, as names with the number of extra controls behind them."""
    return [row_by_code(code).name + "'" * extra for code, _, _, _, extra, _ in simplified(circuit).rows.tolist()]


def steps(lowered, values):
    """The matrix and the qubits of every row."""
    for code, first, count, value, extra, bits in lowered.rows.tolist():
        if code == MATRIX:
            matrix = lowered.matrices[value]
        else:
            row = row_by_code(code)
            slots = range(value, value + row.num_params)
            params = [oracle.value_of(lowered.expressions.get(k, float(lowered.values[k])), values) for k in slots]
            matrix = oracle.gate_matrix(row.name, *params)
        controls = [bits >> k & 1 for k in range(extra)]
        yield oracle.controlled(matrix, controls), lowered.operands[first : first + count].tolist()


def unitary(lowered, num_qubits, values):
    array = cmath.exp(1j * oracle.value_of(lowered.phase, values)) * np.eye(1 << num_qubits, dtype=complex)
    for matrix, qubits in steps(lowered, values):
        array = oracle.embed(matrix, qubits, array)
    return array


def check(circuit, values=None):
    """Simplify a circuit's rows, compare the unitary, and return how many rows are left."""
    before, values = lower(circuit), values or {}
    after = copy.deepcopy(before)
    peephole.simplify(after, circuit.num_qubits)
    assert len(after.rows) <= len(before.rows)
    expected = unitary(before, circuit.num_qubits, values)
    assert np.abs(unitary(after, circuit.num_qubits, values) - expected).max() < 1e-12
    return len(after.rows)


# Phases of parities --------------------------------------------------------------------------------------------
@settings(max_examples=150)
@given(st.data())
def test_phases_between_cx_and_what_disturbs_them(data):
    theta, circuit = Parameter("theta"), Circuit(3)
    for _ in range(data.draw(st.integers(3, 16))):
        a, b = data.draw(st.permutations(range(3)))[:2]
        kind = data.draw(st.sampled_from(["cx"] * 4 + ["rz", "p", "t", "s", "z", "tdg", "x", "cz", "h", "rzz", "pair"]))
        angle = data.draw(st.sampled_from([0.3, -1.1, 2.5, theta, 2 * theta + 0.1]))
        if kind == "pair":
            circuit.cx(a, b).append(data.draw(st.sampled_from(["t", "sdg", "z"])), [b])
            circuit.cx(a, b)
        elif kind in ("cx", "cz"):
            getattr(circuit, kind)(a, b)
        elif kind == "rzz":
            circuit.rzz(angle, a, b)
        elif kind in ("rz", "p"):
            getattr(circuit, kind)(angle, a)
        else:
            getattr(circuit, kind)(a)
    check(circuit, {"theta": 0.7})


def test_phases_of_parities_are_found():
    theta = Parameter("theta")
    assert names(Circuit(3).cx(0, 1).rz(0.5, 1).cz(0, 2).cx(0, 1)) == ["cz", "rzz"]
    assert names(Circuit(2).cx(0, 1).p(theta, 1).cx(0, 1)) == ["rzz"]
    assert names(Circuit(2).cx(0, 1).t(1).cx(0, 1)) == ["t", "t", "sdg'"]
    assert names(Circuit(2).cx(0, 1).z(1).cx(0, 1)) == ["z", "z"]
    assert names(Circuit(2).cx(0, 1).rz(0.5, 1).cx(0, 1).cx(0, 1).rz(0.25, 1).cx(0, 1)) == ["rzz"]
    # the other way round, a phase of the control, something that does not commute on the way
    assert names(Circuit(2).cx(0, 1).rz(0.5, 1).cx(1, 0)) == ["cx", "rz", "cx"]
    assert names(Circuit(2).cx(0, 1).rz(0.5, 1).h(0).cx(0, 1)) == ["cx", "rz", "h", "cx"]
    assert names(Circuit(2).cx(0, 1).rz(0.5, 1).rx(0.1, 1).cx(0, 1)) == ["cx", "rz", "rx", "cx"]


# The same unitary ----------------------------------------------------------------------------------------------
#: Gates that meet their likes often: few of them, on few qubits, with angles that repeat.
FEW = ["x", "z", "h", "s", "sdg", "t", "sx", "sxdg", "p", "rx", "rz", "cx", "cz", "cp", "crx", "crz", "cs", "ccx", "ccz",
       "swap", "rzz", "rxx", "rzx", "dcx", "iswap", "id", "y", "ecr", "r", "gphase", "u"]  # fmt: skip
repeating = st.sampled_from([0.0, 0.3, -0.3, math.pi, -math.pi, 2 * math.pi, -2 * math.pi, 4 * math.pi, 7.5, 100.0])


@st.composite
def meeting_circuits(draw, pool=FEW, symbolic=False, max_qubits=4, max_gates=30):
    """Gates, and inverses and copies of earlier ones on the same qubits in any order."""
    num_qubits = draw(st.integers(1, max_qubits))
    circuit, drawn = Circuit(num_qubits), []
    fitting = [name for name in pool if oracle.TABLE[name][0] <= num_qubits]
    values = st.one_of(repeating, strategies.expressions()) if symbolic else repeating
    for _ in range(draw(st.integers(1, max_gates))):
        kind = draw(st.sampled_from(["new", "inverse", "inverse", "copy", "last"])) if drawn else "new"
        if kind == "new":
            name = draw(st.sampled_from(fitting))
            gate = Gate(name, *[draw(values) for _ in range(oracle.TABLE[name][1])])
            for _ in range(draw(st.integers(0, min(2, num_qubits - gate.num_qubits)))):
                gate = gate.control(value=draw(st.sampled_from([1, 1, 0])))
            qubits = draw(st.permutations(range(num_qubits)))[: gate.num_qubits]
        else:
            gate, qubits = drawn[-1] if kind == "last" else draw(st.sampled_from(drawn))
            gate = gate if kind == "copy" else gate.inverse()
            qubits = draw(st.permutations(qubits)) if draw(st.booleans()) else qubits
        drawn.append((gate, qubits))
        circuit.append(gate, qubits)
    return circuit


@settings(max_examples=400)
@given(meeting_circuits())
def test_unitary_of_gates_that_meet(circuit):
    check(circuit)


@settings(max_examples=100)
@given(meeting_circuits(pool=[name for name in strategies.NAMES if name != "c4x"]))
def test_unitary_of_all_gates(circuit):
    check(circuit)


@settings(max_examples=100)
@given(meeting_circuits(symbolic=True), st.data())
def test_unitary_with_symbols(circuit, data):
    check(circuit, {p.name: data.draw(st.floats(-2, 2)) for p in circuit.parameters})


@settings(max_examples=60)
@given(strategies.bound_circuits(max_qubits=5, max_gates=8))
def test_circuit_and_its_mirror(drawn):
    """Definitions, powers, matrices and phases, then all of them backwards."""
    circuit, values = drawn
    for instruction in list(circuit)[::-1]:
        circuit.append(instruction.operation.inverse(), instruction.qubits)
    try:
        check(circuit, values)
    except NeedsNumbers:  # a fractional power
        check(circuit.bind(values))


def test_segments_of_a_circuit_are_simplified_alone():
    circuit = Circuit(2).h(0).cx(0, 1).cx(0, 1).h(0)
    lowered = lower(circuit, 1, 3)
    peephole.simplify(lowered, 2)
    assert len(lowered.rows) == 0
    assert len(lower(circuit, 0, 4).rows) == 4  # the circuit itself is untouched


# What cancels --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("controls", [(), (1,), (0, 1)])
@pytest.mark.parametrize("name", sorted(oracle.TABLE))
def test_every_gate_cancels_its_inverse(name, controls):
    row = GATES[name]
    params = [0.3, -1.1, 0.7, 2.2][: row.num_params]
    inverse = row.inverse_params(*params)
    num_qubits = max(row.num_qubits + len(controls), 1)
    for sides in [((row.name, params), (row.inverse, inverse)), ((row.inverse, inverse), (row.name, params))]:
        circuit = Circuit(num_qubits)
        for k, (side, angles) in enumerate(sides):
            gate = Gate(side, *angles)
            for value in reversed(controls):
                gate = gate.control(value=value)
            qubits = list(range(gate.num_qubits))
            if row.inverse_order is not None and k == 1:
                qubits[len(controls) :] = [len(controls) + place for place in row.inverse_order]
            circuit.append(gate, qubits)
        assert check(circuit) == 0


@pytest.mark.parametrize("name", PARAMETRIC)
def test_gate_without_parameters_to_speak_of_is_dropped(name):
    params = [0.0] * oracle.TABLE[name][1]
    circuit = Circuit(4).append(Gate(name, *params).control(value=0), range(1 + oracle.TABLE[name][0]))
    assert check(circuit) == (name in ("u2", "u2_su2"))


@pytest.mark.parametrize("name", [name for name in PARAMETRIC if GATES[name].scales == (0,) and name != "u0"])
def test_rotations_merge(name):
    row = GATES[name]
    rest = [0.4] * (row.num_params - 1)
    circuit, qubits = Circuit(row.num_qubits + 1), range(row.num_qubits + 1)
    for angle in (0.3, 0.5, -1.1, 9.0, 9.0):
        circuit.append(Gate(name, angle, *rest).control(value=0), qubits)
    assert check(circuit) == 1
    assert abs(simplified(circuit).values).max() <= 4 * math.pi
    for turns in (1, 2, -1):
        circuit = Circuit(row.num_qubits)
        circuit.append(Gate(name, 2 * math.pi * turns, *rest), range(row.num_qubits))
        assert check(circuit) == (name in ("crx", "cry", "crz") or name.startswith("xx")) * (turns != 2)


def test_a_controlled_turn_is_a_controlled_phase():
    assert names(Circuit(3).append(Gate("rx", 2 * math.pi).control(2), [0, 1, 2])) == ["gphase''"]
    assert check(Circuit(3).append(Gate("rzz", 2 * math.pi).control(value=0), [0, 1, 2])) == 1
    assert check(Circuit(2).crz(math.pi, 0, 1).crz(math.pi, 0, 1).z(0)) == 0


def test_phases_of_one_wire_are_powers_of_t():
    assert names(Circuit(1).t(0).t(0)) == ["s"]
    assert names(Circuit(1).t(0).s(0).t(0)) == ["z"]
    assert names(Circuit(1).tdg(0).z(0).sdg(0)) == ["t"]
    assert names(Circuit(1).t(0).p(0.3, 0).s(0)) == ["p"]
    assert names(Circuit(2).cs(0, 1).cs(1, 0)) == ["z'"]
    assert names(Circuit(1).sx(0).sx(0)) == ["x"]
    assert names(Circuit(2).csx(0, 1).cx(0, 1)) == ["sxdg'"]
    assert check(Circuit(1).t(0).s(0)) == 2  # p(3 pi/4), for which there is no place
    assert check(Circuit(3).ccz(0, 1, 2).append(Gate("p", -math.pi).control(2), [2, 0, 1])) == 0


def test_order_of_qubits_that_mean_the_same():
    assert check(Circuit(2).cz(0, 1).cz(1, 0)) == 0
    assert check(Circuit(2).swap(0, 1).swap(1, 0)) == 0
    assert check(Circuit(3).ccz(0, 1, 2).ccz(2, 0, 1)) == 0
    assert check(Circuit(3).ccx(0, 1, 2).ccx(1, 0, 2)) == 0
    assert check(Circuit(3).cswap(0, 1, 2).cswap(0, 2, 1)) == 0
    assert check(Circuit(2).rzz(0.3, 0, 1).rzz(-0.3, 1, 0)) == 0
    assert check(Circuit(3).ccx(0, 1, 2).append(Gate("x").control(2), [1, 0, 2])) == 0
    assert check(Circuit(2).cx(0, 1).cx(1, 0)) == 2
    assert check(Circuit(2).rzx(0.3, 0, 1).rzx(-0.3, 1, 0)) == 2
    assert check(Circuit(2).dcx(0, 1).dcx(0, 1)) == 2


def test_control_values_must_agree():
    low, high = Gate("x").control(value=0), Gate("x").control()
    assert check(Circuit(2).append(low, [0, 1]).append(low, [0, 1])) == 0
    assert check(Circuit(2).append(low, [0, 1]).append(high, [0, 1])) == 2
    mixed = Gate("x").control(value=0).control()
    assert check(Circuit(3).append(mixed, [0, 1, 2]).append(mixed, [0, 1, 2])) == 0
    assert check(Circuit(3).append(mixed, [0, 1, 2]).append(mixed, [1, 0, 2])) == 2
    assert check(Circuit(2).append(Gate("p", 0.3).control(value=0), [0, 1]).cp(-0.3, 1, 0)) == 2


def test_commuting_operations_between():
    assert check(Circuit(2).cx(0, 1).rz(0.3, 0).rx(0.4, 1).cx(0, 1)) == 2
    assert check(Circuit(3).cx(0, 1).cx(0, 2).cz(0, 2).cx(0, 1)) == 2
    assert check(Circuit(2).cx(0, 1).ry(0.3, 1).cx(0, 1)) == 3
    assert check(Circuit(2).rz(0.3, 0).cx(0, 1).rz(0.3, 0)) == 2
    assert check(Circuit(2).ry(0.3, 0).cy(1, 0).ry(-0.3, 0)) == 1
    assert check(Circuit(2).h(0).unitary(np.diag([1, 1j, 1, -1]), [0, 1]).h(0)) == 3
    assert check(Circuit(1).h(0).barrier().h(0)) == 0


def test_nested_inverses_and_a_mirrored_circuit_vanish():
    assert check(Circuit(1).s(0).h(0).h(0).sdg(0)) == 0
    random = np.random.default_rng(5)
    circuit = Circuit(6)
    pool = [name for name in oracle.TABLE if name not in ("gphase", "dcx", "u2", "u2_su2")]
    for _ in range(60):
        name = pool[random.integers(len(pool))]
        gate = Gate(name, *random.uniform(-3, 3, oracle.TABLE[name][1]))
        circuit.append(gate, random.permutation(6)[: gate.num_qubits].tolist())
    for instruction in list(circuit)[::-1]:
        circuit.append(instruction.operation.inverse(), instruction.qubits)
    assert check(circuit) == 0


def test_chains_of_cx_fold():
    circuit = Circuit(8)
    for q in [*range(7), *range(6, -1, -1)]:
        circuit.cx(q, q + 1)
    assert check(circuit) == 0


def test_symbolic_angles_stay():
    theta = Parameter("theta")
    circuit = Circuit(2).rx(theta, 0).rx(-theta, 0).rz(0.3, 1).rz(theta, 1).rz(0.2, 1).gphase(theta)
    circuit.rx(math.pi, 0).rx(math.pi, 0)
    assert check(circuit, {"theta": 0.4}) == 4
    assert isinstance(simplified(circuit).phase, Expression)


def test_other_parameters_must_agree():
    assert check(Circuit(1).r(0.3, 0.4, 0).r(0.5, 0.6, 0)) == 2
    assert check(Circuit(2).xx_plus_yy(0.3, 0.4, 0, 1).xx_plus_yy(-0.3, -0.4, 0, 1)) == 2
    assert check(Circuit(2).xx_minus_yy(0.3, 0.4, 0, 1).xx_minus_yy(-0.3, 0.4, 1, 0)) == 0
    assert check(Circuit(1).u(0.3, 0.4, 0.5, 0).u(-0.3, -0.4, -0.5, 0)) == 2


def test_large_angles_keep_their_digits():
    big = 1e9
    assert check(Circuit(1).rz(big, 0).rz(0.3, 0)) == 2
    assert check(Circuit(1).rz(big, 0).rz(-big, 0)) == 0


def test_many_controls():
    wide = Circuit(70)
    gate = Gate("x").control(60)
    assert names(wide.append(gate, range(61)).append(gate, range(61))) == []
    wide = Circuit(70)
    gate = Gate("ccx").control(62)
    assert len(names(wide.append(gate, range(65)).append(gate, range(65)))) == 2


# Work grows with the number of rows ----------------------------------------------------------------------------
def test_every_row_looks_back_over_a_window_only():
    near = Circuit(20).cz(0, 1)
    for k in range(2, 12):
        near.cz(0, k)
    far = copy.deepcopy(near)
    for k in range(2, 12):
        far.rzz(0.3, 0, k)
    assert len(names(near.cz(0, 1))) == 10
    assert len(names(far.cz(0, 1))) == 22


def test_a_hundred_thousand_gates():
    circuit = Circuit(20)
    for _ in range(2500):
        for q in range(20):
            circuit.h(q).rz(0.1, q)
    for _ in range(2500):
        for q in reversed(range(20)):
            circuit.rz(-0.1, q).h(q)
    assert names(circuit) == []

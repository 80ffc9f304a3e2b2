"""The gate table and `Gate`: every row's matrix against the specifications, and what modifiers do to it."""

from __future__ import annotations

import math

import numpy as np
import oracle
import pytest
import strategies
from hypothesis import given
from hypothesis import strategies as st

from qsim import Circuit, CircuitError, Gate, GateDefinition, Parameter, ParameterError, UnitaryMatrix
from qsim.gates import ALIASES, GATES, MAX_CONTROLS, Structure, find_gate

ROWS = sorted(GATES)
SETS = [(0.3, 1.1, -0.7, 2.2), (-5.1, 0.4, 9.0, -1.3), (math.pi, 0.0, -math.pi / 2, math.pi), (0.0, 0.0, 0.0, 0.0)]


def close(first, second, tolerance=1e-13):
    return np.shape(first) == np.shape(second) and np.abs(np.subtract(first, second)).max() < tolerance


def test_the_table_has_exactly_the_gates_of_the_oracle():
    assert set(GATES) == set(oracle.TABLE)


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("values", SETS)
def test_matrix_is_the_specification_s(name, values):
    row, (qubits, count, controls, _) = GATES[name], oracle.TABLE[name]
    assert (row.num_qubits, row.num_params, row.controls) == (qubits, count, controls)
    gate = Gate(name, *values[:count])
    assert gate.num_qubits == qubits
    assert close(gate.matrix(), oracle.gate_matrix(name, *values[:count]))
    assert close(row.base_matrix(*values[:count]), oracle.TABLE[name][3](*values[:count]))


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("values", SETS)
def test_inverse(name, values):
    gate = Gate(name, *values[: GATES[name].num_params])
    matrix = gate.matrix()
    assert close(gate.inverse().matrix() @ matrix, np.eye(len(matrix)))
    assert close(gate.inverse().inverse().matrix(), matrix)
    assert GATES[name].inverse in GATES


@pytest.mark.parametrize("name", ROWS)
def test_structure_flags_hold_for_all_parameters_and_are_complete(name):
    row = GATES[name]
    matrices = [row.base_matrix(*values[: row.num_params]) for values in SETS[:2]]
    diagonal = all(close(m, np.diag(np.diagonal(m))) for m in matrices)
    permutation = all(
        all((np.abs(m) > 1e-12).sum(axis=axis).tolist() == [1] * len(m) for axis in (0, 1)) for m in matrices
    )
    real = all(close(m.imag, np.zeros(m.shape)) for m in matrices)
    assert (Structure.DIAGONAL in row.structure) == diagonal
    if Structure.PERMUTATION in row.structure:
        assert permutation
    if Structure.REAL in row.structure:
        assert real
    if not row.num_params:
        assert (Structure.PERMUTATION in row.structure) == permutation
        assert (Structure.REAL in row.structure) == real


@pytest.mark.parametrize("alias", sorted(ALIASES))
def test_aliases(alias):
    assert find_gate(alias) is GATES[ALIASES[alias]]
    assert Gate(alias, *SETS[0][: find_gate(alias).num_params]).name == ALIASES[alias]


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("exponent", [-3, -1, 0, 1, 2, 5, 0.5, -0.5, 1 / 3, 1.5, 2.75])
def test_power(name, exponent):
    values = SETS[0][: GATES[name].num_params]
    expected = oracle.modified(name, values, [("pow", exponent)])
    assert close(Gate(name, *values).power(exponent).matrix(), expected, 1e-12)


@given(st.data())
def test_stacked_modifiers(data):
    name = data.draw(st.sampled_from([name for name in ROWS if oracle.TABLE[name][0] <= 4]))
    params = [data.draw(st.floats(-3, 3)) for _ in range(oracle.TABLE[name][1])]
    modifiers = data.draw(strategies.modifier_lists(room=2, max_size=4))
    gate = strategies.apply_modifiers(Gate(name, *params), modifiers)
    assert close(gate.matrix(), oracle.modified(name, params, modifiers), 1e-10)


@pytest.mark.parametrize("name", ["x", "y", "z", "h", "s", "t", "cz", "ccz", "cs", "tdg", "sx", "swap", "iswap", "ecr"])
@pytest.mark.parametrize("powers", [(1.5, 0.5), (0.5, 3, 0.5), (3, 0.5), (2, 0.5), (0.5, 2), (2.5, -1, 1 / 3)])
def test_power_after_power_is_principal_at_each_fraction(name, powers):
    gate = Gate(name)
    for exponent in powers:
        gate = gate.power(exponent)
    assert close(gate.matrix(), oracle.modified(name, (), [("pow", exponent) for exponent in powers]), 1e-11)


def test_principal_square_root_of_a_matrix_with_eigenvalue_minus_one():
    root = Gate("z").power(0.5)
    assert close(root.matrix(), np.diag([1, 1j]))
    assert close(Gate("x").power(0.5).matrix(), oracle.SQRT_X)
    swap_root = Gate("swap").power(0.5).matrix()
    assert close(swap_root @ swap_root, oracle.SWAP)


@given(strategies.unitaries(), st.sampled_from([0.5, -0.5, 1 / 3, 1.5, 2, -1]))
def test_power_of_a_matrix(matrix, exponent):
    gate = Gate(UnitaryMatrix(matrix))
    if float(exponent).is_integer():
        expected = np.linalg.matrix_power(matrix, int(exponent))
    else:
        expected = oracle.power(matrix, exponent)
    assert close(gate.power(exponent).matrix(), expected, 1e-10)


def test_power_of_rotations_scales_the_angle():
    assert Gate("rx", 5.0).power(0.5) == Gate("rx", 2.5)
    assert Gate("crz", 3.0).power(-2) == Gate("crz", -6.0)
    assert Gate("r", 1.0, 0.25).power(3) == Gate("r", 3.0, 0.25)
    theta = Parameter("theta")
    assert Gate("ry", theta).power(0.5).params == (theta * 0.5,)


@pytest.mark.parametrize("values", [(1,), (0,), (1, 0), (0, 1, 1), (0, 0)])
def test_controls(values):
    gate = Gate("ry", 0.7)
    for value in reversed(values):
        gate = gate.control(value=value)
    assert gate.controls == values
    assert close(gate.matrix(), oracle.controlled(oracle.rotation(0.7, "Y"), list(values)))
    assert close(gate.inverse().matrix(), oracle.adjoint(gate.matrix()))


def test_controlling_commutes_with_inverse_and_power():
    gate = Gate("u", 0.3, 0.4, 0.5)
    assert close(gate.control(2).power(0.5).matrix(), gate.power(0.5).control(2).matrix(), 1e-12)
    assert close(gate.control(1, value=0).inverse().matrix(), gate.inverse().control(1, value=0).matrix(), 1e-13)


def test_definition_with_parameters_and_phase():
    a, b = Parameter("a"), Parameter("b")
    inner = GateDefinition("inner", [a], Circuit(2).rx(a, 0).cx(0, 1).gphase(a / 2))
    body = Circuit(3).append(Gate(inner, 2 * b).control(), [2, 0, 1]).h(1)
    outer = GateDefinition("outer", [b], body)
    matrix = Gate(outer, 0.35).control(value=0).matrix()
    first = oracle.sequence(2, ("rx", (0.7,), (0,)), ("cx", (), (0, 1))) * np.exp(0.35j)
    expected = oracle.embed(oracle.controlled(first, [1]), (2, 0, 1), np.eye(8, dtype=complex))
    expected = oracle.embed(oracle.H, (1,), expected)
    assert close(matrix, oracle.controlled(expected, [0]), 1e-13)


@given(strategies.definitions())
def test_definition_matrices(definition):
    values = [0.4, -1.3][: definition.num_params]
    gate = Gate(definition, *values)
    assert close(gate.matrix(), oracle.operation_matrix(gate, {}), 1e-9)


def test_gates_are_values():
    assert Gate("rx", 0.5) == Gate("rx", 0.5)
    assert len({Gate("x"), Gate("x"), Gate("x").control(), Gate("x").control(value=0)}) == 3
    assert Gate("x") != Gate("y")
    assert Gate("x") != "x"
    gate = Gate("x")
    gate.control(2)
    assert gate.controls == ()
    assert repr(Gate("rx", 0.5).control(value=0)) == "Gate('rx', 0.5).control(value=0)"
    assert repr(Gate("h").power(0.5).control()) == "Gate('h').power(0.5).control()"


def test_unitary_matrix_is_a_copy_that_cannot_change():
    matrix = np.eye(2)
    gate = UnitaryMatrix(matrix, "mine")
    matrix[0, 0] = 5
    assert gate.matrix[0, 0] == 1 and gate.name == "mine"
    with pytest.raises(ValueError):
        gate.matrix[0, 0] = 2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Gate("hh"), "There is no gate called 'hh'. Did you mean 'h'?"),
        (lambda: Gate("toffoli_of_mine"), "There is no gate called 'toffoli_of_mine'."),
        (lambda: Gate("rx"), "Gate 'rx' takes 1 parameter, got 0."),
        (lambda: Gate("x", 0.5), "Gate 'x' takes 0 parameters, got 1."),
        (lambda: Gate("rx", math.nan), "A parameter of gate 'rx' must be finite, got nan."),
        (lambda: Gate("rx", math.inf), "must be finite"),
        (lambda: Gate("rx", "0.5"), "real number or an expression"),
        (lambda: Gate("rx", 1j), "real number or an expression"),
        (lambda: Gate("rx", True), "real number or an expression"),
        (lambda: Gate("x").control(0), "positive integer, got 0"),
        (lambda: Gate("x").control(1.0), "positive integer, got 1.0"),
        (lambda: Gate("x").control(True), "positive integer, got True"),
        (lambda: Gate("x").control(value=2), "0 or 1, got 2"),
        (lambda: Gate("x").control(MAX_CONTROLS + 1), f"at most {MAX_CONTROLS} controls"),
        (lambda: Gate("x").power(Parameter("k")), "A power must be a number"),
        (lambda: Gate("x").power(math.inf), "A power must be finite"),
        (lambda: Gate("rx", Parameter("t")).matrix(), "needs numbers for its parameters t"),
        (lambda: Gate("x").control(10).matrix(), "at most 10 qubits; this one has 11"),
        (lambda: UnitaryMatrix([[1, 1], [1, 1]]), "must be unitary"),
        (lambda: UnitaryMatrix([[1, 0], [0, math.nan]]), "must be unitary"),
        (lambda: UnitaryMatrix(np.eye(3)), "shape (2**k, 2**k)"),
        (lambda: UnitaryMatrix(np.ones((2, 4))), "shape (2**k, 2**k)"),
        (lambda: UnitaryMatrix(np.zeros((0, 0))), "shape (2**k, 2**k)"),
        (lambda: UnitaryMatrix("x"), "square array of complex numbers"),
        (lambda: UnitaryMatrix(np.eye(1 << 11)), "at most 10 qubits, got 11"),
    ],
)
def test_errors(make, message):
    with pytest.raises((CircuitError, ParameterError)) as caught:
        make()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)

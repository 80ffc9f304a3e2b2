"""Matrices that are not unitary, written as rows for the compiler: what noise relies on, against dense products."""

import numpy as np
import oracle
import pytest

from qsim import NoiseModel
from qsim.compiler.program import compile_lowered
from qsim.gates import GATES
from qsim.linalg import controlled_matrix
from qsim.noise import depolarizing
from qsim.noisy import gate_name
from qsim.state import evolve
from qsim.superops import RowWriter

#: kind -> targets, controls.
KINDS = {"dense": (2, 0), "wide": (3, 0), "controlled": (2, 2), "diagonal": (2, 0), "phases": (3, 0)}


def random_rows(seed, num_bits):
    """A writer with gates and matrices of all kinds, and the dense matrix of the whole."""
    random, writer = np.random.default_rng(seed), RowWriter()
    whole = np.eye(1 << num_bits, dtype=complex)
    for _ in range(random.integers(5, 25)):
        kind = random.choice([*KINDS, "gate", "gate"])
        bits = [int(b) for b in random.permutation(num_bits)]
        if kind == "gate":
            row = GATES[random.choice(["ry", "rz", "cx", "h", "cz", "rx"])]
            angles = random.uniform(0, 6, row.num_params).tolist()
            writer.table(row.code, bits[: row.num_qubits], angles)
            whole = oracle.embed(row.matrix(*angles), bits[: row.num_qubits], whole)
            continue
        targets, controls = KINDS[kind]
        matrix = random.normal(size=(1 << targets,) * 2) + 1j * random.choice([0, 1]) * random.normal(
            size=(1 << targets,) * 2
        )
        if kind in ("diagonal", "phases"):
            matrix = np.diag(random.uniform(0.1, 2, 1 << targets) * np.exp(1j * random.uniform(0, 6, 1 << targets)))
        value = int(random.integers(1 << controls))
        writer.matrix(matrix.astype(complex), bits[:targets], tuple(bits[targets : targets + controls]), value)
        full = controlled_matrix(matrix, [(value >> k) & 1 for k in range(controls)])
        whole = oracle.embed(full, [*bits[targets : targets + controls], *bits[:targets]], whole)
    return writer, whole


@pytest.mark.parametrize("tile_bits", [None, 7])
@pytest.mark.parametrize("seed", range(12))
def test_rows_are_the_matrices_that_they_were_given(seed, tile_bits):
    num_bits = 4 + seed % 5
    writer, whole = random_rows(seed, num_bits)
    random = np.random.default_rng(seed)
    start = random.normal(size=1 << num_bits) + 1j * random.normal(size=1 << num_bits)
    program = compile_lowered(writer.lowered(), num_bits, (), dtype=np.complex128, tile_bits=tile_bits)
    found = writer.factor * evolve(program, np.zeros(0), np.complex128, 1, start.copy())
    expected = whole @ start
    assert np.abs(found - expected).max() < 1e-11 * np.abs(expected).max()


def test_zeros_on_a_diagonal_are_as_good_as_zeros():
    writer = RowWriter()
    writer.matrix(np.diag([1, 0, 0, 0.5]).astype(complex), [0, 1])
    program = compile_lowered(writer.lowered(), 2, (), dtype=np.complex128)
    found = writer.factor * evolve(program, np.zeros(0), np.complex128, 1, np.ones(4, dtype=complex))
    assert np.abs(found - [1, 0, 0, 0.5]).max() < 1e-14


def test_gates_with_controls_go_by_the_table_s_name():
    assert gate_name(GATES["x"].code, 1) == "cx"
    assert gate_name(GATES["x"].code, 2) == "ccx"
    assert gate_name(GATES["cx"].code, 1) == "ccx"
    assert gate_name(GATES["p"].code, 1) == "cp"
    assert gate_name(GATES["swap"].code, 1) == "cswap"
    assert gate_name(GATES["u"].code, 1) == "cu3"
    assert gate_name(GATES["rxx"].code, 1) == "rxx"
    assert NoiseModel().add(depolarizing(0.1), "rxx").channels_for("rxx", (0, 1, 2))[2][1] == (2,)

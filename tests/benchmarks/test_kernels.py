"""The micro-benchmark does what it says with each operation; how long that takes is not asserted."""

import json
import math

import numpy as np
import pytest

from benchmarks import kernels
from qsim.compiler.formulas import FACTORS, SHAPES
from qsim.compiler.program import default_tile_bits
from qsim.kernels.run import run

SMALL = 10


@pytest.mark.parametrize("operation", kernels.operations(SMALL), ids=lambda operation: operation.name)
def test_an_operation_keeps_the_norm_and_changes_the_state(operation):
    state = np.random.default_rng(3).normal(size=2 << SMALL)
    before = state.copy()
    workspace, nothing = np.zeros(1 << 14), np.zeros(0)
    for repeats in (0, 3):
        ints = kernels.one_pass(SMALL, operation, repeats)
        run(
            state, ints, nothing, nothing, nothing, SHAPES, FACTORS, nothing, 0, 0, 0, SMALL, SMALL, 1, 0, 0, 1,
            kernels.coefficients(np.float64), 1 + 0j, workspace, 16, np.zeros(0, np.int64),
        )  # fmt: skip
        assert np.linalg.norm(state) == pytest.approx(np.linalg.norm(before), rel=1e-12)
        assert np.array_equal(state, before) == (repeats == 0)


def test_a_row_for_each_operation(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(kernels, "REPEATS", 1)
    monkeypatch.setattr(kernels, "ROUNDS", 1)
    monkeypatch.setattr(kernels, "default_tile_bits", lambda *_: SMALL)
    assert kernels.main(["single"], tmp_path) == 0
    rows = json.loads((tmp_path / "kernels.json").read_text())
    assert [row["kernel"] for row in rows] == [operation.name for operation in kernels.operations(SMALL)]
    assert all(row["nanoseconds"] >= 0 and math.isfinite(row["memory"]) for row in rows)
    assert capsys.readouterr().out.count("\n") == len(rows) + 2
    assert default_tile_bits(30, np.float32) > SMALL

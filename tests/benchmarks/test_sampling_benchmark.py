"""The sampling benchmark checks what it times."""

import numpy as np
import pytest

from benchmarks.sampling import check, contestants, rows, shares_of_ones, table


def test_rows_of_ours():
    found = list(rows([5], shots=2000, rounds=1, names={"ours", "ours as dict"}, limit=0.0))
    assert [(row.task, row.num_qubits) for row in found] == [("state", 5), ("run", 5)]
    assert all(row.ours > 0 and row.floor > 0 for row in found)
    assert table(found).count("\n") == 3


def test_a_wrong_sampler_is_found():
    values, frequencies = np.array([0, 3]), np.array([500, 500])
    assert shares_of_ones(values, frequencies, 2).tolist() == [0.5, 0.5]
    check("fair", (values, frequencies), 2, 1000, np.array([0.5, 0.5]))
    with pytest.raises(ValueError, match="qubit 1"):
        check("other", (values, frequencies), 2, 1000, np.array([0.5, 0.7]))
    with pytest.raises(ValueError, match="1000 shots instead of 999"):
        check("other", (values, frequencies), 2, 999, np.array([0.5, 0.5]))


@pytest.mark.peer
@pytest.mark.filterwarnings("ignore")
def test_peers_sample_the_same():
    pytest.importorskip("qulacs")
    for task in ("state", "run"):
        assert len(contestants(task, 6, 5000, 1, 1)) > 1
    assert len(list(rows([6], shots=20_000, rounds=1))) == 2

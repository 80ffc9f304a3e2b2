"""The benchmark's circuits are what they are called."""

import math

import numpy as np
import pytest

from benchmarks.circuits import (
    FAMILIES,
    SMALLEST,
    addends,
    adder,
    adder_layout,
    cases,
    cubic_graph,
    ghz,
    grover,
    marked,
    phase,
    phase_estimation,
    qasmbench,
    qft,
)
from qsim import Simulator


def state(circuit):
    return Simulator().statevector(circuit)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("seed", [0, 1, 99])
def test_a_family_has_exactly_the_qubits_asked_for_and_is_the_same_each_time(family, seed):
    for n in (SMALLEST.get(family, 2), 5, 6, 9):
        first, second = FAMILIES[family](n, seed), FAMILIES[family](n, seed)
        assert first.num_qubits == n and first is not second
        assert list(first) == list(second)
        assert {q for instruction in first for q in instruction.qubits} == set(range(n))


@pytest.mark.parametrize("family", sorted(set(FAMILIES) - {"qft", "ghz"}))
def test_another_seed_gives_another_circuit(family):
    circuits = [list(FAMILIES[family](8, seed)) for seed in range(4)]
    assert any(circuits[0] != other for other in circuits[1:])


def test_qft_of_zero_is_uniform_and_ghz_has_two_amplitudes():
    assert np.allclose(state(qft(5, 0)), 2**-2.5)
    amplitudes = state(ghz(5, 0))
    assert np.flatnonzero(np.abs(amplitudes) > 1e-9).tolist() == [0, 31]


@pytest.mark.parametrize("n", [3, 4, 5, 6, 7, 10])
@pytest.mark.parametrize("seed", range(4))
def test_the_adder_adds(n, seed):
    amplitudes = state(adder(n, seed))
    index = int(np.argmax(np.abs(amplitudes)))
    assert abs(amplitudes[index]) == pytest.approx(1)
    layout, (a, b) = adder_layout(n), addends(n, seed)

    def read(qubits):
        return sum((index >> q & 1) << k for k, q in enumerate(qubits))

    result = layout.b if layout.carry_out is None else (*layout.b, layout.carry_out)
    assert read(result) == (a + b) % 2 ** len(result)
    assert read(layout.a) == a
    assert read([layout.carry_in]) == 0


@pytest.mark.parametrize("n", [2, 3, 4, 5, 6, 7])
@pytest.mark.parametrize("seed", range(3))
def test_grover_finds_what_is_marked(n, seed):
    assert abs(state(grover(n, seed))[marked(n, seed)]) ** 2 > 0.9


@pytest.mark.parametrize("n", [3, 6, 9])
@pytest.mark.parametrize("seed", range(4))
def test_phase_estimation_finds_its_phase(n, seed):
    probabilities = Simulator().probabilities(phase_estimation(n, seed), qubits=range(n - 1))
    estimate = int(np.argmax(probabilities)) / 2 ** (n - 1)
    assert abs(math.remainder(estimate - phase(seed), 1)) <= 2**-n
    assert probabilities.max() > 4 / math.pi**2


@pytest.mark.parametrize("n", [4, 5, 6, 11, 20])
def test_the_graph_is_3_regular_but_for_one_vertex_of_an_odd_number(n):
    for seed in range(3):
        edges = cubic_graph(n, np.random.default_rng(seed))
        degrees = sorted(sum(q in edge for edge in edges) for q in range(n))
        assert degrees == ([3] * n if n % 2 == 0 else [2] + [3] * (n - 1))
        assert len(set(edges)) == len(edges)


def test_cases_go_from_small_to_large_and_are_built_anew():
    remarks = []
    found = cases(["qft", "adder"], [6, 2], 1, remarks.append)
    assert [(case.family, case.num_qubits) for case in found] == [("qft", 2), ("qft", 6), ("adder", 6)]
    assert all(case.build().num_qubits == case.num_qubits for case in found)
    assert found[0].build() is not found[0].build()
    assert remarks == ["adder, 2 qubits: it needs at least 3"]


def test_qasmbench_is_read_where_it_is_and_skipped_with_a_reason_elsewhere(tmp_path, monkeypatch):
    folder, remarks = tmp_path / "QASMBench" / "medium" / "bell_n2", []
    folder.mkdir(parents=True)
    header = 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[2];\ncreg c[2];\n'
    (folder / "bell_n2.qasm").write_text(header + "h q[0];\ncx q[0],q[1];\nmeasure q -> c;\n")
    (folder / "again_n2.qasm").write_text(header + "h q[0];\nreset q[0];\nh q[0];\n")
    monkeypatch.setenv("QSIM_CORPUS", str(tmp_path))
    (case,) = qasmbench(2, 4, remarks.append)
    assert (case.name, case.num_qubits) == ("bell_n2", 2)
    assert np.allclose(np.abs(state(case.build())), [2**-0.5, 0, 0, 2**-0.5])
    assert qasmbench(3, 4, remarks.append) == []
    monkeypatch.setattr("benchmarks.circuits.corpus", lambda: None)
    assert qasmbench(2, 4, remarks.append) == []
    assert [text.split(":")[0] for text in remarks] == ["again_n2", "qasmbench"]

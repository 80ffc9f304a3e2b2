"""The circuits are translated right for every peer that is installed: pytest -m peer."""

import numpy as np
import pytest

from benchmarks.circuits import FAMILIES
from benchmarks.peers import installed, ours
from benchmarks.race import TOLERANCES, Sample
from benchmarks.report import Report
from benchmarks.sweeps import run_sweep, task
from qsim import Circuit, Gate
from qsim.gates import GATES

pytestmark = [pytest.mark.peer, pytest.mark.filterwarnings("ignore")]
PRECISIONS = ["double", "single"]


def assert_all_agree(circuit, precision):
    mine = ours(precision, 1)[0]
    expected = Sample(mine.amplitudes(mine.ready(circuit)()))
    for peer in installed(precision, 1):
        state = peer.amplitudes(peer.ready(circuit)())
        assert 1 - expected.fidelity(state) <= TOLERANCES[precision], peer.name


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("family", FAMILIES)
def test_peers_give_the_states_of_the_families(family, precision):
    for n in (4, 5, 8):
        assert_all_agree(FAMILIES[family](n, seed=7), precision)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_peers_know_every_gate(precision):
    random, circuit = np.random.default_rng(1), Circuit(5).h(range(5))
    for name, row in GATES.items():
        if row.num_qubits:
            gate = Gate(name, *random.uniform(-3, 3, row.num_params))
            circuit.append(gate, random.permutation(5)[: gate.num_qubits].tolist())
    circuit.append(Gate("ry", 0.4).control(3), [4, 1, 0, 2]).append(Gate("x").control(value=0), [3, 2])
    assert_all_agree(circuit, precision)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_peers_give_the_values_of_a_sweep(precision):
    report = Report({})
    run_sweep(report, task(4, seed=7), precision, threads=1, rounds=1, peer_limit=0.0)
    assert report.disagreements == 0 and len(report.sweeps) == 1

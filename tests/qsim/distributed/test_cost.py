"""The cost of plans: against what runs count, on many nodes without allocating, rates and where they come from, bad input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import circuits

from qsim import Circuit, CircuitError, Gate, MemoryLimitError, Parameter, QsimError
from qsim.compiler import compile_circuit
from qsim.distributed.cost import cost_in_file, cost_on_nodes, node_counts, work_of
from qsim.distributed.file_simulator import FileSimulator
from qsim.distributed.plan import CHUNK
from qsim.distributed.rates import Rate, Rates, measure_disk, measure_exchange, measured
from qsim.distributed.run import RankProgram
from qsim.distributed.threads import run_in_threads
from qsim.distributed.transport import Ranks

RATES = Rates.assumed()


def layers(num_qubits, depth):
    """Rotations and chains of CX, which take exchanges whatever is global."""
    circuit = Circuit(num_qubits)
    for layer in range(depth):
        for q in range(num_qubits):
            circuit.ry(0.1 + layer + q, q).rz(0.2 * q, q)
        for q in range(num_qubits - 1):
            circuit.cx(q, q + 1)
    return circuit


@settings(deadline=None, max_examples=25)
@given(circuit=circuits(min_qubits=4, max_qubits=7, max_gates=25), away=st.integers(0, 3), inner=st.integers(0, 3))
def test_bytes_exchanged_are_those_that_ranks_send(circuit, away, inner):
    """In all, and between nodes: what a rank sends to one with other upper bits."""
    inner = min(inner, away)
    try:
        cost = cost_on_nodes(circuit, 1 << (away - inner), RATES, ranks_per_node=1 << inner)
    except CircuitError as error:
        assert "too many ranks" in str(error)
        return
    inside = between = 0
    for step in cost.plan.exchanges:
        for rank in range(cost.plan.num_ranks):
            for peer, _ in step.partners(rank, cost.plan.local_qubits):
                size = 16 << (cost.plan.local_qubits - step.num_qubits)
                if peer >> inner == rank >> inner:
                    inside += size
                else:
                    between += size
    assert cost.bytes_exchanged() == (inside, between)
    assert inside + between == cost.plan.bytes_exchanged(16)


def test_a_run_on_ranks_sends_the_bytes_and_messages_of_its_plan():
    circuit = layers(9, 3)
    cost = cost_on_nodes(circuit, 1, RATES, ranks_per_node=4)
    assert cost.plan.num_exchanges > 0

    def body(transport):
        ranks = Ranks(transport, CHUNK)
        RankProgram.of(circuit.copy(), cost.plan, ranks.rank, np.complex128).run(ranks, np.zeros(0), 1)
        return ranks.bytes_sent, ranks.messages_sent

    sent = run_in_threads(4, body)
    assert sum(one[0] for one in sent) == sum(cost.bytes_exchanged())
    assert sum(one[1] for one in sent) == cost.to_dict()["messages"]


def test_passes_and_bytes_in_memory_are_those_of_the_compiled_program():
    circuit = layers(20, 3)
    program = compile_circuit(circuit)
    work = work_of(program)
    assert work.passes == program.num_passes
    visited = sum(program.num_tiles(k) << program.tile_bits for k in range(program.num_passes))
    assert work.amplitudes == visited
    cost = cost_on_nodes(circuit, 1, RATES)
    assert cost.bytes_in_memory == pytest.approx(32 * cost.work.amplitudes)
    assert cost.seconds == cost.compute_seconds > 0


@pytest.mark.parametrize("qubits", [34, 38, 42, 45])
def test_plans_of_states_that_no_machine_holds_allocate_nothing(qubits):
    nodes = 1 << (qubits - 32)
    cost = cost_on_nodes(layers(qubits, 4), nodes, RATES, ranks_per_node=2, memory=1 << 38)
    facts = cost.to_dict()
    assert facts["ranks"] == 2 * nodes
    assert facts["local_qubits"] == 31
    assert 1 << 36 <= facts["memory_per_node"] < 1.1 * (1 << 36)
    assert facts["passes"] > 0 < facts["bytes_exchanged_between_nodes"]
    assert facts["seconds"]["total"] == pytest.approx(facts["seconds"]["compute"] + facts["seconds"]["exchange"])


def test_twice_the_nodes_halve_what_each_computes():
    small, large = (cost_on_nodes(layers(36, 2), nodes, RATES) for nodes in (16, 64))
    assert small.memory_per_node > 3 * large.memory_per_node
    assert large.compute_seconds < small.compute_seconds / 2


def test_parameters_may_be_open_and_powers_that_need_numbers_are_told():
    theta = Parameter("theta")
    open_circuit = Circuit(12)
    for q in range(12):
        open_circuit.ry(theta, q).cx(q, (q + 1) % 12)
    assert cost_on_nodes(open_circuit, 4, RATES).work.passes > 0
    fractional = Circuit(3).h(0).append(Gate("u3", theta, 0.1, theta).power(0.5), [0])
    with pytest.raises(CircuitError, match="Give values with --set"):
        cost_on_nodes(fractional, 2, RATES)


def test_bad_numbers_of_nodes_and_programs_without_a_plan_are_refused():
    circuit = layers(6, 1)
    for nodes in (3, 0, -2, 12, True, 2.0):
        with pytest.raises(QsimError, match="power of two"):
            cost_on_nodes(circuit, nodes, RATES)
    with pytest.raises(QsimError, match="Take 2 or 4"):
        cost_on_nodes(circuit, 1, RATES, ranks_per_node=3)
    with pytest.raises(CircuitError, match=r"64 ranks .* 7 qubits or more, this one has 6"):
        cost_on_nodes(circuit, 32, RATES, ranks_per_node=2)
    with pytest.raises(CircuitError, match="too many ranks for this circuit"):
        cost_on_nodes(
            Circuit(6).unitary(np.linalg.qr(np.random.default_rng(1).normal(size=(16, 16)))[0], range(4)), 8, RATES
        )
    with pytest.raises(CircuitError, match="resets, branches"):
        cost_on_nodes(Circuit(2, 2).h(0).measure(0, 0).reset(0), 1, RATES)
    with pytest.raises(
        MemoryLimitError, match=r"40 qubits on 4 nodes take 4 TiB a node; a node has 64 GiB. Take 512 nodes"
    ):
        cost_on_nodes(layers(40, 1), 4, RATES, memory=1 << 36)
    with pytest.raises(MemoryLimitError, match="a node has 1 KiB. Take more memory"):
        cost_on_nodes(layers(14, 1), 4, RATES, memory=1 << 10)


@pytest.mark.parametrize("qubits", [63, 64, 65, 100])
def test_states_whose_amplitudes_have_no_64_bit_number_are_refused(qubits):
    assert cost_on_nodes(layers(62, 1), 1, RATES).bytes_in_memory > 1 << 66
    for nodes in (1, 1 << 20):
        with pytest.raises(CircuitError, match=f"at most 62 qubits.*this circuit has {qubits}"):
            cost_on_nodes(layers(qubits, 1), nodes, RATES)


def test_measurements_at_the_end_do_not_stand_in_the_way():
    assert cost_on_nodes(layers(8, 1).measure_all(), 2, RATES).plan.num_ranks == 2


def test_numbers_of_nodes_are_read_from_text():
    assert node_counts("4..4") == [4]
    assert node_counts("1,8") == [1, 8]
    for text in ("", "x", "1..", "8..1", "1..2..4", "3", "1,6"):
        with pytest.raises(QsimError):
            node_counts(text)


def test_rates_say_where_they_come_from_and_bad_ones_are_refused(tmp_path):
    made = RATES.given({"network": 1e9, "memory": None})
    assert made.network == Rate(1e9, "given")
    assert made.memory.source == "assumed"
    for bad in (0, -1, float("nan"), float("inf")):
        with pytest.raises(QsimError, match="positive"):
            RATES.given({"network": bad})
    found = measured("single", 1)
    assert found.memory.source.startswith("measured here")
    assert found.network.source == "assumed"
    assert set(found.to_dict()) == set(vars(found))


def test_disk_rates_leave_no_file_behind(tmp_path, monkeypatch):
    monkeypatch.setattr("qsim.distributed.rates._FILE", 1 << 20)
    for cached in (True, False):
        assert all(rate > 0 for rate in measure_disk(tmp_path, 1, cached))
    assert not list(tmp_path.iterdir())


def test_a_plan_in_a_file_costs_what_the_run_moves(tmp_path):
    circuit = layers(12, 3)
    simulator = FileSimulator(tmp_path, _local_qubits=9)
    made = simulator.plan(circuit)
    cost = cost_in_file(made.ranks, made.itemsize, RATES)
    with simulator.state(circuit) as state:
        assert cost.bytes_on_disk() == (state.file.bytes_read, state.file.bytes_written)
    assert cost.seconds == pytest.approx(cost.compute_seconds + cost.disk_seconds)
    assert cost.memory_per_node < 16 << 18


@pytest.mark.slow
def test_exchanges_are_measured_with_and_without_mpi(monkeypatch):
    found = measure_exchange()
    assert found.value > 1e8 and found.source.startswith("measured here")
    monkeypatch.setattr("qsim.distributed.rates.shutil.which", lambda name: None)
    assert measure_exchange().source == "measured here, copies in memory; without MPI"

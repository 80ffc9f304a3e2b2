"""Plans for ranks: what they compute, step by step on plain arrays, and how much they move."""

from __future__ import annotations

import heapq
import itertools

import numpy as np
import oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import circuits

from qsim import Circuit, Parameter, Simulator
from qsim.compiler.lowering import NeedsNumbers, lower
from qsim.compiler.program import compile_lowered
from qsim.distributed.blocks import blocks_of, mask_of
from qsim.distributed.plan import Exchange, Local, plan_ranks
from qsim.distributed.resolve import resolve
from qsim.distributed.search import Rest, Search, share
from qsim.errors import CircuitError
from qsim.state import evolve

COMPLEX = np.complex128


def follow(plan, values=(), initial=None):
    """All ranks' parts one after the other, without transport; the state in natural order and the bytes that moved."""
    row = np.array(values, dtype=float)
    local, ranks = plan.local_qubits, plan.num_ranks
    parts = np.zeros((ranks, 1 << local), dtype=complex)
    if plan.start is None:
        parts[:] = initial.reshape(ranks, -1)
    else:
        away = plan.num_qubits - local
        begin = compile_lowered(resolve(plan.start, 0, away), away, plan.parameters, dtype=COMPLEX, natural_start=False)
        parts[:, 0] = evolve(begin, row, COMPLEX, 1)
    moved = 0
    for step in plan.steps:
        if isinstance(step, Local):
            for rank in range(ranks):
                rows = resolve(step.lowered, rank, local)
                program = compile_lowered(rows, local, plan.parameters, dtype=COMPLEX)
                parts[rank] = evolve(program, row, COMPLEX, 1, parts[rank].copy())
        else:
            blocks = parts.reshape(ranks, 1 << step.num_qubits, -1)
            before = blocks.copy()
            for rank in range(ranks):
                for peer, block in step.partners(rank, local):
                    (back,) = [theirs for other, theirs in step.partners(peer, local) if other == rank]
                    blocks[rank, block] = before[peer, back]
                    moved += before[peer, back].nbytes
    index = np.arange(1 << plan.num_qubits)
    places = np.zeros_like(index)
    for qubit, position in enumerate(plan.final):
        places |= ((index >> qubit) & 1) << position
    return parts.reshape(-1)[places], moved


def numbers(circuit, random):
    return random.uniform(-2, 2, len(circuit.parameters))


@settings(deadline=None, max_examples=80)
@given(
    circuit=circuits(min_qubits=2, max_qubits=7, max_gates=25, symbolic=True), away=st.integers(0, 3),
    keep=st.sampled_from([None, 1, 2, 7]), given_start=st.booleans(), seed=st.integers(0, 99),
)  # fmt: skip
def test_a_plan_computes_the_circuit_and_moves_the_bytes_it_says(circuit, away, keep, given_start, seed):
    random = np.random.default_rng(seed)
    values = numbers(circuit, random)
    named = {p.name: v for p, v in zip(circuit.parameters, values, strict=True)}
    n = circuit.num_qubits
    local = max(n - away, 1)
    initial = None
    try:
        if given_start:
            initial = random.normal(size=1 << n) + 1j * random.normal(size=1 << n)
            initial /= np.linalg.norm(initial)
            expected = oracle.run_gates(circuit, named, initial.reshape(-1, 1)).reshape(-1)
        else:
            expected = oracle.statevector(circuit, named)
        plan = plan_ranks(circuit, local, keep=keep, given_start=given_start)
    except NeedsNumbers:
        return
    except CircuitError as error:
        assert "too many ranks" in str(error)
        return
    state, moved = follow(plan, values, initial)
    np.testing.assert_allclose(state, expected, atol=1e-12)
    assert moved == plan.bytes_exchanged(16)
    if keep is not None:
        low = min(keep, local)
        assert plan.final[:low] == tuple(range(low))
        assert sorted(plan.final[:local]) == list(range(local)) or keep < local


def test_natural_order_is_that_of_the_local_qubits():
    circuit = Circuit(6).h(0)
    for a in range(6):
        circuit.h(a).cx(a, (a + 1) % 6).swap(a, (a + 2) % 6)
    plan = plan_ranks(circuit, 4, keep=6, given_start=True)
    assert plan.final[:4] == (0, 1, 2, 3)


def test_diagonal_gates_controls_swaps_and_a_first_layer_cost_no_communication():
    circuit = Circuit(6).h([0, 1, 2, 3, 4, 5])
    for a in range(6):
        circuit.rz(0.1 * a, a).cp(0.3, a, (a + 1) % 6).rzz(0.2, a, (a + 3) % 6)
    circuit.cx(5, 0).ccx(4, 5, 1).swap(0, 5).cry(0.7, 4, 1)
    assert plan_ranks(circuit, 4).num_exchanges == 0


def test_one_exchange_brings_in_all_qubits_that_are_needed():
    circuit = Circuit(8)
    for q in range(8):
        circuit.ry(0.1 + q, q)
    for q in range(8):
        circuit.cx(q, (q + 1) % 8)
    plan = plan_ranks(circuit, 5, given_start=True, keep=8)
    assert plan.num_exchanges == 2
    assert [step.num_qubits for step in plan.exchanges] == [3, 3]
    assert plan.bytes_exchanged(16) == 2 * 7 * (1 << 8) * 16 // 8
    assert plan.messages() == 2 * 7 * 8


def test_partners_meet_in_the_same_round():
    exchange = Exchange(((3, 5), (4, 7)))
    for rank in range(16):
        for number, (peer, block) in enumerate(exchange.partners(rank, 5)):
            back = list(exchange.partners(peer, 5))[number]
            assert back[0] == rank
            assert block == (peer & 1) | ((peer >> 2) & 1) << 1


def test_messages_are_cut_to_the_chunk():
    circuit = Circuit(4).ry(0.3, 3).cx(3, 0).ry(0.2, 3)
    plan = plan_ranks(circuit, 3, given_start=True, keep=4)
    assert plan.num_exchanges == 2
    assert plan.messages(chunk=1) == 2 * 2 * 4
    assert plan.messages(chunk=3) == 2 * 2 * 2


def test_too_many_ranks_for_a_gate_are_refused():
    with pytest.raises(CircuitError, match=r"too many ranks.*hold 1 qubits.*2 at a time"):
        plan_ranks(Circuit(4).rxx(0.3, 0, 1), 1)
    with pytest.raises(CircuitError, match="0 to 4 are local"):
        plan_ranks(Circuit(4), 5)


def test_a_long_circuit_is_planned_without_an_exchange_a_layer():
    random, n = np.random.default_rng(3), 20
    circuit = Circuit(n)
    for _ in range(20):
        order = random.permutation(n).tolist()
        for a, b in zip(order[::2], order[1::2], strict=True):
            circuit.u(0.1, 0.2, 0.3, a).u(0.3, 0.2, 0.1, b).cx(a, b).u(0.1, 0.2, 0.3, a).u(0.3, 0.2, 0.1, b)
    plan = plan_ranks(circuit, n - 2)
    assert plan.num_exchanges <= 8


def test_the_ends_of_a_plan_are_those_of_the_engine():
    circuit = Circuit(5).h(0).cx(0, 4).swap(1, 3).ry(0.4, 4).cx(4, 2).measure_all()
    circuit.global_phase = 0.7
    state, _ = follow(plan_ranks(circuit, 3))
    np.testing.assert_allclose(state, Simulator().statevector(circuit), atol=1e-14)


def test_a_phase_between_two_cx_is_one_of_both_qubits_and_takes_no_exchange():
    theta = Parameter("theta")
    circuit = Circuit(6).h(range(6))
    for layer in range(3):
        for q in range(6):
            a, b = q, (q + 1) % 6
            if (q + layer) % 2:
                circuit.cx(a, b).rz(theta * 0.7, b).cx(a, b)
            else:
                circuit.cx(a, b).p(theta + 0.1 * q, b).cz(a, (a + 3) % 6).cx(a, b)
    plan = plan_ranks(circuit, 3)
    assert plan.num_exchanges == 0
    state, moved = follow(plan, [0.9])
    assert moved == 0
    np.testing.assert_allclose(state, oracle.statevector(circuit, {"theta": 0.9}), atol=1e-12)


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_only_phases_of_parities_are_joined(data):
    """CX, RZ, P and what disturbs them, on few qubits."""
    circuit = Circuit(3).h(range(3))
    for _ in range(data.draw(st.integers(3, 16))):
        a, b = data.draw(st.permutations(range(3)))[:2]
        kind = data.draw(st.sampled_from(["cx", "cx", "cx", "rz", "p", "x", "cz", "h", "swap"]))
        if kind in ("cx", "cz", "swap"):
            getattr(circuit, kind)(a, b)
        elif kind in ("rz", "p"):
            getattr(circuit, kind)(data.draw(st.sampled_from([0.3, -1.1, 2.5])), a)
        else:
            getattr(circuit, kind)(a)
    state, _ = follow(plan_ranks(circuit, 2))
    np.testing.assert_allclose(state, oracle.statevector(circuit), atol=1e-12)


def least(search, away):
    """The least that exchanges can cost where between two of them runs everything that can, by trying all."""
    sets = [mask_of(chosen) for chosen in itertools.combinations(range(search.num_wires), search.num_global)]
    _, left = search.runnable(Rest([], 0), away)
    waiting, known, number = [(0.0, 0, away, left)], {}, 0
    while waiting:
        cost, _, away, left = heapq.heappop(waiting)
        if not search.count(left) and away == search.home:
            return cost
        key = (away, tuple(left.some), left.tail)
        if known.get(key, np.inf) <= cost:
            continue
        known[key] = cost
        for chosen in sets if search.count(left) else [search.home]:
            runs, after = search.runnable(left, chosen)
            if runs or not search.count(left):
                number += 1
                heapq.heappush(waiting, (cost + share((chosen & ~away).bit_count()), number, chosen, after))
    return None


def test_the_search_finds_about_the_least():
    random, found, best = np.random.default_rng(0), 0.0, 0.0
    for trial in range(16):
        n, away = 6, 1 + trial % 2
        circuit = Circuit(n)
        for _ in range(2 + trial % 4):
            order = random.permutation(n).tolist()
            for a, b in zip(order[::2], order[1::2], strict=True):
                circuit.u(*random.normal(size=3), a).u(*random.normal(size=3), b).cx(a, b)
        blocks, top = blocks_of(lower(circuit), keep_first=False), mask_of(range(n - away, n))
        search = Search(blocks, n, away, home=top)
        last = search.stages(top)[-1]
        found += last.cost + share((last.away & ~top).bit_count())
        best += least(Search(blocks, n, away, home=top), top)
    assert best <= found <= 1.05 * best

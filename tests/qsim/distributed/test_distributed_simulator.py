"""One state over ranks that are threads, against one process and against dense matrices."""

from __future__ import annotations

import re
import threading

import numpy as np
import oracle
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from strategies import circuits, observables

import qsim.version
from qsim import Circuit, CircuitError, MemoryLimitError, Parameter, Pauli, QsimError, Simulator, SparsePauliOp
from qsim.compiler.lowering import NeedsNumbers
from qsim.distributed import run
from qsim.distributed.plan import plan_ranks
from qsim.distributed.simulator import DistributedSimulator
from qsim.distributed.threads import run_in_threads
from qsim.errors import RankError


def on_ranks(size, function, **settings):
    """What a function of a simulator gives on each rank."""
    return run_in_threads(size, lambda transport: function(DistributedSimulator(transport, threads=1, **settings)))


def same_everywhere(results):
    for other in results[1:]:
        np.testing.assert_array_equal(results[0], other)
    return results[0]


def layered(n, layers, seed, measured=True):
    random, circuit = np.random.default_rng(seed), Circuit(n)
    for _ in range(layers):
        for q in range(n):
            circuit.u(*random.uniform(-3, 3, 3), q)
        order = random.permutation(n).tolist()
        for a, b in zip(order[::2], order[1::2], strict=False):
            circuit.cx(a, b)
    return circuit.measure_all() if measured else circuit


def ansatz(n, layers):
    circuit = Circuit(n)
    for layer in range(layers):
        for q in range(n):
            circuit.ry(Parameter(f"a{layer}_{q}"), q).rz(2 * Parameter(f"b{layer}_{q}"), q)
        for q in range(n):
            circuit.cx(q, (q + 1) % n)
        circuit.rzz(Parameter(f"c{layer}"), 0, n - 1).crx(Parameter(f"c{layer}"), n - 1, 1).cp(
            Parameter("c0") / 2, 1, n - 2
        )
    return circuit


def fitting(circuit, size):
    """Whether a circuit can run on so many ranks."""
    try:
        plan_ranks(circuit, circuit.num_qubits - size.bit_length() + 1)
    except (CircuitError, NeedsNumbers):
        return False
    return circuit.num_qubits >= size.bit_length()


@settings(deadline=None, max_examples=40)
@given(circuit=circuits(min_qubits=2, max_qubits=7, symbolic=True), size=st.sampled_from([1, 2, 4, 8]), data=st.data())
def test_states_probabilities_and_moments_are_the_oracles(circuit, size, data):
    assume(fitting(circuit, size))
    n = circuit.num_qubits
    values = {p.name: 0.3 + 0.7 * k for k, p in enumerate(circuit.parameters)}
    row = np.array([[values[p.name] for p in circuit.parameters]])
    operator = data.draw(observables(n))
    qubits = data.draw(st.permutations(range(n)))[: data.draw(st.integers(1, n))]

    def run(simulator):
        state = simulator.statevector(circuit, row)[0]
        some = simulator.amplitudes(circuit, [0, (1 << n) - 1], row)[0]
        chance = simulator.probabilities(circuit, row, qubits)[0]
        mean = simulator.expectation(circuit, operator, row)[0]
        both = simulator.moments(circuit, [operator], row)
        return np.concatenate([state, some, chance, [mean, both[0][0, 0], both[1][0, 0]]])

    found = same_everywhere(on_ranks(size, run))
    state = oracle.statevector(circuit, values)
    expected = [
        state, state[[0, -1]], oracle.marginal(state, qubits), [oracle.expectation(circuit, operator, values)] * 2,
        [oracle.variance(circuit, operator, values)],
    ]  # fmt: skip
    np.testing.assert_allclose(found, np.concatenate(expected), atol=1e-11)
    np.testing.assert_allclose(found[: 1 << n], state, atol=1e-12)


@pytest.mark.parametrize("local", [1, 2, 3, 10])
def test_operators_that_couple_all_ranks(local):
    n = local + 3
    circuit = layered(n, 3, seed=local, measured=False)
    terms = [("Y" * n, 0.7), ("X" * n, -0.3), ("XZ" + "I" * (n - 2), 1.1), ("ZY" + "X" * (n - 2), 0.2), ("I" * n, 0.5)]
    operator = SparsePauliOp.from_labels(terms)
    expected = Simulator(threads=1).moments(circuit, operator)
    found = on_ranks(
        8, lambda simulator: [simulator.expectation(circuit, operator), *simulator.moments(circuit, operator)]
    )
    np.testing.assert_allclose(same_everywhere(found), [expected[0], *expected], atol=1e-12)


@pytest.mark.parametrize("size", [2, 4, 8])
@pytest.mark.parametrize("shots", [100, 40_000])
def test_a_seed_gives_the_counts_of_one_process(size, shots):
    circuit = layered(14, 4, seed=size)
    expected = Simulator(threads=1).sample(circuit, shots=shots, seed=11)
    for counts in on_ranks(size, lambda simulator: simulator.sample(circuit, shots=shots, seed=11)):
        assert counts == expected


def test_samples_of_small_states_of_some_qubits_and_in_another_order():
    small = layered(5, 3, seed=1)
    some = layered(13, 3, seed=2, measured=False)
    some.add_clbits(4, "c")
    for bit, qubit in enumerate([12, 3, 0, 7]):
        some.measure(qubit, bit)
    turned = layered(13, 3, seed=3, measured=False)
    turned.add_clbits(13, "c")
    for q in range(13):
        turned.measure(q, 12 - q)
    for circuit in (small, some, turned):
        expected = Simulator(threads=1).sample(circuit, shots=3000, seed=5)
        assert on_ranks(4, lambda simulator, one=circuit: simulator.sample(one, shots=3000, seed=5))[3] == expected


def test_more_shots_than_are_drawn_at_a_time():
    circuit = layered(11, 3, seed=4)
    shots = (1 << 20) + 4097
    expected = Simulator(threads=1).sample(circuit, shots=shots, seed=6)
    assert on_ranks(2, lambda simulator: simulator.sample(circuit, shots=shots, seed=6))[1] == expected


def test_circuits_that_one_process_runs_in_another_way_give_its_counts():
    branching = Circuit(3, 3).h(0).measure(0, 0).reset(0).h(0).cx(0, 1).measure(0, 1).measure(1, 2)
    apart = Circuit(16)
    for q in range(0, 16, 2):
        apart.ry(0.3 + q, q).cx(q, q + 1)
    deferred = Circuit(6, 6).h(0).measure(0, 0).cx(0, 5).h(4).measure(5, 5).measure(4, 4)
    for circuit in (branching, apart.measure_all(), deferred):
        expected = Simulator(threads=1).sample(circuit, shots=500, seed=3)
        assert on_ranks(2, lambda simulator, one=circuit: simulator.sample(one, shots=500, seed=3))[0] == expected


def test_a_wide_clifford_circuit_is_sampled_as_one_process_does():
    circuit = Circuit(24).h(0)
    for q in range(23):
        circuit.cx(q, q + 1)
    circuit.measure_all()
    expected = Simulator(threads=1).sample(circuit, shots=300, seed=3)
    found = on_ranks(2, lambda simulator: simulator.sample(circuit, shots=300, seed=3))
    assert found[0] == found[1] == expected
    assert found[1].metadata == expected.metadata


def test_a_batch_of_samples_uses_one_seed_more_a_set():
    circuit = ansatz(6, 1).measure_all()
    rows = np.random.default_rng(0).uniform(-2, 2, (2, len(circuit.parameters)))
    expected = Simulator(threads=1).sample(circuit, 200, rows, seed=9)
    assert on_ranks(4, lambda simulator: simulator.sample(circuit, 200, rows, 9))[2] == expected
    kept = on_ranks(2, lambda simulator: simulator.sample(circuit, 20, rows, 9, memory=True)[1].memory)
    assert kept[0] == kept[1] == Simulator(threads=1).sample(circuit, 20, rows, 9, memory=True)[1].memory
    drawn = on_ranks(2, lambda simulator: simulator.sample(circuit, 50, rows[0:1])[0].seed)
    assert drawn[0] == drawn[1]


@pytest.mark.parametrize("size", [1, 2, 4, 8])
def test_gradients_are_those_of_one_process(size):
    circuit = ansatz(6, 2)
    circuit.global_phase = Parameter("c1")
    row = np.random.default_rng(size).uniform(-2, 2, (1, len(circuit.parameters)))
    operator = SparsePauliOp.from_string("0.5*X0*Y5 + Z1*Z4 - 0.3*Y2 + X0*X1*X2*X3*X4*X5 + 2*I + Z5*X3")
    values, slopes = Simulator(threads=1).value_and_gradient(circuit, [operator, Pauli.Z(5)], row)

    def run(simulator):
        value, slope = simulator.value_and_gradient(circuit, [operator, Pauli.Z(5)], row)
        return np.concatenate([value.reshape(-1), *[list(one.values()) for one in slope[0]]])

    found = same_everywhere(on_ranks(size, run))
    expected = np.concatenate([values.reshape(-1), *[list(one.values()) for one in slopes[0]]])
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("n", [14, 15, 17])
def test_gradients_of_parts_of_all_kinds_of_size(n):
    circuit = ansatz(n, 1)
    row = np.random.default_rng(n).uniform(-2, 2, (1, len(circuit.parameters)))
    operator = Pauli.X(0) * Pauli.Y(n - 1) + Pauli.Z(1) + Pauli.X(n - 2)
    expected = Simulator(threads=1).gradient(circuit, operator, row)[0]
    found = on_ranks(2, lambda simulator: simulator.gradient(circuit, operator, row)[0])[1]
    np.testing.assert_allclose(list(found.values()), list(expected.values()), atol=1e-12)


@settings(deadline=None, max_examples=25)
@given(circuit=circuits(min_qubits=3, max_qubits=6, symbolic=True), size=st.sampled_from([2, 4]), data=st.data())
def test_gradients_of_any_gates(circuit, size, data):
    assume(circuit.parameters and fitting(circuit, size))
    operator = data.draw(observables(circuit.num_qubits))
    row = np.array([[0.4 + 0.3 * k for k in range(len(circuit.parameters))]])
    try:
        expected = Simulator(threads=1).gradient(circuit, operator, row)
    except QsimError as error:
        with pytest.raises(QsimError):
            on_ranks(size, lambda simulator: simulator.gradient(circuit, operator, row))
        assert "derivative" in str(error) or "finite" in str(error)
        return
    found = on_ranks(size, lambda simulator: simulator.gradient(circuit, operator, row))[0]
    for name, slope in expected[0].items():
        np.testing.assert_allclose(found[0][name], slope, atol=1e-10)


def test_a_given_initial_state_and_single_precision():
    circuit = layered(8, 3, seed=7, measured=False)
    random = np.random.default_rng(1)
    initial = random.normal(size=256) + 1j * random.normal(size=256)
    initial /= np.linalg.norm(initial)
    expected = Simulator(threads=1).statevector(circuit, initial_state=initial)
    found = on_ranks(4, lambda simulator: simulator.statevector(circuit, initial_state=initial))
    np.testing.assert_allclose(found[1], expected, atol=1e-13)
    single = on_ranks(4, lambda simulator: simulator.statevector(circuit), precision="single")[0]
    assert single.dtype == np.complex64
    np.testing.assert_allclose(single, Simulator(threads=1).statevector(circuit), atol=1e-5)


@pytest.mark.parametrize("size", [2, 4, 8])
def test_bytes_and_messages_are_those_of_the_plan(size):
    circuit = layered(12, 4, seed=5, measured=False)

    def run(simulator):
        simulator.expectation(circuit, Pauli.Z(0))
        plan, ranks = simulator.last_plan, simulator.ranks
        assert len(simulator.last_seconds) == len(plan.steps)
        assert min(simulator.last_seconds) > 0
        return [ranks.bytes_sent * size, plan.bytes_exchanged(16), ranks.messages_sent * size, plan.messages(100)]

    sent, planned, messages, planned_messages = same_everywhere(on_ranks(size, run, chunk=100))
    assert sent == planned > 0
    assert messages == planned_messages


# bad input ------------------------------------------------------------------------------------------------------
def errors_of(size, function):
    """What each rank raises."""

    def one(transport):
        with pytest.raises(QsimError) as caught:
            function(transport)
        return caught.value

    return run_in_threads(size, one)


def test_the_number_of_ranks_is_a_power_of_two():
    for error in errors_of(3, DistributedSimulator):
        assert "power of two, got 3. Start 2 or 4 ranks." in str(error)


def test_too_many_ranks_for_the_qubits():
    for error in errors_of(8, lambda transport: DistributedSimulator(transport).statevector(Circuit(3).h(0))):
        assert "8 ranks take a circuit of 4 qubits or more, this one has 3" in str(error)
    wide = Circuit(4).rxx(0.1, 0, 1)
    for error in errors_of(8, lambda transport: DistributedSimulator(transport).sample(wide.copy().measure_all())):
        assert "too many ranks" in str(error)


def test_another_version_of_the_package(monkeypatch):
    class Other:
        """A transport whose rank 1 says that it has another version."""

        def __init__(self, transport):
            self.transport, self.rank, self.size = transport, transport.rank, transport.size

        def gather(self, data):
            return self.transport.gather(
                data.replace(qsim.version.__version__.encode(), b"0.0.1") if self.rank == 1 else data
            )

    for error in errors_of(2, lambda transport: DistributedSimulator(Other(transport))):
        assert isinstance(error, RankError)
        assert f"rank 0 has {qsim.version.__version__}, rank 1 has 0.0.1. Install the same one" in str(error)


def test_ranks_with_different_programs_calls_and_arguments():
    def different_programs(transport):
        circuit = Circuit(4).h(0).ry(0.1 * (transport.rank == 3), 1).measure_all()
        DistributedSimulator(transport).sample(circuit, seed=1)

    def different_arguments(transport):
        DistributedSimulator(transport).sample(Circuit(4).measure_all(), seed=transport.rank)

    def different_calls(transport):
        simulator = DistributedSimulator(transport)
        (simulator.statevector if transport.rank else simulator.probabilities)(Circuit(4))

    def different_precision(transport):
        DistributedSimulator(transport, "single" if transport.rank == 2 else "double")

    for error in errors_of(4, different_programs):
        assert "same program: the one of rank 3" in str(error)
    for error in errors_of(4, different_arguments):
        assert "same parameters, seed, shots and observables: those of rank 1" in str(error)
    for error in errors_of(4, different_calls):
        assert "rank 0 calls probabilities, rank 1 calls statevector" in str(error)
    for error in errors_of(4, different_precision):
        assert "rank 2 has precision single" in str(error)


def test_plans_that_differ_are_refused(monkeypatch):
    from qsim.distributed import ranked_runs

    def differing(circuit, *arguments, **settings):
        keep = None if threading.current_thread().name == "rank 1" else circuit.num_qubits
        return plan_ranks(circuit, *arguments, **settings | {"keep": keep})

    monkeypatch.setattr(ranked_runs, "plan_ranks", differing)
    for error in errors_of(
        2, lambda transport: DistributedSimulator(transport).expectation(ansatz(6, 1), Pauli.Z(0), np.ones((1, 13)))
    ):
        assert "the same plan: the one of rank 1" in str(error)


def test_an_error_of_one_rank_is_raised_by_all(monkeypatch):
    circuit = layered(8, 3, seed=1)

    def one_has_no_memory(transport):
        DistributedSimulator(transport, memory_limit=100 if transport.rank == 1 else None).sample(circuit, seed=1)

    for error in errors_of(4, one_has_no_memory):
        assert isinstance(error, MemoryLimitError)
        assert str(error).startswith("Rank 1 of 4: A rank's part of a statevector of 8 qubits on 4 ranks needs")

    evolve, calls = run.evolve, []

    def failing(*arguments):
        if threading.current_thread().name == "rank 2":
            calls.append(1)
            if len(calls) == 2:
                raise ZeroDivisionError("in the middle")
        return evolve(*arguments)

    monkeypatch.setattr(run, "evolve", failing)
    for error in errors_of(4, lambda transport: DistributedSimulator(transport).statevector(layered(8, 5, 1, False))):
        assert "Rank 2 of 4: ZeroDivisionError: in the middle" in str(error)


def test_a_rank_that_leaves_ends_the_others():
    def leaves(transport):
        simulator = DistributedSimulator(transport)
        if transport.rank == 1:
            raise KeyboardInterrupt
        simulator.sample(layered(8, 3, seed=1))

    with pytest.raises(KeyboardInterrupt):
        run_in_threads(4, leaves)


def test_basis_states_are_indices_or_bitstrings():
    found = on_ranks(2, lambda s: s.amplitudes(Circuit(4).x(1).x(3), ["1010", 10, np.int64(1010 % 16), "0010"]))[0]
    assert found.real.tolist() == [1, 1, 0, 0]


def test_a_rank_that_ends_before_the_others_is_an_error():
    def ends_early(transport):
        simulator = DistributedSimulator(transport)
        for _ in range(1 + (transport.rank != 1)):
            simulator.amplitudes(Circuit(4).h(3), [0])

    with pytest.raises(RankError, match="Every rank makes the same calls: rank 1 has ended, and rank [023] goes on"):
        run_in_threads(4, ends_early)


def test_what_has_no_state_is_refused_on_all_ranks():
    dynamic = Circuit(4, 1).h(0).measure(0, 0).reset(0)
    cases = [
        (lambda s: s.statevector(dynamic), "no single state"),
        (lambda s: s.gradient(Circuit(4).measure_all(), Pauli.Z(0)), "not taken through measurements"),
        (lambda s: s.sample(Circuit(4)), "needs a measurement"),
        (lambda s: s.expectation(Circuit(4), 1j * Pauli.Z(0)), "Hermitian"),
        (lambda s: s.expectation(Circuit(4), Pauli.Z(7)), "it has 8"),
        (lambda s: s.amplitudes(Circuit(4), [16]), r"an index below 2\*\*4 .* got 16"),
        (lambda s: s.amplitudes(Circuit(4), ["010"]), "a string of 4 characters 0 and 1, got '010'"),
        (lambda s: s.amplitudes(Circuit(4), [1.5]), "got 1.5"),
        (lambda s: s.probabilities(Circuit(4), qubits=[1, 1]), "asked for once"),
        (lambda s: s.sample(Circuit(4).measure_all(), shots=0), "number of shots"),
        (lambda s: s.sample(Circuit(4).measure_all(), memory=3), "memory is True"),
        (lambda s: s.statevector(Circuit(4).rx(Parameter("t"), 0)), "t"),
        (lambda s: s.statevector(Circuit(4), initial_state=np.ones(16)), "norm 4"),
        (lambda s: s.statevector(Circuit(4), initial_state=np.ones(4)), r"shape \(16,\)"),
    ]
    for function, message in cases:
        for error in errors_of(2, lambda transport, call=function: call(DistributedSimulator(transport))):
            assert re.search(message, str(error)), str(error)
    with pytest.raises(QsimError, match="precision"):
        on_ranks(1, lambda s: s, precision="half")
    with pytest.raises(QsimError, match="'automatic' or 'statevector', got 'mps'"):
        on_ranks(1, lambda s: s, method="mps")
    with pytest.raises(QsimError, match="A message holds"):
        on_ranks(1, lambda s: s, chunk=0)

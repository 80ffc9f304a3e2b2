"""Samples against exact probabilities, whatever the threads, the measured bits and the number of shots."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import numpy as np
import oracle
import pytest
import strategies
from hypothesis import given, settings
from hypothesis import strategies as st

from qsim import Circuit, Parameter, Simulator, measured, sampling
from qsim.classical import Bits
from qsim.errors import MemoryLimitError, QsimError


def random_state(num_qubits, seed, dtype=np.complex128, kept=1.0):
    """Random amplitudes, of which a share `kept` is not zero."""
    random = np.random.default_rng(seed)
    state = random.normal(size=(1 << num_qubits, 2)) @ [1, 1j] * (random.random(1 << num_qubits) < kept)
    return (state / np.linalg.norm(state)).astype(dtype)


def assert_fits(state, values, frequencies, shots):
    weights = np.abs(state.astype(np.complex128)) ** 2
    assert frequencies.sum() == shots and (frequencies > 0).all() and (np.diff(values) > 0).all()
    probabilities = dict(enumerate(weights / weights.sum()))
    oracle.assert_sampled(dict(zip(values.tolist(), frequencies.tolist(), strict=True)), probabilities)


@pytest.mark.parametrize("dtype", [np.complex128, np.complex64])
@pytest.mark.parametrize("shots", [1, 2, 7, 1000, 40_001])
@pytest.mark.parametrize("num_qubits", [1, 3, 9, 10, 11, 14])
def test_samples_fit_the_probabilities(num_qubits, shots, dtype):
    for seed, kept in ((1, 1.0), (2**64 - 1, 0.3)):
        state = random_state(num_qubits, num_qubits, dtype, max(kept, 3 / (1 << num_qubits)))
        assert_fits(state, *sampling.sample_state(state, shots, seed, 2), shots)


@pytest.mark.parametrize("shots", [1000, 20_000, 300_001])
def test_threads_do_not_change_samples(shots, monkeypatch):
    monkeypatch.setattr("qsim.pool.available_cores", lambda: 3)
    state = random_state(13, 5)
    expected = sampling.sample_state(state, shots, 9, 1)
    for threads in (2, 3):
        for ours, theirs in zip(sampling.sample_state(state, shots, 9, threads), expected, strict=True):
            assert np.array_equal(ours, theirs)


def test_a_seed_gives_each_shot_its_outcome():
    """More shots add to the same shots, so counts only grow; other seeds give others."""
    state = random_state(12, 6)

    def dense(shots, seed):
        values, frequencies = sampling.sample_state(state, shots, seed, 2)
        return np.bincount(values, frequencies, 1 << 12)

    few, many = dense(1001, 4), dense(50_000, 4)
    assert (few <= many).all() and not np.array_equal(dense(1001, 5), few)
    assert not np.array_equal(dense(1001, 4 + (1 << 32)), few)


@pytest.mark.parametrize("num_qubits", [2, 12])
def test_shots_that_are_drawn_in_several_parts(num_qubits, monkeypatch):
    state = random_state(num_qubits, 7)
    expected = sampling.sample_state(state, 50_003, 3, 1)
    monkeypatch.setattr("qsim.sampling.shots_at_a_time", lambda _: 1 << 10)
    for ours, theirs in zip(sampling.sample_state(state, 50_003, 3, 2), expected, strict=True):
        assert np.array_equal(ours, theirs)


def test_a_hundred_million_shots_take_bounded_memory():
    code = """if True:
        import resource, sys
        from qsim import Circuit, Simulator
        simulator, circuit = Simulator(), Circuit(6).ry(0.7, range(6)).measure_all()
        simulator.sample(circuit, 100, seed=1)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        counts = simulator.sample(circuit, 10**8, seed=1)
        print(counts.shots, len(counts), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    """
    shots, outcomes, kibibytes = map(int, subprocess.check_output([sys.executable, "-c", code]).split())
    assert (shots, outcomes) == (10**8, 64)
    assert kibibytes < 100 << 10


def test_what_cannot_happen_does_not():
    state = np.zeros(1 << 12, complex)
    state[[0, 1023, 1024, 4094]] = 0.5
    values, frequencies = sampling.sample_state(state, 10_000, 1, 2)
    assert values.tolist() == [0, 1023, 1024, 4094]
    assert_fits(state, values, frequencies, 10_000)


@settings(max_examples=40)
@given(st.data(), st.integers(1, 13))
def test_probabilities_of_some_qubits(data, num_qubits):
    state = random_state(num_qubits, data.draw(st.integers(0, 99)))
    qubits = data.draw(st.lists(st.integers(0, num_qubits - 1), unique=True, max_size=num_qubits))
    got = [sampling.marginal_probabilities(state, qubits, threads) for threads in (1, 2)]
    assert np.array_equal(*got)
    assert np.abs(got[0] - oracle.marginal(state, qubits)).max() < 1e-12


@settings(max_examples=30)
@given(strategies.circuits(max_qubits=6, max_gates=6), st.data(), st.integers(1, 20_000))
def test_some_qubits_into_any_bits(circuit, data, shots):
    n = circuit.num_qubits
    qubits = data.draw(st.lists(st.integers(0, n - 1), unique=True, min_size=1))
    bits = data.draw(st.permutations(range(n + 2)))[: len(qubits)]
    circuit.add_clbits(n + 2)
    circuit.measure(qubits, bits)
    counts = Simulator(threads=2).sample(circuit, shots, seed=data.draw(st.integers(0, 2**64 - 1)))
    weights = oracle.marginal(oracle.statevector(circuit), qubits)
    expected = {sum((v >> k & 1) << bit for k, bit in enumerate(bits)): p for v, p in enumerate(weights)}
    oracle.assert_sampled({int(key, 2): count for key, count in counts.items()}, expected)
    assert list(counts) == sorted(counts)


def test_both_ways_to_sample_some_bits_fit(monkeypatch):
    """The distribution of the measured bits is made first, or outcomes of all qubits are mapped: same distribution."""
    circuit = Circuit(5, 70)
    for qubit in range(5):
        circuit.ry(0.4 + qubit, qubit)
    circuit.cx(0, 3).cx(4, 1).measure([3, 0, 4], [69, 2, 30])
    weights = oracle.marginal(oracle.statevector(circuit), [0, 4, 3])
    expected = {sum((v >> k & 1) << bit for k, bit in enumerate((2, 30, 69))): p for v, p in enumerate(weights)}
    for choice in (measured.qubits_to_sample, lambda *_: None):
        monkeypatch.setattr("qsim.sampling.qubits_to_sample", choice)
        counts = Simulator().sample(circuit, 5000, seed=3)
        oracle.assert_sampled({int(key, 2): count for key, count in counts.items()}, expected)
        assert len(next(iter(counts))) == 70


def test_a_batch_gives_what_its_members_give():
    theta = Parameter("theta")
    circuit = Circuit(3, 2).rx(theta, [0, 1]).cx(0, 2).measure([0, 2], [1, 0])
    sets = [{"theta": 0.1 * k} for k in range(5)]
    batch = Simulator(threads=2).sample(circuit, 3000, sets, seed=10, memory=True)
    for k, counts in enumerate(batch):
        alone = Simulator(threads=1).sample(circuit, 3000, sets[k], seed=10 + k, memory=True)
        assert alone == counts and alone.memory == counts.memory


# every shot ---------------------------------------------------------------------------------------------------
def teleport():
    """A circuit that branches: the outcome of bit 2 does not depend on bits 0 and 1."""
    circuit = Circuit(3, 3).ry(1.0, 0).h(1).cx(1, 2).cx(0, 1).h(0).measure([0, 1], [0, 1])
    circuit.if_else(Bits((1,)), circuit.block().x(2))
    circuit.if_else(Bits((0,)), circuit.block().z(2))
    return circuit.measure(2, 2)


@pytest.mark.parametrize("circuit", [Circuit(3).h(0).cx(0, 1).ry(0.4, 2).measure_all(), teleport()])
def test_every_shot(circuit):
    counts = Simulator().sample(circuit, 4001, seed=3, memory=True)
    assert len(counts.memory) == 4001 and counts.bit_array.shape == (4001, 3)
    assert {key: counts.memory.count(key) for key in counts} == dict(counts)
    rows = ["".join(str(bit) for bit in row[::-1]) for row in counts.bit_array.tolist()]
    assert rows == counts.memory
    assert counts.memory == Simulator(threads=1).sample(circuit, 4001, seed=3, memory=True).memory
    assert counts.memory != Simulator().sample(circuit, 4001, seed=4, memory=True).memory
    assert dict(counts) == dict(Simulator().sample(circuit, 4001, seed=3))


def test_the_order_of_shots_is_random():
    """Neighbours are independent: pairs of shots follow the product of the probabilities."""
    counts = Simulator().sample(Circuit(1).ry(1.2, 0).measure_all(), 40_000, seed=5, memory=True)
    bits = counts.bit_array[:, 0].astype(int)
    one = np.sin(0.6) ** 2
    pairs = np.bincount(2 * bits[::2] + bits[1::2], minlength=4)
    expected = {2 * a + b: (one if a else 1 - one) * (one if b else 1 - one) for a in (0, 1) for b in (0, 1)}
    oracle.assert_sampled(dict(enumerate(pairs.tolist())), expected)


def test_shots_of_wide_and_of_several_registers():
    circuit = Circuit(2)
    a, b = circuit.add_clbits(1, "a"), circuit.add_clbits(70, "b")
    circuit.h(0).x(1).measure(0, a[0]).measure(1, b[69])
    counts = Simulator().sample(circuit, 50, seed=1, memory=True)
    assert set(counts.memory) == {"1" + "0" * 70, "1" + "0" * 69 + "1"}
    assert counts.bit_array[:, 70].all() and not counts.bit_array[:, 1:70].any()
    assert dict(counts.of_register("b")) == {"1" + "0" * 69: 50}
    assert sum(counts.marginal([70, 0]).values()) == 50 and set(counts.marginal([70, 0])) == {"01", "11"}


def test_bitstrings_of_many_outcomes():
    counts = Simulator().sample(Circuit(12).h(range(12)).measure_all(), 10_000, seed=2)
    assert len(counts) > 1000
    assert list(counts) == [format(value, "012b") for value in counts.outcomes]
    assert list(counts.values()) == counts.frequencies.tolist()


def test_shots_that_were_not_kept():
    counts = Simulator().sample(Circuit(1).measure_all(), 10, seed=1)
    for name in ("memory", "bit_array"):
        with pytest.raises(QsimError, match="memory=True"):
            getattr(counts, name)


@pytest.mark.parametrize(
    "bits, message",
    [
        ([3], "no classical bit 3"),
        ([0, 0], "once"),
        ([-1], "no classical bit -1"),
        ([True], "number"),
        (["a"], "number"),
    ],
)
def test_bits_that_are_not_there(bits, message):
    with pytest.raises(QsimError, match=message):
        Simulator().sample(Circuit(3).measure_all(), 10, seed=1).marginal(bits)


def test_too_many_shots_to_keep():
    circuit = Circuit(1).measure_all()
    with pytest.raises(MemoryLimitError, match=r"1,099,511,627,776 shots.*leave out memory=True"):
        Simulator().sample(circuit, 1 << 40, memory=True)
    with pytest.raises(MemoryLimitError, match="Take fewer shots"):
        Simulator(memory_limit=1 << 20).sample(circuit, 10**6)
    with pytest.raises(QsimError, match="memory is True"):
        Simulator().sample(circuit, 10, memory="yes")


# stopping -----------------------------------------------------------------------------------------------------
STOP = """
import sys, time
import numpy as np
from qsim import sampling
from qsim.state import _scale
state = np.full(1 << 22, 2.0**-11, complex)
def run(what, shots):
    if what == "sample":
        sampling.sample_state(state, shots, 1, 2)
    elif what == "marginal":
        sampling.marginal_probabilities(state, [0, 21, 3], 2)
    else:
        _scale(state, np.complex128(1j), 2)
what = sys.argv[1]
run(what, 100)
print("running", flush=True)
try:
    while True:
        run(what, 1 << 36)
except KeyboardInterrupt:
    print(time.monotonic())
"""


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize("what", ["sample", "marginal", "scale"])
def test_reading_out_stops_soon(what):
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", STOP, what], stdout=pipe, stderr=pipe, text=True) as process:
        try:
            assert process.stdout.readline() == "running\n"
            time.sleep(0.6)
            began = time.monotonic()
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert errors == ""
    print(f"{what}: stopped {float(output) - began:.3f} s later")  # shown by pytest -s

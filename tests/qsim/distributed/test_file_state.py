"""A state in a file: against the oracle and the simulator in memory, its traffic, its limits, and what it leaves behind."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import circuits

from qsim import (
    Circuit,
    CircuitError,
    MemoryLimitError,
    Parameter,
    ParameterError,
    Pauli,
    QsimError,
    Simulator,
    SparsePauliOp,
    workspace,
)
from qsim.distributed import FileSimulator
from qsim.distributed import store as store_module
from qsim.distributed.store import DiskSpaceError, StateFile
from qsim.errors import RunCancelled
from qsim.memory import resident_memory
from qsim.pool import controlled

TOLERANCE = {"double": 1e-12, "single": 1e-5}


def layers(num_qubits, depth, seed=1, clbits=0):
    """Rotations of all qubits and CX on random pairs, so that every qubit depends on every other."""
    random = np.random.default_rng(seed)
    circuit = Circuit(num_qubits, clbits)
    for _ in range(depth):
        for q in range(num_qubits):
            circuit.ry(random.uniform(-3, 3), q).rz(random.uniform(-3, 3), q)
        order = random.permutation(num_qubits).tolist()
        for a, b in itertools.pairwise(order):
            circuit.cx(a, b)
    return circuit


def operators(num_qubits, count, seed=2):
    """Sums of random Pauli products, X on many qubits among them."""
    random = np.random.default_rng(seed)
    labels = ["".join(random.choice(list("IXYZ"), num_qubits)) for _ in range(count)]
    terms = [(label, float(random.normal())) for label in labels]
    return [
        SparsePauliOp.from_labels(terms),
        SparsePauliOp.from_labels([("X" * num_qubits, 1.0), ("Z" * num_qubits, 0.5), ("Y" * num_qubits, -2.0)]),
        sum(Pauli.X(q) * Pauli.Z((q + 1) % num_qubits) for q in range(num_qubits)),
    ]


@settings(deadline=None, max_examples=60)
@given(
    circuit=circuits(min_qubits=2, max_qubits=7, max_gates=25, symbolic=True), away=st.integers(0, 4),
    precision=st.sampled_from(["double", "single"]), seed=st.integers(0, 99),
)  # fmt: skip
def test_amplitudes_and_expectation_values_are_those_of_the_oracle(tmp_path_factory, circuit, away, precision, seed):
    random = np.random.default_rng(seed)
    n = circuit.num_qubits
    values = {p.name: random.uniform(-2, 2) for p in circuit.parameters}
    simulator = FileSimulator(tmp_path_factory.getbasetemp(), precision, 2, _local_qubits=max(n - away, 1))
    try:
        expected = oracle.statevector(circuit, values)
        (found,) = simulator.amplitudes(circuit, range(1 << n), row_of(circuit, values))
    except MemoryLimitError as error:
        assert "acts on more at a time" in str(error)
        return
    np.testing.assert_allclose(found, expected, atol=TOLERANCE[precision])
    made = operators(n, 5, seed)
    means = [np.vdot(expected, o.to_matrix(n) @ expected).real for o in made]
    np.testing.assert_allclose(
        simulator.expectation(circuit, made, row_of(circuit, values))[0], means, atol=20 * TOLERANCE[precision]
    )


def row_of(circuit, values):
    """A batch of one set, in the order of the circuit's parameters."""
    return np.array([[values[p.name] for p in circuit.parameters]])


@pytest.mark.parametrize(("num_qubits", "local"), [(10, 4), (12, 6), (13, 11), (14, 9), (14, 14)])
def test_everything_that_is_read_from_a_file_is_what_memory_gives(tmp_path, num_qubits, local):
    circuit, here = layers(num_qubits, 3), Simulator(method="statevector")
    there = FileSimulator(tmp_path, _local_qubits=local)
    expected = here.statevector(circuit)
    np.testing.assert_allclose(there.amplitudes(circuit, range(1 << num_qubits)), expected, atol=1e-13)
    made = operators(num_qubits, 20)
    np.testing.assert_allclose(there.expectation(circuit, made), here.expectation(circuit, made), atol=1e-11)
    for found, right in zip(there.moments(circuit, made), here.moments(circuit, made), strict=True):
        np.testing.assert_allclose(found, right, atol=1e-10)
    wanted = [num_qubits - 1, 0, 3]
    np.testing.assert_allclose(
        there.probabilities(circuit, wanted), here.probabilities(circuit, qubits=wanted), atol=1e-13
    )
    measured = circuit.copy().measure_all()
    assert there.sample(measured, 20_000, seed=7) == here.sample(measured, 20_000, seed=7)
    assert not list(tmp_path.iterdir())


def test_some_qubits_in_other_bits_and_every_shot_are_sampled_as_in_memory(tmp_path):
    circuit = layers(11, 2, clbits=4).measure([10, 2, 5], [0, 1, 3])
    there, here = FileSimulator(tmp_path, _local_qubits=6), Simulator(method="statevector")
    found, expected = (s.sample(circuit, 3000, seed=5, memory=True) for s in (there, here))
    assert found == expected
    assert found.memory == expected.memory


def test_parts_that_nothing_connects_are_sampled_as_in_memory(tmp_path):
    circuit = Circuit(16).h(range(16))
    for q in range(0, 16, 2):
        circuit.cx(q, q + 1)
    circuit.measure_all()
    found = FileSimulator(tmp_path).sample(circuit, 500, seed=3)
    assert found == Simulator(method="statevector").sample(circuit, 500, seed=3)


def test_a_batch_runs_set_by_set(tmp_path):
    theta = Parameter("theta")
    circuit = Circuit(10)
    for q in range(10):
        circuit.ry(theta * (q + 1), q).cx(q, (q + 1) % 10)
    sets = [{"theta": 0.1}, {"theta": 0.7}]
    there, here = FileSimulator(tmp_path, _local_qubits=7), Simulator()
    operator = Pauli.Z(9) * Pauli.X(0)
    np.testing.assert_allclose(
        there.expectation(circuit, operator, sets), here.expectation(circuit, operator, sets), atol=1e-13
    )
    assert there.amplitudes(circuit, ["0" * 10], sets).shape == (2, 1)
    for values in [*sets, sets[0]]:  # the plan is kept on the circuit and used again
        np.testing.assert_allclose(
            there.amplitudes(circuit, range(1 << 10), values), here.statevector(circuit, values), atol=1e-13
        )
    circuit.measure_all()
    assert there.sample(circuit, 100, sets, seed=4) == here.sample(circuit, 100, sets, seed=4)
    with pytest.raises(ParameterError, match="theta"):
        there.expectation(circuit, operator)


def test_a_segment_reads_and_writes_the_file_once_and_the_first_reads_nothing(tmp_path):
    circuit = layers(12, 3)
    simulator = FileSimulator(tmp_path, _local_qubits=9)
    plan = simulator.plan(circuit)
    with simulator.state(circuit) as state:
        size = 16 << 12
        segments = plan.ranks.num_exchanges + 1
        assert segments > 2
        assert (state.file.bytes_read, state.file.bytes_written) == ((segments - 1) * size, segments * size)
        assert (plan.bytes_read, plan.bytes_written) == ((segments - 1) * size, segments * size)


def test_parts_that_are_zero_are_left_out(tmp_path):
    circuit = Circuit(12).x(11).h(0).cx(0, 1)
    simulator = FileSimulator(tmp_path, _local_qubits=6)
    with simulator.state(circuit) as state:
        assert state.file.bytes_written <= 4 << 10 < 16 << 12
        assert abs(state.amplitudes([1 << 11, (1 << 11) + 3]) ** 2 - 0.5).max() < 1e-12


@pytest.mark.parametrize("local", [4, 7, 11])
def test_a_kept_file_is_the_statevector_in_natural_order(tmp_path, local):
    circuit = layers(11, 2)
    simulator = FileSimulator(tmp_path / "state.npy", keep=True, _local_qubits=local)
    simulator.amplitudes(circuit, [0])
    assert simulator.last_file == tmp_path / "state.npy"
    kept = np.load(tmp_path / "state.npy", mmap_mode="r")
    np.testing.assert_allclose(kept, Simulator().statevector(circuit), atol=1e-13)
    with pytest.raises(QsimError, match="exists"):
        simulator.amplitudes(circuit, [0])


def test_a_cancelled_run_leaves_no_file(tmp_path):
    stop = threading.Event()
    for keep in (False, True):
        stop.clear()
        simulator = FileSimulator(tmp_path, _local_qubits=6, keep=keep)
        with pytest.raises(RunCancelled), controlled(cancel=stop, progress=lambda done, total: stop.set()):
            simulator.amplitudes(layers(12, 3), [0])
        assert not list(tmp_path.iterdir())


def test_progress_rises_to_its_end(tmp_path):
    seen = []
    with controlled(progress=lambda done, total: seen.append(done / total)):
        FileSimulator(tmp_path, _local_qubits=6).amplitudes(layers(8, 2), [0])
    assert seen and seen[-1] == 1.0


def test_space_on_disk_is_checked_before_anything_is_written(tmp_path, monkeypatch):
    with pytest.raises(DiskSpaceError, match=r"60 qubits takes 16 EiB on disk.*free"):
        StateFile(tmp_path, 60, np.complex128, 1)
    free = 1 << 20
    usage = type("Usage", (), {"free": free})
    monkeypatch.setattr(store_module.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(DiskSpaceError, match="1 MiB free"):
        FileSimulator(tmp_path, _local_qubits=9).amplitudes(layers(10, 1), [0])
    assert not list(tmp_path.iterdir())


def test_bad_places_are_refused(tmp_path):
    with pytest.raises(QsimError, match="there is no folder"):
        FileSimulator(tmp_path / "none" / "state")
    with pytest.raises(QsimError, match="got an empty name"):  # as of a variable that is not set
        FileSimulator("")
    (tmp_path / "there").write_text("mine")
    with pytest.raises(QsimError, match="does not overwrite"):
        FileSimulator(tmp_path / "there")
    assert (tmp_path / "there").read_text() == "mine"


def test_bad_arguments_are_refused(tmp_path, monkeypatch):
    simulator = FileSimulator(tmp_path)
    circuit = layers(10, 1)
    for arguments in ({"precision": "half"}, {"memory_limit": 0}, {"keep": 1}, {"threads": 0}):
        with pytest.raises(QsimError):
            FileSimulator(tmp_path, **arguments)
    for state in (-1, 1 << 10, "0" * 9, "2" * 10, True, 0.5):
        with pytest.raises(QsimError, match="basis state of 10 qubits"):
            simulator.amplitudes(circuit, [state])
    with pytest.raises(CircuitError):
        simulator.probabilities(circuit, [1, 1])
    with pytest.raises(CircuitError, match="measurement"):
        simulator.sample(circuit)
    with pytest.raises(QsimError, match="not Hermitian|Hermitian"):
        simulator.expectation(circuit, 1j * Pauli.X(0))
    monkeypatch.setattr("qsim.distributed.file_simulator._MOST_SQUARED", 2)
    with pytest.raises(QsimError, match="at most 2 terms, this one has 3"):
        simulator.moments(circuit, Pauli.Z(0) + Pauli.Z(1) + Pauli.Z(2))
    with pytest.raises(CircuitError, match="resets, branches"):
        simulator.sample(Circuit(2, 2).h(0).reset(0).measure_all())
    with pytest.raises(QsimError, match="one set"):
        keeping = FileSimulator(tmp_path, keep=True)
        keeping.expectation(Circuit(2).rx(Parameter("t"), 0), Pauli.Z(0), [{"t": 1}, {"t": 2}])
    assert not list(tmp_path.iterdir())


def test_too_little_memory_is_refused_with_the_numbers(tmp_path):
    with pytest.raises(MemoryLimitError, match=r"30 qubits in a file takes .* of memory at least"):
        FileSimulator(tmp_path, memory_limit=1 << 20).plan(Circuit(30).h(0))
    wide = Circuit(12).unitary(np.linalg.qr(np.random.default_rng(1).normal(size=(32, 32)))[0], range(5))
    with pytest.raises(MemoryLimitError, match="acts on more at a time"):
        FileSimulator(tmp_path, _local_qubits=4).plan(wide)


def test_more_shots_than_memory_holds_are_refused(tmp_path):
    circuit = layers(30, 1).measure_all()
    with pytest.raises(MemoryLimitError, match="Take fewer shots"):
        FileSimulator(tmp_path, memory_limit=1 << 30).sample(circuit, 1 << 30)
    assert not list(tmp_path.iterdir())


def test_a_file_that_ends_early_is_told(tmp_path):
    with StateFile(tmp_path, 8, np.complex128, 1) as file:
        os.truncate(file._file, 100)
        with pytest.raises(QsimError, match="cannot be read: the file ends early"):
            file.read(np.empty(256, complex), *file.pieces(range(8), 0))


SCRIPT = """
import resource, sys
limit = 2_000_000_000
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
from qsim import Circuit, Pauli
from qsim.distributed import FileSimulator
n = 28
circuit = Circuit(n)
for layer in range(2):
    for q in range(n):
        circuit.ry(0.1 * (q + 1) + layer, q).rz(0.3 * q, q)
    for q in range(n - 1):
        circuit.cx(q, q + 1)
simulator = FileSimulator(sys.argv[1], sys.argv[2], memory_limit=limit)
assert simulator.plan(circuit).num_parts > 1
with simulator.state(circuit) as state:
    from qsim.distributed.file_readout import expectations_of, sample_all
    values, frequencies = sample_all(state, 1000, 5, 1 << 28)
    chain = sum(Pauli.X(q) * Pauli.X(q + 1) for q in range(n - 1)) + Pauli.Z(27)
    print(values[0], values[-1], frequencies.sum(), *expectations_of(state, [chain]))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits of address space are set on Linux")
def test_28_qubits_run_in_a_file_with_two_gigabytes_of_memory(tmp_path):
    results = []
    for precision in ("double", "single"):
        made = subprocess.run(
            [sys.executable, "-c", SCRIPT, str(tmp_path), precision], capture_output=True, text=True, timeout=1200
        )
        assert made.returncode == 0, made.stderr
        first, peak = made.stdout.splitlines()
        assert int(peak) < 2_000_000_000
        results.append(first.split())
        assert not list(Path(tmp_path).iterdir())
    assert results[0][:3] == results[1][:3]
    assert abs(float(results[0][3]) - float(results[1][3])) < 1e-4


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_ctrl_c_ends_a_run_and_leaves_no_file(tmp_path):
    script = """
import os, signal, sys, threading
from qsim.distributed import FileSimulator
from qsim.errors import RunCancelled
from qsim.pool import controlled
sys.path.insert(0, sys.argv[2])
from test_file_state import layers
try:
    with controlled(progress=lambda done, total: os.kill(os.getpid(), signal.SIGINT)):
        FileSimulator(sys.argv[1], keep=True, _local_qubits=6).amplitudes(layers(12, 4), [0])
except KeyboardInterrupt:
    print("interrupted")
"""
    here = Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path, str(here.parents[1])])}
    made = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path), str(here)],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment,
    )
    assert made.stdout.strip() == "interrupted", made.stderr
    assert not list(tmp_path.iterdir())


def test_memory_that_is_kept_of_earlier_runs_does_not_count(tmp_path):
    """A limit holds this process, whose kept room is given back before the limit is looked at."""
    workspace._freed.clear()
    before = resident_memory()
    room = workspace.state_room(1 << 29, clear=False)
    room[:: 1 << 12] = 1
    del room
    simulator = FileSimulator(tmp_path, memory_limit=before + (1 << 28))
    assert simulator.plan(Circuit(16).h(0)).file_bytes == 1 << 20
    assert workspace._freed == []

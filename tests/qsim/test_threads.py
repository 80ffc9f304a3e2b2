"""The engine on several threads: equal amplitudes, callers at once, forks, Ctrl-C, cancelling and progress."""

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from qsim import Circuit, Pauli, Simulator, pool
from qsim.errors import RunCancelled


def layered(num_qubits, layers, seed=0, measured=False):
    random = np.random.default_rng(seed)
    circuit = Circuit(num_qubits)
    for layer in range(layers):
        for qubit in range(num_qubits):
            circuit.u(*random.uniform(0, 6, 3), qubit)
        for qubit in range(layer % 2, num_qubits - 1, 2):
            circuit.cx(qubit, qubit + 1)
        circuit.ccx(0, num_qubits // 2, num_qubits - 1).rzz(0.3, 1, num_qubits - 2)
    return circuit.measure_all() if measured else circuit


@pytest.fixture
def four_cores(monkeypatch):
    """More helpers than a small machine has cores, so that three threads are three."""
    monkeypatch.setattr(pool, "available_cores", lambda: 4)


@pytest.mark.parametrize("precision", ["double", "single"])
def test_1_2_3_and_4_threads_give_the_same_bits(four_cores, precision):
    operator = sum((Pauli.X(k) * Pauli.Z(k + 1) for k in range(5)), 0.5 * Pauli.Y(15))
    for num_qubits, layers in [(4, 3), (13, 4), (16, 3)]:
        gates, measured = layered(num_qubits, layers), layered(num_qubits, layers, measured=True)
        operators = [Pauli.Z(0), operator] if num_qubits >= 16 else [Pauli.Z(0)]
        simulators = [Simulator(precision, threads=n) for n in (1, 2, 3, 4)]
        assert [simulator.threads for simulator in simulators] == [1, 2, 3, 4]
        results = [
            (
                simulator.statevector(gates),
                simulator.probabilities(gates),
                simulator.probabilities(gates, qubits=[2, 0]),
                np.array(simulator.moments(gates, operators)),
            )
            for simulator in simulators
        ]
        for other in results[1:]:
            assert all(np.array_equal(a, b) for a, b in zip(results[0], other, strict=True))
        counts = [simulator.sample(measured, 1000, seed=3) for simulator in simulators]
        assert all(other == counts[0] for other in counts[1:])


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_run_different_circuits_at_once(four_cores, threads):
    circuits = [layered(12 + k % 5, 2 + k % 3, seed=k) for k in range(6)]
    expected = [Simulator(threads=1).statevector(circuit) for circuit in circuits]
    wrong, simulator = [], Simulator(threads=threads)  # one simulator for all

    def caller(first):
        for k in range(24):
            chosen = (first + k) % len(circuits)
            # A new circuit each time is also compiled at the same time as others.
            circuit = circuits[chosen] if k % 2 else layered(12 + chosen % 5, 2 + chosen % 3, seed=chosen)
            if not np.array_equal(simulator.statevector(circuit), expected[chosen]):
                wrong.append((first, k))

    callers = [threading.Thread(target=caller, args=(first,)) for first in range(3)]
    for thread in callers:
        thread.start()
    for thread in callers:
        thread.join(timeout=120)
        assert not thread.is_alive()
    assert not wrong


def test_threads_run_one_new_circuit_at_once(four_cores):
    for seed in range(8):
        circuit, start = layered(14, 3, seed=seed), threading.Barrier(4)
        states = [None] * 4

        def caller(k, circuit=circuit, start=start, states=states):
            start.wait()
            states[k] = Simulator(threads=2).statevector(circuit)

        callers = [threading.Thread(target=caller, args=(k,)) for k in range(4)]
        for thread in callers:
            thread.start()
        for thread in callers:
            thread.join(timeout=120)
        assert all(np.array_equal(state, states[0]) for state in states)
        assert abs(np.linalg.norm(states[0]) - 1) < 1e-12


# cancelling and progress ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("threads", [1, 2])
def test_progress_rises_to_the_total(threads):
    told = []
    with pool.controlled(progress=lambda *step: told.append(step)):
        state = Simulator(threads=threads, _tile_bits=12).statevector(layered(18, 100))  # too long for one call
    assert abs(np.linalg.norm(state) - 1) < 1e-12
    done, totals = zip(*told, strict=True)
    assert len(told) > 2 and len(set(totals)) == 1 and done[-1] == totals[0]
    assert list(done) == sorted(set(done)) and done[0] >= 0


@pytest.mark.parametrize("threads", [1, 2])
def test_a_run_can_be_cancelled_midway(threads):
    cancel, told = threading.Event(), []

    def progress(done, total):
        told.append(done)
        if done == 2:
            cancel.set()

    simulator, circuit = Simulator(threads=threads, _tile_bits=12), layered(18, 100)
    expected = simulator.statevector(circuit)
    with pytest.raises(RunCancelled), pool.controlled(cancel, progress):
        simulator.statevector(circuit)
    assert told[-1] == 2
    assert np.array_equal(simulator.statevector(circuit), expected)


LONG = """
import sys, threading, time
from qsim import Circuit, Simulator, pool
from qsim.errors import RunCancelled
sim = Simulator(threads=int(sys.argv[1]))
circuit = Circuit(23)
for layer in range(200):
    for qubit in range(23):
        circuit.u(0.1 * qubit, 0.2 + layer, 0.3, qubit)
    for qubit in range(layer % 2, 22, 2):
        circuit.cx(qubit, qubit + 1)
sim.statevector(Circuit(2).h(0).cx(0, 1))
cancel = threading.Event()
if sys.argv[2] == "cancel":
    threading.Thread(target=lambda: (sys.stdin.readline(), cancel.set()), daemon=True).start()
print("running", flush=True)
try:
    with pool.controlled(cancel):
        sim.statevector(circuit)
    print("finished")
except (KeyboardInterrupt, RunCancelled) as error:
    print(type(error).__name__, time.monotonic())
"""


@pytest.mark.parametrize("threads", ["1", "2"])
@pytest.mark.parametrize("how", ["interrupt", "cancel"])
def test_a_long_run_stops_soon(how, threads):
    if os.name == "nt" and how == "interrupt":
        pytest.skip("signals")
    command = [sys.executable, "-c", LONG, threads, how]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            assert process.stdout.readline() == "running\n"
            time.sleep(1)
            began = time.monotonic()
            if how == "interrupt":
                process.send_signal(signal.SIGINT)
            output, errors = process.communicate("\n", timeout=60)
        finally:
            process.kill()
    expected = "KeyboardInterrupt" if how == "interrupt" else "RunCancelled"
    stopped, at = output.split()
    assert (stopped, errors, process.returncode) == (expected, "", 0)
    print(f"{how}, {threads} threads: stopped {float(at) - began:.3f} s later")  # shown by pytest -s


FORKING = """
import os, sys, threading, time, warnings
import numpy as np
from qsim import Circuit, Simulator, pool
warnings.simplefilter("ignore")  # Python 3.12 warns of forks where there are threads
pool.available_cores = lambda: 3

def layered(num_qubits, layers):
    circuit = Circuit(num_qubits)
    for layer in range(layers):
        for qubit in range(num_qubits):
            circuit.u(0.1 * qubit, 0.2 + layer, 0.3, qubit)
        for qubit in range(layer % 2, num_qubits - 1, 2):
            circuit.cx(qubit, qubit + 1)
    return circuit

simulator = Simulator(threads=3)
small, large = layered(15, 3), layered(17, 4)
expected = Simulator(threads=1).statevector(small), Simulator(threads=1).statevector(large)
stop, wrong = threading.Event(), []

def busy():
    while not stop.is_set():
        if not np.array_equal(simulator.statevector(large), expected[1]):
            wrong.append(1)

threads = [threading.Thread(target=busy) for _ in range(2)]
for thread in threads: thread.start()
for round in range(8):
    time.sleep(0.01)
    child = os.fork()
    if child == 0:
        same = np.array_equal(simulator.statevector(small), expected[0])
        same = same and np.array_equal(simulator.statevector(layered(15, 3)), expected[0])
        os._exit(0 if same else 1)
    assert np.array_equal(simulator.statevector(small), expected[0])
    assert os.waitpid(child, 0)[1] == 0
stop.set()
for thread in threads: thread.join()
print("wrong" if wrong else "good")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_forks_while_other_threads_run():
    run = subprocess.run([sys.executable, "-c", FORKING], capture_output=True, text=True, timeout=300)
    assert (run.returncode, run.stdout, run.stderr) == (0, "good\n", "")


# how many -------------------------------------------------------------------------------------------------------
COUNT = "import sys; from qsim import Simulator; print(Simulator().threads, Simulator(threads=5).threads)"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity")
@pytest.mark.parametrize("variable", [None, "1", "64"])
def test_a_process_bound_to_one_core_uses_one_thread(variable):
    core = min(os.sched_getaffinity(0))
    environment = {key: value for key, value in os.environ.items() if key != "QSIM_NUM_THREADS"}
    if variable is not None:
        environment["QSIM_NUM_THREADS"] = variable
    run = subprocess.run(
        [sys.executable, "-c", f"import os; os.sched_setaffinity(0, {{{core}}}); {COUNT}"],
        env=environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (run.stdout, run.stderr) == ("1 1\n", "")


def test_the_environment_says_how_many(monkeypatch, four_cores):
    monkeypatch.setenv("QSIM_NUM_THREADS", "2")
    assert Simulator().threads == 2
    assert Simulator(threads=3).threads == 3
    assert Simulator(threads=1000).threads == 4


@pytest.mark.parametrize("precision", ["double", "single"])
def test_pages_asked_for_in_advance_change_nothing(monkeypatch, precision):
    simulator, circuit = Simulator(precision=precision), layered(18, 4)
    expected = simulator.statevector(circuit)
    monkeypatch.setattr("qsim.state._TOUCHED_FROM", 0)
    assert (simulator.statevector(circuit) == expected).all()

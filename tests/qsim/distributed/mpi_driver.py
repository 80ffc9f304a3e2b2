"""What the ranks of `test_mpi.py` do: ``mpiexec -n N python mpi_driver.py CASE ...``; the first rank prints JSON."""

from __future__ import annotations

import json
import os
import signal
import sys

import numpy as np

import qsim.version
from qsim import Circuit, Parameter, Pauli, Simulator, SparsePauliOp
from qsim.distributed import DistributedSimulator, MPITransport
from qsim.errors import QsimError


def circuit_of(name, n, layers=4):
    """Random layers, a Fourier transform of a state that is no basis state, or a ring of rotations and CX."""
    random, circuit = np.random.default_rng(n), Circuit(n)
    if name == "fourier":
        for q in range(n):
            circuit.ry(0.1 + q, q)
        for q in reversed(range(n)):
            circuit.h(q)
            for below in range(q):
                circuit.cp(np.pi / (1 << (q - below)), below, q)
        for q in range(n // 2):
            circuit.swap(q, n - 1 - q)
        return circuit.measure_all()
    for _ in range(layers):
        for q in range(n):
            circuit.u(*random.uniform(-3, 3, 3), q)
        order = random.permutation(n).tolist()
        pairs = (
            zip(order[::2], order[1::2], strict=False)
            if name == "random"
            else zip(range(n - 1), range(1, n), strict=True)
        )
        for a, b in pairs:
            circuit.cx(a, b)
        circuit.rzz(0.3, 0, n - 1).cx(n - 1, 0)
    return circuit.measure_all()


def against_one_process(name, n):
    circuit, simulator, one = circuit_of(name, n), DistributedSimulator(), Simulator()
    shots, seed, size = 100_000, 17, simulator.ranks.size
    counts = simulator.sample(circuit, shots, seed=seed)
    result = {"planned": simulator.last_plan.bytes_exchanged(16), "messages": simulator.last_plan.messages()}
    sent = simulator.ranks.sum(np.array([simulator.ranks.bytes_sent, simulator.ranks.messages_sent]))
    basis = np.random.default_rng(1).integers(0, 1 << n, 1 << 18)
    found = simulator.amplitudes(circuit, basis)
    operator = SparsePauliOp.from_string(f"0.7*X0*X{n - 1} - Z1*Y{n - 2} + 0.2*Z{n - 1}*X{n // 2}")
    mean = simulator.expectation(circuit, operator)
    if simulator.rank == 0:
        state = one.statevector(circuit)
        result |= {
            "sent": sent.tolist(), "error": float(abs(state[basis] - found).max()), "size": size,
            "counts": counts == one.sample(circuit, shots, seed=seed),
            "mean": abs(mean - one.expectation(circuit, operator)),
        }  # fmt: skip
        print(json.dumps(result), flush=True)


def gradient(n):
    n = int(n)
    circuit = Circuit(n)
    for layer in range(2):
        for q in range(n):
            circuit.ry(Parameter(f"a{layer}_{q}"), q).rz(2 * Parameter(f"b{q}"), q)
        for q in range(n):
            circuit.cx(q, (q + 1) % n)
    row = np.random.default_rng(0).uniform(-2, 2, (1, len(circuit.parameters)))
    operator = SparsePauliOp.from_string(f"X0*X{n - 1} + 0.5*Z0*Z{n // 2} - Y{n - 1}*Y1")
    simulator = DistributedSimulator()
    found = np.array(list(simulator.gradient(circuit, operator, row)[0].values()))
    if simulator.rank == 0:
        expected = np.array(list(Simulator().gradient(circuit, operator, row)[0].values()))
        print(json.dumps({"error": float(abs(found - expected).max())}), flush=True)


def told(function):
    """Print the error of every rank, in rank order."""
    transport = MPITransport()
    try:
        function(transport)
        message = "no error"
    except QsimError as error:
        message = f"{type(error).__name__}: {error}"
    texts = [text.decode() for text in transport.gather(message.encode())]
    if transport.rank == 0:
        print(json.dumps(texts), flush=True)


def version(transport):
    if transport.rank == 1:
        qsim.version.__version__ = "0.0.1"
    DistributedSimulator(transport)


def programs(transport):
    DistributedSimulator(transport).statevector(Circuit(5).h(transport.rank % 2))


def few_qubits(transport):
    DistributedSimulator(transport).statevector(Circuit(2).h(0))


def no_memory(transport):
    limit = 1000 if transport.rank == 1 else None
    DistributedSimulator(transport, memory_limit=limit).sample(circuit_of("ring", 14), seed=1)


def dies(how):
    """The second rank is gone in the middle of the work of the others."""
    simulator = DistributedSimulator()
    if simulator.rank == 1:
        if how == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if how.startswith("exits"):
            DistributedSimulator()  # all have two, and it is not the last that the others call
            sys.exit(int(how[-1]))
        raise RuntimeError("this rank has an error of its own")
    if how.startswith("exits"):
        DistributedSimulator()
    simulator.expectation(circuit_of("random", 16), Pauli.Z(0))
    print("never printed", flush=True)


def stops_inside():
    """An interrupt inside a call, which the other ranks cannot know of."""
    simulator = DistributedSimulator()
    if simulator.rank == 1:
        import qsim.distributed.run as run

        def interrupted(*arguments):
            raise KeyboardInterrupt

        run.evolve = interrupted
    simulator.expectation(circuit_of("random", 16), Pauli.Z(0))
    print("never printed", flush=True)


if __name__ == "__main__":
    case, *given = sys.argv[1:]
    if case == "compare":
        against_one_process(given[0], int(given[1]))
    elif case == "gradient":
        gradient(*given)
    elif case == "dies":
        dies(*given)
    elif case == "uncaught":
        DistributedSimulator().statevector(Circuit(1))
    elif case == "stops":
        stops_inside()
    else:
        told({"version": version, "programs": programs, "few": few_qubits, "memory": no_memory,
              "three": DistributedSimulator}[case])  # fmt: skip

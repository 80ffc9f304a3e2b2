"""Who takes part: ours, and a function for each peer that is installed, in the set-up that serves it best.

An `Engine` turns a circuit into a run outside the clock; the run starts from |0...0> and ends with the full state in the
engine's own form, which `amplitudes` turns into an array outside the clock again. Each peer gets its own native gates;
what it has no name for goes over as a matrix.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.steps import Step, steps
from qsim import Circuit, Simulator

Run = Callable[[], Any]
#: At the end of the name of an engine that runs a circuit for which it has planned before.
AGAIN = " again"
Array = npt.NDArray[Any]
#: Distribution -> who it makes, for the versions in a report.
PACKAGES = ("qiskit", "qiskit-aer", "qulacs", "qsimcirq", "pennylane-lightning")


@dataclass(frozen=True)
class Engine:
    """A simulator that takes part.

    `ready` is never timed and called once for each circuit, or before each run where every run is to be `fresh`.
    """

    name: str
    ready: Callable[[Circuit], Run]
    amplitudes: Callable[[Any], Array] = np.asarray
    fresh: bool = False


def ours(precision: str, threads: int) -> list[Engine]:
    """Ours on circuits that it has not seen, and on one that it knows."""
    simulator = Simulator(precision, threads)

    def ready(circuit: Circuit) -> Run:
        return lambda: simulator.statevector(circuit)

    return [Engine("ours", ready, fresh=True), Engine("ours" + AGAIN, ready)]


def installed(precision: str, threads: int) -> list[Engine]:
    """The installed peers that have this precision; those that are missing are named on the standard error."""
    found: list[Engine] = []
    for peer in PEERS:
        try:
            found += peer(precision, threads)
        except ImportError as error:
            print(f"without {peer.__name__}: {error}", file=sys.stderr)
    return found


def versions() -> dict[str, str]:
    """The installed peers' versions."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def aer(precision: str, threads: int) -> list[Engine]:
    """Qiskit Aer with its default fusion. What it has no kernel for is unrolled, as Qiskit does, before the clock."""
    from qiskit import QuantumCircuit, transpile
    from qiskit.circuit import library
    from qiskit_aer import AerSimulator

    backend = AerSimulator(method="statevector", precision=precision, max_parallel_threads=threads)
    classes = {
        "h": library.HGate, "x": library.XGate, "y": library.YGate, "z": library.ZGate, "s": library.SGate,
        "sdg": library.SdgGate, "t": library.TGate, "tdg": library.TdgGate, "sx": library.SXGate,
        "sxdg": library.SXdgGate, "p": library.PhaseGate, "rx": library.RXGate, "ry": library.RYGate,
        "rz": library.RZGate, "u": library.UGate, "swap": library.SwapGate, "rzz": library.RZZGate,
        "rxx": library.RXXGate, "ryy": library.RYYGate,
    }  # fmt: skip

    def gate(step: Step) -> Any:
        count = len(step.controls)
        if step.name not in classes:
            return library.UnitaryGate(step.full_matrix)
        if step.name in ("z", "p") and count > 2:  # the one form with many controls that has a kernel
            return library.MCPhaseGate(step.params[0] if step.params else math.pi, count)
        plain = classes[step.name](*step.params)
        return plain.control(count, annotated=False) if count else plain

    def ready(circuit: Circuit) -> Run:
        other = QuantumCircuit(circuit.num_qubits)
        for step in steps(circuit):
            other.append(gate(step), step.qubits)
        other = transpile(other, backend, optimization_level=0)
        other.save_statevector()

        def run() -> Any:
            result = backend.run(other, shots=1).result()
            if not result.success:
                raise RuntimeError(result.status)
            return result

        return run

    return [Engine("aer", ready, lambda result: np.asarray(result.data(0)["statevector"]))]


def qulacs(precision: str, threads: int) -> list[Engine]:
    """Qulacs, which has double precision only; its light optimiser helps some circuits and slows others down.

    Optimising is planning, so it is on the clock for a fresh circuit, as it is for everybody, and not for a known one.
    """
    import qulacs as library
    from qulacs import gate as gates
    from qulacs.circuit import QuantumCircuitOptimizer

    if precision != "double":
        return []
    plain = {
        "h": gates.H, "x": gates.X, "y": gates.Y, "z": gates.Z, "s": gates.S, "sdg": gates.Sdag, "t": gates.T,
        "tdg": gates.Tdag, "sx": gates.sqrtX, "sxdg": gates.sqrtXdag, "p": gates.U1, "rx": gates.RotX,
        "ry": gates.RotY, "rz": gates.RotZ, "u": gates.U3, "swap": gates.SWAP,
    }  # fmt: skip
    controlled = {("x", 1): gates.CNOT, ("z", 1): gates.CZ, ("x", 2): gates.TOFFOLI, ("swap", 1): gates.FREDKIN}

    def gate(step: Step) -> Any:
        if not step.controls and step.name in plain:
            return plain[step.name](*step.targets, *step.params)
        if not step.controls and step.name == "rzz":
            return gates.PauliRotation(step.targets, [3, 3], -step.params[0])
        if (step.name, len(step.controls)) in controlled:
            return controlled[step.name, len(step.controls)](*step.qubits)
        general = gates.DenseMatrix(step.targets, step.matrix)
        for qubit in step.controls:
            general.add_control_qubit(qubit, 1)
        return general

    def parts(circuit: Circuit) -> list[tuple[bool, Any]]:
        found = []
        for wide, group in groupby(steps(circuit), lambda step: len(step.qubits) > 3):
            part = library.QuantumCircuit(circuit.num_qubits)
            for step in group:
                part.add_gate(gate(step))
            found.append((wide, part))
        return found

    def joined(n: int, found: list[tuple[bool, Any]], light: bool) -> Any:
        other = library.QuantumCircuit(n)
        for wide, part in found:
            if light and not wide:  # it would merge a wide gate's neighbours with it into one matrix of that width
                QuantumCircuitOptimizer().optimize_light(part)
            other.merge_circuit(part)
        return other

    def update(n: int, other: Any) -> Any:
        state = library.QuantumState(n)
        other.update_quantum_state(state)
        return state

    def known(circuit: Circuit, light: bool) -> Run:
        n = circuit.num_qubits
        other = joined(n, parts(circuit), light)
        return lambda: update(n, other)

    def fresh(circuit: Circuit, light: bool) -> Run:
        n, found = circuit.num_qubits, parts(circuit)
        if not light:
            return known(circuit, False)
        return lambda: update(n, joined(n, found, True))

    def amplitudes(state: Any) -> Any:
        return state.get_vector()

    found = []
    for name, light in (("qulacs", False), ("qulacs light", True)):
        found.append(Engine(name, partial(fresh, light=light), amplitudes, fresh=True))
        found.append(Engine(name + AGAIN, partial(known, light=light), amplitudes))
    return found


def lightning(precision: str, threads: int) -> list[Engine]:
    """PennyLane's lightning.qubit, at its state itself: a device would add its own costs to each run."""
    import pennylane as qml
    from pennylane_lightning.lightning_qubit._state_vector import LightningStateVector

    dtype = np.complex128 if precision == "double" else np.complex64
    plain = {
        "h": qml.Hadamard, "x": qml.PauliX, "y": qml.PauliY, "z": qml.PauliZ, "s": qml.S, "t": qml.T, "sx": qml.SX,
        "p": qml.PhaseShift, "rx": qml.RX, "ry": qml.RY, "rz": qml.RZ, "swap": qml.SWAP, "rzz": qml.IsingZZ,
        "rxx": qml.IsingXX, "ryy": qml.IsingYY,
    }  # fmt: skip
    inverses = {"sdg": "s", "tdg": "t", "sxdg": "sx"}

    def operation(step: Step, last: int) -> Any:
        wires = [last - q for q in step.targets]  # its first wire is the most significant bit
        if step.name in plain:
            made = plain[step.name](*step.params, wires=wires)
        elif step.name in inverses:
            made = qml.adjoint(plain[inverses[step.name]](wires=wires))
        elif step.name == "u" and not step.controls:
            theta, phi, lam = step.params
            made = qml.Rot(lam, theta, phi, wires=wires)  # the same but for the global phase, and it has a kernel
        else:
            made = qml.QubitUnitary(step.matrix, wires=wires[::-1])
        return qml.ctrl(made, [last - q for q in step.controls]) if step.controls else made

    def ready(circuit: Circuit) -> Run:
        operations = [operation(step, circuit.num_qubits - 1) for step in steps(circuit)]

        def run() -> Any:
            state = LightningStateVector(circuit.num_qubits, dtype)
            state.apply_operations(operations)
            return state

        return run

    return [Engine("lightning", ready, lambda state: state.state, fresh=True)]


def qsim(precision: str, threads: int) -> list[Engine]:
    """Google's qsim, which has single precision only; how many qubits it fuses at most serves circuits differently."""
    import cirq
    import qsimcirq

    if precision != "single":
        return []
    plain: dict[str, Any] = {
        "h": cirq.H, "x": cirq.X, "y": cirq.Y, "z": cirq.Z, "s": cirq.S, "sdg": cirq.S**-1, "t": cirq.T,
        "tdg": cirq.T**-1, "swap": cirq.SWAP,
    }  # fmt: skip
    turned: dict[str, Callable[[float], Any]] = {
        "rx": cirq.rx, "ry": cirq.ry, "rz": cirq.rz,
        "p": lambda angle: cirq.ZPowGate(exponent=angle / math.pi),
        "rzz": lambda angle: cirq.ZZPowGate(exponent=angle / math.pi, global_shift=-0.5),
    }  # fmt: skip

    def gate(step: Step) -> Any:
        if step.name in plain:
            return plain[step.name]
        if step.name in turned:
            return turned[step.name](*step.params)
        return cirq.MatrixGate(step.matrix)

    def operation(step: Step, line: list[Any]) -> Any:
        # Of a matrix's qubits the first is Cirq's most significant one; the named gates on two are symmetric.
        targets = [line[q] for q in reversed(step.targets)]
        made = gate(step)(*targets)
        # CX, CZ, CCX and so on become the gates of these names, which have kernels of their own.
        return made.controlled_by(*[line[q] for q in step.controls]) if step.controls else made

    def engine(fused: int) -> Engine:
        simulator = qsimcirq.QSimSimulator(qsimcirq.QSimOptions(max_fused_gate_size=fused, cpu_threads=threads))

        def ready(circuit: Circuit) -> Run:
            line = cirq.LineQubit.range(circuit.num_qubits)
            other = qsimcirq.QSimCircuit(cirq.Circuit(operation(step, line) for step in steps(circuit)))
            return lambda: simulator.simulate_into_1d_array(other, qubit_order=line[::-1])

        return Engine(f"qsim f{fused}", ready, lambda result: result[1])

    return [engine(fused) for fused in (2, 3, 4)]


PEERS = (aer, qulacs, lightning, qsim)

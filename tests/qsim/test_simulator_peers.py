"""Against Qiskit and Aer, where they are installed: pytest -m peer."""

from __future__ import annotations

import numpy as np
import oracle
import pytest
import strategies
from hypothesis import given, settings

from qsim import Circuit, Gate, Simulator

pytestmark = pytest.mark.peer
pytest.importorskip("qiskit")

from qiskit import QuantumCircuit  # noqa: E402
from qiskit.circuit import library  # noqa: E402
from qiskit.quantum_info import Operator, Statevector  # noqa: E402

#: Table gate -> (Qiskit's class, controls to add to it).
CLASSES = {
    "id": "IGate", "x": "XGate", "y": "YGate", "z": "ZGate", "h": "HGate", "s": "SGate", "sdg": "SdgGate",
    "t": "TGate", "tdg": "TdgGate", "sx": "SXGate", "sxdg": "SXdgGate", "p": "PhaseGate", "rx": "RXGate",
    "ry": "RYGate", "rz": "RZGate", "r": "RGate", "u": "UGate", "u2": "U2Gate", "cx": "CXGate", "cy": "CYGate",
    "cz": "CZGate", "ch": "CHGate", "cs": "CSGate", "csdg": "CSdgGate", "csx": "CSXGate", "cp": "CPhaseGate",
    "crx": "CRXGate", "cry": "CRYGate", "crz": "CRZGate", "cu3": "CU3Gate", "cu": "CUGate", "swap": "SwapGate",
    "iswap": "iSwapGate", "dcx": "DCXGate", "ecr": "ECRGate", "rxx": "RXXGate", "ryy": "RYYGate", "rzz": "RZZGate",
    "rzx": "RZXGate", "xx_plus_yy": "XXPlusYYGate", "xx_minus_yy": "XXMinusYYGate", "ccx": "CCXGate",
    "ccz": "CCZGate", "cswap": "CSwapGate", "rccx": "RCCXGate", "c3x": "C3XGate", "c3sqrtx": "C3SXGate",
    "rc3x": "RC3XGate", "c4x": "C4XGate", "gphase": "GlobalPhaseGate",
}  # fmt: skip
#: Rows that Qiskit has no class for: inverses, the identity u0, and the forms of OpenQASM 3.
WITHOUT_CLASS = {"u0", "U", "u2_su2", "u3_su2", "csxdg", "iswapdg", "c3sqrtxdg", "rc3xdg"}
VALUES = (0.37, -1.21, 2.05, 0.66)


def peer_gate(name, params):
    return getattr(library, CLASSES[name])(*params)


def test_every_row_is_compared():
    assert set(CLASSES) | WITHOUT_CLASS == set(oracle.TABLE)


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_matrix(name):
    params = VALUES[: oracle.TABLE[name][1]]
    expected = np.atleast_2d(Operator(peer_gate(name, params)).data)
    assert np.abs(Gate(name, *params).matrix() - expected).max() < 1e-14


def test_rccx_and_rc3x_inverses():
    expected = Operator(library.RC3XGate().inverse()).data
    assert np.abs(Gate("rc3xdg").matrix() - expected).max() < 1e-12


def as_peer(circuit):
    """A circuit in Qiskit's terms; gates without a class of the same name go over as matrices."""
    peer = QuantumCircuit(circuit.num_qubits, global_phase=circuit.global_phase)
    for instruction in circuit:
        gate = instruction.operation
        if gate.name in CLASSES and not gate.powers and hasattr(gate.base, "structure"):
            other = peer_gate(gate.name, gate.params)
            if gate.controls:
                state = "".join(map(str, reversed(gate.controls)))
                other = other.control(len(gate.controls), ctrl_state=state, annotated=False)
        else:
            other = library.UnitaryGate(gate.matrix())
        peer.append(other, list(instruction.qubits))
    return peer


def random_circuit(num_qubits, gates, seed):
    random = np.random.default_rng(seed)
    names = sorted(name for name in CLASSES if 1 <= oracle.TABLE[name][0] <= num_qubits)
    circuit = Circuit(num_qubits)
    circuit.h(range(num_qubits))
    for _ in range(gates):
        name = names[random.integers(len(names))]
        gate = Gate(name, *random.uniform(-3, 3, oracle.TABLE[name][1]))
        if name in ("x", "h", "rz", "u", "swap") and gate.num_qubits < num_qubits:
            gate = gate.control(value=int(random.integers(2)))
        circuit.append(gate, random.permutation(num_qubits)[: gate.num_qubits].tolist())
    return circuit.gphase(random.uniform(-3, 3))


@settings(max_examples=40)
@given(strategies.circuits(max_qubits=8))
def test_circuits_of_all_kinds(circuit):
    expected = Statevector(as_peer(circuit)).data
    assert np.abs(Simulator().statevector(circuit) - expected).max() < 1e-12


@pytest.mark.parametrize("num_qubits", range(1, 13))
@pytest.mark.parametrize("seed", range(3))
def test_random_circuits(num_qubits, seed):
    circuit = random_circuit(num_qubits, 60, 100 * num_qubits + seed)
    expected = Statevector(as_peer(circuit)).data
    for tile_bits in (None, 6):
        assert np.abs(Simulator(_tile_bits=tile_bits).statevector(circuit) - expected).max() < 1e-12
    assert np.abs(Simulator("single").statevector(circuit) - expected).max() < 1e-5


@pytest.mark.parametrize(("num_qubits", "seed"), [(18, 1), (20, 2)])
def test_wide_circuits_against_aer(num_qubits, seed):
    aer = pytest.importorskip("qiskit_aer")
    qiskit = pytest.importorskip("qiskit")
    circuit = random_circuit(num_qubits, 150, seed)
    peer = as_peer(circuit)
    peer.save_statevector()
    backend = aer.AerSimulator(method="statevector", fusion_enable=False)
    result = backend.run(qiskit.transpile(peer, backend, optimization_level=0)).result()
    expected = np.asarray(result.get_statevector())
    assert np.abs(Simulator().statevector(circuit) - expected).max() < 1e-12

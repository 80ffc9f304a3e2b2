"""Circuits from Cirq: the same unitary, parameters and outcomes; Cirq's first qubit is the leftmost of its matrices."""

import numpy as np
import oracle
import pytest
from test_round_trips_classical import shown

from parsers import QasmError, from_cirq

pytestmark = [pytest.mark.peer, pytest.mark.filterwarnings("default")]
cirq = pytest.importorskip("cirq", reason="Cirq is not installed")
import sympy  # noqa: E402


def theirs_little_endian(circuit):
    matrix = circuit.unitary()
    n = len(matrix).bit_length() - 1
    order = [int(format(k, f"0{n}b")[::-1], 2) for k in range(1 << n)]
    return matrix[np.ix_(order, order)]


def assert_same(circuit, values=None):
    ours = from_cirq(circuit)
    expected = theirs_little_endian(cirq.resolve_parameters(circuit, values or {}))
    np.testing.assert_allclose(oracle.circuit_unitary(ours, values), expected, atol=1e-7)
    return ours


GATES = [
    cirq.X, cirq.Y, cirq.Z, cirq.H, cirq.S, cirq.T, cirq.S**-1, cirq.X**0.5, cirq.X**0.3, cirq.Y**-0.7, cirq.Z**1.3,
    cirq.H**0.4, cirq.rx(0.3), cirq.ry(0.4), cirq.rz(-1.1), cirq.CX, cirq.CX**0.3, cirq.CZ, cirq.CZ**0.6, cirq.SWAP,
    cirq.SWAP**0.5, cirq.ISWAP, cirq.ISWAP**-1, cirq.ISWAP**0.3, cirq.XX**0.3, cirq.YY**0.4, cirq.ZZ**-0.2, cirq.CCX,
    cirq.CCZ**0.3, cirq.CSWAP, cirq.FSimGate(0.3, 0.4), cirq.PhasedXPowGate(phase_exponent=0.3, exponent=0.4),
    cirq.PhasedXZGate(x_exponent=0.1, z_exponent=0.2, axis_phase_exponent=0.3), cirq.MatrixGate(cirq.testing.random_unitary(4)),
    cirq.X.controlled(3, control_values=[0, 1, 1]), cirq.QuantumFourierTransformGate(3), cirq.givens(0.3),
    cirq.MatrixGate(cirq.testing.random_unitary(2)).controlled(2, control_values=[1, 0]), cirq.riswap(0.4),
    cirq.XPowGate(exponent=0.3, global_shift=0.2), cirq.CXPowGate(exponent=0.3, global_shift=0.1), cirq.ms(0.3),
    cirq.DiagonalGate([0.1, 0.2, 0.3, 0.4]), cirq.ControlledGate(cirq.CX, control_values=[0]), cirq.IdentityGate(2),
    cirq.CZPowGate(exponent=0.4, global_shift=0.3), cirq.X.controlled(1, control_values=[(0, 1)]),
]  # fmt: skip


@pytest.mark.parametrize("gate", GATES, ids=str)
def test_every_gate(gate):
    qubits = cirq.LineQubit.range(cirq.num_qubits(gate) + 1)
    assert_same(cirq.Circuit(cirq.H.on_each(*qubits), gate(*qubits[::-1][: cirq.num_qubits(gate)]), cirq.T(qubits[0])))


def test_global_phases_tags_moments_and_subcircuits():
    a, b = cirq.NamedQubit("a"), cirq.GridQubit(0, 1)
    inner = cirq.FrozenCircuit(cirq.H(a), cirq.CX(a, b))
    circuit = cirq.Circuit(
        cirq.global_phase_operation(1j), cirq.CircuitOperation(inner).repeat(2), cirq.X(a).with_tags("t"),
        cirq.X(b).controlled_by(a), cirq.PauliString({a: cirq.X, b: cirq.Y}), cirq.ry(0.3)(b).controlled_by(a, control_values=[0]),
    )  # fmt: skip
    assert_same(circuit)


def test_parameters():
    t, s = sympy.symbols("t s")
    a, b = cirq.LineQubit.range(2)
    circuit = cirq.Circuit(
        cirq.X(a) ** t, cirq.rz(2 * s + t)(b), cirq.CX(a, b) ** (t / 2), cirq.ZZ(a, b) ** s, cirq.CZ(a, b) ** (t * s),
        (cirq.Y ** t)(a).controlled_by(b), cirq.H(a) ** t, cirq.FSimGate(t, s)(a, b), cirq.ISWAP(a, b) ** s,
    )  # fmt: skip
    ours = assert_same(circuit, {"t": 0.3, "s": -0.7})
    assert {p.name for p in ours.parameters} == {"t", "s"}


def test_measurements_resets_and_conditions():
    a, b, c = cirq.LineQubit.range(3)
    circuit = cirq.Circuit(
        cirq.ry(1.0)(a), cirq.measure(a, b, key="m", invert_mask=(True,)), cirq.X(b).with_classical_controls("m"),
        cirq.reset(a), cirq.ry(0.4)(a), cirq.measure(a, key="n"),
        cirq.X(c).with_classical_controls("m", "n"), cirq.measure(b, c, key="z"),
    )  # fmt: skip
    ours = from_cirq(circuit)
    assert [(r.name, len(r)) for r in ours.clbit_registers] == [("m", 2), ("n", 1), ("z", 2)]
    samples = cirq.Simulator(seed=3).run(circuit, repetitions=4000).measurements
    columns = np.hstack([samples[key] for key in ("m", "n", "z")])
    values, counts = np.unique(columns @ (1 << np.arange(columns.shape[1])), return_counts=True)
    oracle.assert_sampled(dict(zip(values.tolist(), counts.tolist(), strict=True)), shown(ours))


@pytest.mark.parametrize(
    "circuit, words",
    [
        (cirq.Circuit(cirq.depolarize(0.1)(cirq.q(0))), "not converted"),
        (cirq.Circuit(cirq.IdentityGate(qid_shape=(3,))(cirq.LineQid(0, 3))), "two levels"),
        (cirq.Circuit(cirq.measure(cirq.q(0), key="a"), cirq.measure(cirq.q(0), key="a")), "measured twice"),
        ("H", "takes a cirq"),
    ],
)
def test_what_cannot_be_converted_is_named(circuit, words):
    with pytest.raises(QasmError, match=words):
        from_cirq(circuit)

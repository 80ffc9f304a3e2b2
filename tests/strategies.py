"""Hypothesis strategies: circuits over the whole gate table with modifiers, definitions, matrices and parameters."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st
from oracle import TABLE

from qsim import Circuit, Gate, GateDefinition, Parameter, ParameterArray, SparsePauliOp, UnitaryMatrix

angles = st.one_of(
    st.floats(-7, 7, allow_nan=False).map(lambda a: round(a, 6)),
    st.sampled_from([0.0, math.pi, -math.pi, math.pi / 2, math.pi / 4, 2 * math.pi, 4 * math.pi]),
)
#: Symbols that circuits may use; values are given for all that a circuit declares.
SYMBOLS = (Parameter("alpha"), Parameter("beta"), *ParameterArray("w", 3))
NAMES = sorted(TABLE)


@st.composite
def expressions(draw, symbols=SYMBOLS):
    """A parameter, or a little arithmetic on some, with a value of moderate size."""
    first, second = draw(st.sampled_from(symbols)), draw(st.sampled_from(symbols))
    number = draw(st.floats(-3, 3).map(lambda a: round(a, 4)))
    made = [
        first, -first, 2 * first + number, first * second, number - first / 3, first.sin() * number + second,
        (first * first + 1).sqrt(), (second.cos() + first) / 2, abs(first) - number, (first**2) % 3,
    ]  # fmt: skip
    return draw(st.sampled_from(made))


@st.composite
def unitaries(draw, max_qubits=3):
    """A random unitary matrix, sometimes a special one: a permutation, a diagonal, a real or a controlled matrix."""
    size = 1 << draw(st.integers(1, max_qubits))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind = draw(st.sampled_from(["any", "any", "real", "diagonal", "permutation", "block"]))
    if kind == "diagonal":
        return np.diag(np.exp(1j * random.uniform(-3, 3, size)))
    if kind == "permutation":
        return np.eye(size)[random.permutation(size)] * np.exp(1j * random.uniform(-3, 3, size))
    part = size // 2 if kind == "block" else size
    matrix = random.normal(size=(part, part)) + (0 if kind == "real" else 1j) * random.normal(size=(part, part))
    unitary = np.linalg.qr(matrix)[0]
    if kind != "block":
        return unitary
    result = np.eye(size, dtype=complex)
    result[part:, part:] = unitary
    return result


@st.composite
def definitions(draw, max_qubits=3, depth=2):
    """A gate definition with parameters of its own, a phase, and perhaps a definition inside."""
    num_qubits = draw(st.integers(1, max_qubits))
    parameters = [Parameter(name) for name in draw(st.sampled_from([(), ("a",), ("a", "b")]))]
    body = Circuit(num_qubits)
    values = st.one_of(angles, expressions(symbols=parameters)) if parameters else angles
    for _ in range(draw(st.integers(1, 4))):
        append_gate(draw, body, values, depth - 1)
    if draw(st.booleans()):
        body.gphase(draw(values))
    return GateDefinition(f"made{depth}", parameters, body)


exponents = st.sampled_from([-2, -1, 0, 1, 2, 3, 7, 0.5, -0.5, 1 / 3, 0.25, 1.5, -1.7, 2.25])


@st.composite
def modifier_lists(draw, room, max_size=3):
    """Modifiers with at most `room` controls in all, innermost first."""
    result = []
    for _ in range(draw(st.integers(0, max_size))):
        kind = draw(st.sampled_from(["ctrl", "negctrl", "inv", "pow"]))
        if kind in ("ctrl", "negctrl"):
            if room < 1:
                continue
            count = draw(st.integers(1, min(room, 2)))
            room -= count
            result.append((kind, count))
        else:
            result.append((kind,) if kind == "inv" else (kind, draw(exponents)))
    return result


def apply_modifiers(gate, modifiers):
    for kind, *arguments in modifiers:
        if kind == "inv":
            gate = gate.inverse()
        elif kind == "pow":
            gate = gate.power(*arguments)
        else:
            gate = gate.control(arguments[0], value=int(kind == "ctrl"))
    return gate


def append_gate(draw, circuit, values=angles, depth=2):
    """Append one gate of any kind that fits the circuit."""
    n = circuit.num_qubits
    kind = draw(st.sampled_from(["table"] * 6 + ["matrix", "definition"]))
    if kind == "definition" and depth > 0:
        definition = draw(definitions(max_qubits=min(n, 3), depth=depth))
        gate = Gate(definition, *[draw(values) for _ in definition.parameters])
    elif kind == "matrix":
        gate = Gate(UnitaryMatrix(draw(unitaries(min(n, 3)))))
    else:
        name = draw(st.sampled_from([name for name in NAMES if TABLE[name][0] <= n]))
        gate = Gate(name, *[draw(values) for _ in range(TABLE[name][1])])
    if draw(st.booleans()):
        gate = apply_modifiers(gate, draw(modifier_lists(n - gate.num_qubits)))
    qubits = draw(st.permutations(range(n)))[: gate.num_qubits]
    circuit.append(gate, qubits)


@st.composite
def circuits(draw, min_qubits=1, max_qubits=10, max_gates=12, symbolic=False):
    """A circuit of gates alone."""
    circuit = Circuit(draw(st.integers(min_qubits, max_qubits)))
    values = st.one_of(angles, expressions()) if symbolic else angles
    for _ in range(draw(st.integers(1, max_gates))):
        append_gate(draw, circuit, values)
    if draw(st.booleans()):
        circuit.gphase(draw(values))
    return circuit


@st.composite
def bound_circuits(draw, **settings):
    """A circuit with symbolic parameters and a value for each: (circuit, {name: number})."""
    circuit = draw(circuits(symbolic=True, **settings))
    values = {p.name: draw(st.floats(-2, 2).map(lambda a: round(a, 4))) for p in circuit.parameters}
    return circuit, values


@st.composite
def observables(draw, num_qubits, max_terms=4):
    """A Hermitian operator: real coefficients of products of Paulis."""
    terms = []
    for _ in range(draw(st.integers(1, max_terms))):
        letters = draw(st.dictionaries(st.integers(0, num_qubits - 1), st.sampled_from("XYZ"), max_size=4))
        terms.append((letters, draw(st.floats(-2, 2).map(lambda a: round(a, 3)))))
    return SparsePauliOp.from_terms(terms)

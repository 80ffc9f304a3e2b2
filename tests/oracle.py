"""A naive simulator to test the real one against: matrices as the language specifications write them, loops over
indices, nothing shared with `qsim` except the circuit objects that it reads.

Of a gate's qubits the first is the least significant bit of its matrix's index, and controls come first.
"""

from __future__ import annotations

import cmath
import math
from collections import defaultdict
from fractions import Fraction

import numpy as np

from qsim.circuit import Barrier, Delay, Measure, Reset
from qsim.classical import Assign, Bits, Break, Continue, End, IfElse, Input, Literal, Switch, WhileLoop, WithValues
from qsim.gates import Gate

I2 = np.eye(2, dtype=complex)
X = np.array([[0, 1], [1, 0]], dtype=complex)
Y = np.array([[0, -1j], [1j, 0]])
Z = np.array([[1, 0], [0, -1]], dtype=complex)
PAULIS = {"I": I2, "X": X, "Y": Y, "Z": Z}


def U(theta, phi, lam):
    """OpenQASM 3, "Built-in gates"."""
    plus, minus = 1 + cmath.exp(1j * theta), 1 - cmath.exp(1j * theta)
    upper = [plus, -1j * cmath.exp(1j * lam) * minus]
    lower = [1j * cmath.exp(1j * phi) * minus, cmath.exp(1j * (phi + lam)) * plus]
    return 0.5 * np.array([upper, lower])


def scaled(angle, matrix):
    """gphase(angle) in front of a matrix."""
    return cmath.exp(1j * angle) * matrix


def diagonal(*phases):
    return np.diag(np.exp(1j * np.array(phases, dtype=float)))


def rotation(angle, *letters):
    """exp(-i angle P / 2) for the product P of Paulis, first qubit first."""
    pauli = np.eye(1)
    for letter in letters:
        pauli = np.kron(PAULIS[letter], pauli)
    return math.cos(angle / 2) * np.eye(len(pauli)) - 1j * math.sin(angle / 2) * pauli


def r(theta, phi):
    """A rotation about cos(phi) X + sin(phi) Y."""
    return math.cos(theta / 2) * I2 - 1j * math.sin(theta / 2) * (math.cos(phi) * X + math.sin(phi) * Y)


def xx_yy(theta, beta, sign):
    """exp(-i theta/2 (XX +- YY)/2), turned by rz(beta) and back, as Qiskit documents the two gates."""
    entry = -1j * math.sin(theta / 2)
    low, high = (1, 2) if sign > 0 else (0, 3)
    matrix = np.eye(4, dtype=complex)
    matrix[low, low] = matrix[high, high] = math.cos(theta / 2)
    matrix[high, low], matrix[low, high] = entry * cmath.exp(1j * beta), entry * cmath.exp(-1j * beta)
    return matrix


def sequence(num_qubits, *steps):
    """The matrix of named gates one after the other: (name, params, qubits)."""
    result = np.eye(1 << num_qubits, dtype=complex)
    for name, params, qubits in steps:
        result = embed(gate_matrix(name, *params), qubits, result)
    return result


def _hadamard(q):
    return ("h", (), (q,))


def _phase(sign, q):
    return ("p", (sign * math.pi / 4,), (q,))


def _rccx():  # qelib1.inc
    return sequence(
        3, _hadamard(2), _phase(1, 2), ("cx", (), (1, 2)), _phase(-1, 2), ("cx", (), (0, 2)), _phase(1, 2),
        ("cx", (), (1, 2)), _phase(-1, 2), _hadamard(2),
    )  # fmt: skip


def _rc3x():  # qelib1.inc
    return sequence(
        4, _hadamard(3), _phase(1, 3), ("cx", (), (2, 3)), _phase(-1, 3), _hadamard(3),
        ("cx", (), (0, 3)), _phase(1, 3), ("cx", (), (1, 3)), _phase(-1, 3),
        ("cx", (), (0, 3)), _phase(1, 3), ("cx", (), (1, 3)), _phase(-1, 3),
        _hadamard(3), _phase(1, 3), ("cx", (), (2, 3)), _phase(-1, 3), _hadamard(3),
    )  # fmt: skip


SQRT_X = 0.5 * np.array([[1 + 1j, 1 - 1j], [1 - 1j, 1 + 1j]])
SWAP = np.array([[1, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]], dtype=complex)
ISWAP = np.array([[1, 0, 0, 0], [0, 0, 1j, 0], [0, 1j, 0, 0], [0, 0, 0, 1]])
ECR = math.sqrt(0.5) * np.array([[0, 1, 0, 1j], [1, 0, -1j, 0], [0, 1j, 0, 1], [-1j, 0, 1, 0]])
H = math.sqrt(0.5) * np.array([[1, 1], [1, -1]], dtype=complex)


def u(theta, phi, lam):
    """Qiskit's u, OpenQASM 2's U up to a phase: a real first entry."""
    return scaled(-theta / 2, U(theta, phi, lam))


#: name -> (qubits, parameters, controls, matrix of the parameters without the controls)
TABLE = {
    "gphase": (0, 1, 0, lambda a: np.array([[cmath.exp(1j * a)]])),
    "id": (1, 0, 0, lambda: I2),
    "u0": (1, 1, 0, lambda a: I2),
    "x": (1, 0, 0, lambda: X),
    "y": (1, 0, 0, lambda: Y),
    "z": (1, 0, 0, lambda: Z),
    "h": (1, 0, 0, lambda: H),
    "s": (1, 0, 0, lambda: diagonal(0, math.pi / 2)),
    "sdg": (1, 0, 0, lambda: diagonal(0, -math.pi / 2)),
    "t": (1, 0, 0, lambda: diagonal(0, math.pi / 4)),
    "tdg": (1, 0, 0, lambda: diagonal(0, -math.pi / 4)),
    "sx": (1, 0, 0, lambda: SQRT_X),
    "sxdg": (1, 0, 0, lambda: adjoint(SQRT_X)),
    "p": (1, 1, 0, lambda a: diagonal(0, a)),
    "rx": (1, 1, 0, lambda a: rotation(a, "X")),
    "ry": (1, 1, 0, lambda a: rotation(a, "Y")),
    "rz": (1, 1, 0, lambda a: rotation(a, "Z")),
    "r": (1, 2, 0, r),
    "u": (1, 3, 0, u),
    "u2": (1, 2, 0, lambda b, c: u(math.pi / 2, b, c)),
    "U": (1, 3, 0, U),
    "u2_su2": (1, 2, 0, lambda b, c: scaled(-(b + c + math.pi / 2) / 2, U(math.pi / 2, b, c))),  # stdgates.inc
    "u3_su2": (1, 3, 0, lambda a, b, c: scaled(-(a + b + c) / 2, U(a, b, c))),  # stdgates.inc
    "cx": (2, 0, 1, lambda: X),
    "cy": (2, 0, 1, lambda: Y),
    "cz": (2, 0, 1, lambda: Z),
    "ch": (2, 0, 1, lambda: H),
    "cs": (2, 0, 1, lambda: diagonal(0, math.pi / 2)),
    "csdg": (2, 0, 1, lambda: diagonal(0, -math.pi / 2)),
    "csx": (2, 0, 1, lambda: SQRT_X),
    "csxdg": (2, 0, 1, lambda: adjoint(SQRT_X)),
    "cp": (2, 1, 1, lambda a: diagonal(0, a)),
    "crx": (2, 1, 1, lambda a: rotation(a, "X")),
    "cry": (2, 1, 1, lambda a: rotation(a, "Y")),
    "crz": (2, 1, 1, lambda a: rotation(a, "Z")),
    "cu3": (2, 3, 1, u),
    "cu": (2, 4, 1, lambda a, b, c, d: scaled(d, u(a, b, c))),
    "swap": (2, 0, 0, lambda: SWAP),
    "iswap": (2, 0, 0, lambda: ISWAP),
    "iswapdg": (2, 0, 0, lambda: adjoint(ISWAP)),
    "dcx": (2, 0, 0, lambda: sequence(2, ("cx", (), (0, 1)), ("cx", (), (1, 0)))),
    "ecr": (2, 0, 0, lambda: ECR),
    "rxx": (2, 1, 0, lambda a: rotation(a, "X", "X")),
    "ryy": (2, 1, 0, lambda a: rotation(a, "Y", "Y")),
    "rzz": (2, 1, 0, lambda a: rotation(a, "Z", "Z")),
    "rzx": (2, 1, 0, lambda a: rotation(a, "Z", "X")),
    "xx_plus_yy": (2, 2, 0, lambda a, b: xx_yy(a, b, 1)),
    "xx_minus_yy": (2, 2, 0, lambda a, b: xx_yy(a, b, -1)),
    "ccx": (3, 0, 2, lambda: X),
    "ccz": (3, 0, 2, lambda: Z),
    "cswap": (3, 0, 1, lambda: SWAP),
    "rccx": (3, 0, 0, _rccx),
    "c3x": (4, 0, 3, lambda: X),
    "c3sqrtx": (4, 0, 3, lambda: SQRT_X),
    "c3sqrtxdg": (4, 0, 3, lambda: adjoint(SQRT_X)),
    "rc3x": (4, 0, 0, _rc3x),
    "rc3xdg": (4, 0, 0, lambda: adjoint(_rc3x())),
    "c4x": (5, 0, 4, lambda: X),
}
#: Gates whose power multiplies their first parameter; every other gate takes the principal power.
ROTATIONS = {
    "gphase", "u0", "p", "rx", "ry", "rz", "r", "cp", "crx", "cry", "crz", "rxx", "ryy", "rzz", "rzx", "xx_plus_yy",
    "xx_minus_yy",
}  # fmt: skip


def adjoint(matrix):
    return np.array(matrix).conj().T


def gate_matrix(name, *params):
    """The full matrix of a named gate."""
    _, _, controls, matrix = TABLE[name]
    return controlled(np.array(matrix(*params), dtype=complex), [1] * controls)


def controlled(matrix, controls):
    """`matrix` where control j, bit j of the index, has the value ``controls[j]``; the identity elsewhere."""
    count = len(controls)
    size = len(matrix) << count
    result = np.zeros((size, size), dtype=complex)
    for column in range(size):
        if all(column >> j & 1 == value for j, value in enumerate(controls)):
            for row in range(len(matrix)):
                result[row << count | column & ((1 << count) - 1), column] = matrix[row, column >> count]
        else:
            result[column, column] = 1
    return result


def power(matrix, exponent):
    """The principal power: eigenvalue phases in (-pi, pi] times the exponent.

    Eigenvectors of a degenerate eigenvalue are made orthogonal by Gram and Schmidt, group by group.
    """
    matrix = np.array(matrix, dtype=complex)
    values, vectors = np.linalg.eig(matrix)
    basis = []
    groups = []
    for k in range(len(values)):
        for group in groups:
            if abs(values[group[0]] - values[k]) < 1e-7:
                group.append(k)
                break
        else:
            groups.append([k])
    result = np.zeros_like(matrix)
    for group in groups:
        phase = cmath.phase(values[group].mean())
        if phase <= -math.pi + 1e-9:
            phase = math.pi
        basis = np.linalg.qr(vectors[:, group])[0]
        result += cmath.exp(1j * phase * exponent) * (basis @ basis.conj().T)
    return result


def modified(name, params, modifiers):
    """The matrix of a table gate under modifiers, innermost first: ("ctrl", n), ("negctrl", n), ("inv",), ("pow", k).

    As long as a rotation is only raised to powers it stays a rotation; controls do not change that, since
    (controlled U)**k is controlled (U**k).
    """
    controls = []
    angles, rotating = list(params), name in ROTATIONS
    matrix = gate_matrix(name, *angles)
    for modifier, *arguments in modifiers:
        if modifier in ("ctrl", "negctrl"):
            controls = [int(modifier == "ctrl")] * arguments[0] + controls
        elif rotating:
            angles[0] *= -1 if modifier == "inv" else arguments[0]
            matrix = gate_matrix(name, *angles)
        elif modifier == "inv":
            matrix = adjoint(matrix)
        else:
            exponent = arguments[0]
            if float(exponent).is_integer():
                step = matrix if exponent >= 0 else adjoint(matrix)
                matrix = np.eye(len(matrix), dtype=complex)
                for _ in range(abs(int(exponent))):
                    matrix = step @ matrix
            else:
                matrix = power(matrix, exponent)
    return controlled(matrix, controls)


def value_of(expression, values):
    """A number, or an expression's value by walking its tree."""
    if isinstance(expression, (int, float)):
        return float(expression)
    if expression.op == "param":
        return float(values[expression.name])
    arguments = [value_of(argument, values) for argument in expression.args]
    operations = {
        "+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b, "/": lambda a, b: a / b,
        "**": lambda a, b: a**b, "mod": lambda a, b: a % b, "neg": lambda a: -a, "sin": math.sin, "cos": math.cos,
        "tan": math.tan, "arcsin": math.asin, "arccos": math.acos, "arctan": math.atan, "exp": math.exp,
        "log": math.log, "sqrt": math.sqrt, "floor": math.floor, "ceiling": math.ceil, "abs": abs,
    }  # fmt: skip
    return float(operations[expression.op](*arguments))


def operation_matrix(gate, values):
    """The full matrix of any `Gate`."""
    base, params = gate.base, [value_of(p, values) for p in gate.params]
    if base.name in TABLE and hasattr(base, "structure"):
        matrix = gate_matrix(base.name, *params)
    elif hasattr(base, "body"):
        inner = {parameter.name: value for parameter, value in zip(base.parameters, params, strict=True)}
        matrix = circuit_unitary(base.body, inner)
    else:
        matrix = np.array(base.matrix)
    for exponent in gate.powers:
        if float(exponent).is_integer() and abs(exponent) <= 64:
            matrix = np.linalg.matrix_power(matrix if exponent >= 0 else adjoint(matrix), abs(int(exponent)))
        else:
            matrix = power(matrix, exponent)
    return controlled(matrix, list(gate.controls))


def embed(matrix, qubits, array):
    """`matrix` on `qubits` of an array whose first index is the state's."""
    mask = sum(1 << q for q in qubits)
    result = np.empty(array.shape, dtype=complex)
    for start in range(len(array)):
        if start & mask:
            continue
        indices = [start | sum((k >> j & 1) << q for j, q in enumerate(qubits)) for k in range(len(matrix))]
        result[indices] = matrix @ array[indices]
    return result


def run_gates(circuit, values, array):
    """The gates of a circuit and its global phase; measurements at the end change nothing here."""
    array = cmath.exp(1j * value_of(circuit.global_phase, values)) * array
    for instruction in circuit:
        if isinstance(instruction.operation, Gate):
            array = embed(operation_matrix(instruction.operation, values), instruction.qubits, array)
        else:
            assert isinstance(instruction.operation, (Barrier, Delay, Measure))
    return array


def circuit_unitary(circuit, values=None):
    return run_gates(circuit, values or {}, np.eye(1 << circuit.num_qubits, dtype=complex))


def statevector(circuit, values=None):
    state = np.zeros(1 << circuit.num_qubits, dtype=complex)
    state[0] = 1
    return run_gates(circuit, values or {}, state)


def operator_matrix(operator, num_qubits):
    total = np.zeros((1 << num_qubits,) * 2, dtype=complex)
    for paulis, coefficient in operator.terms:
        letters, matrix = dict(paulis), np.eye(1)
        for qubit in range(num_qubits):
            matrix = np.kron(PAULIS[letters.get(qubit, "I")], matrix)
        total += coefficient * matrix
    return total


def expectation(circuit, operator, values=None):
    state = statevector(circuit, values)
    return (state.conj() @ operator_matrix(operator, circuit.num_qubits) @ state).real


def variance(circuit, operator, values=None):
    state, matrix = statevector(circuit, values), operator_matrix(operator, circuit.num_qubits)
    mean = (state.conj() @ matrix @ state).real
    return (state.conj() @ matrix @ matrix @ state).real - mean**2


def marginal(state, qubits):
    """Outcome probabilities of some qubits, the first as least significant bit."""
    result = np.zeros(1 << len(qubits))
    for index, amplitude in enumerate(state):
        result[sum((index >> q & 1) << j for j, q in enumerate(qubits))] += abs(amplitude) ** 2
    return result


# Dynamic circuits: every history with its exact weight ---------------------------------------------------------

NEGLIGIBLE = 1e-11


def wrapped(number, width, signed):
    number = int(number) % 2**width
    return number - 2**width if signed and number >= 2 ** (width - 1) else number


CLASSICAL = {
    "!": lambda a: not a, "neg": lambda a: -a, "popcount": lambda a: bin(a).count("1"),
    "&&": lambda a, b: bool(a and b), "||": lambda a, b: bool(a or b),
    "==": lambda a, b: a == b, "!=": lambda a, b: a != b, "<": lambda a, b: a < b, "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b, ">=": lambda a, b: a >= b, "+": lambda a, b: a + b, "-": lambda a, b: a - b,
    "*": lambda a, b: a * b, "**": lambda a, b: a**b, "&": lambda a, b: a & b, "|": lambda a, b: a | b,
    "^": lambda a, b: a ^ b, "<<": lambda a, b: a << b, ">>": lambda a, b: a >> b,
    "/": lambda a, b: a / b if float in (type(a), type(b)) else int(Fraction(a, b)),
    "%": lambda a, b: a % b if float in (type(a), type(b)) else a - b * int(Fraction(a, b)),
    "pick": lambda index, *values: values[index],
    "int": lambda a, width: wrapped(a, width, True), "uint": lambda a, width: wrapped(a, width, False),
    "rounded": lambda a, width: float({16: np.float16, 32: np.float32}[width](a)),
    "float": float, "whole": int, "floor": lambda a: float(math.floor(a)), "ceiling": lambda a: float(math.ceil(a)),
    "angle": lambda a, width: wrapped(round(a / math.tau * 2**width), width, False) * math.tau / 2**width,
    "angle_bits": lambda a, width: wrapped(round(a / math.tau * 2**width), width, False),
    "rotl": lambda a, n, width: int((f"{a:0{width}b}" * 3)[width + n % width :][:width], 2),
    "float_bits": lambda a: int(np.float64(a).view(np.uint64)), "bits_float": lambda a: float(np.uint64(a).view(np.float64)),
    **{name: getattr(math, name) for name in ("sin", "cos", "tan", "exp", "log", "sqrt")},
    "arcsin": math.asin, "arccos": math.acos, "arctan": math.atan,
}  # fmt: skip


def classical_value(expression, memory, values=()):
    if isinstance(expression, Literal):
        return expression.value
    if isinstance(expression, Bits):
        return sum((memory >> bit & 1) << k for k, bit in enumerate(expression.clbits))
    if isinstance(expression, Input):
        value = value_of(expression.expression, values)
        return int(value) if value.is_integer() else value
    arguments = [classical_value(argument, memory, values) for argument in expression.args]
    result = CLASSICAL[expression.op](*arguments)
    return result if expression.width is None else int(result) % (1 << expression.width)


def _add(histories, memory, density):
    """Histories with the same classical bits are one: their density matrices add up."""
    if density.trace().real > NEGLIGIBLE:
        histories[memory] = histories.get(memory, 0) + density


def _run(instructions, live, values):
    """Run unnormalised density matrices {memory: matrix} through instructions: {how it ended: {memory: matrix}}.

    It ends by End, by (Break or Continue, how many loops out), or by None when the last instruction was reached.
    """
    ended = defaultdict(dict)
    for instruction in instructions:
        operation, after = instruction.operation, {}
        for memory, density in live.items():
            for how, histories in _step(instruction, operation, memory, density, values).items():
                for later, part in histories.items():
                    _add(after if how is None else ended[how], later, part)
        live = after
    ended[None] = live
    return ended


def _step(instruction, operation, memory, density, values):
    identity, result = np.eye(len(density), dtype=complex), {}
    if isinstance(operation, Gate):
        matrix = embed(operation_matrix(operation, values), instruction.qubits, identity)
        return {None: {memory: matrix @ density @ adjoint(matrix)}}
    if isinstance(operation, (Barrier, Delay)):
        return {None: {memory: density}}
    if isinstance(operation, (Measure, Reset)):
        (qubit,) = instruction.qubits
        for outcome in (0, 1):
            kept = np.diag([float(index >> qubit & 1 == outcome) for index in range(len(density))])
            if isinstance(operation, Measure):
                (bit,) = instruction.clbits
                _add(result, memory & ~(1 << bit) | outcome << bit, kept @ density @ kept)
            else:
                kept = embed(X, (qubit,), kept) if outcome else kept
                _add(result, memory, kept @ density @ adjoint(kept))
        return {None: result}
    if isinstance(operation, Assign):
        number = int(classical_value(operation.value, memory, values))
        for k, bit in enumerate(operation.clbits):
            memory = memory & ~(1 << bit) | (number >> k & 1) << bit
        return {None: {memory: density}}
    if isinstance(operation, End):
        return {End: {memory: density}}
    if isinstance(operation, (Break, Continue)):
        return {(type(operation), operation.levels): {memory: density}}
    if isinstance(operation, WithValues):
        inner = [classical_value(value, memory, values) for value in operation.values]
        names = [parameter.name for parameter in operation.parameters]
        return _run(operation.body, {memory: density}, {**values, **dict(zip(names, inner, strict=True))})
    if isinstance(operation, WhileLoop):
        result, live = defaultdict(dict), {memory: density}
        while live:
            going = {}
            for now, part in live.items():
                _add(going if classical_value(operation.condition, now, values) else result[None], now, part)
            ended, live = _run(operation.body, going, values), {}
            for how, histories in ended.items():
                if how in (None, (Continue, 1)):
                    target = live
                elif isinstance(how, tuple):
                    target = result[None if how == (Break, 1) else (how[0], how[1] - 1)]
                else:
                    target = result[how]
                for later, part in histories.items():
                    _add(target, later, part)
        return result
    if isinstance(operation, IfElse):
        body = operation.body if classical_value(operation.condition, memory, values) else operation.orelse
    else:
        assert isinstance(operation, Switch)
        value = classical_value(operation.target, memory, values)
        body = operation.default
        for labels, case in operation.cases:
            if value in labels:
                body = case
                break
    return _run([] if body is None else body, {memory: density}, values)


# Noise ---------------------------------------------------------------------------------------------------------


def apply_kraus(density, operators, qubits):
    """sum K rho K^dagger with each operator embedded as a full matrix."""
    identity = np.eye(len(density), dtype=complex)
    full = [embed(np.array(operator), qubits, identity) for operator in operators]
    return sum(matrix @ density @ adjoint(matrix) for matrix in full)


def noisy_density(circuit, rules, values=None, density=None):
    """The density matrix of gates under rules (gate name, Kraus operators, qubits or None), each acting after its gates.

    One-qubit operators act on each of a gate's qubits.
    """
    if density is None:
        density = np.zeros((1 << circuit.num_qubits,) * 2, dtype=complex)
        density[0, 0] = 1
    identity = np.eye(len(density), dtype=complex)
    for instruction in circuit:
        if not isinstance(instruction.operation, Gate):
            continue
        matrix = embed(operation_matrix(instruction.operation, values or {}), instruction.qubits, identity)
        density = matrix @ density @ adjoint(matrix)
        for name, operators, qubits in rules:
            if name != instruction.operation.name or (qubits is not None and instruction.qubits not in qubits):
                continue
            if len(operators[0]) == 2:
                for qubit in instruction.qubits:
                    density = apply_kraus(density, operators, (qubit,))
            else:
                density = apply_kraus(density, operators, instruction.qubits)
    return density


def distribution(circuit, values=None):
    """The exact probability of every value of the classical bits; what falls below 1e-11 on the way is left out."""
    density = np.zeros((1 << circuit.num_qubits,) * 2, dtype=complex)
    density[0, 0] = 1
    ended, result = _run(circuit, {0: density}, values or {}), {}
    for how in (None, End):
        for memory, part in ended.get(how, {}).items():
            result[memory] = result.get(memory, 0.0) + float(part.trace().real)
    return result


# Samples -------------------------------------------------------------------------------------------------------


def chi_squared_bound(freedom):
    """What a chi-squared value stays below but for one time in a million (Wilson and Hilferty's approximation)."""
    part = 2 / (9 * freedom)
    return freedom * (1 - part + 4.7534 * math.sqrt(part)) ** 3


def assert_sampled(frequencies, probabilities):
    """Pearson's test of observed frequencies (outcome -> shots) against exact probabilities (outcome -> number).

    Outcomes that are expected less than five times are taken together.
    """
    shots = sum(frequencies.values())
    assert abs(sum(probabilities.values()) - 1) < 1e-6
    for outcome in frequencies:
        assert probabilities.get(outcome, 0) > 1e-12, f"outcome {outcome} cannot happen"
    total, cells, rare_seen, rare_expected = 0.0, 0, 0, 0.0
    for outcome, probability in probabilities.items():
        expected, seen = shots * probability, frequencies.get(outcome, 0)
        if expected < 5:
            rare_seen, rare_expected = rare_seen + seen, rare_expected + expected
            continue
        total, cells = total + (seen - expected) ** 2 / expected, cells + 1
    if rare_expected >= 5:
        total, cells = total + (rare_seen - rare_expected) ** 2 / rare_expected, cells + 1
    else:
        assert rare_seen < 30
    if cells > 1:
        assert total < chi_squared_bound(cells - 1), f"chi-squared {total:.1f} of {cells} cells"

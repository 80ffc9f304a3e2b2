"""The OpenQASM 3 that Amazon Braket's devices take: no include, no definitions, gates by Braket's own names.

Braket's list of statements and gates: https://docs.aws.amazon.com/braket/latest/developerguide/braket-openqasm-supported-features.html
(the table here holds the gates whose matrices are equal to ours, phase included, checked against Braket's simulator).
"""

from __future__ import annotations

from dataclasses import dataclass

from qsim.circuit import Barrier, Circuit, Instruction, Measure
from qsim.gates import Gate, GateRow
from session.errors import SessionError

#: Rows of the gate table -> Braket's names. Qubits and angles come in the same order.
NAMES: dict[str, str] = {
    "id": "i", "x": "x", "y": "y", "z": "z", "h": "h", "s": "s", "sdg": "si", "t": "t", "tdg": "ti", "sx": "v",
    "sxdg": "vi", "p": "phaseshift", "rx": "rx", "ry": "ry", "rz": "rz", "r": "prx", "cx": "cnot", "cy": "cy", "cz": "cz",
    "csx": "cv", "cp": "cphaseshift", "swap": "swap", "iswap": "iswap", "ecr": "ecr", "rxx": "xx", "ryy": "yy",
    "rzz": "zz", "ccx": "ccnot", "cswap": "cswap",
}  # fmt: skip
#: Braket's names -> rows.
ROWS: dict[str, str] = {name: row for row, name in NAMES.items()}
#: What every gate-model device that Braket has listed takes: printed where a device's own list is not known.
COMMON = frozenset(("x", "y", "z", "h", "s", "sdg", "t", "tdg", "rx", "ry", "rz", "cx", "swap"))


@dataclass(frozen=True)
class Printed:
    """A program for Braket.

    Args:
        source: its text.
        num_qubits: how many qubits it declares: those that the circuit uses, numbered without gaps.
        bits: pairs of a qubit of the text and the classical bit of the circuit that its outcome goes into.
    """

    source: str
    num_qubits: int
    bits: tuple[tuple[int, int], ...]


def print_circuit(circuit: Circuit, *, measure_all: bool = False) -> Printed:
    """The text of a circuit of named gates with numbers, and then measurements.

    Barriers are left out, since a device compiles as it likes anyway; so is the global phase, which no outcome shows.

    Args:
        circuit: without definitions, modifiers, parameters, resets and branches.
        measure_all: also measure the qubits that the circuit uses and does not measure.

    Raises:
        SessionError: something has no word in the dialect, by name.

    >>> print(print_circuit(Circuit(3, 1).h(0).cx(0, 2).measure(2, 0)).source)
    OPENQASM 3.0;
    qubit[2] q;
    bit[1] b;
    h q[0];
    cnot q[0], q[1];
    b[0] = measure q[1];
    <BLANKLINE>
    """
    instructions = [one for one in circuit if not isinstance(one.operation, Barrier)]
    used = sorted({qubit for one in instructions for qubit in one.qubits})
    place = {qubit: k for k, qubit in enumerate(used)}
    lines, bits = [], dict[int, int]()
    for one in instructions:
        if isinstance(one.operation, Measure):
            bits[place[one.qubits[0]]] = one.clbits[0]
        elif not isinstance(one.operation, Gate):
            name = type(one.operation).__name__.lower()
            raise SessionError(f"Amazon Braket's devices take gates and then measurements; this circuit has '{name}'.")
        else:
            lines.append(_call(one.operation, one, place))
    measured = range(len(used)) if measure_all else sorted(bits)
    lines += [f"b[{k}] = measure q[{qubit}];" for k, qubit in enumerate(measured)]
    head = ["OPENQASM 3.0;", *[f"qubit[{len(used)}] q;"] * bool(used), *[f"bit[{len(measured)}] b;"] * bool(measured)]
    return Printed("\n".join([*head, *lines]) + "\n", len(used), tuple(sorted(bits.items())))


def _call(gate: Gate, instruction: Instruction, place: dict[int, int]) -> str:
    base = gate.base
    name = NAMES.get(base.name) if isinstance(base, GateRow) else None
    if name is None or gate.controls or gate.powers:
        raise SessionError(f"Gate '{gate.name}' as it is has no name in Amazon Braket's dialect; rewrite it first.")
    if gate.is_symbolic:
        raise SessionError(f"Gate '{gate.name}' has a parameter without a value; bind it first.")
    angles = ", ".join(_number(float(angle)) for angle in gate.params)
    qubits = [f"q[{place[qubit]}]" for qubit in instruction.qubits]
    return f"{name}{f'({angles})' if angles else ''} {', '.join(qubits)};"


def _number(value: float) -> str:
    """All digits of a double, in a form that every reader of OpenQASM 3 takes: with a point, and a sign in front at most.

    >>> _number(0.1), _number(1e-20), _number(-2.0)
    ('0.1', '1.0e-20', '-2.0')
    """
    text = repr(float(value))
    mantissa, exponent, power = text.partition("e")
    return f"{mantissa if '.' in mantissa else mantissa + '.0'}{exponent}{power}"

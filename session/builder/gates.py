"""The standard gates as statements: angles first, then variables whose qubits they act on."""

from __future__ import annotations

from typing import Any

from qsim.gates import Gate
from session.builder.errors import BuilderError
from session.builder.symbols import angle_of
from session.builder.tracing import tracer
from session.builder.variables import check_distinct, qubits_of

#: Other names that an argument is known by.
_ALIASES = {"ctrl": "control", "ctrl_state": "control", "q": "target", "qubit": "target", "lambda_": "lam"}


class GateFunction:
    """A gate of the table as a statement; the qubits may come one by one, or several in an array or a list.

    >>> from session import Output, QArray, QBit, allocate, qfunc, synthesize
    >>> @qfunc
    ... def main(q: Output[QArray[QBit, 2]]):
    ...     allocate(q)
    ...     H(q[0])
    ...     CX(q[0], q[1])
    >>> synthesize(main).circuit.count_ops()
    {'h': 1, 'cx': 1}
    """

    def __init__(self, name: str, gate: str, angles: str, qubits: str) -> None:
        self.__name__ = self.name = name
        self._gate, self._angles, self._qubits = gate, tuple(angles.split()), tuple(qubits.split())
        self._count = Gate(gate, *[0.0] * len(self._table_angles)).num_qubits
        self.__doc__ = f"{name}({', '.join((*self._angles, *self._qubits))}): the gate `{gate}` of `qsim.Circuit`."

    @property
    def _table_angles(self) -> tuple[str, ...]:
        return self._angles[:3] if self._gate == "u" else self._angles

    def __call__(self, *args: Any, **named: Any) -> None:
        given = self._bind(args, named)
        angles = [angle_of(given[name], f"'{name}' of {self.name}") for name in self._angles]
        found = tracer(self.name)
        operands = [operand for name in (*self._qubits, "*") if name in given for operand in given[name]]
        qubits = [qubit for operand in operands for qubit in qubits_of(operand, self.name)]
        if len(qubits) != self._count:
            more = f" To apply it to each qubit, use apply_to_all({self.name}, ...)." if self._count == 1 else ""
            raise BuilderError(
                f"{self.usage} acts on {self._count} qubit{'s' * (self._count != 1)}, got {len(qubits)}.{more}"
            )
        check_distinct(qubits, self.name)
        if self._gate == "u":  # with a phase of its own
            if angles[3] != 0.0:
                found.add(Gate("gphase", angles[3]), ())
            angles = angles[:3]
        found.add(Gate(self._gate, *angles), qubits)

    @property
    def usage(self) -> str:
        """How it is written."""
        return f"{self.name}({', '.join((*self._angles, *self._qubits))})"

    def _bind(self, args: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any]:
        """Angles by name, and lists of operands by name; those given by position are under "*"."""
        given: dict[str, Any] = {}
        rest = list(args)
        for name in self._angles:
            if rest and name not in named:
                given[name] = rest.pop(0)
        given["*"] = rest
        for key, value in named.items():
            name = _ALIASES.get(key, key)
            name = name if name in (*self._angles, *self._qubits) else key
            if name not in (*self._angles, *self._qubits) or name in given:
                raise BuilderError(f"{self.usage} has no argument '{key}'" + (" left." if name in given else "."))
            given[name] = value if name in self._angles else [value]
        missing = [name for name in self._angles if name not in given]
        if missing:
            raise BuilderError(f"{self.usage} needs {', '.join(missing)}.")
        if rest and any(name in given for name in self._qubits):
            left = [name for name in self._qubits if name not in given]
            given[left[0] if left else "*"] = rest
            given["*"] = [] if left else rest
        return given

    def __repr__(self) -> str:
        return f"<gate {self.usage}>"


_TABLE = """
I id | | target
X x | | target
Y y | | target
Z z | | target
H h | | target
S s | | target
SDG sdg | | target
T t | | target
TDG tdg | | target
SX sx | | target
SXDG sxdg | | target
RX rx | theta | target
RY ry | theta | target
RZ rz | theta | target
R r | theta phi | target
PHASE p | theta | target
U u | theta phi lam gam | target
CX cx | | control target
CY cy | | control target
CZ cz | | control target
CH ch | | control target
CSX csx | | control target
CRX crx | theta | control target
CRY cry | theta | control target
CRZ crz | theta | control target
CPHASE cp | theta | control target
CCX ccx | | control target
CCZ ccz | | control target
SWAP swap | | qbit0 qbit1
ISWAP iswap | | qbit0 qbit1
CSWAP cswap | | control qbit0 qbit1
RXX rxx | theta | target
RYY ryy | theta | target
RZZ rzz | theta | target
RZX rzx | theta | target
"""


def _made() -> dict[str, GateFunction]:
    table = {}
    for line in _TABLE.strip().splitlines():
        names, angles, qubits = line.split("|")
        name, gate = names.split()
        table[name] = GateFunction(name, gate, angles, qubits)
    return table


GATE_FUNCTIONS = _made()
I, X, Y, Z, H, S, SDG, T, TDG, SX, SXDG = (  # noqa: E741
    GATE_FUNCTIONS[name] for name in "I X Y Z H S SDG T TDG SX SXDG".split()
)
RX, RY, RZ, R, PHASE, U = (GATE_FUNCTIONS[name] for name in "RX RY RZ R PHASE U".split())
CX, CY, CZ, CH, CSX, CRX, CRY, CRZ, CPHASE = (GATE_FUNCTIONS[n] for n in "CX CY CZ CH CSX CRX CRY CRZ CPHASE".split())
CCX, CCZ, SWAP, ISWAP, CSWAP = (GATE_FUNCTIONS[name] for name in "CCX CCZ SWAP ISWAP CSWAP".split())
RXX, RYY, RZZ, RZX = (GATE_FUNCTIONS[name] for name in "RXX RYY RZZ RZX".split())

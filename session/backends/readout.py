"""Where the classical bits of a circuit come from: what printers and decoders of adapters have to agree about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from qsim.circuit import Circuit, Measure


@dataclass(frozen=True)
class Readout:
    """The measurements of a circuit.

    Args:
        qubits: for each classical bit the qubit that was measured into it last, -1 for a bit that is never written.
        registers: names with those of their classical bits that are written, in order; bits of no register are under "".
        is_final: whether nothing happens to a qubit after it was measured, so that the qubits tell all bits.
    """

    qubits: tuple[int, ...]
    registers: tuple[tuple[str, tuple[int, ...]], ...]
    is_final: bool

    @property
    def order(self) -> tuple[int, ...]:
        """The written classical bits, register by register."""
        return tuple(bit for _, bits in self.registers for bit in bits)


def readout(circuit: Circuit) -> Readout:
    """The measurements of a circuit without branches.

    >>> circuit = Circuit(3, 4).x(2).measure(2, 1).measure(0, 3)
    >>> readout(circuit)
    Readout(qubits=(-1, 2, -1, 0), registers=(('c', (1, 3)),), is_final=True)
    """
    qubits = [-1] * circuit.num_clbits
    for instruction in circuit:
        if isinstance(instruction.operation, Measure):
            qubits[instruction.clbits[0]] = instruction.qubits[0]
    registers: list[tuple[str, tuple[int, ...]]] = []
    named: set[int] = set()
    for register in circuit.clbit_registers:
        written = tuple(bit for bit in register.indices if qubits[bit] >= 0)
        named.update(register.indices)
        if written:
            registers.append((register.name, written))
    rest = tuple(bit for bit, qubit in enumerate(qubits) if qubit >= 0 and bit not in named)
    if rest:
        registers.append(("", rest))
    return Readout(tuple(qubits), tuple(registers), not circuit.is_dynamic)


def as_outcomes(counts: Mapping[int, int], sources: Iterable[int]) -> dict[int, int]:
    """Counts by outcome as an integer whose bit k is classical bit k, out of counts by what a service numbers its bits by.

    Args:
        counts: shots by an integer whose bit j is the service's bit j.
        sources: for each classical bit the service's bit that it comes from, -1 for one that stays 0.

    >>> as_outcomes({0b100: 7}, (-1, 2))
    {2: 7}
    """
    places = [(bit, source) for bit, source in enumerate(sources) if source >= 0]
    found: dict[int, int] = {}
    for given, shots in counts.items():
        outcome = 0
        for bit, source in places:
            outcome |= (given >> source & 1) << bit
        found[outcome] = found.get(outcome, 0) + shots
    return found


def added(parts: Iterable[Mapping[int, int]]) -> dict[int, int]:
    """The counts of several runs of the same circuit together.

    >>> added([{0: 1, 3: 2}, {3: 4}])
    {0: 1, 3: 6}
    """
    total: dict[int, int] = {}
    for counts in parts:
        for outcome, shots in counts.items():
            total[outcome] = total.get(outcome, 0) + shots
    return total


def bits_as_integer(bits: Iterable[object]) -> int:
    """Bits, the first the least significant, as an integer.

    Raises:
        ValueError: something is neither 0 nor 1.

    >>> bits_as_integer([0, 1, 1])
    6
    """
    value = 0
    for place, bit in enumerate(bits):
        if bit in (1, "1") and bit is not True:
            value |= 1 << place
        elif bit not in (0, "0") or bit is False:
            raise ValueError(f"a bit is 0 or 1, got {bit!r}")
    return value

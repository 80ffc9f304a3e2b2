"""What matters from a point of a program on, by the usual backward analysis of data flow.

A classical bit that is never read again need not be told apart: histories that differ in such bits alone are one. A qubit
that nothing follows but a reset need not be kept. A measurement whose qubit and bit nothing later depends on can wait for
the end, where all such outcomes are drawn together from one state (the principle of deferred measurement, Nielsen and
Chuang, section 4.4).

Source: Aho, Lam, Sethi and Ullman, "Compilers", 2nd edition, section 9.2.5.
"""

from __future__ import annotations

from qsim.dynamic.code import Choose, Code, Enter, Gates, Instruction, MeasureQubit, ResetQubit, Store


def analyse(code: Code) -> None:
    """Fill in `live_bits`, `live_qubits` and `final` of all instructions."""
    # By number: bits that are read or written, and qubits that are turned or reset, from there on.
    touched, disturbed = [0] * len(code.instructions), [0] * len(code.instructions)
    changed = True
    while changed:  # once, and twice more where there are loops
        changed = False
        for instruction in reversed(code.instructions):
            bits = qubits = touches = disturbs = 0
            for follow in instruction.successors():
                bits |= follow.live_bits
                qubits |= follow.live_qubits
                touches |= touched[follow.number]
                disturbs |= disturbed[follow.number]
            if isinstance(instruction, MeasureQubit):
                bit = 1 << instruction.clbit
                instruction.final = not (disturbs >> instruction.qubit) & 1 and not touches & bit
            found = _before(instruction, bits, qubits, touches, disturbs)
            k = instruction.number
            if found != (instruction.live_bits, instruction.live_qubits, touched[k], disturbed[k]):
                changed = True
                instruction.live_bits, instruction.live_qubits, touched[k], disturbed[k] = found


def _before(instruction: Instruction, bits: int, qubits: int, touches: int, disturbs: int) -> tuple[int, int, int, int]:
    """The four masks before an instruction, from those after it."""
    if isinstance(instruction, Gates):
        return bits, qubits | instruction.segment.mask, touches, disturbs | instruction.segment.turned
    if isinstance(instruction, MeasureQubit):
        bit, qubit = 1 << instruction.clbit, 1 << instruction.qubit
        return bits & ~bit, qubits | qubit, touches | bit, disturbs
    if isinstance(instruction, ResetQubit):
        qubit = 1 << instruction.qubit
        return bits, qubits & ~qubit, touches, disturbs | qubit
    if isinstance(instruction, Store):
        reads, writes = instruction.reads, instruction.writes
        return bits & ~writes | reads, qubits, touches | writes | reads, disturbs
    if isinstance(instruction, (Choose, Enter)):
        return bits | instruction.reads, qubits, touches | instruction.reads, disturbs
    return bits, qubits, touches, disturbs

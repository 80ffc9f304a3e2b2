"""How many qubits of a program are in one state at most, whatever the outcomes: a bound that needs no run."""

from __future__ import annotations

from qsim.dynamic.code import Code, Gates, Instruction, MeasureQubit, ResetQubit
from qsim.dynamic.explore import WIDE

#: Groups of entangled qubits, as masks without a common bit.
Groups = tuple[int, ...]


def most_live_qubits(code: Code, start: Groups = ()) -> int:
    """A bound on the qubits of the widest factor.

    Gates put all groups that they touch together; a measured qubit leaves its group, at once or, if its measurement may
    wait, as soon as the group would be wider than `WIDE`. Where ways meet, their groups are put together.
    """
    before: dict[int, Groups] = {code.first.number: start}
    waiting, widest = {code.first.number}, max((g.bit_count() for g in start), default=0)
    while waiting:
        number = min(waiting)
        waiting.discard(number)
        instruction = code.instructions[number]
        after = _after(instruction, before[number])
        if isinstance(instruction, Gates):
            width = max(g.bit_count() for g in after if g & instruction.segment.mask)
            widest = max(widest, width)
        for follow in instruction.successors():
            there = before.get(follow.number)
            kept = tuple(g for group in after if (g := group & follow.live_qubits))
            joined = kept if there is None else _joined((*there, *kept))
            if there is None or joined != there:
                before[follow.number] = joined
                waiting.add(follow.number)
    # Measurements that wait keep their qubits in narrow states.
    return widest if widest >= WIDE else min(WIDE, max(widest, _qubits(code).bit_count()))


def _after(instruction: Instruction, groups: Groups) -> Groups:
    if isinstance(instruction, Gates):
        mask = instruction.segment.mask
        touched = [g for g in groups if g & mask]
        for group in touched:
            mask |= group
        return tuple(sorted([*(g for g in groups if not g & mask), mask]))
    if isinstance(instruction, (MeasureQubit, ResetQubit)):
        bit = 1 << instruction.qubit
        return tuple(sorted(left for g in groups if (left := g & ~bit)))
    return groups


def _joined(groups: Groups) -> Groups:
    """Groups with a common qubit put together."""
    result: list[int] = []
    for group in groups:
        apart = []
        for other in result:
            if other & group:
                group |= other
            else:
                apart.append(other)
        result = [*apart, group]
    return tuple(sorted(result))


def _qubits(code: Code) -> int:
    """All qubits that a gate acts on."""
    mask = 0
    for instruction in code.instructions:
        if isinstance(instruction, Gates):
            mask |= instruction.segment.mask
    return mask

"""Bits that are in no register hold variables; here they get names and types again, so that no result shows them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from qsim.circuit import Barrier, Circuit, Delay, Measure, Reset
from qsim.classical import Assign, Bits, ClassicalExpression, ClassicalOperation, bodies, expressions
from qsim.gates import Gate


@dataclass(frozen=True)
class Kept:
    """A variable: its bits, and "bool", "uint" or "float"."""

    bits: tuple[int, ...]
    kind: str


def hidden_variables(circuit: Circuit, hidden: set[int]) -> tuple[list[Kept], set[int]]:
    """The variables that hidden bits hold, and the hidden bits that are only measured into, never read.

    Bits that are always used together are one variable; groups that overlap are put together.
    """
    groups: dict[tuple[int, ...], bool] = {}  # bits -> whether they are a float everywhere
    written: set[int] = set()
    for bits, is_float, is_target in uses(circuit):
        inside = tuple(bit for bit in bits if bit in hidden)
        if is_target:
            written.update(inside)
            continue
        for group in [inside] if len(inside) == len(bits) else [(bit,) for bit in inside]:
            if group:
                groups[group] = groups.get(group, is_float) and is_float
    together: dict[int, set[int]] = {}
    for group in groups:
        union = set(group).union(*[together.get(bit, set()) for bit in group])
        together.update(dict.fromkeys(union, union))
    variables = []
    for union in {min(union): union for union in together.values()}.values():
        own = [group for group in groups if group[0] in union]
        bits = own[0] if len(own) == 1 else tuple(sorted(union))
        is_float = len(own) == 1 and groups[bits] and not written & union
        variables.append(Kept(bits, "float" if is_float else "bool" if len(bits) == 1 else "uint"))
    return sorted(variables, key=lambda kept: kept.bits), written - together.keys()


def uses(circuit: Circuit) -> Iterator[tuple[tuple[int, ...], bool, bool]]:
    """Groups of bits, whether they hold a float there, and whether they are a measurement's target."""
    for instruction in circuit:
        node = instruction.operation
        if isinstance(node, Measure):
            yield instruction.clbits, False, True
        elif not isinstance(node, (Gate, Measure, Reset, Barrier, Delay)):
            if isinstance(node, Assign):
                is_float = isinstance(node.value, ClassicalOperation) and node.value.op == "float_bits"
                yield node.clbits, is_float, False
            for expression in expressions(node):
                yield from _reads(expression)
            for body in bodies(node):
                yield from uses(body)


def _reads(node: ClassicalExpression) -> Iterator[tuple[tuple[int, ...], bool, bool]]:
    if isinstance(node, Bits):
        yield node.clbits, False, False
    elif isinstance(node, ClassicalOperation):
        if node.op == "bits_float" and isinstance(node.args[0], Bits):
            yield node.args[0].clbits, True, False
            return
        for arg in node.args:
            yield from _reads(arg)

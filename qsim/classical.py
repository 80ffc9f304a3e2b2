"""Classical bits and the expressions and control flow on them: the feed-forward part of the circuit IR.

An expression reads classical bits while a circuit runs. Bits are numbered over the whole circuit; a register is read
as an unsigned integer with its first bit as the least significant one.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Union

from qsim.errors import CircuitError

if TYPE_CHECKING:
    from qsim.circuit import Circuit

ClassicalValue = Union[int, float]

_OPERATIONS: dict[str, Callable[..., ClassicalValue]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
    "+": operator.add, "-": operator.sub, "*": operator.mul,
    "&": operator.and_, "|": operator.or_, "^": operator.xor, "<<": operator.lshift, ">>": operator.rshift,
    "&&": lambda a, b: bool(a) and bool(b), "||": lambda a, b: bool(a) or bool(b), "!": operator.not_,
    "neg": operator.neg, "popcount": lambda a: int(a).bit_count(),
}  # fmt: skip


@dataclass(frozen=True)
class Bits:
    """The value of some classical bits, least significant first.

    >>> Bits((0, 2)).evaluate(0b101)
    3
    """

    clbits: tuple[int, ...]

    def evaluate(self, memory: int) -> int:
        """Its value when the circuit's bits are the bits of `memory`."""
        return sum(((memory >> clbit) & 1) << k for k, clbit in enumerate(self.clbits))


@dataclass(frozen=True)
class Literal:
    """A constant: an integer, a truth value (0 or 1) or a real number."""

    value: ClassicalValue

    def evaluate(self, memory: int) -> ClassicalValue:
        """The constant."""
        return self.value


@dataclass(frozen=True)
class ClassicalOperation:
    """An operation on classical values; `width`, when given, wraps the result to that many bits.

    >>> ClassicalOperation("==", (Bits((0,)), Literal(1))).evaluate(0b1)
    True
    >>> ClassicalOperation("+", (Bits((0, 1)), Literal(1)), width=2).evaluate(0b11)
    0
    """

    op: str
    args: tuple[ClassicalExpression, ...]
    width: int | None = None

    def __post_init__(self) -> None:
        if self.op not in _OPERATIONS:
            raise CircuitError(f"A classical operation is one of {' '.join(_OPERATIONS)}; got {self.op!r}.")

    def evaluate(self, memory: int) -> ClassicalValue:
        """Its value when the circuit's bits are the bits of `memory`."""
        value = _OPERATIONS[self.op](*[arg.evaluate(memory) for arg in self.args])
        return int(value) & ((1 << self.width) - 1) if self.width is not None else value


ClassicalExpression = Union[Bits, Literal, ClassicalOperation]


def clbits_of(expression: ClassicalExpression) -> set[int]:
    """The classical bits that an expression reads."""
    if isinstance(expression, Bits):
        return set(expression.clbits)
    if isinstance(expression, Literal):
        return set()
    return set().union(*[clbits_of(arg) for arg in expression.args])


# Feed-forward nodes: operations of an instruction whose bodies are circuits over the same qubits and bits ---------


@dataclass(frozen=True)
class IfElse:
    """Run `body` when `condition` holds, else `orelse` (if any)."""

    condition: ClassicalExpression
    body: Circuit
    orelse: Circuit | None = None


@dataclass(frozen=True)
class WhileLoop:
    """Run `body` as long as `condition` holds."""

    condition: ClassicalExpression
    body: Circuit


@dataclass(frozen=True)
class Switch:
    """Run the body of the first case that lists the value of `target`, else `default` (if any)."""

    target: ClassicalExpression
    cases: tuple[tuple[tuple[int, ...], Circuit], ...]
    default: Circuit | None = None


@dataclass(frozen=True)
class Assign:
    """Store the value of an expression into classical bits, least significant first."""

    clbits: tuple[int, ...]
    value: ClassicalExpression


@dataclass(frozen=True)
class Break:
    """Leave the innermost loop."""


@dataclass(frozen=True)
class Continue:
    """Start the innermost loop's next round."""


@dataclass(frozen=True)
class End:
    """End the program here."""


FeedForward = Union[IfElse, WhileLoop, Switch, Assign, Break, Continue, End]


def bodies(node: FeedForward) -> Sequence[Circuit]:
    """The circuits inside a feed-forward node."""
    if isinstance(node, IfElse):
        return [node.body] if node.orelse is None else [node.body, node.orelse]
    if isinstance(node, WhileLoop):
        return [node.body]
    if isinstance(node, Switch):
        return [body for _, body in node.cases] + ([] if node.default is None else [node.default])
    return []

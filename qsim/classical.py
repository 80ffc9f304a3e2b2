"""Classical bits and the expressions and control flow on them: the feed-forward part of the circuit IR.

An expression reads classical bits while a circuit runs. Bits are numbered over the whole circuit; a register is read
as an unsigned integer with its first bit as the least significant one. Values of other types are kept in bits too: an
int in two's complement, a float as its 64 bits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Union

from qsim.classical_operations import MAX_BITS, OPERATIONS, WIDTH_LAST, operands_of
from qsim.errors import CircuitError
from qsim.parameters import Expression, Parameter, Value

if TYPE_CHECKING:
    from qsim.circuit import Circuit

ClassicalValue = Union[int, float]


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
class Input:
    """An expression of the circuit's parameters, as a classical value: `Circuit.bind` makes it a `Literal`.

    >>> Input(Parameter("n") + 1).bound({"n": 2})
    Literal(value=3)
    """

    expression: Expression

    def evaluate(self, memory: int) -> ClassicalValue:
        """An error: it has no value before its parameters are bound."""
        raise CircuitError(f"'{self.expression}' has no value yet. Bind the parameters of the circuit first.")

    def bound(self, values: Mapping[str, Value]) -> ClassicalExpression:
        """The value with these parameters; whole numbers become integers."""
        value = self.expression.substitute(values)
        if isinstance(value, Expression):
            return Input(value)
        return Literal(int(value) if value.is_integer() else value)


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
        if self.op not in OPERATIONS:
            raise CircuitError(f"A classical operation is one of {' '.join(OPERATIONS)}; got {self.op!r}.")
        least, most = operands_of(self.op)
        if not least <= len(self.args) <= most:
            raise CircuitError(f"'{self.op}' has {least} operand{'s' * (least > 1)}; got {len(self.args)}.")
        if self.op in WIDTH_LAST:
            last = self.args[-1]
            width = last.value if isinstance(last, Literal) else 0
            if not isinstance(width, int) or not 1 <= width <= MAX_BITS:
                raise CircuitError(
                    f"The last operand of '{self.op}' is a Literal, its width: 1 to {MAX_BITS:,} bits; got {last}."
                )
        if self.width is not None and (not isinstance(self.width, int) or self.width < 1):
            raise CircuitError(f"The width of a classical operation is at least 1 bit, or None; got {self.width!r}.")

    def evaluate(self, memory: int) -> ClassicalValue:
        """Its value when the circuit's bits are the bits of `memory`."""
        value = OPERATIONS[self.op](*[arg.evaluate(memory) for arg in self.args])
        return int(value) & ((1 << self.width) - 1) if self.width is not None else value


ClassicalExpression = Union[Bits, Literal, Input, ClassicalOperation]


def clbits_of(expression: ClassicalExpression) -> set[int]:
    """The classical bits that an expression reads."""
    if isinstance(expression, Bits):
        return set(expression.clbits)
    if isinstance(expression, (Literal, Input)):
        return set()
    return set().union(*[clbits_of(arg) for arg in expression.args])


def parameters_of(expression: ClassicalExpression) -> tuple[Parameter, ...]:
    """The parameters of the circuit that an expression needs."""
    if isinstance(expression, Input):
        return expression.expression.parameters
    if isinstance(expression, ClassicalOperation):
        inner = [arg for arg in expression.args if not isinstance(arg, (Bits, Literal))]
        return tuple(dict.fromkeys([p for arg in inner for p in parameters_of(arg)])) if inner else ()
    return ()


def bind_expression(expression: ClassicalExpression, values: Mapping[str, Value]) -> ClassicalExpression:
    """The expression with parameters replaced by numbers or other expressions."""
    if isinstance(expression, Input):
        return expression.bound(values)
    if isinstance(expression, ClassicalOperation) and parameters_of(expression):
        return ClassicalOperation(
            expression.op, tuple(bind_expression(arg, values) for arg in expression.args), expression.width
        )
    return expression


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
class WithValues:
    """Run `body` with its parameters set to the values that expressions on bits have then."""

    parameters: tuple[Parameter, ...]
    values: tuple[ClassicalExpression, ...]
    body: Circuit


@dataclass(frozen=True)
class Break:
    """Leave the innermost loop, or as many loops as `levels` says."""

    levels: int = 1


@dataclass(frozen=True)
class Continue:
    """Start the innermost loop's next round, or that of the loop `levels` out."""

    levels: int = 1


@dataclass(frozen=True)
class End:
    """End the program here."""


FeedForward = Union[IfElse, WhileLoop, Switch, Assign, WithValues, Break, Continue, End]


def bodies(node: FeedForward) -> Sequence[Circuit]:
    """The circuits inside a feed-forward node."""
    if isinstance(node, IfElse):
        return [node.body] if node.orelse is None else [node.body, node.orelse]
    if isinstance(node, (WhileLoop, WithValues)):
        return [node.body]
    if isinstance(node, Switch):
        return [body for _, body in node.cases] + ([] if node.default is None else [node.default])
    return []


def expressions(node: FeedForward) -> Sequence[ClassicalExpression]:
    """The expressions that a feed-forward node itself reads."""
    if isinstance(node, (IfElse, WhileLoop)):
        return [node.condition]
    if isinstance(node, Switch):
        return [node.target]
    if isinstance(node, Assign):
        return [node.value]
    return node.values if isinstance(node, WithValues) else []


def rebuilt(
    node: FeedForward,
    change: Callable[[Circuit], Circuit],
    value: Callable[[ClassicalExpression], ClassicalExpression] = lambda expression: expression,
) -> FeedForward:
    """The node with its bodies and expressions changed."""
    if isinstance(node, IfElse):
        return IfElse(value(node.condition), change(node.body), None if node.orelse is None else change(node.orelse))
    if isinstance(node, WhileLoop):
        return WhileLoop(value(node.condition), change(node.body))
    if isinstance(node, Switch):
        cases = tuple((labels, change(body)) for labels, body in node.cases)
        return Switch(value(node.target), cases, None if node.default is None else change(node.default))
    if isinstance(node, Assign):
        return Assign(node.clbits, value(node.value))
    if isinstance(node, WithValues):
        return WithValues(node.parameters, tuple(map(value, node.values)), change(node.body))
    return node

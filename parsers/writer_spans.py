"""What values a classical expression can have, so that its text has integers wide enough never to wrap."""

from __future__ import annotations

from qsim.classical import Bits, ClassicalExpression, ClassicalOperation, Input, Literal

#: Operations that always give a real number, and those that give a truth value.
REAL = ("float", "bits_float", "angle", "floor", "ceiling", "sin", "cos", "tan", "arcsin", "arccos", "arctan", "exp",
        "log", "sqrt")  # fmt: skip
TRUTH = ("==", "!=", "<", "<=", ">", ">=", "&&", "||", "!")
_INT64 = (-(1 << 63), (1 << 63) - 1)
#: Bits of the widest integer that is written.
WIDEST = 2048

Span = tuple[int, int]


def is_real(node: ClassicalExpression) -> bool:
    """Whether a value is a real number rather than an integer; an expression of parameters counts as real.

    >>> is_real(ClassicalOperation("/", (Bits((0,)), Literal(2.0))))
    True
    """
    if isinstance(node, Literal):
        return isinstance(node.value, float)
    if isinstance(node, Bits):
        return False
    if isinstance(node, Input):
        return True
    if node.width is not None or node.op in TRUTH:
        return False
    if node.op in ("+", "-", "*", "/", "%", "**", "neg"):
        return any(map(is_real, node.args))
    if node.op == "pick":
        return any(map(is_real, node.args[1:]))
    return node.op in REAL


def span(node: ClassicalExpression) -> Span:
    """The smallest and the largest integer that a value can be; all of 64 bits for a real number.

    >>> span(ClassicalOperation("-", (Bits((0, 1)), Literal(5))))
    (-5, -2)
    """
    if isinstance(node, Bits):
        return 0, (1 << len(node.clbits)) - 1
    if isinstance(node, Literal):
        return (int(node.value), int(node.value)) if not isinstance(node.value, float) else _INT64
    if isinstance(node, Input):
        return _INT64
    if node.width is not None:
        return 0, (1 << node.width) - 1
    if node.op in TRUTH:
        return 0, 1
    return _INT64 if is_real(node) else _of_operation(node)


def _of_operation(node: ClassicalOperation) -> Span:
    op, args = node.op, node.args
    if op in ("int", "uint", "angle_bits", "rotl"):
        width = _number(args[-1])
        return (-(1 << (width - 1)), (1 << (width - 1)) - 1) if op == "int" else (0, (1 << width) - 1)
    if op == "pick":
        ends = [span(arg) for arg in args[1:]]
        return min(low for low, _ in ends), max(high for _, high in ends)
    if op in ("whole", "float_bits"):
        return _INT64
    (a, b), (c, d) = span(args[0]), span(args[-1])
    if op == "popcount":
        return 0, max(abs(a), abs(b)).bit_length()
    if op == "neg":
        return -b, -a
    if op == "+":
        return a + c, b + d
    if op == "-":
        return a - d, b - c
    if op in ("*", "<<"):
        if op == "<<":
            c, d = 1, 1 << min(max(d, 0), WIDEST)
        corners = [a * c, a * d, b * c, b * d]
        return min(corners), max(corners)
    if op == "&" and a >= 0 and c >= 0:
        return 0, min(b, d)
    if op in ("&", "|", "^"):
        bits = max(v.bit_length() for v in (a, b, c, d))
        return (0 if a >= 0 and c >= 0 else -(1 << bits)), (1 << bits) - 1
    if op == "**":
        size = max(abs(a), abs(b)) ** min(max(d, 0), WIDEST) if max(abs(a), abs(b)) > 1 else 1
        return -size, size
    size = max(abs(a), abs(b))  # / % >>
    return (-size if a < 0 or c < 0 else 0), size


def integer_width(node: ClassicalExpression) -> int:
    """Bits, sign included, that hold every integer on the way to a value.

    >>> integer_width(Bits(tuple(range(80))))
    81
    """
    low, high = span(node)
    width = 1 + max(low.bit_length() if low >= 0 else (-low - 1).bit_length(), high.bit_length())
    return max([width, *map(integer_width, node.args)]) if isinstance(node, ClassicalOperation) else width


def _number(node: ClassicalExpression) -> int:
    return int(node.evaluate(0))

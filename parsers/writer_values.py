"""Numbers and expressions of parameters as OpenQASM text."""

from __future__ import annotations

import math

from qsim.parameters import MAX_EXPRESSION_NODES, Expression, Parameter, Value

_STRENGTH = {"+": 1, "-": 1, "*": 2, "/": 2, "mod": 2, "neg": 3, "**": 4}
_SIGN = {"+": " + ", "-": " - ", "*": "*", "/": "/", "mod": " % ", "**": "**"}
#: Terms of a sum that are written one after the other.
_LONG = 60
_DENOMINATORS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 32, 64, 128, 256, 512, 1024)


def number_text(value: float) -> str:
    """The shortest text that is read as exactly this number; multiples of pi where they are exact.

    >>> number_text(-1.5707963267948966), number_text(0.1), number_text(1e-05)
    ('-pi/2', '0.1', '1.0e-05')
    """
    magnitude = abs(value)
    sign = "-" if value < 0 else ""
    if 1e-3 < magnitude < 1e3:
        for denominator in _DENOMINATORS:
            numerator = round(magnitude / math.pi * denominator)
            if 0 < numerator < 10_000 and numerator * math.pi / denominator == magnitude:
                times = "" if numerator == 1 else f"{numerator}*"
                return f"{sign}{times}pi" + ("" if denominator == 1 else f"/{denominator}")
    text = repr(value)
    mantissa, exponent, power = text.partition("e")
    return mantissa + ("" if "." in mantissa else ".0") + exponent + power


def value_text(value: Value, names: dict[str, str]) -> str:
    """A number or an expression in the syntax of OpenQASM 3; `names` writes the parameters.

    >>> value_text(2 * Parameter("a") + 1, {"a": "a"})
    '2.0*a + 1.0'
    """
    if not isinstance(value, Expression):
        return number_text(value)
    stack: list[tuple[str, int]] = []
    for node in _with_balanced_sums(value)._postorder():
        if isinstance(node, float):
            text = number_text(node)
            stack.append((text, 5 if node >= 0 and "/" not in text and "*" not in text else 0))
        elif isinstance(node, Parameter):
            stack.append((names[node.name], 5))
        elif node.op in _SIGN:
            level = _STRENGTH[node.op]
            right, left = stack.pop(), stack.pop()
            # ** groups to the right, the others to the left.
            left_text = left[0] if left[1] > level or (left[1] == level and node.op != "**") else f"({left[0]})"
            right_text = right[0] if right[1] > level else f"({right[0]})"
            stack.append((left_text + _SIGN[node.op] + right_text, level))
        else:
            inner, strength = stack.pop()
            if node.op == "neg":
                stack.append((f"-{inner}" if strength > 3 else f"-({inner})", 3))
            elif node.op == "abs":
                stack.append((f"sqrt(({inner})**2)", 5))
            else:
                stack.append((f"{node.op}({inner})", 5))
    return stack[0][0]


def _with_balanced_sums(value: Expression) -> Expression:
    """The expression, if it is a sum of many terms as a sum of sums: readers nest each term of a sum in the one before."""
    terms: list[Value] = []
    node: Value = value
    while isinstance(node, Expression) and node.op in ("+", "-"):
        left, right = node.args
        terms.append(right if node.op == "+" else -right)
        node = left
    if len(terms) < _LONG or value.size > MAX_EXPRESSION_NODES // 2:  # a sum of sums may need more nodes
        return value
    terms.append(node)
    while len(terms) > 1:  # neighbours in pairs, from the end, which is the beginning of the sum
        terms = [terms[k + 1] + terms[k] if k + 1 < len(terms) else terms[k] for k in range(0, len(terms), 2)]
    total = terms[0]
    return total if isinstance(total, Expression) else value


class NeedsNumbers(Exception):
    """A gate inside a definition can be written for numbers only, not for the definition's parameters."""


def value_text2(value: Value, names: dict[str, str]) -> str:
    """A number or an expression in the syntax of OpenQASM 2.

    Raises:
        NeedsNumbers: OpenQASM 2 lacks a function in it.
    """
    text = value_text(value, names)
    if not isinstance(value, Expression):
        return text
    lacking = ("mod", "floor", "ceiling", "arcsin", "arccos", "arctan")
    if any(isinstance(node, Expression) and node.op in lacking for node in value._postorder()):
        raise NeedsNumbers
    return text.replace("**", "^").replace("log(", "ln(")

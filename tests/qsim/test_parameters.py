"""Expressions of parameters: values, text, folding, limits, errors."""

from __future__ import annotations

import math

import numpy as np
import oracle
import pytest
import strategies
from hypothesis import given
from hypothesis import strategies as st

from qsim import Expression, Parameter, ParameterArray, ParameterError
from qsim.parameters import MAX_EXPRESSION_NODES, OPCODES, to_value

A, B = Parameter("a"), Parameter("b")
BINARY = {
    "+": lambda x, y: x + y, "-": lambda x, y: x - y, "*": lambda x, y: x * y, "/": lambda x, y: x / y,
    "**": lambda x, y: x**y, "%": lambda x, y: x % y,
}  # fmt: skip
UNARY = {
    "sin": math.sin, "cos": math.cos, "tan": math.tan, "arcsin": math.asin, "arccos": math.acos,
    "arctan": math.atan, "exp": math.exp, "log": math.log, "sqrt": math.sqrt,
}  # fmt: skip


def trees(leaves):
    """Expressions and the same thing as a function of a and b that Python computes."""

    def grow(children):
        binary = st.tuples(st.sampled_from(sorted(BINARY)), children, children).map(
            lambda t: (BINARY[t[0]](t[1][0], t[2][0]), lambda a, b: BINARY[t[0]](t[1][1](a, b), t[2][1](a, b)))
        )
        negative = children.map(lambda t: (-t[0], lambda a, b: -t[1](a, b)))
        return st.one_of(binary, negative)

    return st.recursive(leaves, grow, max_leaves=8)


LEAVES = st.one_of(
    st.just((A, lambda a, b: a)),
    st.just((B, lambda a, b: b)),
    st.integers(1, 4).map(lambda k: (1.0 * k + 0 * A, lambda a, b: float(k))),
    st.integers(1, 4).map(lambda k: (A / k, lambda a, b: a / k)),
)


def computed(function, a, b):
    """Python's value, or None where there is no finite real one."""
    try:
        value = function(a, b)
    except (ZeroDivisionError, OverflowError, ValueError, TypeError):  # a complex number has no remainder
        return None
    return value if not isinstance(value, complex) and math.isfinite(value) else None


@given(trees(LEAVES), st.floats(0.2, 2.5), st.floats(-2.0, 2.0))
def test_value_is_python_s(tree, a, b):
    expression, function = tree
    expected = computed(function, a, b)
    if expected is None:
        with pytest.raises(ParameterError):
            expression.evaluate({"a": a, "b": b})
    else:
        found = expression.evaluate({"a": a, "b": b})
        jump = abs(found - expected) < 1e-9 * (1 + abs(expected))
        assert jump or "%" in str(expression)  # next to a multiple, rounding decides a remainder


@given(trees(LEAVES), st.floats(0.3, 2.5), st.floats(0.3, 2.0))
def test_text_reads_back_in_python(tree, a, b):
    expression, _ = tree
    try:
        expected = expression.evaluate({"a": a, "b": b})
    except ParameterError:
        return
    assert eval(str(expression), {}, {"a": a, "b": b}) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("name", sorted(UNARY))
def test_functions(name):
    expression = getattr(A / 2, name)()
    assert expression.evaluate({"a": 0.8}) == UNARY[name](0.4)
    assert str(expression) == f"{name}(a/2)"
    assert getattr(np, name)(np.array([A / 2], dtype=object))[0] == expression  # NumPy calls the method


@pytest.mark.parametrize("name", sorted(BINARY))
def test_operators_from_both_sides(name):
    operator = BINARY[name]
    assert operator(A, 3).evaluate({"a": 2.5}) == operator(2.5, 3)
    assert operator(3, A).evaluate({"a": 2.5}) == operator(3, 2.5)
    assert operator(np.float64(3), A).evaluate({"a": 2.5}) == operator(3, 2.5)
    assert operator(A, np.int64(3)).evaluate({"a": 2.5}) == operator(2.5, 3)
    assert operator(A, B).evaluate({"a": 2.5, "b": 1.5}) == operator(2.5, 1.5)


def test_remainder_has_the_divisor_s_sign():
    assert (A % 3).evaluate({"a": -1}) == 2
    assert (A % -3).evaluate({"a": 1}) == -2


@given(strategies.expressions(), st.lists(st.floats(-2, 2), min_size=5, max_size=5))
def test_evaluation_is_the_oracle_s(expression, numbers):
    values = {p.name: v for p, v in zip(strategies.SYMBOLS, numbers, strict=True)}
    assert expression.evaluate(values) == pytest.approx(oracle.value_of(expression, values), abs=1e-12)


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (2 * A + 1, "2*a + 1"),
        (2 * (A + 1), "2*(a + 1)"),
        (A - (B - 1), "a - (b - 1)"),
        ((A - B) - 1, "a - b - 1"),
        (A / (B * 2), "a/(b*2)"),
        (A / B / 2, "a/b/2"),
        ((A**B) ** 2, "(a**b)**2"),
        (A ** (B**2), "a**(b**2)"),
        (-A, "-a"),
        (-(A + B), "-(a + b)"),
        ((-A) ** 2, "(-a)**2"),
        (-(A**2), "-a**2"),
        (A * -2, "a*-2"),
        (A % 3 + 1, "a % 3 + 1"),
        ((A + 0.5).sin() * 2, "sin(a + 0.5)*2"),
        (abs(A - 1), "abs(a - 1)"),
    ],
)
def test_text(expression, text):
    assert str(expression) == text
    assert repr(expression) == f"<Expression {text}>"


def test_folding():
    assert A + 0 is A and 0 + A is A and A - 0 is A and A * 1 is A and 1 * A is A and A / 1 is A
    assert -(-A) is A and +A is A  # noqa: B002
    assert (A + 1).substitute({"a": 2}) == 3.0
    assert isinstance((A + 1).substitute({"a": 2}), float)
    assert (A * B).substitute({"a": 1}) is B
    assert (2 * A).substitute({"a": B + 1}) == 2 * (B + 1)


def test_parameters_in_order_of_appearance():
    assert (B + A * B).parameters == (B, A)
    assert (A + 1).parameters == (A,)


def test_equality_and_hash():
    assert Parameter("a") == A and hash(Parameter("a")) == hash(A)
    assert 2 * Parameter("a") + 1 == 2 * A + 1 and hash(2 * A) == hash(2 * A)
    assert A + B != B + A and A != 2 * A and (A == "a") is False
    assert A.sin() != A.cos()
    assert len({A, Parameter("a"), B}) == 2


def test_arrays():
    array = ParameterArray("w", 4)
    assert [p.name for p in array] == ["w[0]", "w[1]", "w[2]", "w[3]"]
    assert len(array) == 4 and array[-1].index == 3 and array[1:3] == (array[1], array[2])
    assert array[0].array is array and repr(array) == "ParameterArray('w', 4)"
    assert (array[0] * array[3]).evaluate({"w[0]": 2, "w[3]": 5}) == 10
    with pytest.raises(IndexError):
        array[4]


def test_postfix_program():
    program = (2 * A + B.sin()).postfix({"a": 0, "b": 3})
    stack = []
    names = {code: name for name, code in OPCODES.items()}
    values = {0.0: 1.5, 3.0: 0.25}
    for code, argument in program:
        name = names[code]
        if name == "const":
            stack.append(argument)
        elif name == "param":
            stack.append(values[argument])
        elif name == "sin":
            stack.append(math.sin(stack.pop()))
        else:
            right = stack.pop()
            stack.append(BINARY[name](stack.pop(), right))
    assert stack == [3 + math.sin(0.25)]


def test_a_sum_as_long_as_the_limit_and_one_more():
    total = A
    for _ in range((MAX_EXPRESSION_NODES - 1) // 2):
        total = total + B
    assert total.size <= MAX_EXPRESSION_NODES
    assert total.evaluate({"a": 0, "b": 1}) == (MAX_EXPRESSION_NODES - 1) // 2  # deep, without recursion
    assert str(total).count("b") == (MAX_EXPRESSION_NODES - 1) // 2
    assert hash(total) == hash(total + 0)
    with pytest.raises(ParameterError, match="at most 10000 terms"):
        total = total + B
        total + B


@pytest.mark.parametrize("other", ["1", None, [1], True, 1j])
def test_arithmetic_with_what_is_no_number(other):
    with pytest.raises(TypeError):
        A + other
    with pytest.raises(TypeError):
        other * A


@pytest.mark.parametrize(
    ("expression", "value"),
    [(1 / A, 0), (A.log(), 0), (A.sqrt(), -1), (A.arcsin(), 1.5), (A**0.5, -2), (A.exp(), 1000), (A % 0, 1)],
)
def test_values_that_do_not_exist(expression, value):
    with pytest.raises(ParameterError, match="finite real number"):
        expression.evaluate({"a": value})


def test_errors():
    with pytest.raises(ParameterError, match=r"Every parameter needs a value; missing: b\."):
        (A + B).evaluate({"a": 1})
    with pytest.raises(TypeError, match="no number until they are bound"):
        float(A + B)
    for name in ("", None, 3):
        with pytest.raises(ParameterError, match="non-empty string"):
            Parameter(name)
    for length in (0, -1, 1.5):
        with pytest.raises(ParameterError, match="at least one element"):
            ParameterArray("w", length)


@pytest.mark.parametrize("what", [1, 1.0, np.float32(1), np.int8(1), np.array(1.0)])
def test_numbers_that_are_values(what):
    value = to_value(what)
    assert type(value) is float and value == 1.0


@pytest.mark.parametrize("what", ["1", None, 1j, True, np.True_, b"1", [1.0], math.nan, -math.inf, 10**400])
def test_what_is_no_value(what):
    with pytest.raises(ParameterError, match="An angle"):
        to_value(what)


def test_an_expression_is_a_value():
    assert to_value(A) is A and isinstance(A, Expression)

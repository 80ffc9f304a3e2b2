"""The Pauli algebra against dense Kronecker products, and its text, labels and errors."""

from __future__ import annotations

import copy
import functools
import itertools
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsim.errors import QsimError
from qsim.pauli import Pauli, PauliTerm, SparsePauliOp

X, Y, Z = Pauli.X, Pauli.Y, Pauli.Z
QUBITS = 3
MATRICES = {
    "I": np.eye(2),
    "X": np.array([[0, 1], [1, 0]]),
    "Y": np.array([[0, -1j], [1j, 0]]),
    "Z": np.array([[1, 0], [0, -1]]),
}


def naive_matrix(terms, num_qubits=QUBITS):
    """The sum of Kronecker products, the highest qubit on the left."""
    total = np.zeros((2**num_qubits, 2**num_qubits), dtype=complex)
    for paulis, coefficient in terms:
        letters = dict(paulis)
        factors = [MATRICES[letters.get(qubit, "I")] for qubit in reversed(range(num_qubits))]
        total += coefficient * functools.reduce(np.kron, factors, np.eye(1))
    return total


def small_integers():
    return st.builds(complex, st.integers(-3, 3), st.integers(-3, 3))


def finite_complex():
    return st.complex_numbers(max_magnitude=1e3, allow_nan=False, allow_infinity=False)


def term_lists(coefficients, max_size=5):
    strings = st.dictionaries(st.integers(0, QUBITS - 1), st.sampled_from("IXYZ"))
    return st.lists(st.tuples(strings, coefficients), max_size=max_size)


def operators(coefficients=small_integers(), max_size=5):  # noqa: B008 -- a strategy has no state
    return term_lists(coefficients, max_size).map(SparsePauliOp.from_terms)


def dense(operator):
    return operator.to_matrix(QUBITS)


def caret_of(message):
    """The text line and the place of the caret below it, in an error of the text form."""
    _, line, caret, _ = message.split("\n")
    assert caret.strip() == "^"
    return line, caret.index("^")


# The matrices


@pytest.mark.parametrize("letter", "IXYZ")
def test_one_pauli_on_one_qubit_has_the_textbook_matrix(letter):
    operator = getattr(Pauli, letter)(0)
    assert operator.num_terms == 1
    np.testing.assert_array_equal(operator.to_matrix(), MATRICES[letter])


def test_qubit_zero_is_the_least_significant_bit():
    np.testing.assert_array_equal(Z(0).to_matrix(2).diagonal(), [1, -1, 1, -1])
    np.testing.assert_array_equal(Z(1).to_matrix(2).diagonal(), [1, 1, -1, -1])


@given(term_lists(finite_complex()))
def test_matrix_equals_the_sum_of_kronecker_products(terms):
    operator = SparsePauliOp.from_terms(terms)
    np.testing.assert_allclose(dense(operator), naive_matrix(terms), atol=1e-9)


def test_matrix_of_a_number_alone_is_one_by_one():
    np.testing.assert_array_equal((SparsePauliOp() + 3).to_matrix(), [[3]])


def test_matrix_above_14_qubits_is_refused_before_memory_is_taken():
    with pytest.raises(QsimError, match=r"at most 14 qubits; 15 would take 2\*\*34 bytes"):
        X(14).to_matrix()
    with pytest.raises(QsimError, match=r"at most 14 qubits; 60000 "):
        X(0).to_matrix(60_000)


@pytest.mark.parametrize("bad", [1, -1, 2.0, True, "3"])
def test_a_width_too_small_or_of_another_type_is_refused(bad):
    for use in (X(1).to_matrix, X(1).to_list, X(1).to_label):
        with pytest.raises(QsimError, match=r"num_qubits is an integer from 2, the qubits in use.*got"):
            use(bad)


# The algebra, against matrices


@given(operators(), operators(), small_integers())
def test_arithmetic_equals_matrix_arithmetic(a, b, number):
    identity = np.eye(2**QUBITS)
    np.testing.assert_array_equal(dense(a + b), dense(a) + dense(b))
    np.testing.assert_array_equal(dense(a - b), dense(a) - dense(b))
    np.testing.assert_array_equal(dense(-a), -dense(a))
    np.testing.assert_array_equal(dense(+a), dense(a))
    np.testing.assert_array_equal(dense(a * b), dense(a) @ dense(b))
    np.testing.assert_array_equal(dense(a @ b), dense(a) @ dense(b))
    np.testing.assert_array_equal(dense(number * a), number * dense(a))
    np.testing.assert_array_equal(dense(a * number), number * dense(a))
    np.testing.assert_array_equal(dense(a / 4), dense(a) / 4)
    np.testing.assert_array_equal(dense(a + number), dense(a) + number * identity)
    np.testing.assert_array_equal(dense(number + a), dense(a) + number * identity)
    np.testing.assert_array_equal(dense(a - number), dense(a) - number * identity)
    np.testing.assert_array_equal(dense(number - a), number * identity - dense(a))


@given(operators(max_size=3), st.integers(0, 5))
def test_powers_equal_matrix_powers(operator, exponent):
    expected = np.linalg.matrix_power(dense(operator), exponent)
    np.testing.assert_array_equal(dense(operator**exponent), expected)


@given(operators(), operators(), operators())
def test_ring_laws_hold(a, b, c):
    assert a + b == b + a
    assert (a + b) + c == a + (b + c)
    assert (a * b) * c == a * (b * c)
    assert a * (b + c) == a * b + a * c
    assert a - a == SparsePauliOp()
    assert (a * b).adjoint() == b.adjoint() * a.adjoint()
    assert a.dagger.dagger == a


@pytest.mark.parametrize(("first", "second", "product"), [(X, Y, Z), (Y, Z, X), (Z, X, Y)])
def test_products_of_different_paulis_have_the_phase_i(first, second, product):
    assert first(70) * second(70) == 1j * product(70)
    assert second(70) * first(70) == -1j * product(70)


@given(operators())
def test_adjoint_is_the_conjugate_transpose(operator):
    np.testing.assert_array_equal(dense(operator.adjoint()), dense(operator).conj().T)


@given(operators())
def test_is_hermitian_agrees_with_the_matrix(operator):
    matrix = dense(operator)
    assert operator.is_hermitian == np.array_equal(matrix, matrix.conj().T)


def test_is_hermitian_looks_at_merged_coefficients_with_a_tolerance():
    assert (1j * X(0) - 1j * X(0)).is_hermitian
    assert (X(0) + 1e-13j * Z(0)).is_hermitian
    assert not (X(0) + 1e-9j * Z(0)).is_hermitian
    assert (1e6 * X(0) + 1e-7j * X(0)).is_hermitian


@given(operators(max_size=3), operators(max_size=3))
def test_commutes_with_agrees_with_the_matrix_commutator(a, b):
    commutator = dense(a) @ dense(b) - dense(b) @ dense(a)
    assert a.commutes_with(b) == (not commutator.any())


def test_commutes_with_sees_small_coefficients_and_whole_operators():
    assert not (1e-9 * X(0)).commutes_with(1e-9 * Z(0))
    sum_of_both = X(0) + Z(0)
    assert sum_of_both.commutes_with(3 * sum_of_both)


@given(operators(), operators())
def test_qubit_wise_commutes_agrees_with_the_letters(a, b):
    pairs = itertools.product(a.simplify(), b.simplify())
    expected = all(
        dict(second.paulis).get(qubit, letter) == letter for first, second in pairs for qubit, letter in first.paulis
    )
    assert a.qubit_wise_commutes(b) == expected
    assert b.qubit_wise_commutes(a) == expected


def test_numbers_of_every_kind_stand_on_both_sides():
    for two in (2, 2.0, 2 + 0j, np.int64(2), np.uint8(2), np.float32(2), np.float64(2), np.complex64(2)):
        for result in (
            two * X(0),
            X(0) * two,
            (4 * X(0)) / two,
            two + 2 * X(0) - two,
            -(two - 2 * X(0) - two),
        ):
            assert isinstance(result, SparsePauliOp)
            assert result == 2 * X(0)
    assert 1 + X(0) != X(0)


def test_sum_starts_from_zero_without_a_term_for_it():
    assert sum([X(0), 2 * Z(1)]).terms == (2 * Z(1) + X(0)).terms[::-1]


@pytest.mark.parametrize("other", ["X0", None, [1.0], np.ones(2), np.array(2.0), True, {}])
def test_other_operands_are_a_type_error(other):
    for action in (
        lambda: X(0) + other,
        lambda: other + X(0),
        lambda: X(0) - other,
        lambda: other - X(0),
        lambda: X(0) * other,
        lambda: other * X(0),
        lambda: X(0) / other,
        lambda: X(0) @ other,
        lambda: X(0) ** other,
    ):
        with pytest.raises(TypeError):
            action()


def test_division_by_an_operator_a_fractional_power_and_at_with_a_number_are_type_errors():
    for action in (lambda: 2 / X(0), lambda: X(0) / X(0), lambda: X(0) ** 0.5, lambda: X(0) @ 2):
        with pytest.raises(TypeError):
            action()


# Terms, simplification, equality


def test_sums_keep_like_terms_apart_until_simplify_merges_them_in_order():
    operator = Z(0) + X(1) + 2 * Z(0) + Y(2) - X(1)
    assert (operator.num_terms, len(operator)) == (5, 5)
    assert operator.simplify().terms == (PauliTerm(((0, "Z"),), 3), PauliTerm(((2, "Y"),), 1))
    assert operator.num_terms == 5


@given(operators(finite_complex()))
def test_simplify_keeps_the_operator_and_leaves_no_like_or_zero_terms(operator):
    simple = operator.simplify()
    np.testing.assert_allclose(dense(simple), dense(operator), atol=1e-9)
    strings = [term.paulis for term in simple]
    assert len(set(strings)) == len(strings)
    assert all(term.coefficient != 0 for term in simple)
    assert simple.num_qubits == operator.num_qubits


def test_products_merge_like_terms_and_drop_what_cancels_exactly():
    assert ((X(0) + Z(0)) * (X(0) + Z(0))).terms == (PauliTerm((), 2),)
    assert (0 * X(0) * Z(1)).num_terms == 0


def test_simplify_drops_up_to_its_tolerance():
    operator = X(0) + 0.5 * Z(0)
    assert operator.simplify(tol=0.5) == X(0)
    assert operator.simplify(tol=0.4).num_terms == 2
    assert (1e-13 * X(0)).simplify(tol=0).num_terms == 1
    for bad in (-1, float("nan"), "0", 1j, True, None):
        with pytest.raises(QsimError, match=r"tolerance is a number of at least 0; got"):
            operator.simplify(tol=bad)


@given(operators(), operators())
def test_equality_agrees_with_the_matrices(a, b):
    assert (a == b) == np.array_equal(dense(a), dense(b))


def test_equality_ignores_order_width_and_rounding_but_not_more():
    assert X(0) + Z(1) == Z(1) + X(0)
    assert SparsePauliOp.from_labels("IIX") == X(0)
    assert X(0) == (1 + 1e-13) * X(0)
    assert X(0) != (1 + 1e-11) * X(0)
    assert 1e12 * X(0) == (1e12 + 0.1) * X(0)
    assert X(0) != X(1)
    assert X(0) ** 2 == 1
    assert X(0) - X(0) == 0
    assert X(0) != float("nan")
    assert X(0) != "X0"
    assert X(0) != 10**400


def test_operators_are_unhashable_and_immutable():
    operator = X(0)
    with pytest.raises(TypeError, match=r"unhashable"):
        hash(operator)
    with pytest.raises(AttributeError):
        operator.num_terms = 5
    with pytest.raises(AttributeError):
        operator.name = "h"
    before = operator
    operator += Z(1)
    assert (before.num_terms, before.num_qubits, operator.num_terms) == (1, 1, 2)


def test_num_qubits_counts_the_highest_qubit_and_the_declared_width():
    assert SparsePauliOp().num_qubits == 0
    assert Pauli.I(3).num_qubits == 4
    assert (X(2) * X(2)).num_qubits == 3
    assert SparsePauliOp.from_labels("IIZ").num_qubits == 3
    assert SparsePauliOp.from_terms([({0: "X", 5: "I"}, 1)]).num_qubits == 6
    assert SparsePauliOp.from_terms([({0: "X"}, 1)], num_qubits=5).num_qubits == 5
    assert SparsePauliOp.from_string("X0", num_qubits=7).num_qubits == 7
    wide = SparsePauliOp.from_string("X0", num_qubits=7)
    for result in (wide + Z(0), Z(0) - wide, wide * Z(0), -wide, wide / 2, wide**0, wide.adjoint(), wide - 1):
        assert result.num_qubits == 7
    assert (SparsePauliOp(num_qubits=7) + Z(0)).num_qubits == 7


@given(operators())
def test_mask_arrays_and_coefficients_say_the_same_as_the_terms(operator):
    assert operator.x_masks.dtype == operator.z_masks.dtype == np.uint64
    assert operator.coefficients.dtype == np.complex128
    rows = zip(operator.x_masks, operator.z_masks, operator.coefficients, strict=True)
    for (x_mask, z_mask, coefficient), term in zip(rows, operator.terms, strict=True):
        assert int(x_mask) == sum(1 << qubit for qubit, letter in term.paulis if letter in "XY")
        assert int(z_mask) == sum(1 << qubit for qubit, letter in term.paulis if letter in "ZY")
        assert coefficient == term.coefficient


def test_mask_arrays_hold_64_qubits_and_no_more():
    assert int(X(63).x_masks[0]) == 1 << 63
    for name in ("x_masks", "z_masks"):
        with pytest.raises(QsimError, match=r"at most 64 qubits; this operator has 65.*Use its terms"):
            getattr(X(64), name)


def test_masks_of_any_width_multiply():
    assert (X(1000) * Y(5)) * (Z(1000) * Y(5)) == -1j * Y(1000)
    assert (X(65_535) * X(65_535)).terms == (PauliTerm((), 1),)


# Size: laziness shows only in time and in recursion


def test_sum_of_ten_thousand_operators():
    parts = [(k + 1) * Z(k % 40) * X((7 * k) % 40) for k in range(10_000)]
    total = sum(parts)
    merged = (total + total).simplify()
    assert total.num_terms == 10_000
    assert merged == 2 * total


def test_a_chain_of_sums_deeper_than_the_recursion_limit_pickles_copies_and_multiplies():
    def chain():
        total = SparsePauliOp(num_qubits=3)
        for _ in range(20_000):
            total += X(0)
        return total

    for result in (pickle.loads(pickle.dumps(chain())), copy.deepcopy(chain()), chain() * 1, 0 + chain()):
        assert result == 20_000 * X(0)
        assert (result.num_terms, result.num_qubits) == (20_000, 3)


# Labels and (paulis, coefficient) pairs


@given(st.lists(st.tuples(st.text("IXYZ", min_size=4, max_size=4), finite_complex()), min_size=1))
def test_labels_round_trip_with_their_width(labels):
    operator = SparsePauliOp.from_labels(labels)
    assert operator.num_qubits == 4
    assert operator.to_list() == labels


def test_labels_are_taken_as_pairs_a_mapping_or_one_label():
    expected = X(2) * Z(0)
    assert SparsePauliOp.from_labels("XIZ") == expected
    assert SparsePauliOp.from_labels({"XIZ": 1.0, "IYI": 0.5}) == expected + 0.5 * Y(1)
    assert SparsePauliOp.from_labels(iter([("XIZ", 1.0)])) == expected
    assert SparsePauliOp.from_labels([]) == 0


def test_to_label_is_for_one_term():
    assert (3 * X(2) * Y(0)).to_label() == "XIY"
    assert Z(0).to_label(4) == "IIIZ"
    assert (SparsePauliOp() + 2).to_list() == [("I", 2)]
    with pytest.raises(QsimError, match=r"one term; this operator has 2. Use to_list"):
        (X(0) + Z(0)).to_label()


@given(operators(finite_complex()))
def test_terms_are_what_from_terms_reads(operator):
    assert SparsePauliOp.from_terms(operator.terms).terms == operator.terms
    assert SparsePauliOp(iter(operator)).terms == operator.terms


# Text


@given(operators(finite_complex()))
def test_text_reads_back_to_the_last_bit(operator):
    read = SparsePauliOp.from_string(str(operator))
    expected = operator.terms or (PauliTerm((), 0j),)  # "0" is a term of its own
    assert read.terms == expected
    assert read == operator


@given(operators(finite_complex(), max_size=6))
def test_repr_of_a_short_operator_evaluates_to_it(operator):
    read = eval(repr(operator))
    assert read == operator
    assert read.num_qubits == operator.num_qubits


def test_repr_names_the_width_only_where_the_text_does_not():
    assert repr(X(2)) == "SparsePauliOp.from_string('X2')"
    assert repr(Pauli.I(1)) == "SparsePauliOp.from_string('I', num_qubits=2)"


def test_repr_of_a_long_operator_is_short():
    assert repr(sum(X(k) for k in range(7))) == "<SparsePauliOp: 7 terms, 7 qubits>"


@pytest.mark.parametrize(
    ("operator", "text"),
    [
        (Z(0) * Z(1) + 0.5 * X(0) - 2 * Y(3) * X(1) + 1.5, "Z0*Z1 + 0.5*X0 - 2.0*X1*Y3 + 1.5*I"),
        (-X(0) - 1, "-X0 - I"),
        (1j * X(0) - 0.5j * Z(1), "1.0j*X0 - 0.5j*Z1"),
        ((1 - 2j) * X(0) + (-1 + 2j), "(1.0-2.0j)*X0 + (-1.0+2.0j)*I"),
        (1e-20 * X(0) + 1e20, "1e-20*X0 + 1e+20*I"),
        (0 * X(0), "0.0*X0"),
        (SparsePauliOp(), "0"),
    ],
)
def test_text_of_operators(operator, text):
    assert str(operator) == text
    assert SparsePauliOp.from_string(text) == operator


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Z0*Z1 + 0.5*X0 - 2*Y3*X1 + 1.5", Z(0) * Z(1) + 0.5 * X(0) - 2 * Y(3) * X(1) + 1.5),
        ("Z(0)Z( 1 ) + X (0)", Z(0) * Z(1) + X(0)),
        ("2Z0*3*Z1*4", 24 * Z(0) * Z(1)),
        ("Z0*2", 2 * Z(0)),
        ("X0Y0", X(0) * Y(0)),
        ("Y0 X0", -1j * Z(0)),
        ("-Z0", -Z(0)),
        ("Z0 + -0.5*Z1", Z(0) - 0.5 * Z(1)),
        ("Z0 - -0.5*Z1", Z(0) + 0.5 * Z(1)),
        ("1e-3*X0 + .5E2*X1 + 2.*X2", 1e-3 * X(0) + 50 * X(1) + 2 * X(2)),
        ("1j*X0 + 2.5J*Z0", 1j * X(0) + 2.5j * Z(0)),
        ("(1+2j)*X0 - (3)*Z0 + (-1j)", (1 + 2j) * X(0) - 3 * Z(0) - 1j),
        ("2*I + I3 + I(0)*Z1", 3 + Z(1)),
        ("\tX0\n+ Z1 ", X(0) + Z(1)),
        ("0", SparsePauliOp()),
        ("X10", X(10)),
    ],
)
def test_text_is_read(text, expected):
    assert SparsePauliOp.from_string(text) == expected


def test_identities_in_text_count_qubits_only_with_an_index():
    assert SparsePauliOp.from_string("I + Z0").num_qubits == 1
    assert SparsePauliOp.from_string("I4 + Z0").num_qubits == 5


@pytest.mark.parametrize(
    ("text", "column", "problem"),
    [
        ("", 1, "the text ends where a number or a Pauli is needed"),
        ("   ", 4, "the text ends where a number or a Pauli is needed"),
        ("Z0 + ", 6, "the text ends where"),
        ("Z0 * ", 6, "the text ends where"),
        ("Z0 + Q1", 6, "there is 'Q' where"),
        ("Z0 q1", 4, "'q' is not part of an operator"),
        ("z0", 1, "there is 'z' where"),
        ("Z0 / 2", 4, "'/' is not part of an operator"),
        ("X0**2", 4, r"there is '\*' where"),
        ("*X0", 1, r"there is '\*' where"),
        ("X0*-Z1", 4, "there is '-' where"),
        ("Z0)", 3, r"'\)' is not part of an operator"),
        ("X0 + Z", 6, "Z needs its qubit"),
        ("XIZ", 1, "X needs its qubit"),
        ("Z(0", 1, "Z needs its qubit"),
        ("Z(-1)", 1, "Z needs its qubit"),
        ("Z-1", 1, "Z needs its qubit"),
        ("Z(01)", 1, "Z needs its qubit"),
        ("Z01", 3, r"a number inside a term needs a '\*'"),
        ("Z0 2", 4, r"a number inside a term needs a '\*'"),
        ("2 3 Z0", 3, r"a number inside a term needs a '\*'"),
        ("2 (3) Z0", 3, r"a number inside a term needs a '\*'"),
        ("Z65536", 1, "a qubit above 65535"),
        ("Z0 + Z" + "9" * 5000, 6, "a qubit above 65535"),
        ("1e999*X0", 1, "1e999 is too large"),
        ("X0 + 1e200*1e200", 6, "the numbers of this term are too large"),
        ("(X0 + Z1)*2", 2, "parentheses may hold numbers only"),
        ("(1+2j", 6, r"'\+', '-' or '\)' is needed"),
        ("(1 2)", 4, r"'\+', '-' or '\)' is needed"),
        ("()", 2, "parentheses may hold numbers only"),
        ("X0 + __import__('os')", 6, "there is '_' where"),
        ("X²", 1, "X needs its qubit"),
        ("X0 \n\t+ ?", 8, r"there is '\?' where"),
        ("X0 + " * 30 + "?" + " + X0" * 30, 151, r"there is '\?' where"),
    ],
)
def test_text_errors_give_the_rule_the_place_and_what_to_do(text, column, problem):
    with pytest.raises(QsimError, match=f"at column {column} .*{problem}") as error:
        SparsePauliOp.from_string(text)
    line, caret = caret_of(str(error.value))
    shown = text[column - 1 : column] or " "
    assert line.ljust(caret + 1)[caret] == shown
    assert len(line) < 80
    assert "sum of terms such as" in str(error.value)
    assert str(error.value).splitlines()[-1].startswith(("Write ", "Use ", "Keep "))


@given(st.text(st.sampled_from("XYZI019.ej+-*() \n/a"), max_size=20))
def test_any_text_is_an_operator_or_an_error_with_its_place(text):
    try:
        operator = SparsePauliOp.from_string(text)
    except QsimError as error:
        caret_of(str(error))
    else:
        assert operator.num_terms >= 1
        assert SparsePauliOp.from_string(str(operator)).terms == operator.terms


# Bad input


@pytest.mark.parametrize("qubit", [-1, 1.0, "0", None, True, np.True_, 65_536, pytest.param(10**5000, id="huge")])
def test_a_qubit_must_be_an_integer_in_range(qubit):
    makers = [getattr(Pauli, letter) for letter in "IXYZ"]
    makers.append(lambda bad: SparsePauliOp.from_terms([([(bad, "X")], 1.0)]))
    for make in makers:
        with pytest.raises(QsimError, match=r"A qubit is an integer from 0 to 65535; got .*Count from 0"):
            make(qubit)


def test_a_numpy_integer_is_a_qubit():
    assert X(np.int32(2)) == X(2)


@pytest.mark.parametrize(
    "coefficient",
    [
        float("nan"),
        float("inf"),
        complex(0, float("inf")),
        pytest.param(10**400, id="large"),
        pytest.param(10**5000, id="huge"),
        "1",
        None,
        True,
        [1],
    ],
)
def test_a_coefficient_must_be_a_finite_number(coefficient):
    makers = [
        lambda: SparsePauliOp.from_terms([({0: "X"}, coefficient)]),
        lambda: SparsePauliOp.from_labels([("X", coefficient)]),
        lambda: SparsePauliOp.from_labels({"X": coefficient}),
    ]
    if isinstance(coefficient, (int, float, complex)) and coefficient is not True:
        makers += [lambda: coefficient * X(0), lambda: X(0) + coefficient, lambda: X(0) / coefficient]
    for make in makers:
        with pytest.raises(QsimError, match=r"A coefficient is a finite number; got .*Give an int"):
            make()


@pytest.mark.parametrize(
    "action",
    [
        lambda: 1e200 * (1e200 * X(0)),
        lambda: 1e200 * X(0) / 1e-200,
        lambda: (1e200 * X(0)) * (1e200 * Z(0)),
        lambda: (1e200 * X(0)) ** 2,
        lambda: (1.5e308 * X(0) + 1.5e308 * X(0)).simplify(),
        lambda: 1.5e308 * X(0) + 1.5e308 * X(0) == X(0),
    ],
)
def test_an_overflow_in_arithmetic_is_an_error(action):
    with pytest.raises(QsimError, match=r"Coefficients stay below 1e308; got an overflow"):
        action()


def test_dividing_by_zero_and_negative_powers_are_errors():
    for zero in (0, 0.0, 0j, np.float64(0)):
        with pytest.raises(QsimError, match=r"A divisor is a number other than zero; got .*0"):
            X(0) / zero
    with pytest.raises(QsimError, match=r"at least 0; got -1. Write out the inverse"):
        X(0) ** -1


@pytest.mark.parametrize(
    ("labels", "problem"),
    [
        ([("XI", 1.0), ("X", 1.0)], r"one length; got 'XI' \(2 letters\) and 'X' \(1 letters\). Fill up"),
        ("XQZ", "one letter I, X, Y or Z for every qubit; got 'XQZ'. Write"),
        ("xz", "got 'xz'"),
        ("", "for every qubit; got ''"),
        ([(3, 1.0)], "A label is a str .*; got 3"),
        (("XI", 1.0), r"are \(label, coefficient\) pairs; got 'XI'. Write"),
        (["XI", "ZZ"], r"are \(label, coefficient\) pairs; got 'XI'"),
        ([("XI", 1.0, 2.0)], r"pairs; got \('XI', 1.0, 2.0\)"),
        (3, r"are \(label, coefficient\) pairs; got 3"),
    ],
)
def test_bad_labels_are_errors(labels, problem):
    with pytest.raises(QsimError, match=problem):
        SparsePauliOp.from_labels(labels)


@pytest.mark.parametrize(
    ("terms", "problem"),
    [
        ([({0: "Q"}, 1.0)], "A Pauli is 'I', 'X', 'Y' or 'Z'; got 'Q'. Use"),
        ([({0: "x"}, 1.0)], "got 'x'"),
        ([({0: "XY"}, 1.0)], "got 'XY'"),
        ([({0: ["X"]}, 1.0)], r"got \['X'\]"),
        ([([(1, "X"), (1, "Z")], 1.0)], "A term names a qubit once; got qubit 1 twice. Multiply"),
        ([([(1, "I"), (1, "Z")], 1.0)], "got qubit 1 twice"),
        ([(0.5, [(0, "X")])], r"A term's paulis are \(qubit, letter\) pairs; got 0.5. Write"),
        ([("X0", 1.0)], r"pairs; got 'X0'. Write"),
        ([([0, "X"], 1.0)], r"A Pauli is a pair \(qubit, letter\); got 0"),
        ([({0: "X"},)], r"A term is a pair \(paulis, coefficient\); got \({0: 'X'},\)"),
        ([5], r"A term is a pair \(paulis, coefficient\); got 5"),
        ("X0", "from_labels and from_string read text"),
        ({0: "X"}, r"an iterable of \(paulis, coefficient\) pairs; got {0: 'X'}"),
        (5, "an iterable of"),
    ],
)
def test_bad_terms_are_errors(terms, problem):
    for make in (SparsePauliOp, SparsePauliOp.from_terms):
        with pytest.raises(QsimError, match=problem):
            make(terms)


def test_text_of_another_type_and_comparisons_with_other_types_are_errors():
    with pytest.raises(QsimError, match=r"An operator's text is a str; got 3. Write"):
        SparsePauliOp.from_string(3)
    for method in (X(0).commutes_with, X(0).qubit_wise_commutes):
        with pytest.raises(QsimError, match=r"An operator is a SparsePauliOp; got 'X0'. Use"):
            method("X0")

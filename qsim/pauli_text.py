"""Reading and writing of Pauli operators: text, labels and (paulis, coefficient) pairs, to and from masks.

The text form is ``"Z0*Z1 + 0.5*X0 - 2.0*X1*Y3 + 1.5*I"``. Reading it never evaluates anything: one regular
expression cuts it into tokens, and a loop without recursion puts them together, so text from strangers costs
time linear in its length.

    text     = sign* term (sign+ term)*
    term     = factor ("*"? factor)*              a number that is not the first factor needs the "*"
    factor   = number | "(" sign* number (sign+ number)* ")" | pauli
    pauli    = "I" | letter digits | letter "(" digits ")"     letter = I, X, Y, Z; no leading zeros
    number   = 2, 0.5, 1e-3, and the same with a trailing j for imaginary numbers

`qsim.pauli` has the operators, and says what the masks of a term mean.
"""

from __future__ import annotations

import cmath
import operator
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from numbers import Complex
from typing import NamedTuple, NoReturn, TypeAlias, TypeGuard

from qsim.errors import QsimError

MAX_QUBITS = 65_536  # a mask of 8 KiB; keeps one "Z99999999999" in a text from taking all memory

#: x mask, z mask, and the coefficient of the product in which Y is the real Y.
Term: TypeAlias = tuple[int, int, complex]
Terms: TypeAlias = tuple[Term, ...]

_BITS = {"I": (0, 0), "X": (1, 0), "Y": (1, 1), "Z": (0, 1)}
_LETTERS = ("I", "X", "Z", "Y")  # position: x bit + 2 * z bit
POWERS_OF_I = (1 + 0j, 1j, -1 + 0j, -1j)
_X_DIGITS = str.maketrans("IXYZ", "0110")
_Z_DIGITS = str.maketrans("IXYZ", "0011")
_CONTEXT = 32  # characters shown on each side of an error
_WRITE_TERM = "Write a term as 0.5*Z0*X1: a number, then Paulis I, X, Y or Z (capitals), each with its qubit."
_WRITE_PAIR = "Write ({0: 'Z', 1: 'Z'}, 0.5) or ([(0, 'Z'), (1, 'Z')], 0.5)."
_WRITE_LABEL = "Write [('XIZ', 1.0)]."
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?[jJ]?)
    | (?P<pauli>[IXYZ])(?:\s*\(\s*(?P<inner>0|[1-9][0-9]*)\s*\)|(?P<index>0|[1-9][0-9]*))?
    | (?P<symbol>[-+*()])
    | (?P<end>\Z)
    | (?P<other>.)
    )""",
    re.VERBOSE | re.DOTALL,
)


def is_scalar(value: object) -> TypeGuard[complex]:
    """Whether a value may be a coefficient: any Python or numpy number, finite or not, but no bool.

    >>> is_scalar(2.5), is_scalar(True), is_scalar("2")
    (True, False, False)
    """
    return isinstance(value, Complex) and not isinstance(value, bool)


def shown(value: object) -> str:
    """The repr of what was given, for an error message: at most 80 characters, and never an error itself.

    >>> shown("x")
    "'x'"
    """
    try:
        text = repr(value)
    except ValueError:  # an int of more digits than Python converts
        text = f"a {type(value).__name__}"
    return text if len(text) <= 80 else text[:77] + "..."


def checked_coefficient(value: object) -> complex:
    """The value as a complex number; QsimError unless it is a finite number.

    >>> checked_coefficient(2)
    (2+0j)
    """
    try:
        number = complex(value) if is_scalar(value) else cmath.nan
    except OverflowError:  # an int beyond 1e308
        number = cmath.inf
    if not cmath.isfinite(number):
        raise QsimError(f"A coefficient is a finite number; got {shown(value)}. Give an int, float or complex.")
    return complex(number)


def checked_qubit(value: object) -> int:
    """The value as an int; QsimError unless it is an integer from 0 to 65535.

    >>> checked_qubit(3)
    3
    """
    try:
        qubit = -1 if isinstance(value, bool) else operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        qubit = -1
    if not 0 <= qubit < MAX_QUBITS:
        raise QsimError(f"A qubit is an integer from 0 to {MAX_QUBITS - 1}; got {shown(value)}. Count from 0.")
    return qubit


def checked_width(used: int, declared: object) -> int:
    """The number of qubits to count: the declared one, or those used where that is None; QsimError if less.

    >>> checked_width(2, 3), checked_width(2, None)
    (3, 2)
    """
    if declared is None:
        return used
    try:
        width = -1 if isinstance(declared, bool) else operator.index(declared)  # type: ignore[arg-type]
    except TypeError:
        width = -1
    if not used <= width <= MAX_QUBITS:
        raise QsimError(
            f"num_qubits is an integer from {used}, the qubits in use, to {MAX_QUBITS}; "
            f"got {shown(declared)}. Leave it out, or give a larger one."
        )
    return width


def single(qubit: object, letter: str) -> tuple[Terms, int]:
    """The one term of a Pauli on one qubit, and its number of qubits.

    >>> single(1, "Y")
    (((2, 2, (1+0j)),), 2)
    """
    checked = checked_qubit(qubit)
    x_bit, z_bit = _BITS[letter]
    return ((x_bit << checked, z_bit << checked, 1 + 0j),), checked + 1


def read_pairs(pairs: object) -> tuple[Terms, int]:
    """Terms and number of qubits of (paulis, coefficient) pairs; see `SparsePauliOp.from_terms`.

    >>> read_pairs([({0: "X", 2: "Z"}, 0.5)])
    (((1, 4, (0.5+0j)),), 3)
    """
    if isinstance(pairs, (str, Mapping)) or not isinstance(pairs, Iterable):
        raise QsimError(
            f"Terms are an iterable of (paulis, coefficient) pairs; got {shown(pairs)}. "
            "Write [({0: 'Z', 1: 'Z'}, 0.5)]; from_labels and from_string read text."
        )
    terms, width = [], 0
    for pair in pairs:
        paulis, coefficient = _unpack(pair, "A term is a pair (paulis, coefficient)", _WRITE_PAIR)
        seen, x_mask, z_mask = 0, 0, 0
        if isinstance(paulis, str) or not isinstance(paulis, Iterable):
            raise QsimError(f"A term's paulis are (qubit, letter) pairs; got {shown(paulis)}. {_WRITE_PAIR}")
        for item in paulis.items() if isinstance(paulis, Mapping) else paulis:
            qubit, letter = _unpack(item, "A Pauli is a pair (qubit, letter)", _WRITE_PAIR)
            checked = checked_qubit(qubit)
            if not isinstance(letter, str) or letter not in _BITS:
                raise QsimError(f"A Pauli is 'I', 'X', 'Y' or 'Z'; got {shown(letter)}. Use a capital of these.")
            if seen >> checked & 1:
                raise QsimError(
                    f"A term names a qubit once; got qubit {checked} twice. Multiply operators for a product."
                )
            seen |= 1 << checked
            x_mask |= _BITS[letter][0] << checked
            z_mask |= _BITS[letter][1] << checked
        width = max(width, seen.bit_length())
        terms.append((x_mask, z_mask, checked_coefficient(coefficient)))
    return tuple(terms), width


def read_labels(labels: object) -> tuple[Terms, int]:
    """Terms and number of qubits of (label, coefficient) pairs; see `SparsePauliOp.from_labels`.

    >>> read_labels("XIZ")
    (((4, 1, (1+0j)),), 3)
    """
    if isinstance(labels, str):
        labels = {labels: 1.0}
    if not isinstance(labels, Iterable):
        raise QsimError(f"Labels are (label, coefficient) pairs; got {shown(labels)}. {_WRITE_LABEL}")
    terms: list[Term] = []
    first = ""
    for pair in labels.items() if isinstance(labels, Mapping) else labels:
        label, coefficient = _unpack(pair, "Labels are (label, coefficient) pairs", _WRITE_LABEL)
        if not isinstance(label, str) or not label or label.strip("IXYZ") or len(label) > MAX_QUBITS:
            raise QsimError(
                f"A label is a str with one letter I, X, Y or Z for every qubit; got {shown(label)}. "
                "Write 'XIZ' for X on qubit 2 and Z on qubit 0."
            )
        first = first or label
        if len(label) != len(first):
            raise QsimError(
                f"Labels of one operator have one length; got {shown(first)} ({len(first)} letters) and "
                f"{shown(label)} ({len(label)} letters). Fill up the shorter one with I on the left."
            )
        x_mask, z_mask = int(label.translate(_X_DIGITS), 2), int(label.translate(_Z_DIGITS), 2)
        terms.append((x_mask, z_mask, checked_coefficient(coefficient)))
    return tuple(terms), len(first)


def read_text(text: object) -> tuple[Terms, int]:
    """Terms and number of qubits of the text form; see `SparsePauliOp.from_string`.

    >>> read_text("0.5*X0*Z2 + 1")
    (((1, 4, (0.5+0j)), (0, 0, (1+0j))), 3)
    """
    if not isinstance(text, str):
        raise QsimError(f"An operator's text is a str; got {shown(text)}. Write 'Z0*Z1 + 0.5*X0'.")
    terms, width = [], 0
    for factors, coefficient in parse(text, MAX_QUBITS):
        term = (0, 0, coefficient)
        for letter, qubit in factors:
            if qubit is not None:
                factor, used = single(qubit, letter)
                (term,), width = products((term,), factor), max(width, used)
        terms.append(term)
    return tuple(terms), width


def products(left: Terms, right: Terms) -> Iterator[Term]:
    """The product of every term of one row with every term of the other; like terms are not merged.

    With Y = i X Z a term is i**|x & z| X**x Z**z, so masks add without carry and a power of i remains.

    >>> list(products(((1, 0, 1),), ((1, 1, 1),)))     # X Y = i Z
    [(0, 1, 1j)]
    """
    counted = [(x, z, c, (x & z).bit_count()) for x, z, c in right]
    for x1, z1, c1 in left:
        y1 = (x1 & z1).bit_count()
        for x2, z2, c2, y2 in counted:
            x, z = x1 ^ x2, z1 ^ z2
            turns = y1 + y2 - (x & z).bit_count() + 2 * (z1 & x2).bit_count()
            yield x, z, POWERS_OF_I[turns & 3] * c1 * c2


def _unpack(pair: object, rule: str, advice: str) -> tuple[object, object]:
    parts = tuple(pair) if isinstance(pair, Iterable) and not isinstance(pair, str) else ()
    if len(parts) != 2:
        raise QsimError(f"{rule}; got {shown(pair)}. {advice}")
    return parts


class ParsedTerm(NamedTuple):
    """One term as it was written: Paulis from left to right (a qubit may repeat) and their coefficient.

    >>> parse("2*X0*Y0", max_qubits=4)
    [ParsedTerm(factors=[('X', 0), ('Y', 0)], coefficient=(2+0j))]
    """

    factors: list[tuple[str, int | None]]
    coefficient: complex


class _Token(NamedTuple):
    kind: str  # number, pauli, symbol, end or other
    text: str
    qubit: str | None  # digits of a Pauli's qubit
    start: int


def parse(text: str, max_qubits: int) -> list[ParsedTerm]:
    """Read an operator's text; the grammar is at the top of this module.

    Args:
        text: the sum of terms.
        max_qubits: qubits must be below this number.

    Returns:
        The terms in the order of the text. The qubit of a bare ``I`` is None.

    Raises:
        QsimError: the text breaks the grammar, a number is too large for a float, or a qubit is out of range.
            The message has the column (from 1), the place with a caret, and what to write.

    >>> parse("Z(0) Z1 - 2.5e-1j", max_qubits=64)[1]
    ParsedTerm(factors=[], coefficient=-0.25j)
    """
    return _Parser(text, max_qubits).sum_of_terms()


def paulis_of(x_mask: int, z_mask: int) -> tuple[tuple[int, str], ...]:
    """The (qubit, letter) pairs of a term by rising qubit, without identities.

    >>> paulis_of(0b101, 0b100)
    ((0, 'X'), (2, 'Y'))
    """
    pairs, used = [], x_mask | z_mask
    while used:
        qubit = (used & -used).bit_length() - 1
        pairs.append((qubit, _LETTERS[(x_mask >> qubit & 1) + 2 * (z_mask >> qubit & 1)]))
        used &= used - 1
    return tuple(pairs)


def format_label(x_mask: int, z_mask: int, num_qubits: int) -> str:
    """The label of a term, a letter for every qubit and at least one; the rightmost is qubit 0.

    >>> format_label(0b101, 0b100, 4)
    'IYIX'
    """
    letters = ["I"] * max(1, num_qubits)
    for qubit, letter in paulis_of(x_mask, z_mask):
        letters[-1 - qubit] = letter
    return "".join(letters)


def format_coefficient(coefficient: complex) -> tuple[str, str]:
    """The sign and the magnitude of a number, such that `parse` reads the same number back, to the last bit.

    >>> format_coefficient(-0.5)
    ('-', '0.5')
    >>> format_coefficient(1 - 2j)
    ('+', '(1.0-2.0j)')
    >>> format_coefficient(-3j)
    ('-', '3.0j')
    """
    value = complex(coefficient)
    real, imaginary = value.real, value.imag
    if imaginary == 0:
        return ("-" if real < 0 else "+"), repr(abs(real))
    if real == 0:
        return ("-" if imaginary < 0 else "+"), f"{abs(imaginary)!r}j"
    return "+", f"({real!r}{'-' if imaginary < 0 else '+'}{abs(imaginary)!r}j)"


def format_sum(terms: Iterable[tuple[Sequence[tuple[int, str]], complex]]) -> str:
    """Write (paulis, coefficient) pairs as text that `parse` reads back; no terms at all give ``"0"``.

    >>> format_sum([([(0, "X"), (2, "Y")], 2.0), ([(1, "Z")], -1.0), ([], 1.5)])
    '2.0*X0*Y2 - Z1 + 1.5*I'
    """
    pieces: list[str] = []
    for paulis, coefficient in terms:
        sign, magnitude = format_coefficient(coefficient)
        name = "*".join(f"{letter}{qubit}" for qubit, letter in paulis) or "I"
        body = name if magnitude == "1.0" else f"{magnitude}*{name}"
        if pieces:
            pieces.append(f" {sign} {body}")
        else:
            pieces.append(body if sign == "+" else f"-{body}")
    return "".join(pieces) or "0"


class _Parser:
    def __init__(self, text: str, max_qubits: int) -> None:
        self.text = text
        self.max_qubits = max_qubits
        self.advance(0)

    def advance(self, position: int) -> None:
        match = _TOKEN.match(self.text, position)
        assert match is not None  # the alternatives "end" and "other" match whatever is left
        kind = "pauli" if match["pauli"] else str(match.lastgroup)
        self.token = _Token(kind, match[kind], match["inner"] or match["index"], match.start(kind))
        self.next_position = match.end()

    def take(self) -> _Token:
        token = self.token
        self.advance(self.next_position)
        return token

    def sum_of_terms(self) -> list[ParsedTerm]:
        terms = [self.term(self.signs())]
        while self.token.kind != "end":
            if self.token.text not in ("+", "-"):
                self.fail(self.token, f"{self.token.text!r} is not part of an operator", _WRITE_TERM)
            terms.append(self.term(self.signs()))
        return terms

    def signs(self) -> int:
        sign = 1
        while self.token.text in ("+", "-"):
            sign *= -1 if self.take().text == "-" else 1
        return sign

    def term(self, sign: int) -> ParsedTerm:
        term_start = self.token
        factors: list[tuple[str, int | None]] = []
        coefficient, first, starred = complex(sign), True, False
        while True:
            token = self.token
            is_constant = token.kind == "number" or token.text == "("
            if token.kind == "pauli":
                factors.append(self.pauli())
            elif is_constant and (first or starred):
                coefficient *= self.constant()
            elif is_constant:
                self.fail(token, "a number inside a term needs a '*' before it", "Write the '*', as in Z0*2.")
            elif first or starred:
                found = "the text ends" if token.kind == "end" else f"there is {token.text!r}"
                self.fail(token, f"{found} where a number or a Pauli is needed", _WRITE_TERM)
            else:
                break
            first, starred = False, self.token.text == "*"
            if starred:
                self.take()
        if not cmath.isfinite(coefficient):
            self.fail(term_start, "the numbers of this term are too large", "Keep coefficients below 1e308.")
        return ParsedTerm(factors, coefficient + 0j)  # + 0j: no negative zeros

    def pauli(self) -> tuple[str, int | None]:
        token = self.take()
        if token.qubit is None:
            if token.text != "I":
                problem = f"{token.text} needs its qubit, a whole number without leading zeros"
                advice = f"Write {token.text}0 or {token.text}(0). Labels such as 'XIZ' go to from_labels."
                self.fail(token, problem, advice)
            return "I", None
        # The length goes first: int() refuses thousands of digits with an error of its own.
        if len(token.qubit) > len(str(self.max_qubits)) or int(token.qubit) >= self.max_qubits:
            self.fail(token, f"there is a qubit above {self.max_qubits - 1}, the highest", "Use a lower qubit.")
        return token.text, int(token.qubit)

    def constant(self) -> complex:
        token = self.take()
        if token.kind == "number":
            return self.number(token)
        value = 0j
        while True:
            sign = self.signs()
            if self.token.kind != "number":
                self.fail(self.token, "parentheses may hold numbers only", "Write (1+2j)*X0, and multiply out.")
            value += sign * self.number(self.take())
            if self.token.text == ")":
                self.take()
                return value
            if self.token.text not in ("+", "-"):
                self.fail(self.token, "a '+', '-' or ')' is needed", "Write a complex number as (1+2j).")

    def number(self, token: _Token) -> complex:
        digits = token.text.rstrip("jJ")
        value = float(digits)
        if not cmath.isfinite(value):
            self.fail(token, f"{token.text} is too large", "Keep coefficients below 1e308.")
        return complex(0.0, value) if digits != token.text else complex(value)

    def fail(self, token: _Token, problem: str, advice: str) -> NoReturn:
        first = max(0, token.start - _CONTEXT)
        last = token.start + _CONTEXT
        head, tail = ("..." if first else ""), ("..." if last < len(self.text) else "")
        # Line breaks and tabs would move the caret off its place.
        line = head + re.sub(r"\s", " ", self.text[first:last]) + tail
        caret = " " * (len(head) + token.start - first) + "^"
        raise QsimError(
            f"An operator is a sum of terms such as 0.5*Z0*Z1; at column {token.start + 1} {problem}.\n"
            f"  {line}\n  {caret}\n{advice}"
        )

"""The text form of a Pauli operator, both ways: ``"Z0*Z1 + 0.5*X0 - 2.0*X1*Y3 + 1.5*I"``.

Reading never evaluates anything: one regular expression cuts the text into tokens, and a loop without recursion
puts them together, so text from strangers costs time linear in its length. `qsim.pauli` gives the result its
meaning.

    text     = sign* term (sign+ term)*
    term     = factor ("*"? factor)*              a number that is not the first factor needs the "*"
    factor   = number | "(" sign* number (sign+ number)* ")" | pauli
    pauli    = "I" | letter digits | letter "(" digits ")"     letter = I, X, Y, Z; no leading zeros
    number   = 2, 0.5, 1e-3, and the same with a trailing j for imaginary numbers
"""

from __future__ import annotations

import cmath
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple, NoReturn

from qsim.errors import QsimError

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
_CONTEXT = 32  # characters shown on each side of an error

_WRITE_TERM = "Write a term as 0.5*Z0*X1: a number, then Paulis I, X, Y or Z (capitals), each with its qubit."


class ParsedTerm(NamedTuple):
    """One term as it was written: Pauli factors from left to right (a qubit may repeat) and their coefficient.

    >>> parse("2*X0*Y0", max_qubits=4)
    [ParsedTerm(factors=[('X', 0), ('Y', 0)], coefficient=(2+0j))]
    """

    factors: list[tuple[str, int | None]]
    coefficient: complex


class _Token(NamedTuple):
    kind: str  # number, pauli, symbol, end or other
    text: str
    index: str | None  # digits of a Pauli's qubit
    start: int


def parse(text: str, max_qubits: int) -> list[ParsedTerm]:
    """Read an operator's text; the grammar is at the top of this module.

    Args:
        text: the sum of terms.
        max_qubits: qubits must be below this number.

    Returns:
        The terms in the order of the text. The qubit of a bare ``I`` is None.

    Raises:
        QsimError: the text breaks the grammar, a number is too large for a float, or a qubit is out of range. The
            message has the column (from 1), the place with a caret, and what to write.

    >>> parse("Z(0) Z1 - 2.5e-1j", max_qubits=64)[1]
    ParsedTerm(factors=[], coefficient=-0.25j)
    """
    return _Parser(text, max_qubits).sum_of_terms()


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
            if self.token.text not in "+-":
                self.fail(self.token, f"{self.token.text!r} is not part of an operator", _WRITE_TERM)
            terms.append(self.term(self.signs()))
        return terms

    def signs(self) -> int:
        sign = 1
        while self.token.kind == "symbol" and self.token.text in "+-":
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
        return ParsedTerm(factors, coefficient)

    def pauli(self) -> tuple[str, int | None]:
        token = self.take()
        if token.index is None:
            if token.text != "I":
                advice = f"Write {token.text}0 or {token.text}(0). Labels such as 'XIZ' go to from_labels."
                self.fail(token, f"{token.text} needs its qubit, a whole number without leading zeros", advice)
            return "I", None
        # The length goes first: int() refuses thousands of digits with an error of its own.
        if len(token.index) > len(str(self.max_qubits)) or int(token.index) >= self.max_qubits:
            self.fail(token, f"this qubit is above {self.max_qubits - 1}, the highest there is", "Use a lower qubit.")
        return token.text, int(token.index)

    def constant(self) -> complex:
        token = self.take()
        if token.kind == "number":
            return self.number(token)
        value = 0j
        while True:
            sign = self.signs()
            if self.token.kind != "number":
                self.fail(self.token, "parentheses may hold numbers only", "Write (1+2j)*X0 and multiply out the rest.")
            value += sign * self.number(self.take())
            if self.token.text == ")" and self.take():
                return value
            if self.token.kind != "symbol" or self.token.text not in "+-":
                self.fail(self.token, "a '+', a '-' or the closing ')' is needed", "Write a number as (1+2j).")

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
        shown = head + re.sub(r"\s", " ", self.text[first:last]) + tail
        caret = " " * (len(head) + token.start - first) + "^"
        raise QsimError(
            f"An operator's text is a sum of terms such as 0.5*Z0*Z1; at column {token.start + 1} {problem}.\n"
            f"  {shown}\n  {caret}\n{advice}"
        )

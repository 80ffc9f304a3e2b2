"""The parameter expressions of OpenQASM 2: reals, pi, + - * / ^, functions, and names of formal parameters."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping

from parsers.errors import Source
from parsers.limits import Limits
from qsim.errors import ParameterError, suggestion
from qsim.parameters import Expression, Value

_TOKEN = re.compile(
    r"\s*(?:(\d+\.\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|\d+(?:[eE][+-]?\d+)?)|([A-Za-z_]\w*)|(.))", re.DOTALL
)
#: OpenQASM 2 name -> method of an expression, function of a number.
_FUNCTIONS: dict[str, tuple[str, Callable[[float], float]]] = {
    "sin": ("sin", math.sin), "cos": ("cos", math.cos), "tan": ("tan", math.tan), "exp": ("exp", math.exp),
    "ln": ("log", math.log), "sqrt": ("sqrt", math.sqrt), "asin": ("arcsin", math.asin), "acos": ("arccos", math.acos),
    "atan": ("arctan", math.atan),
}  # fmt: skip
#: Binding strength of an operator; `^` is stronger than a sign and groups to the right.
_STRENGTH = {"+": 1, "-": 1, "*": 2, "/": 2, "^": 4}
_SIGN_STRENGTH = 3


class ExpressionParser:
    """Reads the expressions in a stretch of a program's text."""

    def __init__(self, source: Source, start: int, end: int, names: Mapping[str, Value], limits: Limits) -> None:
        self.source = source
        self.names = names
        self.limits = limits
        self.tokens: list[tuple[str, int]] = []
        text = source.text
        at = start
        while at < end:
            match = _TOKEN.match(text, at, end)
            if match is None:
                break  # only space is left
            kind = match.lastindex or 3
            token = match.group(kind)
            if len(token) > limits.token_length:
                raise source.error(
                    f"A name or number has at most {limits.token_length} characters; this one has {len(token)}.",
                    match.start(kind),
                )
            if kind != 3 or not token.isspace():
                self.tokens.append((token, match.start(kind)))
            at = match.end()
        self.tokens.append(("", end))
        self.at = 0
        self.depth = 0

    def list(self) -> tuple[Value, ...]:
        """Expressions separated by commas, to the end."""
        if len(self.tokens) == 1:
            return ()
        values = [self.expression()]
        while self._take(","):
            values.append(self.expression())
        token, offset = self.tokens[self.at]
        if token:
            raise self.source.error(
                f"Here an operator, a comma or the end of the parameters is expected, not '{token}'.", offset
            )
        return tuple(values)

    def expression(self, strength: int = 0) -> Value:
        """One expression whose operators bind more strongly than `strength`."""
        self.depth += 1
        if self.depth > self.limits.nesting:
            raise self.source.error(
                f"Expressions are nested at most {self.limits.nesting} deep.", self.tokens[self.at][1]
            )
        left = self._operand()
        while True:
            operator, offset = self.tokens[self.at]
            power = _STRENGTH.get(operator, 0)
            if power <= strength:
                break
            self.at += 1
            right = self.expression(power - 1 if operator == "^" else power)
            left = self._apply(operator, left, right, offset)
        self.depth -= 1
        return left

    def _operand(self) -> Value:
        token, offset = self.tokens[self.at]
        self.at += 1
        if token in ("-", "+"):
            value = self.expression(_SIGN_STRENGTH)
            return -value if token == "-" else value
        if token == "(":
            value = self.expression()
            self._expect(")")
            return value
        if "0" <= token[:1] <= "9" or (token[:1] == "." and len(token) > 1):
            number = float(token)
            if not math.isfinite(number):
                raise self.source.error(f"A number must be finite; {token[:40]} is too large.", offset)
            return number
        if token in self.names:
            return self.names[token]
        if token == "pi":
            return math.pi
        if token in _FUNCTIONS:
            self._expect("(")
            argument = self.expression()
            self._expect(")")
            return self._function(token, argument, offset)
        if token and (token[0].isalpha() or token[0] == "_"):
            known = [*self.names, "pi", *_FUNCTIONS]
            raise self.source.error(
                f"'{token}' is no parameter, constant or function.{suggestion(token, known)}", offset
            )
        what = f"'{token}'" if token else "the end"
        raise self.source.error(f"Here a number, a name or a bracket is expected, not {what}.", offset)

    def _apply(self, operator: str, left: Value, right: Value, offset: int) -> Value:
        try:
            if operator == "+":
                result = left + right
            elif operator == "-":
                result = left - right
            elif operator == "*":
                result = left * right
            elif operator == "/":
                if right == 0.0:  # also where the left side is a formal parameter
                    raise ZeroDivisionError
                result = left / right
            else:
                result = left**right
        except ZeroDivisionError:
            raise self.source.error("A number cannot be divided by zero.", offset) from None
        except (OverflowError, ParameterError) as error:
            raise self.source.error(f"This has no finite value: {error}", offset) from None
        return self._finite(result, offset)

    def _function(self, name: str, argument: Value, offset: int) -> Value:
        method, function = _FUNCTIONS[name]
        try:
            result = getattr(argument, method)() if isinstance(argument, Expression) else function(argument)
        except (ValueError, OverflowError, ParameterError):
            raise self.source.error(f"{name}({argument}) has no finite real value.", offset) from None
        return self._finite(result, offset)

    def _finite(self, value: Value, offset: int) -> Value:
        if not isinstance(value, Expression) and (isinstance(value, complex) or not math.isfinite(value)):
            raise self.source.error("The value of an expression must be a finite real number.", offset)
        return value

    def _take(self, token: str) -> bool:
        if self.tokens[self.at][0] == token:
            self.at += 1
            return True
        return False

    def _expect(self, token: str) -> None:
        found, offset = self.tokens[self.at]
        if not self._take(token):
            raise self.source.error(f"Here '{token}' is expected, not {repr(found) if found else 'the end'}.", offset)

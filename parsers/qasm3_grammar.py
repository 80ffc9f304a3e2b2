"""The reference grammar of OpenQASM 3: stretches of a text to a syntax tree, with exact places and exact errors.

The grammar recurses, so it runs in a thread of its own, where all of Python's recursion limit is free; what is nested
more deeply than that is an error. Nothing of the interpreter is changed.
"""

from __future__ import annotations

import functools
import re
import sys
from typing import Any

from parsers.errors import QasmError, Source
from parsers.hints import form_hint
from parsers.qasm3_scan import Rest
from parsers.threads import deep

_PLACE = re.compile(r"L(\d+):C(\d+): (.*)", re.DOTALL)
_BRACKET = re.compile(r"[][(){}]")
_HINTS = {
    "->": "OpenQASM 3 writes a measurement as 'bit = measure qubit;' or 'measure qubit -> bit;'.",
    "opaque": "'opaque' belongs to OpenQASM 2; in version 3 a gate has a body.",
    "pow": "'pow' is a modifier (pow(2) @ x q;); the power of numbers is written a ** b.",
}  # fmt: skip


def parse_text(source: Source, rest: Rest) -> Any:
    """The syntax tree of stretches of the source; a span's `start_column` is an offset in the source."""
    from openqasm3.parser import QASM3ParsingError

    try:
        program = deep(_tree, rest.text)
    except RecursionError:
        raise too_deep(source) from None
    except QASM3ParsingError as error:
        found = _PLACE.match(str(error))
        if found is None:
            raise QasmError("The program cannot be read as OpenQASM 3.", source.filename) from None
        message = found.group(3)
        message = message[0].upper() + message[1:] + ("" if message.endswith(".") else ".")
        raise source.error(message, rest.offset(int(found.group(1)), int(found.group(2)))) from None
    except _Unexpected as error:
        raise _syntax_error(source, error.token, rest) from None
    except (AttributeError, ValueError, TypeError, KeyError, IndexError, AssertionError) as error:
        found = _PLACE.match(str(error))
        if found is not None:
            raise source.error(found.group(3), rest.offset(int(found.group(1)), int(found.group(2)))) from None
        raise source.error("This cannot be read as OpenQASM 3.", rest.offset(1, 0)) from None
    _relocate(program, rest)
    return program


class _Unexpected(Exception):
    """A token that the grammar does not have there."""

    def __init__(self, token: Any) -> None:
        super().__init__()
        self.token = token


def _tree(text: str) -> Any:
    from antlr4.error.ErrorListener import ErrorListener
    from openqasm3 import parser as grammar

    class Listener(ErrorListener):  # type: ignore[misc]
        """Raises what the lexer finds; by default it is printed."""

        def syntaxError(
            self, _recognizer: Any, _symbol: Any, line: int, column: int, _message: str, _error: Any
        ) -> None:
            found = text.split("\n")[line - 1][column : column + 1]
            raise grammar.QASM3ParsingError(f"L{line}:C{column}: the character {found!r} has no meaning here.")

    lexer = grammar.qasm3Lexer(grammar.InputStream(text))
    lexer.removeErrorListeners()
    lexer.addErrorListener(Listener())
    stream = grammar.CommonTokenStream(lexer)
    if "++" in text:
        _join_outside_let(stream, grammar.qasm3Parser)
    parser = grammar.qasm3Parser(stream)
    parser.removeErrorListeners()
    parser._errHandler = grammar.BailErrorStrategy()
    try:
        tree = parser.program()
    except grammar.ParseCancellationException as error:
        raise _Unexpected(error.args[0].offendingToken) from None
    except grammar.RecognitionException as error:
        raise _Unexpected(error.offendingToken) from None
    return _visitor().visitProgram(tree)


def _join_outside_let(stream: Any, parser: Any) -> None:
    """Arrays are joined in any expression: there '++' is read with the strength of '+'; see `binary`."""
    stream.fill()
    depth, let = 0, False
    for token in stream.tokens:
        if token.type == parser.LET:
            depth, let = 0, True
        elif token.text in ("(", ")"):
            depth += 1 if token.text == "(" else -1
        elif token.type in (parser.SEMICOLON, parser.LBRACE, parser.RBRACE) and depth == 0:
            let = False
        elif token.type == parser.DOUBLE_PLUS and (depth or not let):
            token.type = parser.PLUS


@functools.cache
def _visitor_class() -> Any:
    from openqasm3 import ast
    from openqasm3 import parser as grammar

    kinds = [f"{word}Expression" for word in (
        "Power Multiplicative Additive Bitshift Comparison Equality BitwiseAnd BitwiseXor BitwiseOr LogicalAnd LogicalOr"
    ).split()]  # fmt: skip
    contexts = tuple(getattr(grammar.qasm3Parser, f"{kind}Context") for kind in kinds)

    def binary(self: Any, context: Any) -> Any:
        """A chain a + b + c leans to the left; a long one is walked without recursion."""
        chain = [context]
        while isinstance(chain[-1].expression(0), contexts):
            chain.append(chain[-1].expression(0))
        node = self.visit(chain[-1].expression(0))
        for part in reversed(chain):
            right = self.visit(part.expression(1))
            if part.op.text == "++":
                node = ast.Concatenation(lhs=node, rhs=right)
            else:
                node = ast.BinaryExpression(op=ast.BinaryOperator[part.op.text], lhs=node, rhs=right)
            node.span = grammar.get_span(part)
        return node

    return type("Visitor", (grammar.QASMNodeVisitor,), {f"visit{kind}": binary for kind in kinds})


def _visitor() -> Any:
    return _visitor_class()()


def too_deep(source: Source) -> QasmError:
    """The error at the place that is nested most deeply."""
    depth, deepest, place = 0, 0, 0
    for mark in _BRACKET.finditer(source.text):
        depth += 1 if mark.group() in "([{" else -1
        if depth > deepest:
            deepest, place = depth, mark.start()
    limit = sys.getrecursionlimit()
    return source.error(
        f"The program is nested too deeply for Python's recursion limit of {limit:,}, which "
        "has room for about 45 branches or loops inside one another, and 190 brackets. Write it "
        "flatter, or raise the limit with sys.setrecursionlimit.", place
    )  # fmt: skip


def _relocate(program: Any, rest: Rest) -> None:
    """Make `start_column` of every span the offset in the source where the node starts."""
    lines = rest.text.split("\n")
    seen: set[int] = set()
    stack: list[tuple[Any, Any]] = [(program, None)]
    while stack:
        item, parent = stack.pop()
        if isinstance(item, (list, tuple)):
            stack.extend((entry, parent) for entry in item)
        elif hasattr(item, "span"):
            span = item.span
            if span is None:
                item.span = span = parent
            elif id(span) not in seen:
                name = getattr(item, "name", None)
                if type(item).__name__ == "Identifier" and isinstance(name, str) and parent is not None:
                    # The grammar counts the columns of some names from the start of the text.
                    line = lines[span.start_line - 1] if span.start_line <= len(lines) else ""
                    if not line.startswith(name, span.start_column):
                        span.start_column -= rest.own[min(span.start_line, len(rest.own)) - 1]
                        if not line.startswith(name, max(span.start_column, 0)):
                            item.span = span = parent
                if id(span) not in seen:
                    seen.add(id(span))
                    span.start_column = rest.offset(span.start_line, span.start_column)
            stack.extend(
                (entry, span)
                for key, entry in vars(item).items()
                if key != "span" and not isinstance(entry, (str, int, float))
            )


def _syntax_error(source: Source, token: Any, rest: Rest) -> QasmError:
    offset, text = rest.offset(token.line, token.column), token.text
    if text == "<EOF>":
        end = len(source.text.rstrip())
        return source.error("The program ends in the middle of a statement. Is a ';' or '}' missing?", end)
    hint = _HINTS.get(text)
    before = source.text[:offset].rstrip()
    on_a_new_line = "\n" in source.text[len(before) : offset] and before[-1:] not in (*";{}(,", "")
    if hint is None and on_a_new_line and re.match(r"[A-Za-z_]", text):
        message = f"A ';' seems to be missing here, before '{text[:40]}' on a line of its own."
        return source.error(message, len(before))
    if hint is None:
        start = max(before.rfind(mark) for mark in ";{}") + 1
        hint = form_hint(source.text[start : offset + 200].lstrip())
    if hint is None:
        hint = "Something is missing before it." if text in ";)]" else "Is a ';' missing before it?"
    return source.error(f"'{text[:40]}' cannot stand here. {hint}", offset)

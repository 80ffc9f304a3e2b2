"""`QasmError`: what is wrong with a program, and where."""

from __future__ import annotations

from collections.abc import Sequence

from qsim.errors import QsimError

#: How many errors are reported at once.
MAX_ERRORS = 20


class QasmError(QsimError):
    """A program that cannot be read or run; the text shows the place.

    Attributes:
        message: the rule, what was given, what to do.
        filename, line, column: the place, counted from 1; `line` is None when the error has no place.
        source_line: the text of that line.
        errors: all errors that were found, this one first; its text shows them all.

    >>> print(QasmError("There is no gate called 'hh'. Did you mean 'h'?", "a.qasm", 3, 1, "hh q[0];"))
    a.qasm:3:1: There is no gate called 'hh'. Did you mean 'h'?
      hh q[0];
      ^
    """

    def __init__(
        self,
        message: str,
        filename: str = "<string>",
        line: int | None = None,
        column: int | None = None,
        source_line: str | None = None,
    ) -> None:
        self.message = message
        self.filename = filename
        self.line = line
        self.column = column
        self.source_line = source_line
        self.errors: tuple[QasmError, ...] = (self,)
        super().__init__(self._text())

    @classmethod
    def of(cls, errors: Sequence[QasmError]) -> QasmError:
        """One error out of several, in their order.

        >>> print(QasmError.of([QasmError("First.", "a.qasm"), QasmError("Second.", "a.qasm")]))
        a.qasm: First.
        a.qasm: Second.
        """
        first = errors[0]
        if len(errors) == 1:
            return first
        error = cls(first.message, first.filename, first.line, first.column, first.source_line)
        error.errors = (error, *errors[1:])
        lines = [str(each) for each in errors]
        if len(errors) >= MAX_ERRORS:
            lines.append(f"These are the first {MAX_ERRORS} errors.")
        error.args = ("\n".join(lines),)
        return error

    def _text(self) -> str:
        if self.line is None:
            return f"{self.filename}: {self.message}"
        column = self.column or 1
        text = f"{self.filename}:{self.line}:{column}: {self.message}"
        if self.source_line is None:
            return text
        # A very long line is shown around the place only, and tabs as one column.
        start = max(0, column - 61)
        shown = self.source_line[start : start + 120].replace("\t", " ")
        shown = "".join(c if c.isprintable() else "?" for c in shown)
        return f"{text}\n  {shown}\n  {' ' * (column - 1 - start)}^"


class Consequence(QasmError):
    """An error that only follows from an earlier one, and is not reported."""


class QasmWarning(UserWarning):
    """A program that is read, but may not mean what its author thinks."""


class Source:
    """A program's text, to turn offsets into places.

    >>> Source("a\\nbc").place(3)
    (2, 2)
    """

    def __init__(self, text: str, filename: str = "<string>") -> None:
        self.text = text
        self.filename = filename
        #: What errors show: the text as it was written, when `text` has comments blanked.
        self.shown = text

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset, counted from 1."""
        offset = min(offset, len(self.text))
        line = self.text.count("\n", 0, offset) + 1
        return line, offset - (self.text.rfind("\n", 0, offset) + 1) + 1

    def line_text(self, line: int) -> str:
        """The text of a line, counted from 1."""
        start = 0
        for _ in range(line - 1):
            start = self.shown.find("\n", start) + 1
        end = self.shown.find("\n", start)
        return self.shown[start : end if end >= 0 else len(self.shown)]

    def error(self, message: str, offset: int) -> QasmError:
        """The error at an offset of the text."""
        line, column = self.place(offset)
        return self.error_at(message, line, column)

    def error_at(self, message: str, line: int, column: int) -> QasmError:
        """The error at a line and column, counted from 1."""
        return QasmError(message, self.filename, line, column, self.line_text(line))

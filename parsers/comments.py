"""Comments become spaces, so that every offset stays what it was."""

from __future__ import annotations

import re

from parsers.errors import Source

_COMMENT = re.compile(r'//[^\n]*|/\*.*?\*/|/\*|"[^"\n]*"', re.DOTALL)


def without_comments(source: Source) -> Source:
    """The same source with comments blanked; strings are left alone.

    >>> without_comments(Source("h q; // first")).text
    'h q;         '
    """
    if "//" not in source.text and "/*" not in source.text:
        return source

    def blank(match: re.Match[str]) -> str:
        text = match.group()
        if text[0] == '"':
            return text
        if text == "/*":
            raise source.error("A comment that begins with /* ends with */; this one has no end.", match.start())
        return "".join("\n" if c == "\n" else " " for c in text) if "\n" in text else " " * len(text)

    blanked = Source(_COMMENT.sub(blank, source.text), source.filename)
    blanked.shown = source.text
    return blanked

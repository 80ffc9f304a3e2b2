"""Finding included files: only in folders that the caller named, and never outside them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from parsers.errors import Source
from parsers.limits import Limits

MAX_DEPTH = 16


def read_include(
    name: str,
    source: Source,
    offset: int,
    include_dirs: Sequence[str | os.PathLike[str]],
    limits: Limits,
    open_files: Sequence[str],
) -> Source:
    """The text of an included file.

    Args:
        name: as written in the program; relative, without "..".
        source, offset: where it is written, for errors.
        include_dirs: folders that may be read.
        open_files: the files being read now, outermost first.

    Raises:
        QasmError: it may not be read, or is not there.
    """
    if not include_dirs:
        raise source.error(
            f"No file is read by include; '{name[:80]}' is not one of the built-in qelib1.inc and stdgates.inc. "
            "Name the folders that may be read with include_dirs.",
            offset,
        )
    parts = name.replace("\\", "/").split("/")
    if os.path.isabs(name) or ".." in parts or not name.strip() or ":" in parts[0]:
        raise source.error("An included file is named relative to an include folder, without '..'.", offset)
    if len(open_files) >= MAX_DEPTH:
        raise source.error(f"Files include one another at most {MAX_DEPTH} deep.", offset)
    for folder in include_dirs:
        root = os.path.realpath(folder)
        path = os.path.realpath(os.path.join(root, name))
        if os.path.commonpath([root, path]) != root or not os.path.isfile(path):
            continue
        if path in open_files:
            raise source.error(f"'{name}' includes itself.", offset)
        if os.path.getsize(path) > limits.source_bytes:
            raise source.error(f"A program has at most {limits.source_bytes:,} bytes; '{name}' has more.", offset)
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise source.error(f"'{name}' cannot be read as UTF-8 text.", offset) from None
        return Source(text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n"), path)
    raise source.error(f"There is no file '{name}' in the include folders.", offset)

"""Reading a program: its bytes, its dialect, and the parser for it."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from parsers.errors import QasmError, Source
from parsers.limits import Limits
from qsim.circuit import Circuit

_VERSION = re.compile(r"(?:\s+|//[^\n]*|/\*.*?\*/)*+OPENQASM\s+(\d+)(?:\.(\d+))?\s*;", re.DOTALL)
#: Nothing but space and comments.
_BLANK = re.compile(r"(?:\s+|//[^\n]*|/\*.*?\*/)*+", re.DOTALL)
_V2_ONLY = re.compile(r"^\s*(?:qreg|creg|opaque)\b|\binclude\s*\"qelib1\.inc\"", re.MULTILINE)


def load(
    path: str | os.PathLike[str],
    *,
    include_dirs: Sequence[str | os.PathLike[str]] = (),
    limits: Limits | None = None,
    skip_unsupported: bool = False,
) -> Circuit:
    """The circuit of an OpenQASM file.

    Args:
        path: the file, in UTF-8.
        include_dirs: folders whose files the program may include; none by default. The standard includes are built in.
        limits: how much the program may ask for.
        skip_unsupported: leave out `extern`, `cal`, `defcal` and `defcalgrammar` of OpenQASM 3, each with a `QasmWarning`,
            where they would be an error.

    Raises:
        QasmError: the file cannot be read, or the program is wrong; with the place.
    """
    limits = limits or Limits()
    name = os.fspath(path)
    try:
        if os.path.isdir(path):
            raise QasmError("A program is a file; this is a directory. Name a file in it.", name)
        size = os.path.getsize(path)
        if size > limits.source_bytes:
            raise QasmError(f"A program has at most {limits.source_bytes:,} bytes; this file has {size:,}.", name)
        data = Path(path).read_bytes()
    except FileNotFoundError:
        raise QasmError("There is no such file. Check the path.", name) from None
    except OSError as error:
        raise QasmError(f"The file cannot be read: {error.strerror or error}.", name) from None
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise QasmError(
            f"A program is UTF-8 text; byte {error.start + 1} of this file is not. Is it a binary file?", name
        ) from None
    return loads(text, filename=name, include_dirs=include_dirs, limits=limits, skip_unsupported=skip_unsupported)


def loads(
    text: str,
    *,
    filename: str = "<string>",
    include_dirs: Sequence[str | os.PathLike[str]] = (),
    limits: Limits | None = None,
    skip_unsupported: bool = False,
) -> Circuit:
    """The circuit of an OpenQASM 2.0 or 3.x program; the version line tells them apart.

    Without a version line a program that declares `qreg` or includes qelib1.inc is OpenQASM 2, any other OpenQASM 3.

    Raises:
        QasmError: the program is wrong, or asks for what is not supported; with the place.

    >>> loads('OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; h q[0]; cx q[0], q[1];')
    <Circuit: 2 qubits, 0 bits, 2 operations>
    >>> loads('OPENQASM 3.0; include "stdgates.inc"; input float a; qubit q; rx(2 * a) q;').parameters
    (Parameter('a'),)
    """
    limits = limits or Limits()
    if not isinstance(text, str):
        raise QasmError(f"A program is a string, got {type(text).__name__}. Use load for a file.", filename)
    if len(text) > limits.source_bytes:
        raise QasmError(
            f"A program has at most {limits.source_bytes:,} characters; this one has {len(text):,}.",
            *(filename, 1, 1, text[:200].split("\n")[0]),
        )
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if _BLANK.fullmatch(text):
        raise QasmError(
            "The program is empty. A program declares qubits and applies gates to them.", filename, 1, 1, ""
        )
    source = Source(text, filename)
    control = re.search(r"[\x00-\x08\x0e-\x1f\x7f]", text)
    if control is not None:
        raise source.error(
            f"A program is text; here is the control character {control.group()!r}. Is it a binary file?",
            control.start(),
        )
    if _version(source) == 2:
        from parsers.qasm2 import parse_qasm2

        return parse_qasm2(source, include_dirs, limits)
    from parsers.qasm3 import parse_qasm3

    return parse_qasm3(source, include_dirs, limits, skip_unsupported)


def _version(source: Source) -> int:
    match = _VERSION.match(source.text)
    if match is None:
        return 2 if _V2_ONLY.search(source.text) else 3
    major, minor = int(match.group(1)[:9]), int((match.group(2) or "0")[:9])
    if (major, minor) == (2, 0) or (major == 3 and minor <= 1):
        return major
    raise source.error(
        f"OpenQASM versions 2.0, 3.0 and 3.1 are read; this program says {major}.{minor}.", match.start(1)
    )

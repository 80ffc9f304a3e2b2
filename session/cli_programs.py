"""The commands on program texts: ``qsim convert`` writes one in another version, ``qsim check`` says what is in it."""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from parsers import QasmWarning, dumps, loads
from qsim.circuit import Circuit
from session.cli_input import read_text, read_values
from session.errors import SessionError
from session.second_opinion import SECONDS, compare, second_opinion

_INCLUDE = click.option(
    "--include", metavar="DIR", multiple=True, help="A folder whose files the program may include; none otherwise."
)


@contextmanager
def _notes() -> Iterator[None]:
    """Warnings about programs as notes on standard error."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", QasmWarning)
        yield
    for text in dict.fromkeys(str(warning.message) for warning in caught if warning.category is QasmWarning):
        print(f"note: {text}", file=sys.stderr)
    for other in caught:
        if other.category is not QasmWarning:
            warnings.warn_explicit(other.message, other.category, other.filename, other.lineno)


def _circuit(text: str, file: str, include: Sequence[str]) -> Circuit:
    return loads(text, filename="<stdin>" if file == "-" else file, include_dirs=include)


@click.command()
@click.argument("file")
@_INCLUDE
@click.option("--to", "version", type=click.Choice(["2.0", "3.0", "3.1"]), required=True, help="The OpenQASM version.")
@click.option("--output", "-o", default="-", metavar="F", help="The file to write; standard output when left out.")
@click.option("--standalone", is_flag=True, help="OpenQASM 3 without include, for readers such as Amazon Braket's.")
@click.option(
    "--set", "settings", metavar="NAME=VALUE", multiple=True, help="Give a parameter its value: theta=pi/2, p=0.1,0.2."
)
def convert(
    file: str, include: tuple[str, ...], version: str, output: str, standalone: bool, settings: tuple[str, ...]
) -> None:
    """Write a program in another version of OpenQASM: the same unitary, parameters and outcomes.

    FILE may be - for standard input. OpenQASM 2 has no parameters; --set binds them.
    """
    with _notes():
        circuit = _circuit(read_text(file), file, include)
        values = read_values(settings, circuit)
        if values:
            circuit = circuit.bind(checked_values(values, circuit))
        text = dumps(circuit, version=version, standalone=standalone)
    if output == "-":
        sys.stdout.write(text)
        return
    _write(output, text)


def checked_values(values: dict[str, Any], circuit: Circuit) -> dict[str, Any]:
    """Values whose names and lengths are those of parameters."""
    lengths: dict[str, int] = {}
    for parameter in circuit.parameters:
        array = parameter.array
        lengths[parameter.name if array is None else array.name] = 0 if array is None else len(array)
    for name, value in values.items():
        if name not in lengths:
            known = ", ".join(lengths) or "none"
            raise SessionError(f"The program has no parameter '{name}'. Its parameters: {known}.")
        given = len(value) if isinstance(value, list) else 0
        if given != lengths[name]:
            expected = f"{lengths[name]} values, separated by commas" if lengths[name] else "one value"
            raise SessionError(f"The parameter '{name}' takes {expected}; got {given or 1}.")
    return values


def _write(name: str, text: str) -> None:
    """Write a file whole or not at all."""
    path = Path(name)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        if path.is_dir():
            raise SessionError(f"'{name}' is a directory; give the name of a file in it.")
        if path.exists() and not path.is_file():  # a pipe or a device is written in place
            path.write_text(text, encoding="utf-8")
            return
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise SessionError(f"'{name}' cannot be written: {error.strerror or error}.") from None


@click.command()
@click.argument("file")
@_INCLUDE
@click.option(
    "--timeout", type=click.FloatRange(min=0.1, max=3600), default=SECONDS, show_default=True, metavar="S",
    help="Seconds that pyqasm may take.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
def check(file: str, include: tuple[str, ...], timeout: float, as_json: bool) -> None:
    """Read a program, and show what pyqasm says of it beside what we say.

    The exit code says whether we read it. pyqasm is a second opinion and no authority: docs/openqasm.md lists where it is
    known to be wrong.
    """
    from session.terminal import aligned

    text = read_text(file)
    with _notes():
        circuit, ours = None, {}
        try:
            circuit = _circuit(text, file, include)
            ours = _facts(circuit)
        except SessionError:
            raise
        except Exception as error:  # reported below, and raised again
            failure: Exception | None = error
        else:
            failure = None
    theirs = second_opinion(text, timeout)
    verdict = compare(circuit, theirs)
    if as_json:
        said = {"ok": failure is None, **({"error": str(failure)} if failure is not None else ours)}
        print(json.dumps({"qsim": said, "pyqasm": theirs.to_dict(), "comparison": verdict}))
    else:
        rows = [["reads it", "no" if failure else "yes", "yes" if theirs.ok else "no"]]
        rows += [[name, ours.get(name, "-"), theirs.facts.get(name, "-")] for name in (ours or theirs.facts)]
        table = [[str(cell) if not isinstance(cell, int) else f"{cell:,}" for cell in row] for row in rows]
        print(aligned(["program " + ("standard input" if file == "-" else file), "qsim", "pyqasm"], table, right=()))
        if not theirs.ok:
            print(f"pyqasm: {theirs.error}")
        print(verdict)
    if failure is not None:
        raise failure


def _facts(circuit: Circuit) -> dict[str, Any]:
    counts = circuit.count_ops()
    return {
        "qubits": circuit.num_qubits,
        "bits": sum(len(register) for register in circuit.clbit_registers),
        "operations": sum(counts.values()),
        "measurements": counts.get("measure", 0),
        "parameters": len(circuit.parameters),
    }

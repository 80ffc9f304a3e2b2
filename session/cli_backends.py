"""``qsim backends``: what programs can run on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import click

from qsim.errors import QsimError
from session.backends.protocol import Capabilities
from session.backends.registry import BackendError, described, list_backends, load_backend, support_of
from session.errors import SessionError
from session.preferences import ExecutionPreferences
from session.terminal import aligned

_SHOWN_GATES = 40


@click.command()
@click.argument("name", required=False)
@click.option("--check", is_flag=True, help="Load each: what it can do, what it was tested against, or what is wrong.")
@click.option(
    "--option", "options", metavar="NAME=VALUE", multiple=True, help="With NAME: target=T, profile=P and so on."
)
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
def backends(name: str | None, check: bool, options: tuple[str, ...], as_json: bool) -> None:
    """List the backends, or say what the one called NAME can do.

    Listing imports none of them, so that a broken plug-in is listed too.
    """
    if name is not None:
        _show(name, read_options(options), as_json)
        return
    if options:
        raise SessionError("An option is of one backend: qsim backends NAME --option ...")
    header = ["backend", "from", "what it is"]
    rows: list[dict[str, Any]] = []
    for entry in list_backends():
        row = {"name": entry.name, "source": entry.source, "description": entry.description}
        rows.append({**row, **(_checked(entry.name) if check else {})})
    if as_json:
        print(json.dumps(rows))
        return
    if not check:
        print(aligned(header, [[row["name"], row["source"], row["description"]] for row in rows], right=()))
        return
    header = ["backend", "from", "state", "qubits", "operations"]
    shown = []
    for row in rows:
        qubits = _text(row.get("qubits", "-"), "by target" if row.get("remote") else "by memory")
        state = "ready" if row["error"] is None else "no"
        shown.append([row["name"], row["source"], state, qubits, _text(row.get("operations", "-"))])
    print(aligned(header, shown, right=()))
    for title, key in (("not ready", "error"), ("tested against", "tested_against")):
        told = [[row["name"], row[key]] for row in rows if row.get(key)]
        if told:
            print()
            print(aligned([title, ""], told, right=()))


def read_options(texts: Sequence[str]) -> dict[str, Any] | None:
    """Options of a backend out of a command's ``NAME=VALUE``, a value as JSON where it is some; None for none.

    >>> read_options(["target=qpu.forte-1", "seed=7", "verbatim=true"])
    {'target': 'qpu.forte-1', 'seed': 7, 'verbatim': True}
    """
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise SessionError(f"An option of a backend is NAME=VALUE, got {text!r}.")
        try:
            found[name.strip()] = json.loads(value)
        except ValueError:
            found[name.strip()] = value
    return found or None


def _checked(name: str) -> dict[str, Any]:
    """Whether a backend can be used, and what it can do without being told more."""
    try:
        can = load_backend(ExecutionPreferences(backend=name)).capabilities()
        facts = _facts(can)
    except (Exception, SystemExit) as error:  # of a plug-in it may be anything, and the others are listed all the same
        state = described(error)
        return {"state": state, "error": state, "tested_against": support_of(name)}
    return {"state": "ready", "error": None, **facts}


def _facts(can: Capabilities) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "operations": sorted(kind.value for kind in can.operations),
        "qubits": can.num_qubits,
        "shots": can.max_shots,
        "parameter sets": can.max_sets,
        "precision": can.precision,
        "programs": sorted(can.accepts),
        "gates": None if can.gates is None else sorted(can.gates),
        "connectivity": None if can.connectivity is None else sorted(list(pair) for pair in can.connectivity),
        "mid-circuit": can.measures_midway,
        "feed-forward": can.feed_forward,
        "remote": can.is_remote,
    }
    if can.is_remote:
        facts |= {
            "circuits a job": can.max_circuits,
            "sent again": can.idempotency,
            "found after a restart": can.resumable,
            "cancels": can.cancel,
            "tells costs": can.cost,
        }
    return {**facts, "tested_against": can.tested_against}


def _show(name: str, options: dict[str, Any] | None, as_json: bool) -> None:
    backend = load_backend(ExecutionPreferences(backend=name, backend_options=options or {}))
    source = next((entry.source for entry in list_backends() if entry.name == name), "")
    where = {key: getattr(backend, key, "") for key in ("provider", "endpoint", "target", "profile")}
    facts = {"backend": name, "from": source, **{k: v for k, v in where.items() if isinstance(v, str) and v}}
    try:
        facts |= _facts(backend.capabilities())
    except QsimError:
        raise
    except Exception as error:  # of a plug-in it may be anything
        raise BackendError(f"Backend '{name}' of {source} does not say what it can do: {described(error)}.") from error
    if as_json:
        print(json.dumps(facts))
        return
    unlimited = {"qubits": "by target"} if facts["remote"] else {}
    unlimited |= {"gates": "all", "connectivity": "all", "parameter sets": "any number", "circuits a job": "any number"}
    rows = [
        [key.replace("_", " "), _text(value, unlimited.get(key, "as memory allows"))]
        for key, value in facts.items()
        if key != "backend" and value != ""
    ]
    print(aligned(["backend", name], rows, right=()))


def _text(value: object, unlimited: str = "as memory allows") -> str:
    if value is None:
        return unlimited
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        texts = ["-".join(map(str, one)) if isinstance(one, list) else str(one) for one in value]
        more = f" and {len(texts) - _SHOWN_GATES:,} more" if len(texts) > _SHOWN_GATES else ""
        return ", ".join(texts[:_SHOWN_GATES]) + more
    return f"{value:,}" if isinstance(value, int) else str(value)

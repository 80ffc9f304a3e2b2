"""``qsim backends``: what programs can run on."""

from __future__ import annotations

import json

import click

from session.backends.registry import list_backends, load_backend
from session.preferences import ExecutionPreferences
from session.terminal import aligned


@click.command()
@click.argument("name", required=False)
@click.option("--check", is_flag=True, help="Load each, and say which cannot be used and why.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
def backends(name: str | None, check: bool, as_json: bool) -> None:
    """List the backends, or say what the one called NAME can do.

    Listing imports none of them, so that a broken plug-in is listed too.
    """
    if name is not None:
        _show(name, as_json)
        return
    rows = []
    for entry in list_backends():
        row = [entry.name, entry.source, entry.description]
        if check:
            row.append(_state(entry.name))
        rows.append(row)
    header = ["backend", "from", "what it is", *(["state"] if check else [])]
    if as_json:
        keys = ["name", "source", "description", *(["state"] if check else [])]
        print(json.dumps([dict(zip(keys, row, strict=True)) for row in rows]))
        return
    print(aligned(header, rows, right=()))


def _state(name: str) -> str:
    try:
        load_backend(ExecutionPreferences(backend=name))
    except Exception as error:  # of a plug-in it may be anything, and the others are listed all the same
        return f"{type(error).__name__}: {error}"
    return "ready"


def _show(name: str, as_json: bool) -> None:
    can = load_backend(ExecutionPreferences(backend=name)).capabilities()
    facts = {
        "backend": name,
        "operations": sorted(kind.value for kind in can.operations),
        "qubits": can.num_qubits,
        "shots": can.max_shots,
        "parameter sets": can.max_sets,
        "precision": can.precision,
        "programs": sorted(can.accepts),
        "feed-forward": can.feed_forward,
        "remote": can.is_remote,
    }
    if as_json:
        print(json.dumps(facts))
        return
    rows = [[key, _text(value)] for key, value in facts.items() if key != "backend"]
    print(aligned(["backend", name], rows, right=()))


def _text(value: object) -> str:
    if value is None:
        return "as memory allows"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return (
        ", ".join(map(str, value))
        if isinstance(value, list)
        else f"{value:,}"
        if isinstance(value, int)
        else str(value)
    )

"""What Qiskit's jobs give, as plain data: outcomes by register, from samplers and from `run` alike."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from session.errors import SessionError

MEDIA_TYPE = "application/vnd.qsim.qiskit-outcomes+json"

#: One circuit's outcomes: the name and size of each register, and shots by outcome, of which the first register has the
#: lowest bits.
Outcomes = tuple[list[tuple[str, int]], dict[int, int]]


# to bytes -------------------------------------------------------------------------------------------------------
def to_bytes(result: Any) -> bytes:
    """A job's result as JSON: what Qiskit gives are objects, and objects are not stored.

    Of a `PrimitiveResult` outcomes are joined over registers, shot by shot; of a `Result` they stay the texts that
    `get_counts` gives.

    Raises:
        SessionError: the run failed, or a circuit has no outcomes.
    """
    from qiskit.primitives import PrimitiveResult

    if isinstance(result, PrimitiveResult):
        return json.dumps({"sampled": [_of_pub(pub, k) for k, pub in enumerate(result)]}).encode()
    if not getattr(result, "success", True):
        parts = getattr(result, "results", None) or []
        said = next((part.status for part in parts if not getattr(part, "success", True)), None)
        raise SessionError(f"The run failed: {said or getattr(result, 'status', 'no reason given')}.")
    counts = [dict(result.get_counts(k)) for k in range(len(result.results))]
    return json.dumps({"counts": [{str(key): int(n) for key, n in one.items()} for one in counts]}).encode()


def _of_pub(pub: Any, number: int) -> dict[str, Any]:
    from qiskit.primitives import BitArray

    arrays = {name: value for name, value in pub.data.items() if isinstance(value, BitArray)}
    if not arrays:
        raise SessionError(f"Circuit {number} of the sampler's result has no classical register with outcomes.")
    if len({array.num_shots for array in arrays.values()}) > 1:
        raise SessionError(f"Circuit {number} of the sampler's result has registers of different numbers of shots.")
    columns, registers = [], []
    for name, array in arrays.items():
        bits = np.unpackbits(array.array.reshape(-1, array.array.shape[-1]), axis=-1)[:, ::-1]
        columns.append(bits[:, : array.num_bits])  # column k is bit k of the register
        registers.append([name, int(array.num_bits)])
    packed = np.packbits(np.concatenate(columns, axis=1), axis=1, bitorder="little")
    rows, counts = np.unique(packed, axis=0, return_counts=True)
    outcomes = {f"{int.from_bytes(row.tobytes(), 'little'):x}": n for row, n in zip(rows, counts.tolist(), strict=True)}
    return {"registers": registers, "outcomes": outcomes}


# from bytes -----------------------------------------------------------------------------------------------------
def read(body: bytes, widths: Sequence[Sequence[tuple[str, int]]]) -> list[Outcomes]:
    """What `to_bytes` stored, a circuit at a time.

    Args:
        body: the bytes.
        widths: of each circuit, its registers' names and sizes in their order.

    Raises:
        SessionError: it is damaged, of another number of circuits, or an outcome is not as wide as its registers.
    """
    try:
        data = json.loads(body)
        if "counts" in data:
            found: list[Outcomes] = [
                _of_counts(one, [(str(name), int(size)) for name, size in own])
                for one, own in zip(data["counts"], widths, strict=True)
            ]
            return found
        return [
            (
                [(str(name), int(size)) for name, size in one["registers"]],
                {int(outcome, 16): int(shots) for outcome, shots in one["outcomes"].items()},
            )
            for one, _ in zip(data["sampled"], widths, strict=True)
        ]
    except SessionError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise SessionError(
            f"The stored outcomes of a Qiskit job of {len(widths)} circuits are damaged: {error}"
        ) from None


def _of_counts(counts: Mapping[str, int], registers: list[tuple[str, int]]) -> Outcomes:
    found: dict[int, int] = {}
    for key, shots in counts.items():
        outcome = _outcome(key, registers)
        found[outcome] = found.get(outcome, 0) + int(shots)
    return registers, found


def _outcome(key: str, registers: Sequence[tuple[str, int]]) -> int:
    """The number of a key of `get_counts`: the last register first, each with its highest bit first.

    >>> _outcome("1 001", [("c", 3), ("d", 1)])
    9
    """
    if key.startswith("0x"):
        return int(key, 16)
    sizes = [size for _, size in registers]
    groups = key.split(" ")
    right = [len(group) for group in reversed(groups)] == sizes if len(groups) > 1 else len(key) == sum(sizes)
    if not right or set(key) - {"0", "1", " "}:
        raise SessionError(f"The outcome '{key}' does not fit registers of {', '.join(map(str, sizes))} bits.")
    return int("".join(groups), 2)


def by_bits(outcomes: Outcomes, registers: Mapping[str, Sequence[int]]) -> dict[int, int]:
    """Shots by outcome as an integer whose bit k is classical bit k of our circuit.

    Args:
        outcomes: of one circuit.
        registers: the circuit's: from name to the numbers of its bits.

    Raises:
        SessionError: a register is missing, or of another size.

    >>> by_bits(([("d", 1), ("c", 2)], {3: 5}), {"c": [0, 1], "d": [2]})
    {5: 5}
    """
    places: list[int | None] = []
    there = set()
    for name, size in outcomes[0]:
        own = registers.get(name)
        if own is not None and len(own) != size:
            raise SessionError(f"Register '{name}' came back with {size} bits; it has {len(own)}.")
        places += [None] * size if own is None else list(own)
        there.add(name)
    missing = [name for name in registers if name not in there]
    if missing:
        raise SessionError(f"The result has no register '{missing[0]}'; it has {', '.join(sorted(there)) or 'none'}.")
    counts: dict[int, int] = {}
    for outcome, shots in outcomes[1].items():
        ours = sum(1 << place for k, place in enumerate(places) if place is not None and outcome >> k & 1)
        counts[ours] = counts.get(ours, 0) + shots
    return counts

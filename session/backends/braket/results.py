"""Reading what Braket writes to S3: ``braket.task_result.gate_model_task_result``, tolerantly, and never more than data.

The schema is that of ``amazon-braket-schemas``. Its other kinds of results are refused by their names.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from session.errors import BadReply

SCHEMA = "braket.task_result.gate_model_task_result"


def read_outcomes(body: bytes, bits: Sequence[tuple[int, int]], shots: int) -> dict[int, int]:
    """Shots by outcome as an integer whose bit k is classical bit k of the circuit.

    Args:
        body: of ``results.json``.
        bits: pairs of a qubit of the program that was sent and the classical bit that its outcome goes into.
        shots: that were asked for; only needed where a device reports probabilities alone.

    Raises:
        BadReply: the bytes are no such result, or a qubit is not among those that were measured.

    >>> read_outcomes(b'{"measurements": [[0, 1], [0, 1]], "measuredQubits": [0, 2]}', [(0, 0), (2, 1)], 2)
    {2: 2}
    """
    data = _read(body)
    measurements, probabilities = data.get("measurements"), data.get("measurementProbabilities")
    if measurements:
        table, weights = _table(measurements), None
    elif isinstance(probabilities, Mapping) and probabilities:
        table, weights = _from_probabilities(probabilities, shots)
    else:
        raise _bad("it has neither measurements nor measurementProbabilities")
    qubits = data.get("measuredQubits")
    if qubits is None:
        qubits = list(range(table.shape[1]))
    if not _whole(qubits) or len(set(qubits)) != len(qubits) or len(qubits) != table.shape[1]:
        raise _bad(f"its {table.shape[1]} columns do not go with measuredQubits {str(qubits)[:100]}")
    columns = {qubit: k for k, qubit in enumerate(qubits)}
    missing = [qubit for qubit, _ in bits if qubit not in columns]
    if missing:
        raise _bad(f"qubit {missing[0]} is not among the measured ones, {str(qubits)[:100]}")
    kept = table[:, [columns[qubit] for qubit, _ in bits]]
    return _counted(kept, weights, [clbit for _, clbit in bits])


def _read(body: bytes) -> dict[str, Any]:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _bad(f"it is no JSON ({str(error)[:100]})") from None
    if not isinstance(data, dict):
        raise _bad(f"it is a {type(data).__name__}, not an object")
    header = data.get("braketSchemaHeader")
    name = header.get("name", SCHEMA) if isinstance(header, dict) else SCHEMA
    if name != SCHEMA:
        raise _bad(f"it is a '{str(name)[:80]}'")
    return data


def _table(measurements: Any) -> npt.NDArray[np.uint8]:
    """Bits by shot and column."""
    try:
        table = np.array(measurements)
    except ValueError:
        raise _bad("its measurements have different lengths") from None
    if table.dtype.kind == "U" and table.dtype.itemsize == 4 and np.isin(table, ("0", "1")).all():
        table = table.astype(np.uint8)  # as AWS's local simulator writes them
    if table.ndim != 2 or table.dtype.kind not in "iu" or not table.size or table.min() < 0 or table.max() > 1:
        raise _bad("its measurements are no list of lists of 0 and 1")
    return table.astype(np.uint8)


def _from_probabilities(
    probabilities: Mapping[str, Any], shots: int
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Outcomes, big-endian as Braket writes them, and shots of each that add up to all: the largest remainders go up."""
    keys = list(probabilities)
    if len({len(key) for key in keys}) != 1 or not all(key and not set(key) - {"0", "1"} for key in keys):
        raise _bad("its measurementProbabilities are not by texts of 0 and 1 of one length")
    values = list(probabilities.values())
    if not all(isinstance(p, (int, float)) and not isinstance(p, bool) and -1e-9 <= p <= 1 + 1e-9 for p in values):
        raise _bad("its measurementProbabilities are no probabilities")
    total = sum(values)
    if abs(total - 1) > 1e-3:
        raise _bad(f"its measurementProbabilities add up to {total:g}")
    exact = np.clip(np.array(values, dtype=np.float64), 0, None) * (shots / total)
    counts = np.floor(exact).astype(np.int64)
    left = shots - int(counts.sum())
    counts[np.argsort(counts - exact, kind="stable")[:left]] += 1
    return np.array([[int(bit) for bit in key] for key in keys], dtype=np.uint8), counts


def _counted(
    kept: npt.NDArray[np.uint8], weights: npt.NDArray[np.int64] | None, clbits: Sequence[int]
) -> dict[int, int]:
    rows, inverse = np.unique(kept, axis=0, return_inverse=True)
    totals = np.zeros(len(rows), dtype=np.int64)
    np.add.at(totals, inverse.reshape(-1), 1 if weights is None else weights)
    found: dict[int, int] = {}
    for row, count in zip(rows.tolist(), totals.tolist(), strict=True):
        if count:
            found[sum(bit << clbit for bit, clbit in zip(row, clbits, strict=True))] = count
    return found


def _whole(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(q, int) and not isinstance(q, bool) and q >= 0 for q in values)


def _bad(why: str) -> BadReply:
    return BadReply(f"The result of an Amazon Braket task cannot be read: {why}.")

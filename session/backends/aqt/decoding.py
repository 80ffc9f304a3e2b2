"""Arnica's results as counts: of each circuit a list of shots, each a list of bits whose index is the qubit."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from session.backends.protocol import Prepared, RawResult
from session.backends.readout import added, as_outcomes, bits_as_integer
from session.errors import BadReply


def decode(raw: RawResult, prepared: Prepared) -> tuple[list[dict[int, int]], dict[str, Any]]:
    """Counts of each experiment by outcome (bit k is classical bit k), and what to say about them.

    Raises:
        BadReply: the stored reply is not what Arnica's models say.
    """
    try:
        data = json.loads(raw.body)
        response = data["response"]
        results = response["result"]
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        raise BadReply(f"The stored reply of AQT holds no result ({type(error).__name__}).") from None
    if not isinstance(results, dict):
        raise BadReply(f"AQT's result is an object with an entry for each circuit, got {type(results).__name__}.")
    found, at = [], 0
    for k, parts in enumerate(prepared.details["parts"]):
        counts = [_counts(results, at + j, prepared.details["num_qubits"][k], shots) for j, shots in enumerate(parts)]
        found.append(as_outcomes(added(counts), prepared.bit_map[k]))
        at += len(parts)
    if len(results) != at:
        raise BadReply(f"AQT gave the results of {len(results)} circuits; {at} were sent.")
    job = data.get("job") if isinstance(data.get("job"), dict) else {}
    return found, {"target": prepared.details["target"], "job": job.get("job_id")}


def _counts(results: dict[str, Any], number: int, num_qubits: int, repetitions: int) -> dict[int, int]:
    """Shots by an integer whose bit q is qubit q."""
    shots = results.get(str(number))
    if not isinstance(shots, list):
        raise BadReply(f"AQT's result has no list of shots of circuit {number}.")
    if len(shots) != repetitions:
        raise BadReply(f"AQT gave {len(shots):,} shots of circuit {number}; {repetitions:,} were asked for.")
    try:
        found = Counter(tuple(shot) for shot in shots)
        if any(len(bits) != num_qubits for bits in found):
            raise ValueError(f"a shot has {num_qubits} bits")
        return added({bits_as_integer(bits): n} for bits, n in found.items())
    except (ValueError, TypeError) as error:
        raise BadReply(f"In AQT's shots of circuit {number} {error}.") from None

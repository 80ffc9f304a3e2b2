"""A task as a body of IonQ's POST /jobs: one circuit as text or JSON, several as a multi-circuit job."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from qsim.circuit import Circuit
from session.backends.experiments import Experiment
from session.backends.ionq.options import (
    IDEAL,
    MAX_BODY,
    MAX_CIRCUITS,
    MAX_GATES,
    MAX_SHOTS,
    MIN_DEBIASED_SHOTS,
    IonQOptions,
)
from session.backends.ionq.printing import QASM3_GATES, QIS_GATES, gate_counts, qasm3, qis
from session.backends.protocol import Prepared
from session.backends.readout import Readout, readout
from session.errors import BatchTooLarge, SessionError
from session.preparation.rebase import rebase

#: Circuits of a job are called by this and their number, by which their results are put in order.
CIRCUIT = "circuit-"
#: What our reference and IonQ's key for it add to a body.
_ROOM = 200
#: Circuits at most that a group's share of the shots is made of, on average, where groups of terms get different shots;
#: and the part by which that may raise the variance of an estimate.
_PIECES, _LOSS = 8, 0.05


def copies(experiments: Sequence[Experiment], options: IonQOptions) -> tuple[list[int], int]:
    """How often each circuit is in a job, and the shots that every circuit of the job gets.

    IonQ's jobs have one number of shots. Where ours differ, circuits are repeated in proportion to them: with as few
    circuits as keep the variance of an estimate within 5 % of what the shots asked for give, and no more shots in all.

    >>> made = [Experiment(Circuit(1), shots, 0) for shots in (750, 250)]
    >>> copies(made, IonQOptions())
    ([2, 1], 333)
    >>> copies([Experiment(Circuit(1), shots, 0) for shots in (334, 333, 333)], IonQOptions())
    ([1, 1, 1], 333)
    """
    asked = [one.shots for one in experiments]
    count, total = len(asked), sum(asked)
    if len(set(asked)) == 1:
        return [1] * count, asked[0]
    least = MIN_DEBIASED_SHOTS if options.debiasing else 2
    best, best_loss = ([1] * count, total // count), math.inf
    for pieces in range(count, min(_PIECES * count, MAX_CIRCUITS) + 1, max(1, count // 4)):
        each = total // pieces
        if pieces > count and each < least:
            break
        counts = _shares(asked, pieces)
        loss = sum(shots * shots / (n * each) for shots, n in zip(asked, counts, strict=True)) / total - 1
        if loss < best_loss:
            best, best_loss = (counts, each), loss
        if loss <= _LOSS:
            break
    return best


def _shares(asked: Sequence[int], pieces: int) -> list[int]:
    """So many pieces in proportion to what was asked for, at least one each; the largest remainders get the rest."""
    total = sum(asked)
    exact = [1 + (pieces - len(asked)) * shots / total for shots in asked]
    counts = [int(share) for share in exact]
    by_remainder = sorted(range(len(asked)), key=lambda k: counts[k] - exact[k])
    for k in by_remainder[: pieces - sum(counts)]:
        counts[k] += 1
    return counts


def payload(experiments: Sequence[Experiment], target: str, options: IonQOptions) -> Prepared:
    """The body of a job, without our reference, and what `decode` needs.

    Raises:
        BatchTooLarge: it has more circuits, gates or bytes than the service takes in a job.
        SessionError: it is beyond another limit.
    """
    repeated, shots = copies(experiments, options)
    check_shots(shots, options)
    if sum(repeated) > MAX_CIRCUITS:
        raise BatchTooLarge(
            f"IonQ takes at most {MAX_CIRCUITS:,} circuits in a job, and a parameter set of this task has {sum(repeated):,}, one "
            "for each group of terms. Give the observable in parts."
        )
    several = sum(repeated) > 1
    as_text = not several and options.format == "qasm3"
    gates = QASM3_GATES if as_text else frozenset(QIS_GATES)
    circuits = [rebase(one.circuit, gates, merge=False) for one in experiments]
    reads = [readout(circuit) for circuit in circuits]
    counts = [gate_counts(circuit) for circuit in circuits]
    total = sum(n * (one + more) for n, (one, more) in zip(repeated, counts, strict=True))
    if total > MAX_GATES:
        raise BatchTooLarge(f"IonQ takes at most {MAX_GATES:,} gates in a job, and this task has {total:,}.")
    body, registers = _text(circuits[0], reads[0]) if as_text else _json(circuits, repeated, reads)
    body = {**body, "backend": target, "shots": shots, **_settings(target, options)}
    data = json.dumps(body, separators=(",", ":"), allow_nan=False).encode()
    if len(data) + _ROOM > MAX_BODY:
        raise BatchTooLarge(f"IonQ takes at most {MAX_BODY:,} bytes in a request, and this task has {len(data):,}.")
    sources = [_sources(read) if registers else read.qubits for read in reads]
    details = {
        "repeated": repeated,
        "shots": shots,
        "registers": [list(one) for one in registers],
        "qubits": [list(read.qubits) if read.is_final else None for read in reads],
        "num_qubits": [circuit.num_qubits for circuit in circuits],
        "seeds": [one.seed for one in experiments],
        "is_exact": target == "simulator" and options.noise_model in (None, IDEAL),
        "gates": [sum(n * one[k] for n, one in zip(repeated, counts, strict=True)) for k in (0, 1)],
        "debiasing": bool(options.debiasing),
        "target": target,
    }
    return Prepared(data, "application/json", sum(repeated), tuple(tuple(one) for one in sources), details)


def check_shots(shots: int, options: IonQOptions) -> None:
    """Raise for a number of shots of a circuit that the service refuses."""
    if shots > MAX_SHOTS:
        raise SessionError(f"IonQ takes at most {MAX_SHOTS:,} shots of a circuit, got {shots:,}.")
    if options.debiasing and shots < MIN_DEBIASED_SHOTS:
        raise SessionError(
            f"IonQ's debiasing takes at least {MIN_DEBIASED_SHOTS} shots of each circuit, and this task has {shots:,}. Raise "
            "num_shots, or set debiasing=False."
        )


def _sources(read: Readout) -> list[int]:
    """For each classical bit its place among the bits of all printed registers, -1 for one that is never written."""
    places = {bit: place for place, bit in enumerate(read.order)}
    return [places.get(bit, -1) for bit in range(len(read.qubits))]


def _text(circuit: Circuit, read: Readout) -> tuple[dict[str, Any], list[tuple[str, int]]]:
    text, registers = qasm3(circuit, read)
    return {"type": "ionq.qasm3.v1", "input": {"data": text}}, registers


def _json(
    circuits: Sequence[Circuit], repeated: Sequence[int], reads: Sequence[Readout]
) -> tuple[dict[str, Any], list[Any]]:
    for read in reads:
        if not read.is_final:
            raise BatchTooLarge(
                "IonQ takes a program that measures or resets midway as text, one circuit a job. Use format='qasm3'."
            )
    widest = max(1, *(circuit.num_qubits for circuit in circuits))
    if sum(repeated) == 1:
        data = {"qubits": widest, "gateset": "qis", "circuit": qis(circuits[0])}
        return {"type": "ionq.circuit.v1", "input": data}, []
    made = [qis(circuit) for circuit, n in zip(circuits, repeated, strict=True) for _ in range(n)]
    lists = [{"name": f"{CIRCUIT}{k}", "circuit": one} for k, one in enumerate(made)]
    return {"type": "ionq.multi-circuit.v1", "input": {"qubits": widest, "gateset": "qis", "circuits": lists}}, []


def _settings(target: str, options: IonQOptions) -> dict[str, Any]:
    made: dict[str, Any] = {}
    if options.job_name:
        made["name"] = options.job_name
    if options.debiasing is not None:
        made["settings"] = {"error_mitigation": {"debiasing": options.debiasing}}
    if options.noise_model is not None:
        if target != "simulator":
            raise SessionError(f"A noise_model is of IonQ's target 'simulator', not of '{target}'. Leave it out.")
        made["noise"] = {"model": options.noise_model}
        if options.noise_seed is not None:
            made["noise"]["seed"] = options.noise_seed
    return made

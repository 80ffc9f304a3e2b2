"""IonQ's results as counts: every format of its catalogue of results, one bit order out of all of them.

What IonQ numbers how: in ``shots.json.v2`` an array is indexed by bit; in ``histogram.json.v2`` and
``probabilities.json.v2`` the leftmost character of a register is its bit 0; the decimal keys of the formats v1 are states
of all qubits, qubit 0 the least significant. ``output_all`` is a register that IonQ adds: all qubits, in order.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from session.backends.protocol import Prepared, RawResult
from session.backends.readout import added, as_outcomes, bits_as_integer
from session.errors import BadReply

#: Single circuits: formats that we read, the best first. Shots tell most, probabilities of registers least.
FORMATS = tuple(
    f"ionq.result.{kind}.json.{version}" for version in ("v2", "v1") for kind in ("shots", "histogram", "probabilities")
)
AGGREGATE = "ionq.result.probabilities-aggregate.json.v1"
ALL = "output_all"
#: How far from 1 a sum of probabilities may be.
_SUM = 1e-2
_NEAR = 1e-6  # of a whole number of shots
_MOST = 1e15  # more shots than anybody has, and exact as a float
_STEP = 104_729  # between the seeds of a circuit's repetitions


@dataclass(frozen=True)
class Asked:
    """What a circuit of a job was, as far as its results need it.

    Args:
        sources: for each classical bit its place among the bits of `registers`, -1 for one that stays 0.
        registers: names and sizes of the registers of the text; none for JSON.
        qubits: for each classical bit the qubit it was measured from at the end, -1 for one that stays 0; None where
            measurements in the middle make the last state of the qubits another thing than the bits.
        shots: that were asked for.
        seed: of draws from exact probabilities.
        is_exact: whether probabilities are those of the state, not shares of shots.
        num_qubits: of the circuit.
    """

    sources: tuple[int, ...]
    registers: tuple[tuple[str, int], ...]
    qubits: tuple[int, ...] | None
    shots: int
    seed: int
    is_exact: bool
    num_qubits: int


def decode(raw: RawResult, prepared: Prepared) -> tuple[list[dict[int, int]], dict[str, Any]]:
    """Counts of each experiment by outcome (bit k is classical bit k), and what to say about them.

    Raises:
        BadReply: the stored reply is not what IonQ's formats say.
    """
    envelope = _object(_json(raw.body, "reply"), "reply")
    asked, owners = _asked(prepared.details, prepared)
    results = envelope.get("results")
    if not isinstance(results, list) or not results:
        raise BadReply("The stored reply of IonQ holds no results.")
    texts = [(str(_member(one, "format")), _json(_member(one, "body"), str(one["format"]))) for one in results]
    if len(texts) == 1 and texts[0][0] == AGGREGATE:
        children = envelope.get("children")
        named = [str(child) for child in children] if isinstance(children, list) else []
        parts = [(FORMATS[5], _member(texts[0][1], child)) for child in named]
    else:
        parts = texts
    if len(parts) != len(asked):
        raise BadReply(f"IonQ gave the results of {len(parts)} circuits; {len(asked)} were sent.")
    counts = [read(format, data, one) for (format, data), one in zip(parts, asked, strict=True)]
    joined = [added(c for c, owner in zip(counts, owners, strict=True) if owner == k) for k in range(max(owners) + 1)]
    drawn = asked[0].is_exact and any("probabilities" in format for format, _ in parts)
    about = {"target": prepared.details["target"], "job": envelope.get("id"), "format": texts[0][0]}
    return joined, {**about, "drawn_from": "probabilities"} if drawn else about


def _asked(details: Mapping[str, Any], prepared: Prepared) -> tuple[list[Asked], list[int]]:
    """What each circuit of the job was, and the number of its experiment."""
    registers = tuple((str(name), int(size)) for name, size in details["registers"])
    widest = max(details["num_qubits"])  # a job of several circuits has one number for all
    made, owners = [], []
    for k, times in enumerate(details["repeated"]):
        qubits = details["qubits"][k]
        for j in range(times):
            seed = (details["seeds"][k] + _STEP * j) % (1 << 64)
            own = None if qubits is None else tuple(qubits)
            made.append(Asked(prepared.bit_map[k], registers, own, details["shots"], seed, details["is_exact"], widest))
            owners.append(k)
    return made, owners


# formats --------------------------------------------------------------------------------------------------------
def read(format: str, data: Any, asked: Asked) -> dict[int, int]:
    """Counts by outcome out of the payload of one format.

    >>> asked = Asked((0, 1), (("c", 2),), (0, 1), 3, 7, False, 2)
    >>> read("ionq.result.shots.json.v2", {"shots": [{"registers": {"c": [0, 1]}}] * 3}, asked)
    {2: 3}
    >>> read("ionq.result.histogram.json.v1", {"1": 3}, asked)
    {1: 3}
    """
    if format == FORMATS[0]:
        return _shots(data, asked)
    if format in FORMATS[1:3]:
        kind = format.split(".")[2]
        registers = _object(_member(_object(_member(data, kind), kind), "registers"), "registers")
        weights, sources = _joint(registers, asked, format)
    elif format in FORMATS[3:]:
        sources = _from_qubits(asked, format)
        if format == FORMATS[3]:
            if not isinstance(data, list):
                raise BadReply(f"{format} is a list of states, got {type(data).__name__}.")
            data = Counter(str(state) for state in data)
        weights = {_state(key, asked.num_qubits): _weight(value) for key, value in _object(data, format).items()}
    else:
        raise BadReply(f"IonQ gave results in the format '{format}', which this version does not know.")
    if "probabilities" not in format:
        counts = _whole(weights, asked.shots, format)
    elif asked.is_exact:
        counts = _draw(_shares(weights, format), asked)
    else:
        counts = apportion(_shares(weights, format), asked.shots)
    return as_outcomes(counts, sources)


def _shots(data: Any, asked: Asked) -> dict[int, int]:
    shots = _member(_object(data, "shots"), "shots")
    if not isinstance(shots, list):
        raise BadReply(f"IonQ's shots are a list, got {type(shots).__name__}.")
    if not shots:
        raise BadReply(f"{FORMATS[0]} holds no shots.")
    by_name = bool(asked.registers)
    sources = asked.sources if by_name else _from_qubits(asked, FORMATS[0])
    found: Counter[tuple[object, ...]] = Counter()
    for shot in shots:
        registers = _object(_member(_object(shot, "shot"), "registers"), "registers")
        bits: list[object] = []
        for name, size in asked.registers:
            bits += _array(registers, name, size, size)
        if not by_name:
            bits = _array(registers, ALL, _needed(sources), None)
        try:
            found[tuple(bits)] += 1
        except TypeError:  # a list or an object, which cannot be counted
            raise BadReply("A bit in IonQ's shots is 0 or 1, not a list or an object.") from None
    try:
        return as_outcomes(added({bits_as_integer(bits): n} for bits, n in found.items()), sources)
    except ValueError as error:
        raise BadReply(f"In IonQ's shots {error}.") from None


def _array(registers: Mapping[str, Any], name: str, least: int, most: int | None) -> list[object]:
    bits = _member(registers, name)
    if not isinstance(bits, list) or len(bits) < least or (most is not None and len(bits) > most):
        raise BadReply(f"Register '{name}' of a shot of IonQ is no list of {least} bits.")
    return bits


def _needed(sources: Sequence[int]) -> int:
    """How many bits there have to be."""
    return max(sources, default=-1) + 1


def _joint(registers: Mapping[str, Any], asked: Asked, format: str) -> tuple[dict[int, float], tuple[int, ...]]:
    """Weights of all bits together: of the only register, or of all qubits; registers apart say too little."""
    if len(asked.registers) == 1 and asked.registers[0][0] in registers:
        name, sources, size = asked.registers[0][0], asked.sources, asked.registers[0][1]
    elif ALL in registers:
        name, sources, size = ALL, _from_qubits(asked, format), None
    else:
        raise BadReply(f"{format} holds each register by itself, and no '{ALL}': they cannot be put together.")
    weights: dict[int, float] = {}
    for key, value in _object(registers[name], name).items():
        try:
            if len(key) != size if size is not None else len(key) < _needed(sources):
                raise ValueError(f"a key has {size or _needed(sources)} characters, got {key!r}")
            weights[bits_as_integer(key)] = _weight(value)
        except ValueError as error:
            raise BadReply(f"In register '{name}' of {format} {error}.") from None
    return weights, sources


def _from_qubits(asked: Asked, format: str) -> tuple[int, ...]:
    if asked.qubits is None:
        raise BadReply(f"{format} is about the last state of the qubits, and this program measures midway.")
    return asked.qubits


# numbers --------------------------------------------------------------------------------------------------------
def _state(key: object, num_qubits: int) -> int:
    if not (isinstance(key, str) and key.isascii() and key.isdecimal() and len(key) < 400):
        raise BadReply(f"A state of IonQ's first formats is a decimal number, got {key!r}.")
    state = int(key)
    if state >> num_qubits:
        raise BadReply(f"IonQ gave state {state} of {num_qubits} qubits.")
    return state


def _weight(value: Any) -> float:
    # The comparison holds for no NaN, no infinity, and no whole number that is too large for a float.
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not -_NEAR <= value < _MOST:
        raise BadReply(f"A probability or count of IonQ is a number of at least 0, got {value!r}.")
    return max(0.0, float(value))


def _shares(weights: Mapping[int, float], format: str) -> dict[int, float]:
    total = math.fsum(weights.values())
    if abs(total - 1) > _SUM:
        raise BadReply(f"The probabilities of {format} add up to {total:g}, not to 1.")
    return {state: weight / total for state, weight in weights.items()}


def _whole(weights: Mapping[int, float], shots: int, format: str) -> dict[int, int]:
    """Counts, which error mitigation may have made fractions of."""
    total = math.fsum(weights.values())
    if total <= 0:
        raise BadReply(f"{format} holds no shots.")
    if all(abs(weight - round(weight)) < _NEAR for weight in weights.values()):
        return {state: round(weight) for state, weight in weights.items() if round(weight)}
    return apportion({state: weight / total for state, weight in weights.items()}, shots)


def apportion(shares: Mapping[int, float], shots: int) -> dict[int, int]:
    """Whole counts in proportion to shares, by the largest remainders; exact for shares that are counts over shots.

    >>> apportion({0: 0.5, 3: 0.25, 1: 0.25}, 8)
    {0: 4, 3: 2, 1: 2}
    >>> apportion({0: 0.4, 1: 0.6}, 2)
    {0: 1, 1: 1}
    """
    exact = {state: share * shots for state, share in shares.items()}
    counts = {state: math.floor(value + _NEAR) for state, value in exact.items()}
    by_remainder = sorted(exact, key=lambda state: (counts[state] - exact[state], state))
    for state in by_remainder[: max(0, shots - sum(counts.values()))]:
        counts[state] += 1
    return {state: count for state, count in counts.items() if count}


def _draw(shares: Mapping[int, float], asked: Asked) -> dict[int, int]:
    """Shots drawn from exact probabilities: the same whenever they are drawn again."""
    states = sorted(shares)
    probabilities = np.array([shares[state] for state in states])
    drawn = np.random.default_rng(asked.seed).multinomial(asked.shots, probabilities / probabilities.sum())
    return {state: count for state, count in zip(states, drawn.tolist(), strict=True) if count}


# JSON -----------------------------------------------------------------------------------------------------------
def _json(body: bytes | str, what: str) -> Any:
    try:
        return json.loads(body)
    except (ValueError, TypeError, RecursionError) as error:
        raise BadReply(f"IonQ's {what} is not JSON ({error}).") from None


def _object(data: Any, what: str) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise BadReply(f"IonQ's {what} is a JSON object, got {type(data).__name__}.")
    return data


def _member(data: Mapping[str, Any], name: str) -> Any:
    if not isinstance(data, Mapping) or name not in data:
        there = ", ".join(map(repr, list(data)[:8])) if isinstance(data, Mapping) else type(data).__name__
        raise BadReply(f"IonQ's result has no {name!r}; there is {there or 'nothing'}.")
    return data[name]


def best_format(names: Iterable[str]) -> str | None:
    """The format to fetch of those that a job has.

    >>> best_format(["ionq.result.probabilities.json.v1", "ionq.result.shots.json.v2"])
    'ionq.result.shots.json.v2'
    """
    there: Sequence[str] = list(names)
    return next((format for format in FORMATS if format in there), None)

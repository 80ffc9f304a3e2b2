"""Which Pauli errors happen in which shots: drawn for all shots before anything is simulated.

The places of a circuit at which errors may happen are in order. A shot's first error comes after an exponentially
distributed "distance", where place k is -log(1 - p_k) wide; the next one after another, and so on: as many draws as there
are errors, whatever the number of places. Shots with the same errors have the same pattern.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qsim.noisy import Place

Array = npt.NDArray[Any]
#: The width of a place where an error is certain: it is passed over with the probability exp(-60).
_CERTAIN = 60.0


@dataclass(frozen=True)
class Patterns:
    """The distinct patterns of a number of shots.

    Attributes:
        of_shot: the pattern of each shot, shape (shots,).
        counts: how many shots have it, shape (patterns,).
        pattern, place: of each error, by place, in patterns other than the first, which has none: shape (errors,).
        x, z: masks of the error's Pauli on the place's qubits.
    """

    of_shot: Array
    counts: Array
    pattern: Array
    place: Array
    x: Array
    z: Array


class PauliPlaces:
    """Places with Pauli channels, ready to draw errors from."""

    def __init__(self, places: Sequence[Place]) -> None:
        self.places = list(places)
        channels = list({id(place.channel): place.channel for place in places}.values())
        number = {id(channel): k for k, channel in enumerate(channels)}
        self.channel = np.array([number[id(place.channel)] for place in places], dtype=np.int64)
        self.tables = []
        chances = np.zeros(len(channels))
        for k, channel in enumerate(channels):
            found = channel.pauli_probabilities
            assert found is not None
            labels = [label for label, p in found.items() if p > 0 and set(label) != {"I"}]
            chances[k] = min(1.0, sum(found[label] for label in labels))
            x = [sum((letter in "XY") << q for q, letter in enumerate(reversed(label))) for label in labels]
            z = [sum((letter in "ZY") << q for q, letter in enumerate(reversed(label))) for label in labels]
            cumulative = np.cumsum([found[label] for label in labels])
            self.tables.append((cumulative, np.array(x, np.int64), np.array(z, np.int64)))
        #: The probability of an error at each place.
        self.chances = chances[self.channel] if len(places) else np.zeros(0)
        widths = np.where(self.chances < 1, -np.log1p(-np.minimum(self.chances, 1 - 1e-16)), _CERTAIN)
        self.ends = np.cumsum(widths)

    @property
    def chance(self) -> float:
        """The probability that a shot has any error."""
        return float(-np.expm1(-self.ends[-1])) if len(self.ends) else 0.0

    def draw(self, shots: int, random: np.random.Generator) -> Patterns:
        """The errors of `shots` independent shots."""
        shot, place = self._where(shots, random)
        x, z = np.zeros(len(shot), np.int64), np.zeros(len(shot), np.int64)
        which = random.random(len(shot))
        for k, (cumulative, xs, zs) in enumerate(self.tables):
            here = np.flatnonzero(self.channel[place] == k)
            if len(here):
                chosen = np.searchsorted(cumulative, which[here] * cumulative[-1], side="right")
                chosen = np.minimum(chosen, len(xs) - 1)
                x[here], z[here] = xs[chosen], zs[chosen]
        return _grouped(shots, shot, place, x, z)

    def _where(self, shots: int, random: np.random.Generator) -> tuple[Array, Array]:
        """The shot and the place of each error, in order of shots and places."""
        active = np.arange(shots)
        reached = np.zeros(shots)
        found_shots, found_places = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        while len(active) and len(self.ends):
            reached = reached + random.standard_exponential(len(active))
            place = np.searchsorted(self.ends, reached, side="right")
            hit = place < len(self.ends)
            active, place = active[hit], place[hit]
            found_shots.append(active)
            found_places.append(place)
            reached = self.ends[place]  # what follows does not know how long it took
        shot, place = np.concatenate(found_shots), np.concatenate(found_places)
        order = np.lexsort((place, shot))
        return shot[order], place[order]


def _grouped(shots: int, shot: Array, place: Array, x: Array, z: Array) -> Patterns:
    """Shots with the same errors taken together; two different patterns are told apart by 128 bits."""
    of_shot = np.zeros(shots, np.int64)
    if not len(shot):
        nothing = np.zeros(0, np.int64)
        return Patterns(of_shot, np.array([shots], np.int64), nothing, nothing, nothing, nothing)
    codes = (place.astype(np.uint64) << np.uint64(8)) | (x.astype(np.uint64) << np.uint64(4)) | z.astype(np.uint64)
    begins = np.flatnonzero(np.diff(shot, prepend=-1))
    keys = [np.add.reduceat(_mixed(codes + np.uint64(salt)), begins) for salt in (1 << 60, 3 << 60)]
    _, first, inverse = np.unique(np.stack(keys, axis=1), axis=0, return_index=True, return_inverse=True)
    inverse = inverse.reshape(-1)
    # In order of appearance, so that nothing hangs on the keys' values.
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first, kind="stable")] = np.arange(1, len(first) + 1)
    of_shot[shot[begins]] = rank[inverse]
    counts = np.bincount(of_shot, minlength=len(first) + 1)
    lengths = np.diff(np.append(begins, len(shot)))
    kept = np.sort(first)  # representative shots, by their position among those with errors
    at = np.concatenate([np.arange(begins[k], begins[k] + lengths[k]) for k in kept.tolist()])
    pattern = np.repeat(np.arange(1, len(kept) + 1), lengths[kept])
    order = np.argsort(place[at], kind="stable")
    at = at[order]
    return Patterns(of_shot, counts, pattern[order], place[at], x[at], z[at])


def _mixed(values: Array) -> Array:
    """A hash of 64 bits (Steele, Lea and Flood's splitmix64)."""
    with np.errstate(over="ignore"):
        v = values + np.uint64(0x9E3779B97F4A7C15)
        v = (v ^ (v >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        v = (v ^ (v >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return np.asarray(v ^ (v >> np.uint64(31)))

"""What comes back: counts of named outputs, and estimates of expectation values. Plain data, JSON both ways."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from qsim.errors import suggestion
from session.errors import SessionError

if TYPE_CHECKING:
    import pandas

    from qsim.counts import Counts

_COLUMNS = ("counts", "probability", "bitstring")


class SampledState(NamedTuple):
    """A value for each output, and the shots that gave them."""

    state: dict[str, int]
    shots: int


@dataclass(frozen=True, eq=True, repr=False)
class ExecutionDetails:
    """The outcome of sampling a program once.

    Args:
        counts: shots by bitstring, most first, ties in ascending order; the rightmost character is bit 0.
        outputs: for each named output, the bits of its value, least significant first, as positions from the right.
        seed: repeats these counts when it is given to a session as `random_seed`, for its first call.

    >>> details = ExecutionDetails({"00": 6, "11": 4}, {"a": (0,), "b": (1,)})
    >>> details.num_shots, details.probabilities
    (10, {'00': 0.6, '11': 0.4})
    >>> details.parsed_counts[1]
    SampledState(state={'a': 1, 'b': 1}, shots=4)
    """

    counts: dict[str, int]
    outputs: dict[str, tuple[int, ...]]
    seed: int | None = None

    @classmethod
    def from_counts(cls, counts: Counts, outputs: Mapping[str, Sequence[int]]) -> ExecutionDetails:
        """From the engine's counts, which are ascending by outcome."""
        ordered = dict(sorted(counts.items(), key=lambda entry: -entry[1]))
        return cls(ordered, {name: tuple(bits) for name, bits in outputs.items()}, counts.seed)

    @cached_property
    def num_shots(self) -> int:
        """How many shots there were."""
        return sum(self.counts.values())

    @property
    def probabilities(self) -> dict[str, float]:
        """Each bitstring's share of the shots."""
        shots = self.num_shots
        return {bitstring: count / shots for bitstring, count in self.counts.items()}

    @property
    def parsed_counts(self) -> list[SampledState]:
        """The states that occurred, as a value for each output, most shots first."""
        shots: dict[tuple[int, ...], int] = {}
        for bitstring, count in self.counts.items():
            values = self._values(bitstring)
            shots[values] = shots.get(values, 0) + count
        ordered = sorted(shots.items(), key=lambda entry: -entry[1])
        return [SampledState(dict(zip(self.outputs, values, strict=True)), count) for values, count in ordered]

    @property
    def dataframe(self) -> pandas.DataFrame:
        """A row for each bitstring, most counts first: a column for each output, then counts, probability, bitstring.

        An output that is called like one of the last three has an underscore after its name.
        """
        import pandas

        rows = [self._values(bitstring) for bitstring in self.counts]
        columns: dict[str, Any] = {}
        for k, (name, bits) in enumerate(self.outputs.items()):
            dtype = "int64" if len(bits) < 64 else "object"
            column = name if name not in _COLUMNS else f"{name}_"
            columns[column] = pandas.Series([row[k] for row in rows], dtype=dtype)
        columns["counts"] = pandas.Series(list(self.counts.values()), dtype="int64")
        columns["probability"] = pandas.Series(list(self.probabilities.values()), dtype="float64")
        columns["bitstring"] = pandas.Series(list(self.counts), dtype="str")
        return pandas.DataFrame(columns)

    def rows(self) -> Iterator[tuple[str, int, dict[str, int]]]:
        """Each bitstring with its count and the value of each output, most counts first.

        >>> list(ExecutionDetails({"10": 6}, {"c": (0, 1)}).rows())
        [('10', 6, {'c': 2})]
        """
        for bitstring, count in self.counts.items():
            yield bitstring, count, dict(zip(self.outputs, self._values(bitstring), strict=True))

    def counts_of_output(self, name: str) -> dict[str, int]:
        """The counts of one output alone, by its own bitstring (most significant bit first), most first.

        >>> ExecutionDetails({"00": 6, "11": 4}, {"a": (0,), "b": (1,)}).counts_of_output("b")
        {'0': 6, '1': 4}
        """
        if name not in self.outputs:
            known = ", ".join(self.outputs) or "none"
            raise SessionError(f"There is no output {name!r}.{suggestion(str(name), self.outputs)} There is {known}.")
        positions = [-1 - bit for bit in reversed(self.outputs[name])]
        totals: dict[str, int] = {}
        for bitstring, count in self.counts.items():
            key = "".join([bitstring[at] for at in positions])
            totals[key] = totals.get(key, 0) + count
        return dict(sorted(totals.items(), key=lambda entry: (-entry[1], entry[0])))

    def to_dict(self) -> dict[str, Any]:
        """What JSON can hold; `from_dict` takes it back."""
        outputs = {name: list(bits) for name, bits in self.outputs.items()}
        return {"counts": dict(self.counts), "num_shots": self.num_shots, "outputs": outputs, "seed": self.seed}

    def to_json(self) -> str:
        """`to_dict` as one line of JSON.

        >>> ExecutionDetails({"1": 5}, {"c": (0,)}, seed=3).to_json()
        '{"counts": {"1": 5}, "num_shots": 5, "outputs": {"c": [0]}, "seed": 3}'
        """
        return json.dumps(self.to_dict())

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ExecutionDetails:
        """What `to_dict` gave.

        >>> details = ExecutionDetails({"1": 5}, {"c": (0,)}, seed=3)
        >>> ExecutionDetails.from_dict(details.to_dict()) == details
        True
        """
        outputs = {name: tuple(bits) for name, bits in data["outputs"].items()}
        return cls(dict(data["counts"]), outputs, data["seed"])

    def _values(self, bitstring: str) -> tuple[int, ...]:
        value = int(bitstring, 2) if bitstring else 0
        return tuple(
            (value >> shift) & mask if bits is None else sum(((value >> bit) & 1) << k for k, bit in enumerate(bits))
            for shift, mask, bits in self._fields
        )

    @cached_property
    def _fields(self) -> list[tuple[int, int, tuple[int, ...] | None]]:
        """(shift, mask, None) of an output whose bits are in a row, else its bits."""
        fields: list[tuple[int, int, tuple[int, ...] | None]] = []
        for bits in self.outputs.values():
            in_a_row = bool(bits) and bits == tuple(range(bits[0], bits[0] + len(bits)))
            fields.append((bits[0], (1 << len(bits)) - 1, None) if in_a_row else (0, 0, bits))
        return fields

    def __repr__(self) -> str:
        shown = [f"{bitstring!r}: {count}" for bitstring, count in list(self.counts.items())[:6]]
        if len(self.counts) > 6:
            shown.append(f"… {len(self.counts) - 6:,} more")
        return f"ExecutionDetails(num_shots={self.num_shots}, counts={{{', '.join(shown)}}})"


@dataclass(frozen=True)
class EstimationResult:
    """An expectation value.

    Args:
        value: the expectation value.
        variance: of one measurement of the observable: <O**2> - <O>**2 when exact; from shots, such that
            `standard_error` is ``sqrt(variance / num_shots)``.
        standard_error: of `value`; 0 when exact.
        metadata: the backend, the method, and for an estimate from shots their number, the groups of terms that were
            measured together and the seed.

    >>> EstimationResult(1.0, 0.25, 0.0, {"method": "statevector"})
    EstimationResult(value=1.0, variance=0.25, standard_error=0.0)
    """

    value: float
    variance: float
    standard_error: float = 0.0
    metadata: dict[str, Any] = field(default_factory=dict, repr=False)

    def __float__(self) -> float:
        return self.value

    def to_dict(self) -> dict[str, Any]:
        """What JSON can hold; `from_dict` takes it back."""
        return {
            "value": self.value,
            "variance": self.variance,
            "standard_error": self.standard_error,
            "metadata": dict(self.metadata),
        }

    def to_json(self) -> str:
        """`to_dict` as one line of JSON."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> EstimationResult:
        """What `to_dict` gave.

        >>> result = EstimationResult(1.0, 0.25)
        >>> EstimationResult.from_dict(result.to_dict()) == result
        True
        """
        return cls(data["value"], data["variance"], data["standard_error"], dict(data["metadata"]))

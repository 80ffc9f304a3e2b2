"""What comes back from sampling: counts of named outputs. Plain data, JSON both ways; and the codec of all results."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, Union

import numpy as np
import numpy.typing as npt

from session.display import Shown, shown_value
from session.errors import SessionError
from session.estimates import EstimationResult, GradientResult, MinimizationResult
from session.filters import StateFilter, output_named
from session.outputs import PLAIN, OutputType, OutputValue, types_from_dict, types_to_dict
from session.statevectors import StateVectorResult

if TYPE_CHECKING:
    import pandas

    from qsim.counts import Counts

__all__ = [
    "EstimationResult", "ExecutionDetails", "GradientResult", "MinimizationResult", "Result", "SampledState",
    "StateVectorResult", "result_from_dict", "result_to_dict",
]  # fmt: skip

_COLUMNS = ("counts", "probability", "bitstring")


class SampledState(NamedTuple):
    """A value for each output, and the shots that gave them."""

    state: dict[str, OutputValue]
    shots: int


@dataclass(frozen=True, eq=True, repr=False)
class ExecutionDetails(Shown):
    """The outcome of sampling a program once.

    Args:
        counts: shots by bitstring, most first, ties in ascending order; the rightmost character is bit 0.
        outputs: for each named output, the bits of its value, least significant first, as positions from the right.
        seed: repeats these counts when it is given to a session as `random_seed`, for its first call.
        types: of outputs that are not unsigned integers.
        measured_qubits: the qubit that each position from the right was measured from; -1 for a bit that was not.
        metadata: how the counts were made, where not by a statevector: the method, why, and for matrix-product states the
            truncation error and the widest bond.

    >>> details = ExecutionDetails({"00": 6, "11": 4}, {"a": (0,), "b": (1,)})
    >>> details.num_shots, details.probabilities
    (10, {'00': 0.6, '11': 0.4})
    >>> details.parsed_counts[1]
    SampledState(state={'a': 1, 'b': 1}, shots=4)
    """

    counts: dict[str, int]
    outputs: dict[str, tuple[int, ...]]
    seed: int | None = None
    types: dict[str, OutputType] = field(default_factory=dict)
    measured_qubits: tuple[int, ...] | None = None
    metadata: dict[str, Any] = field(default_factory=dict, compare=False)

    @classmethod
    def from_counts(
        cls,
        counts: Counts | Mapping[str, int],
        outputs: Mapping[str, Sequence[int]],
        types: Mapping[str, OutputType] | None = None,
        measured_qubits: tuple[int, ...] | None = None,
        seed: int | None = None,
    ) -> ExecutionDetails:
        """From the engine's counts, which are ascending by outcome, or a mapping from bitstring to shots."""
        ordered = dict(sorted(counts.items(), key=lambda entry: (-entry[1], entry[0])))
        drawn = getattr(counts, "seed", None) if seed is None else seed
        own = {name: tuple(bits) for name, bits in outputs.items()}
        metadata = dict(getattr(counts, "metadata", {}))
        return cls(ordered, own, drawn, dict(types or {}), measured_qubits, metadata)

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
            values = self._raw(bitstring)
            shots[values] = shots.get(values, 0) + count
        ordered = sorted(shots.items(), key=lambda entry: -entry[1])
        return [SampledState(self._state(values), count) for values, count in ordered]

    @property
    def dataframe(self) -> pandas.DataFrame:
        """A row for each bitstring, most counts first: a column for each output, then counts, probability, bitstring.

        An output's column is int64, float64 for a fixed-point number, and object for an array or an integer of 64 bits or
        more. An output that is called like one of the last three has an underscore after its name.
        """
        import pandas

        rows = [self._raw(bitstring) for bitstring in self.counts]
        columns: dict[str, Any] = {}
        for k, (name, bits) in enumerate(self.outputs.items()):
            raw: npt.NDArray[Any] = np.array([row[k] for row in rows], dtype=np.int64 if len(bits) < 64 else object)
            values, dtype = self.types.get(name, PLAIN).column(raw, len(bits))
            column = name if name not in _COLUMNS else f"{name}_"
            columns[column] = pandas.Series(values, dtype=dtype)
        columns["counts"] = pandas.Series(list(self.counts.values()), dtype="int64")
        columns["probability"] = pandas.Series(list(self.probabilities.values()), dtype="float64")
        columns["bitstring"] = pandas.Series(list(self.counts), dtype="str")
        return pandas.DataFrame(columns)

    def rows(self) -> Iterator[tuple[str, int, dict[str, OutputValue]]]:
        """Each bitstring with its count and the value of each output, most counts first.

        >>> list(ExecutionDetails({"10": 6}, {"c": (0, 1)}).rows())
        [('10', 6, {'c': 2})]
        """
        for bitstring, count in self.counts.items():
            yield bitstring, count, self._state(self._raw(bitstring))

    def counts_of_output(self, name: str) -> dict[str, int]:
        """The counts of one output alone, by its own bitstring (most significant bit first), most first.

        >>> ExecutionDetails({"00": 6, "11": 4}, {"a": (0,), "b": (1,)}).counts_of_output("b")
        {'0': 6, '1': 4}
        """
        return self._marginal(output_named(name, self.outputs))

    def counts_of_qubits(self, *qubits: int | Sequence[int]) -> dict[str, int]:
        """The counts of some qubits alone, the first as the rightmost character, most first.

        Args:
            qubits: numbers of qubits of the program, or one list of them.

        Raises:
            SessionError: a qubit was not measured at the end of the program, or is named twice.

        >>> details = ExecutionDetails({"01": 6, "11": 4}, {"c": (0, 1)}, measured_qubits=(2, 0))
        >>> details.counts_of_qubits(0), details.counts_of_qubits(0, 2)
        ({'0': 6, '1': 4}, {'10': 6, '11': 4})
        """
        given: list[Any] = list(
            qubits[0] if len(qubits) == 1 and not isinstance(qubits[0], (int, np.integer)) else qubits
        )
        if self.measured_qubits is None:
            raise SessionError(
                "These counts do not tell which qubit a bit was measured from: the program branches, resets, or measures "
                "a qubit twice. Use counts_of_output."
            )
        place = {qubit: bit for bit, qubit in enumerate(self.measured_qubits) if qubit >= 0}
        for qubit in given:
            if qubit not in place:
                measured = ", ".join(map(str, sorted(place))) or "none"
                raise SessionError(f"Qubit {qubit!r} was not measured. The measured qubits are {measured}.")
        if len(set(given)) != len(given):
            raise SessionError(f"Each qubit is asked for once, got {given}.")
        return self._marginal([place[qubit] for qubit in given])

    def filtered(self, filters: Sequence[StateFilter]) -> ExecutionDetails:
        """Without the shots whose outputs do not pass; `num_shots` counts those that are left.

        >>> details = ExecutionDetails({"00": 6, "11": 4}, {"a": (0,), "b": (1,)})
        >>> details.filtered([StateFilter("b", (1,))]).counts
        {'11': 4}
        """
        keep = np.ones(len(self.counts), dtype=bool)
        dtype: Any = np.int64 if all(len(bitstring) < 63 for bitstring in self.counts) else object
        values = np.array([int(bitstring or "0", 2) for bitstring in self.counts], dtype=dtype)
        for one in filters:
            keep &= one.passes(values, output_named(one.output, self.outputs))
        left = {key: count for (key, count), kept in zip(self.counts.items(), keep, strict=True) if kept}
        return ExecutionDetails(left, self.outputs, self.seed, self.types, self.measured_qubits)

    def plot(self, ax: Any = None, **options: Any) -> Any:
        """A bar for each outcome, most counts first, in a matplotlib `Axes` (``pip install "qsim-session[plot]"``)."""
        from session.plots import plot_counts

        return plot_counts(self, ax, **options)

    # JSON ---------------------------------------------------------------------------------------------------
    def to_dict(self) -> dict[str, Any]:
        """What JSON can hold; `from_dict` takes it back."""
        outputs = {name: list(bits) for name, bits in self.outputs.items()}
        data = {"counts": dict(self.counts), "num_shots": self.num_shots, "outputs": outputs, "seed": self.seed}
        if self.types:
            data["types"] = types_to_dict(self.types)
        if self.measured_qubits is not None:
            data["measured_qubits"] = list(self.measured_qubits)
        if self.metadata:
            data["metadata"] = dict(self.metadata)
        return data

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
        measured = data.get("measured_qubits")
        return cls(
            dict(data["counts"]),
            outputs,
            data["seed"],
            types_from_dict(data.get("types", {})),
            None if measured is None else tuple(measured),
            dict(data.get("metadata", {})),
        )

    @classmethod
    def from_json(cls, text: str) -> ExecutionDetails:
        """What `to_json` gave."""
        return cls.from_dict(json.loads(text))

    # how ----------------------------------------------------------------------------------------------------
    def _marginal(self, bits: Sequence[int]) -> dict[str, int]:
        positions = [-1 - bit for bit in reversed(bits)]
        totals: dict[str, int] = {}
        for bitstring, count in self.counts.items():
            key = "".join([bitstring[at] for at in positions])
            totals[key] = totals.get(key, 0) + count
        return dict(sorted(totals.items(), key=lambda entry: (-entry[1], entry[0])))

    def _raw(self, bitstring: str) -> tuple[int, ...]:
        value = int(bitstring, 2) if bitstring else 0
        return tuple(
            (value >> shift) & mask if bits is None else sum(((value >> bit) & 1) << k for k, bit in enumerate(bits))
            for shift, mask, bits in self._fields
        )

    def _state(self, raw: tuple[int, ...]) -> dict[str, OutputValue]:
        if not self.types:
            return dict(zip(self.outputs, raw, strict=True))
        return {
            name: self.types.get(name, PLAIN).value(value, len(bits))
            for (name, bits), value in zip(self.outputs.items(), raw, strict=True)
        }

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

    def _shown(self) -> tuple[list[str], list[list[str]], str]:
        header = [*self.outputs, "counts", "probability", "bitstring"]
        shots = max(self.num_shots, 1)
        rows = [
            [*map(shown_value, state.values()), f"{count:,}", f"{count / shots:.4f}", key]
            for (key, count, state), _ in zip(self.rows(), range(20), strict=False)
        ]
        left = len(self.counts) - len(rows)
        return header, rows, f"{self.num_shots:,} shots" + (f", {left:,} more outcomes" if left else "")


# all results ----------------------------------------------------------------------------------------------------
OneResult = Union[ExecutionDetails, EstimationResult, StateVectorResult, GradientResult, MinimizationResult, float]
#: What a task gives for one set of parameters: a result, or a list of them for a list of observables.
Result = Union[OneResult, "list[OneResult]"]

_TYPES: dict[str, Any] = {
    "sample": ExecutionDetails,
    "estimate": EstimationResult,
    "state_vector": StateVectorResult,
    "gradient": GradientResult,
    "minimize": MinimizationResult,
}


def result_to_dict(result: Result, keep: Callable[[npt.NDArray[Any]], Any] | None = None) -> dict[str, Any]:
    """Any result as what JSON can hold, with a tag; `keep` may store the arrays of a state vector elsewhere.

    >>> result_from_dict(result_to_dict([EstimationResult(1.0, 0.0)]))
    [EstimationResult(value=1.0, variance=0.0, standard_error=0.0)]
    """
    for tag, kind in _TYPES.items():
        if isinstance(result, kind):
            made: dict[str, Any] = result.to_dict(keep) if isinstance(result, StateVectorResult) else result.to_dict()
            return {"type": tag, **made}
    if isinstance(result, list):
        several: Any = result
        return {"type": "list", "results": [result_to_dict(one, keep) for one in several]}
    return {"type": "number", "value": float(result)}  # type: ignore[arg-type]


def result_from_dict(data: Mapping[str, Any], find: Callable[[Any], npt.NDArray[Any]] | None = None) -> Any:
    """What `result_to_dict` gave; `find` gives the arrays that its `keep` stored.

    Raises:
        SessionError: the data is no result.
    """
    try:
        tag = data["type"]
        if tag == "list":
            return [result_from_dict(one, find) for one in data["results"]]
        if tag == "number":
            return float(data["value"])
        if tag == "state_vector":
            return StateVectorResult.from_dict(data, find)
        return _TYPES[tag].from_dict(data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SessionError(f"This is no result of this package's JSON form: {error!r}.") from None

"""The result of `calculate_state_vector`: amplitudes, what they mean for named outputs, and a dataframe of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from session.display import Shown, shown_value
from session.errors import SessionError
from session.outputs import PLAIN, OutputType, OutputValue, raw_value, raw_values, types_from_dict, types_to_dict

if TYPE_CHECKING:
    import pandas

Array = npt.NDArray[Any]
_COLUMNS = ("amplitude", "magnitude", "phase", "probability", "bitstring")
#: Amplitudes below this are rounding and are left out of tables, never out of `amplitudes`.
SHOWN = 1e-12


class SimulatedState(NamedTuple):
    """A basis state: a value for each output, the bits of all qubits (the rightmost is qubit 0), and its amplitude."""

    state: dict[str, OutputValue]
    bitstring: str
    amplitude: complex

    @property
    def probability(self) -> float:
        """|amplitude|**2."""
        return abs(self.amplitude) ** 2


class StateVectorResult(Shown):
    """The amplitudes of a state, or of those basis states that filters let through.

    Args:
        amplitudes: complex, shape (kept,): of the basis states `indices`; qubit 0 is the least significant bit.
        num_qubits: of the program.
        outputs: for each named output its qubits, least significant first; -1 for a bit that is never written.
        types: how outputs are read that are not unsigned integers.
        indices: int64, shape (kept,), ascending; None when all 2**num_qubits are kept.
        metadata: the backend and the method.

    >>> result = StateVectorResult(np.array([0, 1j, 0, 0]), 2, {"x": (0,), "y": (1,)})
    >>> result.amplitude_of(x=1, y=0), result.states[0].state
    (1j, {'x': 1, 'y': 0})
    """

    def __init__(
        self,
        amplitudes: Array,
        num_qubits: int,
        outputs: Mapping[str, tuple[int, ...]],
        types: Mapping[str, OutputType] | None = None,
        indices: Array | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        self.amplitudes = amplitudes
        self.num_qubits = num_qubits
        self.outputs = {name: tuple(qubits) for name, qubits in outputs.items()}
        self.types = {name: kind for name, kind in (types or {}).items() if kind != PLAIN}
        self._indices = indices
        self.metadata = dict(metadata or {})

    @property
    def indices(self) -> Array:
        """The basis states of `amplitudes`, int64, ascending."""
        return np.arange(len(self.amplitudes), dtype=np.int64) if self._indices is None else self._indices

    @property
    def probability(self) -> float:
        """The sum of |amplitude|**2: 1, or what passes the filters."""
        return float(np.vdot(self.amplitudes, self.amplitudes).real)

    def to_array(self) -> Array:
        """The whole vector, shape (2**num_qubits,), with zeros where filters took something out."""
        if self._indices is None:
            return self.amplitudes
        full: Array = np.zeros(1 << self.num_qubits, dtype=self.amplitudes.dtype)
        full[self._indices] = self.amplitudes
        return full

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return self.to_array() if dtype is None else self.to_array().astype(dtype)

    def __len__(self) -> int:
        return len(self.amplitudes)

    @property
    def states(self) -> list[SimulatedState]:
        """The basis states with an amplitude above 1e-12, by ascending index."""
        return list(self._states())

    parsed_state_vector = states

    def _states(self) -> Iterator[SimulatedState]:
        for index in np.flatnonzero(np.abs(self.amplitudes) > SHOWN).tolist():
            basis = index if self._indices is None else int(self._indices[index])
            values = {
                name: self.types.get(name, PLAIN).value(raw_value(basis, qubits), len(qubits))
                for name, qubits in self.outputs.items()
            }
            yield SimulatedState(values, self._bitstring(basis), complex(self.amplitudes[index]))

    def _bitstring(self, basis: int) -> str:
        return format(basis, f"0{self.num_qubits}b") if self.num_qubits else ""

    def amplitude_of(self, **state: Any) -> complex:
        """The amplitude of the one basis state in which outputs have these values; 0 when there is none.

        Raises:
            SessionError: an output is unknown or cannot have this value, or several states fit.
        """
        from session.filters import output_named

        keep = np.abs(self.amplitudes) > SHOWN
        for name, value in state.items():
            qubits = output_named(name, self.outputs)
            raw = self.types.get(name, PLAIN).raw(value, len(qubits))
            keep &= raw_values(self.indices, qubits) == raw
        found = np.flatnonzero(keep)
        if len(found) > 1:
            raise SessionError(f"{len(found)} basis states have {state}; name more outputs, or use the dataframe.")
        return complex(self.amplitudes[found[0]]) if len(found) else 0j

    @property
    def dataframe(self) -> pandas.DataFrame:
        """A row for each basis state with an amplitude above 1e-12, by ascending index.

        The columns are the outputs, with their types, then amplitude, magnitude, phase (radians), probability, bitstring.
        An output that is called like one of the last five has an underscore after its name.
        """
        import pandas

        kept = np.flatnonzero(np.abs(self.amplitudes) > SHOWN)
        basis, amplitudes = self.indices[kept], self.amplitudes[kept].astype(np.complex128)
        columns: dict[str, Any] = {}
        for name, qubits in self.outputs.items():
            values, dtype = self.types.get(name, PLAIN).column(raw_values(basis, qubits), len(qubits))
            columns[name if name not in _COLUMNS else f"{name}_"] = pandas.Series(values, dtype=dtype)
        columns["amplitude"] = pandas.Series(amplitudes, dtype="complex128")
        columns["magnitude"] = np.abs(amplitudes)
        columns["phase"] = np.angle(amplitudes)
        columns["probability"] = np.abs(amplitudes) ** 2
        columns["bitstring"] = pandas.Series([self._bitstring(k) for k in basis.tolist()], dtype="str")
        return pandas.DataFrame(columns)

    def plot(self, ax: Any = None, **options: Any) -> Any:
        """Magnitudes as bars, phases as colours, in a matplotlib `Axes` (``pip install "qsim-session[plot]"``)."""
        from session.plots import plot_amplitudes

        return plot_amplitudes(self, ax, **options)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, StateVectorResult):
            return NotImplemented
        mine, theirs = self.to_dict(keep=lambda array: None), other.to_dict(keep=lambda array: None)
        same = self.amplitudes.dtype == other.amplitudes.dtype and np.array_equal(self.indices, other.indices)
        return mine == theirs and same and np.array_equal(self.amplitudes, other.amplitudes)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        kept = "" if self._indices is None else f", {len(self):,} kept of probability {self.probability:.6g}"
        return f"<StateVectorResult: {self.num_qubits} qubits{kept}>"

    def _shown(self) -> tuple[list[str], list[list[str]], str]:
        header = [*self.outputs, "amplitude", "probability", "bitstring"]
        rows = [
            [*map(shown_value, s.state.values()), f"{s.amplitude:+.6f}", f"{s.probability:.6f}", s.bitstring]
            for s, _ in zip(self._states(), range(20), strict=False)
        ]
        return header, rows, f"{self!r}"[1:-1]

    # JSON ---------------------------------------------------------------------------------------------------
    def to_dict(self, keep: Callable[[Array], Any] | None = None) -> dict[str, Any]:
        """What JSON can hold: each amplitude as [real, imaginary]; `from_dict` takes it back, bit for bit.

        Args:
            keep: for whoever stores big arrays elsewhere: called with an array, returns what stands for it here.
        """
        kept = keep or _listed
        return {
            "num_qubits": self.num_qubits,
            "dtype": self.amplitudes.dtype.name,
            "amplitudes": kept(self.amplitudes),
            "indices": None if self._indices is None else kept(self._indices),
            "outputs": {name: list(qubits) for name, qubits in self.outputs.items()},
            "types": types_to_dict(self.types),
            "metadata": dict(self.metadata),
        }

    def to_json(self) -> str:
        """`to_dict` as one line of JSON."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], find: Callable[[Any], Array] | None = None) -> StateVectorResult:
        """What `to_dict` gave; `find` gives the arrays that its `keep` stored elsewhere.

        >>> result = StateVectorResult(np.array([1 / 3, 0.1j]), 1, {"x": (0,)})
        >>> StateVectorResult.from_json(result.to_json()) == result
        True
        """
        if find is not None:
            amplitudes = find(data["amplitudes"])
            indices = None if data["indices"] is None else find(data["indices"])
        else:
            single = data["dtype"] == "complex64"
            parts = np.array(data["amplitudes"], dtype=np.float32 if single else np.float64).reshape(-1, 2)
            amplitudes = np.ascontiguousarray(parts).view(np.complex64 if single else np.complex128).reshape(-1)
            indices = None if data["indices"] is None else np.array(data["indices"], dtype=np.int64)
        outputs = {name: tuple(qubits) for name, qubits in data["outputs"].items()}
        types = types_from_dict(data["types"])
        return cls(amplitudes, int(data["num_qubits"]), outputs, types, indices, data["metadata"])

    @classmethod
    def from_json(cls, text: str) -> StateVectorResult:
        """What `to_json` gave."""
        return cls.from_dict(json.loads(text))


def _listed(array: Array) -> Any:
    if array.dtype.kind == "c":
        return np.stack([array.real, array.imag], axis=1).astype(np.float64).tolist()
    return array.tolist()

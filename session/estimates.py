"""Results that are numbers: expectation values, gradients, and the history of a minimisation. JSON both ways, exactly."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Union

import numpy as np
import numpy.typing as npt

from session.display import Shown

if TYPE_CHECKING:
    import pandas

Number = Union[float, npt.NDArray[np.float64]]
ParameterSet = dict[str, Union[float, "list[float]"]]


@dataclass(frozen=True)
class EstimationResult(Shown):
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

    @classmethod
    def from_json(cls, text: str) -> EstimationResult:
        """What `to_json` gave."""
        return cls.from_dict(json.loads(text))

    def _shown(self) -> tuple[list[str], list[list[str]], str]:
        rows = [("value", self.value), ("variance", self.variance), ("standard error", self.standard_error)]
        return ["", "estimate"], [[name, f"{number:.10g}"] for name, number in rows], ""


class GradientResult(Shown, Mapping[str, Number]):
    """Derivatives of an expectation value by name of the parameter: a float, or an array for an array parameter.

    `value` is the expectation value itself.

    >>> GradientResult({"a": 0.5}, value=1.0)["a"]
    0.5
    """

    def __init__(self, gradient: Mapping[str, Any], value: float, metadata: Mapping[str, Any] | None = None) -> None:
        self._gradient: dict[str, Number] = {
            name: np.asarray(slope, dtype=np.float64) if np.ndim(slope) else float(slope)
            for name, slope in gradient.items()
        }
        self.value = float(value)
        self.metadata = dict(metadata or {})

    def __getitem__(self, name: str) -> Number:
        return self._gradient[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._gradient)

    def __len__(self) -> int:
        return len(self._gradient)

    def __eq__(self, other: object) -> bool:
        return self.to_dict() == other.to_dict() if isinstance(other, GradientResult) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        shown = ", ".join(f"{name!r}: {_plain(slope)!r}" for name, slope in self._gradient.items())
        return f"GradientResult({{{shown}}}, value={self.value!r})"

    def to_dict(self) -> dict[str, Any]:
        """What JSON can hold; `from_dict` takes it back."""
        slopes = {name: _plain(slope) for name, slope in self._gradient.items()}
        return {"gradient": slopes, "value": self.value, "metadata": dict(self.metadata)}

    def to_json(self) -> str:
        """`to_dict` as one line of JSON."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> GradientResult:
        """What `to_dict` gave.

        >>> result = GradientResult({"a": 0.5, "p": [0.1, 1 / 3]}, value=1.0)
        >>> GradientResult.from_dict(result.to_dict()) == result
        True
        """
        return cls(data["gradient"], data["value"], data["metadata"])

    @classmethod
    def from_json(cls, text: str) -> GradientResult:
        """What `to_json` gave."""
        return cls.from_dict(json.loads(text))

    def _shown(self) -> tuple[list[str], list[list[str]], str]:
        rows = [[name, str(_plain(slope))] for name, slope in self._gradient.items()]
        return ["parameter", "derivative"], rows, f"value {self.value:.10g}"


class MinimizationResult(Shown, list[tuple[float, ParameterSet]]):
    """The history of a minimisation: a list of (cost, parameters), an entry an iteration, the best of all at the end.

    `metadata` tells about convergence: `converged` and the optimiser's `message`, its `method`, `iterations` and
    `evaluations` of the cost, and the backend.

    >>> found = MinimizationResult([(1.0, {"a": 0.0}), (0.5, {"a": 1.0})], {"converged": True})
    >>> found[-1], found.optimal_cost, found.optimal_parameters
    ((0.5, {'a': 1.0}), 0.5, {'a': 1.0})
    """

    def __init__(
        self, history: Iterable[tuple[float, ParameterSet]] = (), metadata: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__((float(cost), dict(parameters)) for cost, parameters in history)
        self.metadata = dict(metadata or {})

    @property
    def optimal_cost(self) -> float:
        """The lowest cost that was found."""
        return self[-1][0]

    @property
    def optimal_parameters(self) -> ParameterSet:
        """The parameters that gave it; a set as `sample` and `estimate` take it."""
        return self[-1][1]

    @property
    def costs(self) -> list[float]:
        """The cost after each iteration."""
        return [cost for cost, _ in self]

    @property
    def converged(self) -> bool:
        """Whether the optimiser stopped by its tolerance, and not at the limit of iterations."""
        return bool(self.metadata.get("converged", False))

    @property
    def dataframe(self) -> pandas.DataFrame:
        """A row an iteration: the cost, then a column for each parameter (each element of an array)."""
        import pandas

        flat = []
        for cost, parameters in self:
            row: dict[str, float] = {"cost": cost}
            for name, value in parameters.items():
                if isinstance(value, list):
                    row.update({f"{name}[{k}]": entry for k, entry in enumerate(value)})
                else:
                    row[name] = value
            flat.append(row)
        return pandas.DataFrame(flat, dtype="float64").rename_axis("iteration")

    def plot(self, ax: Any = None, **options: Any) -> Any:
        """The cost by iteration, and the best so far, as a matplotlib `Axes` (``pip install "qsim-session[plot]"``)."""
        from session.plots import plot_convergence

        return plot_convergence(self, ax, **options)

    def __repr__(self) -> str:
        if not self:
            return "MinimizationResult([])"
        state = "converged" if self.converged else "not converged"
        return f"<MinimizationResult: cost {self.optimal_cost:.10g}, {len(self)} entries, {state}>"

    def _shown(self) -> tuple[list[str], list[list[str]], str]:
        rows = [[str(k), f"{cost:.10g}", str(parameters)] for k, (cost, parameters) in enumerate(self)]
        return ["iteration", "cost", "parameters"], rows[-10:], f"{self!r}"[1:-1]

    def to_dict(self) -> dict[str, Any]:
        """What JSON can hold; `from_dict` takes it back."""
        return {"history": [[cost, dict(parameters)] for cost, parameters in self], "metadata": dict(self.metadata)}

    def to_json(self) -> str:
        """`to_dict` as one line of JSON."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> MinimizationResult:
        """What `to_dict` gave.

        >>> found = MinimizationResult([(1 / 3, {"p": [0.0, 0.1]})], {"converged": True})
        >>> again = MinimizationResult.from_json(found.to_json())
        >>> again == found, again.metadata == found.metadata
        (True, True)
        """
        return cls([(cost, parameters) for cost, parameters in data["history"]], data["metadata"])

    @classmethod
    def from_json(cls, text: str) -> MinimizationResult:
        """What `to_json` gave."""
        return cls.from_dict(json.loads(text))


def _plain(number: Number) -> float | list[float]:
    if not isinstance(number, np.ndarray):
        return number
    values: list[float] = number.tolist()
    return values

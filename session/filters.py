"""Conditions on outputs, as plain data: the raw integers that an output may hold (or may not)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qsim.errors import suggestion
from session.errors import SessionError
from session.outputs import PLAIN, OutputType, raw_values

#: A condition given as a function is asked once for each value of its output, up to this many bits.
MAX_CONDITION_BITS = 20


@dataclass(frozen=True)
class StateFilter:
    """Lets a basis state through when the output's raw integer is one of `raw`, or none of them with `excluded`.

    >>> StateFilter("x", (1, 2)).passes(np.array([0, 1, 2, 3]), (0, 1)).tolist()
    [False, True, True, False]
    """

    output: str
    raw: tuple[int, ...]
    excluded: bool = False

    def passes(self, values: npt.NDArray[Any], bits: Sequence[int]) -> npt.NDArray[np.bool_]:
        """For basis states as integers, whether each passes; `bits` are the positions of the output's bits."""
        own = raw_values(values, bits)
        if own.dtype == object:
            wanted = set(self.raw)
            found = np.array([entry in wanted for entry in own], dtype=bool)
        else:
            found = np.isin(own, np.array(self.raw, dtype=np.int64))
        return ~found if self.excluded else found

    def to_dict(self) -> dict[str, Any]:
        """What JSON can hold."""
        return {"output": self.output, "raw": list(self.raw), "excluded": self.excluded}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> StateFilter:
        """What `to_dict` gave."""
        return cls(str(data["output"]), tuple(map(int, data["raw"])), bool(data["excluded"]))


def output_named(name: Any, outputs: Mapping[str, tuple[int, ...]]) -> tuple[int, ...]:
    """The bits of an output, or an error that lists what there is."""
    if name not in outputs:
        known = ", ".join(outputs) or "none"
        raise SessionError(f"There is no output {name!r}.{suggestion(str(name), outputs)} There is {known}.")
    return outputs[name]


def read_filter(
    name: str, condition: Any, outputs: Mapping[str, tuple[int, ...]], types: Mapping[str, OutputType]
) -> StateFilter:
    """A filter out of what a caller gave for an output.

    Args:
        name: the output.
        condition: a value, a collection of values, or a function of the value that says whether it may be; the function
            is called once for each possible value, so that the filter is plain data.
        outputs: bits of the outputs.
        types: of those that are not unsigned integers.

    >>> read_filter("x", lambda x: x > 1, {"x": (0, 1)}, {})
    StateFilter(output='x', raw=(2, 3), excluded=False)
    """
    size, kind = len(output_named(name, outputs)), types.get(name, PLAIN)
    if callable(condition):
        if size > MAX_CONDITION_BITS:
            raise SessionError(
                f"A condition that is a function is asked for every value of its output, of at most {MAX_CONDITION_BITS} "
                f"bits; '{name}' has {size}. Give the values themselves."
            )
        allowed = _asked(condition, size, kind)
        passed = np.flatnonzero(allowed)
        excluded = len(passed) > len(allowed) // 2
        listed = np.flatnonzero(~allowed) if excluded else passed
        return StateFilter(name, tuple(listed.tolist()), excluded)
    values: Iterable[Any] = [condition]
    if isinstance(condition, (set, frozenset, range)) or (
        kind.length is None and isinstance(condition, (list, tuple, np.ndarray))
    ):
        values = condition
    elif kind.length is not None and isinstance(condition, (list, tuple)) and condition:
        values = condition if isinstance(condition[0], (list, tuple)) else [condition]
    try:
        return StateFilter(name, tuple(dict.fromkeys(kind.raw(value, size) for value in values)))
    except SessionError as error:
        raise SessionError(f"The filter on output '{name}' has no such value: {error}") from None


def _asked(condition: Callable[[Any], Any], size: int, kind: OutputType) -> npt.NDArray[np.bool_]:
    return np.array([bool(condition(kind.value(raw, size))) for raw in range(1 << size)], dtype=bool)

"""`Counts`: how often each outcome of the classical bits occurred."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from qsim.circuit import Register
from qsim.errors import QsimError, suggestion


class Counts(Mapping[str, int]):
    """A mapping from bitstring to the number of shots that gave it, in ascending order of outcome.

    The rightmost character is classical bit 0; of several registers the first declared is the rightmost. Nobody
    needs to count characters: `array` has a column for each bit, `of_register` the counts of one register.

    >>> counts = Counts([0, 3], [6, 4], 2, [Register("c", (0, 1))], seed=1)
    >>> counts
    {'00': 6, '11': 4}
    >>> counts["11"], counts.shots, counts.most_common(1)
    (4, 10, [('00', 6)])
    """

    __slots__ = ("_index", "frequencies", "num_bits", "registers", "seed", "values_")

    def __init__(
        self,
        values: Sequence[int] | npt.NDArray[Any],
        frequencies: Sequence[int] | npt.NDArray[Any],
        num_bits: int,
        registers: Sequence[Register],
        seed: int | None,
    ) -> None:
        self.values_ = values
        #: Shots of each distinct outcome, shape (outcomes,).
        self.frequencies: npt.NDArray[np.int64] = np.asarray(frequencies, dtype=np.int64)
        #: Classical bits in an outcome.
        self.num_bits = num_bits
        #: The circuit's classical registers by name.
        self.registers = {register.name: register for register in registers}
        #: The seed that gives the same counts again.
        self.seed = seed
        self._index: dict[str, int] | None = None

    @property
    def shots(self) -> int:
        """How many shots there were."""
        return int(self.frequencies.sum())

    @property
    def outcomes(self) -> list[int]:
        """The distinct outcomes as integers, bit k being classical bit k."""
        return [int(value) for value in self.values_]

    @property
    def array(self) -> npt.NDArray[np.uint8]:
        """The distinct outcomes as bits, shape (outcomes, bits); column k is classical bit k.

        >>> Counts([1], [5], 2, [], None).array
        array([[1, 0]], dtype=uint8)
        """
        values = np.asarray(self.values_, dtype=np.int64 if self.num_bits <= 62 else object)
        result = np.zeros((len(values), self.num_bits), dtype=np.uint8)
        for bit in range(self.num_bits):
            result[:, bit] = (values >> bit) & 1
        return result

    def of_register(self, name: str) -> Counts:
        """The counts of one register's bits alone.

        >>> registers = [Register("a", (0,)), Register("b", (1,))]
        >>> Counts([0, 1, 3], [1, 2, 3], 2, registers, None).of_register("a")
        {'0': 1, '1': 5}
        """
        if name not in self.registers:
            raise QsimError(
                f"There is no classical register '{name}'.{suggestion(name, self.registers)} There is "
                f"{', '.join(self.registers) or 'none'}."
            )
        register = self.registers[name]
        totals: dict[int, int] = {}
        for value, frequency in zip(self.outcomes, self.frequencies.tolist(), strict=True):
            part = sum(((value >> bit) & 1) << k for k, bit in enumerate(register.indices))
            totals[part] = totals.get(part, 0) + frequency
        keys = sorted(totals)
        indices = tuple(range(len(register)))
        return Counts(keys, [totals[key] for key in keys], len(register), [Register(name, indices)], self.seed)

    def most_common(self, number: int | None = None) -> list[tuple[str, int]]:
        """The outcomes with the most shots first; ties in ascending order of outcome."""
        order = np.argsort(-self.frequencies, kind="stable")[:number]
        return [(self._key(int(self.values_[k])), int(self.frequencies[k])) for k in order]

    def probabilities(self) -> dict[str, float]:
        """Each outcome's share of the shots."""
        shots = self.shots
        return {key: count / shots for key, count in self.items()}

    def _key(self, value: int) -> str:
        return format(value, f"0{self.num_bits}b") if self.num_bits else ""

    def _lookup(self) -> dict[str, int]:
        if self._index is None:
            self._index = {self._key(v): f for v, f in zip(self.outcomes, self.frequencies.tolist(), strict=True)}
        return self._index

    def __getitem__(self, bitstring: str) -> int:
        return self._lookup()[bitstring]

    def __iter__(self) -> Iterator[str]:
        return iter(self._lookup())

    def __len__(self) -> int:
        return len(self.values_)

    def __repr__(self) -> str:
        return repr(self._lookup())

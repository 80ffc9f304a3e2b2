"""`Counts`: how often each outcome of the classical bits occurred."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from qsim.bits import NARROW, as_integers, distinct, from_integers, pack, unpack
from qsim.circuit import Register
from qsim.errors import QsimError, suggestion
from qsim.measured import move_bits


class Counts(Mapping[str, int]):
    """A mapping from bitstring to the number of shots that gave it, in ascending order of outcome.

    The rightmost character is classical bit 0; of several registers the first declared is the rightmost. Nobody
    needs to count characters: `array` has a column for each bit, `of_register` the counts of one register.

    >>> counts = Counts([0, 3], [6, 4], 2, [Register("c", (0, 1))], seed=1)
    >>> counts
    {'00': 6, '11': 4}
    >>> counts["11"], counts.shots, counts.most_common(1)
    (4, 10, [('00', 6)])

    `values` are integers, ascending, or packed rows of `qsim.bits` for outcomes of any width. `metadata` says how the
    counts were made: the method, and for matrix-product states the truncation error.
    """

    __slots__ = (
        "_index", "_keeps_shots", "_order", "_rows", "frequencies", "metadata", "num_bits", "registers", "seed", "values_",
    )  # fmt: skip

    def __init__(
        self,
        values: Sequence[int] | npt.NDArray[Any],
        frequencies: Sequence[int] | npt.NDArray[Any],
        num_bits: int,
        registers: Sequence[Register],
        seed: int | None,
        *,
        memory: bool = False,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        rows = values if isinstance(values, np.ndarray) and values.ndim == 2 else None
        if rows is None and num_bits > NARROW:
            rows = from_integers(values.tolist() if isinstance(values, np.ndarray) else values, num_bits)
        #: Outcomes of more than 62 bits as packed rows, shape (outcomes, bytes); else None.
        self._rows: npt.NDArray[np.uint8] | None = rows
        self.values_: Any = values if rows is None else range(len(rows))
        #: Shots of each distinct outcome, shape (outcomes,).
        self.frequencies: npt.NDArray[np.int64] = np.asarray(frequencies, dtype=np.int64)
        #: Classical bits in an outcome.
        self.num_bits = num_bits
        #: The circuit's classical registers by name.
        self.registers = {register.name: register for register in registers}
        #: The seed that gives the same counts again.
        self.seed = seed
        #: How the counts were made.
        self.metadata: dict[str, Any] = dict(metadata or {})
        self._index: dict[str, int] | None = None
        self._keeps_shots = memory
        self._order: npt.NDArray[np.int64] | None = None

    @property
    def shots(self) -> int:
        """How many shots there were."""
        return int(self.frequencies.sum())

    @property
    def outcomes(self) -> list[int]:
        """The distinct outcomes as integers, bit k being classical bit k."""
        if self._rows is not None:
            return as_integers(self._rows)
        return self.values_.tolist() if isinstance(self.values_, np.ndarray) else [int(value) for value in self.values_]

    @property
    def array(self) -> npt.NDArray[np.uint8]:
        """The distinct outcomes as bits, shape (outcomes, bits); column k is classical bit k.

        >>> Counts([1], [5], 2, [], None).array
        array([[1, 0]], dtype=uint8)
        """
        if self._rows is not None:
            return unpack(self._rows, self.num_bits)
        values = np.asarray(self.values_, dtype=np.int64)
        result = np.zeros((len(values), self.num_bits), dtype=np.uint8)
        for bit in range(self.num_bits):
            result[:, bit] = (values >> bit) & 1
        return result

    @property
    def bit_array(self) -> npt.NDArray[np.uint8]:
        """Each shot's outcome as bits, shape (shots, bits); column k is classical bit k. Needs ``memory=True``.

        >>> Counts([1, 2], [2, 1], 2, [], 1, memory=True).bit_array.sum(axis=0)
        array([2, 1], dtype=uint64)
        """
        return self.array[self._shots_in_order()]

    @property
    def memory(self) -> list[str]:
        """Each shot's outcome as a bitstring, in the order of the shots. Needs ``memory=True``.

        >>> sorted(Counts([1, 2], [2, 1], 2, [], 1, memory=True).memory)
        ['01', '01', '10']
        """
        keys = self._keys()
        return [keys[k] for k in self._shots_in_order().tolist()]

    def _shots_in_order(self) -> npt.NDArray[np.int64]:
        """The outcome, by its place in `outcomes`, of each shot, shape (shots,): a permutation that the seed makes.

        Independent shots are exchangeable: given the counts, every order of them is as likely as any other.
        """
        if not self._keeps_shots:
            raise QsimError("The order of the shots was not asked for. Sample with memory=True.")
        if self._order is None:
            order = np.repeat(np.arange(len(self.values_), dtype=np.int64), self.frequencies)
            # A key of 128 bits that no other draw has: theirs end in 64 zeros.
            np.random.Generator(np.random.Philox(key=(1 << 64) + (self.seed or 0))).shuffle(order)
            self._order = order
        return self._order

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
        own = Register(name, tuple(range(len(register))))
        return self._marginal(register.indices, [own])

    def marginal(self, clbits: Sequence[int]) -> Counts:
        """The counts of some classical bits alone, the first as the rightmost character.

        Raises:
            QsimError: for a bit that is not there or is named twice.

        >>> Counts([0, 1, 3], [1, 2, 3], 2, [], None).marginal([1])
        {'0': 3, '1': 3}
        """
        bits = list(clbits)
        for bit in bits:
            if isinstance(bit, (bool, np.bool_)) or not isinstance(bit, (int, np.integer)):
                raise QsimError(f"A classical bit is given by its number, got {bit!r}.")
            if not 0 <= bit < self.num_bits:
                raise QsimError(f"There is no classical bit {bit}: the outcomes have {self.num_bits} bits, from 0 on.")
        if len(set(bits)) != len(bits):
            raise QsimError(f"Each classical bit is asked for once, got {bits}.")
        return self._marginal(bits, [Register("c", tuple(range(len(bits))))] if bits else [])

    def _marginal(self, bits: Sequence[int], registers: Sequence[Register]) -> Counts:
        if self._rows is not None:
            wide, frequencies = distinct(pack(self.array[:, list(bits)]), self.frequencies)
            values: Any = wide if len(bits) > NARROW else as_integers(wide)
        else:
            pairs = [(int(bit), k) for k, bit in enumerate(bits)]
            values, frequencies = move_bits(np.asarray(self.values_, dtype=np.int64), self.frequencies, pairs)
        return Counts(values, frequencies, len(bits), registers, self.seed, metadata=self.metadata)

    def most_common(self, number: int | None = None) -> list[tuple[str, int]]:
        """The outcomes with the most shots first; ties in ascending order of outcome."""
        order = np.argsort(-self.frequencies, kind="stable")[:number]
        if self._rows is not None:
            chosen = Counts(self._rows[order], self.frequencies[order], self.num_bits, [], None)
            return list(zip(chosen._keys(), chosen.frequencies.tolist(), strict=True))
        return [(self._key(int(self.values_[k])), int(self.frequencies[k])) for k in order]

    def probabilities(self) -> dict[str, float]:
        """Each outcome's share of the shots."""
        shots = self.shots
        return {key: count / shots for key, count in self.items()}

    def _key(self, value: int) -> str:
        return format(value, f"0{self.num_bits}b") if self.num_bits else ""

    def _keys(self) -> list[str]:
        """The bitstrings of the distinct outcomes; those of many outcomes by way of an array of characters."""
        if self._rows is None and (len(self.values_) < 1000 or not self.num_bits):
            return [self._key(value) for value in self.outcomes]
        letters = np.ascontiguousarray(self.array[:, ::-1]) + np.uint8(ord("0"))
        text = letters.tobytes().decode("ascii")
        return [text[k : k + self.num_bits] for k in range(0, len(text), self.num_bits)]

    def _lookup(self) -> dict[str, int]:
        if self._index is None:
            self._index = dict(zip(self._keys(), self.frequencies.tolist(), strict=True))
        return self._index

    def __getitem__(self, bitstring: str) -> int:
        return self._lookup()[bitstring]

    def __iter__(self) -> Iterator[str]:
        return iter(self._lookup())

    def __len__(self) -> int:
        return len(self.values_)

    def __repr__(self) -> str:
        return repr(self._lookup())

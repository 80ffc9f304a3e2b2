"""How ranks talk: the few calls that a transport has to offer, and what a run makes of them.

Every call but `exchange` is collective: all ranks make it, in the same order. Errors are agreed on, so that a rank that
fails takes the others with it and nobody waits for a message that never comes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn, Protocol

import numpy as np
import numpy.typing as npt

from qsim.errors import (
    CircuitError,
    MemoryLimitError,
    ParameterError,
    QsimError,
    RankError,
    RunCancelled,
)

Array = npt.NDArray[Any]
#: Bytes that one collective message holds at most.
PIECE = 1 << 26
_KINDS = {
    kind.__name__: kind for kind in (QsimError, CircuitError, ParameterError, MemoryLimitError, RankError, RunCancelled)
}


class Transport(Protocol):
    """What carries messages between ranks."""

    @property
    def rank(self) -> int:
        """The number of this rank, from 0."""
        ...

    @property
    def size(self) -> int:
        """How many ranks there are."""
        ...

    def exchange(self, peer: int, send: Array, receive: Array) -> None:
        """Send one contiguous array to a peer that does the same, and receive as large a one; fewer than 2**31 elements."""
        ...

    def gather(self, data: bytes) -> list[bytes]:
        """The data of every rank, on every rank, in rank order; a few MiB at most."""
        ...

    def abort(self, message: str) -> NoReturn:
        """End all ranks now: this one failed where the others cannot know."""
        ...


class Ranks:
    """A run's view of its transport: blocks in place, sums, agreement, and a count of what is sent.

    Args:
        transport: between 2**k ranks.
        chunk: amplitudes in a message.

    Raises:
        RankError: the number of ranks is no power of two. Every rank raises it.

    Attributes:
        bytes_sent, messages_sent: of amplitudes that this rank has sent in exchanges.
        agreed: the last error that all ranks have raised.
    """

    def __init__(self, transport: Transport, chunk: int) -> None:
        self.transport, self.chunk = transport, chunk
        self.bytes_sent = self.messages_sent = 0
        self.agreed: BaseException | None = None
        size = transport.size
        if size & (size - 1):
            lower = 1 << (size.bit_length() - 1)
            raise RankError(f"The number of ranks is a power of two, got {size}. Start {lower} or {2 * lower} ranks.")

    @property
    def rank(self) -> int:
        """The number of this rank."""
        return self.transport.rank

    @property
    def size(self) -> int:
        """How many ranks there are."""
        return self.transport.size

    # amplitudes -----------------------------------------------------------------------------------------------
    def room(self, dtype: Any, block: int) -> Array:
        """Memory to receive a message in, for blocks of so many amplitudes."""
        return np.empty(min(block, self.chunk), dtype=dtype)

    def swap(self, peer: int, block: Array, room: Array) -> None:
        """Exchange a block of amplitudes with a peer, in place, message by message."""
        for start in range(0, len(block), len(room)):
            piece = block[start : start + len(room)]
            self.fetch(peer, piece, room[: len(piece)])
            piece[:] = room[: len(piece)]

    def fetch(self, peer: int, send: Array, receive: Array) -> None:
        """Exchange one message with a peer."""
        self.transport.exchange(peer, send, receive)
        self.bytes_sent += send.nbytes
        self.messages_sent += 1

    # small things ---------------------------------------------------------------------------------------------
    def sum(self, values: Array) -> Array:
        """The sum over ranks of arrays of one shape, added in rank order: the same on every rank, to the bit."""
        flat = np.ascontiguousarray(values).reshape(-1)
        total = np.zeros_like(flat)
        step = max(1, PIECE // (flat.itemsize * self.size))
        for start in range(0, len(flat), step):
            piece = flat[start : start + step]
            for part in self.transport.gather(piece.tobytes()):
                total[start : start + step] += np.frombuffer(part, flat.dtype)
        return total.reshape(values.shape)

    def concatenate(self, values: Array) -> list[Array]:
        """The arrays of every rank, of any length, on every rank."""
        lengths = [int.from_bytes(part, "little") for part in self.transport.gather(len(values).to_bytes(8, "little"))]
        step = max(1, PIECE // (values.itemsize * self.size))
        found: list[list[Array]] = [[] for _ in lengths]
        for start in range(0, max(lengths), step):
            parts = self.transport.gather(np.ascontiguousarray(values[start : start + step]).tobytes())
            for own, part in zip(found, parts, strict=True):
                own.append(np.frombuffer(part, values.dtype))
        return [np.concatenate([values[:0], *own]) for own in found]

    def from_first(self, data: Any) -> Any:
        """What rank 0 gives, anything that JSON holds, on every rank."""
        return json.loads(self.transport.gather(json.dumps(data).encode() if self.rank == 0 else b"")[0])

    # agreement ------------------------------------------------------------------------------------------------
    def agree(self, error: BaseException | None = None) -> None:
        """Raise on every rank if any rank has an error.

        Raises:
            QsimError: of the kind of the first one, with its message and the rank that it came from.
        """
        mine = b"" if error is None else json.dumps([_kind(error), _message(error)]).encode()
        found = enumerate(self.transport.gather(mine))
        self._raise_first([(rank, json.loads(text)) for rank, text in found if text], error)

    def check_same(
        self, facts: Mapping[str, str], rules: Mapping[str, str], error: BaseException | None = None
    ) -> None:
        """Raise on every rank unless all have the same facts and none an error; one message, whatever ranks came with.

        Args:
            facts: those of this rank.
            rules: what each fact is about; those before "program" come before errors, the others after them.

        Raises:
            RankError: with the rule, what two ranks have, and what to do.
            QsimError: as `agree`.
        """
        mine = {"facts": dict(facts), "error": None if error is None else [_kind(error), _message(error)]}
        found = [json.loads(text) for text in self.transport.gather(json.dumps(mine).encode())]
        for name, rule in rules.items():
            if name == "program":
                self._raise_first([(rank, one["error"]) for rank, one in enumerate(found) if one["error"]], error)
            values = [str(one["facts"].get(name)) for one in found]
            other = next((rank for rank, value in enumerate(values) if value != values[0]), None)
            if other is not None:
                self.agreed = RankError(rule.format(first=values[0], rank=other, other=values[other]))
                raise self.agreed
        self._raise_first([(rank, one["error"]) for rank, one in enumerate(found) if one["error"]], error)

    def _raise_first(self, failed: list[tuple[int, list[str]]], own: BaseException | None) -> None:
        if not failed:
            return
        rank, (kind, message) = failed[0]
        everywhere = len(failed) == self.size and all(found == [kind, message] for _, found in failed)
        if everywhere and isinstance(own, QsimError):
            self.agreed = own
            raise own
        self.agreed = _KINDS[kind](message if everywhere else f"Rank {rank} of {self.size}: {message}")
        raise self.agreed from own


def _kind(error: BaseException) -> str:
    return next((name for name, kind in reversed(_KINDS.items()) if type(error) is kind), "RankError")


def _message(error: BaseException) -> str:
    if isinstance(error, QsimError):
        return str(error)
    if isinstance(error, MemoryError):
        return "There is not enough memory for this. Use more ranks, or single precision."
    return f"{type(error).__name__}: {error}"

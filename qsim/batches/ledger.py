"""Which sets of a batch are done, which are to be sent next, and how many make a block of reasonable length."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from qsim.batches.worker import Part

#: Seconds of work that a block has, if so many sets are left: a task costs some milliseconds on the way, of a process that
#: has to serve all workers; so for more than so many workers, blocks are longer.
BLOCK_SECONDS, WORKERS = 0.5, 16
#: No block has less, unless there are no more sets: nor has a pilot, which finds out how long a set takes.
LEAST_SECONDS = 0.1
#: Sets of one block, and of a pilot: more are not worth their way.
MOST_SETS, MOST_IN_A_PILOT = 1 << 16, 1 << 12


_FEW = 8
_WAITING, _SENT, _DONE = 0, 1, 2


class Ledger:
    """The sets of one batch.

    Args:
        sets: how many there are.
        most: sets that a block may have, because of the memory that they or their results take.

    >>> ledger = Ledger(10)
    >>> ledger.next_block(2)
    (0, 5, True)
    >>> ledger.timed(0.4, 2)
    >>> ledger.add((0, 2, "", {})), ledger.add((0, 2, "", {}))
    (True, False)
    >>> ledger.give_back(0, 5)
    >>> ledger.next_block(2), ledger.left
    ((2, 4, False), 8)
    """

    def __init__(self, sets: int, most: int = MOST_SETS) -> None:
        self._parts: dict[int, Part] = {}
        self._state = np.zeros(sets, dtype=np.uint8)
        self._from = 0  # no set before this one is waiting
        self._most = max(1, min(most, MOST_SETS))
        self._seconds, self._timed = 0.0, 0
        #: Sets without a result.
        self.left = sets
        #: Results that came a second time and were dropped.
        self.dropped = 0

    @property
    def sets(self) -> int:
        """How many sets there are."""
        return len(self._state)

    @property
    def is_timed(self) -> bool:
        """Whether it is known how long a set takes."""
        return self._timed > 0

    def timed(self, seconds: float, sets: int) -> None:
        """Note how long some sets took; what was long ago counts less."""
        if self._timed > 64 * sets:
            self._seconds, self._timed = self._seconds / 2, self._timed // 2
        self._seconds, self._timed = self._seconds + seconds, self._timed + sets

    def next_block(self, workers: int) -> tuple[int, int, bool] | None:
        """First set, set after the last and whether it is a pilot, of what to send next; None if all of it is sent."""
        start = _first(self._state == _WAITING, self._from)
        self._from = start
        if start == self.sets:
            return None
        size, rest = self._sizes(workers)
        is_pilot = not self.is_timed
        stop = _first(self._state[: start + size + rest + 1] != _WAITING, start)
        if not is_pilot and stop - start <= min(size + rest, self._most):  # what would be left of it is too short
            size = stop - start
        stop = min(start + size, stop)
        self._state[start:stop] = _SENT
        return start, stop, is_pilot

    def _sizes(self, workers: int) -> tuple[int, int]:
        """Sets for `BLOCK_SECONDS`, fewer when otherwise some workers had nothing to do; and for `LEAST_SECONDS`."""
        if not self.is_timed:
            waiting = int(np.count_nonzero(self._state == _WAITING))
            fair = math.ceil(waiting / max(workers, 1))  # of few sets, which may be long
            return max(1, min(self._most, MOST_IN_A_PILOT, waiting // 2 if fair > _FEW else fair)), 0
        each = self._seconds / self._timed + 1e-12
        least = math.ceil(LEAST_SECONDS / each)
        fair = max(least, math.ceil(self.left / (2 * max(workers, 1))))
        whole = math.ceil(BLOCK_SECONDS * max(1.0, workers / WORKERS) / each)
        return max(1, min(whole, fair, self._most)), least - 1

    def give_back(self, start: int, stop: int) -> None:
        """What was sent and has no result is to be sent again."""
        own = self._state[start:stop]
        own[own == _SENT] = _WAITING
        self._from = min(self._from, start)

    def add(self, part: Part) -> bool:
        """Take results; False, and nothing changes, when there are results for some of these sets already."""
        start, count = part[:2]
        if start < 0 or count < 1 or start + count > self.sets or (self._state[start : start + count] == _DONE).any():
            self.dropped += 1
            return False
        self._state[start : start + count] = _DONE
        self._parts[start] = part
        self.left -= count
        return True

    def in_order(self) -> list[Part]:
        """All results, once each set has one."""
        assert not self.left
        return [self._parts[start] for start in sorted(self._parts)]


def _first(holds: npt.NDArray[np.bool_], at: int) -> int:
    """The first place from `at` on that holds, or the length."""
    found = int(np.argmax(holds[at:])) if at < len(holds) else 0
    return at + found if at < len(holds) and holds[at + found] else len(holds)

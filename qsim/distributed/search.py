"""Which qubits to hold globally, and when to exchange them: a search for little communication.

Between two exchanges runs everything that can: see `runnable`. An exchange that brings m qubits in costs every rank all
but 2**-m of its amplitudes, so bringing several in at once is cheap. Which ones go out follows Belady's rule ("A study of
replacement algorithms for a virtual-storage computer", IBM Systems Journal 5, 1966), those that are needed last; from
there a beam search tries to do better. It is deterministic: its budget is counted in blocks looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple

from qsim.distributed.blocks import Block, bits_of, mask_of

#: Blocks that a search may look at in all; about two seconds' worth. After that only Belady's rule is followed.
BUDGET = 8_000_000
#: Plans that are followed side by side, and sets of global wires tried from each.
BEAM, TRIED = 16, 12
#: Wires that an exchange of two candidates looks at, by how late they are needed.
NEAR = 8


class Rest(NamedTuple):
    """Blocks that are yet to run: some, ascending, and all from `tail` on; none is copied that nothing has looked at."""

    some: list[int]
    tail: int


@dataclass(frozen=True, eq=False)
class Stage:
    """What runs while the wires of `away` are global.

    Attributes:
        away: mask of the global wires.
        runs: blocks that run, in order.
        left: what remains after it.
        cost: amplitudes that a rank has sent so far, as a share of what it holds.
        before: the stage before, or None for the first.
        start: blocks on global wires alone that came before everything else; in the first stage only.
    """

    away: int
    runs: list[int]
    left: Rest
    cost: float
    before: Stage | None
    start: list[int] = field(default_factory=list)

    def path(self) -> list[Stage]:
        """All stages up to this one, first one first."""
        stages: list[Stage] = []
        stage: Stage | None = self
        while stage is not None:
            stages.append(stage)
            stage = stage.before
        return stages[::-1]


def share(exchanged: int) -> float:
    """The share of its amplitudes that a rank sends when so many qubits change places at once.

    >>> share(1), share(3)
    (0.5, 0.875)
    """
    return 1.0 - 0.5**exchanged


class Search:
    """Looks for the stages of one circuit.

    Args:
        blocks: of the circuit.
        num_wires, num_global: how many there are, and how many of them are global at any time.
        home: global wires that the end wants, or None where wires only have to stay out of `keep`.
        keep: wires that have to be local at the end.
    """

    def __init__(
        self, blocks: Sequence[Block], num_wires: int, num_global: int, home: int | None = None, keep: int = 0
    ) -> None:
        self.active = [block.active for block in blocks]
        self.passive = [block.passive for block in blocks]
        self.num_wires, self.num_global = num_wires, num_global
        self.everything = (1 << num_wires) - 1
        self.home, self.keep = home, keep
        self.looked = 0

    def stages(self, away: int | None) -> list[Stage]:
        """The best stages found; the first begins with the wires of `away` global, or with those that suit best."""
        everything = Rest([], 0)
        if away is None:
            firsts = self._first_stages(everything)
        else:
            runs, left = self.runnable(everything, away)
            firsts = [Stage(away, runs, left, 0.0, None)]
        best = self._follow(firsts[:1], 1, 0.0, float("inf"))
        assert best is not None
        if self.num_global and best.cost:
            rate = best.cost / max(1, len(self.active))
            better = self._follow(firsts, BEAM, rate, best.cost + self._ending(best))
            best = better or best
        return best.path()

    def count(self, rest: Rest) -> int:
        """How many blocks are left."""
        return len(rest.some) + len(self.active) - rest.tail

    def _blocks(self, rest: Rest) -> Iterable[int]:
        return chain(rest.some, range(rest.tail, len(self.active)))

    def runnable(self, rest: Rest, away: int) -> tuple[list[int], Rest]:
        """Split blocks into those that run while `away` is global, and the others, both in order.

        A block may overtake one that waits unless they share a wire that is active in either.
        """
        active, passive, everything = self.active, self.passive, self.everything
        runs: list[int] = []
        left: list[int] = []
        waiting_on = waiting_off = looked = 0
        for k in self._blocks(rest):
            looked += 1
            on, off = active[k], passive[k]
            if not (on & (away | waiting_on | waiting_off) or off & waiting_on):
                runs.append(k)
                continue
            left.append(k)
            waiting_on |= on
            waiting_off |= off
            if waiting_on == everything:
                break
        self.looked += looked + 16
        left.extend(rest.some[looked:])
        return runs, Rest(left, rest.tail + max(0, looked - len(rest.some)))

    def _first(self, away: int) -> Stage:
        """The first stage of a circuit on |0...0>: what acts on global wires alone needs no exchange there."""
        start: list[int] = []
        before: list[int] = []
        touched, k = 0, 0
        while k < len(self.active) and touched & away != away:
            wires = self.active[k] | self.passive[k]
            if wires & ~away == 0 and wires & touched == 0:
                start.append(k)
            else:
                before.append(k)
                touched |= wires
            k += 1
        runs, left = self.runnable(Rest(before, k), away)
        return Stage(away, runs, left, 0.0, None, start)

    def _first_stages(self, blocks: Rest) -> list[Stage]:
        order = self._by_need(blocks, 0)
        found: dict[int, Stage] = {}
        base = mask_of(order[: self.num_global])
        for away in self._near(base, order):
            found[away] = self._first(away)
        best = max(found.values(), key=self._done)
        for _ in range(4):
            if self.looked > BUDGET // 4:
                break
            known = len(found)
            for away in self._near(best.away, order):
                if away not in found:
                    found[away] = self._first(away)
            best = max(found.values(), key=self._done)
            if len(found) == known:
                break
        return sorted(found.values(), key=lambda stage: -self._done(stage))[: 2 * BEAM]

    def _done(self, stage: Stage) -> int:
        return -self.count(stage.left)

    def _by_need(self, blocks: Rest, away: int) -> list[int]:
        """Wires, those first that become active last; among equals those first that are global, or shall be at the end."""
        first_use: dict[int, int] = {}
        seen = 0
        for at, k in enumerate(self._blocks(blocks)):
            new = self.active[k] & ~seen
            if new:
                seen |= new
                for wire in bits_of(new):
                    first_use[wire] = at
                if seen == self.everything:
                    break
        never = self.count(blocks)

        def need(wire: int) -> tuple[int, int, int, int]:
            wanted = self.home is not None and (self.home >> wire) & 1
            return -first_use.get(wire, never), (self.keep >> wire) & 1, -((away >> wire) & 1), -int(wanted)

        return sorted(range(self.num_wires), key=need)

    def _near(self, base: int, order: list[int]) -> list[int]:
        """A set of global wires and those that differ from it in one, from near the border between kept and sent out."""
        result = [base]
        outside = [w for w in order if not (base >> w) & 1][:NEAR]
        inside = [w for w in reversed(order) if (base >> w) & 1][:NEAR]
        for new in outside:
            for old in inside:
                result.append(base & ~(1 << old) | 1 << new)
        return result

    def _next(self, stage: Stage, tried: int) -> list[Stage]:
        """The best few stages that may follow."""
        order = self._by_need(stage.left, stage.away)
        sets = [mask_of(order[: self.num_global])]
        # Bring in only the m wires that are needed soonest.
        inside = [w for w in reversed(order) if (stage.away >> w) & 1]
        outside = [w for w in order if not (stage.away >> w) & 1]
        for m in range(1, min(len(inside), len(outside)) + 1):
            sets.append(stage.away & ~mask_of(inside[:m]) | mask_of(outside[:m]))
        if self.home is not None:
            sets.append(self.home)
        if tried > 1 and self.looked < BUDGET:
            sets += self._near(sets[0], order)
        found: dict[int, Stage] = {}
        for away in sets:
            if away in found or away == stage.away:
                continue
            runs, left = self.runnable(stage.left, away)
            if runs:
                cost = stage.cost + share((away & ~stage.away).bit_count())
                found[away] = Stage(away, runs, left, cost, stage)
        ranked = sorted(found.values(), key=lambda new: (self.count(new.left), new.cost))
        if tried == 1:
            return ranked[:1]
        cheap = sorted(found.values(), key=lambda new: ((new.cost - stage.cost) / len(new.runs), new.cost))
        return list({new.away: new for new in ranked[:tried] + cheap[: tried // 2]}.values())

    def _ending(self, stage: Stage) -> float:
        """What it costs to end as the caller wants, after a stage that leaves nothing."""
        if self.home is not None:
            return share((stage.away & ~self.home).bit_count())
        return share((stage.away & self.keep).bit_count())

    def _follow(self, stages: list[Stage], width: int, rate: float, bound: float) -> Stage | None:
        """The best end of a beam search from `stages` that costs less than `bound`, or None."""
        best: Stage | None = None
        while stages:
            after: dict[tuple[int, int, int], Stage] = {}
            for stage in stages:
                if not self.count(stage.left):
                    total = stage.cost + self._ending(stage)
                    if total < bound:
                        best, bound = stage, total
                    continue
                if stage.cost + 0.5 >= bound:
                    continue
                for new in self._next(stage, TRIED if width > 1 else 1):
                    key = (new.away, new.left.tail, hash(tuple(new.left.some)))
                    if key not in after or after[key].cost > new.cost:
                        after[key] = new
            stages = sorted(after.values(), key=lambda s: (s.cost + self._ending_or_rate(s, rate), self.count(s.left)))
            if self.looked > BUDGET:
                width = 1
            stages = stages[:width]
        return best

    def _ending_or_rate(self, stage: Stage, rate: float) -> float:
        left = self.count(stage.left)
        return rate * left if left else self._ending(stage)

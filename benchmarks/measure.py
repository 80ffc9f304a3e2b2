"""The clock, and what the machine can do at best: bytes moved and fused multiply-adds a second."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numba
import numpy as np

Run = Callable[[], Any]
#: Seconds of rest before a burst: the threads of OpenMP go on spinning for some milliseconds after their work, and would
#: take the cores from whoever comes next.
REST = 0.02
#: A burst is over after so many seconds or runs; short runs need several for warm caches and a quiet moment.
BURST_SECONDS, BURST_RUNS = 0.05, 20
AMPLITUDE_BYTES = {"double": 16, "single": 8}
REALS = {"double": np.float64, "single": np.float32}


def timed(run: Run) -> tuple[float, Any]:
    """Seconds that a run takes, and its result, which is not freed while the clock runs."""
    start = time.perf_counter()
    result = run()
    return time.perf_counter() - start, result


def interleaved(ready: Mapping[str, Callable[[], Run]], rounds: int, once: frozenset[str]) -> dict[str, float]:
    """The best seconds of each contestant over `rounds` bursts, all taking turns.

    Args:
        ready: name -> what gives the next run, outside the clock.
        rounds: how many turns each has.
        once: the names of those that run a single time.
    """
    best = dict.fromkeys(ready, math.inf)
    for turn in range(rounds):
        for name, prepare in ready.items():
            if name not in once:
                best[name] = min(best[name], _burst(prepare, BURST_RUNS))
            elif turn == 0:
                best[name] = _burst(prepare, 1)
    return best


def _burst(prepare: Callable[[], Run], runs: int) -> float:
    best, total = math.inf, 0.0
    gc.collect()
    gc.disable()
    try:
        time.sleep(REST)
        for _ in range(runs):
            seconds, result = timed(prepare())
            del result
            best, total = min(best, seconds), total + seconds
            if total > BURST_SECONDS:
                break
    finally:
        gc.enable()
    return best


@cache
def bandwidth(size: int, threads: int) -> float:
    """Bytes read and written a second by passes over `size` bytes, in place, wherever so many bytes lie.

    What fits a cache is measured in that cache: a state that never leaves it is not bound by memory.
    """
    share = max(min(size, 1 << 28) // 8 // threads, 1)
    data = [np.ones(share) for _ in range(threads)]
    repeats = max((1 << 27) // (8 * share * threads), 1)
    scale = _scale()
    seconds = _best_of_all(lambda k: scale(data[k], 1.0, repeats), threads)
    return 2 * 8 * share * threads * repeats / seconds


@cache
def fma_rate(precision: str, threads: int) -> float:
    """Fused multiply-adds a second, real ones, of all threads together."""
    real = REALS[precision]
    data = [np.ones(512, real) for _ in range(threads)]
    repeats = 20_000
    fused = _fused()
    seconds = _best_of_all(lambda k: fused(data[k], real(0.5), real(0.5), repeats), threads)
    return CHAIN * len(data[0]) * repeats * threads / seconds


def _best_of_all(work: Callable[[int], None], threads: int) -> float:
    """Seconds until work(0), work(1) and so on, side by side, are all done: the best of several."""
    with ThreadPoolExecutor(threads) as pool:
        return min(timed(lambda: list(pool.map(work, range(threads))))[0] for _ in range(6))


#: Multiply-adds in a row for each element: few enough that the processor overlaps the chains of many elements.
CHAIN = 8


@cache
def _scale() -> Callable[..., None]:
    @numba.njit(nogil=True)
    def scale(data, factor, repeats):  # type: ignore[no-untyped-def]
        for _ in range(repeats):
            for i in range(len(data)):
                data[i] *= factor

    return scale  # type: ignore[no-any-return]


@cache
def _fused() -> Callable[..., None]:
    @numba.njit(nogil=True, fastmath={"contract"})
    def fused(data, factor, term, repeats):  # type: ignore[no-untyped-def]
        for _ in range(repeats):
            for i in range(len(data)):
                value = data[i]
                for _ in range(CHAIN):
                    value = value * factor + term
                data[i] = value

    return fused  # type: ignore[no-any-return]

"""Room is reused, but never by two runs at once."""

import gc
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from qsim import workspace
from qsim.errors import QsimError
from qsim.workspace import borrow, give_back, most_kept, rooms, state_room


def test_what_was_given_back_is_lent_again():
    first = borrow(np.float64, 1000)
    give_back(first)
    assert borrow(np.float64, 900) is first


def test_a_run_inside_another_gets_its_own():
    with rooms(np.float32, 100, 2) as (a, b), rooms(np.float32, 100, 1) as (c,):
        assert not any(np.shares_memory(x, y) for x, y in ((a, b), (a, c), (b, c)))
        assert len(a) == len(b) == len(c) == 100


def test_threads_have_rooms_of_their_own():
    give_back(np.empty(1000))
    mine, theirs = borrow(np.float64, 10), []
    give_back(mine)
    thread = threading.Thread(target=lambda: theirs.append(borrow(np.float64, 10)))
    thread.start()
    thread.join()
    assert not np.shares_memory(mine, theirs[0])


def test_large_ones_are_not_kept():
    large = np.empty((1 << 24) // 8 + 1)
    give_back(large)
    assert borrow(np.float64, 10) is not large


def test_rooms_begin_at_lines_of_the_cache():
    for real in (np.float32, np.float64):
        with rooms(real, 1001, 3) as some:
            assert [room.ctypes.data % 64 for room in some] == [0, 0, 0]


def fresh_address(size):
    """Where a state lies that is gone at once."""
    room = state_room(size, clear=False)
    room[:: 1 << 12] = 7
    return room.ctypes.data


def test_the_memory_of_a_state_serves_the_next_one_that_is_no_larger_and_not_much_smaller():
    size = 3 << 26  # more than is kept on systems that cannot be told to take it back
    first = fresh_address(size)
    gc.collect()
    assert len(workspace._freed) == (size <= most_kept())
    if workspace._freed:
        assert fresh_address(size) == first
        assert fresh_address(size // 2) == first
        assert len(workspace._freed[0]) == size
        fresh_address(size // 16)
        assert len(workspace._freed[0]) == size // 16
        small = state_room(size // 16, clear=False)
        state_room(2 * size, clear=False)  # never beside what was kept
        small[:] = 1
    workspace._freed.clear()


def test_two_states_never_share_memory():
    a, b = state_room(1 << 22, clear=False), state_room(1 << 22, clear=False)
    assert not np.shares_memory(a, b)
    view = a[5:9].view(np.float32)
    address = a.ctypes.data
    del a
    assert state_room(1 << 22, clear=False).ctypes.data != address  # a view keeps it
    view[:] = 1


@pytest.mark.parametrize("text", ["-1", "1 GB", "many", "1.5", "²"])
def test_a_wrong_limit_of_kept_memory_is_told(text, monkeypatch):
    monkeypatch.setenv("QSIM_KEPT_MEMORY", text)
    most_kept.cache_clear()
    try:
        with pytest.raises(QsimError, match="QSIM_KEPT_MEMORY is a whole number of bytes, got"):
            most_kept()
    finally:
        most_kept.cache_clear()


def test_no_memory_is_kept_when_told_so(monkeypatch):
    monkeypatch.setenv("QSIM_KEPT_MEMORY", "0")
    most_kept.cache_clear()
    try:
        fresh_address(1 << 22)
        gc.collect()
        assert workspace._freed == []
    finally:
        most_kept.cache_clear()


@pytest.mark.skipif(
    not hasattr(workspace.mmap, "MADV_FREE") or not Path("/proc/self/smaps_rollup").exists(),
    reason="this system cannot be told to take memory back, or does not tell what it was told",
)
def test_the_system_may_take_what_is_kept():
    size = 1 << 28
    code = f"""
from pathlib import Path
from qsim.workspace import _freed, state_room
room = state_room({size}, clear=False)
room[::4096] = 1
del room
assert len(_freed) == 1
lazy = next(line for line in Path("/proc/self/smaps_rollup").read_text().splitlines() if line.startswith("LazyFree"))
assert int(lazy.split()[1]) * 1024 >= {size}, lazy
"""
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "QSIM_KEPT_MEMORY": str(size)})

"""Room is reused, but never by two runs at once."""

import threading

import numpy as np

from qsim.workspace import borrow, give_back, rooms


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

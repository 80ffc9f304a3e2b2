"""Sharing work between threads: every index once, errors, Ctrl-C, cancelling, progress, callers at once, and forks."""

import _thread
import contextlib
import contextvars
import gc
import os
import signal
import subprocess
import sys
import threading
import time
import weakref

import numpy as np
import pytest

from qsim import QsimError, pool
from qsim.errors import RunCancelled
from qsim.pool import controlled, part, report, run_shares, thread_count

CHUNKS = [None, 1, 3, 1000]


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch):
    """Results must not depend on how many threads help; on a small machine let there be more than cores."""
    monkeypatch.setattr(pool, "available_cores", lambda: 8)


@pytest.mark.parametrize("chunk", CHUNKS)
@pytest.mark.parametrize("threads", [1, 2, 3, 8])
@pytest.mark.parametrize("total", [0, 1, 2, 3, 7, 64, 1001])
def test_every_index_is_done_once_and_workers_do_not_overlap(total, threads, chunk):
    seen, busy = [0] * total, [False] * threads

    def share(worker, start, stop):
        assert not busy[worker]
        busy[worker] = True
        for k in range(start, stop):
            seen[k] += 1
        time.sleep(0)
        busy[worker] = False

    run_shares(share, total, threads, chunk=chunk)
    assert seen == [1] * total


def test_one_thread_without_chunks_is_one_call():
    calls = []
    run_shares(lambda *call: calls.append(call), 100, 1)
    assert calls == [(0, 0, 100)]


def test_other_threads_help():
    names = set()
    met = threading.Barrier(3, timeout=30)

    def share(worker, start, stop):
        names.add(threading.current_thread())
        met.wait()

    run_shares(share, 3, 3, chunk=1)
    assert len(names) == 3 and threading.current_thread() in names


def test_calls_are_bounded_in_time():
    longest = 0

    def share(worker, start, stop):
        nonlocal longest
        longest = max(longest, stop - start)
        time.sleep(0.001 * (stop - start))

    for threads in (1, 2):
        longest = 0
        run_shares(share, 100, threads, chunk=4)
        assert longest <= 6  # 5 ms, and the slack of a rate that was measured


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("bad", [0, 5, 99])
def test_an_error_of_any_share_is_raised_and_ends_the_rest(threads, bad):
    running = [0]

    def share(worker, start, stop):
        running[0] += 1
        try:
            time.sleep(0.0005)
            if start <= bad < stop:
                raise ZeroDivisionError(bad)
        finally:
            running[0] -= 1

    for _ in range(5):
        with pytest.raises(ZeroDivisionError, match=str(bad)):
            run_shares(share, 100, threads, chunk=1)
        assert running == [0]  # nobody works on when the caller goes on
    done = []
    run_shares(lambda *_: done.append(1), 100, threads, chunk=1)
    assert done


def test_what_was_worked_on_is_freed():
    class Large:
        pass

    def once(fails):
        large = Large()

        def share(worker, start, stop, large=large):
            if fails and stop == 20:
                raise ZeroDivisionError

        with contextlib.suppress(ZeroDivisionError):
            run_shares(share, 20, 3, chunk=1)
        return weakref.ref(large)

    for fails in (False, True):
        left = once(fails)
        for _ in range(500):  # a helper may come late
            gc.collect()
            if left() is None:
                break
            time.sleep(0.01)
        assert left() is None


def test_many_callers_at_once():
    wrong = []

    def caller(seed):
        for round in range(60):
            total = 1 + (seed * 31 + round * 7) % 50
            seen = [0] * total

            def share(worker, start, stop, seen=seen):
                for k in range(start, stop):
                    seen[k] += 1

            run_shares(share, total, 1 + (seed + round) % 4, chunk=CHUNKS[round % 4])
            if seen != [1] * total:
                wrong.append((seed, round))

    callers = [threading.Thread(target=caller, args=(seed,)) for seed in range(12)]
    for thread in callers:
        thread.start()
    for thread in callers:
        thread.join(timeout=60)
        assert not thread.is_alive()
    assert not wrong


def test_a_share_may_share_itself():
    sums = [0] * 16

    def inner(k):
        def share(worker, start, stop):
            sums[k] += stop - start

        return share

    def outer(worker, start, stop):
        for k in range(start, stop):
            run_shares(inner(k), 100, 1 + k % 3, chunk=7)

    run_shares(outer, 16, 3, chunk=1)
    assert sums == [100] * 16


def test_there_are_never_more_helpers_than_cores(monkeypatch):
    monkeypatch.setattr(pool, "_pool", pool._Pool())
    monkeypatch.setattr(pool, "available_cores", lambda: 2)
    before = _thread._count()
    run_shares(lambda *_: time.sleep(0.001), 50, 16, chunk=1)
    assert _thread._count() - before == 1
    monkeypatch.setattr(pool, "_pool", pool._Pool())
    monkeypatch.setattr(pool, "available_cores", lambda: 1)
    before = _thread._count()
    run_shares(lambda *_: time.sleep(0.001), 50, 16, chunk=1)
    assert _thread._count() == before


def test_without_new_threads_the_caller_works_alone(monkeypatch):
    def refuse(*_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(pool, "_pool", pool._Pool())
    monkeypatch.setattr(pool._thread, "start_new_thread", refuse)
    seen = []
    run_shares(lambda worker, start, stop: seen.extend(range(start, stop)), 50, 4, chunk=3)
    assert seen == list(range(50))


# cancelling and progress ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_cancelling_from_another_thread(threads):
    cancel, calls = threading.Event(), []

    def share(worker, start, stop):
        calls.append(start)
        time.sleep(0.001 * (stop - start))
        if len(calls) == 20:
            threading.Thread(target=cancel.set).start()

    with pytest.raises(RunCancelled, match="cancelled"), controlled(cancel=cancel):
        run_shares(share, 100_000, threads, chunk=1)
    count = len(calls)
    assert 20 <= count < 10_000
    time.sleep(0.02)
    assert len(calls) == count  # no helper works on
    run_shares(share, 3, threads)  # no trace of it outside


def test_a_cancelled_run_does_not_begin():
    cancel = threading.Event()
    cancel.set()
    for total, threads, chunk in [(1, 1, None), (10, 1, 1), (10, 2, 1)]:
        with pytest.raises(RunCancelled), controlled(cancel=cancel):
            run_shares(lambda *_: pytest.fail("it ran"), total, threads, chunk=chunk)
    with pytest.raises(RunCancelled), controlled(cancel=cancel):
        report(0, 1)
    assert issubclass(RunCancelled, QsimError)


def test_an_inner_control_leaves_the_outer_one_in_force():
    cancel, told = threading.Event(), []
    with controlled(cancel, lambda *step: told.append(step)), controlled(threading.Event()):
        report(1, 2)
        cancel.set()
        with pytest.raises(RunCancelled):
            report(2, 2)
    assert told == [(1, 2)]


def test_parts_of_a_larger_run_add_up():
    told = []
    with controlled(progress=lambda *step: told.append(step)):
        for k in range(3):
            with part(k, 3):
                for j in range(2):
                    with part(j, 2):
                        report(1, 2)
                        report(2, 2)
    fractions = [done / total for done, total in told]
    assert fractions == sorted(fractions) and len(set(fractions)) == 12 and fractions[-1] == 1
    with part(0, 2):
        report(1, 2)  # nobody listens


def test_a_control_belongs_to_its_thread():
    cancel = threading.Event()
    cancel.set()
    done = []
    with controlled(cancel=cancel):
        thread = threading.Thread(
            target=contextvars.Context().run, args=(run_shares, lambda *_: done.append(1), 10, 2), kwargs={"chunk": 1}
        )
        thread.start()
        thread.join()
    assert done


def test_an_error_of_the_progress_callback_ends_the_run():
    def refuse(done, total):
        raise KeyError("stop")

    with pytest.raises(KeyError), controlled(progress=refuse):
        report(0, 1)


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_ctrl_c_in_the_caller_stops_the_helpers(threads):
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("not in the main thread")
    calls = []

    def share(worker, start, stop):
        calls.append(worker)
        time.sleep(0.001 * (stop - start))
        if (len(calls) == 30 and worker == 0) or len(calls) == 60:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run_shares(share, 100_000, threads, chunk=1)
        time.sleep(1)
    count = len(calls)
    time.sleep(0.02)
    assert len(calls) == count < 1000


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_ctrl_c_while_the_caller_waits_for_a_helper():
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("not in the main thread")
    ended = []

    def share(worker, start, stop):
        if worker == 0:
            while not helping.is_set():
                time.sleep(0.001)
            return
        helping.set()
        time.sleep(0.05)
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.02)
        ended.append(worker)

    helping = threading.Event()
    with pytest.raises(KeyboardInterrupt):
        run_shares(share, 2, 2, chunk=1)
    assert ended == [1]  # the caller waited all the same


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timer")
def test_interrupts_at_any_moment():
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("not in the main thread")

    def interrupt(*_):
        raise KeyboardInterrupt

    before, random = signal.signal(signal.SIGALRM, interrupt), np.random.default_rng(1)
    try:
        for round in range(600):
            seen, running = [0] * 40, [0, 0, 0]

            def share(worker, start, stop, seen=seen, running=running):
                running[worker] += 1
                for k in range(start, stop):
                    seen[k] += 1
                    time.sleep(0)
                running[worker] -= 1

            try:
                signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-5, 5e-4))
                run_shares(share, 40, 3, chunk=CHUNKS[round % 4])
                signal.setitimer(signal.ITIMER_REAL, 0)
            except KeyboardInterrupt:
                signal.setitimer(signal.ITIMER_REAL, 0)
                assert running[1:] == [0, 0] and max(seen) <= 1
            else:
                assert seen == [1] * 40
    finally:
        signal.signal(signal.SIGALRM, before)


# processes ------------------------------------------------------------------------------------------------------
FORKING = """
import os, sys, threading, time, warnings
from qsim import pool
warnings.simplefilter("ignore")  # Python 3.12 warns of forks where there are threads
pool.available_cores = lambda: 4
stop = threading.Event()

def busy():
    while not stop.is_set():
        pool.run_shares(lambda *_: time.sleep(0.0002), 30, 3, chunk=1)

def once():
    seen = [0] * 100
    def share(worker, start, stop):
        for k in range(start, stop):
            seen[k] += 1
        time.sleep(0.0002)
    pool.run_shares(share, 100, 3, chunk=1)
    return seen == [1] * 100

threads = [threading.Thread(target=busy) for _ in range(3)]
for thread in threads: thread.start()
for round in range(20):
    child = os.fork()
    if child == 0:
        good = once()
        if round % 5 == 0:  # a child's child
            inner = os.fork()
            if inner == 0:
                os._exit(0 if once() else 1)
            good = good and os.waitpid(inner, 0)[1] == 0
        os._exit(0 if good and once() else 1)
    assert once()
    assert os.waitpid(child, 0)[1] == 0
stop.set()
for thread in threads: thread.join()
print("good")
"""

INSIDE = """
import os, threading, time, warnings
from qsim import pool
warnings.simplefilter("ignore")
pool.available_cores = lambda: 4
parent, children, helping = os.getpid(), [], threading.Event()
def share(worker, start, stop):
    if worker > 0:
        helping.set()
        time.sleep(1)
    elif not children:
        helping.wait()
        children.append(os.fork())
try:
    pool.run_shares(share, 20, 3, chunk=1)
    assert os.getpid() == parent
except RuntimeError as error:
    assert os.getpid() != parent and "forked" in str(error)
    os._exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(children[0], 0)[1]) == 7
print("good")
"""

EXIT = """
import threading, time
from qsim import pool
pool.available_cores = lambda: 4
def for_ever():
    while True:
        pool.run_shares(lambda *_: time.sleep(0.001), 30, 3, chunk=1)
threading.Thread(target=for_ever, daemon=True).start()
pool.run_shares(lambda *_: time.sleep(0.001), 30, 3, chunk=1)
print("good")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.parametrize("program", [FORKING, INSIDE, EXIT], ids=["while others run", "in a share", "exit"])
def test_forks_and_exit(program):
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert (run.returncode, run.stdout, run.stderr) == (0, "good\n", "")


# how many -------------------------------------------------------------------------------------------------------
def test_the_number_of_threads(monkeypatch):
    monkeypatch.delenv("QSIM_NUM_THREADS", raising=False)
    assert [thread_count(n) for n in (None, 1, 3, 8, 9, 10**30)] == [8, 1, 3, 8, 8, 8]
    monkeypatch.setenv("QSIM_NUM_THREADS", " 3 ")
    assert [thread_count(None), thread_count(2)] == [3, 2]
    monkeypatch.setenv("QSIM_NUM_THREADS", "99")
    assert thread_count(None) == 8
    monkeypatch.setenv("QSIM_NUM_THREADS", "")
    assert thread_count(None) == 8


@pytest.mark.parametrize("text", ["two", "2.5", "0", "-1", "1e3", "0x2", "all"])
def test_a_bad_environment_variable_is_named(monkeypatch, text):
    monkeypatch.setenv("QSIM_NUM_THREADS", text)
    with pytest.raises(QsimError, match=rf"QSIM_NUM_THREADS is a whole number.*{text}.*all cores"):
        thread_count(None)


@pytest.mark.parametrize("threads", [0, -1, 1.0, True, "2"])
def test_a_bad_number_is_an_error(threads):
    with pytest.raises(QsimError, match="threads is a whole number of at least 1"):
        thread_count(threads)


@pytest.mark.parametrize("threads", [1, 2])
def test_steady_pieces_never_grow(threads):
    pieces = []
    run_shares(lambda _, start, stop: pieces.append((start, stop)), 100, threads, chunk=7, steady=True)
    assert max(stop - start for start, stop in pieces) <= 7
    assert sorted(k for start, stop in pieces for k in range(start, stop)) == list(range(100))

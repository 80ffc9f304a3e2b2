"""Checkpoints: a batch that was cut short goes on where it was, with the same bits, and never with another call's results."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_batches import OPERATOR, Chaos, angles, ansatz, same

from qsim import Circuit, ParameterArray, Pauli, Simulator
from qsim.batches import checkpoint as module
from qsim.batches.checkpoint import HEAD, MAGIC, Checkpoint, identity, seed_of
from qsim.errors import CheckpointError, ExecutorError, RunCancelled
from qsim.pool import controlled

BATCH = identity("sample", {"circuit": 1}, np.zeros((9, 2)), 7, {"shots": 5})
PARTS: list[Any] = [
    (0, 2, "some text", {"values": np.array([0.1, 1 / 3]), "more": np.zeros((2, 0))}),
    (5, 3, "", {"states": np.array([[1 + 2j]], dtype=np.complex64)}),
    (2, 1, "ä", {}),
]


class Counting(ThreadPoolExecutor):
    """Counts the sets that it is given, and refuses after some blocks."""

    def __init__(self, most: int = 1 << 30) -> None:
        super().__init__(1)
        self.most, self.sets = most, 0

    def submit(self, function: Any, /, *args: Any, **named: Any) -> Any:
        self.most -= 1
        if self.most < 0:
            raise RuntimeError("enough")
        future = super().submit(function, *args, **named)
        self.sets += sum(part[1] for part in future.result()["parts"])
        return future


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qsim.batches.ledger.MOST_SETS", 7)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    with Checkpoint(tmp_path / "sweep", BATCH) as checkpoint:
        for part in PARTS:
            checkpoint.append(part)
    return tmp_path / "sweep"


def read(path: Path) -> list[Any]:
    with Checkpoint(path, BATCH) as checkpoint:
        return checkpoint.parts


# going on ---------------------------------------------------------------------------------------------------------------
@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("blocks", [1, 4])
def test_a_batch_goes_on_where_it_was(tmp_path: Path, blocks: int) -> None:
    calls: dict[str, Any] = {
        "sample": lambda s, **k: s.sample(ansatz(4, 1, True), 100, angles(60, 4), 5, **k),
        "expectation": lambda s, **k: s.expectation(ansatz(4), [OPERATOR, Pauli.Z(1)], angles(60, 4), **k),
        "statevector": lambda s, **k: s.statevector(ansatz(4), angles(60, 4), **k),
        "outcomes": lambda s, **k: s.outcome_probabilities(ansatz(4, 1, True), angles(60, 4), **k),
    }
    for name, call in calls.items():
        path, simulator = tmp_path / name, Simulator()
        with Counting(blocks) as first, pytest.raises(ExecutorError, match="sets were done, and are in the checkpoint"):
            call(simulator, executor=first, checkpoint=path)
        assert 0 < first.sets < 60
        with Counting() as second:
            assert same(call(simulator, executor=second, checkpoint=path), call(simulator))
        assert first.sets + second.sets == 60
        with Counting(0) as third:  # which is asked for nothing
            assert same(call(simulator, executor=third, checkpoint=path), call(simulator))
        assert same(call(simulator, checkpoint=str(path)), call(simulator))


@pytest.mark.usefixtures("small_blocks")
def test_a_batch_without_an_executor_goes_on_too(tmp_path: Path) -> None:
    stop, seen = threading.Event(), []

    def progress(done: int, total: int) -> None:
        seen.append(done)
        if done >= 20:
            stop.set()

    call: Any = lambda **k: Simulator().sample(ansatz(3, 1, True), 50, angles(60, 3), **k)  # noqa: E731
    with pytest.raises(RunCancelled), controlled(stop, progress):
        call(checkpoint=tmp_path / "sweep")
    assert seen[-1] < 60
    seed = seed_of(tmp_path / "sweep")
    again = call(checkpoint=tmp_path / "sweep")  # no seed was given: it goes on with the one that was drawn
    assert again[0].seed == seed and same(again, call(seed=seed))
    assert same(call(executor=Chaos(3), checkpoint=tmp_path / "sweep"), again)


def test_a_killed_run_loses_little(tmp_path: Path) -> None:
    program = """
import sys, numpy as np
from qsim import Circuit, ParameterArray, Pauli, Simulator
import qsim.batches.ledger as ledger
ledger.MOST_SETS = 5
p = ParameterArray("p", 2)
rows = np.random.default_rng(1).uniform(-1, 1, (20_000, 2))
circuit = Circuit(2).ry(p[0], 0).ry(p[1], 1).cx(0, 1)
values = Simulator().expectation(circuit, Pauli.Z(0) * Pauli.X(1), rows, checkpoint=sys.argv[1])
print(values.tobytes().hex()[:64])
"""
    path = tmp_path / "sweep"
    run = subprocess.Popen([sys.executable, "-c", program, str(path)], env={**os.environ, "PYTHONPATH": os.getcwd()})
    while run.poll() is None and (not path.exists() or path.stat().st_size < 20_000):
        time.sleep(0.005)
    run.kill()
    run.wait()

    p = ParameterArray("p", 2)
    rows = np.random.default_rng(1).uniform(-1, 1, (20_000, 2))
    circuit = Circuit(2).ry(p[0], 0).ry(p[1], 1).cx(0, 1)
    observable = Pauli.Z(0) * Pauli.X(1)
    assert path.exists()
    with Counting() as pool:
        values = Simulator().expectation(circuit, observable, rows, executor=pool, checkpoint=path)
    assert 0 < pool.sets < 20_000 and same(values, Simulator().expectation(circuit, observable, rows))


# another call -----------------------------------------------------------------------------------------------------------
def test_another_call_is_refused_and_says_how_it_differs(tmp_path: Path) -> None:
    path, rows = tmp_path / "sweep", angles(5, 3)
    measured = ansatz(3, 1, True)
    Simulator().sample(measured, 50, rows, 7, checkpoint=path)
    before = path.read_bytes()
    for message, call in [
        ("of another program", lambda **k: Simulator().sample(measured.copy().barrier(0), 50, rows, 7, **k)),
        ("of other parameters", lambda **k: Simulator().sample(measured, 50, rows + 1e-15, 7, **k)),
        ("of other parameters: 5 sets, not 4", lambda **k: Simulator().sample(measured, 50, rows[:4], 7, **k)),
        ("of another seed: 7, not 8", lambda **k: Simulator().sample(measured, 50, rows, 8, **k)),
        ("of other options", lambda **k: Simulator().sample(measured, 51, rows, 7, **k)),
        ("of other options", lambda **k: Simulator("single").sample(measured, 50, rows, 7, **k)),
        ("of another operation: sample, not expectation; of .*another seed", lambda **k: Simulator().expectation(
            ansatz(3), OPERATOR, rows, **k)),
    ]:  # fmt: skip
        with pytest.raises(CheckpointError, match=message):
            call(checkpoint=path)
        assert path.read_bytes() == before
    Simulator(threads=1).sample(measured, 50, rows, 7, checkpoint=path)  # on which results do not depend


def test_another_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    with pytest.raises(CheckpointError, match=r"another version of qsim-session: 0\.1\.0 .*, not 0\.2"):
        Checkpoint(file, BATCH | {"version": "0.2"}).__enter__()


def test_a_single_set_has_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="results of a batch"):
        Simulator().statevector(ansatz(1), {"p": [0.1]}, checkpoint=tmp_path / "sweep")


# the file ---------------------------------------------------------------------------------------------------------------
def test_parts_come_back_in_order(file: Path) -> None:
    assert same(read(file), PARTS)
    assert seed_of(file) == 7
    assert file.read_bytes().startswith(MAGIC)


def test_a_file_torn_anywhere_gives_what_is_whole(file: Path) -> None:
    data = file.read_bytes()
    ends = [len(MAGIC)]
    while ends[-1] < len(data):
        ends.append(ends[-1] + HEAD.size + HEAD.unpack(data[ends[-1] : ends[-1] + HEAD.size])[0])
    assert len(ends) == 5
    for cut in range(ends[1], len(data)):
        file.write_bytes(data[:cut])
        whole = sum(end <= cut for end in ends[2:])
        assert same(read(file), PARTS[:whole])
        assert file.stat().st_size == ends[1 + whole]  # cut off, so that what is added can be read
    with Checkpoint(file, BATCH) as checkpoint:
        checkpoint.append(PARTS[2])
    assert same(read(file), [*PARTS[:2], PARTS[2]])


def test_garbage_and_flipped_bits_lose_no_more_than_their_frame(file: Path) -> None:
    data = file.read_bytes()
    first = len(MAGIC) + HEAD.size + HEAD.unpack(data[len(MAGIC) : len(MAGIC) + HEAD.size])[0]
    for tail in (b"\0", b"\0" * 100, os.urandom(50)):
        file.write_bytes(data + tail)
        assert same(read(file), PARTS)
    generator = np.random.default_rng(1)
    for place in generator.integers(first, len(data), 150):
        damaged = bytearray(data)
        damaged[place] ^= 1 << int(generator.integers(8))
        file.write_bytes(damaged)
        left = read(file)
        assert len(left) < 3 and all(any(same(part, known) for known in PARTS) for part in left)


@pytest.mark.parametrize("place", ["magic", "head", "payload"])
def test_a_damaged_beginning_is_told(file: Path, place: str) -> None:
    data = bytearray(file.read_bytes())
    data[{"magic": 2, "head": len(MAGIC) + 3, "payload": len(MAGIC) + HEAD.size + 9}[place]] ^= 4
    file.write_bytes(data)
    message = "is no checkpoint of this version" if place == "magic" else "beginning of the checkpoint .* damaged|is of"
    for use in (lambda: read(file), lambda: seed_of(file)):
        with pytest.raises(CheckpointError, match=message):
            use()
    assert file.read_bytes() == data


def test_pickles_are_never_read(file: Path) -> None:
    room = module._write_part((3, 1, "", {"values": np.zeros(1)}))
    line, rest = room.split(b"\x93NUMPY", 1)
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"
    evil = line + b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + b"cos\nsystem\n(S'true'\ntR."
    first = len(evil).to_bytes(8, "little") + zlib.crc32(evil).to_bytes(4, "little")
    with file.open("ab") as handle:
        handle.write(first + zlib.crc32(first).to_bytes(4, "little") + evil)
    assert rest
    with pytest.raises(CheckpointError, match="cannot be read"):
        read(file)


def test_what_is_no_checkpoint_is_left_as_it_is(tmp_path: Path) -> None:
    other = tmp_path / "notes.txt"
    other.write_text("mine")
    for path, message in [
        (other, "is no checkpoint"),
        (tmp_path, "is a folder"),
        (tmp_path / "missing" / "sweep", "There is no folder"),
        (7, "path of a file, got 7"),
        ("", "path of a file"),
    ]:
        with pytest.raises(CheckpointError, match=message):
            Simulator().expectation(ansatz(2), Pauli.Z(0), angles(3, 2), checkpoint=path)
    assert other.read_text() == "mine"
    (tmp_path / "empty").touch()
    Simulator().expectation(ansatz(2), Pauli.Z(0), angles(3, 2), checkpoint=tmp_path / "empty")


def test_one_run_at_a_time(file: Path) -> None:
    with Checkpoint(file, BATCH), pytest.raises(CheckpointError, match="Another run is writing"):
        read(file)
    assert len(read(file)) == 3


def test_a_full_disk_keeps_what_was_there(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, sync = file.read_bytes(), os.fsync

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with Checkpoint(file, BATCH) as checkpoint:
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(CheckpointError, match="No space left on device"):
            checkpoint.append((8, 1, "x" * 100_000, {}))
    monkeypatch.setattr(os, "fsync", sync)
    assert file.read_bytes() == before and same(read(file), PARTS)


def test_the_file_is_this_users(tmp_path: Path) -> None:
    Simulator().expectation(ansatz(2), Pauli.Z(0), angles(3, 2), checkpoint=tmp_path / "sweep")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sweep", "sweep.lock"]
    assert json.loads(next(module._frames(_opened(tmp_path / "sweep"), tmp_path)))["sets"] == 3


def _opened(path: Path) -> Any:
    import io

    return io.BytesIO(path.read_bytes())

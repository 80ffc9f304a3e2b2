"""The store of jobs: its place, permissions, versions, damage, recovery and pruning."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import sqlite3
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qsim import Circuit, Parameter
from session import (
    ExecutionJob,
    ExecutionSession,
    JobError,
    JobNotFoundError,
    JobStatus,
    SessionError,
    StateVectorResult,
    StorageFullError,
    StoreAccessError,
    StoreCorruptError,
    StoreError,
    StoreVersionError,
    get_execution_jobs,
)
from session.store.jobs import JobStore, max_attempts
from session.store.liveness import Identity, is_alive
from session.store.place import file_system
from session.store.records import NewJob
from session.store.recovery import recover
from session.store.result_files import read_header
from session.store.schema import APPLICATION_ID, VERSION
from session.store.spec import results_text
from session.store.submissions import Submissions
from session.store.upkeep import check_after_crash, prune

FIXTURES = Path(__file__).parent / "fixtures"


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("QSIM_STATE_DIR", str(tmp_path / "state"))
    return tmp_path / "state"


def submit(shots: int = 10, start: bool = True, wide: bool = False) -> ExecutionJob:
    circuit = Circuit(14).h(range(14)) if wide else Circuit(1).rx(Parameter("t"), 0)
    session = ExecutionSession(circuit, random_seed=1, num_shots=20_000 if wide else shots)
    return session._submit(session._sample_task(None if wide else {"t": 0.3}, None), start=start)


# place and permissions ------------------------------------------------------------------------------------------
def test_the_place_is_an_absolute_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QSIM_STATE_DIR", "jobs")
    with pytest.raises(StoreAccessError, match="QSIM_STATE_DIR is an absolute path"):
        submit()


def test_a_job_is_found_from_another_folder(state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = submit()
    monkeypatch.chdir(tmp_path)
    assert ExecutionJob.from_id(job.id).result(300).num_shots == 10


def test_without_a_setting_it_is_the_platforms_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("QSIM_STATE_DIR")
    monkeypatch.setattr("platformdirs.user_state_dir", lambda *args, **options: str(tmp_path / "home"))
    assert submit().result(300).num_shots == 10
    assert (tmp_path / "home" / "jobs.db").exists()


def test_a_place_that_is_a_file_is_refused_before_anything_runs(state: Path) -> None:
    state.write_text("not a folder")
    with pytest.raises(StoreAccessError, match="Set QSIM_STATE_DIR"):
        submit()
    assert state.read_text() == "not a folder"


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="there are no user ids")
def test_a_store_of_another_user_is_refused(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    submit().poll(300)
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    with pytest.raises(StoreAccessError, match="belongs to user"):
        submit()


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_folders_that_others_can_write_to(state: Path) -> None:
    state.mkdir(mode=0o700)
    state.chmod(0o777)
    submit()  # an empty folder of ours is closed
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    shared = state.parent / "shared"
    shared.mkdir()
    (shared / "something").touch()
    shared.chmod(0o777)
    with pytest.raises(StoreAccessError, match="others can write"):
        JobStore(shared, create=True)
    assert stat.S_IMODE(shared.stat().st_mode) == 0o777


def test_network_file_systems_are_refused(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert file_system(state.parent)
    monkeypatch.setattr("session.store.place.file_system", lambda folder: "nfs4")
    with pytest.raises(StoreAccessError, match="nfs4"):
        submit()


# ids and lists --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "job_id",
    [
        "", "x", "../../etc/passwd", "/etc/passwd", "123E4567-E89B-42D3-A456-426614174000", 7, None, b"x",
        "123e4567e89b42d3a456426614174000", "{123e4567-e89b-42d3-a456-426614174000}", "x" * 10_000,
        "123e4567-e89b-12d3-a456-426614174000", "' OR 1=1 --", "123e4567-e89b-42d3-a456-426614174000\n",
    ],
)  # fmt: skip
def test_what_is_no_id_is_an_error(state: Path, job_id: Any) -> None:
    with pytest.raises(JobError, match="A job id is the text of a UUID"):
        ExecutionJob.from_id(job_id)
    assert not state.exists()


def test_an_unknown_id_is_an_error_and_makes_no_store(state: Path) -> None:
    unknown = "123e4567-e89b-42d3-a456-426614174000"
    with pytest.raises(JobNotFoundError, match="nothing was ever submitted"):
        ExecutionJob.from_id(unknown)
    assert not state.exists()
    submit()
    with pytest.raises(JobNotFoundError, match="There is no job"):
        ExecutionJob.from_id(unknown)


def test_jobs_are_listed_by_what_they_are(state: Path) -> None:
    assert get_execution_jobs() == []
    first, second, third = submit(), submit(start=False), submit(start=False)
    first.poll(300)
    third.cancel()
    assert [job.id for job in get_execution_jobs()] == [third.id, second.id, first.id]
    assert [job.id for job in get_execution_jobs(status="COMPLETED")] == [first.id]
    assert [job.id for job in get_execution_jobs(status=[JobStatus.QUEUED, "CANCELLED"])] == [third.id, second.id]
    assert [job.id for job in get_execution_jobs(limit=1)] == [third.id]
    assert get_execution_jobs(kind="estimate") == get_execution_jobs(backend_name="other") == []
    assert len(get_execution_jobs(kind="sample", since=first.submit_time)) == 3
    with pytest.raises(SessionError, match="no status 'COMPLETE'. Did you mean 'COMPLETED'"):
        get_execution_jobs(status="COMPLETE")
    with pytest.raises(SessionError, match="limit"):
        get_execution_jobs(limit=0)


# full -----------------------------------------------------------------------------------------------------------
def test_a_result_that_would_not_fit_is_refused_before_the_run(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda folder: shutil._ntuple_diskusage(1 << 30, 1 << 30, 0))
    with pytest.raises(StorageFullError, match="MiB left"):
        submit(wide=True)
    assert get_execution_jobs() == []


# damage ---------------------------------------------------------------------------------------------------------
def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("damage", ["garbage", "empty", "truncated", "short"])
def test_a_damaged_database_is_a_clear_error_and_is_left_alone(state: Path, damage: str) -> None:
    job = submit(wide=True)
    job.poll(300)
    database = state / "jobs.db"
    data = database.read_bytes()
    left = {
        "garbage": b"these are no jobs " * 500,
        "empty": b"",
        "truncated": data[: len(data) // 2],
        "short": data[:50],
    }
    database.write_bytes(left[damage])
    before = digest(database)
    for action in (submit, get_execution_jobs, lambda: ExecutionJob.from_id(job.id)):
        with pytest.raises(StoreCorruptError, match=r"damaged.*Nothing in it was changed.*qsim jobs recover"):
            action()
    assert digest(database) == before
    saved = recover(state)
    assert saved.aside is not None and digest(saved.aside / "jobs.db") == before
    assert ExecutionJob.from_id(job.id).result(300).num_shots == 20_000  # from its file, which says whose it is
    assert submit().result(300).num_shots == 10
    assert recover(state).aside is None


def test_recovery_saves_the_rows_that_can_be_read(state: Path) -> None:
    jobs = [submit(shots=k + 1) for k in range(40)]
    results = [job.result(300) for job in jobs]
    waiting = submit(shots=77, start=False)
    database = state / "jobs.db"
    data = bytearray(database.read_bytes())
    size = 4096
    with sqlite3.connect(database) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'job'").fetchone()
    connection.close()
    pages = [
        k
        for k in range(root, len(data) // size)
        if data[k * size] == 0x0D and b"anywhere" in data[k * size : k * size + size]
    ]
    start = pages[len(pages) // 2] * size
    data[start : start + 200] = b"\xff" * 200
    database.write_bytes(data)
    assert JobStore().database.check() != []
    saved = recover(state)
    assert 10 < saved.jobs < 41
    assert JobStore().database.check() == []
    known = {job.id for job in get_execution_jobs()}
    for job, result in zip(jobs, results, strict=True):
        if job.id in known:
            assert ExecutionJob.from_id(job.id).result(300) == result
    if waiting.id in known:
        assert ExecutionJob.from_id(waiting.id).result(300).num_shots == 77


def flip_bytes(state: Path, flips: int, seed: int) -> dict[str, int]:
    """Whatever byte of the database is wrong: the right result, or an error of ours; never another result."""
    job = submit(shots=50)
    right = results_text([job.result(300)])
    database = state / "jobs.db"
    data = database.read_bytes()
    rng, outcomes = random.Random(seed), {"right": 0, "error": 0}
    for _ in range(flips):
        wrong = bytearray(data)
        wrong[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        database.write_bytes(wrong)
        try:
            found = ExecutionJob.from_id(job.id)
            if found.status is JobStatus.COMPLETED:
                assert results_text([found.result(0)]) == right
            get_execution_jobs()
            outcomes["right"] += 1
        except (StoreError, JobNotFoundError):
            outcomes["error"] += 1
    database.write_bytes(data)
    return outcomes


def test_a_wrong_byte_is_never_a_wrong_result(state: Path) -> None:
    outcomes = flip_bytes(state, 150, 1)
    assert outcomes["right"] and outcomes["error"]


@pytest.mark.slow
def test_wrong_bytes_at_many_places(state: Path) -> None:
    print(flip_bytes(state, 5000, 2))


def test_a_damaged_file_of_results_is_a_clear_error(state: Path) -> None:
    job = submit(wide=True)
    job.poll(300)
    (path,) = (state / "results").iterdir()
    header = read_header(path)
    assert header is not None and header["job"] == job.id and header["kind"] == "sample"
    data = bytearray(path.read_bytes())
    data[1000] ^= 1
    path.write_bytes(data)
    with pytest.raises(StoreCorruptError, match="its SHA-256 is wrong"):
        ExecutionJob.from_id(job.id).result(300)
    assert path.read_bytes() == bytes(data)
    path.unlink()
    with pytest.raises(StoreCorruptError, match="is missing"):
        ExecutionJob.from_id(job.id).result(300)


def test_a_database_of_another_program_is_left_alone(state: Path) -> None:
    state.mkdir(mode=0o700)
    with sqlite3.connect(state / "jobs.db") as connection:
        connection.execute("CREATE TABLE job(x)")
    connection.close()
    before = digest(state / "jobs.db")
    for action in (submit, get_execution_jobs, lambda: recover(state)):
        with pytest.raises(StoreVersionError, match="another program"):
            action()
    assert digest(state / "jobs.db") == before


def test_a_lost_journal_is_not_played_into_a_new_database(state: Path) -> None:
    state.mkdir(mode=0o700)
    (state / "jobs.db-journal").write_bytes(b"old pages")
    submit().poll(300)
    assert [path.read_bytes() for path in state.glob("lost-*-jobs.db-journal")] == [b"old pages"]
    assert JobStore().database.check() == []


def test_after_a_crash_the_database_is_checked(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    submit().poll(300)
    store = JobStore()
    (state / "workers" / "123e4567-e89b-42d3-a456-426614174000.lock").touch()
    monkeypatch.setattr(store.database, "check", lambda quick: ["page 3 is wrong"])
    with pytest.raises(StoreCorruptError, match="page 3 is wrong"):
        check_after_crash(store)
    check_after_crash(store)  # the dead process was noted


# versions -------------------------------------------------------------------------------------------------------
def test_a_newer_store_is_refused_and_left_alone(state: Path) -> None:
    job = submit()
    job.poll(300)
    with sqlite3.connect(state / "jobs.db") as connection:
        connection.execute(f"PRAGMA user_version={VERSION + 1}")
    connection.close()
    before = digest(state / "jobs.db")
    for action in (submit, get_execution_jobs, lambda: ExecutionJob.from_id(job.id), lambda: recover(state)):
        with pytest.raises(StoreVersionError, match="newer version"):
            action()
    assert digest(state / "jobs.db") == before


@pytest.mark.parametrize(
    "version, counts", [(1, {"00": 95, "11": 5}), (2, {"00": 51, "11": 49}), (3, {"00": 51, "11": 49})]
)
def test_an_older_store_is_copied_and_brought_up_to_date(state: Path, version: int, counts: dict[str, int]) -> None:
    state.mkdir(mode=0o700)
    connection = sqlite3.connect(state / "jobs.db")
    connection.executescript((FIXTURES / f"jobs-schema-{version}.sql").read_text())
    connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version={version}")
    connection.close()
    jobs = get_execution_jobs()
    assert sorted(job.status for job in jobs) == ["CANCELLED", "COMPLETED", "QUEUED"]
    done = next(job for job in jobs if job.status is JobStatus.COMPLETED)
    assert done.result().counts == counts
    waiting = next(job for job in jobs if job.status is JobStatus.QUEUED)
    sent = Submissions(JobStore(), waiting._last).all()
    assert [one.ref.remote_id for one in sent if one.ref] == (["r-1"] if version == 3 else [])
    assert waiting.result(300).num_shots == 100
    (backup,) = state.glob(f"jobs-schema-{version}-*.db")
    with sqlite3.connect(backup) as connection:
        assert connection.execute("SELECT count(*) FROM job WHERE status = 'QUEUED'").fetchone() == (1,)
    connection.close()
    with sqlite3.connect(state / "jobs.db") as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)
    connection.close()
    assert JobStore().database.check() == []
    if os.name != "nt":
        assert stat.S_IMODE(backup.stat().st_mode) == 0o600


def test_a_job_that_ended_never_changes(state: Path) -> None:
    job = submit()
    job.poll(300)
    with sqlite3.connect(state / "jobs.db") as connection, pytest.raises(sqlite3.IntegrityError, match="never changes"):
        connection.execute("UPDATE job SET status = 'QUEUED'")
    connection.close()


def test_a_claim_stores_one_result_even_when_it_is_used_twice(tmp_path: Path) -> None:
    store = JobStore(tmp_path / "state", create=True)
    identity = Identity(store.folder)
    claim = store.claim(store.submit(NewJob("sample", False, "{}", "{}", "simulator", "local")), identity.id)
    assert claim is not None
    first, second = [0.5] * 20_000, [1.5] * 20_000
    assert store.complete(claim, first)
    assert not store.complete(claim, second)
    assert store.result(claim.id) == first
    identity.release()


# keeping tidy ---------------------------------------------------------------------------------------------------
def test_pruning_removes_what_ended_and_what_was_left_behind(state: Path) -> None:
    done, wide, waiting = submit(), submit(wide=True), submit(start=False)
    done.poll(300)
    wide.poll(300)
    store = JobStore()
    (state / "new-1-2.db").touch()
    stale = state / "results" / f"{done.id}.7.zip"
    unknown = state / "results" / "123e4567-e89b-42d3-a456-426614174000.1.zip"
    coming = state / "results" / f"{waiting.id}.1.tmp"
    for path in (stale, unknown, coming):
        path.write_bytes(b"x" * 10)
    assert prune(store, 3600).jobs == []
    assert not (state / "new-1-2.db").exists()
    assert not stale.exists() and unknown.exists() and coming.exists()
    found = prune(store, 0, dry_run=True)
    assert sorted(found.jobs) == sorted([done.id, wide.id])
    assert len(get_execution_jobs()) == 3
    gone = prune(store, 0, [JobStatus.COMPLETED])
    assert sorted(gone.jobs) == sorted([done.id, wide.id])
    assert gone.files == [f"{wide.id}.1.zip"] and gone.bytes > 64 * 1024
    assert [job.id for job in get_execution_jobs()] == [waiting.id]
    with pytest.raises(JobNotFoundError, match="pruned"):
        ExecutionJob.from_id(done.id)
    assert waiting.result(300).num_shots == 10
    assert store.database.check() == []


def test_processes_are_alive_while_they_hold_their_lock(tmp_path: Path) -> None:
    store = JobStore(tmp_path / "state", create=True)
    identity = Identity(store.folder)
    assert is_alive(store.folder, identity.id)
    identity.release()
    assert not is_alive(store.folder, identity.id)
    with pytest.raises(StoreCorruptError, match="which is no id"):
        is_alive(store.folder, "../../x")
    assert list((store.folder / "workers").iterdir()) == []


def test_how_often_a_job_may_crash_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    assert max_attempts() == 3
    monkeypatch.setenv("QSIM_JOB_ATTEMPTS", "7")
    assert max_attempts() == 7
    monkeypatch.setenv("QSIM_JOB_ATTEMPTS", "many")
    with pytest.raises(JobError, match="QSIM_JOB_ATTEMPTS"):
        max_attempts()


# results --------------------------------------------------------------------------------------------------------
def test_results_come_back_exactly(state: Path) -> None:
    circuit, angle = Circuit(13), Parameter("t")
    circuit.rx(angle, range(13))
    with ExecutionSession(circuit, random_seed=1) as session:
        job = session.submit_calculate_state_vector({"t": 0.1 + 0.2})
        here = session.calculate_state_vector({"t": 0.1 + 0.2})
    job.poll(300)
    (path,) = (state / "results").iterdir()
    assert path.stat().st_size > 1 << 17
    found = ExecutionJob.from_id(job.id).get_state_vector_result()
    assert isinstance(found, StateVectorResult) and found == here
    assert np.array_equal(found.amplitudes, here.amplitudes)


@pytest.mark.slow
def test_a_result_of_three_hundred_megabytes(state: Path) -> None:
    circuit = Circuit(24).ry(0.3, range(24))
    with ExecutionSession(circuit, random_seed=1) as session:
        job = session.submit_calculate_state_vector()
        here = session.calculate_state_vector()
    job.poll(600)
    (path,) = (state / "results").iterdir()
    assert path.stat().st_size > 16 << 24
    assert np.array_equal(ExecutionJob.from_id(job.id).result().amplitudes, here.amplitudes)
    store = JobStore()
    identity = Identity(store.folder)
    claim = store.claim(store.submit(NewJob("calculate_state_vector", False, "{}", "{}", "x", "local")), identity.id)
    assert claim is not None and store.complete(claim, [here, here])  # over 500 MB
    assert all(np.array_equal(one.amplitudes, here.amplitudes) for one in store.result(claim.id))
    identity.release()


def test_a_job_that_a_damaged_index_hides_is_not_called_missing(state: Path) -> None:
    job = submit()
    job.result(300)
    database = state / "jobs.db"
    data = bytearray(database.read_bytes())
    for at in range(4096, len(data), 7):
        data[at] ^= 0x55
    database.write_bytes(bytes(data))
    with pytest.raises(StoreError, match="damaged"):
        ExecutionJob.from_id(job.id)

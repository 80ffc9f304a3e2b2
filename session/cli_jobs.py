"""The commands for stored jobs: ``qsim jobs list``, ``show``, ``result``, ``cancel``, ``resolve`` …; ``qsim worker``."""

from __future__ import annotations

import json
import math
import shutil
import signal
import sys
import time
from datetime import datetime
from typing import Any

import click

from session.cli_results import plain_result, print_result
from session.errors import JobTimeoutError, SessionError
from session.jobs import ExecutionJob, about_error, get_execution_jobs
from session.remote_runs import remote_details
from session.store.jobs import JobStore
from session.store.records import Claim, JobRecord, JobStatus, moment
from session.store.submissions import Submission, about_submission
from session.terminal import aligned

_STATUS = click.option(
    "--status", "statuses", multiple=True, metavar="S", help="Only jobs with this status; may be repeated."
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
_ID = click.argument("job_id", metavar="ID")
_DAY = 86_400.0
_TELL_SECONDS = 60.0  # that a service may take to be told of a cancelling


@click.group()
def jobs() -> None:
    """Look at, wait for, cancel and remove stored jobs."""


@jobs.command("list")
@_STATUS
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="The newest N only.")
@_JSON
def list_jobs(statuses: tuple[str, ...], limit: int | None, as_json: bool) -> None:
    """List jobs, newest first."""
    found = get_execution_jobs(status=[one.upper() for one in statuses] or None, limit=limit)
    records = [job._last for job in found]
    if as_json:
        print(json.dumps([_facts(record) for record in records]))
        return
    if not records:
        print("there are no jobs" + (" like that" if statuses else ""), file=sys.stderr)
        return
    # What does not fit on the terminal is left out from the right; `show` has it.
    columns = ["id", "status", "what", "submitted", "took", "backend"]
    rows = [
        [r.id, _status_text(r), _what(r), _local(r.created_ns), _took(r), r.backend] for r in records
    ]  # fmt: skip
    if sys.stdout.isatty():
        width = shutil.get_terminal_size().columns
        while len(columns) > 2 and max(map(len, aligned(columns, rows, right=(4,)).splitlines())) > width:
            columns, rows = columns[:-1], [row[:-1] for row in rows]
    print(aligned(columns, rows, right=(4,)[: len(columns) > 4]))


@jobs.command()
@_ID
@_JSON
def show(job_id: str, as_json: bool) -> None:
    """Show all that is known of a job."""
    job = ExecutionJob.from_id(job_id)
    store, record = job._store, job._last
    events = store.events(record.id)
    tasks = job.remote_tasks
    if as_json:
        history = [
            {"time": _iso(e.at_ns), "before": e.before, "after": e.after, "actor": e.actor, "note": e.note}
            for e in events
        ]
        print(json.dumps({**_facts(record), "events": history, "tasks": [about_submission(one) for one in tasks]}))
        return
    rows = [
        ["status", _status_text(record)],
        ["what", _what(record)],
        ["backend", f"{record.backend} ({record.provider})"],
        ["submitted", _local(record.created_ns)],
        ["started", _local(record.started_ns)],
        ["ended", _local(record.ended_ns)],
        ["took", _took(record)],
        ["starts", str(record.attempts)],
        ["run by", record.owner or "-"],
        ["result", "-" if record.result_size is None else f"{record.result_size:,} bytes"],
        ["error", job.error or "-"],
    ]
    rows += [row for one in tasks[-3:] for row in _task_rows(one)]
    print(aligned(["job", record.id], rows, right=()))
    print()
    steps = [
        [_local(e.at_ns), f"{e.before} -> {e.after}" if e.before else str(e.after), " ".join(filter(None, [e.note]))]
        for e in events
    ]
    print(aligned(["time", "step", ""], steps, right=()))


@jobs.command()
@_ID
@click.option("--timeout", type=click.FloatRange(min=0), metavar="S", help="Wait at most S seconds; 0 does not wait.")
@click.option("--top", type=click.IntRange(min=1), metavar="N", help="Show the first N rows only.")
@_JSON
def result(job_id: str, timeout: float | None, top: int | None, as_json: bool) -> None:
    """Wait for a job and print its result. If nobody runs it, it runs here."""
    job = ExecutionJob.from_id(job_id)
    status = _wait(job, timeout)
    if status is JobStatus.FAILED:
        raise SessionError(f"Job {job.id} failed: {job.error}")
    if status is JobStatus.SUBMIT_UNKNOWN:
        raise SessionError(str(job.error))
    value = job.result()
    values = value if job.is_batch else [value]
    if as_json:
        print(
            json.dumps({"job": job.id, "result": [*map(plain_result, values)] if job.is_batch else plain_result(value)})
        )
        return
    for number, one in enumerate(values):
        if len(values) > 1:
            print(f"{'' if number == 0 else chr(10)}set {number}")
        print_result(one, top)


@jobs.command()
@click.argument("job_ids", metavar="ID...", nargs=-1, required=True)
@_JSON
def cancel(job_ids: tuple[str, ...], as_json: bool) -> None:
    """Cancel jobs.

    Those that run stop within a second or so, those that ended keep their results.
    """
    found = [ExecutionJob.from_id(job_id) for job_id in job_ids]
    outcome: dict[str, dict[str, Any]] = {}
    for job in found:
        cancelled = job.cancel()
        told = _told(job) if cancelled else None
        outcome[job.id] = {"cancelled": cancelled, "status": job.status, **({"service": told} if told else {})}
    if as_json:
        print(json.dumps(outcome))
        return
    for job_id, one in outcome.items():
        told = f"; {one['service']}" if "service" in one else ""
        print(f"{job_id}  {one['status']}" + ("" if one["cancelled"] else " before, and so it stays") + told)


def _told(job: ExecutionJob) -> str | None:
    """What a service answered to the cancelling of a job; None for a job that none has."""
    if not job.remote_tasks:
        return None
    try:
        job.poll(_TELL_SECONDS)
    except JobTimeoutError:
        return "its service is still to be told, by the process that watches the job or by 'qsim worker'"
    notes = [event.note for event in job._store.events(job.id) if event.after is JobStatus.CANCELLED]
    return notes[-1] if notes else None


@jobs.command()
@_ID
@click.option("--remote-id", metavar="ID", help="The service has it, and calls it so.")
@click.option("--send-again", is_flag=True, help="The service does not have it, you looked: send it as a new task.")
@_JSON
def resolve(job_id: str, remote_id: str | None, send_again: bool, as_json: bool) -> None:
    """Say what became of a job that is SUBMIT_UNKNOWN.

    Without an option it is looked for again, where the service allows that.
    """
    job = ExecutionJob.from_id(job_id)
    job.resolve(remote_id, send_again=send_again)
    if as_json:
        print(json.dumps({"job": job.id, "status": job.status}))
        return
    print(f"{job.id}  {job.status}; 'qsim jobs result {job.id}' or 'qsim worker' goes on with it")


@jobs.command()
@_ID
@click.option(
    "--part", type=click.IntRange(min=1), default=1, show_default=True, help="Of a job that sent several tasks."
)
def raw(job_id: str, part: int) -> None:
    """Write a service's answer to a job as it came, byte by byte."""
    job = ExecutionJob.from_id(job_id)
    replies = job.raw_replies()
    if part > len(replies):
        raise SessionError(f"The answers of a service that are stored for job {job.id} are {len(replies)} in number.")
    sys.stdout.buffer.write(replies[part - 1].body)
    sys.stdout.buffer.flush()


@jobs.command()
@click.option("--older-than", type=click.FloatRange(min=0), default=30.0, show_default=True, metavar="DAYS",
              help="Only jobs that ended so many days ago.")  # fmt: skip
@_STATUS
@click.option("--dry-run", is_flag=True, help="Say what would be removed, and remove nothing.")
@_JSON
def prune(older_than: float, statuses: tuple[str, ...], dry_run: bool, as_json: bool) -> None:
    """Remove ended jobs and their results.

    What crashed processes left behind goes too. Jobs that have not ended are never removed.
    """
    from session.store.upkeep import ENDED, prune

    chosen = [JobStatus(one.upper()) for one in statuses if one.upper() in [*map(str, ENDED)]]
    if len(chosen) < len(statuses):
        raise SessionError(f"Only jobs that have ended are pruned: --status is one of {', '.join(ENDED)}.")
    gone = prune(JobStore(), older_than * _DAY, chosen or ENDED, dry_run=dry_run)
    if as_json:
        print(json.dumps({"jobs": gone.jobs, "files": gone.files, "bytes": gone.bytes, "dry_run": dry_run}))
        return
    verb = "would remove" if dry_run else "removed"
    print(f"{verb} {_many(len(gone.jobs), 'job')} and {_many(len(gone.files), 'file')} of {gone.bytes / 1e6:,.1f} MB")


@jobs.command()
@_JSON
def recover(as_json: bool) -> None:
    """Save what can be read of a damaged store.

    The damaged files are put aside and kept. A store that is whole is left as it is.
    """
    from session.store.recovery import recover

    store = JobStore()
    if not store.folder.exists():
        raise SessionError(f"There is no store of jobs in '{store.folder}'.")
    done = recover(store.folder)
    if as_json:
        aside = None if done.aside is None else str(done.aside)
        print(json.dumps({"aside": aside, "jobs": done.jobs, "indexed": done.indexed, "lost": done.lost}))
    elif done.aside is None:
        print("the store is whole; nothing was changed")
    else:
        print(f"saved {_many(done.jobs, 'job')}, {done.indexed:,} of them by their files of results alone")
        if done.lost:
            print(f"{_many(done.lost, 'row')} could not be saved whole")
        print(f"the damaged files are in {done.aside}")


@click.command()
@click.option("--once", is_flag=True, help="End as soon as no job waits.")
@click.option("--idle-exit", type=click.FloatRange(min=0), metavar="S", help="End after S seconds without a job.")
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each step.")
def worker(once: bool, idle_exit: float | None, as_json: bool) -> None:
    """Run stored jobs that nobody runs.

    Oldest first, one after the other. Ctrl-C and SIGTERM give back the one that runs.
    """
    from session.worker import stopping_on_signals, work

    def tell(job_id: str, status: JobStatus, text: str, **more: Any) -> None:
        if as_json:
            print(json.dumps({"time": _iso(time.time_ns()), "job": job_id, "status": status, **more}), flush=True)
        else:
            print(f"{datetime.now():%H:%M:%S}  {job_id}  {status}  {text}".rstrip(), flush=True)

    def began(claim: Claim) -> None:
        tell(claim.id, JobStatus.RUNNING, claim.record.kind, kind=claim.record.kind, attempt=claim.record.attempts + 1)

    def ended(record: JobRecord) -> None:
        error = None if record.error is None else about_error(record.error)[1]
        text = error or (_took(record) if record.status is JobStatus.COMPLETED else "")
        tell(record.id, record.status, text, error=error)

    def skipped(job_id: str, error: Exception) -> None:
        print(f"job {job_id} is left alone: {error}", file=sys.stderr, flush=True)

    store = JobStore(create=True)
    with stopping_on_signals() as (stop, came):
        if not as_json and not once:
            print(f"waiting for jobs in {store.folder}; Ctrl-C ends", file=sys.stderr, flush=True)
        work(store, stop, once=once, idle_exit=idle_exit, began=began, ended=ended, skipped=skipped)
    if signal.SIGINT in came:
        raise KeyboardInterrupt


def print_submitted(job: ExecutionJob, as_json: bool) -> None:
    """The id of a job that was stored, alone on its line, for other programs to read."""
    if as_json:
        print(json.dumps({"job": job.id, "status": job.status}))
        return
    print(job.id)
    print(f"stored; 'qsim worker' runs it, 'qsim jobs result {job.id}' waits for it", file=sys.stderr)


def _wait(job: ExecutionJob, timeout: float | None) -> JobStatus:
    """Wait as `poll` does, with a bar on a terminal when it takes over a second."""
    deadline = math.inf if timeout is None else time.monotonic() + timeout
    try:
        if not sys.stderr.isatty():
            return job.poll(timeout)
        try:
            return job.poll(min(1.0, deadline - time.monotonic()))
        except JobTimeoutError:
            return _wait_with_bar(job, deadline)
    except JobTimeoutError:
        raise JobTimeoutError(
            f"Job {job.id} is not done after {timeout:g} s. It stays in the store: ask again, or run 'qsim worker'."
        ) from None


def _wait_with_bar(job: ExecutionJob, deadline: float) -> JobStatus:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=1.0)
        while True:
            bar.update(task, completed=job.progress, description=str(job.status).lower())
            left = deadline - time.monotonic()
            try:
                return job.poll(max(0.0, min(0.2, left)))
            except JobTimeoutError:
                if left <= 0:
                    raise


def _facts(record: JobRecord) -> dict[str, Any]:
    error = None if record.error is None else about_error(record.error)[1]
    return {
        "id": record.id, "status": record.status, "kind": record.kind, "batched": record.batched,
        "backend": record.backend, "provider": record.provider, "num_shots": record.num_shots,
        "session": record.session, "submitted": _iso(record.created_ns), "started": _iso(record.started_ns),
        "ended": _iso(record.ended_ns), "progress": record.progress, "attempts": record.attempts,
        "owner": record.owner, "error": error, "result_bytes": record.result_size, "engine": record.engine,
    }  # fmt: skip


def _task_rows(one: Submission) -> list[list[str]]:
    where = ", ".join(filter(None, [one.target, one.endpoint, f"profile {one.profile}" if one.profile else ""]))
    return [
        [f"task {one.part + 1}", one.ref.remote_id if one.ref else f"no id yet; sent as {one.client_ref}"],
        ["  at", where or "-"],
        ["  says", remote_details(one)],
    ]


def _status_text(record: JobRecord) -> str:
    running = record.status is JobStatus.RUNNING and record.progress > 0
    return f"{record.status} {record.progress:.0%}" if running else str(record.status)


def _what(record: JobRecord) -> str:
    shots = "" if record.num_shots is None else f", {record.num_shots:,} shots"
    return f"{'batch of ' if record.batched else ''}{record.kind}{shots}"


def _took(record: JobRecord) -> str:
    if record.started_ns is None:
        return "-"
    end = record.ended_ns if record.ended_ns is not None else time.time_ns()
    seconds = (end - record.started_ns) / 1e9
    return f"{seconds:.2f} s" if seconds < 100 else f"{seconds:,.0f} s"


def _local(nanoseconds: int | None) -> str:
    time = moment(nanoseconds)
    return "-" if time is None else f"{time.astimezone():%Y-%m-%d %H:%M:%S}"


def _iso(nanoseconds: int | None) -> str | None:
    time = moment(nanoseconds)
    return None if time is None else time.isoformat()


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' * (count != 1)}"

"""What a backend is: the protocol of everything that runs tasks, here or far away.

`Backend` is what the session talks to. A local backend is that and no more: `run` returns when the results are there. A
remote one is a `RemoteBackend` too: `run` is spelled out in steps that survive a crash between any two of them, because
every value that passes from one to the next is plain data. `session.backends.remote.run_remotely` puts the steps together.

A plug-in is a callable that takes `ExecutionPreferences` and returns a backend, registered under the entry-point group
``qsim.adapters``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

from session.programs import Program
from session.results import Result
from session.tasks import Task, TaskKind

#: Backends of another number are refused when they are loaded.
API_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """What a backend, or a target behind it, can do; `session.backends.limits` checks tasks against it.

    Args:
        operations: the operations that it runs itself. Costs and minimisations are made of samples and estimates.
        num_qubits: at most; None where memory decides.
        max_shots: of one circuit.
        max_sets: parameter sets in one call; None for any number.
        gates: names of gates that it takes as they are; None for all of this package's.
        connectivity: pairs of qubits that a gate may act on; None for all.
        accepts: what its programs are given as: "circuit", "openqasm2", "openqasm3", "braket", "aqt" and so on.
        feed_forward: measurements in the middle, resets and branches.
        estimate_filters: whether an estimate may be of a state that filters let through.
        precision: "double", "single" or "shots": how exact an estimate is.
        is_remote: whether it is a `RemoteBackend`.
        idempotency: of a remote submission: "token", "client_id", "search" or "none"; what makes sending it again safe.
        resumable: whether a submitted job can be found again by another process.
    """

    operations: frozenset[TaskKind]
    num_qubits: int | None = None
    max_shots: int = 1 << 40
    max_sets: int | None = None
    gates: frozenset[str] | None = None
    connectivity: frozenset[tuple[int, int]] | None = None
    accepts: frozenset[str] = frozenset(("circuit",))
    feed_forward: bool = True
    estimate_filters: bool = False
    precision: str = "double"
    is_remote: bool = False
    idempotency: str = "none"
    resumable: bool = False


class Backend(Protocol):
    """What runs tasks. Parameters, outputs and capabilities are checked for it; `check` is for what only it knows."""

    @property
    def name(self) -> str:
        """The name that users choose it by."""

    def capabilities(self) -> Capabilities:
        """What it can do; may ask a service, never the user."""

    def check(self, program: Program, task: Task) -> None:
        """Raise a `QsimError` when the task cannot be run here; called before a job is made of it."""

    def run(self, program: Program, task: Task) -> list[Result]:
        """One result for each row of the task; called from any thread.

        Set k is run with ``task.seed + k``; where there are seeds, the same task gives the same results.
        """


# far away -------------------------------------------------------------------------------------------------------
class RemoteState(StrEnum):
    """Where a submitted task is, in words of our own; the last four are final."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    CANCELLING = "CANCELLING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"

    @property
    def is_final(self) -> bool:
        """Whether it never changes again."""
        return self not in (RemoteState.QUEUED, RemoteState.RUNNING, RemoteState.CANCELLING)


class CancelOutcome(StrEnum):
    """What became of a request to cancel."""

    REQUESTED = "requested"
    ALREADY_FINAL = "already final"
    UNSUPPORTED = "unsupported"


@dataclass(frozen=True)
class Prepared:
    """A task as a service takes it: made offline, checked, and the same bytes whenever it is made again.

    Args:
        payload: what is sent.
        media_type: of the payload.
        circuits: how many circuits are in it: parameter sets times groups of terms.
        bit_map: for each circuit, the classical bit of a result that each bit of our bitstrings comes from.
        details: whatever else `decode` needs, as JSON can hold it. No secrets.
    """

    payload: bytes
    media_type: str
    circuits: int
    bit_map: tuple[tuple[int, ...], ...] = ()
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RemoteRef:
    """Where a submitted task is: the service's id for it, and which endpoint and target took it. No secrets."""

    remote_id: str
    endpoint: str = ""
    target: str = ""


@dataclass(frozen=True)
class RemoteStatus:
    """What a service said about a task; an unknown word of it is a state that is not final, and kept in `raw`."""

    state: RemoteState
    raw: str = ""
    message: str = ""
    queue_position: int | None = None
    retry_after_sec: float | None = None


@dataclass(frozen=True)
class RawResult:
    """A service's reply, stored before anybody decodes it."""

    body: bytes
    media_type: str


@runtime_checkable
class RemoteBackend(Backend, Protocol):
    """A backend whose tasks run in a service, in steps that another process can go on with."""

    def prepare(self, program: Program, task: Task) -> Prepared:
        """Bind, translate and check; offline and without side effects."""

    def submit(self, prepared: Prepared, client_ref: str) -> RemoteRef:
        """Send it. `client_ref` is ours: a token, or a tag to search for."""

    def find(self, client_ref: str) -> RemoteRef | None:
        """The task that was sent with this reference, if there is one: for a crash between sending and noting down."""

    def status(self, ref: RemoteRef) -> RemoteStatus:
        """Where it is."""

    def cancel(self, ref: RemoteRef) -> CancelOutcome:
        """Ask for it to be stopped."""

    def fetch(self, ref: RemoteRef) -> RawResult:
        """The reply, which some services give once only."""

    def decode(self, raw: RawResult, prepared: Prepared, program: Program, task: Task) -> list[Result]:
        """Results out of a reply; offline, and the same whenever it is done again."""

"""What a backend is: the protocol of everything that runs tasks, here or far away.

`Backend` is what the session talks to. A local backend is that and no more: `run` returns when the results are there. A
remote one is a `RemoteBackend` too: `run` is spelled out in steps that survive a crash between any two of them, because
every value that passes from one to the next is plain data. `session.backends.remote.run_remotely` puts the steps together.

A plug-in is a callable that takes `ExecutionPreferences` and returns a backend, registered under the entry-point group
``qsim.adapters``.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from numbers import Integral, Real
from typing import Any, Protocol, runtime_checkable

from session.backends.credentials import redact
from session.programs import Program
from session.results import Result
from session.tasks import Task, TaskKind

#: Backends of another number are refused when they are loaded.
API_VERSION = 1
#: What makes sending a task again safe; see `Capabilities.idempotency`.
IDEMPOTENCY = ("token", "client_id", "search", "none")
_log = logging.getLogger("session.backends")


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
        idempotency: of a remote submission, what makes sending it again safe. "token": the service takes our reference
            and does what has the same one once; "client_id": our reference is the task's id; "search": `find` finds a
            task by our reference; "none": nothing does, so that it is never sent again.
        resumable: whether a submitted job can be found again by another process.
        max_circuits: in one submission, sets times groups of terms; None for any number.
        mid_circuit: measurements in the middle and resets, without branches; None where `feed_forward` says it.
        cancel: whether a submitted task can be cancelled.
        cost: whether `cost` knows prices.
        grace_sec: how long a task that has been sent may take to be found, for "search".
        tested_against: what the adapter was tested against: a specification and its date, a simulator; never more.
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
    max_circuits: int | None = None
    mid_circuit: bool | None = None
    cancel: bool = False
    cost: bool = False
    grace_sec: float = 120.0
    tested_against: str = ""

    @property
    def measures_midway(self) -> bool:
        """Whether a program may measure and reset before its end."""
        return self.feed_forward if self.mid_circuit is None else self.mid_circuit


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

    @property
    def sha256(self) -> str:
        """Of the payload."""
        return hashlib.sha256(self.payload).hexdigest()

    def about(self) -> dict[str, Any]:
        """All but the payload, as JSON can hold it; `from_about` puts it together again."""
        return {
            "media_type": self.media_type,
            "circuits": self.circuits,
            "bit_map": [list(bits) for bits in self.bit_map],
            "details": self.details,
        }

    @classmethod
    def from_about(cls, payload: bytes, about: Mapping[str, Any]) -> Prepared:
        """What `about` was of.

        >>> one = Prepared(b"{}", "application/json", 1, ((0, 1),), {"k": 1})
        >>> Prepared.from_about(one.payload, one.about()) == one
        True
        """
        bit_map = tuple(tuple(int(bit) for bit in bits) for bits in about["bit_map"])
        return cls(payload, str(about["media_type"]), int(about["circuits"]), bit_map, dict(about["details"]))


@dataclass(frozen=True)
class RemoteRef:
    """Where a submitted task is: the service's id for it, and which endpoint and target took it. No secrets."""

    remote_id: str
    endpoint: str = ""
    target: str = ""

    def to_dict(self) -> dict[str, str]:
        """What JSON can hold; ``RemoteRef(**data)`` takes it back."""
        return asdict(self)


@dataclass(frozen=True)
class RemoteStatus:
    """What a service said about a task; an unknown word of it is a state that is not final, and kept in `raw`.

    Args:
        state: in our words.
        raw: in the service's.
        message: what it said besides, such as why a task failed.
        queue_position: of the task; 1 is next.
        retry_after_sec: when the service wants to be asked again.
        eta_sec: how long the task still waits or takes, as the service expects.
    """

    state: RemoteState
    raw: str = ""
    message: str = ""
    queue_position: int | None = None
    retry_after_sec: float | None = None
    eta_sec: float | None = None

    def __post_init__(self) -> None:
        """Whatever a service says can be stored and shown: no secrets, no half characters, no numbers beyond reason."""
        for name in ("raw", "message"):
            object.__setattr__(self, name, storable_text(str(getattr(self, name) or "")))
        position: object = self.queue_position
        known = (
            isinstance(position, Integral) and not isinstance(position, bool) and 0 <= int(position) < _MOST_IN_QUEUE
        )
        object.__setattr__(self, "queue_position", int(position) if known else None)  # type: ignore[call-overload]
        for name in ("retry_after_sec", "eta_sec"):
            if not _is_time(getattr(self, name)):
                object.__setattr__(self, name, None)

    @classmethod
    def of(cls, word: str, states: Mapping[str, RemoteState], **more: Any) -> RemoteStatus:
        """The status that a service's word means; a word that is new to us is RUNNING, and logged once.

        >>> RemoteStatus.of("done", {"done": RemoteState.COMPLETED}).state
        <RemoteState.COMPLETED: 'COMPLETED'>
        >>> RemoteStatus.of("thinking", {"done": RemoteState.COMPLETED}).state.is_final
        False
        """
        state = states.get(word)
        if state is None:
            shown = storable_text(word if isinstance(word, str) else repr(word))
            if shown[:100] not in _unknown_words and len(_unknown_words) < 1000:
                _unknown_words.add(shown[:100])
                _log.warning(
                    "A service calls a task %r, which is no word that this version knows; it is waited for.",
                    shown[:100],
                )
            return cls(RemoteState.RUNNING, shown[:200], **more)
        return cls(state, word, **more)


_unknown_words: set[str] = set()
_MOST_IN_QUEUE = 1 << 62  # what the store can hold


def storable_text(text: str) -> str:
    """A service's words without secrets of this process, and without what terminals obey or UTF-8 cannot hold.

    >>> storable_text("half \\ud83d of it"), storable_text("red \\x1b[31m")
    ('half   of it', 'red  [31m')
    """
    whole = text if text.isprintable() else "".join(letter if letter.isprintable() else " " for letter in text)
    return redact(whole)


def _is_time(seconds: object) -> bool:
    """Whether these are seconds that somebody may wait."""
    return isinstance(seconds, Real) and not isinstance(seconds, bool) and bool(0 <= seconds < 1e12)  # type: ignore[operator]


@dataclass(frozen=True)
class Cost:
    """What a task would cost by a service's own word.

    Args:
        amount: in units of `currency`.
        currency: "USD", "EUR", or a service's own unit.
        basis: how it comes about, and when it may be different.
        details: the service's own figures, as JSON can hold them.
    """

    amount: float
    currency: str
    basis: str = ""
    details: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.amount:,.2f} {self.currency}" + (f" ({self.basis})" if self.basis else "")


@dataclass(frozen=True)
class RawResult:
    """A service's reply, stored before anybody decodes it."""

    body: bytes
    media_type: str


@runtime_checkable
class RemoteBackend(Backend, Protocol):
    """A backend whose tasks run in a service, in steps that another process can go on with.

    It may also say `provider` (whose it is), `endpoint` (the origin that it speaks to), `target` (the device) and
    `profile` (the name of the profile that it was made from), each a text; a job keeps them, and goes on only with a
    backend of the same endpoint.
    """

    def prepare(self, program: Program, task: Task) -> Prepared:
        """Bind, translate and check; offline and without side effects."""

    def submit(self, prepared: Prepared, client_ref: str) -> RemoteRef:
        """Send it. `client_ref` is ours (a UUID): a token, an id, or a tag to search for.

        Raises:
            ServiceRefused, ServiceUnavailable, CredentialError: it was not sent, or not taken. Every other error is taken
                to mean that it may have been, and makes the job look for it, or be SUBMIT_UNKNOWN.
        """

    def find(self, client_ref: str, since: datetime | None = None) -> RemoteRef | None:
        """The task that was sent with this reference at `since` or later, if there is one.

        For a crash between sending and noting down. Backends of the kinds "none" and "token" may always give None.
        """

    def status(self, ref: RemoteRef) -> RemoteStatus:
        """Where it is."""

    def cancel(self, ref: RemoteRef) -> CancelOutcome:
        """Ask for it to be stopped."""

    def fetch(self, ref: RemoteRef) -> RawResult:
        """The reply, which some services give once only."""

    def decode(self, raw: RawResult, prepared: Prepared, program: Program, task: Task) -> list[Result]:
        """Results out of a reply; offline, and the same whenever it is done again."""

    def cost(self, prepared: Prepared) -> Cost | None:
        """What a task would cost, where the service says it through its interface; None where it does not."""


def is_remote(backend: object) -> bool:
    """Whether a backend's tasks run in a service, in the steps of a `RemoteBackend`."""
    return all(callable(getattr(backend, step, None)) for step in ("prepare", "submit", "status", "fetch", "decode"))


def clock_slack(since: datetime | None) -> datetime | None:
    """A time from which to search, earlier by as much as clocks differ: five minutes."""
    return None if since is None else since - timedelta(minutes=5)

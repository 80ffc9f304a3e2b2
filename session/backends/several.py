"""Tasks that a service takes as several jobs of its own: one reference, one status and one reply for all of them."""

from __future__ import annotations

import json
from collections.abc import Sequence

from session.backends.protocol import CancelOutcome, RawResult, RemoteState, RemoteStatus
from session.errors import SessionError

#: Media type of several replies in one: a line of JSON with their lengths, then their bytes one after the other.
PARTS_TYPE = "application/x-qsim-parts"
_SEPARATOR = "\n"  # in no id and no ARN


def join_ids(ids: Sequence[str]) -> str:
    """The remote id of a task that is several jobs in the service.

    >>> split_ids(join_ids(["a", "b"]))
    ['a', 'b']
    """
    return _SEPARATOR.join(ids)


def split_ids(remote_id: str) -> list[str]:
    """The service's own ids in a remote id, in the order of the jobs."""
    return remote_id.split(_SEPARATOR)


def join_bodies(bodies: Sequence[bytes], media_type: str) -> RawResult:
    """All replies as one, byte for byte; a single one stays as it is.

    >>> split_bodies(join_bodies([b"{}", b"[1]"], "application/json"))
    [b'{}', b'[1]']
    """
    if len(bodies) == 1:
        return RawResult(bodies[0], media_type)
    head = json.dumps({"media_type": media_type, "lengths": [len(body) for body in bodies]}).encode()
    return RawResult(b"\n".join([head, b"".join(bodies)]), PARTS_TYPE)


def split_bodies(raw: RawResult) -> list[bytes]:
    """The replies that `join_bodies` put together.

    Raises:
        SessionError: bytes are missing, or there are too many.
    """
    if raw.media_type != PARTS_TYPE:
        return [raw.body]
    head, _, rest = raw.body.partition(b"\n")
    try:
        lengths = [int(length) for length in json.loads(head)["lengths"]]
    except (ValueError, KeyError, TypeError):
        raise SessionError("The stored reply of several jobs has no list of lengths at its beginning.") from None
    if sum(lengths) != len(rest) or min(lengths, default=0) < 0:
        raise SessionError(f"The stored reply of several jobs has {len(rest):,} bytes, not {sum(lengths):,}.")
    bodies, at = [], 0
    for length in lengths:
        bodies.append(rest[at : at + length])
        at += length
    return bodies


def joint_status(parts: Sequence[RemoteStatus]) -> RemoteStatus:
    """Where several jobs are together: final when all are, and completed when all are completed.

    >>> found = joint_status([RemoteStatus(RemoteState.COMPLETED), RemoteStatus(RemoteState.QUEUED, "QUEUED", "", 7)])
    >>> found.state, found.raw, found.queue_position
    (<RemoteState.RUNNING: 'RUNNING'>, 'QUEUED', 7)
    """
    if len(parts) == 1:
        return parts[0]
    states = [part.state for part in parts]
    if all(state.is_final for state in states):
        order = (RemoteState.FAILED, RemoteState.EXPIRED, RemoteState.CANCELLED, RemoteState.COMPLETED)
        state = next(one for one in order if one in states)
    elif RemoteState.CANCELLING in states:
        state = RemoteState.CANCELLING
    else:
        state = RemoteState.QUEUED if set(states) == {RemoteState.QUEUED} else RemoteState.RUNNING
    shown = [one for one in parts if one.state is state] or [one for one in parts if not one.state.is_final]
    messages = dict.fromkeys(one.message for one in shown if one.message)
    positions = [one.queue_position for one in parts if one.queue_position is not None]
    waits = [one.retry_after_sec for one in parts if one.retry_after_sec is not None]
    return RemoteStatus(
        state,
        ", ".join(dict.fromkeys(one.raw for one in shown)),
        "; ".join(messages),
        max(positions, default=None),
        max(waits, default=None),
        max((one.eta_sec for one in parts if one.eta_sec is not None), default=None),
    )


def joint_cancel(outcomes: Sequence[CancelOutcome]) -> CancelOutcome:
    """What became of asking several jobs to stop: requested when any was.

    >>> joint_cancel([CancelOutcome.ALREADY_FINAL, CancelOutcome.REQUESTED]).value
    'requested'
    """
    for one in (CancelOutcome.REQUESTED, CancelOutcome.UNSUPPORTED):
        if one in outcomes:
            return one
    return CancelOutcome.ALREADY_FINAL

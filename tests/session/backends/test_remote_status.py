"""What services say about tasks can always be stored and shown."""

import json

import numpy as np
import pytest

from session.backends.credentials import Secret
from session.backends.protocol import RemoteState, RemoteStatus


def test_half_characters_are_replaced():
    half = json.loads('"half \\ud83d"')
    status = RemoteStatus.of(half, {}, message=half)
    assert status.raw.encode() == b"half  " and status.message.encode() == b"half  "


def test_a_service_that_repeats_the_credential_does_not_put_it_into_the_store(caplog):
    Secret("canary-in-a-message")
    status = RemoteStatus.of("no canary-in-a-message", {}, message="key canary-in-a-message is not known")
    assert "canary" not in repr(status) and "canary" not in caplog.text
    assert status.message == "key *** is not known"


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 10**400, -1])
def test_times_and_places_beyond_reason_are_left_out(number):
    position = number if isinstance(number, int) else 1 << 70
    status = RemoteStatus(RemoteState.QUEUED, "x", queue_position=position, retry_after_sec=number, eta_sec=number)
    assert (status.queue_position, status.retry_after_sec, status.eta_sec) == (None, None, None)


def test_what_an_adapter_passes_on_without_looking_is_left_out():
    status = RemoteStatus(RemoteState.QUEUED, None, None, "3", "soon", [])
    assert status == RemoteStatus(RemoteState.QUEUED)
    assert RemoteStatus(RemoteState.QUEUED, queue_position=np.int64(3), eta_sec=np.float64(2.5)).queue_position == 3

"""Places at which a test can kill this process, to prove that a crash there loses nothing.

``QSIM_FAULT=name`` kills at the first passage of the place called `name`, ``QSIM_FAULT=name:3`` at the third.
"""

from __future__ import annotations

import os
import signal

#: Every place, in the order of a job's life.
PLACES = (
    "submit-before-commit", "submit-after-commit", "claim-before-commit", "claim-after-commit", "run-done",
    "result-written", "result-renamed", "finish-before-commit", "finish-after-commit",
)  # fmt: skip
#: Those of a job that runs in a service elsewhere, between claim and run-done.
REMOTE_PLACES = (
    "intent-before-commit", "intent-after-commit", "sent", "ref-before-commit", "ref-after-commit", "fetched",
    "reply-before-commit", "reply-after-commit",
)  # fmt: skip
_passed: dict[str, int] = {}


def fault(place: str) -> None:
    """Die here, as by ``kill -9``, when the environment says so."""
    wish = os.environ.get("QSIM_FAULT")
    if not wish:
        return
    name, _, count = wish.partition(":")
    if name == place:
        _passed[place] = _passed.get(place, 0) + 1
        if _passed[place] == int(count or 1):
            os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))

"""What tests of IonQ's adapter share: a key, no waiting, preferences that lead to a server on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from ionq_service import KEY

from qsim import Circuit
from session.backends import remote
from session.backends.http import HttpClient
from session.backends.ionq import IonQBackend
from session.backends.profiles import Profile, define_profile, forget_profile
from session.preferences import ExecutionPreferences
from session.programs import read_program
from session.tasks import Task, TaskKind

HEAD = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A key, no waiting between questions and tries, and profiles that are gone afterwards."""
    monkeypatch.setenv("IONQ_API_KEY", KEY)
    monkeypatch.setattr(remote, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(remote, "LONGEST_WAIT", 0.002)
    plain = HttpClient.__init__
    monkeypatch.setattr(HttpClient, "__init__", lambda self, *a, **k: plain(self, *a, **{**k, "sleep": lambda s: None}))
    yield
    forget_profile("here")


def preferences(url: str, **options: Any) -> ExecutionPreferences:
    """Of a backend that speaks to a server on this machine."""
    define_profile(Profile("here", "ionq", url + "/v0.4"))
    shots = options.pop("shots", 1000)
    return ExecutionPreferences(
        backend="ionq", num_shots=shots, random_seed=7, backend_options={"profile": "here", **options}
    )


def sample_task(shots: int = 100, rows: Any = None) -> Task:
    """A sample without parameters, or with rows of them."""
    return Task(TaskKind.SAMPLE, np.zeros((1, 0)) if rows is None else np.array(rows), False, shots, 7)


def submitted(url: str, **options: Any) -> tuple[IonQBackend, Any]:
    """A backend, and a job of it."""
    made = IonQBackend(preferences(url, **options))
    return made, made.submit(made.prepare(read_program(Circuit(1).x(0)), sample_task()), "ref-1")

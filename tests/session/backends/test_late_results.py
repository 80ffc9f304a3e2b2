"""A result that is not there yet when its task is done is waited for a while, one that is gone is not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ionq_service import KEY, IonQService
from loopback import Answer, Received, loopback, reply

pytest.importorskip("httpx2")
pytest.importorskip("tenacity")

from qsim import Circuit
from session import ExecutionSession, remote_runs
from session.backends import remote
from session.backends.profiles import Profile, define_profile, forget_profile
from session.errors import JobFailedError


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("QSIM_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("IONQ_API_KEY", KEY)
    monkeypatch.setattr(remote, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(remote, "LONGEST_WAIT", 0.05)
    yield
    forget_profile("ionq")


def artifacts(service: IonQService, answers: Callable[[int], Answer | None]) -> Callable[[Received], Answer]:
    """The service, with other answers where a result is asked for: by how often it was."""
    asked = 0

    def answer(request: Received) -> Answer:
        nonlocal asked
        if "/artifacts/" in request.path:
            asked += 1
            other = answers(asked)
            if other is not None:
                return other
        return service.answer(request)

    return answer


def run(url: str) -> dict[str, int]:
    define_profile(Profile("ionq", "ionq", url + "/v0.4", target="qpu.forte-1"))
    with ExecutionSession(Circuit(2).x(1).measure_all(), "ionq", num_shots=20) as session:
        return session.sample().counts


def test_a_result_that_comes_late() -> None:
    answer = artifacts(IonQService(), lambda asked: reply(404, {"message": "not yet"}) if asked < 3 else None)
    with loopback(otherwise=answer) as server:
        assert run(server.url) == {"10": 20}


def test_a_result_that_never_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_runs, "_SETTLE_SECONDS", 0.2)
    with (
        loopback(otherwise=artifacts(IonQService(), lambda asked: reply(404, {"message": "none"}))) as server,
        pytest.raises(JobFailedError, match=r"EXPIRED.*404: none"),
    ):
        run(server.url)


def test_a_result_that_is_gone() -> None:
    with (
        loopback(otherwise=artifacts(IonQService(), lambda asked: reply(410, {"message": "gone"}))) as server,
        pytest.raises(JobFailedError, match=r"EXPIRED.*410: gone"),
    ):
        run(server.url)

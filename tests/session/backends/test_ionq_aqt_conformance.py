"""The adapters of IonQ and AQT pass the suite for adapters, against services on this machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from aqt_service import TOKEN, AQTService
from ionq_service import KEY, IonQService
from loopback import loopback

pytest.importorskip("httpx2")
pytest.importorskip("tenacity")

from session import ExecutionPreferences
from session.backends.aqt import AQTBackend
from session.backends.ionq import IonQBackend
from session.backends.profiles import Profile, define_profile, forget_profile
from session.backends.protocol import Backend, RemoteRef
from session.testing import AdapterConformance


class TestIonQ(AdapterConformance):
    """IonQ's simulator and a device, as text and as JSON."""

    canary = KEY

    @pytest.fixture(
        autouse=True,
        params=[
            pytest.param({}, id="simulator"),
            pytest.param({"target": "qpu.forte-1", "mid_circuit": True}, id="device", marks=pytest.mark.slow),
            pytest.param({"target": "qpu.forte-1", "format": "json"}, id="json", marks=pytest.mark.slow),
        ],
    )
    def _service(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.setenv("IONQ_API_KEY", KEY)
        self.options = {"profile": "conformance", **request.param}
        self.service = IonQService(way=("completed",))
        with loopback(otherwise=self.service.answer) as server:
            define_profile(Profile("conformance", "ionq", server.url + "/v0.4"))
            yield
        forget_profile("conformance")

    def make_backend(self) -> Backend:
        return IonQBackend(ExecutionPreferences(backend="ionq", backend_options=self.options))

    def tasks_taken(self) -> int:
        return sum(job.parent is None for job in self.service.jobs.values())

    def hold_tasks(self) -> bool:
        self.service.way = ("started",)
        return True

    def make_service_say(self, ref: RemoteRef, word: str) -> bool:
        self.service.jobs[ref.remote_id].way = [word]
        return True


class TestAQT(AdapterConformance):
    """A resource of AQT."""

    canary = TOKEN

    @pytest.fixture(autouse=True)
    def _service(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.setenv("AQT_TOKEN", TOKEN)
        self.service = AQTService(way=("finished",))
        with loopback(otherwise=self.service.answer) as server:
            define_profile(Profile("conformance", "aqt", server.url + "/api/v1", target="lab/ibex"))
            yield
        forget_profile("conformance")

    def make_backend(self) -> Backend:
        return AQTBackend(ExecutionPreferences(backend="aqt", backend_options={"profile": "conformance"}))

    def tasks_taken(self) -> int:
        return len(self.service.jobs)

    def hold_tasks(self) -> bool:
        self.service.way = ("ongoing",)
        return True

    def make_service_say(self, ref: RemoteRef, word: str) -> bool:
        self.service.jobs[ref.remote_id].way = [word]
        return True

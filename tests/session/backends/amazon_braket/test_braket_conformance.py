"""The suite for adapters on Amazon Braket, against the contract server."""

from typing import Any

import pytest

pytest.importorskip("boto3")
from braket_server import SECRET

from session.backends.braket import BraketBackend
from session.backends.protocol import RemoteRef
from session.testing import AdapterConformance


class TestBraket(AdapterConformance):
    """On SV1 as the server imitates it."""

    canary = SECRET

    @pytest.fixture(autouse=True)
    def _service(self, service: Any, one_client: Any) -> None:
        self.service, self.client = service, one_client
        service.course = ("QUEUED", "COMPLETED")

    def make_backend(self) -> BraketBackend:
        return BraketBackend(self.client._options, client=self.client)

    def tasks_taken(self) -> int:
        return len(self.service.tasks)

    def make_service_say(self, ref: RemoteRef, word: str) -> bool:
        self.service.word = word
        self.service.tasks[ref.remote_id].update(status=word, left=[])
        return True

"""The suite for adapters on Qiskit's own simulators, through `run` and through samplers."""

from typing import Any

import pytest

from session.backends.qiskit import QiskitBackend
from session.testing import AdapterConformance

pytest.importorskip("qiskit_aer")
pytestmark = pytest.mark.filterwarnings(
    "ignore:Qiskit backend:UserWarning"
)  # GenericBackendV2 without qubit properties


class TestQiskit(AdapterConformance):
    """Aer by `run`, a device without branches, and two samplers."""

    @pytest.fixture(
        autouse=True,
        params=[
            "generic",
            "sampler",
            *(pytest.param(one, marks=pytest.mark.slow) for one in ("aer", "backend sampler")),
        ],
    )
    def _which(self, request: pytest.FixtureRequest) -> None:
        from qiskit.primitives import BackendSamplerV2, StatevectorSampler
        from qiskit.providers.fake_provider import GenericBackendV2
        from qiskit_aer import AerSimulator

        made: dict[str, Any] = {
            "aer": AerSimulator,
            "generic": lambda: GenericBackendV2(7, noise_info=False, seed=3, coupling_map=[[k, k + 1] for k in range(6)]),
            "sampler": lambda: StatevectorSampler(seed=5),
            "backend sampler": lambda: BackendSamplerV2(backend=AerSimulator(), options={"seed_simulator": 5}),
        }  # fmt: skip
        self.made, self.jobs = made[request.param](), dict[str, Any]()

    def make_backend(self) -> QiskitBackend:
        """One that finds the jobs of all others, as a service would."""
        backend = QiskitBackend(self.made, retrieve=self.jobs.__getitem__)
        backend._jobs = self.jobs
        return backend

"""What a user may say about a run on IonQ, checked as it is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from qsim.errors import suggestion
from session.errors import SessionError

#: Limits of the service: schema CircuitJobCreationPayload and the answers of POST /jobs in IonQ's OpenAPI file.
MAX_SHOTS, MIN_DEBIASED_SHOTS = 1_000_000, 500
MAX_BODY, MAX_GATES, MAX_CIRCUITS = 10_000_000, 150_000, 5_000
IDEAL = "ideal"


@dataclass(frozen=True)
class IonQOptions:
    """Options of backend ``ionq``, as `backend_options` have them beside ``profile`` and ``target``.

    Args:
        format: of a job of one circuit: "qasm3", or "json" for a list of gates. Several circuits are always JSON.
        noise_model: that IonQ's simulator imitates, such as "forte-1"; None for none.
        noise_seed: of that noise.
        debiasing: IonQ's error mitigation; takes at least 500 shots. None leaves it to the service.
        mid_circuit: the target measures and resets in the middle of a circuit, which some do.
        job_name: what IonQ's console calls the job.

    Raises:
        SessionError: a value is not one of these.
    """

    format: str = "qasm3"
    noise_model: str | None = None
    noise_seed: int | None = None
    debiasing: bool | None = None
    mid_circuit: bool = False
    job_name: str = ""

    def __post_init__(self) -> None:
        if self.format not in ("qasm3", "json"):
            raise SessionError(f"The format of backend 'ionq' is 'qasm3' or 'json', got {self.format!r}.")
        for name, kind in (("noise_model", str), ("debiasing", bool)):
            value = getattr(self, name)
            if value is not None and not isinstance(value, kind):
                raise SessionError(f"{name} of backend 'ionq' is a {kind.__name__} or None, got {value!r}.")
        if not isinstance(self.mid_circuit, bool) or not isinstance(self.job_name, str):
            raise SessionError("Of backend 'ionq', mid_circuit is True or False and job_name a text.")
        seed = self.noise_seed
        if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 1 << 31):
            raise SessionError(f"noise_seed of backend 'ionq' is a whole number from 0 to 2**31 - 1, got {seed!r}.")
        if seed is not None and self.noise_model is None:
            raise SessionError("A noise_seed is of a noise_model; give backend 'ionq' both.")
        if self.mid_circuit and self.format == "json":
            raise SessionError("IonQ's JSON has no measurements in the middle; use format='qasm3' with mid_circuit.")

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> IonQOptions:
        """Options out of a mapping.

        >>> IonQOptions.read({"debiasin": True})
        Traceback (most recent call last):
        ...
        session.errors.SessionError: Backend 'ionq' has no option 'debiasin'. Did you mean 'debiasing'? There are profile, target, format, noise_model, noise_seed, debiasing, mid_circuit, job_name.
        """  # noqa: E501
        known = [one.name for one in fields(cls)]
        for name in values:
            if name not in known:
                there = ["profile", "target", *known]
                raise SessionError(
                    f"Backend 'ionq' has no option {name!r}.{suggestion(str(name), there)} There are {', '.join(there)}."
                )
        return cls(**values)

"""Jobs that are found again by a tag: where a provider's service can be searched, which is IBM's.

Each job of a task has the tag of the task's reference and one that says which of how many it is, so that a part of a task
is never taken for the whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from session.backends.qiskit.kinds import is_ibm, is_simulated

_PART = re.compile(r"qsim-part:([0-9]+)/([0-9]+)")


def can_search(backend: Any, sampler: Any) -> bool:
    """Whether jobs of a backend get tags and can be searched for by them."""
    if backend is None or not is_ibm(backend) or is_simulated(backend):
        return False
    environment = getattr(getattr(sampler, "options", None), "environment", None)
    return hasattr(environment, "job_tags") and callable(getattr(getattr(backend, "service", None), "jobs", None))


@contextmanager
def tagged(primitive: Any, client_ref: str, number: int, total: int) -> Iterator[None]:
    """Give the job that is started meanwhile its tags, beside those that the user's primitive gives all of its jobs."""
    environment = primitive.options.environment
    before = environment.job_tags
    kept = list(before) if isinstance(before, (list, tuple)) else []
    environment.job_tags = [*kept, f"qsim:{client_ref}", f"qsim-part:{number}/{total}"]
    try:
        yield
    finally:
        environment.job_tags = before


def search(backend: Any, client_ref: str) -> list[Any] | None:
    """The jobs of a task in their order; None when not all of them are there."""
    found: dict[int, Any] = {}
    total = None
    for job in backend.service.jobs(limit=None, job_tags=[f"qsim:{client_ref}"]):
        parts = [part for tag in job.tags if (part := _PART.fullmatch(str(tag)))]
        if parts:
            found.setdefault(int(parts[0][1]), job)
            total = int(parts[0][2])
    if total is None or sorted(found) != list(range(total)):
        return None
    return [found[k] for k in range(total)]

"""How much memory a run needs and how much there is: asked before anything is allocated."""

from __future__ import annotations

import os
from pathlib import Path

from qsim.errors import MemoryLimitError, QsimError

_CGROUP = Path("/sys/fs/cgroup")


def available_memory() -> int:
    """Bytes that this process may still take: what the system has free, within its control group's limit."""
    free = _system_available()
    try:
        limit = (_CGROUP / "memory.max").read_text().strip()
        used = int((_CGROUP / "memory.current").read_text()) - _cached_files()
    except (OSError, ValueError):
        return free
    return min(free, int(limit) - used) if limit.isdigit() else free


def _cached_files() -> int:
    """Bytes of files that the control group's share of memory holds and gives back when they are needed."""
    for line in (_CGROUP / "memory.stat").read_text().splitlines():
        name, _, number = line.partition(" ")
        if name == "inactive_file":
            return int(number)
    return 0


def _system_available() -> int:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 1 << 62  # unknown here (Windows): the allocation itself will tell


def resident_memory() -> int:
    """Bytes of memory that this process has now; 0 where the system does not tell.

    >>> resident_memory() >= 0
    True
    """
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError, AttributeError):
        return 0


def readable(size: int) -> str:
    """A number of bytes for people.

    >>> readable(1 << 34)
    '16 GiB'
    """
    units = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
    if size >= 1 << 80:
        return f"2**{size.bit_length() - 61} EiB"
    power = min(max(size.bit_length() - 1, 0) // 10, len(units) - 1)
    return f"{size / (1 << 10 * power):,.4g} {units[power]}"


def check_memory(
    needed: int, num_qubits: int, amplitude_size: int, limit: int | None, what: str = "statevector"
) -> None:
    """Refuse a run that does not fit.

    Args:
        needed: bytes of the state and everything beside it.
        num_qubits, amplitude_size: for the message; `amplitude_size` is 16 or 8 bytes.
        limit: the caller's own limit in bytes, or None.

    Raises:
        MemoryLimitError: with the numbers and what to try.
    """
    available = available_memory()
    bound = available if limit is None else min(available, limit)
    if needed <= bound:
        return
    source = (
        f"the memory limit is {readable(bound)}"
        if limit is not None and limit < available
        else (f"{readable(bound)} are available")
    )
    advice = ["fewer qubits"]
    if amplitude_size == 16 and needed // 2 <= bound:
        advice.insert(0, 'precision="single", which takes half of it')
    raise MemoryLimitError(
        f"A {what} of {num_qubits} qubits needs {readable(needed)} (2**{num_qubits} amplitudes of {amplitude_size} "
        f"bytes, and workspace); {source}. Try {' or '.join(advice)}."
    )


def check_bytes(needed: int, limit: int | None, what: str, advice: str) -> None:
    """Refuse what does not fit, whatever it is.

    Raises:
        MemoryLimitError: with the numbers and `advice`.
    """
    bound = available_memory() if limit is None else min(available_memory(), limit)
    if needed > bound:
        raise MemoryLimitError(f"{what} needs {readable(needed)}; {readable(bound)} are available. {advice}")


def check_limit(limit: int | None) -> int | None:
    """A valid memory limit in bytes, or None."""
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
        raise QsimError(f"memory_limit is a positive number of bytes, got {limit!r}.")
    return limit

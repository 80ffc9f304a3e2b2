"""How fast a node is: memory, arithmetic, exchanges and the disk, measured here in a second or two each, or given.

Each rate says where it comes from, so that a plan can tell what is measured from what is assumed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from qsim.distributed.store import StateFile
from qsim.errors import QsimError
from qsim.memory import available_memory

#: Rates that nobody measured: two memory channels, a thread, a network of 100 Gbit/s, a disk on a serial bus.
_ASSUMED = {
    "memory": 20e9, "sweeps": 1.0, "products": 1.0, "exchange": 5e9, "network": 12.5e9, "disk_read": 0.5e9, "disk_write": 0.5e9,
    "disk_first": 0.5e9,
}  # fmt: skip
#: What each rate is a rate of.
UNITS = {name: "bytes/s" for name in _ASSUMED} | dict.fromkeys(("sweeps", "products"), "of one reference thread's time")
#: Bytes that are written to the disk and read again.
_FILE = 1 << 28


@dataclass(frozen=True)
class Rate:
    """A number and where it comes from: "measured here", "given" or "assumed", with details."""

    value: float
    source: str


@dataclass(frozen=True)
class Rates:
    """Of a node, all of whose cores work.

    Attributes:
        memory: bytes that passes load and store a second.
        sweeps, products: seconds that a second of the reference thread's takes here, so that less is faster: of operations
            bound by loading and storing a tile, and of matrix products.
        exchange: bytes that ranks on one node send a second, all together.
        network: bytes that a node sends a second to others.
        disk_read, disk_write: bytes of a file a second.
        disk_first: bytes that are written to where nothing was yet, which the system has to find room for.

    >>> Rates.assumed().network
    Rate(value=12500000000.0, source='assumed')
    """

    memory: Rate
    sweeps: Rate
    products: Rate
    exchange: Rate
    network: Rate
    disk_read: Rate
    disk_write: Rate
    disk_first: Rate

    @classmethod
    def assumed(cls) -> Rates:
        """Rates of no machine in particular."""
        return cls(**{name: Rate(value, "assumed") for name, value in _ASSUMED.items()})

    def given(self, values: Mapping[str, float | None]) -> Rates:
        """With the rates that were given in place of others.

        Raises:
            QsimError: a rate is not a positive number.
        """
        made = self
        for name, value in values.items():
            if value is None:
                continue
            if not 0 < value < float("inf"):
                raise QsimError(f"A rate is a positive number of bytes a second; {name} is {value!r}.")
            made = replace(made, **{name: Rate(float(value), "given")})
        return made

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Each rate's value, unit and source."""
        return {
            name: {"value": rate.value, "unit": UNITS[name], "source": rate.source} for name, rate in vars(self).items()
        }


def measured(precision: str, threads: int, *, exchange: bool = False, folder: Any = None, size: int = 0) -> Rates:
    """The rates of this machine; those that are not asked for, and the network, are assumed.

    Args:
        precision: of the amplitudes.
        threads: all that a node's ranks have together.
        exchange: measure how fast two processes exchange messages, over MPI if it is there.
        folder: where a file would be, or None.
        size: bytes of that file: one that fits into half of the free memory is read and written at the speed of the system's
            cache.
    """
    from qsim.distributed.engine_rates import measure_engine

    memory, sweeps, products = measure_engine(precision, threads)
    here = f"measured here, {threads} thread{'s' * (threads > 1)}"
    made = replace(Rates.assumed(), memory=Rate(memory, here), sweeps=Rate(sweeps, here), products=Rate(products, here))
    if exchange:
        made = replace(made, exchange=measure_exchange())
    if folder is not None:
        cached = 2 * size < available_memory()
        source = "measured here, " + ("through the system's cache" if cached else "from the disk itself")
        found = measure_disk(folder, threads, cached)
        names = ("disk_read", "disk_write", "disk_first")
        made = replace(made, **{name: Rate(rate, source) for name, rate in zip(names, found, strict=True)})
    return made


def measure_disk(folder: Any, threads: int, cached: bool) -> tuple[float, float, float]:
    """Bytes a second that are read from a state's file in a folder, written to it again, and written for the first time.

    Args:
        cached: as long as the system keeps the file in memory; else with the disk itself.
    """
    place = Path(folder) if Path(folder).is_dir() else Path(folder).parent
    size = 1 << min(_FILE.bit_length() - 1, max(shutil.disk_usage(place).free // 4, 1 << 16).bit_length() - 1)
    with StateFile(place, size.bit_length() - 5, np.complex128, threads) as file:
        amplitudes: Any = np.ones(size >> 4, np.complex128)
        pieces = file.pieces(range(file.num_qubits), 0)

        def timed(action: Any) -> float:
            begun = time.perf_counter()
            action(amplitudes, *pieces)
            if not cached:
                file.flush()
            return size / max(time.perf_counter() - begun, 1e-9)

        first = timed(file.write)
        read = timed(file.read)
        return read, timed(file.write), first


def measure_exchange() -> Rate:
    """Bytes a second that two processes on this machine send each other, both together, over MPI if it is there."""
    launcher = shutil.which("mpiexec") or shutil.which("mpirun")
    under_mpi = any(name.startswith(("PMI_", "OMPI_COMM", "PMIX_")) for name in os.environ)
    if launcher is not None and not under_mpi:
        command = [launcher, "-n", "2", sys.executable, "-m", "qsim.distributed.exchange_rate"]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        try:
            found = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
            if found.returncode == 0:
                return Rate(float(found.stdout.split()[-1]), "measured here, 2 processes over MPI")
        except (OSError, subprocess.TimeoutExpired, ValueError, IndexError):
            pass
    from qsim.distributed.exchange_rate import over_copies

    return Rate(over_copies(), "measured here, copies in memory; without MPI")

"""One state over processes under MPI: results, bytes, the command line, and what goes wrong. Run with -m mpi."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import qsim.version

DRIVER = Path(__file__).with_name("mpi_driver.py")
ROOT = Path(__file__).parents[3]
NEEDED = shutil.which("mpiexec") is not None and importlib.util.find_spec("mpi4py") is not None

pytestmark = [pytest.mark.mpi, pytest.mark.skipif(not NEEDED, reason="needs mpiexec and mpi4py")]


def mpiexec(*arguments, timeout=120):
    """Run, and fail rather than wait for ranks that hang."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = ["mpiexec", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=environment, cwd=ROOT)


def driver(size, *arguments, timeout=120, before=()):
    return mpiexec("-n", size, sys.executable, *before, DRIVER, *arguments, timeout=timeout)


def answer(run):
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1])


def assert_as_one_process(size, name, n, timeout):
    found = answer(driver(size, "compare", name, n, timeout=timeout))
    assert found["size"] == size
    assert found["error"] < 1e-13
    assert found["mean"] < 1e-11
    assert found["counts"] is True
    assert found["sent"] == [found["planned"], found["messages"]]


@pytest.mark.parametrize("size", [2, 4, 8])
@pytest.mark.parametrize("name", ["random", "fourier", "ring"])
def test_twenty_qubits_as_one_process(size, name):
    assert_as_one_process(size, name, 20, 120)


@pytest.mark.slow
@pytest.mark.parametrize("n", [22, 24, 26])
@pytest.mark.parametrize("size", [2, 4, 8])
def test_more_qubits_as_one_process(size, n):
    assert_as_one_process(size, "random", n, 600)


@pytest.mark.parametrize("size", [2, 4])
def test_gradients_as_one_process(size):
    assert answer(driver(size, "gradient", 15))["error"] < 1e-12


# bad input ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("size", "case", "message"),
    [
        (3, "three", "The number of ranks is a power of two, got 3. Start 2 or 4 ranks."),
        (4, "few", "4 ranks take a circuit of 3 qubits or more, this one has 2. Use fewer ranks."),
        (2, "version", f"rank 0 has {qsim.version.__version__}, rank 1 has 0.0.1. Install the same one on every machine."),
        (4, "programs", "Every rank is given the same program: the one of rank 1"),
        (2, "memory", "MemoryLimitError: Rank 1 of 2: A rank's part of a statevector of 14 qubits on 2 ranks needs"),
    ],
)  # fmt: skip
def test_bad_input_is_an_error_on_all_ranks(size, case, message):
    texts = answer(driver(size, case))
    assert len(texts) == size
    assert all(message in text for text in texts), texts


def test_a_rank_that_is_killed_ends_the_run():
    run = driver(4, "dies", "killed", timeout=60)
    assert run.returncode != 0
    assert "never printed" not in run.stdout


@pytest.mark.parametrize("how", ["exits with 0", "exits with 3"])
def test_a_rank_that_ends_before_the_others_ends_the_run(how):
    run = driver(4, "dies", how, timeout=60)
    assert run.returncode != 0
    assert "Every rank makes the same calls: rank 1 has ended" in run.stderr
    assert "never printed" not in run.stdout


@pytest.mark.parametrize("before", [(), ("-m", "mpi4py")])
def test_a_rank_that_fails_outside_ends_the_run(before):
    run = driver(4, "dies", "raises", timeout=60, before=before)
    assert run.returncode != 0
    assert "this rank has an error of its own" in run.stderr


def test_an_error_of_all_ranks_that_nobody_catches_is_told_by_all():
    run = driver(4, "uncaught", timeout=60)
    assert run.returncode == 1
    assert run.stderr.count("CircuitError: Each rank holds at least one qubit") == 4


def test_an_interrupt_inside_a_call_ends_the_run():
    run = driver(4, "stops", timeout=60)
    assert run.returncode != 0
    assert "rank 1 of 4: KeyboardInterrupt" in run.stderr


# the command line -----------------------------------------------------------------------------------------------
PROGRAM = """OPENQASM 3.0;
include "stdgates.inc";
input float theta;
qubit[16] q;
bit[16] c;
h q;
for int i in [0:14] { cx q[i], q[i + 1]; ry(theta * i) q[i]; }
for int i in [0:14] { cx q[i + 1], q[i]; rx(theta) q[i]; }
c = measure q;
"""
GIVEN = ("--set", "theta=0.7", "--seed", "3")


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "program.qasm"
    path.write_text(PROGRAM)
    return path


def qsim_command(*arguments):
    return (sys.executable, "-m", "session", *arguments)


def test_qsim_run_prints_once_and_what_one_process_prints(program):
    command = qsim_command("run", program, *GIVEN, "--shots", 2000, "--json")
    alone = subprocess.run(
        [*map(str, command)], capture_output=True, text=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    ranked = mpiexec("-n", 4, *command)
    assert ranked.returncode == alone.returncode == 0, ranked.stderr
    assert ranked.stdout == alone.stdout


def test_qsim_run_from_standard_input_without_a_seed(program):
    with program.open() as text:
        run = subprocess.run(
            ["mpiexec", "-n", "2", *map(str, qsim_command("run", "-", "--set", "theta=0.1", "--json"))], stdin=text,
            capture_output=True, text=True, timeout=120, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert sum(json.loads(run.stdout)["counts"].values()) == 2048


def test_qsim_estimate_on_ranks(program):
    command = qsim_command("estimate", program, "--set", "theta=0.7", "--observable", "X0*X15 + Z3", "--json")
    values = [json.loads(mpiexec("-n", size, *command).stdout)["value"] for size in (1, 4)]
    assert abs(values[0] - values[1]) < 1e-12


@pytest.mark.parametrize(
    ("size", "more", "message"),
    [
        (3, (), "error: The number of ranks is a power of two, got 3"),
        (2, ("--set", "phi=1"), "phi"),
        (2, ("--backend", "aer"), "Several ranks run the local simulator, got --backend aer."),
        (2, ("--method", "mps"), "Several ranks hold one statevector, got --method mps."),
    ],
)
def test_errors_are_printed_once(program, size, more, message):
    run = mpiexec("-n", size, *qsim_command("run", program, *GIVEN, *more), timeout=60)
    assert run.returncode == 1
    assert run.stderr.count(message) == 1, run.stderr
    assert run.stdout == ""


def test_different_programs_on_the_command_line(program, tmp_path):
    other = tmp_path / "other.qasm"
    other.write_text(PROGRAM.replace("h q;", "x q;"))
    parts = ["-n", 1, *qsim_command("run", program, *GIVEN), ":", "-n", 1, *qsim_command("run", other, *GIVEN)]
    run = mpiexec(*parts, timeout=60)
    assert run.returncode == 1
    assert run.stderr.count("Every rank is given the same program") == 1
    missing = ["-n", 1, *qsim_command("run", program, *GIVEN), ":", "-n", 1, *qsim_command("run", "no.qasm", *GIVEN)]
    run = mpiexec(*missing, timeout=60)
    assert run.returncode == 1
    assert "Rank 1 of 2: There is no file 'no.qasm'" in run.stderr

"""``mpiexec -n 4 qsim run``: what a rank does, on ranks that are threads, and what is said without mpi4py."""

from __future__ import annotations

import subprocess
import sys

import pytest

from qsim import SparsePauliOp
from qsim.distributed import launched_ranks, run_in_threads
from qsim.errors import QsimError, RankError
from session import ExecutionSession
from session.cli import main
from session.cli_ranks import RankedCommand

PROGRAM = """OPENQASM 3.0;
include "stdgates.inc";
input float theta;
qubit[14] q;
bit[14] c;
h q;
for int i in [0:12] { cx q[i], q[i + 1]; ry(theta * i) q[i]; }
c = measure q;
"""
OPTIONS = {"precision": "double", "threads": 1, "method": None, "noise": None, "backend": None}


def commands(size, body, **options):
    return run_in_threads(size, lambda transport: body(RankedCommand(transport, OPTIONS | options)))


def test_counts_and_estimates_are_those_of_a_session():
    operator = SparsePauliOp.from_string("X0*X13 + Z3")
    with ExecutionSession(PROGRAM, random_seed=5, num_shots=500) as session:
        counts = session.sample({"theta": 0.3})
        estimate = session.estimate(operator, {"theta": 0.3})

    def body(command):
        opened, values = command.open(lambda: ExecutionSession(PROGRAM, random_seed=5, num_shots=500), ["theta=0.3"])
        return command.sample(opened, values), command.estimate(opened, values, operator)

    for details, estimated in commands(4, body):
        assert details == counts
        assert abs(estimated.value - estimate.value) < 1e-12
        assert abs(estimated.variance - estimate.variance) < 1e-11


def test_a_drawn_seed_is_that_of_the_first_rank():
    def body(command):
        session, values = command.open(lambda: ExecutionSession(PROGRAM, num_shots=100), ["theta=1"])
        return command.sample(session, values)

    first, second = commands(2, body)
    assert first == second
    assert first.seed == second.seed


def test_standard_input_is_read_once():
    reads = []

    def body(command):
        return command.read("-", lambda name: reads.append(name) or "text")

    assert commands(4, body) == ["text"] * 4
    assert reads == ["-"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backend": "ionq"}, "Several ranks run the local simulator, got --backend ionq"),
        ({"method": "stabilizer"}, "Several ranks hold one statevector, got --method stabilizer"),
        ({"noise": "model.json"}, "Several ranks take no --noise"),
        ({"submit": True}, "Several ranks take no --submit"),
        ({"shots": 10}, "exact expectation values"),
    ],
)
def test_what_ranks_do_not_do_is_refused(options, message):
    with pytest.raises(QsimError, match=message):
        commands(2, lambda command: command.open(lambda: ExecutionSession(PROGRAM), ["theta=1"]), **options)


def test_launchers_tell_how_many_ranks_there_are():
    assert launched_ranks({"PMI_SIZE": "8"}) == launched_ranks({"OMPI_COMM_WORLD_SIZE": "8"}) == 8
    assert launched_ranks({"SLURM_STEP_NUM_TASKS": "8", "PMIX_RANK": "0"}) == 8
    assert launched_ranks({"PMI_SIZE": "8", "QSIM_MPI": "0"}) == 1
    assert launched_ranks({"SLURM_STEP_NUM_TASKS": "8"}) == launched_ranks({"PMI_SIZE": "none"}) == 1


@pytest.mark.parametrize("rank", [0, 1])
def test_without_mpi4py_the_first_rank_says_what_to_install(monkeypatch, capsys, tmp_path, rank):
    file = tmp_path / "program.qasm"
    file.write_text(PROGRAM)
    monkeypatch.setenv("PMI_SIZE", "4")
    monkeypatch.setenv("PMI_RANK", str(rank))
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    assert main(["run", str(file), "--set", "theta=1"]) == 1
    assert ('pip install "qsim-session[mpi]"' in capsys.readouterr().err) == (rank == 0)


def test_an_mpi_library_that_is_not_there(monkeypatch):
    import types

    from qsim.distributed import mpi

    class Broken(types.ModuleType):
        def __getattr__(self, name):
            raise RuntimeError("cannot load MPI library")

    monkeypatch.setitem(sys.modules, "mpi4py", Broken("mpi4py"))
    with pytest.raises(RankError, match="finds no MPI library: cannot load"):
        mpi.MPITransport()


def test_neither_package_imports_mpi4py():
    code = "import sys, qsim, session, session.cli, qsim.distributed; assert 'mpi4py' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)

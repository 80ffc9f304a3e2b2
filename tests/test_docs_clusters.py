"""docs/clusters.md and examples/sweep.py: what needs no cluster runs as it stands, the rest as far as this machine can."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "clusters.md").read_text(encoding="utf-8"), re.DOTALL)
LOCAL = [block for block in BLOCKS if "distributed" not in block]


def test_every_block_compiles() -> None:
    assert len(BLOCKS) == 5 and len(LOCAL) == 2
    for block in BLOCKS:
        compile(block, "clusters.md", "exec")


@pytest.mark.parametrize("block", LOCAL, ids=range(len(LOCAL)))
def test_block_runs(block: str, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(block, "clusters.md", "exec"), {"__name__": "__main__"})
    assert "True" in capsys.readouterr().out


def run(tmp_path: Path, *command: str) -> str:
    import os

    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(
        [sys.executable, *command], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300, check=False
    )
    assert not done.returncode, done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_block_with_a_cluster_on_one_machine_runs(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    (block,) = [block for block in BLOCKS if "LocalCluster" in block]
    (tmp_path / "block.py").write_text(block)
    assert run(tmp_path, "block.py").strip() == "1000"


@pytest.mark.slow
def test_the_example_runs_and_goes_on(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    first = run(tmp_path, str(ROOT / "examples" / "sweep.py"), "sweep")
    assert "the bits of a run here: True" in first
    assert run(tmp_path, str(ROOT / "examples" / "sweep.py"), "sweep") == first


@pytest.mark.slow
def test_the_block_for_slurm_runs_on_jobs_of_this_machine(tmp_path: Path) -> None:
    """With dask-jobqueue's own cluster of local jobs in SLURM's place, and fewer points."""
    pytest.importorskip("dask_jobqueue")
    (block,) = [block for block in BLOCKS if "SLURMCluster" in block]
    script = block.replace("from dask_jobqueue import SLURMCluster", "from dask_jobqueue.local import LocalCluster")
    script = script.replace("SLURMCluster(", "LocalCluster(").replace("1_000_000", "4_000").replace("jobs=4", "jobs=1")
    script = re.sub(r"    (queue|account|walltime|job_script_prologue)=.*\n", "", script)
    script = script.replace("32,", "2,").replace('"64 GB"', '"4 GB"').replace('"ib0"', '"lo"')
    script += "print(len(values), bool((values == Simulator().expectation(circuit, Pauli.Z(0), points)).all()))\n"
    (tmp_path / "block.py").write_text(script)
    assert run(tmp_path, "block.py").strip() == "4000 True"


def test_the_block_for_slurm_makes_the_job_that_it_says() -> None:
    jobqueue = pytest.importorskip("dask_jobqueue")
    (block,) = [block for block in BLOCKS if "SLURMCluster" in block]
    call = re.search(r"SLURMCluster\(\n.*?\n\)", block, re.DOTALL)
    assert call is not None
    made = eval(call[0].replace('"ib0"', '"lo"'), {"SLURMCluster": jobqueue.SLURMCluster})
    with made:
        assert "--nthreads 1" in made.job_script() and "--nworkers 32" in made.job_script()

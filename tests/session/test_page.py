"""The code blocks of the page that users come from, executed with their import line changed and nothing else."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from session import RX, CReal, ExecutionJob, ExecutionSession, Output, Pauli, QBit, allocate, qfunc, synthesize

_HERE = Path(__file__).resolve().parents[2]
_BLOCK = re.compile(r"^```python[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)


def page() -> Path | None:
    """The page, where it is found."""
    for place in (os.environ.get("QSIM_PAGE"), _HERE.parent / "shared" / "execution_session.txt"):
        if place and Path(place).is_file():
            return Path(place)
    return None


def blocks() -> list[Any]:
    found = page()
    if found is None:
        skip = pytest.mark.skip(reason="no page: set QSIM_PAGE to the file execution_session.txt")
        return [pytest.param("", marks=skip, id="no page")]
    return [pytest.param(code, id=f"block{k}") for k, code in enumerate(_BLOCK.findall(found.read_text("utf-8")))]


@qfunc
def _main(x: Output[QBit], t: CReal):
    allocate(1, x)
    RX(t, x)


def prelude(code: str) -> dict[str, Any]:
    """What the partial examples leave to their reader, and nothing that a block defines or imports itself."""
    if "ExecutionJob.from_id" not in code:
        return {}
    parts = {"ExecutionSession": ExecutionSession, "ExecutionJob": ExecutionJob}
    if "submit_estimate" in code:
        steps = iter([0.6, 0.7, 0.8, 0.9])
        parts |= {
            "qprog": synthesize(_main),
            "hamiltonian": Pauli.Z(0),
            "params": {"t": 0.5},
            "data": None,
            "max_iterations": 3,
            "result_is_good_enough": lambda result: result.value < 0.8,
            "compute_the_next_parameters": lambda result: {"t": next(steps)},
        }
    else:
        parts["qprog"] = synthesize(_without_parameters)
    return parts


@qfunc
def _without_parameters(x: Output[QBit]):
    allocate(1, x)
    RX(0.5, x)


@pytest.mark.parametrize("code", blocks())
def test_block_of_the_page_runs(code: str) -> None:
    if "from_id" in code and not hasattr(ExecutionJob, "from_id"):
        pytest.skip("this version's jobs have no from_id")
    names = prelude(code)
    exec(compile(code.replace("from classiq import", "from session import"), "page", "exec"), names)
    if "estimate_result" in names:
        assert names["estimate_result"].value == pytest.approx(1 + 2 * 0.8775825618903728)
        assert names["batch_estimate_job"].result()[0].value == names["estimate_result"].value
    if "batch_sample_result" in names:
        assert [details.num_shots for details in names["batch_sample_result"]] == [2048, 2048]
        assert names["sample_job"].get_sample_result().num_shots == 2048
    if "restored_job" in names:
        assert names["results"].num_shots == 2048
    if "iterations_data" in names:
        assert [round(entry["result"].value, 3) for entry in names["iterations_data"]] == [0.878, 0.825, 0.765]
        assert all(entry["job_id"] for entry in names["iterations_data"])


@pytest.mark.skipif(page() is None, reason="no page: set QSIM_PAGE to the file execution_session.txt")
def test_the_page_has_six_blocks() -> None:
    assert len(blocks()) == 6

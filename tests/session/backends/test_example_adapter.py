"""The adapter of docs/adapters.md, as it stands in examples/: it runs, and the suite for adapters passes on it."""

from __future__ import annotations

import importlib.util
import runpy
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[3] / "examples" / "memory_adapter.py"
_spec = importlib.util.spec_from_file_location("memory_adapter", EXAMPLE)
assert _spec is not None and _spec.loader is not None
memory_adapter = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(memory_adapter)
TestMemoryBackend = memory_adapter.TestMemoryBackend


def test_it_runs(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    out = capsys.readouterr().out
    assert "'00'" in out and "'11'" in out and "done" in out

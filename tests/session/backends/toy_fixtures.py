"""Fixtures of tests with the toy vendor; imported by name, because two files called conftest are in each other's way."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store of jobs of its own."""
    folder = tmp_path / "state"
    monkeypatch.setenv("QSIM_STATE_DIR", str(folder))
    return folder


@pytest.fixture
def toy_vendor(tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for `toy.install`, on the path; waits between questions are short."""
    pytest.importorskip("httpx2")
    pytest.importorskip("tenacity")
    from toy import KEY

    from session import remote_runs
    from session.backends import remote

    folder = tmp_path / "vendor"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("QSIM_CONFIG_DIR", str(folder / "config"))
    monkeypatch.setenv("TOY_KEY", KEY)
    monkeypatch.setattr(remote, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(remote, "LONGEST_WAIT", 0.05)
    monkeypatch.setattr(remote_runs, "_SEARCH_WAIT", 0.05)
    monkeypatch.setattr(remote_runs, "_SLICE", 0.01)
    return folder

"""Finding adapters: what is missing is named with the way to get it, and what is broken disturbs nobody."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from qsim import Circuit
from session import ExecutionPreferences, ExecutionSession
from session.backends.profiles import Profile, define_profile, forget_profile
from session.backends.registry import _LIBRARIES, BackendError, backend_names, list_backends, load_backend
from session.cli import main
from session.cli_backends import read_options
from session.errors import SessionError


@pytest.mark.parametrize("extra", [extra for extra in _LIBRARIES])
def test_a_missing_extra_is_named_when_the_backend_is(extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec

    def without(name: str, *rest: Any) -> Any:
        return None if name in _LIBRARIES[extra] else found(name, *rest)

    monkeypatch.setattr("session.backends.registry.find_spec", without)
    with pytest.raises(BackendError, match=rf'pip install "qsim-session\[{extra}\]"'):
        ExecutionSession(Circuit(1), extra)


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Adapters whose capabilities ask a service find none, on this machine."""
    monkeypatch.setattr("session.backends.http.TRIES", 1)
    for adapter in ("ionq", "aqt"):
        define_profile(Profile(adapter, adapter, "http://127.0.0.1:1"))
    yield
    for adapter in ("ionq", "aqt"):
        forget_profile(adapter)


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Plug-ins that end the process, that raise, and whose metadata are garbage; each an installed distribution."""

    def install(name: str, metadata: str, points: str, code: str = "") -> None:
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(metadata)
        (info / "entry_points.txt").write_text(points)
        (tmp_path / f"{name}_module.py").write_text(code)

    def point(name: str, attribute: str = "Backend") -> str:
        return f"[qsim.adapters]\n{name} = {name}_module:{attribute}\n"

    def about(name: str) -> str:
        return f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"

    install("leaves", about("leaves"), point("leaves"), "raise SystemExit('goodbye')")
    install("raises", about("raises"), point("raises"), "1 / 0")
    install("nameless", "\x00\xff garbage", point("nameless"), "x = 1")
    install("thief", about("thief"), "[qsim.adapters]\nsimulator = thief_module:Backend\n", "raise SystemExit")
    install("mute", about("mute"), "[qsim.adapters\nno = equals = sign\n\x00")
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_broken_plug_ins_disturb_nobody(broken: Path, offline: None, capsys: pytest.CaptureFixture[str]) -> None:
    with ExecutionSession(Circuit(1).x(0), "local", num_shots=3) as session:
        assert session.sample().counts == {"1": 3}
    assert {"leaves", "raises", "nameless"} <= set(backend_names())
    assert {entry.name: entry.source for entry in list_backends()}["leaves"] == "leaves 1.0"
    for name, message in {
        "leaves": "SystemExit: goodbye",
        "raises": "ZeroDivisionError",
        "nameless": "no attribute",
    }.items():
        with pytest.raises(BackendError, match=message):
            load_backend(ExecutionPreferences(backend=name))
    assert main(["backends", "--check", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["leaves"]["error"] == rows["leaves"]["state"] != "ready"
    assert rows["simulator"]["state"] == "ready" and "sample" in rows["simulator"]["operations"]
    assert rows["ionq"]["tested_against"] and "not run on" in rows["ionq"]["tested_against"]
    assert main(["backends", "--check"]) == 0
    out = capsys.readouterr().out
    assert "not ready" in out and "goodbye" in out and "tested against" in out


def test_options_of_backends_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert read_options([]) is None
    for wrong in ("target", "=x"):
        with pytest.raises(SessionError, match="NAME=VALUE"):
            read_options([wrong])
    assert main(["backends", "--option", "a=1"]) == 1
    assert "of one backend" in capsys.readouterr().err


def test_a_plug_in_that_cannot_say_what_it_can_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    info = tmp_path / "odd-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: odd\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[qsim.adapters]\nodd = odd_module:Odd\nlocal = odd_module:Odd\n")
    code = """
class Odd:
    name = "odd"
    def __init__(self, preferences): pass
    def capabilities(self): raise RuntimeError("two\\nlines, Bearer abcdefgh12345")
    def check(self, program, task): pass
    def run(self, program, task): return []
"""
    (tmp_path / "odd_module.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "local" not in backend_names()  # which is this engine, whatever is installed
    assert main(["backends", "odd"]) == 1
    said = capsys.readouterr().err
    assert said == "error: Backend 'odd' of odd 1.0 does not say what it can do: RuntimeError: two lines, Bearer ***.\n"


def test_a_distribution_without_metadata_has_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "bare-1.0.dist-info"
    info.mkdir()
    (info / "entry_points.txt").write_text("[qsim.adapters]\nbare = bare_module:Bare\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert {entry.name: entry.source for entry in list_backends()}["bare"] == "unknown"

"""The suite for adapters as a plug-in for pytest, in a process of its own as an author would run it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def run(folder: Path, adapter: str) -> str:
    path = os.pathsep.join([str(ROOT), str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "session.testing.plugin",
               "--pyargs", "session.testing.suite", "--adapter", adapter, "--adapter-shots", "50"]  # fmt: skip
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=120, env={**os.environ, "PYTHONPATH": path}
    )
    return done.stdout


def test_an_adapter_is_named_and_tested(tmp_path: Path) -> None:
    (tmp_path / "reversed_bits.py").write_text(
        "from session.backends.local import LocalBackend\n"
        "class Reversed(LocalBackend):\n"
        "    def run(self, program, task):\n"
        "        from dataclasses import replace\n"
        "        return [replace(one, counts={k[::-1]: n for k, n in one.counts.items()}) if hasattr(one, 'counts') else one\n"
        "                for one in super().run(program, task)]\n"
    )
    out = run(tmp_path, "reversed_bits:Reversed")
    assert "test_an_x_on_one_of_three_qubits_is_seen_on_that_one" in out and "failed" in out
    assert "test_capabilities_are_consistent" not in out
    out = run(tmp_path, "simulator")
    assert "passed" in out and "failed" not in out

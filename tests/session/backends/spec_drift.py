"""Whether vendors have newer specifications than those that the contract tests are pinned to: an alarm, not a failure.

``python tests/session/backends/spec_drift.py`` asks the package index through pip.
"""

from __future__ import annotations

import re
import subprocess
import sys

from vendor_specs import AQT_CONNECTOR, IONQ_CORE

PINNED = {"ionq-core": IONQ_CORE[0], "aqt-connector": AQT_CONNECTOR[0]}


def newest(package: str) -> str | None:
    """The newest version that pip knows; None when it cannot be asked."""
    command = [sys.executable, "-m", "pip", "index", "versions", package, "--disable-pip-version-check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    found = re.match(rf"{re.escape(package)} \(([^)]+)\)", done.stdout)
    return found[1] if found else None


def main() -> None:
    """Print a line for each package."""
    for package, pinned in PINNED.items():
        there = newest(package)
        told = "could not be asked for" if there is None else f"newest {there}"
        alarm = "" if there in (None, pinned) else "  <- look what changed, and pin it"
        print(f"{package}: pinned {pinned}, {told}{alarm}")


if __name__ == "__main__":
    main()

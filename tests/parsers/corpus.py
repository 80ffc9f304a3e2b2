"""Where real programs are, for the tests that read them; they are no part of this repository."""

import os
from pathlib import Path

import pytest

from parsers import load

_HERE = Path(__file__).resolve().parents[2]


def corpus_root():
    """The folder of programs, or None."""
    for place in (os.environ.get("QSIM_CORPUS"), _HERE.parent / "shared" / "corpus"):
        if place and Path(place).is_dir():
            return Path(place)
    return None


def programs(pattern="**/*.qasm", largest=None):
    """The programs, as test parameters; one skipped parameter where there is no corpus."""
    root = corpus_root()
    if root is None:
        reason = "no corpus: set QSIM_CORPUS to a folder of .qasm files"
        return [pytest.param(None, marks=pytest.mark.skip(reason=reason), id="no corpus")]
    paths = sorted(p for p in root.glob(pattern) if largest is None or p.stat().st_size <= largest)
    return [pytest.param(path, id=str(path.relative_to(root))) for path in paths]


def loaded(path):
    """The circuit of a program; its includes are looked for in its folder."""
    return load(path, include_dirs=[path.parent])

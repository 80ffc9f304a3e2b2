"""The Python blocks of docs/preparation.md run as they stand, and print what the page says."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[3] / "docs" / "preparation.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
SHOWN = ["'cz': 1", "without readout errors 0.99", "True"]


@pytest.mark.parametrize("number", range(3))
def test_block_runs(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(BLOCKS[number], "preparation.md", "exec"), {})
    assert SHOWN[number] in capsys.readouterr().out

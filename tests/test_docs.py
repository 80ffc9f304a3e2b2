"""The Python blocks of the pages in docs/ that are whole programs run as they stand."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1] / "docs" / "session.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
EXAMPLES = ("hydrogen.py", "grover_qfunc.py")


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_block_runs(block, capsys):
    exec(compile(block, "session.md", "exec"), {})
    assert capsys.readouterr().out.strip()


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_runs(name, capsys):
    import runpy

    runpy.run_path(str(Path(__file__).parents[1] / "examples" / name), run_name="__main__")
    shown = capsys.readouterr().out
    assert "-1.137270" in shown if name == "hydrogen.py" else "-1.5     999" in shown

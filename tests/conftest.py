"""Settings for all tests. This folder is on the import path, so that tests can import `oracle` and `strategies`."""

import sys
from pathlib import Path

from hypothesis import settings

from qsim import first_runs

# `benchmarks` is a package of the repository that is not installed.
sys.path.append(str(Path(__file__).resolve().parent.parent))

settings.register_profile("qsim", deadline=None, max_examples=50, print_blob=True)
settings.load_profile("qsim")


# The engine is what the tests are about, so none of them runs on NumPy because a cache is empty.
first_runs.compiled.update(("double", "single"))

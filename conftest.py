"""For all tests and doctests: jobs are kept in a folder that ends with the run, never in the user's store."""

import os
import shutil
import tempfile

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Before anything is imported; each worker of xdist has a store of its own."""
    os.environ["QSIM_STATE_DIR"] = tempfile.mkdtemp(prefix="qsim-test-jobs-")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the store."""
    shutil.rmtree(os.environ["QSIM_STATE_DIR"], ignore_errors=True)

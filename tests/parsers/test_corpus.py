"""Real programs: each is read, or refused for a reason that was looked at by hand."""

import time

import pytest
from corpus import loaded, programs

from parsers import QasmError

#: Part of a path -> words of the error: programs that are wrong, or that say what is not supported.
REFUSED = {
    # wrong programs
    "vqe_uccsd_n4/": "no quantum register 'q'",
    "vqe_uccsd_n6/": "no quantum register 'q'",
    "vqe_uccsd_n8/": "no quantum register 'q'",
    "/invalid/": "",
    "teleport_minimal.qasm": "ends with ';'",
    "units/teleportation.qasm": "ends with ';'",
    "staq/misc/bad.qasm": "one size",
    # a dialect of its own
    "staq/misc/": "",
}


@pytest.mark.slow
@pytest.mark.parametrize("path", programs())
def test_read_or_refused_with_a_place(path):
    start = time.perf_counter()
    try:
        loaded(path)
    except QasmError as error:
        assert len(error.message) > 15
        assert error.line is not None
        for part, words in REFUSED.items():
            if part in str(path):
                assert words in error.message
                break
    assert time.perf_counter() - start < 10

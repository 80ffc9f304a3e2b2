"""Generated programs: what they do is what a naive interpreter of their pieces does, also when written and read again."""

import warnings

import pytest
from generated import TooMany, outcomes_of, programs2, programs3
from hypothesis import HealthCheck, assume, given, settings
from programs import outcomes

from parsers import QasmError, QasmWarning, dumps, loads


def assert_agree(text, expected):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", QasmWarning)
        found = outcomes(text)
    assert found.keys() == expected.keys(), text
    assert max(abs(found[value] - weight) for value, weight in expected.items()) < 1e-9, text


def check(program):
    text, statements = program
    try:
        expected = outcomes_of(statements)
    except TooMany:
        assume(False)
    assert_agree(text, expected)
    return text, expected


QUIET = {"suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]}


@settings(max_examples=25, **QUIET)
@given(programs2())
def test_programs_of_version_2(program):
    text, expected = check(program)
    assert_agree(dumps(loads(text), version="2.0"), expected)
    assert_agree(dumps(loads(text)), expected)


@settings(max_examples=15, **QUIET)
@given(programs3())
def test_programs_of_version_3(program):
    check(program)


@pytest.mark.slow
@settings(max_examples=300, **QUIET)
@given(programs3())
def test_many_programs_of_version_3(program):
    text, expected = check(program)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", QasmWarning)
        try:
            written = dumps(loads(text))
        except QasmError:
            return
    assert_agree(written, expected)


@pytest.mark.slow
@settings(max_examples=300, **QUIET)
@given(programs2())
def test_many_programs_of_version_2(program):
    text, expected = check(program)
    assert_agree(dumps(loads(text), version="2.0"), expected)

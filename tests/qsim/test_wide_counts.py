"""Counts of outcomes wider than 64 bits, and the rows of bits that they are kept in."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from qsim.bits import as_integers, distinct, from_integers, pack, unpack
from qsim.circuit import Register
from qsim.counts import Counts


@given(st.integers(1, 200), st.data())
def test_rows_are_integers_and_bits(num_bits, data):
    values = data.draw(st.lists(st.integers(0, 2**num_bits - 1), min_size=1, max_size=8))
    rows = from_integers(values, num_bits)
    assert as_integers(rows) == values
    assert np.array_equal(pack(unpack(rows, num_bits)), rows)
    found, frequencies = distinct(rows)
    assert as_integers(found) == sorted(set(values))
    assert frequencies.tolist() == [values.count(value) for value in sorted(set(values))]


@given(st.integers(63, 130), st.data())
def test_wide_counts_behave_as_narrow_ones(num_bits, data):
    table = data.draw(st.dictionaries(st.integers(0, 2**num_bits - 1), st.integers(1, 9), min_size=1, max_size=6))
    values, shots = sorted(table), [table[value] for value in sorted(table)]
    registers = [Register("low", tuple(range(5))), Register("high", tuple(range(5, num_bits)))]
    counts = Counts(values, shots, num_bits, registers, 3, memory=True)
    assert counts.outcomes == values and counts.shots == sum(shots)
    assert dict(counts) == {format(value, f"0{num_bits}b"): table[value] for value in values}
    bits = [[value >> k & 1 for k in range(num_bits)] for value in values]
    assert counts.array.tolist() == bits
    assert counts.bit_array.shape == (sum(shots), num_bits)
    assert sorted(counts.memory) == sorted(key for key, count in counts.items() for _ in range(count))
    low = counts.of_register("low")
    assert low.shots == counts.shots and low.num_bits == 5
    for key, count in low.items():
        assert count == sum(table[value] for value in values if value % 32 == int(key, 2))
    assert counts.of_register("high").num_bits == num_bits - 5
    most = max(shots)
    first = next(value for value in values if table[value] == most)
    assert counts.most_common(1) == [(format(first, f"0{num_bits}b"), most)]
    swapped = counts.marginal([num_bits - 1, 0])
    assert swapped.shots == counts.shots

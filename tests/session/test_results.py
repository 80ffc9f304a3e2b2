"""Results: order, named outputs, dataframes and JSON."""

from __future__ import annotations

import json

import pytest

from session import EstimationResult, ExecutionDetails, SessionError

DETAILS = ExecutionDetails({"101": 6, "010": 3, "100": 1}, {"a": (0,), "b": (1, 2)}, seed=4)


def test_parsed_counts_merge_states_and_are_sorted_by_shots() -> None:
    details = ExecutionDetails({"00": 4, "11": 3, "01": 2}, {"low": (0,)})
    assert details.parsed_counts == [({"low": 1}, 5), ({"low": 0}, 4)]
    assert details.parsed_counts[0].state == {"low": 1}
    assert details.parsed_counts[0].shots == 5


def test_outputs_whose_bits_are_in_any_order() -> None:
    details = ExecutionDetails({"110": 1}, {"x": (2, 0), "none": ()})
    assert details.parsed_counts[0].state == {"x": 1, "none": 0}
    assert details.counts_of_output("x") == {"01": 1}


def test_dataframe_has_a_column_for_each_output() -> None:
    frame = DETAILS.dataframe
    assert list(frame.columns) == ["a", "b", "counts", "probability", "bitstring"]
    assert frame.a.tolist() == [1, 0, 0]
    assert frame.b.tolist() == [2, 1, 2]
    assert frame.counts.tolist() == [6, 3, 1]
    assert frame.probability.tolist() == [0.6, 0.3, 0.1]
    assert frame.bitstring.tolist() == ["101", "010", "100"]
    assert str(frame.dtypes["a"]) == str(frame.dtypes["counts"]) == "int64"


def test_dataframe_with_wide_and_clashing_outputs() -> None:
    details = ExecutionDetails({"1" * 80: 2}, {"wide": tuple(range(80)), "counts": (0,)})
    frame = details.dataframe
    assert frame["wide"].tolist() == [(1 << 80) - 1]
    assert frame["counts_"].tolist() == [1]
    assert frame["counts"].tolist() == [2]


def test_counts_of_output() -> None:
    assert DETAILS.counts_of_output("b") == {"10": 7, "01": 3}
    with pytest.raises(SessionError, match=r"no output 'bb'. Did you mean 'b'\? There is a, b"):
        DETAILS.counts_of_output("bb")


def test_json_keeps_everything() -> None:
    assert ExecutionDetails.from_dict(json.loads(DETAILS.to_json())) == DETAILS
    result = EstimationResult(0.1, 1.0, 0.1, {"num_shots": 100})
    assert result.standard_error == pytest.approx(0.1)
    assert result.variance == pytest.approx(1.0)
    assert EstimationResult.from_dict(json.loads(result.to_json())) == result
    assert float(result) == 0.1


def test_repr_is_short() -> None:
    many = ExecutionDetails({format(k, "06b"): 1 for k in range(64)}, {})
    assert repr(many).endswith("… 58 more})")
    assert len(repr(many)) < 160

"""Sizes and times as people write them."""

import pytest

from keras_kd.cli._sizes import count, milliseconds, size_bytes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("250000", 250_000),
        ("250kB", 250_000),
        ("250 KB", 250_000),
        ("250k", 250_000),
        ("64KiB", 65_536),
        ("1.5MB", 1_500_000),
        (".5 MiB", 524_288),
        ("1GB", 10**9),
        (None, None),
    ],
)
def test_sizes(text, expected):
    assert size_bytes("--max-size", text) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("300k", 300_000), ("1.5M", 1_500_000), ("7", 7)]
)
def test_counts(text, expected):
    assert count("--max-params", text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("20ms", 20.0), ("20", 20.0), ("500us", 0.5), ("0.5 s", 500.0)],
)
def test_times(text, expected):
    assert milliseconds("--max-latency", text) == pytest.approx(expected)


@pytest.mark.parametrize("parse", [size_bytes, count, milliseconds])
@pytest.mark.parametrize("text", ["", "much", "0", "-1", "1.2.3", "5 pounds", "ib"])
def test_what_is_no_number_says_what_to_give(parse, text):
    with pytest.raises(ValueError, match="expected --limit as") as error:
        parse("--limit", text)
    assert f'"{text}"' in str(error.value)

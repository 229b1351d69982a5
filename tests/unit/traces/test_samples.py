"""Real recordings, where the environment names a folder of them."""

import pytest

pytest.importorskip("msgspec", reason="the extra `traces` is not installed")

from tests.bench.samples import ABSENT, compare, overlap_error_us, recordings_in, samples_folder


def test_totals_are_those_of_plain_code_and_of_others() -> None:
    folder = samples_folder()
    if folder is None:
        pytest.skip(ABSENT)
    recordings = recordings_in(folder)
    assert recordings
    for path in recordings:
        count, differences = compare(path)
        assert count
        assert differences == []
        error_us = overlap_error_us(path) if path.is_dir() else None
        assert error_us is None or error_us <= 0.02

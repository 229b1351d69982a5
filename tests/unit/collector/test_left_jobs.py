"""Jobs without a figure, as the comparison reads them."""

import pyarrow as pa

from steelyard_collector.shares.jobs import read_jobs
from steelyard_collector.shares.window import window_of


def test_a_job_of_which_only_steps_are_known_stops_no_comparison() -> None:
    """Its device was never told to be held, so nobody says what its origin is; beside others it must have one."""
    row = {"run": "a", "name": None, "chip": None, "workload": None, "quantity": "tokens_per_s_device"}
    row |= {"marked": "productive", "tokens": None, "excluded": "what it trains was never told", "origin": None}
    jobs = read_jobs(lambda _sql, _values: pa.Table.from_pylist([row]), window_of(3600, 1_800_000_000_000))
    [left] = jobs.left
    assert (left.origin, left.job.reason) == ("measured", "what it trains was never told")

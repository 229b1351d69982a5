"""Totals of real recordings, equal to the last digit to those of plain code, of others' tools and of the vendor."""

from collections.abc import Callable

from tests.bench.figure import Figure
from tests.bench.samples import ABSENT, compare, overlap_error_us, recordings_in, samples_folder


def run(progress: Callable[[str], None]) -> list[Figure]:
    """Compares every recording in the folder; says so where there is none."""
    folder = samples_folder()
    if folder is None:
        return [Figure("differing_totals", None, "", "<= 0", f"skipped: {ABSENT}")]
    compared, differing, errors_us = 0, [], []
    recordings = recordings_in(folder)
    for path in recordings:
        progress(str(path.relative_to(folder)))
        count, differences = compare(path)
        compared += count
        differing += differences
        error_us = overlap_error_us(path) if path.is_dir() else None
        errors_us += [] if error_us is None else [error_us]
    for difference in differing:
        progress(difference)
    note = f"of {compared} totals in {len(recordings)} recordings"
    return [
        Figure("differing_totals", len(differing) if compared else None, "", "<= 0", note),
        Figure("overlap_error_us", max(errors_us, default=None), "us", "<= 0.02", "beside step_trace_time.csv"),
    ]

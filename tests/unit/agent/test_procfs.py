"""Files of procfs, and what their text says."""

from pathlib import Path

import pytest

from steelyard_agent.devices.procfs import CpuTimes, KeptFile, parse_cores


@pytest.mark.parametrize("size", [0, 65_535, 65_536, 65_537, 200_000])
def test_a_file_is_read_whole_up_to_its_limit_each_time(tmp_path: Path, size: int) -> None:
    path = tmp_path / "stat"
    path.write_bytes(b"x" * size)
    file = KeptFile(path, limit_bytes=150_000)
    assert len(file.read()) == len(file.read()) == min(size, 150_000)
    path.write_bytes(b"y" * 10)
    assert file.read() == b"y" * 10
    file.close()


def test_cores_of_kernels_with_more_and_fewer_columns() -> None:
    new = b"cpu  11 0 0 0 0 0 0 0 0 0\ncpu0 1 2 3 4 5 6 7 8 9 10\ncpu3 10 0 0 0 0 0 0 0 0 0\nintr 7 8\nctxt 5\n"
    # Guest time is part of user time.
    assert parse_cores(new) == (CpuTimes(36, 4, 5), CpuTimes(10, 0, 0))
    assert parse_cores(b"cpu  1 2 3 4\ncpu0 1 2 3 4\nintr 7\n") == (CpuTimes(10, 4, 0),)
    assert parse_cores(b"cpu  1 2 3 4 5\nintr 7\n") == ()

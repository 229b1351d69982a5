"""A collector that can't begin says in one line what, where and what to do, and its exit code says which kind it is."""

import socket
import subprocess
from pathlib import Path

import pytest

from steelyard_collector.cli import main
from tests.standins.programs import BIN


def last_line(capsys: pytest.CaptureFixture[str]) -> str:
    streams = capsys.readouterr()
    assert streams.out == ""
    return [line for line in streams.err.splitlines() if line.startswith("steelyard-collector: ")][-1]


def test_a_store_directory_that_can_not_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    # Also for root, who may write anywhere: below a file, and in a file system that nobody writes to.
    for directory, why in ((tmp_path / "file" / "store", "Not a directory"), (Path("/proc/store"), "No such file")):
        assert main(["daemon", "--store", f"chdb://{directory}", "--listen", "127.0.0.1:0"]) == 1
        said = last_line(capsys)
        assert said.startswith(f"steelyard-collector: {directory}: {why}")
        assert "choose another directory with --store chdb:///DIR" in said


def test_an_http_address_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        command = [str(BIN / "steelyard-collector"), "daemon", "--store", f"chdb://{tmp_path}/store"]
        command += ["--listen", "127.0.0.1:0", "--http-listen", address]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert (ended.returncode, ended.stdout) == (3, "")
    said = ended.stderr.splitlines()[-1]
    assert said.startswith(f"steelyard-collector: {address} can't be listened on: Address already in use")
    assert "--http-listen" in said
    assert "Traceback" not in ended.stderr

"""The embedded engine crashes a process that ends while a statement runs: the store waits, and lets none begin."""

import subprocess
import sys
from pathlib import Path

import pytest

_ENDS = """
import sys, threading
from steelyard_collector.store.base import ReadLimits
from steelyard_collector.store.open import open_store
from steelyard_proto.errors import StoreError

store = open_store(sys.argv[1])
begun, refused = threading.Semaphore(0), threading.Semaphore(0)


def write():
    store.command("CREATE TABLE IF NOT EXISTS steelyard_store.kept ENGINE = Memory AS SELECT 1")
    store.query("SELECT sum(sleepEachRow(0.02)) FROM numbers(10)")


def read():
    reader = store.reader(ReadLimits(seconds=30, memory_bytes=1 << 30, result_rows=10, threads=1))
    try:
        reader.query_arrow("SELECT sum(sleepEachRow(0.02)) FROM numbers(10)")
    finally:
        reader.close()


def work(turn):
    try:
        while True:
            turn()
            begun.release()
    except StoreError:
        refused.release()


for turn in (write, read):
    threading.Thread(target=work, args=(turn,), daemon=True).start()
for _ in range(4):
    begun.acquire()
store.close()
if sys.argv[2] == "refused":
    for _ in range(2):
        refused.acquire()
print("the end")
"""


@pytest.mark.parametrize("when", ["at once", "refused"])
def test_threads_that_still_work_at_the_store_do_not_crash_its_end(tmp_path: Path, when: str) -> None:
    command = [sys.executable, "-c", _ENDS, f"chdb://{tmp_path}/store", when]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert (ended.returncode, ended.stdout) == (0, "the end\n"), ended.stderr

"""The child that reads a trace, where what it says is more than is taken."""

import sys
from pathlib import Path

import pytest

from steelyard_agent.profiling.child import Limits, TraceReader, Unread
from tests.standins.agent_parts import until


def test_a_result_without_end_is_told_as_such(tmp_path: Path) -> None:
    endless = "import sys\nwhile sys.stdout.buffer.tell() < 64_000_000: sys.stdout.buffer.write(bytes(1 << 20))"
    reader = TraceReader(tmp_path, Limits(1 << 30), program=(sys.executable, "-c", endless))
    with pytest.raises(Unread, match="take more than 32 MB; ask for fewer steps"):
        until(reader.poll, 60.0)

import json
import os
import random
import shutil
from io import FileIO
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest

from steelyard_agent.spool.numbering import STATE_FILE
from steelyard_agent.spool.reading import Cursor, Spooled
from steelyard_agent.spool.ring import Ring
from steelyard_agent.spool.segment import scan_segment
from steelyard_agent.spool.segment_file import SegmentFile
from steelyard_proto.errors import SpoolError
from steelyard_proto.v1 import batch_pb2, ingest_pb2
from tests.standins.agent_parts import START_MS, Parts

DEVICES = batch_pb2.KIND_DEVICE_SAMPLES
ALL = 1 << 30


def unsent(ring: Ring) -> list[Spooled]:
    return list(ring.unsent(Cursor(), ALL))


def numbers(ring: Ring) -> list[int]:
    return [item.seq for item in unsent(ring)]


def crash(parts: Parts) -> None:
    """What a kill leaves: the kernel closes the files, nothing is flushed or synced."""
    parts.ring._file.close()
    parts.ring._lock_file.close()


def test_what_was_put_is_read_back_in_order_with_its_times(tmp_path: Path) -> None:
    parts = Parts(tmp_path)
    parts.spool(3)
    items = unsent(parts.ring)
    assert [(item.kind, item.seq) for item in items] == [(DEVICES, 1), (DEVICES, 2), (DEVICES, 3)]
    assert all(item.from_ms == item.to_ms > 0 for item in items)
    parts.ring.close()


def test_a_restart_goes_on_with_number_epoch_devices_and_layouts(tmp_path: Path) -> None:
    first = Parts(tmp_path)
    first.spool(3)
    crash(first)
    second = Parts(tmp_path, now_s=lambda: 1e12)
    assert second.ring.epoch == first.ring.epoch
    second.spool(2)
    assert numbers(second.ring) == [1, 2, 3, 4, 5]
    assert {item.message.batch.layout for item in unsent(second.ring)} == {1}
    assert [device.key for device in second.directory.hello(1, 0).devices] == [1, 2]
    second.ring.close()


def test_a_restart_after_everything_was_committed_does_not_reuse_numbers(tmp_path: Path) -> None:
    first = Parts(tmp_path, max_bytes=256 * 1024)
    first.spool(1200)
    first.ring.commit({DEVICES: 1200})
    assert numbers(first.ring) == []
    crash(first)
    second = Parts(tmp_path)
    second.ring.commit({DEVICES: 1200})
    crash(second)
    third = Parts(tmp_path)
    third.spool(1)
    assert third.ring.next_seq(DEVICES) == 1202
    third.ring.close()


def test_committed_segments_leave_the_disk(tmp_path: Path) -> None:
    parts = Parts(tmp_path, max_bytes=1_200_000)
    parts.spool(1000, devices=50)
    before = parts.ring.bytes_on_disk()
    parts.ring.commit({DEVICES: 900})
    assert parts.ring.bytes_on_disk() < before
    assert numbers(parts.ring) == list(range(901, 1001))
    parts.ring.close()


def test_a_full_ring_drops_the_oldest_and_remembers_what(tmp_path: Path) -> None:
    parts = Parts(tmp_path, max_bytes=256 * 1024)
    parts.spool(300, devices=100)
    left = numbers(parts.ring)
    assert left[-1] == 300
    assert left == list(range(left[0], 301))
    assert parts.ring.counts.lost == left[0] - 1 > 0
    lost = parts.ring.lost_reason(DEVICES, 1)
    assert lost is not None
    assert (lost.seq_from, lost.seq_to, lost.reason) == (1, left[0] - 1, "ring_full")
    assert lost.from_ms < lost.to_ms
    parts.ring.close()


def test_a_lost_range_begins_where_the_collector_stopped_also_in_the_middle_of_a_segment(tmp_path: Path) -> None:
    parts = Parts(tmp_path, max_bytes=256 * 1024)
    parts.spool(20, devices=100)
    times = [item.from_ms for item in unsent(parts.ring)]
    parts.ring.commit({DEVICES: 7})
    parts.spool(300, devices=100)
    lost = parts.ring.lost_reason(DEVICES, 8)
    assert lost is not None
    assert (lost.seq_from, lost.from_ms) == (8, times[7])
    assert parts.ring.counts.lost == lost.seq_to - 7
    parts.ring.close()


def test_records_that_were_read_back_keep_their_times(tmp_path: Path) -> None:
    parts = Parts(tmp_path)
    step = batch_pb2.Step(ts_ms=START_MS)
    records = batch_pb2.Records(kind=batch_pb2.KIND_STEP, steps=[step])
    parts.ring.put(batch_pb2.KIND_STEP, ingest_pb2.AgentMessage(records=records), START_MS, START_MS)
    records = batch_pb2.Records(kind=batch_pb2.KIND_EVENT, events=[batch_pb2.Event(ts_ms=START_MS + 5)])
    parts.ring.put(batch_pb2.KIND_EVENT, ingest_pb2.AgentMessage(records=records), START_MS + 5, START_MS + 5)
    crash(parts)
    again = Parts(tmp_path)
    assert [item.from_ms for item in unsent(again.ring)] == [START_MS, START_MS + 5]
    again.ring.close()


@pytest.mark.parametrize("cut", [1, 7, 9, 60])
def test_a_torn_tail_is_cut_off_and_its_number_given_again(tmp_path: Path, cut: int) -> None:
    parts = Parts(tmp_path)
    parts.spool(3)
    crash(parts)
    segment = next((tmp_path / "spool").glob("segment-*"))
    segment.write_bytes(segment.read_bytes()[:-cut])
    again = Parts(tmp_path)
    assert numbers(again.ring) == [1, 2]
    again.spool(1)
    assert numbers(again.ring) == [1, 2, 3]
    again.ring.close()


def test_any_truncation_of_the_last_segment_is_survived(tmp_path: Path) -> None:
    parts = Parts(tmp_path / "whole")
    parts.spool(3)
    crash(parts)
    draw = random.Random(1)
    for number in range(30):
        copy = tmp_path / str(number)
        shutil.copytree(tmp_path / "whole", copy)
        segment = next((copy / "spool").glob("segment-*"))
        os.truncate(segment, draw.randrange(segment.stat().st_size))
        again = Parts(copy)
        again.spool(1)
        got = numbers(again.ring)
        assert got == list(range(1, len(got) + 1))
        again.ring.close()


def test_a_second_holder_is_refused_until_the_first_lets_go(tmp_path: Path) -> None:
    first = Parts(tmp_path)
    with pytest.raises(SpoolError, match="another agent uses this spool"):
        Parts(tmp_path)
    first.ring.close()
    Parts(tmp_path).ring.close()


def test_a_damaged_state_file_begins_a_new_epoch(tmp_path: Path) -> None:
    first = Parts(tmp_path, now_s=lambda: 1000.0)
    first.spool(2)
    first.ring.close()
    (tmp_path / "spool/sequence.json").write_text("{")
    second = Parts(tmp_path, now_s=lambda: 2000.0)
    assert second.ring.epoch == 2000
    assert numbers(second.ring) == []
    second.spool(1)
    assert numbers(second.ring) == [1]
    second.ring.close()


def test_knows_when_the_collector_is_ahead(tmp_path: Path) -> None:
    parts = Parts(tmp_path, now_s=lambda: 1000.0)
    parts.spool(2)
    assert not parts.ring.is_ahead({DEVICES: 2})
    assert parts.ring.is_ahead({DEVICES: 3})
    parts.ring.renew()
    assert parts.ring.epoch == 1001
    assert numbers(parts.ring) == []
    parts.spool(1)
    assert numbers(parts.ring) == [1]
    assert json.loads((tmp_path / "spool/sequence.json").read_text())["epoch"] == 1001
    parts.ring.close()


def test_a_full_disk_loses_the_message_not_the_agent(tmp_path: Path) -> None:
    """/dev/full stands in for the disk: each write to it fails with ENOSPC."""
    parts = Parts(tmp_path)
    parts.spool(1)
    parts.ring._file.close()
    parts.ring._file._file = open("/dev/full", "wb", buffering=0)  # noqa: SIM115
    parts.spool(2)
    assert parts.ring.counts.write_errors == 2
    assert parts.ring.counts.lost == 2
    lost = parts.ring.lost_reason(DEVICES, 2)
    assert lost is not None
    assert (lost.seq_from, lost.seq_to, lost.reason) == (2, 3, "disk_full")
    assert parts.ring.next_seq(DEVICES) == 4
    parts.ring._file.close()
    parts.spool(1)
    assert numbers(parts.ring) == [1, 4]
    parts.ring.close()


def test_a_message_that_fits_in_part_leaves_no_hole(tmp_path: Path) -> None:
    parts = Parts(tmp_path)
    parts.spool(1)
    parts.ring._file.close()
    segment = next((tmp_path / "spool").glob("segment-*"))
    parts.ring._file._file = cast(BinaryIO, HalfFull(segment))
    parts.spool(1)
    assert parts.ring.counts.lost == 1
    parts.spool(1)
    assert numbers(parts.ring) == [1, 3]
    assert parts.ring.waiting() == 2
    parts.ring.close()
    assert scan_segment(1, segment, {}).damages == []


class HalfFull(FileIO):
    """A file on a disk that takes half of the first message."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "r+b")
        self.seek(0, os.SEEK_END)
        self._has_taken = False

    def write(self, data: Any) -> int:
        taken = data if self._has_taken else data[: len(data) // 2]
        self._has_taken = True
        return super().write(taken)


def test_on_a_full_disk_what_is_acknowledged_makes_room(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    parts = Parts(tmp_path)
    parts.spool(3)
    cursor = Cursor()
    assert [item.seq for item in parts.ring.unsent(cursor, ALL)] == [1, 2, 3]
    parts.ring.commit({DEVICES: 3})
    parts.ring._file.close()
    parts.ring._file._file = open("/dev/full", "wb", buffering=0)  # noqa: SIM115
    parts.spool(2, devices=3)
    assert (parts.ring.counts.write_errors, parts.ring.counts.lost) == (1, 0)
    # A reader that stood in the old segment goes on in the new one, which declares all devices.
    assert [item.seq for item in parts.ring.unsent(cursor, ALL)] == [4, 5]
    assert [record.message.partition(": ")[2] for record in caplog.records] == [
        "No space left on device; the oldest messages make room",
        "can be written again; writes that failed so far: 1",
    ]
    crash(parts)
    again = Parts(tmp_path)
    assert numbers(again.ring) == [4, 5]
    assert len(again.directory.hello(1, 0).devices) == 3
    again.ring.close()


def test_what_was_written_before_a_new_segment_is_synced_too(tmp_path: Path) -> None:
    file = SegmentFile(tmp_path, room_bytes=1)
    first, second, third = (tmp_path / name for name in "abc")
    file.begin(first, b"one")
    names = [tmp_path, tmp_path / STATE_FILE]
    assert file.take_unsynced() == sorted([*names, first])
    file.append(b"more", 3)
    file.begin(second, b"two")
    assert file.take_unsynced() == sorted([*names, first, second])
    assert file.take_unsynced() == []
    file.append(b"more", 3)
    assert file.take_unsynced() == [second], "no name is new"
    file.append(b"more", 7)
    second.unlink()
    file.begin(third, b"three")
    assert file.take_unsynced() == sorted([*names, third]), "what is gone needs no sync"
    file.close()


def test_each_segment_can_be_read_alone(tmp_path: Path) -> None:
    parts = Parts(tmp_path, max_bytes=256 * 1024)
    parts.spool(200, devices=50)
    parts.ring.close()
    for path in (tmp_path / "spool").glob("segment-*"):
        scan = scan_segment(1, path, {})
        assert scan.hello is not None
        assert len(scan.hello.devices) == 50
        assert scan.hello.layouts[0].kind == DEVICES

import io
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard_agent.spool.record import HEADER_BYTES, Damage, Frame, frame, read_frames, read_recording
from steelyard_proto.errors import SpoolError

payloads = st.lists(st.binary(max_size=200), max_size=12)


@given(payloads)
def test_what_is_framed_is_read(written):
    data = b"".join(frame(payload) for payload in written)
    items = list(read_frames(io.BytesIO(data)))
    assert [item.payload for item in items if isinstance(item, Frame)] == written


@given(payloads, st.data())
def test_a_torn_tail_loses_only_the_last_message(written, data):
    whole = b"".join(frame(payload) for payload in written)
    length = data.draw(st.integers(0, len(whole)))
    items = list(read_frames(io.BytesIO(whole[:length])))
    frames = [item.payload for item in items if isinstance(item, Frame)]
    assert frames == written[: len(frames)]
    ends = [sum(HEADER_BYTES + len(p) for p in written[:n]) for n in range(len(written) + 1)]
    assert len(frames) == max(n for n, end in enumerate(ends) if end <= length)
    damages = [item for item in items if isinstance(item, Damage)]
    assert bool(damages) == (length not in ends)
    assert all(damage.is_torn_tail for damage in damages)


@given(st.lists(st.binary(min_size=1, max_size=50), min_size=2, max_size=8), st.data())
def test_a_flipped_byte_costs_its_message_and_is_named_with_its_place(written, data):
    hit = data.draw(st.integers(0, len(written) - 1))
    start = sum(HEADER_BYTES + len(p) for p in written[:hit])
    at = start + HEADER_BYTES + data.draw(st.integers(0, len(written[hit]) - 1))
    whole = bytearray(b"".join(frame(payload) for payload in written))
    whole[at] ^= data.draw(st.integers(1, 255))
    items = list(read_frames(io.BytesIO(bytes(whole))))
    assert [item.payload for item in items if isinstance(item, Frame)] == written[:hit] + written[hit + 1 :]
    (damage,) = [item for item in items if isinstance(item, Damage)]
    assert damage.offset == start


@given(st.binary(max_size=400))
def test_random_bytes_never_raise(junk):
    for item in read_frames(io.BytesIO(junk)):
        assert item.end <= len(junk)


def test_recording_round_trip_and_its_faults(tmp_path):
    path = tmp_path / "a.steelyard"
    written = [bytes([n]) * (n * 1000) for n in range(1, 90)]
    packed = zlib.compress(b"".join(frame(payload) for payload in written))
    path.write_bytes(packed)
    assert list(read_recording(path)) == written
    path.write_bytes(packed[:-20])
    with pytest.raises(SpoolError, match=r"a\.steelyard.*middle of a message"):
        list(read_recording(path))
    path.write_bytes(b"no recording")
    with pytest.raises(SpoolError, match="isn't a recording"):
        list(read_recording(path))
    with pytest.raises(SpoolError, match="can't be read"):
        list(read_recording(tmp_path / "absent"))

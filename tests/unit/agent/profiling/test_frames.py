"""Frames of the fabric: what is understood, and that nothing hostile is."""

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard_agent.profiling.frames import (
    BadFrame,
    Figures,
    Registration,
    Request,
    Status,
    configuration,
    parse_frame,
    registered,
)
from tests.standins.fabric_trainer import frame, request


def test_what_profilers_say_is_understood() -> None:
    assert parse_frame(request(3, 77, 1)) == Request(3, 77, 1)
    assert parse_frame(request(1, 77)) == Request(1, 77)
    assert parse_frame(frame(b"ctxt", struct.pack("=iiq", 2, 77, 5))) == Registration(2, 77)
    status = struct.pack("@iiiiiq", 1, 20, 10, 30, 77, 0)
    assert parse_frame(frame(b"npuTraceStatus", status)) == Status(False, 1, 20, 10, 30, 77)
    assert parse_frame(frame(b"npuMonitorStatus", status)) == Status(True, 1, 20, 10, 30, 77)
    assert parse_frame(frame(b"data", b'{"kind":"Kernel"}\0')) == Figures('{"kind":"Kernel"}')


def test_answers_have_the_same_form() -> None:
    assert configuration("A=1\n") == frame(b"req", b"A=1\n")
    assert configuration("") == frame(b"req", b"")
    assert registered(3) == frame(b"ctxt", struct.pack("=i", 3))


@pytest.mark.parametrize(
    ("datagram", "fault"),
    [
        (b"", "has 0 bytes"),
        (frame(b"req", b"")[:39], "has 39 bytes"),
        (request(3, 77)[:-1], "says that it carries"),
        (request(3, 77) + b"x", "says that it carries"),
        (frame(b"req\0hidden", b""), "behind the end of its type"),
        (frame(b"nothing", b""), "isn't known"),
        (frame(b"x" * 32, b""), "isn't known"),
        (frame(b"req", struct.pack("=iiq", 3, 0, 0)), "names 0 processes"),
        (frame(b"req", struct.pack("=iiq", 3, -1, 0)), "names -1 processes"),
        (frame(b"req", struct.pack("=iiqi", 3, 2**31 - 1, 0, 1)), "processes; 1 to"),
        (frame(b"req", struct.pack("=iiqi", 3, 2, 0, 1)), "names 2 processes"),
        (request(3, 0), "names the process 0"),
        (request(3, -5), "names the process -5"),
        (frame(b"ctxt", struct.pack("=ii", 0, 1)), "ctxt of 8 bytes"),
        (frame(b"data", b"\xff\xfe"), "no UTF-8"),
    ],
)
def test_what_is_no_frame_is_refused_with_the_reason(datagram: bytes, fault: str) -> None:
    with pytest.raises(BadFrame, match=fault):
        parse_frame(datagram)


@given(st.binary(max_size=400))
def test_any_bytes_are_a_frame_or_are_refused(datagram: bytes) -> None:
    with suppress(BadFrame):
        parse_frame(datagram)


@given(st.sampled_from([b"req", b"ctxt", b"data", b"npuTraceStatus", b"npuMonitorStatus"]), st.binary(max_size=300))
def test_a_sound_head_before_any_bytes_is_read_strictly(kind: bytes, payload: bytes) -> None:
    try:
        found = parse_frame(frame(kind, payload))
    except BadFrame:
        return
    if isinstance(found, Request):
        assert len(payload) == 16 + 4 * struct.unpack_from("=i", payload, 4)[0]
        assert found.types in range(4)
    if not isinstance(found, Figures):
        assert found.pid > 0


@given(st.binary(min_size=1, max_size=40), st.integers(0, 59))
def test_a_request_that_was_damaged_never_raises_anything_else(noise: bytes, at: int) -> None:
    sound = request(3, 77, 1)
    with suppress(BadFrame):
        parse_frame(sound[:at] + noise + sound[at + len(noise) :])

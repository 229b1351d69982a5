"""A message that a form fits holds what protobuf would read out of it; where it doesn't fit, protobuf decides."""

from hypothesis import given
from hypothesis import strategies as st

from steelyard_collector.ingest.form import Form, form_of
from steelyard_proto.v1 import batch_pb2, ingest_pb2

SIZES = st.tuples(st.integers(0, 40), st.integers(0, 9), st.integers(1, 9), st.integers(1, 20)).filter(
    lambda sizes: sizes[0] + sizes[1] > 0
)
UINT32 = st.integers(1, (1 << 32) - 1)


def _form(sizes: tuple[int, int, int, int]) -> Form:
    gauges, counters, entities, ticks = sizes
    return form_of(tuple(range(1, gauges + 1)), tuple(range(101, counters + 101)), entities, ticks)


def _batch(form: Form, layout: int, agent: int, seq: int, fill: int) -> batch_pb2.Batch:
    cells = form.entities * form.ticks
    return batch_pb2.Batch(
        layout=layout,
        agent=agent,
        seq=seq,
        ts_ms=b"".join((fill + tick).to_bytes(8, "little") for tick in range(form.ticks)),
        gauges=bytes([fill]) * (4 * len(form.gauges) * cells),
        counters=bytes([fill]) * (8 * len(form.counters) * cells),
    )


@given(SIZES, UINT32, UINT32, st.integers(1, (1 << 64) - 1), st.integers(0, 255))
def test_a_form_writes_and_reads_what_protobuf_does(
    sizes: tuple[int, int, int, int], layout: int, agent: int, seq: int, fill: int
) -> None:
    form = _form(sizes)
    batch = _batch(form, layout, agent, seq, fill)
    wire = ingest_pb2.AgentMessage(batch=batch).SerializeToString()
    head = form.head(layout, agent)
    assert form.message(head, seq, batch.ts_ms, batch.gauges, batch.counters) == wire
    assert form.read(wire, head) == (seq, list(range(fill, fill + form.ticks)))
    assert wire[form.ts_at :].startswith(batch.ts_ms)
    assert wire[form.gauges_at :].startswith(batch.gauges)
    assert wire[form.counters_at :] == batch.counters


@given(SIZES, st.integers(0, 1 << 20), st.integers(0, 255))
def test_a_changed_message_fits_only_if_protobuf_reads_a_batch_of_that_form(
    sizes: tuple[int, int, int, int], place: int, byte: int
) -> None:
    form = _form(sizes)
    head = form.head(1, 2)
    wire = bytearray(ingest_pb2.AgentMessage(batch=_batch(form, 1, 2, 3, 4)).SerializeToString())
    wire[place % len(wire)] = byte
    message = bytes(wire)
    if form.read(message, head) is not None:
        batch = ingest_pb2.AgentMessage.FromString(message).batch
        assert (batch.layout, batch.agent) == (1, 2)
        assert message[form.ts_at :].startswith(batch.ts_ms)
        assert message[form.gauges_at :].startswith(batch.gauges)
        assert message[form.counters_at :] == batch.counters
        assert len(batch.ts_ms) == 8 * form.ticks
        assert len(batch.gauges) == 4 * len(form.gauges) * form.entities * form.ticks


@given(SIZES, SIZES)
def test_a_message_of_another_form_does_not_fit(
    first: tuple[int, int, int, int], other: tuple[int, int, int, int]
) -> None:
    ours, theirs = _form(first), _form(other)
    is_same = (ours.ticks, len(ours.gauges) * ours.entities, len(ours.counters) * ours.entities) == (
        theirs.ticks, len(theirs.gauges) * theirs.entities, len(theirs.counters) * theirs.entities,
    )  # fmt: skip
    wire = ingest_pb2.AgentMessage(batch=_batch(theirs, 1, 2, 3, 4)).SerializeToString()
    assert is_same or ours.size != theirs.size or ours.read(wire, ours.head(1, 2)) is None
    assert not is_same or ours.read(wire, ours.head(1, 2)) is not None
    assert ours.size != theirs.size or ours.read(wire, ours.head(1, 3)) is None

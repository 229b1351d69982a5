"""Blocks hold what the messages said, value by value, whatever their shapes."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from steelyard_collector.ingest.accepted import Origin, Samples, Shape
from steelyard_collector.ingest.blocks import INT64_MIN, sample_block
from steelyard_collector.ingest.form import form_of
from steelyard_proto.metrics import catalogue
from steelyard_proto.v1 import batch_pb2, ingest_pb2

DAY_MS = 1_700_006_400_000
BUSY, POWER, ENERGY, THROTTLE = (
    catalogue().by_name[name].id for name in ("busy", "power_w", "energy_mj", "throttle_reasons")
)
UNKNOWN = 60_001


def samples(agent: int, seq: int, shape: Shape, ticks: int, seed: int) -> Samples:
    random = np.random.default_rng(seed)
    cells = (len(shape.gauges), len(shape.entities), ticks)
    gauges = random.normal(size=cells).astype("<f4")
    gauges[random.random(cells) < 0.2] = np.nan
    counters = random.integers(0, 1 << 40, (len(shape.counters), *cells[1:]))
    counters[random.random(counters.shape) < 0.2] = INT64_MIN
    stamps = DAY_MS + 1000 * (100 * seq + np.arange(ticks))
    origin = Origin(agent, 7, batch_pb2.KIND_DEVICE_SAMPLES, seq)
    form = form_of(shape.gauges, shape.counters, len(shape.entities), ticks)
    parts = (stamps.astype("<i8").tobytes(), gauges.tobytes(), counters.tobytes())
    return Samples(origin, shape, form, 1, int(stamps[-1]), form.message(form.head(1, agent), seq, *parts))


def expected(batch: Samples) -> dict[tuple[int, int], dict[str, object]]:
    """Row by row, the slow and obvious way."""
    shape = batch.shape
    wire = ingest_pb2.AgentMessage.FromString(batch.message).batch
    stamps = np.frombuffer(wire.ts_ms, "<i8")
    gauges = np.frombuffer(wire.gauges, "<f4").reshape(len(shape.gauges), len(shape.entities), len(stamps))
    counters = np.frombuffer(wire.counters, "<i8").reshape(len(shape.counters), len(shape.entities), len(stamps))
    rows: dict[tuple[int, int], dict[str, object]] = {}
    for d, device in enumerate(shape.entities):
        for t in range(len(stamps)):
            row: dict[str, object] = {"seq": batch.origin.seq, "epoch": batch.origin.epoch}
            for m, metric in enumerate(shape.gauges):
                value = float(gauges[m, d, t])
                row[str(metric)] = None if np.isnan(value) else value
            for m, metric in enumerate(shape.counters):
                count = int(counters[m, d, t])
                row[str(metric)] = None if count == INT64_MIN else count
            rows[device, int(stamps[t])] = row
    return rows


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 5), st.booleans(), st.integers(1, 3)),
        min_size=1,
        max_size=6,
    ),
    st.integers(0, 1 << 30),
)
def test_a_block_holds_what_the_messages_said(agents: list[tuple[int, int, int, bool, int]], seed: int) -> None:
    batches: list[Samples] = []
    for number, (_, devices, ticks, is_rich, messages) in enumerate(agents):
        gauges = (BUSY, POWER, UNKNOWN) if is_rich else (POWER,)
        counters = (ENERGY, THROTTLE) if is_rich else ()
        entities = tuple(range(number * 10 + 1, number * 10 + 1 + devices))
        shape = Shape(batch_pb2.KIND_DEVICE_SAMPLES, gauges, counters, entities)
        batches += [samples(number + 1, seq, shape, ticks, seed + seq) for seq in range(1, messages + 1)]
    order = np.random.default_rng(seed).permutation(len(batches))
    block = sample_block([batches[i] for i in order])
    block.validate(full=True)
    wanted = {key: row for batch in batches for key, row in expected(batch).items()}
    assert block.num_rows == len(wanted)
    for row in block.to_pylist():
        row["ts"] = int(row["ts"].timestamp() * 1000)
        truth = wanted.pop((row["device_id"], row["ts"]))
        assert (row["seq"], row["epoch"]) == (truth["seq"], truth["epoch"])
        for name, metric in (("busy", BUSY), ("power_w", POWER), ("energy_mj", ENERGY), ("throttle_reasons", THROTTLE)):
            assert row.get(name) == truth.get(str(metric)), name
        extra = dict(row.get("extra") or [])
        assert extra.get(UNKNOWN) == truth.get(str(UNKNOWN))
    assert not wanted


def test_messages_of_one_form_come_out_sorted_however_many_each_agent_sent() -> None:
    # The devices of an agent needn't follow one another.
    shapes = [Shape(batch_pb2.KIND_DEVICE_SAMPLES, (POWER,), (), (a, 10 - a)) for a in (1, 2, 3)]
    batches = [samples(a + 1, seq, shapes[a], 4, seq) for seq in (2, 1, 3) for a in range(3) if seq <= a + 1]
    block = sample_block(batches)
    keys = list(zip(block["device_id"].to_pylist(), block["ts"].to_pylist(), strict=True))
    assert keys == sorted(keys)

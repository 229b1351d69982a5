import itertools
import struct
from array import array

from hypothesis import given
from hypothesis import strategies as st

from steelyard_agent.model import Absent
from steelyard_agent.sampling.batch import INT64_MIN, BatchBuilder, columns_of
from steelyard_proto.metrics import catalogue
from steelyard_proto.v1 import batch_pb2

BUSY = catalogue().by_name["busy"].id
POWER = catalogue().by_name["power_w"].id
ENERGY = catalogue().by_name["energy_mj"].id
DAY_MS = 86_400_000


def builder(devices=(1, 2)):
    columns = columns_of((BUSY, ENERGY, POWER), catalogue())
    return BatchBuilder(1, batch_pb2.KIND_DEVICE_SAMPLES, columns, devices)


def test_counters_and_gauges_are_told_apart_in_the_sources_order():
    columns = columns_of((BUSY, ENERGY, POWER), catalogue())
    assert columns.gauges == (BUSY, POWER)
    assert columns.counters == (ENERGY,)
    assert columns.gauge_at == (0, 2)
    assert columns.counter_at == (1,)


def test_matrix_is_metric_by_metric_device_by_device_tick_by_tick():
    built = builder()
    assert built.add(1000, [(0.25, 7, 300.0), (0.5, 8, 400.0)]) == []
    assert built.add(2000, [(0.75, 9, 301.0), (1.0, 10, 401.0)]) == []
    (cut,) = built.flush()
    assert struct.unpack("<8f", cut.batch.gauges) == (0.25, 0.75, 0.5, 1.0, 300.0, 301.0, 400.0, 401.0)
    assert struct.unpack("<4q", cut.batch.counters) == (7, 9, 8, 10)
    assert struct.unpack("<2q", cut.batch.ts_ms) == (1000, 2000)
    assert (cut.from_ms, cut.to_ms) == (1000, 2000)
    assert built.flush() == []


def test_absent_is_nan_and_the_smallest_integer_never_zero():
    built = builder()
    built.add(1000, [(Absent("no"), Absent("no"), 1.0), None])
    (cut,) = built.flush()
    busy_1, busy_2, power_1, power_2 = struct.unpack("<4f", cut.batch.gauges)
    assert busy_1 != busy_1
    assert busy_2 != busy_2
    assert power_1 == 1.0
    assert power_2 != power_2
    assert struct.unpack("<2q", cut.batch.counters) == (INT64_MIN, INT64_MIN)


def test_cut_at_utc_midnight():
    built = builder()
    built.add(DAY_MS - 1, [None, None])
    (cut,) = built.add(DAY_MS, [None, None])
    assert (cut.from_ms, cut.to_ms) == (DAY_MS - 1, DAY_MS - 1)


def test_a_highest_bit_becomes_twos_complement():
    built = builder((1,))
    built.add(1, [(0.0, 1 << 63 | 1, 0.0)])
    (cut,) = built.flush()
    assert struct.unpack("<q", cut.batch.counters)[0] & ((1 << 64) - 1) == 1 << 63 | 1


@given(st.lists(st.integers(min_value=0, max_value=3 * DAY_MS), max_size=60))
def test_whatever_the_clock_does_each_batch_rises_within_one_day(stamps):
    built = builder()
    cuts = [cut for ts_ms in stamps for cut in built.add(ts_ms, [(0.0, 1, 2.0), None])] + built.flush()
    seen = []
    for cut in cuts:
        ticks = array("q", cut.batch.ts_ms)
        assert all(a < b for a, b in itertools.pairwise(ticks))
        assert len({ts_ms // DAY_MS for ts_ms in ticks}) == 1
        assert len(cut.batch.gauges) == 4 * 2 * 2 * len(ticks)
        seen += list(ticks)
    assert seen == stamps


def test_a_large_node_cuts_by_size():
    built = builder(tuple(range(1, 65)))
    cuts = [cut for tick in range(40) for cut in built.add(1000 + tick, [(0.0, 1, 2.0)] * 64)]
    assert [len(cut.batch.ts_ms) // 8 for cut in cuts] == [10, 10, 10, 10]

"""A metric's number stands for it for ever: metric_ids.txt is the record, and only grows."""

from pathlib import Path
from typing import get_args

from steelyard_proto.metrics import Entity, Metric, catalogue

RECORD = Path(__file__).with_name("metric_ids.txt")


def _shipped() -> list[Metric]:
    return [metric for entity in get_args(Entity) for metric in catalogue().of(entity)]


def test_the_catalogue_is_its_record() -> None:
    recorded = RECORD.read_text(encoding="utf-8").splitlines()
    shipped = [f"{metric.id} {metric.entity} {metric.name} {metric.kind}" for metric in _shipped()]
    gone = sorted(set(recorded) - set(shipped))
    assert not gone, f"removed, renumbered or renamed; keep the entry as `retired`: {gone}"
    new = sorted(set(shipped) - set(recorded))
    assert not new, f"add to {RECORD.name}: {new}"


def test_no_number_stands_twice_in_the_record() -> None:
    numbers = [line.split()[0] for line in RECORD.read_text(encoding="utf-8").splitlines()]
    assert len(set(numbers)) == len(numbers)

"""docs/vendors.md says of each metric of AMD's device-metrics-exporter what it is here, or why it isn't."""

import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from steelyard_agent.devices.scrape.exporters import exporters
from steelyard_proto.metrics import catalogue

PAGE = Path(__file__).parents[2] / "docs/vendors.md"
ROW = re.compile(r"^\| (`(?:GPU|PCIE)_.*?) \|(.*?)\|(.*?)\|$", re.MULTILINE)


@pytest.fixture(scope="module")
def rows() -> dict[str, tuple[list[str], str]]:
    found = [
        (series, re.findall(r"`(\w+)`", ours), why.strip())
        for names, ours, why in ROW.findall(PAGE.read_text())
        for series in re.findall(r"`([\w*]+)`", names)
    ]
    assert len({series for series, _, _ in found}) == len(found)
    return {series: (ours, why) for series, ours, why in found}


def test_every_metric_is_there_or_left_out_for_a_reason(rows: dict[str, tuple[list[str], str]]) -> None:
    assert len(rows) > 50
    assert [series for series, (ours, why) in rows.items() if not ours and not why] == []


def test_what_it_is_called_here_is_read_from_the_driver(rows: dict[str, tuple[list[str], str]]) -> None:
    by_name = {metric.name: metric for metric in catalogue().by_id.values()}
    named = {name for ours, _ in rows.values() for name in ours}
    assert named <= by_name.keys()
    assert [name for name in named if "amd" not in by_name[name].source] == []


def test_what_is_scraped_is_called_the_same(rows: dict[str, tuple[list[str], str]]) -> None:
    (exporter,) = (exporter for exporter in exporters() if exporter.name == "device-metrics-exporter")
    for number, reading in exporter.readings.items():
        for series in reading.names:
            assert catalogue().by_id[number].name in rows[series.upper()][0], series
    for pattern in ", ".join(exporter.left_out).split(", "):
        assert any(fnmatchcase(series, pattern.upper()) for series in rows), pattern

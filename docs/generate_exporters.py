"""Writes docs/exporters.md from exporters.toml: `python docs/generate_exporters.py > docs/exporters.md`."""

import sys

from steelyard_agent.devices.scrape.exporters import Exporter, exporters
from steelyard_proto.metrics import catalogue

_HEAD = """# What the vendors' exporters call it

Generated from `agent/steelyard_agent/devices/scrape/exporters.toml` by `make docs`; edit that file. For whoever knows a
figure by its exporter's name. The agent reads the drivers by itself; only the source `scrape` reads exporters, and then
exactly so: see [vendors.md](vendors.md). [metrics.md](metrics.md) says what a metric means and which call gives it.
"""


def page() -> str:
    """The whole page, as Markdown."""
    return _HEAD + "".join(_section(exporter) for exporter in exporters())


def _section(exporter: Exporter) -> str:
    rows = [f"\n## {exporter.name}\n", "| its series | our metric |", "|---|---|"]
    for number, reading in exporter.readings.items():
        names = (" + " if reading.is_sum else ", else ").join(f"`{name}`" for name in reading.names)
        where = "".join(f", {label} {value}" for label, value in reading.where.items())
        scale = "" if reading.scale == 1 else f" × {reading.scale:,}"
        unread = "; 0 is absent" if reading.zero_is_absent else ""
        rows.append(f"| {names}{where}{scale}{unread} | `{catalogue().by_id[number].name}` |")
    rows += ["\n| left out | why |", "|---|---|"]
    for names, why in exporter.left_out.items():
        rows.append(f"| {', '.join(f'`{name}`' for name in names.split(', '))} | {why} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page())

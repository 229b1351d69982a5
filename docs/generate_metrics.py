"""Writes docs/metrics.md from the metric catalogue: `python docs/generate_metrics.py > docs/metrics.md`."""

import sys

from steelyard_proto.metrics import Metric, catalogue

_TITLES = {"device": "Devices", "host": "Hosts", "agent": "The agent itself"}
_COMPARABILITY = {"same": "yes", "care": "with care", "vendor": "within one vendor"}
_EVERY = {"fast": "1 s", "slow": "60 s", "processes": "10 s"}

_HEAD = """# Metrics

Generated from `proto/steelyard_proto/metrics.toml` by `make docs`; edit that file. Each metric is a column of the view
that its section names. Ratios are 0-1. What a device does not give is NULL, never 0.

*Comparable* says whether unlike devices may share a column: `yes`, `with care` (and why), or `within one vendor`.
*Better* says what is better where that can be said. *Every* is the default period.
"""


def page() -> str:
    """The whole page, as Markdown."""
    parts = [_HEAD]
    for entity, title in _TITLES.items():
        parts.append(f"\n## {title}\n")
        metrics = catalogue().of(entity)  # type: ignore[arg-type]
        parts.append("| metric | unit | kind | every | better | comparable | meaning |\n|---|---|---|---|---|---|---|")
        parts += [_row(metric) for metric in metrics]
        parts.append(f"\n### {title}: where each figure comes from\n")
        parts.append("| metric | source | call or file |\n|---|---|---|")
        parts += [f"| `{m.name}` | {source} | {call} |" for m in metrics for source, call in m.source.items()]
    return "\n".join(parts) + "\n"


def _row(metric: Metric) -> str:
    comparable = _COMPARABILITY[metric.comparability] + (f": {metric.care}" if metric.care else "")
    better = "" if metric.orientation == "neither" else metric.orientation
    meaning = metric.meaning + (f" Retired: {metric.retired}." if metric.retired else "")
    cells = (f"`{metric.name}`", metric.unit, metric.kind, _EVERY[metric.metric_class], better, comparable, meaning)
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    sys.stdout.write(page())

"""`python -m tests.bench NAME`: one bench, or all of them, as a table or as JSON."""

import argparse
import importlib
import sys
import traceback
from collections.abc import Sequence

from tests.bench.figure import Figure, as_json, as_table
from tests.bench.machine import describe_machine

BENCHES = {
    "ingest": "acknowledged samples a second, and the collector's CPU beside a bare insert of the same rows",
    "fleet": "16,000 agents at once, rollups, a watcher and a slow query",
    "storage": "bytes a sample beside a Prometheus block of the same values",
    "agent": "memory, CPU and wake-ups of the agent with 8 devices",
    "guard": "how late the other devices' ticks are while one of 8 hangs",
    "events": "from an XID to its row in the store",
    "query": "the live view, one device's day and a week by chip, at full size",
    "compare": "the comparison of a week of 512 jobs, and the live view of efficiency",
    "tui": "the app's CPU a tick and the time from key to paint",
    "intervals": "coverage of the comparison's intervals, and its verdicts' errors",
    "hook": "what the hook costs a training: CPU a step, and pairs of the same training",
    "overhead": "what a window costs a real training, with placebos, and what host stacks take",
    "exact": "totals of real recordings, to the last digit",
    "flame": "a flame graph of 100,000 distinct stacks: draw and zoom",
    "parse": "a trace of 250 MB: CPU beside json.load, memory also at 1 GB, and a small one",
    "profiles": "bytes a window of continuous profiles, and a day of 16,000 devices",
    "stragglers": "delay until a slow rank is found, and false alarms",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs what was named; 0 if all targets hold, 1 if one was missed, 2 if a bench failed."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description="Measures what Steelyard promises, each figure beside its limit or a peer of the same run.",
        epilog="\n".join(f"  {name:<10} {text}" for name, text in BENCHES.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", choices=[*BENCHES, "all"], metavar="NAME", help="a bench, or all")
    parser.add_argument("--json", action="store_true", help="one object and nothing else on stdout")
    options = parser.parse_args(arguments)
    names = list(BENCHES) if options.name == "all" else [options.name]
    return max(_run(name, as_object=options.json) for name in names)


def _run(name: str, *, as_object: bool) -> int:
    print(f"{name}: {BENCHES[name]}", file=sys.stderr)
    try:
        figures: list[Figure] = importlib.import_module(f"tests.bench.bench_{name}").run(_progress)
    except Exception:  # noqa: BLE001  one bench that fails must not hide the figures of the others
        traceback.print_exc()
        return 2
    print((as_json if as_object else as_table)(name, figures, describe_machine()), flush=True)
    return 1 if any(figure.holds is False for figure in figures) else 0


def _progress(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())

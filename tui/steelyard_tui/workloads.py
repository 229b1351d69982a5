"""One workload for the rates of all chips: those of several in one pot say nothing, and unlike ones don't compare."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final

Row = Mapping[str, Any]

# What depends on the workload; MFU, OFU and goodput may be summed over several.
_RATES: Final = (
    "tokens_per_s_device",
    "tokens_per_j",
    "cost_per_mtoken",
    "currency",
    "step_p50_s",
    "step_p95_s",
    "step_p99_s",
)


def main_workload(recent: Iterable[Row], reference: str) -> str:
    """The workload that most can be compared in: on the reference, on most chips, of most device-seconds.

    Args:
        recent: rows by chip and workload.
        reference: what is 1.

    Returns:
        its key; empty where no workload is known.
    """
    chips: dict[str, set[str]] = defaultdict(set)
    device_s: dict[str, float] = defaultdict(float)
    for row in recent:
        chips[row["workload"]].add(str(row["chip"] or ""))
        device_s[row["workload"]] += row["device_s"] or 0.0
    return max(chips, key=lambda name: (reference in chips[name], len(chips[name]), device_s[name], name), default="")


def of_main(live: Row, own: Iterable[Row], main: str) -> dict[str, Any]:
    """A chip's live figures with its rates in the main workload, where it runs several.

    Args:
        live: of efficiency_live; its rates are absent where it runs several workloads.
        own: the chip's rows by workload.
        main: the workload that is compared.

    Returns:
        the row, and `unlike`: the workload that its rates are of, where that is another one.
    """
    shown = dict(live)
    if (live.get("workloads") or 0) > 1:
        found = next((row for row in own if row["workload"] == main), None)
        if found is None:
            shown["tokens_absent"] = f"several workloads, none of them {main}" if main else live.get("tokens_absent")
            return shown
        shown |= {name: found[name] for name in _RATES}
        shown |= {"workload": main, "tokens_absent": None}
    workload = shown.get("workload")
    shown["unlike"] = workload if main and workload and workload != main else None
    return shown


def rated_on(chips: Iterable[Row]) -> str:
    """Which workload the rates of the view `chips` are of, and the chips that ran only another one."""
    of: dict[str, dict[str, None]] = defaultdict(dict)
    for row in chips:
        if row["tokens_per_s"] is not None:
            of[row["workload"] or "a workload that isn't known"][str(row["chip"])] = None
    if not of:
        return "no rates: no chip ran a workload that most others ran, or only one of its own"
    main, *others = sorted(of, key=lambda name: (-len(of[name]), name))
    own = "".join(f"; of {', '.join(of[name])}: {name}" for name in others)
    return f"rates and step times: {main}{own}"

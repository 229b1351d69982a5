"""A profile as one JSON object: totals in integer nanoseconds, and rows by class, operator, type and core."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from steelyard_traces.peaks import peak_tflops
from steelyard_traces.profile import Calls, Profile, Split, Stack, Work

_SPLIT: Final = (
    "compute_ns", "communication_ns", "overlapped_ns", "exposed_ns", "memory_copy_ns", "idle_ns", "gaps",
    "longest_gap_ns",
)  # fmt: skip
_OTHERS: Final = "(other paths)"
# Of the frames of all paths, in characters: an agent takes documents of 32 MB.
_MOST_CHARACTERS: Final = 12_000_000


def as_document(profile: Profile) -> dict[str, Any]:
    """The whole profile; what the recording doesn't tell is None."""
    window_ns = profile.window_ns
    return {
        "path": profile.path,
        "format": profile.format,
        "chip": profile.chip or None,
        "rank": profile.rank or None,
        "devices": profile.devices,
        "steps": profile.step_count,
        "totals": {
            "window_ns": None if profile.rates and not profile.parts else window_ns,
            "kernels": profile.kernels if profile.split else None,
            "kernels_ns": profile.kernels_ns,
            **_split(profile.split),
            "data_wait_ns": profile.data_wait_ns,
            "unmatched_ns": profile.unmatched_ns,
            "unmatched_share": profile.unmatched_ns / window_ns if window_ns else None,
        },
        "by_step": [{"step": s.name, "wall_ns": s.wall_ns, **_split(s.split)} for s in profile.steps],
        "by_class": [
            {
                "layer": part.layer,
                "class": part.name,
                "total_ns": part.duration_ns,
                "share": part.duration_ns / window_ns if window_ns else None,
            }
            for part in profile.parts
        ],
        "by_operator": [_work(work, profile.chip) for work in profile.operators],
        "by_type": [_work(work, profile.chip) for work in profile.types],
        "by_core": [_core(work) for work in profile.cores],
        "calls": [_row(call) for call in profile.calls],
        "rates": [asdict(rate) for rate in profile.rates],
        "notes": list(profile.notes),
    }


def stacks_document(stacks: Sequence[Stack], devices: int, most: int) -> dict[str, Any]:
    """The paths of calls with the most time, and the sum of the others as one path.

    Args:
        stacks: the longest first.
        devices: that worked; where none did the paths are of the host.
        most: how many paths are told one by one, or fewer where they are very deep.
    """
    kind = "device" if devices else "host"
    told: list[dict[str, Any]] = []
    room = _MOST_CHARACTERS
    for one in stacks[:most]:
        # With what JSON puts around each.
        room -= sum(len(frame) + 3 for frame in one.frames)
        if room < 0:
            break
        told.append({"kind": kind, "frames": list(one.frames), "duration_ns": one.duration_ns})
    left = stacks[len(told) :]
    if left:
        told.append({"kind": kind, "frames": [_OTHERS], "duration_ns": sum(one.duration_ns for one in left)})
    return {"stacks": told, "stacks_summed": len(left)}


def _split(split: Split | None) -> dict[str, int | None]:
    if split is None:
        return dict.fromkeys(_SPLIT)
    return {name: getattr(split, name) for name in _SPLIT}


def _work(work: Work, chip: str) -> dict[str, Any]:
    peak, tflops = peak_tflops(chip, work.precision), work.tflops
    return {
        **_row(work),
        "shapes": work.shapes or None,
        "precision": work.precision or None,
        "tflops": tflops,
        "peak_tflops": peak,
        "peak_share": tflops / peak if tflops and peak else None,
    }


def _core(work: Work) -> dict[str, Any]:
    return {name: value for name, value in _row(work).items() if name not in ("flops", "shapes", "precision")}


def _row(row: Work | Calls) -> dict[str, Any]:
    fields = asdict(row)
    return {"name": fields.pop("name"), "class": fields.pop("class_name") or None, **fields}

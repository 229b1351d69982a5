"""A profile as one JSON object: totals in integer nanoseconds, and rows by class, operator, type and core."""

from dataclasses import asdict
from typing import Any

from steelyard_traces.profile import Calls, Profile, Split, Work


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
            "window_ns": window_ns,
            "kernels": profile.kernels if profile.split else None,
            "kernels_ns": profile.kernels_ns,
            **_split(profile.split),
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
        "by_operator": [_row(work) for work in profile.operators],
        "by_type": [_row(work) for work in profile.types],
        "by_core": [_row(work) for work in profile.cores],
        "calls": [_row(call) for call in profile.calls],
        "notes": list(profile.notes),
    }


def _split(split: Split | None) -> dict[str, int | None]:
    if split is None:
        names = ("compute", "communication", "overlapped", "exposed", "memory_copy", "idle")
        return {f"{name}_ns": None for name in names}
    return {
        "compute_ns": split.compute_ns,
        "communication_ns": split.communication_ns,
        "overlapped_ns": split.overlapped_ns,
        "exposed_ns": split.exposed_ns,
        "memory_copy_ns": split.memory_copy_ns,
        "idle_ns": split.idle_ns,
    }


def _row(row: Work | Calls) -> dict[str, Any]:
    fields = asdict(row)
    return {"name": fields.pop("name"), "class": fields.pop("class_name") or None, **fields}

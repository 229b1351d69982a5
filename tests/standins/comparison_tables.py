"""Generated views of a comparison: what the chips train now, their shares of each other, verdicts and past minutes."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

Row = dict[str, Any]

_TIME = pa.timestamp("ms", "UTC")
# chip, vendor, part, devices in a package, tokens/s per device, tokens/J, step time in s, OFU, jobs
RATES: tuple[tuple[str, str, str, int, float, float, float, float | None, int], ...] = (
    ("H100", "nvidia", "package", 1, 1412.0, 2.21, 0.812, 0.469, 3),
    ("MI300X", "amd", "package", 1, 1198.0, 1.71, 0.958, None, 2),
    ("910B", "huawei", "package", 1, 579.0, 1.76, 1.981, 0.488, 4),
    ("910C", "huawei", "die", 2, 563.0, 1.62, 2.018, 0.452, 2),
    ("H20", "nvidia", "package", 1, 231.0, 1.02, 4.966, 0.51, 1),
)
WORKLOAD = "llama-8b | 4096 | bfloat16 | pretrain"
MATCHED_ON = ["model", "sequence length", "precision", "task"]
WINDOWS = {"1h": 3600, "24h": 86_400, "7d": 604_800}
# A share's interval in the stand-in: half as wide as so much of it, by the number of jobs.
_HALF = {1: 0.12, 2: 0.06, 3: 0.04, 4: 0.03}


def comparison_views(at: float, origin: str) -> dict[str, pa.Table]:
    """The views efficiency_live, shares, claims and efficiency at one moment of Unix time."""
    return {
        "efficiency_live": pa.Table.from_pylist([*_live(at, origin)], _LIVE),
        "shares": pa.Table.from_pylist([*_shares(at, origin)], _SHARES),
        "claims": pa.Table.from_pylist([*_claims(at, origin)], _CLAIMS),
        "efficiency": pa.Table.from_pylist([*_minutes(at, origin)], _MINUTES),
    }


def _live(at: float, origin: str) -> Iterator[Row]:
    for chip, vendor, part, dies, rate, per_j, step_s, ofu, jobs in RATES:
        wave = 1 + 0.01 * np.sin(at / 7)
        yield {
            "scope": "chip", "name": chip, "vendor": vendor, "chip": chip, "part": part, "origin": origin,
            "jobs": jobs, "devices": 8.0 * jobs, "workloads": 1, "workload": WORKLOAD, "tokens_origin": "declared",
            "tokens_absent": None, "from_ts": _ts(at - 300), "to_ts": _ts(at), "tokens_per_s_device": rate * wave,
            "tokens_per_s_package": rate * wave * dies, "mfu": 0.42 * wave, "mfu_basis": f"the datasheet of {chip}",
            "mfu_absent": None, "tflops_per_device": 415.4, "share_of_ceiling": 0.53 if chip == "H100" else None,
            "ofu": ofu,
            "ofu_validated": None if ofu is None else chip == "H100",
            "ofu_absent": "no tensor_active" if ofu is None else None, "tokens_per_j": per_j, "energy_coverage": 1.0,
            "cost_per_mtoken": None, "currency": None, "step_p50_s": step_s, "step_p95_s": step_s * 1.05,
            "step_p99_s": step_s * (1.4 if chip == "MI300X" else 1.1), "goodput": 0.94,
        }  # fmt: skip


def _shares(at: float, origin: str) -> Iterator[Row]:
    for window, seconds in WINDOWS.items():
        for reference in RATES:
            for side in (*RATES, ("A100-80G", "nvidia", "package", 1, None, None, None, None, 0)):
                if side[0] != reference[0]:
                    yield from _pair(at, origin, {"window": window, "from_ts": _ts(at - seconds)}, side, reference)


def _pair(at: float, origin: str, window: Row, side: tuple[Any, ...], reference: tuple[Any, ...]) -> Iterator[Row]:
    chip, vendor, _, dies, rate, per_j, _, _, jobs = side
    common = {
        **window, "to_ts": _ts(at), "computed_at": _ts(at), "workload": None, "origin": origin, "vendor": vendor,
        "chip": chip, "reference": reference[0], "n_a": jobs, "n_r": reference[8], "workloads": min(jobs, 1),
        "matched_on": MATCHED_ON, "prior_cv": None, "prior_groups": 0, "warnings": [], "excluded": [],
        "is_shown": True, "scope": "all", "marked": "productive", "token_kind": "processed",
    }  # fmt: skip
    for mode in ("matched", "as run"):
        for quantity, unit, mine, theirs, factor in (
            ("tokens_per_s_device", "device", rate, reference[4], 1.0),
            ("tokens_per_s_device", "package", rate, reference[4], dies / reference[3]),
            ("tokens_per_j", "device", per_j, reference[5], 1.0),
            ("cost_per_mtoken", "device", None, None, 1.0),
        ):
            yield {**common, "mode": mode, "quantity": quantity, "unit": unit, **_interval(mine, theirs, factor, side)}


def _interval(mine: float | None, theirs: float | None, factor: float, side: tuple[Any, ...]) -> Row:
    if mine is None or theirs is None:
        reason = f"no job on {side[0]} counts it in this window"
        return {"kind": None, "ratio": None, "lo": None, "hi": None, "reason": reason, "n_a": 0, "workloads": 0}
    ratio, half = factor * mine / theirs, _HALF[side[8]]
    kind = "jobs like these" if side[8] > 1 else "these jobs"
    return {"kind": kind, "ratio": ratio, "lo": ratio * (1 - half), "hi": ratio * (1 + half), "reason": None}


def _claims(at: float, origin: str) -> Iterator[Row]:
    for window, seconds in WINDOWS.items():
        common = {
            "window": window, "from_ts": _ts(at - seconds), "to_ts": _ts(at), "unit": "package", "near": 0.05,
            "note": None, "quantity": "training", "computed_at": _ts(at),
        }  # fmt: skip
        yield {
            **common, "claim": "c-huawei", "subject": "910C", "chip": "910C", "claimed_of": "H100", "reference": "H100",
            "value": 1.0, "said_by": "Huawei", "said_on": "2025-04", "origin": origin, "verdict": "not consistent",
            "reason": None, "ratio": 0.80, "lo": 0.77, "hi": 0.83, "kind": "jobs like these", "probability": 0.0,
            "n_a": 2, "n_r": 3, "workloads": 1,
        }  # fmt: skip
        yield {
            **common, "claim": "b-press", "subject": "910B", "chip": "910B", "claimed_of": "A100",
            "reference": "A100-80G", "value": 0.8, "said_by": "the press", "said_on": "2025", "origin": None,
            "verdict": "not testable", "reason": "no job on A100-80G counts it in this window", "ratio": None,
            "lo": None, "hi": None, "kind": None, "probability": None, "n_a": 0, "n_r": 0, "workloads": 0,
        }  # fmt: skip


def _minutes(at: float, origin: str) -> Iterator[Row]:
    end = int(at) // 60 * 60
    for chip, vendor, part, _, rate, per_j, step_s, *_ in RATES:
        for minute in range(1, 60):
            dip = 0.91 if chip == "MI300X" and minute in (20, 21) else 1.0
            yield {
                "level": "1m", "ts": _ts(end - 60 * minute), "vendor": vendor, "chip": chip, "part": part,
                "origin": origin, "workload": WORKLOAD, "run": chip, "tokens": rate * dip * 480,
                "tokens_device_s": 480.0, "energy_tokens": rate * 480, "energy_j": rate * 480 / per_j,
                "energy_wall_s": 480.0, "wall_s": 480.0, "cost": None, "cost_tokens": None, "currency": None,
                "step_bins_s": [step_s], "step_counts": [60],
            }  # fmt: skip


def _ts(seconds: float) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=int(seconds))


def _schema(texts: str, floats: str = "", counts: str = "", flags: str = "", times: str = "", lists: str = "") -> Any:
    kinds: Mapping[str, Any] = {
        texts: pa.string(), floats: pa.float64(), counts: pa.uint32(), flags: pa.bool_(), times: _TIME,
        lists: pa.list_(pa.string()),
    }  # fmt: skip
    return pa.schema([(name, kind) for names, kind in kinds.items() for name in names.split()])


_INTERVAL = "ratio lo hi"
_LIVE = _schema(
    "scope name vendor chip part origin workload tokens_origin tokens_absent mfu_basis mfu_absent ofu_absent currency",
    "devices tokens_per_s_device tokens_per_s_package tflops_per_device mfu share_of_ceiling ofu "
    "tokens_per_j energy_coverage cost_per_mtoken step_p50_s step_p95_s step_p99_s goodput",
    "jobs workloads", "ofu_validated", "from_ts to_ts",
)  # fmt: skip
_SHARES = _schema(
    "window scope workload origin vendor chip reference quantity mode unit kind marked token_kind reason",
    f"{_INTERVAL} prior_cv", "n_a n_r workloads prior_groups", "is_shown", "from_ts to_ts computed_at",
    "matched_on warnings excluded",
)  # fmt: skip
_CLAIMS = _schema(
    "window claim subject chip claimed_of reference unit quantity said_by said_on note origin verdict reason kind",
    f"{_INTERVAL} value near probability", "n_a n_r workloads", times="from_ts to_ts computed_at",
)  # fmt: skip
_MINUTES = _schema(
    "level vendor chip part origin workload run currency",
    "tokens tokens_device_s energy_tokens energy_j energy_wall_s wall_s cost cost_tokens", times="ts",
)  # fmt: skip
_MINUTES = _MINUTES.append(pa.field("step_bins_s", pa.list_(pa.float64())))
_MINUTES = _MINUTES.append(pa.field("step_counts", pa.list_(pa.uint64())))

"""Comparisons and verdicts as the rows of the tables `share` and `claim`."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import pyarrow as pa

from steelyard_collector.shares.compute import InUnit, Judged
from steelyard_collector.shares.window import Window
from steelyard_efficiency.rows import share_rows

Row = dict[str, Any]

_TIME: Final[Any] = pa.timestamp("ms", tz="UTC")
_TEXT: Final[Any] = pa.string()
_TEXTS: Final[Any] = pa.list_(pa.string())
_INTERVAL: Final = [("ratio", pa.float64()), ("lo", pa.float64()), ("hi", pa.float64())]
_COUNTS: Final = [("n_a", pa.uint32()), ("n_r", pa.uint32()), ("workloads", pa.uint32())]
SHARE: Final = pa.schema(
    [("window", _TEXT), ("from_ts", _TIME), ("to_ts", _TIME), ("scope", _TEXT), ("workload", _TEXT), ("origin", _TEXT),
     ("vendor", _TEXT), ("chip", _TEXT), ("reference", _TEXT), ("quantity", _TEXT), ("mode", _TEXT), ("unit", _TEXT),
     ("kind", _TEXT), ("is_shown", pa.uint8()), *_INTERVAL, ("df", pa.float64()), ("se", pa.float64()), *_COUNTS,
     ("marked", _TEXT), ("token_kind", _TEXT), ("matched_on", _TEXTS), ("prior_cv", pa.float64()),
     ("prior_groups", pa.uint32()), ("reason", _TEXT), ("warnings", _TEXTS), ("excluded", _TEXTS),
     ("computed_at", _TIME)]
)  # fmt: skip
CLAIM: Final = pa.schema(
    [("window", _TEXT), ("from_ts", _TIME), ("to_ts", _TIME), ("claim", _TEXT), ("subject", _TEXT), ("chip", _TEXT),
     ("claimed_of", _TEXT), ("reference", _TEXT), ("unit", _TEXT), ("quantity", _TEXT), ("value", pa.float64()),
     ("near", pa.float64()), ("said_by", _TEXT), ("said_on", _TEXT), ("note", _TEXT), ("origin", _TEXT),
     ("verdict", _TEXT), ("reason", _TEXT), *_INTERVAL, ("kind", _TEXT), ("probability", pa.float64()), *_COUNTS,
     ("computed_at", _TIME)]
)  # fmt: skip


def share_table(compared: Iterable[InUnit], vendors: Mapping[str, str], window: Window, now_ms: int) -> pa.Table:
    """A row for each interval that was tried, and for each workload; one with a reason where there is none."""
    stamps = _stamps(window, now_ms)
    rows = [
        {**stamps, "vendor": vendors.get(entry.comparison.chip, ""), "unit": entry.unit, **row}
        for entry in compared
        for row in share_rows(entry.comparison)
    ]
    return pa.Table.from_pylist(rows, SHARE)


def claim_table(judged: Iterable[Judged], window: Window, now_ms: int) -> pa.Table:
    """A row for each claim and pair of chips."""
    return pa.Table.from_pylist([{**_stamps(window, now_ms), **_claim(entry)} for entry in judged], CLAIM)


def _stamps(window: Window, now_ms: int) -> Row:
    return {"window": window.name, "from_ts": window.from_ms, "to_ts": window.to_ms, "computed_at": now_ms}


def _claim(entry: Judged) -> Row:
    claim, share, result = entry.claim, entry.judgement.share, entry.comparison
    return {
        "claim": claim.id,
        "subject": claim.subject,
        "chip": entry.chip,
        "claimed_of": claim.reference,
        "reference": entry.reference,
        "unit": claim.unit,
        "quantity": claim.quantity,
        "value": claim.value,
        "near": claim.near,
        "said_by": claim.said_by,
        "said_on": claim.said_on,
        "note": claim.note,
        "origin": entry.origin,
        "verdict": entry.judgement.verdict,
        "reason": entry.judgement.reason,
        "ratio": share.ratio if share else None,
        "lo": share.low if share else None,
        "hi": share.high if share else None,
        "kind": share.kind if share else "",
        "probability": entry.judgement.probability,
        "n_a": result.jobs if result and share else 0,
        "n_r": result.reference_jobs if result and share else 0,
        "workloads": len(result.workloads) if result and share else 0,
    }

"""Registry rows and raw rows of a few devices, for tests of the store."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from steelyard_collector.store.base import Store

TIME: Any = pa.timestamp("ms", tz="UTC")
UINT64_METRICS = frozenset({"throttle_reasons"})


def register(store: Store, devices: Sequence[dict[str, Any]], *, now_ms: int) -> None:
    """Agents and devices as the collector registers them; each device gives device_id, agent and what differs.

    A device's `labels` are its node's.
    """
    agents = sorted({device["agent"] for device in devices})
    labels = {device["agent"]: device["labels"] for device in devices if "labels" in device}
    rows = [
        {"agent": agent, "agent_id": f"id-{agent}", "node": f"n{agent}", "version": "1", "origin": "measured",
         "epoch": 1, "os": "Linux", "kernel": "6.6", "arch": "x86_64", "cpus": 64, "memory_bytes": 1 << 40,
         "first_seen": now_ms, "last_seen": now_ms, "ver": now_ms}
        for agent in agents
    ]  # fmt: skip
    table = _table(rows, TIME, ("first_seen", "last_seen"))
    told = pa.array([list(labels.get(agent, {}).items()) for agent in agents], pa.map_(pa.string(), pa.string()))
    store.insert("agent", table.append_column("labels", told), token=f"agents-{now_ms}")
    base = {"vendor": "nvidia", "kind": "gpu", "name": "NVIDIA H100 80GB HBM3", "chip": "H100", "part": "package",
            "origin": "measured", "memory_bytes": 80 << 30, "first_seen": now_ms, "ver": now_ms}  # fmt: skip
    rows = [base | {"uid": f"dev-{device['device_id']}"} | device for device in devices]
    rows = [{name: value for name, value in row.items() if name != "labels"} for row in rows]
    store.insert("device", _table(rows, TIME, ("first_seen",)), token=f"devices-{now_ms}")


def _table(rows: list[dict[str, Any]], time: Any, stamps: tuple[str, ...]) -> pa.Table:
    table = pa.Table.from_pylist(rows)
    for name in stamps:
        table = table.set_column(table.column_names.index(name), name, table[name].cast(time))
    return table


def raw_block(rows: Sequence[dict[str, Any]]) -> pa.Table:
    """A block of raw_device; each row gives device_id, ts (Unix ms), seq and metrics, None being absent."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {}
    for name in names:
        values = [row.get(name) for row in rows]
        columns[name] = pa.array(values, _type(name, values))
    columns.setdefault("epoch", pa.array([1] * len(rows), pa.uint32()))
    return pa.table(columns)


def _type(name: str, values: list[Any]) -> pa.DataType:
    if name == "ts":
        return TIME
    if name in ("device_id", "seq", "epoch"):
        return pa.uint32()
    if name in UINT64_METRICS:
        return pa.uint64()
    return pa.float32() if any(isinstance(value, float) for value in values) else pa.int64()

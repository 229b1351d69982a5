"""Generated views of a mixed fleet, changing each tick: the columns of docs/architecture.md."""

import time
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tests.standins.comparison_tables import WORKLOAD, comparison_views

# chip, vendor, kind, part, share of the fleet, level of core activity, watts, HBM bytes, bf16 peak
CHIPS = (
    ("H100", "nvidia", "gpu", "package", 0.2, 0.86, 640.0, 80 << 30, 989.0),
    ("H20", "nvidia", "gpu", "package", 0.1, 0.93, 330.0, 96 << 30, 148.0),
    ("A100-80G", "nvidia", "gpu", "package", 0.1, None, 340.0, 80 << 30, 312.0),
    ("910B", "huawei", "npu", "package", 0.3, 0.71, 310.0, 64 << 30, 376.0),
    ("910C", "huawei", "npu", "die", 0.2, 0.78, 320.0, 64 << 30, 380.0),
    ("MI300X", "amd", "gpu", "package", 0.09, 0.66, 690.0, 192 << 30, 1307.0),
    ("", "cpu", "cpu", "package", 0.01, 0.35, None, 0, None),
)
PER_NODE = 8
# Gauges that no device of this fleet gives.
ABSENT = ("vector_active", "memctl_busy", "hbm_temp_c", "processes")
STATES = ("live", "stale", "silent")


@dataclass(frozen=True)
class _Static:
    chip: NDArray[np.int64]
    table: dict[str, pa.Array]
    level: NDArray[np.float64]
    watts: NDArray[np.float64]
    phase: NDArray[np.float64]


class FleetTables:
    """All views at one moment; `at` is Unix time in s, so tests can fix it."""

    def __init__(self, devices: int, *, seed: int = 7, origin: str = "simulated") -> None:
        self.devices = devices
        self.origin = origin
        self._rng = np.random.default_rng(seed)
        self._static = self._make_static()

    def _make_static(self) -> _Static:
        count = self.devices
        nodes = max(1, -(-count // PER_NODE))
        shares = np.cumsum([chip[4] for chip in CHIPS])
        node_chip = np.searchsorted(shares / shares[-1], (np.arange(nodes) + 0.5) / nodes)
        node = np.arange(count) // PER_NODE
        chip = node_chip[node]
        table = {
            "device_id": pa.array(np.arange(1, count + 1, dtype=np.uint32)),
            "uid": pa.array([f"dev-{i:07d}" for i in range(count)]),
            "node": pa.array([f"n{n:05d}" for n in node]),
            "agent": pa.array((node + 1).astype(np.uint32)),
            "device_index": pa.array((np.arange(count) % PER_NODE).astype(np.uint32)),
            "pci_address": pa.array([f"0000:{0x18 + 8 * (i % PER_NODE):02x}:00.0" for i in range(count)]),
            "job": pa.array([None if j % 7 == 6 else f"llama-{j % 7}" for j in node // 8]),
            "origin": pa.array([self.origin] * count),
        }
        for name, at in (("chip", 0), ("vendor", 1), ("kind", 2), ("part", 3)):
            table[name] = pa.array(np.array([c[at] for c in CHIPS])[chip])
        table["name"] = pa.array(np.array([f"Driver name of {c[0] or 'a CPU'}" for c in CHIPS])[chip])
        level = np.array([np.nan if c[5] is None else c[5] for c in CHIPS])[chip]
        watts = np.array([np.nan if c[6] is None else c[6] for c in CHIPS])[chip]
        return _Static(chip, table, level, watts, self._rng.uniform(0, 6.28, count))

    def device_table(self, at: float) -> pa.Table:
        """The view `devices`."""
        count, static = self.devices, self._static
        wave = np.sin(at / 40 + static.phase) * 0.06 + self._rng.normal(0, 0.01, count)
        core = np.clip(static.level + wave, 0, 1)
        busy = np.clip(np.where(np.isnan(static.level), 0.95, static.level + 0.08) + wave, 0, 1)
        hbm_total = np.array([c[7] for c in CHIPS], dtype=np.float64)[static.chip]
        hbm_total[hbm_total == 0] = np.nan
        used = hbm_total * (0.8 + 0.05 * np.sin(static.phase))
        # Some are always behind, so that a screen has stale and silent rows to show.
        kind = np.where(np.arange(count) % 97 == 50, 1, np.where(np.arange(count) % 501 == 300, 2, 0))
        age = np.where(kind == 0, 1.2, np.where(kind == 1, 14.0, 75.0))
        now_ms = int(at * 1000)
        silent = kind == 2
        gauges = {
            "busy": busy,
            "core_active": core,
            "tensor_active": np.where(self._vendor("amd", "cpu"), np.nan, core * 0.62),
            "hbm_bw_active": np.where(self._vendor("amd", "cpu"), np.nan, core * 0.55),
            "core_clock_mhz": 1500 + 200 * wave,
            "power_w": static.watts * (0.9 + wave),
            "chip_temp_c": 58 + 40 * wave,
            "hbm_temp_c": 62 + 40 * wave,
            "hbm_used_bytes": used,
            "hbm_total_bytes": hbm_total,
            "hbm_used_ratio": used / hbm_total,
        }
        columns: dict[str, pa.Array] = dict(static.table)
        columns |= {name: _nullable(np.where(silent, np.nan, values)) for name, values in gauges.items()}
        columns["first_seen"] = pa.array(np.full(count, now_ms - 3_600_000), pa.timestamp("ms", "UTC"))
        columns["last_seen"] = pa.array((now_ms - age * 1000).astype(np.int64), pa.timestamp("ms", "UTC"))
        columns["age_s"] = pa.array(age)
        columns["state"] = pa.array(np.array(STATES)[kind])
        columns["memory_bytes"] = columns["hbm_total_bytes"]
        columns["driver_version"] = pa.array(["1.0"] * count)
        columns["power_scope"] = pa.array(["device"] * count)
        return pa.table(columns)

    def _vendor(self, *vendors: str) -> NDArray[np.bool_]:
        return np.array([c[1] in vendors for c in CHIPS])[self._static.chip]

    def views(self, at: float) -> dict[str, pa.Table]:
        """Every live view at one moment."""
        devices = self.device_table(at)
        return {
            "devices": devices,
            "fleet_live": _fleet(devices),
            "nodes": _nodes(devices),
            "jobs": _jobs(devices, at),
            "events": _events(devices, at),
            **comparison_views(at, self.origin),
        }

    def history_table(self, at: float, *, seconds: int = 3600, devices: int = 20) -> pa.Table:
        """The view `device_history` of the first devices: raw for 10 minutes, then 10 s and 1 min buckets."""
        parts = [
            self._history_level(at, level, step, min(seconds, span), devices)
            for level, step, span in (("raw", 1, 600), ("10s", 10, 3600), ("1m", 60, 86400))
        ]
        return pa.concat_tables(parts)

    def _history_level(self, at: float, level: str, step: int, span: int, devices: int) -> pa.Table:
        stamps = (int(at) // step * step - np.arange(span // step)[::-1] * step).astype(np.int64)
        tables = []
        for device in range(min(devices, self.devices)):
            count = len(stamps)
            core = np.clip(0.75 + 0.1 * np.sin(stamps / 40 + device) - 0.5 * ((stamps // 50) % 11 == 0), 0, 1)
            columns: dict[str, pa.Array] = {
                "level": pa.array([level] * count),
                "ts": pa.array(stamps * 1000, pa.timestamp("ms", "UTC")),
                "samples": pa.array(np.full(count, step, dtype=np.uint64)),
            }
            for name in ("device_id", "uid", "node", "vendor", "chip", "part", "origin"):
                value = self._static.table[name][device]
                columns[name] = pa.array([value.as_py()] * count, value.type)
            figures = {
                "busy": core + 0.05,
                "core_active": core,
                "tensor_active": core * 0.6,
                "hbm_bw_active": core * 0.5,
                "core_clock_mhz": 1500 + 100 * core,
                "power_w": 300 + 300 * core,
                "chip_temp_c": 50 + 20 * core,
                "hbm_used_bytes": 5e10 + 0 * core,
            }
            for name, values in figures.items():
                spread = 0 if level == "raw" else 0.03 * np.abs(values)
                columns[name] = _nullable(values)
                columns[f"{name}_min"] = _nullable(values - spread)
                columns[f"{name}_max"] = _nullable(values + spread)
            for name in ABSENT:
                for ending in ("", "_min", "_max"):
                    columns[name + ending] = pa.nulls(count, pa.float32())
            tables.append(pa.table(columns))
        return pa.concat_tables(tables)


def _nullable(values: NDArray[np.float64]) -> pa.Array:
    return pa.array(values.astype(np.float32), mask=np.isnan(values))


def _fleet(devices: pa.Table) -> pa.Table:
    means = ("busy", "core_active", "tensor_active", "hbm_bw_active", "core_clock_mhz", "chip_temp_c", "power_w")
    means += ("hbm_used_ratio",)
    stated = devices.append_column(
        "reporting", pa.array([1 if s == "live" else 0 for s in devices["state"].to_pylist()])
    ).append_column("stale", pa.array([0 if s == "live" else 1 for s in devices["state"].to_pylist()]))
    grouped = stated.group_by(["vendor", "chip", "part", "origin"], use_threads=False).aggregate(
        [
            ("node", "count_distinct"),
            ("device_id", "count"),
            ("reporting", "sum"),
            ("stale", "sum"),
            ("job", "count_distinct"),
            ("power_w", "sum"),
            *((name, "mean") for name in means),
        ]
    )
    names = {"node_count_distinct": "nodes", "device_id_count": "devices", "reporting_sum": "reporting"}
    names |= {"stale_sum": "stale", "job_count_distinct": "jobs", "power_w_sum": "power_total_w"}
    names |= {f"{name}_mean": name for name in means}
    table = grouped.rename_columns([names.get(name, name) for name in grouped.column_names])
    peaks = {chip[0]: chip[8] for chip in CHIPS}
    peak = [peaks[name] for name in table["chip"].to_pylist()]
    table = table.append_column("bf16_tflops", pa.array(peak, pa.float64()))
    basis = ["a datasheet" if figure else None for figure in peak]
    return table.append_column("peak_basis", pa.array(basis, pa.string()))


def _nodes(devices: pa.Table) -> pa.Table:
    live = pa.array([1 if s == "live" else 0 for s in devices["state"].to_pylist()])
    grouped = (
        devices.append_column("reporting", live)
        .group_by(["node", "agent", "origin", "vendor", "chip", "state"], use_threads=False)
        .aggregate([("device_id", "count")])
        .group_by(["node", "agent", "origin", "vendor", "chip"], use_threads=False)
        .aggregate([("device_id_count", "sum")])
    )
    figures = (
        devices.append_column("reporting", live)
        .group_by(["node"], use_threads=False)
        .aggregate(
            [("reporting", "sum"), ("power_w", "sum"), ("busy", "mean"), ("core_active", "mean"), ("age_s", "min")]
        )
    )
    count = grouped.num_rows
    index = np.arange(count)
    return pa.table(
        {
            "node": grouped["node"],
            "agent": grouped["agent"],
            "origin": grouped["origin"],
            "vendors": pa.array([[v] for v in grouped["vendor"].to_pylist()]),
            "chips": pa.array([[v] if v else [] for v in grouped["chip"].to_pylist()], pa.list_(pa.string())),
            "devices": grouped["device_id_count_sum"],
            "reporting": figures["reporting_sum"],
            "jobs": pa.array([["llama-1"]] * count),
            "cpu_busy": pa.array(np.abs(np.sin(index + time.time() / 60)) * 0.5),
            "load_1m": pa.array(12 + 8 * np.sin(index)),
            "mem_used_bytes": pa.array(3e11 + 1e11 * np.sin(index)),
            "mem_total_bytes": pa.array(np.full(count, 2e12)),
            "power_w": figures["power_w_sum"],
            "busy": figures["busy_mean"],
            "core_active": figures["core_active_mean"],
            "clock_offset_ms": pa.array(np.where(index % 40 == 3, 812.0, 1.5)),
            "age_s": figures["age_s_min"],
            "state": pa.array(["live"] * count),
            "os": pa.array(["Linux"] * count),
            "kernel": pa.array(["6.6.0"] * count),
            "arch": pa.array(["aarch64" if v == "huawei" else "x86_64" for v in grouped["vendor"].to_pylist()]),
            "cpus": pa.array(np.full(count, 192, dtype=np.uint32)),
        }
    )


def _jobs(devices: pa.Table, at: float) -> pa.Table:
    held = devices.filter(devices["job"].is_valid())
    grouped = held.group_by(["job", "origin"], use_threads=False).aggregate(
        [
            ("vendor", "distinct"),
            ("chip", "distinct"),
            ("node", "count_distinct"),
            ("device_id", "count"),
            ("busy", "mean"),
            ("core_active", "mean"),
            ("tensor_active", "mean"),
            ("hbm_bw_active", "mean"),
            ("power_w", "sum"),
        ]
    )
    count = grouped.num_rows
    since = pa.array(np.full(count, int(at * 1000) - 5_400_000), pa.timestamp("ms", "UTC"))
    return pa.table(
        {
            "job": grouped["job"],
            "name": pa.array([f"pretrain {name}" for name in grouped["job"].to_pylist()]),
            "scheduler": pa.array(["slurm"] * count),
            "user": pa.array(["ada"] * count),
            "origin": grouped["origin"],
            "vendors": grouped["vendor_distinct"],
            "chips": grouped["chip_distinct"],
            "nodes": grouped["node_count_distinct"],
            "devices": grouped["device_id_count"],
            "world_size": grouped["device_id_count"],
            "since": since,
            "last_seen": pa.array(np.full(count, int(at * 1000)), pa.timestamp("ms", "UTC")),
            "state": pa.array(["running"] * count),
            "busy": grouped["busy_mean"],
            "core_active": grouped["core_active_mean"],
            "tensor_active": grouped["tensor_active_mean"],
            "hbm_bw_active": grouped["hbm_bw_active_mean"],
            "power_w": grouped["power_w_sum"],
            "workload": pa.array([WORKLOAD] * count),
            "steps": pa.array(np.full(count, 5000, dtype=np.uint64)),
            "step_p50_s": pa.array(np.full(count, 1.0)),
            "tokens_absent": pa.array([None] * count, pa.string()),
        }
    )


def _events(devices: pa.Table, at: float) -> pa.Table:
    """One event for each silent device, the newest at the end of the table."""
    silent = devices.filter(pa.array([s == "silent" for s in devices["state"].to_pylist()]))
    count = silent.num_rows
    stamps = (int(at) - 75 - 60 * np.arange(count)[::-1]) * 1000
    columns = {name: silent[name] for name in ("node", "agent", "device_id", "uid", "vendor", "chip", "origin")}
    texts = [f"device {index} is gone" for index in silent["device_index"].to_pylist()]
    return pa.table(
        columns
        | {
            "ts": pa.array(stamps.astype(np.int64), pa.timestamp("ms", "UTC")),
            "severity": pa.array(["warning"] * count, pa.string()),
            "code": pa.array(["device_lost"] * count, pa.string()),
            "text": pa.array(texts, pa.string()),
            "source": pa.array(["agent"] * count, pa.string()),
        }
    )

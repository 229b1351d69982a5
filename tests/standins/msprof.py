"""In msprof's place: samples the devices that it is told to, and leaves what its sources say it leaves.

python -m tests.standins.msprof [--tables-only] --output=FOLDER --sys-devices=3 --sys-period=1 ...
"""

import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from tests.standins.ascend_export import EPOCH_NS, write_table

MIB = 1 << 20
# Of two samples of a device.
HBM = {"read": ((900 * MIB, 700 * MIB), (300 * MIB, 100 * MIB)), "write": ((50 * MIB, 30 * MIB), (20 * MIB, 0))}
HCCS = ((40 * MIB, 10 * MIB), (60 * MIB, 30 * MIB))
ROCE = ((2_000_000, 1_000_000), (4_000_000, 3_000_000))
_PCIE = ("txPost", "txNonpost", "txCpl", "txNonpostLatency", "rxPost", "rxNonpost", "rxCpl")
_MODES = ("Tx_p_avg(MB/s)", "Tx_np_avg(MB/s)", "Tx_cpl_avg(MB/s)", "Tx_latency_avg(us)", "Rx_p_avg(MB/s)",
          "Rx_np_avg(MB/s)", "Rx_cpl_avg(MB/s)")  # fmt: skip


def write_sampling(folder: Path, devices: Sequence[int] = (3,), *, has_database: bool = True) -> Path:
    """A folder that system sampling has left."""
    run = folder / "PROF_000001_20250109154803_ABC"
    for device in devices:
        (run / f"device_{device}/data").mkdir(parents=True)
        (run / f"device_{device}/data/hbm.data.{device}.slice_0").write_bytes(b"raw" * 1000)
    (run / "host/data").mkdir(parents=True)
    if has_database:
        write_rates_database(run / "msprof_20250109154900.db", devices)
    _write_tables(run / "mindstudio_profiler_output", devices)
    return run


def write_rates_database(path: Path, devices: Sequence[int]) -> None:
    """The database, of version 1.2.0."""
    bandwidths = ", ".join(f"{name}{what} NUMERIC" for name in _PCIE for what in ("Min", "Max", "Avg"))
    with closing(sqlite3.connect(path)) as db:
        db.executescript(
            "CREATE TABLE STRING_IDS (id INTEGER PRIMARY KEY, value TEXT);"
            "INSERT INTO STRING_IDS VALUES (0, 'read'), (1, 'write');"
            "CREATE TABLE NPU_INFO (id INTEGER, name TEXT);"
            "CREATE TABLE HBM (deviceId INTEGER, timestampNs INTEGER, bandwidth NUMERIC, hbmId INTEGER, type INTEGER);"
            "CREATE TABLE HCCS (deviceId INTEGER, timestampNs INTEGER, txThroughput NUMERIC, rxThroughput NUMERIC);"
            f"CREATE TABLE PCIE (deviceId INTEGER, timestampNs INTEGER, {bandwidths});"
            "CREATE TABLE ROCE (deviceId INTEGER, timestampNs INTEGER, bandwidth INTEGER, rxPacketRate NUMERIC, "
            "rxByteRate NUMERIC, txByteRate NUMERIC, funcId INTEGER);"
        )
        for device in devices:
            for at in range(2):
                ns = EPOCH_NS + at * 100_000_000
                for number, (_, units) in enumerate(HBM.items()):
                    rows = [(device, ns, unit[at], index, number) for index, unit in enumerate(units)]
                    db.executemany("INSERT INTO HBM VALUES (?, ?, ?, ?, ?)", rows)
                db.execute("INSERT INTO HCCS VALUES (?, ?, ?, ?)", (device, ns, HCCS[0][at], HCCS[1][at]))
                # Nothing moved in the first sample: its minimum says so by standing above all.
                idle = (0xFFFFF * 1_000_000, 0, 0)
                moved = (1_000_000, 5_000_000, 3_000_000)
                values = [value for _ in _PCIE for value in (moved if at else idle)]
                db.execute(f"INSERT INTO PCIE VALUES (?, ?{', ?' * len(values)})", (device, ns, *values))
                db.execute("INSERT INTO ROCE VALUES (?, ?, 100000, 0, ?, ?, 0)", (device, ns, ROCE[0][at], ROCE[1][at]))
        db.commit()


def _write_tables(folder: Path, devices: Sequence[int]) -> None:
    """The sums over the same samples, in MB/s of 2**20 bytes."""
    folder.mkdir()
    memory, hccs, pcie, roce = [], [], [], []
    for device in map(str, devices):
        units = [[sum(HBM[way][unit]) / 2 / MIB for way in HBM] for unit in range(2)]
        both = ["Average", *(sum(unit[way] for unit in units) / 2 for way in range(2))]
        for metric, read, write in (both, *([str(index), *unit] for index, unit in enumerate(units))):
            memory.append(
                {"Device_id": device, "Metric": str(metric), "Read(MB/s)": str(read), "Write(MB/s)": str(write)}
            )
        for mode, values in zip(("Tx (MB/s)", "Rx (MB/s)"), HCCS, strict=True):
            told = {"Max": max(values), "Min": min(values), "Average": sum(values) / 2}
            hccs.append({"Device_id": device, "Mode": mode, **{name: str(v / MIB) for name, v in told.items()}})
        for mode in _MODES:
            pcie.append({"Device_id": device, "Mode": mode, "Min": "0.5", "Max": "2.384", "Avg": "1.431"})
        roce.append({"Device_id": device, "Timestamp(us)": "1736408883704643", "Bandwidth(MB/s)": "100000"})
    stamp = "20250109154900"
    for name, rows in (("hbm", memory), ("hccs", hccs), ("pcie", pcie), ("roce", roce)):
        write_table(folder / f"{name}_{stamp}.csv", tuple(rows[0]), rows)


if __name__ == "__main__":
    told = dict(word.removeprefix("--").split("=", 1) for word in sys.argv[1:] if "=" in word)
    indexes = [int(index) for index in told["sys-devices"].split(",")]
    write_sampling(Path(told["output"]), indexes)

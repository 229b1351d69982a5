"""The host's figures from made-up trees of procfs and sysfs."""

from pathlib import Path

import pytest

from steelyard_agent.devices.host import HOST_UID, HostSource
from steelyard_agent.model import Absent
from steelyard_proto.errors import DeviceLost
from steelyard_proto.metrics import catalogue

MEMINFO = """MemTotal:       1000 kB
MemFree:         100 kB
MemAvailable:    400 kB
SwapTotal:        50 kB
SwapFree:         20 kB
Dirty:             7 kB
HugePages_Total:   0
"""
DISKSTATS = """   7       0 loop0 9 0 900 0 9 0 900 0 0 0 0
 259       0 nvme0n1 10 0 200 5 20 0 400 5 0 5 5
 259       1 nvme0n1p1 10 0 200 5 20 0 400 5 0 5 5
   8       0 sda 1 0 2 0 1 0 4 0 0 0 0
 253       0 dm-0 10 0 200 5 20 0 400 5 0 5 5
 252       0 zram0 1 0 64 0 1 0 64 0 0 0 0
"""
NET_DEV = """Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls
    lo: 999999 1 0 0 0 0 0 0 999999 1 0 0 0 0 0 0
  eth0: 1000 1 0 0 0 0 0 0 2000 1 0 0 0 0 0 0
  eth1:50 1 0 0 0 0 0 0 60 1 0 0 0 0 0 0
 bond0: 1050 1 0 0 0 0 0 0 2060 1 0 0 0 0 0 0
"""


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def stat_text(user: int, idle: int, iowait: int) -> str:
    return f"cpu  {user} 0 0 {idle} {iowait} 0 0 0 0 0\ncpu0 {user} 0 0 {idle} {iowait} 0 0 0 0 0\nintr 1\n"


@pytest.fixture
def proc(tmp_path):
    root = tmp_path / "proc"
    write(root / "stat", stat_text(100, 800, 100))
    write(root / "loadavg", "1.25 0.5 0.1 1/200 4242\n")
    write(root / "meminfo", MEMINFO)
    write(root / "diskstats", DISKSTATS)
    write(root / "net/dev", NET_DEV)
    for name, total in (("cpu", 11), ("memory", 22), ("io", 33)):
        write(root / "pressure" / name, f"some avg10=0.00 avg60=0.00 avg300=0.00 total={total}\nfull avg10=0 total=1\n")
    return root


@pytest.fixture
def sys(tmp_path):
    root = tmp_path / "sys"
    for disk in ("nvme0n1", "sda"):
        (root / "block" / disk / "device").mkdir(parents=True)
    for disk in ("loop0", "dm-0", "zram0"):
        (root / "block" / disk).mkdir(parents=True)
    for interface in ("eth0", "eth1"):
        (root / "class/net" / interface / "device").mkdir(parents=True)
    return root


def read(source: HostSource, metric_class="fast") -> dict[str, object]:
    info = source.discover()[0]
    values = source.sample(HOST_UID, metric_class)
    names = [catalogue().by_id[i].name for i in info.metrics[metric_class]]
    return dict(zip(names, values, strict=True))


def test_every_figure_of_a_whole_tree(proc, sys):
    source = HostSource(proc=proc, sys=sys, node="n1")
    source.discover()
    (proc / "stat").write_text(stat_text(160, 820, 120))
    figures = read(source)
    assert figures == {
        "cpu_busy": pytest.approx(0.6),
        "cpu_iowait": pytest.approx(0.2),
        "load_1m": 1.25,
        "mem_used_bytes": 600 * 1024.0,
        "swap_used_bytes": 30 * 1024.0,
        "page_dirty_bytes": 7 * 1024.0,
        "disk_read_bytes": 202 * 512,
        "disk_write_bytes": 404 * 512,
        "net_rx_bytes": 1050,
        "net_tx_bytes": 2060,
        "psi_cpu_us": 11,
        "psi_mem_us": 22,
        "psi_io_us": 33,
    }
    assert read(source, "slow") == {"mem_total_bytes": 1000 * 1024.0}
    source.close()


def test_counters_are_whole_numbers_and_gauges_are_not(proc, sys):
    source = HostSource(proc=proc, sys=sys)
    info = source.discover()[0]
    (proc / "stat").write_text(stat_text(160, 820, 120))
    for metric_class, ids in info.metrics.items():
        for metric_id, value in zip(ids, source.sample(HOST_UID, metric_class), strict=True):
            metric = catalogue().by_id[metric_id]
            assert metric.entity == "host"
            assert isinstance(value, int if metric.kind == "counter" else float), metric.name
    source.close()


def test_without_time_between_the_readings_the_share_is_absent(proc, sys):
    source = HostSource(proc=proc, sys=sys)
    figures = read(source)
    assert isinstance(figures["cpu_busy"], Absent)
    source.close()


def test_a_kernel_without_pressure_or_rdma_leaves_them_out(proc, sys):
    for name in ("cpu", "memory", "io"):
        (proc / "pressure" / name).unlink()
    source = HostSource(proc=proc, sys=sys)
    names = read(source).keys()
    assert not any(name.startswith(("psi_", "nic_")) for name in names)
    source.close()


def test_rdma_counts_words_of_four_bytes(proc, sys):
    for device, received, sent in (("mlx5_0", 10, 20), ("mlx5_1", 1, 2)):
        counters = sys / "class/infiniband" / device / "ports/1/counters"
        write(counters / "port_rcv_data", f"{received}\n")
        write(counters / "port_xmit_data", f"{sent}\n")
        write(counters.parent / "state", "4: ACTIVE\n" if device == "mlx5_0" else "1: DOWN\n")
    source = HostSource(proc=proc, sys=sys)
    figures = read(source)
    assert (figures["nic_rx_bytes"], figures["nic_tx_bytes"]) == (44, 88)
    assert read(source, "slow")["nic_up"] == 1.0
    source.close()


def test_a_container_without_sysfs_still_counts_whole_disks_and_its_veth(proc, tmp_path):
    source = HostSource(proc=proc, sys=tmp_path / "nothing")
    figures = read(source)
    assert figures["disk_read_bytes"] == 202 * 512
    # Nothing tells what is physical: all but the loopback.
    assert figures["net_rx_bytes"] == 2100
    source.close()


def test_a_figure_that_breaks_is_absent_and_the_others_stay(proc, sys):
    source = HostSource(proc=proc, sys=sys)
    source.discover()
    (proc / "meminfo").write_text("MemTotal: 1000 kB\n")
    values = dict(zip(source.discover()[0].metrics["fast"], source.sample(HOST_UID, "fast"), strict=True))
    assert 103 not in values
    assert values[102] == 1.25
    source.close()


def test_a_figure_that_breaks_between_discoveries_is_absent_with_its_reason(proc, sys):
    source = HostSource(proc=proc, sys=sys)
    info = source.discover()[0]
    (proc / "meminfo").write_text("MemTotal: 1000 kB\n")
    values = dict(zip(info.metrics["fast"], source.sample(HOST_UID, "fast"), strict=True))
    assert values[103] == Absent("unreadable: KeyError")
    source.close()


def test_another_uid_is_refused(proc, sys):
    source = HostSource(proc=proc, sys=sys)
    source.discover()
    with pytest.raises(DeviceLost, match="not on this node"):
        source.sample("gpu-0", "fast")
    source.close()


def test_the_real_host_answers():
    source = HostSource(node="here")
    figures = read(source)
    assert figures["mem_used_bytes"] > 0
    source.close()

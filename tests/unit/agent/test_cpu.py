"""The CPU as a device, from made-up trees of procfs and sysfs."""

from pathlib import Path

import pytest

from steelyard_agent.devices.cpu import MOST_CLOCKS, CpuSource
from steelyard_agent.devices.cpu_identity import cpu_name
from steelyard_agent.model import Absent
from steelyard_proto.metrics import catalogue

X86 = "processor\t: 0\nmodel name\t: AMD EPYC 9654\ncpu MHz\t\t: 2400.000\n\nprocessor\t: 1\ncpu MHz\t\t: 2600.000\n"
KUNPENG = "processor\t: 0\nBogoMIPS\t: 200.00\nCPU implementer\t: 0x48\nCPU part\t: 0xd01\n"
MEMINFO = "MemTotal: 1000 kB\nMemAvailable: 250 kB\n"


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def stat_text(*busy_and_idle: tuple[int, int]) -> str:
    total = (sum(busy for busy, _ in busy_and_idle), sum(idle for _, idle in busy_and_idle))
    lines = [("cpu ", *total), *((f"cpu{i}", *both) for i, both in enumerate(busy_and_idle))]
    return "".join(f"{name} {busy} 0 0 {idle} 0 0 0 0 0 0\n" for name, busy, idle in lines) + "intr 5 4 3\n"


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def machine(tmp_path, clock):
    write(tmp_path / "proc/stat", stat_text((0, 0), (0, 0)))
    write(tmp_path / "proc/cpuinfo", X86)
    write(tmp_path / "proc/meminfo", MEMINFO)
    return tmp_path


def source_of(machine: Path, clock: Clock) -> CpuSource:
    return CpuSource(proc=machine / "proc", sys=machine / "sys", node="n1", clock=clock)


def read(source: CpuSource, metric_class="fast") -> dict[str, object]:
    info = source.discover()[0]
    names = [catalogue().by_id[i].name for i in info.metrics[metric_class]]
    return dict(zip(names, source.sample(info.uid, metric_class), strict=True))


def add_rapl(machine: Path, package: int, energy_uj: int, range_uj: int = 262_143_328_850) -> Path:
    zone = machine / f"sys/class/powercap/intel-rapl:{package}"
    write(zone / "name", f"package-{package}\n")
    write(zone / "energy_uj", f"{energy_uj}\n")
    write(zone / "max_energy_range_uj", f"{range_uj}\n")
    write(zone / "constraint_0_power_limit_uw", "360000000\n")
    return zone / "energy_uj"


def test_a_bare_virtual_machine(machine, clock):
    source = source_of(machine, clock)
    info = source.discover()[0]
    assert (info.uid, info.vendor, info.kind, info.name, info.chip, info.numa_node) == (
        "cpu:n1", "cpu", "cpu", "AMD EPYC 9654", "", -1,
    )  # fmt: skip
    assert (info.power_scope, info.memory_bytes, info.origin) == ("", 1000 * 1024, "measured")
    (machine / "proc/stat").write_text(stat_text((90, 10), (10, 90)))
    assert read(source) == {
        "busy": pytest.approx(0.9),  # the busiest core
        "core_active": pytest.approx(0.5),
        "core_clock_mhz": 2500.0,
        "hbm_used_bytes": 750 * 1024.0,
    }
    assert read(source, "slow") == {"hbm_total_bytes": 1000 * 1024.0}
    source.close()


def test_a_core_that_goes_offline_makes_one_reading_absent(machine, clock):
    source = source_of(machine, clock)
    source.discover()
    (machine / "proc/stat").write_text(stat_text((90, 10)))
    assert isinstance(read(source)["busy"], Absent)
    (machine / "proc/stat").write_text(stat_text((90, 110)))
    assert read(source)["busy"] == 0.0
    source.close()


def test_power_and_energy_over_a_wrap(machine, clock):
    first = add_rapl(machine, 0, 999_000_000, range_uj=1_000_000_000)
    second = add_rapl(machine, 1, 0, range_uj=1_000_000_000)
    source = source_of(machine, clock)
    info = source.discover()[0]
    assert info.power_scope == "package"
    assert "RAPL" in info.notes["energy_mj"]
    clock.now_s += 0.4
    first.write_text("39000000\n")  # 40 J over the wrap
    second.write_text("20000000\n")
    figures = read(source)
    assert figures["power_w"] == pytest.approx(150.0)
    assert figures["energy_mj"] == 60_000
    assert read(source, "slow")["power_limit_w"] == pytest.approx(720.0)
    source.close()


def test_a_gap_that_may_hide_two_wraps_is_not_counted(machine, clock):
    energy = add_rapl(machine, 0, 0, range_uj=1_000_000_000)
    source = source_of(machine, clock)
    source.discover()
    clock.now_s += 3600.0
    energy.write_text("500000000\n")
    figures = read(source)
    assert isinstance(figures["power_w"], Absent)
    assert figures["energy_mj"] == 0
    clock.now_s += 0.1
    energy.write_text("510000000\n")
    assert read(source)["energy_mj"] == 10_000
    source.close()


def test_a_part_of_a_package_is_not_added_to_it(machine, clock):
    energy = add_rapl(machine, 0, 0)
    write(machine / "sys/class/powercap/intel-rapl:0:0/name", "core\n")
    write(machine / "sys/class/powercap/intel-rapl:0:0/energy_uj", "7\n")
    write(machine / "sys/class/powercap/intel-rapl:0:0/max_energy_range_uj", "1000000\n")
    add_rapl(machine, 1, 0)
    (machine / "sys/class/powercap/intel-rapl:1/name").write_text("psys\n")
    source = source_of(machine, clock)
    source.discover()
    clock.now_s += 1.0
    energy.write_text("100000000\n")
    assert read(source)["power_w"] == pytest.approx(100.0)
    source.close()


def test_rapl_that_only_root_may_read_is_absent(machine, clock):
    energy = add_rapl(machine, 0, 0)
    energy.unlink()
    source = source_of(machine, clock)
    assert 23 not in source.discover()[0].metrics["fast"]
    source.close()


def test_clocks_of_many_cores_are_sampled(machine, clock):
    for core in range(100):
        freq = machine / f"sys/devices/system/cpu/cpu{core}/cpufreq"
        write(freq / "scaling_cur_freq", "1500000\n")
        write(freq / "cpuinfo_max_freq", "3700000\n")
    source = source_of(machine, clock)
    assert read(source)["core_clock_mhz"] == 1500.0
    assert read(source, "slow")["core_clock_max_mhz"] == 3700.0
    assert len(source._clocks) <= MOST_CLOCKS
    source.close()


def test_the_hottest_package_counts(machine, clock):
    for number, label, milli in ((0, "Package id 0", 51000), (0, "Core 0", 99000), (1, "Package id 1", 60500)):
        monitor = machine / f"sys/class/hwmon/hwmon{number}"
        write(monitor / "name", "coretemp\n")
        index = 2 if label.startswith("Core") else 1
        write(monitor / f"temp{index}_label", f"{label}\n")
        write(monitor / f"temp{index}_input", f"{milli}\n")
    source = source_of(machine, clock)
    assert read(source)["chip_temp_c"] == 60.5
    source.close()


def test_a_thermal_zone_stands_in_for_a_sensor(machine, clock):
    write(machine / "sys/class/thermal/thermal_zone0/type", "acpitz\n")
    write(machine / "sys/class/thermal/thermal_zone0/temp", "20000\n")
    write(machine / "sys/class/thermal/thermal_zone1/type", "x86_pkg_temp\n")
    write(machine / "sys/class/thermal/thermal_zone1/temp", "44000\n")
    source = source_of(machine, clock)
    assert read(source)["chip_temp_c"] == 44.0
    source.close()


@pytest.mark.parametrize(
    ("cpuinfo", "name"),
    [
        (X86, "AMD EPYC 9654"),
        (KUNPENG, "HiSilicon Kunpeng-920"),
        ("CPU implementer\t: 0x99\nCPU part\t: 0x001\n", "aarch64 implementer 0x99 part 0x001"),
        ("", ""),
    ],
)
def test_names(cpuinfo, name):
    assert cpu_name(cpuinfo) == name


def test_descriptors_are_given_back(machine, clock):
    source = source_of(machine, clock)
    source.discover()
    before = len(list(Path("/proc/self/fd").iterdir()))
    source.close()
    assert len(list(Path("/proc/self/fd").iterdir())) < before

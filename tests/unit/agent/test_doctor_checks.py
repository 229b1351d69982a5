"""The doctor's checks of the node itself, over made-up roots of the file system."""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from steelyard_agent.config import Config, make_config
from steelyard_agent.doctor.container import check_container, container_kind
from steelyard_agent.doctor.finding import Finding, exit_code
from steelyard_agent.doctor.host import check_host, clock_finding
from steelyard_agent.doctor.installation import check_installation
from steelyard_agent.doctor.node import Node
from steelyard_agent.doctor.permissions import check_permissions
from steelyard_agent.doctor.probe import Probe
from steelyard_agent.doctor.profiling import check_profiling
from steelyard_agent.doctor.report import as_json, as_text
from steelyard_agent.doctor.schedulers import check_schedulers
from steelyard_agent.doctor.spool import check_spool
from steelyard_agent.settings import gather_settings
from tests.standins.agent_parts import Parts, a_device
from tests.standins.kubelet import Kubelet

NOW_S = 1_800_000_000.0


@pytest.fixture
def config(tmp_path: Path) -> Config:
    environ = {"HOME": str(tmp_path)}
    return make_config(gather_settings({"state_dir": str(tmp_path / "state"), "node": "n1"}, environ, None), environ)


def write(root: Path, path: str, text: str = "") -> Path:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def said(findings: Sequence[Finding], *levels: str) -> list[str]:
    return [f"{finding.subject}: {finding.text}" for finding in findings if finding.level in levels]


def test_installation_names_versions(config: Config) -> None:
    [finding] = check_installation(Node(config, module_paths=[]))
    assert finding.level == "ok"
    assert "steelyard-agent" in finding.text
    assert finding.details["grpcio"]


def test_the_unofficial_pynvml_is_a_problem_with_the_command_to_run(config: Config, tmp_path: Path) -> None:
    (tmp_path / "pynvml-11.5.3.dist-info").mkdir()
    findings = check_installation(Node(config, module_paths=[str(tmp_path)]))
    [problem] = [finding for finding in findings if finding.level == "problem"]
    assert "pynvml 11.5.3" in problem.text
    assert "pip uninstall -y pynvml" in problem.text


def test_host_is_described_and_its_clock_judged(config: Config, tmp_path: Path) -> None:
    write(tmp_path, "etc/os-release", 'PRETTY_NAME="Kylin V10"\n')
    facts, clock = check_host(Node(config, root=tmp_path))
    assert facts.text.startswith("n1: Kylin V10, kernel ")
    assert clock.subject == "clock"
    assert [clock_finding(state).level for state in (-1, 0, 5)] == ["note", "ok", "warning"]


@pytest.mark.parametrize(
    ("file", "environ", "kind"),
    [
        ("x", {}, ""),
        (".dockerenv", {}, "docker"),
        ("run/.containerenv", {}, "podman"),
        (".dockerenv", {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "kubernetes"),
        ("x", {"container": "lxc"}, "lxc"),
    ],
)
def test_container_is_recognised(config: Config, tmp_path: Path, file: str, environ: dict[str, str], kind: str) -> None:
    write(tmp_path, file)
    assert container_kind(Node(config, environ=environ, root=tmp_path)) == kind


def test_container_limits_that_are_too_tight(config: Config, tmp_path: Path) -> None:
    write(tmp_path, "proc/self/cgroup", "0::/pod/agent\n")
    write(tmp_path, "sys/fs/cgroup/cgroup.controllers")
    write(tmp_path, "sys/fs/cgroup/pod/agent/memory.max", "max\n")
    # A limit of a group above holds as well.
    write(tmp_path, "sys/fs/cgroup/pod/memory.max", "33554432\n")
    write(tmp_path, "sys/fs/cgroup/pod/agent/cpu.max", "1000 100000\n")
    write(tmp_path, "proc/self/ns/pid")
    warnings = said(check_container(Node(config, root=tmp_path)), "warning")
    assert [text.partition(":")[0] for text in warnings] == ["processes", "memory limit", "CPU limit"]
    assert "34 MB" in warnings[1]


def test_container_without_limits_is_well(config: Config, tmp_path: Path) -> None:
    write(tmp_path, "proc/self/cgroup", "0::/\n")
    findings = check_container(Node(config, root=tmp_path))
    assert said(findings, "note") == ["limits: not known: no control group can be read here"]
    write(tmp_path, "sys/fs/cgroup/cgroup.controllers")
    write(tmp_path, "sys/fs/cgroup/memory.max", "max\n")
    write(tmp_path, "sys/fs/cgroup/cpu.max", "25000 100000\n")
    findings = check_container(Node(config, root=tmp_path))
    assert said(findings, "warning", "problem") == []
    assert said(findings, "ok")[1:] == ["memory limit: none", "CPU limit: 0.25 of a core"]


def version_1(root: Path, cgroup: str, **mounts: str) -> None:
    """Control groups as version 1 has them: a folder a controller; `mounts` say which part of its tree is mounted."""
    write(root, "proc/self/cgroup", cgroup)
    lines = [
        f"{30 + number} 23 0:{number} {shown} /sys/fs/cgroup/{name} rw,nosuid shared:9 - cgroup cgroup rw,{name}\n"
        for number, (name, shown) in enumerate(mounts.items())
    ]
    write(root, "proc/self/mountinfo", "22 1 0:21 / /proc rw - proc proc rw\n" + "".join(lines))


def test_limits_of_version_1(config: Config, tmp_path: Path) -> None:
    version_1(tmp_path, "4:memory:/pod/agent\n3:cpuset:/\n1:cpu:/pod/agent\n0::/\n", memory="/", cpu="/")
    write(tmp_path, "sys/fs/cgroup/unified/cgroup.controllers")
    # The highest number of pages is no limit; that of the group above is one.
    write(tmp_path, "sys/fs/cgroup/memory/pod/agent/memory.limit_in_bytes", "9223372036854771712\n")
    write(tmp_path, "sys/fs/cgroup/memory/pod/memory.limit_in_bytes", "33554432\n")
    write(tmp_path, "sys/fs/cgroup/cpu/pod/agent/cpu.cfs_quota_us", "1000\n")
    write(tmp_path, "sys/fs/cgroup/cpu/pod/agent/cpu.cfs_period_us", "100000\n")
    write(tmp_path, "sys/fs/cgroup/cpu/pod/cpu.cfs_quota_us", "-1\n")
    write(tmp_path, "sys/fs/cgroup/cpu/pod/cpu.cfs_period_us", "100000\n")
    warnings = said(check_container(Node(config, root=tmp_path)), "warning")
    assert [text for text in warnings if not text.startswith("processes")] == [
        "memory limit: 34 MB; the agent may be killed",
        "CPU limit: 0.01 of a core; ticks will be late",
    ]


def test_a_container_of_version_1_sees_its_own_group_as_the_topmost(config: Config, tmp_path: Path) -> None:
    own = f"/docker/{'ab' * 32}"
    version_1(tmp_path, f"4:memory:{own}\n2:cpu,cpuacct:{own}\n", memory=own, cpu=own)
    write(tmp_path, "sys/fs/cgroup/memory/memory.limit_in_bytes", "268435456\n")
    write(tmp_path, "sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n")
    write(tmp_path, "sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n")
    findings = check_container(Node(config, root=tmp_path))
    assert said(findings, "ok")[1:] == ["memory limit: 268 MB", "CPU limit: none"]


@pytest.mark.parametrize(
    ("rules", "withheld"),
    [
        ("a *:* rwm\n", []),
        ("c 1:* rwm\n", []),
        ("c *:* m\nc 1:3 rwm\nb 1:5 rwm\n", ["/dev/nvidia1"]),
        ("c 1:3 r\nc 136:* rwm\n", ["/dev/nvidia0", "/dev/nvidia1"]),
    ],
)
def test_devices_that_version_1_withholds(config: Config, tmp_path: Path, rules: str, withheld: list[str]) -> None:
    version_1(tmp_path, "5:devices:/system.slice/agent.service\n", devices="/")
    write(tmp_path, "sys/fs/cgroup/devices/system.slice/agent.service/devices.list", rules)
    (tmp_path / "dev").mkdir()
    # Character devices that each Linux has: 1:3 and 1:5.
    (tmp_path / "dev/nvidia0").symlink_to("/dev/null")
    (tmp_path / "dev/nvidia1").symlink_to("/dev/zero")
    findings = check_container(Node(config, root=tmp_path))
    problems = [f"devices: the control group withholds {', '.join(withheld)}"] if withheld else []
    assert said(findings, "problem") == problems
    assert ("devices: 2 device files may be opened" in said(findings, "ok")) is (not withheld)


def test_accelerators_without_device_files(config: Config, tmp_path: Path) -> None:
    for number, (vendor, kind) in enumerate([("0x19e5", "0x120000"), ("0x19e5", "0x020000"), ("0x10de", "0x030200")]):
        write(tmp_path, f"sys/bus/pci/devices/0000:0{number}:00.0/vendor", f"{vendor}\n")
        write(tmp_path, f"sys/bus/pci/devices/0000:0{number}:00.0/class", f"{kind}\n")
    assert said(check_permissions(Node(config, root=tmp_path)), "problem") == [
        "NVIDIA GPUs: 1 on the bus, without device files",
        "Ascend NPUs: 1 on the bus, without device files",
    ]


def test_device_files_that_cannot_be_opened(config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("davinci_manager", "davinci0", "davinci10", "nvidiactl", "nvidia0"):
        write(tmp_path, f"dev/{name}")
    # Root may open everything; the agent's user may not.
    monkeypatch.setattr(os, "access", lambda path, _mode: "davinci" not in Path(path).name)
    findings = check_permissions(Node(config, root=tmp_path))
    [problem] = [finding for finding in findings if finding.level == "problem"]
    assert problem.text == "can't open /dev/davinci0, /dev/davinci10, /dev/davinci_manager"
    assert "HwHiAiUser" in problem.remedy
    assert said(findings, "ok") == ["NVIDIA GPUs: 2 device files can be opened"]


def spool_node(config: Config, tmp_path: Path, now_s: Callable[[], float] = lambda: NOW_S) -> Node:
    return Node(config, root=tmp_path / "root", now_s=now_s)


def test_spool_that_is_yet_to_be_made(config: Config, tmp_path: Path) -> None:
    findings = check_spool(spool_node(config, tmp_path))
    assert said(findings, "problem", "warning") == []
    assert "will be made" in findings[0].text
    assert not config.state_dir.exists(), "the doctor changes nothing"


def test_spool_with_what_waits_and_who_holds_it(config: Config, tmp_path: Path) -> None:
    parts = Parts(config.state_dir)
    parts.spool(20)
    parts.ring.sync()
    lock = (config.state_dir / "spool/lock").stat()
    place = f"{os.major(lock.st_dev):02x}:{os.minor(lock.st_dev):02x}:{lock.st_ino}"
    write(
        tmp_path,
        "root/proc/locks",
        f"1: POSIX  ADVISORY  WRITE 7 00:01:2 0 EOF\n2: FLOCK  ADVISORY  WRITE 4711 {place} 0 EOF\n",
    )
    newest_s = max(path.stat().st_mtime for path in (config.state_dir / "spool").iterdir())
    findings = check_spool(spool_node(config, tmp_path, lambda: newest_s + 1))
    assert said(findings, "problem", "warning") == []
    assert any("pid 4711" in text for text in said(findings, "ok"))
    size = sum(path.stat().st_size for path in (config.state_dir / "spool").glob("segment-*"))
    assert findings[-1].details["bytes"] == size > 0
    late = check_spool(spool_node(config, tmp_path, lambda: newest_s + 3600))
    assert "3600 s ago" in said(late, "warning")[0]
    parts.ring.close()


def test_spool_in_use_by_this_very_process_shows_in_the_kernels_locks(config: Config) -> None:
    parts = Parts(config.state_dir)
    findings = check_spool(Node(config))
    # A kernel that keeps its locks to itself (some sandboxes) shows none.
    if Path("/proc/locks").read_text():
        assert any(f"pid {os.getpid()}" in text for text in said(findings, "ok"))
    parts.ring.close()


def test_spool_with_damage(config: Config, tmp_path: Path) -> None:
    parts = Parts(config.state_dir)
    parts.spool(20)
    parts.ring.close()
    [segment] = (config.state_dir / "spool").glob("segment-*.spool")
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 0xFF
    segment.write_bytes(data)
    [text] = [text for text in said(check_spool(spool_node(config, tmp_path)), "warning") if "damaged" in text]
    assert "the checksum is wrong" in text


def test_spool_in_a_directory_that_cannot_be_written(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)
    [problem] = check_spool(spool_node(config, tmp_path))
    assert problem.level == "problem"
    assert "--state-dir" in problem.remedy


def test_exit_codes() -> None:
    problem, collector = Finding("sources", "problem", "x"), Finding("collector", "problem", "x")
    assert exit_code([Finding("host", "warning", "x"), Finding("host", "note", "x")]) == 0
    assert exit_code([collector]) == 3
    assert exit_code([problem, collector]) == 1


def test_report_for_people_and_for_scripts() -> None:
    findings = [
        Finding("host", "ok", "a machine", details={"cpus": 4}),
        Finding("sources", "ok", "8 × NPU", "dcmi"),
        Finding("sources", "problem", "refuses", "nvml", "load the driver"),
    ]
    assert as_text(findings).splitlines() == [
        "host",
        "  ok   a machine",
        "",
        "sources",
        "  ok   dcmi  8 × NPU",
        "  FAIL nvml  refuses",
        "       -> load the driver",
        "",
        "1 problem, no warnings",
    ]
    part = [Finding("metrics", "note", "a path /dev/davinci_manager and some words", "power_w", part="dcmi 910B2")]
    assert as_text(part, 60).splitlines()[:4] == [
        "metrics",
        "  dcmi 910B2",
        "  -    power_w  a path /dev/davinci_manager and some words",
        "",
    ]
    assert max(len(line) for line in as_text([replace(part[0], text="word " * 99)]).splitlines()) <= 80
    document = json.loads(as_json(findings))
    assert document["exit_code"] == 1
    assert document["counts"] == {"ok": 2, "note": 0, "warning": 0, "problem": 1}
    assert document["findings"][0]["details"] == {"cpus": 4}


def test_schedulers_are_told_of_where_they_are(config: Config, tmp_path: Path) -> None:
    assert check_schedulers(Node(config, root=tmp_path)) == []
    [off] = check_schedulers(Node(replace(config, has_allocations=False), root=tmp_path))
    assert (off.level, "jobs.allocations" in off.text) == ("note", True)
    (tmp_path / "sys/fs/cgroup/system.slice/slurmstepd.scope").mkdir(parents=True)
    [without] = check_schedulers(Node(config, root=tmp_path))
    assert (without.subject, without.level) == ("Slurm", "warning")
    write(tmp_path, "bin/scontrol").chmod(0o755)
    [slurm] = check_schedulers(Node(config, root=tmp_path, environ={"PATH": str(tmp_path / "bin")}))
    assert (slurm.level, slurm.text) == ("ok", f"asked with {tmp_path / 'bin/scontrol'}")


def test_the_kubelet_is_asked(config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "var/lib/kubelet/pod-resources"
    folder.mkdir(parents=True)
    # A socket's path is short; this one's may not be.
    monkeypatch.chdir(folder)
    kubelet = Kubelet(Path("kubelet.sock"))
    try:
        kubelet.give("llama-0", "nvidia.com/gpu", "GPU-1")
        monkeypatch.chdir(tmp_path)
        [told] = check_schedulers(Node(config, root=Path()))
        assert (told.subject, told.level, told.text) == ("kubelet", "ok", "tells of 1 pods with devices")
    finally:
        kubelet.server.stop(0).wait()
    (folder / "kubelet.sock").unlink(missing_ok=True)
    write(folder, "kubelet.sock")
    [silent] = check_schedulers(Node(config, root=Path()))
    assert (silent.subject, silent.level) == ("kubelet", "warning")
    assert "pod-resources" in silent.remedy


def profiled(tmp_path: Path, **settings: str) -> Config:
    environ = {"HOME": str(tmp_path)}
    given = {"profiling.enabled": "true", "profiling.folder": "/run/p", **settings}
    return make_config(gather_settings({"state_dir": str(tmp_path), **given}, environ, None), environ)


def test_profiling_that_is_off_is_said_to_be(config: Config) -> None:
    assert said(check_profiling(Node(config)), "note") == [": is off (profiling.enabled = false)"]


def test_msprof_is_missed_by_those_who_ask_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    npu = Probe("dcmi", devices=[a_device(0, vendor="huawei")])
    asking, bare = profiled(tmp_path, **{"profiling.msprof": "llama*"}), profiled(tmp_path)

    def rates(config: Config, *probes: Probe) -> list[str]:
        findings = check_profiling(Node(config, probes, root=tmp_path))
        return [finding.level for finding in findings if finding.subject == "rates of links"]

    assert [rates(bare), rates(bare, npu), rates(asking), rates(asking, npu)] == [[], ["note"], *[["problem"]] * 2]
    program = write(tmp_path, "usr/local/Ascend/cann/bin/msprof")
    # It is there and can't be run.
    assert rates(asking) == ["problem"]
    program.chmod(0o755)
    assert rates(asking) == ["ok"]


def test_host_stacks_need_py_spy_or_its_unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr("sys.executable", str(tmp_path / "bin/python"))
    asking = profiled(tmp_path, **{"profiling.stacks": "*", "profiling.stacks_socket": "/run/stacks.sock"})
    [finding] = [one for one in check_profiling(Node(asking, root=tmp_path)) if one.subject == "host stacks"]
    assert (finding.level, "profiling.stacks = '*'" in finding.text) == ("problem", True)
    write(tmp_path, "bin/py-spy").chmod(0o755)
    assert said(check_profiling(Node(asking, root=tmp_path)), "problem") == []

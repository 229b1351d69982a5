"""The systemd units: directives that exist, programs of ours, walls around them, and devices left reachable."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from steelyard_agent.profiling.landing import Landing

ROOT = Path(__file__).parents[3]
SYSTEMD = ROOT / "deploy/systemd"
UNITS = sorted(SYSTEMD.glob("*.service"))
SOCKETS = sorted(SYSTEMD.glob("*.socket"))
DROP_INS = sorted(SYSTEMD.glob("*.service.d/*.conf"))

# What systemd 247 (the oldest of the distributions that carry a Python 3.11) knows, as far as we use it.
KNOWN = {
    "Unit": {
        "CollectMode",
        "Description", "Documentation", "After", "Wants", "StartLimitIntervalSec", "StartLimitBurst",
    },
    "Service": {
        "Type", "ExecStart", "User", "Group", "StateDirectory", "StateDirectoryMode", "RuntimeDirectory",
        "RuntimeDirectoryMode", "RuntimeDirectoryPreserve", "ConfigurationDirectory", "Restart", "RestartSec",
        "RestartPreventExitStatus",
        "TimeoutStopSec", "CPUQuota", "MemoryHigh", "MemoryMax", "TasksMax", "Nice", "IOSchedulingClass",
        "OOMScoreAdjust", "AmbientCapabilities", "CapabilityBoundingSet", "NoNewPrivileges", "ProtectSystem",
        "ProtectHome", "PrivateTmp", "PrivateDevices", "PrivateUsers", "ProtectClock", "ProtectControlGroups",
        "ProtectHostname", "ProtectKernelLogs", "ProtectKernelModules", "ProtectKernelTunables", "ProtectProc",
        "RestrictAddressFamilies", "RestrictNamespaces", "RestrictRealtime", "RestrictSUIDSGID", "LockPersonality",
        "RemoveIPC", "UMask", "SystemCallArchitectures", "SystemCallFilter", "SystemCallErrorNumber", "LimitNOFILE",
        "SupplementaryGroups", "Environment", "StandardInput", "StandardOutput", "StandardError", "RuntimeMaxSec",
    },
    "Socket": {"ListenStream", "SocketUser", "SocketGroup", "SocketMode", "Accept", "MaxConnections"},
    "Install": {"WantedBy"},
}  # fmt: skip
HARDENED = {
    "NoNewPrivileges": "yes", "ProtectSystem": "strict", "ProtectHome": "yes", "PrivateTmp": "yes",
    "ProtectControlGroups": "yes", "ProtectHostname": "yes", "ProtectKernelLogs": "yes", "ProtectKernelModules": "yes",
    "ProtectKernelTunables": "yes", "RestrictNamespaces": "yes", "RestrictRealtime": "yes", "RestrictSUIDSGID": "yes",
    "LockPersonality": "yes", "SystemCallArchitectures": "native",
}  # fmt: skip
# Each of them hides the accelerators' device files from the vendors' libraries.
HIDES_DEVICES = {"PrivateDevices", "DevicePolicy", "DeviceAllow", "ProtectClock"}

Entries = list[tuple[str, str, str]]


def parse(path: Path) -> Entries:
    """Section, key and value of each line."""
    section, entries = "", []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith(("#", ";")):
            continue
        if line.startswith("["):
            assert line.endswith("]"), line
            section = line[1:-1]
            continue
        key, equals, value = line.partition("=")
        assert section, f"{line!r} stands outside a section"
        assert equals, f"{line!r} is no setting"
        entries.append((section, key, value))
    return entries


def service(path: Path) -> dict[str, str]:
    return {key: value for section, key, value in parse(path) if section == "Service"}


@pytest.mark.parametrize("path", [*UNITS, *SOCKETS, *DROP_INS], ids=lambda path: path.name)
def test_every_directive_is_known(path: Path) -> None:
    entries = parse(path)
    assert entries
    unknown = [f"[{section}] {key}" for section, key, _ in entries if key not in KNOWN.get(section, set())]
    assert unknown == []


def test_both_programs_have_a_unit() -> None:
    assert [path.stem for path in UNITS] == ["steelyard-agent", "steelyard-collector", "steelyard-stacks@"]


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_starts_a_program_of_ours_that_knows_its_command(path: Path) -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    program, *words = service(path)["ExecStart"].split()
    name = Path(program).name
    assert Path(program).is_absolute()
    assert name == ("steelyard-agent" if path.stem == "steelyard-stacks@" else path.stem)
    assert name in scripts
    module = scripts[name].partition(":")[0]
    done = subprocess.run([sys.executable, "-m", module, *words, "--help"], capture_output=True, text=True, check=False)
    if "No module named" in done.stderr and module in done.stderr:
        pytest.skip(f"{module} isn't there")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_is_unprivileged_and_walled_in(path: Path) -> None:
    keys = service(path)
    # py-spy has to read a training's Python, wherever that lies.
    wanted = HARDENED | ({"ProtectHome": "read-only"} if path.stem == "steelyard-stacks@" else {})
    assert {key: keys.get(key) for key in HARDENED} == wanted
    users = [line.split()[1] for line in (SYSTEMD / "sysusers.conf").read_text().splitlines() if line.startswith("u ")]
    assert keys["User"] in users
    assert any(key == "SystemCallFilter" and value == "@system-service" for _, key, value in parse(path))


def test_state_lies_where_the_program_looks_for_it() -> None:
    assert service(SYSTEMD / "steelyard-agent.service")["StateDirectory"] == "steelyard-agent"
    defaults = tomllib.loads((ROOT / "collector/steelyard_collector/default.toml").read_text(encoding="utf-8"))
    directory = service(SYSTEMD / "steelyard-collector.service")["StateDirectory"]
    assert defaults["store"]["dsn"] == f"chdb:///var/lib/{directory}"


def test_the_agent_reaches_devices_and_processes_and_little_else() -> None:
    keys = service(SYSTEMD / "steelyard-agent.service")
    assert not HIDES_DEVICES & keys.keys()
    assert not {"ProtectProc", "PrivateUsers"} & keys.keys()
    assert keys["CapabilityBoundingSet"] == keys["AmbientCapabilities"] == "CAP_SYS_PTRACE"
    filters = " ".join(
        value for _, key, value in parse(SYSTEMD / "steelyard-agent.service") if key == "SystemCallFilter"
    )
    assert {"@debug", "process_vm_readv", "process_vm_writev"} <= set(filters.replace("~", "").split())
    assert keys["RuntimeDirectory"] == "steelyard", "trainings look for /run/steelyard/agent.sock"


def test_the_folder_of_profiles_is_there_before_the_agent_and_stays_as_the_agent_wants_it(tmp_path: Path) -> None:
    keys = service(SYSTEMD / "steelyard-agent.service")
    assert keys["RuntimeDirectoryPreserve"] == "yes", "trainings have their sockets in it"
    lines = (SYSTEMD / "tmpfiles.conf").read_text(encoding="utf-8").splitlines()
    made = {path: mode for kind, path, mode, *_ in (line.split() for line in lines if line.startswith("d "))}
    landing = Landing(tmp_path / "profiles", is_shared=True, max_bytes=1)
    landing.open()
    modes = [f"{path.stat().st_mode & 0o7777:o}" for path in (landing.root, landing.traces)]
    assert made == {
        "/run/steelyard": keys["RuntimeDirectoryMode"],
        "/run/steelyard/profiles": modes[0],
        "/run/steelyard/profiles/traces": modes[1],
    }


def test_the_agent_stays_behind_the_training() -> None:
    keys = service(SYSTEMD / "steelyard-agent.service")
    assert int(keys["CPUQuota"].removesuffix("%")) <= 25
    assert int(keys["MemoryMax"].removesuffix("M")) <= 128
    assert int(keys["Nice"]) > 0
    assert int(keys["OOMScoreAdjust"]) > 0
    assert float(keys["TimeoutStopSec"]) >= 2, "SIGTERM flushes for up to two seconds"


def test_the_collector_has_no_capability_and_no_device() -> None:
    keys = service(SYSTEMD / "steelyard-collector.service")
    assert keys["CapabilityBoundingSet"] == ""
    assert keys["PrivateDevices"] == "yes"


def test_foreign_memory_is_read_by_a_unit_of_its_own_that_the_agent_alone_may_start() -> None:
    filters = {path.stem: [value for _, key, value in parse(path) if key == "SystemCallFilter"] for path in UNITS}
    assert [name for name, values in filters.items() if "process_vm_readv" in values] == ["steelyard-stacks@"]
    assert not any("process_vm_readv" in path.read_text(encoding="utf-8") for path in DROP_INS)
    (unit,) = SOCKETS
    keys = {key: value for section, key, value in parse(unit) if section == "Socket"}
    agent = service(SYSTEMD / "steelyard-agent.service")
    assert (keys["SocketUser"], keys["SocketMode"], keys["Accept"]) == (agent["User"], "0600", "yes")
    assert service(SYSTEMD / "steelyard-stacks@.service")["User"] != agent["User"]
    defaults = tomllib.loads((ROOT / "agent/steelyard_agent/default.toml").read_text(encoding="utf-8"))
    assert defaults["profiling"]["stacks_socket"] == keys["ListenStream"]


def test_a_drop_in_extends_a_unit_that_is_there() -> None:
    assert DROP_INS
    for path in DROP_INS:
        assert (SYSTEMD / path.parent.name.removesuffix(".d")).exists()


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_systemd_itself_finds_nothing_wrong(path: Path, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    program = service(path)["ExecStart"].split()[0]
    # The program need not be installed where the unit looks for it, and the drop-ins lie beside the copy.
    text = path.read_text(encoding="utf-8").replace(program, sys.executable)
    copy = tmp_path / path.name
    copy.write_text(text, encoding="utf-8")
    if (drop_ins := path.with_name(f"{path.name}.d")).exists():
        shutil.copytree(drop_ins, tmp_path / drop_ins.name)
    done = subprocess.run(["systemd-analyze", "verify", str(copy)], capture_output=True, text=True, check=False)
    ours = [line for line in done.stderr.splitlines() if path.stem in line]
    assert ours == [], done.stderr

"""Who was given which device: by Slurm and by the kubelet, both stood in for, and what becomes of it in the rows."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from steelyard_agent.jobs.allocation import Allocation, Allocations, DeviceName
from steelyard_agent.jobs.hostlist import host_in, numbers_of
from steelyard_agent.jobs.identity import JobIdentity
from steelyard_agent.jobs.pod_allocation import PodAllocations
from steelyard_agent.jobs.pod_resources import list_pods, read_pods
from steelyard_agent.jobs.slurm_allocation import SlurmAllocations, read_job
from tests.standins.agent_parts import a_device, until
from tests.standins.fake_proc import FakeProc
from tests.standins.kubelet import Kubelet

POD = "8a7f0a52-1a0c-4b7a-9b0e-0c9a3b1d2e3f"
OTHER_POD = "11111111-1a0c-4b7a-9b0e-0c9a3b1d2e3f"
SAID = (
    "JobId=4711 JobName=llama UserId=ines(1001) GroupId=ml(100) NodeList=gpu[01-02] BatchHost=gpu01 NumNodes=2 "
    "JOB_GRES=gpu:h100:6 Nodes=gpu01 CPU_IDs=0-31 Mem=0 GRES=gpu:h100:4(IDX:0-3) "
    "Nodes=gpu02 CPU_IDs=0-15 Mem=0 GRES=gpu:h100:2(IDX:4,6) MinCPUsNode=1 Command=/home/ines/job.sh"
)


@pytest.fixture
def proc(tmp_path: Path) -> FakeProc:
    root = tmp_path / "proc"
    root.mkdir()
    return FakeProc(root)


@pytest.mark.parametrize(
    ("name", "device", "means"),
    [
        (DeviceName("3"), a_device(3), True),
        (DeviceName("3"), a_device(3, kind="cpu"), False),
        (DeviceName("3", "amd"), a_device(3), False),
        (DeviceName("gpu-3", "nvidia"), a_device(3), True),
        (DeviceName("GPU-3::2", "nvidia"), a_device(3), True),
        (DeviceName("GPU-4", "nvidia"), a_device(3), False),
        (DeviceName("Ascend910-3", "huawei"), a_device(3, vendor="huawei"), True),
        (DeviceName("0000:c1:00.0"), a_device(3, pci_address="00000000:C1:00.0"), True),
        (DeviceName("0000:c1:00.0"), a_device(3, pci_address="0000:c2:00.0"), False),
        (DeviceName(""), a_device(3), False),
    ],
)
def test_a_device_goes_by_its_uid_its_address_or_its_number(name: DeviceName, device: Any, means: bool) -> None:
    assert name.means(device) is means


def test_slurms_lists() -> None:
    assert numbers_of("0-2,6") == [0, 1, 2, 6]
    assert numbers_of("all,,3") == [3]
    hosts = "gpu[01-03,7],rack[1-2]n[08-11],login1.site"
    named = ["gpu02", "gpu7.site", "rack2n09", "login1"]
    assert all(host_in(name, hosts) for name in named)
    assert not any(host_in(name, hosts) for name in ["gpu2", "gpu07", "gpu04", "rack3n09", "rack1", "login"])


def test_what_scontrol_says_of_a_job() -> None:
    first, second = (read_job(SAID, node) for node in ("gpu01.site", "gpu02"))
    assert first == Allocation(
        "slurm 4711", JobIdentity("4711", "slurm", "llama"), tuple(map(DeviceName, "0123")), "ines"
    )
    assert second is not None
    assert second.devices == (DeviceName("4"), DeviceName("6"))
    assert read_job(SAID, "elsewhere") is None
    # On one node, which slurmd knows by another name.
    alone = read_job(SAID.partition(" Nodes=gpu02")[0], "elsewhere")
    assert alone == first
    array = read_job(SAID.replace("JobId=4711", "JobId=4711 ArrayJobId=4700 ArrayTaskId=3"), "gpu01")
    assert array is not None
    assert array.job.id == "4700_3"
    assert read_job("JobId=9 JobName=cpu Nodes=gpu01 CPU_IDs=0 Mem=0 GRES=", "gpu01") is None
    with pytest.raises(ValueError, match="Invalid job"):
        read_job("Invalid job id specified", "gpu01")


def folder_of(cgroups: Path, job: str, *pids: int) -> Path:
    task = cgroups / "system.slice" / "slurmstepd.scope" / job / "step_0"
    task.mkdir(parents=True)
    (task / "cgroup.procs").write_text("".join(f"{pid}\n" for pid in pids))
    return task


def test_slurms_jobs_are_found_by_their_cgroups_and_asked_about_once(tmp_path: Path, proc: FakeProc) -> None:
    asked: list[str] = []

    def scontrol(command: list[str]) -> str:
        asked.append(command[-1])
        if command[-1] == "66":
            raise OSError("scontrol ended with 1: Unable to contact slurm controller")
        return SAID

    proc.add(50, environ={"SLURM_JOB_ID": "12", "SLURM_JOB_NAME": "idle", "SLURM_JOB_GPUS": "2,3"})
    proc.add(51, environ={"SLURM_JOB_ID": "4711"})
    folder_of(tmp_path, "job_12", 50)
    known = folder_of(tmp_path, "sE8XY6BDH8Q400", 51)
    folder_of(tmp_path, "job_66")
    slurm = SlurmAllocations(proc.files(), node="gpu01", cgroups=tmp_path, run=scontrol)
    found = {one.key: one for one in slurm.look()}
    assert found.keys() == {"slurm 12", "slurm 4711"}
    assert found["slurm 12"].job == JobIdentity("12", "slurm", "idle")
    assert found["slurm 12"].devices == (DeviceName("2"), DeviceName("3"))
    assert found["slurm 12"].user.startswith("user")
    for _ in range(9):
        assert len(slurm.look()) == 2
    # A controller that is away is asked again after ten looks.
    assert sorted(asked) == ["66", "sE8XY6BDH8Q400"]
    slurm.look()
    assert asked.count("66") == 2
    (known / "cgroup.procs").unlink()
    known.rmdir()
    known.parent.rmdir()
    assert [one.key for one in slurm.look()] == ["slurm 12"]


def test_scontrol_is_a_program_that_may_fail(tmp_path: Path, proc: FakeProc, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "scontrol"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n[ \"$*\" = '-d -o show job 4711' ] || exit 3\necho '{SAID}'\n")
    program.chmod(0o755)
    folder_of(tmp_path, "job_4711")
    folder_of(tmp_path, "job_4712")
    monkeypatch.setenv("PATH", "/nowhere")
    assert SlurmAllocations(proc.files(), node="gpu01", cgroups=tmp_path).look() == []
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    [found] = SlurmAllocations(proc.files(), node="gpu01", cgroups=tmp_path).look()
    assert found.job.id == "4711"
    assert subprocess.run([program], check=False).returncode == 3


@pytest.fixture
def kubelet(tmp_path: Path) -> Iterator[Kubelet]:
    found = Kubelet(tmp_path / "k.sock")
    yield found
    found.server.stop(0).wait()


def test_the_kubelet_tells_pods_and_their_processes_the_job(tmp_path: Path, proc: FakeProc, kubelet: Kubelet) -> None:
    kubelet.give("llama-0", "nvidia.com/gpu", "GPU-1", "GPU-2")
    kubelet.give("notebook", "huawei.com/Ascend910", "Ascend910-3")
    kubelet.give("web", "example.com/nic", "nic0")
    slashes = f"0::/kubepods/burstable/pod{POD}/{'0' * 64}"
    proc.add(70, environ={"HOSTNAME": "llama-0", "RANK": "0"}, cgroup=slashes)
    labels = tmp_path / "proc" / "70" / "root" / "etc" / "podinfo" / "labels"
    labels.parent.mkdir(parents=True)
    labels.write_text('app="llama"\nbatch.kubernetes.io/controller-uid="owner-9"\njob-name="llama"\n')
    proc.add(71, environ={"HOSTNAME": "unlike"}, cgroup=f"0::/kubepods/pod{OTHER_POD}/{'1' * 64}")
    pods = PodAllocations(proc.files(), node="n1", socket=tmp_path / "k.sock")
    found = {one.key: one for one in pods.look()}
    assert found.keys() == {"pod ml/llama-0", "pod ml/notebook"}
    assert found["pod ml/llama-0"].job == JobIdentity("owner-9", "kubernetes", "llama")
    assert [device.name for device in found["pod ml/llama-0"].devices] == ["GPU-1", "GPU-2"]
    # Nothing of it runs, or nothing that can be read.
    assert found["pod ml/notebook"].job == JobIdentity("ml/notebook", "kubernetes", "notebook")
    assert found["pod ml/notebook"].holds(a_device(3, vendor="huawei"))


def test_a_node_without_a_kubelet_and_one_that_talks_nonsense(tmp_path: Path, proc: FakeProc) -> None:
    assert PodAllocations(proc.files(), node="n1", socket=tmp_path / "none").look() == []
    for nonsense in (b"\x0a\x7f", b"\x0b", b"\xff" * 20, b"\x0a\x03\x0a\x01\xff"):
        with pytest.raises(OSError, match="can't be read"):
            read_pods(nonsense)
    with pytest.raises(OSError, match=r"UNAVAILABLE|DEADLINE"):
        list_pods(tmp_path / "nobody", 0.5)


class Broken:
    """A scheduler that fails at its first look."""

    def __init__(self) -> None:
        self.looks = 0

    def look(self) -> list[Allocation]:
        self.looks += 1
        if self.looks == 1:
            raise OSError("gone")
        return [Allocation("slurm 1", JobIdentity("1", "slurm"), (DeviceName("0"),))]


def test_a_scheduler_that_fails_is_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    allocations = Allocations([Broken()], period_s=0.01)
    assert allocations.newest() == ()
    allocations.start()
    try:
        until(lambda: len(allocations.newest()) == 1)
    finally:
        allocations.close()
    assert "allocations can't be read: Broken: gone" in caplog.text

"""Kubernetes' pods on this node and their devices, with the job that each pod is of."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from steelyard_agent.jobs.allocation import Allocation, DeviceName
from steelyard_agent.jobs.identity import JobIdentity, job_of
from steelyard_agent.jobs.pod_resources import SOCKET, Pod, list_pods
from steelyard_agent.jobs.process_files import ProcessFiles

# By what a device plugin's resource is called: nvidia.com/gpu, huawei.com/Ascend910, amd.com/gpu.
_VENDORS: Final = {"nvidia": "nvidia", "huawei": "huawei", "amd": "amd"}


class PodAllocations:
    """Remembers which job a pod is of, while the pod is there."""

    def __init__(self, files: ProcessFiles, *, node: str, socket: Path = SOCKET) -> None:
        """Args: the processes; this node's name; the kubelet's socket."""
        self._files = files
        self._node = node
        self._socket = socket
        self._jobs: dict[tuple[str, str], JobIdentity] = {}

    def look(self) -> list[Allocation]:
        """The pods that have accelerators.

        Raises:
            OSError: there is a kubelet, which doesn't answer, or not this user.
        """
        try:
            if not self._socket.exists():
                return []
        except PermissionError as error:
            remedy = (
                "run the agent as root to see jobs that hold devices and do nothing, or set jobs.allocations = false"
            )
            raise PermissionError(f"{self._socket} is not for this user; {remedy}") from error
        pods = {(pod.namespace, pod.name): pod for pod in list_pods(self._socket) if _names(pod)}
        self._jobs = {key: job for key, job in self._jobs.items() if key in pods}
        if unknown := [pod for key, pod in pods.items() if key not in self._jobs]:
            self._find(unknown)
        return [
            Allocation(f"pod {namespace}/{name}", self._job(pod), _names(pod))
            for (namespace, name), pod in pods.items()
        ]

    def _job(self, pod: Pod) -> JobIdentity:
        # A pod whose processes can't be read is at least itself.
        itself = JobIdentity(f"{pod.namespace}/{pod.name}", "kubernetes", pod.name)
        return self._jobs.get((pod.namespace, pod.name), itself)

    def _find(self, pods: Sequence[Pod]) -> None:
        """The kubelet tells a pod's name, its processes the job: a container is called as its pod, unless told else."""
        wanted = {pod.name: pod for pod in pods}
        for pid in self._files.pids():
            cgroup = self._files.cgroup(pid)
            if not cgroup.pod_uid:
                continue
            environ = self._files.environ(pid)
            pod = wanted.get(environ.get("HOSTNAME", ""))
            stat = self._files.stat(pid)
            if pod is None or stat is None:
                continue
            del wanted[pod.name]
            placement = self._files.placement(stat, pid, cgroup, environ)
            self._jobs[pod.namespace, pod.name] = job_of(environ, placement, self._node)
            if not wanted:
                return


def _names(pod: Pod) -> tuple[DeviceName, ...]:
    found = []
    for resource, device in pod.devices:
        vendor = next((vendor for word, vendor in _VENDORS.items() if resource.startswith(word)), "")
        if vendor:
            found.append(DeviceName(device, vendor))
    return tuple(found)

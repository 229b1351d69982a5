"""A recording as a source: its devices answer again what they answered then, marked as replayed."""

import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Literal, cast

from steelyard_agent.devices.base import Capabilities
from steelyard_agent.devices.replay_track import Track
from steelyard_agent.jobs.facts import ProcessFacts
from steelyard_agent.jobs.identity import JobIdentity, Ranks, Scheduler
from steelyard_agent.model import Absent, DeviceInfo, DeviceProcess, Value
from steelyard_proto.errors import ConfigError, DeviceLost
from steelyard_proto.metrics import Catalogue, MetricClass, catalogue
from steelyard_proto.v1 import batch_pb2

VENDOR: Final = "replay"
_SPEED: Final = re.compile(r"(.+)@(\d+(?:\.\d+)?)x")
_FASTEST: Final = 1000.0
# After the last sample, of the playing's time: what it says holds for its period, and a late tick is no loss.
_TAIL_S: Final = 1.0


class ReplaySource:
    """The devices, or the host, of a recording; see devices/base.py for what each method promises."""

    def __init__(
        self,
        path: Path,
        *,
        entity: Literal["device", "host"] = "device",
        speed: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
        wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        metrics: Catalogue | None = None,
    ) -> None:
        """Opens nothing yet; the recording begins to play with the first reading.

        Args:
            path: the recording.
            entity: which of its figures.
            speed: how many times as fast as it was recorded.
            clock: seconds that never jump.
            wall_ms: Unix time, for the start of the processes.
            metrics: the catalogue; the shipped one by default.
        """
        self._path = path
        self._entity: Literal["device", "host"] = entity
        self._speed = speed
        self._clock = clock
        self._wall_ms = wall_ms
        self._catalogue = metrics or catalogue()
        self._track: Track | None = None
        self._zero_s: float | None = None
        # From the recording's time to ours, once: a process's start must stay where it is.
        self._shift_ms = 0
        self._infos: dict[str, DeviceInfo] = {}
        self._keys: dict[str, int] = {}

    @property
    def name(self) -> str:
        """The registry's name."""
        return "replay" if self._entity == "device" else "replay_host"

    @property
    def capabilities(self) -> Capabilities:
        """Processes are told where the recording has them."""
        return Capabilities(entity=self._entity, has_processes=self._entity == "device")

    def discover(self) -> Sequence[DeviceInfo]:
        """The recording's devices, until its end.

        Raises:
            SpoolError: the file can't be read or is no recording.
        """
        if self._track is None:
            self._track = Track(self._path)
            for whose, ids in self._track.index.metrics.items():
                if whose[0] == self._entity:
                    self._add(self._track, whose[1], ids)
        return [] if self._is_over(self._track) else list(self._infos.values())

    def sample(self, uid: str, metric_class: MetricClass) -> Sequence[Value]:
        """What the device said last at this point of the recording."""
        track = self._playing(uid)
        return track.values(self._entity, self._keys[uid], self._infos[uid].metrics[metric_class])

    def poll(self, uid: str) -> None:
        """Nothing: the energy stands in the recording."""

    def processes(self, uid: str) -> Sequence[DeviceProcess] | Absent:
        """Who held the device."""
        rows = self._playing(uid).holders.get(self._keys[uid])
        if rows is None:
            return Absent("the recording has no processes here")
        return [DeviceProcess(row.pid, _optional(row, "hbm_used_bytes")) for row in rows]

    def close(self) -> None:
        """Forgets the recording."""
        self._track = None
        self._zero_s = None

    def read(self, pid: int) -> ProcessFacts | None:
        """What the recording knows of a process; its start is moved along with the samples."""
        if self._track is None:
            return None
        rows = (row for held in self._track.holders.values() for row in held if row.pid == pid)
        row = next(rows, None)
        return self._facts(self._track, row) if row is not None else None

    def end_look(self) -> None:
        """Nothing is remembered."""

    def _facts(self, track: Track, row: batch_pb2.Process) -> ProcessFacts:
        job = track.jobs.get(row.job)
        scheduler = cast(Scheduler, job.scheduler if job is not None else "process")
        return ProcessFacts(
            pid=row.pid,
            start_ms=row.start_ms + self._shift_ms,
            command=row.command,
            user=row.user,
            container=row.container,
            job=JobIdentity(row.job, scheduler, job.name if job is not None else ""),
            ranks=Ranks(_optional(row, "rank"), _optional(row, "local_rank"), _optional(row, "world_size")),
            cpu_share=row.cpu_share if row.HasField("cpu_share") else None,
            rss_bytes=_optional(row, "rss_bytes"),
            threads=_optional(row, "threads"),
            switches=_switches(row),
            read_bytes=_optional(row, "read_bytes"),
        )

    def _playing(self, uid: str) -> Track:
        track = self._track
        if track is None or uid not in self._infos or self._is_over(track):
            raise DeviceLost("the recording has ended", vendor=VENDOR, device=uid, call="sample")
        if self._zero_s is None:
            self._zero_s = self._clock()
            self._shift_ms = self._wall_ms() - track.index.first_ms
        track.move_to(self._at_ms(track, self._zero_s))
        return track

    def _at_ms(self, track: Track, zero_s: float) -> int:
        return track.index.first_ms + int((self._clock() - zero_s) * 1000 * self._speed)

    def _is_over(self, track: Track) -> bool:
        if self._zero_s is None:
            return False
        return self._at_ms(track, self._zero_s) > track.index.last_ms + _TAIL_S * 1000 * self._speed

    def _add(self, track: Track, key: int, ids: tuple[int, ...]) -> None:
        device = track.index.devices.get(key, batch_pb2.Device(uid="host", name=track.index.hello.node.name))
        by_class: dict[MetricClass, tuple[int, ...]] = {}
        for metric in ids:
            known = self._catalogue.by_id.get(metric)
            metric_class: MetricClass = known.metric_class if known is not None else "fast"
            by_class[metric_class] = (*by_class.get(metric_class, ()), metric)
        self._keys[device.uid] = key
        self._infos[device.uid] = _info(device, by_class)


def _info(device: batch_pb2.Device, metrics: dict[MetricClass, tuple[int, ...]]) -> DeviceInfo:
    return DeviceInfo(
        uid=device.uid,
        vendor=device.vendor,
        kind=cast('Literal["gpu", "npu", "cpu"]', device.kind or "cpu"),
        name=device.name,
        metrics=metrics,
        chip=device.chip,
        part=cast('Literal["package", "die", "gcd", "mig", "partition"]', device.part or "package"),
        package_uid=device.package_uid,
        index=device.index,
        pci_address=device.pci_address,
        numa_node=device.numa_node,
        memory_bytes=device.memory_bytes,
        driver_version=device.driver_version,
        library_version=device.library_version,
        power_scope=cast('Literal["", "device", "die", "package", "module"]', device.power_scope),
        origin="replayed",
        notes=dict(device.notes),
    )


def _optional(row: batch_pb2.Process, name: str) -> int | None:
    return int(getattr(row, name)) if row.HasField(name) else None


def _switches(row: batch_pb2.Process) -> tuple[int, int] | None:
    return (row.voluntary_switches, row.involuntary_switches) if row.HasField("voluntary_switches") else None


def open_replay(argument: str, entity: Literal["device", "host"] = "device") -> ReplaySource:
    """The source of a recording's path, or of one with a speed behind it: `minute.steelyard@10x`.

    Raises:
        ConfigError: there is no such file, or the speed makes no sense.
    """
    path, speed = Path(argument).expanduser(), 1.0
    match = _SPEED.fullmatch(argument)
    if match is not None and not path.is_file():
        path, speed = Path(match[1]).expanduser(), float(match[2])
    if not 0 < speed <= _FASTEST:
        raise ConfigError(f"plays {speed:g} times as fast; give up to {_FASTEST:g}", key="sources.replay")
    if not path.is_file():
        raise ConfigError(f"{path} is no file; make one with `steelyard-agent record`", key="sources.replay")
    return ReplaySource(path, entity=entity, speed=speed)

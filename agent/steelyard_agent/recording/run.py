"""Samples this node into a file instead of a stream."""

import os
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from steelyard_agent.config import Config
from steelyard_agent.devices.base import Source
from steelyard_agent.directory import Directory, Identity
from steelyard_agent.jobs.watch import open_reader, open_watch
from steelyard_agent.node import read_node
from steelyard_agent.recording.scrub import Scrubber
from steelyard_agent.recording.writer import RecordingWriter
from steelyard_agent.sampling.gather import Gatherer
from steelyard_agent.sampling.guards import guarded, periods_of
from steelyard_agent.sampling.loop import SamplingLoop
from steelyard_agent.sampling.sampler import Clock, Sampler
from steelyard_agent.stopping import ending
from steelyard_agent.version import VERSION
from steelyard_proto.metrics import catalogue
from steelyard_proto.v1 import ingest_pb2


@dataclass(frozen=True, slots=True)
class Recorded:
    """What came of it."""

    messages: int
    size_bytes: int
    devices: int


def record(
    config: Config,
    sources: Sequence[Source],
    path: Path,
    seconds: float,
    pause: Callable[[float], bool],
    *,
    is_scrubbed: bool = False,
) -> Recorded:
    """Records for so many seconds, or until `pause` says to stop.

    Args:
        config: the settings; those about the collector and the spool don't matter.
        sources: what to sample.
        path: the file to make.
        seconds: how long.
        pause: sleeps so many seconds at most; True when it is time to stop.
        is_scrubbed: leave out identities.

    Raises:
        SpoolError: the file can't be written.
    """
    clock = Clock(time.monotonic, lambda: time.time_ns() // 1_000_000, ending(pause, seconds))
    directory = Directory(Identity(str(uuid.uuid4()), VERSION, read_node(config.node, config.labels, config.origin)))
    writer = RecordingWriter(path, _hello_of(directory), Scrubber(os.urandom(32)) if is_scrubbed else _unchanged)
    guards = guarded(sources, config, clock)
    gatherer = Gatherer(directory, catalogue(), writer)
    sampler = Sampler(guards, gatherer, periods_of(config.sampling), clock)
    loop = SamplingLoop(
        sampler,
        gatherer,
        clock,
        flush_ms=lambda: config.sampling.flush_ms,
        follower=open_watch(open_reader(config.node), sources),
    )
    try:
        loop.run()
        size_bytes = writer.finish()
    except BaseException:
        writer.discard()
        raise
    finally:
        for each in guards:
            each.close()
    return Recorded(writer.messages, size_bytes, directory.size().devices)


def _hello_of(directory: Directory) -> Callable[[], ingest_pb2.Hello]:
    epoch = int(time.time())
    return lambda: directory.hello(epoch, time.time_ns() // 1_000_000)


def _unchanged(message: ingest_pb2.AgentMessage) -> ingest_pb2.AgentMessage:
    return message

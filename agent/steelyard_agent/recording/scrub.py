"""Takes out of messages what would tell whose machine they come from; figures, chips and times stay."""

import hashlib
from collections.abc import Iterable

from steelyard_proto.v1 import batch_pb2, ingest_pb2


class Scrubber:
    """Replaces identities by pseudonyms that are the same throughout one recording, and in no other."""

    def __init__(self, salt: bytes) -> None:
        """Args: salt: random and thrown away, so that nobody can try out names."""
        self._salt = salt
        self._known: dict[str, str] = {}

    def __call__(self, message: ingest_pb2.AgentMessage) -> ingest_pb2.AgentMessage:
        """The message without identities; changes it in place."""
        which = message.WhichOneof("message")
        if which == "hello":
            self._hello(message.hello)
        elif which == "describe":
            self._devices(message.describe.devices)
        elif which == "records":
            self._records(message.records)
        return message

    def _hello(self, hello: ingest_pb2.Hello) -> None:
        hello.agent_id = self._alias("agent", hello.agent_id)
        hello.node.name = self._alias("node", hello.node.name)
        hello.node.labels.clear()
        self._devices(hello.devices)

    def _devices(self, devices: Iterable[batch_pb2.Device]) -> None:
        for device in devices:
            device.uid = self._alias("device", device.uid)
            device.package_uid = self._alias("package", device.package_uid)
            device.pci_address = ""

    def _records(self, records: batch_pb2.Records) -> None:
        for process in records.processes:
            process.job = self._alias("job", process.job)
            process.user = self._alias("user", process.user)
            process.container = self._alias("container", process.container)
            process.command = self._alias("command", process.command)
        for interval in records.job_intervals:
            interval.job = self._alias("job", interval.job)
            interval.user = self._alias("user", interval.user)
            interval.name = self._alias("name", interval.name)
        for step in records.steps:
            step.job = self._alias("job", step.job)
            step.run = self._alias("job", step.run)
        for training in records.trainings:
            training.job = self._alias("job", training.job)
            training.run = self._alias("job", training.run)
            training.model = self._alias("model", training.model)
            # The class of somebody's own model tells whose it is.
            training.architecture = self._alias("architecture", training.architecture)
        for event in records.events:
            # The code says what happened; the sentence may name a device, a path or a person.
            event.text = ""

    def _alias(self, kind: str, text: str) -> str:
        if not text:
            return ""
        key = f"{kind}:{text}"
        if key not in self._known:
            digest = hashlib.blake2s(key.encode(), key=self._salt[:32], digest_size=5).hexdigest()
            self._known[key] = f"{kind}-{digest}"
        return self._known[key]

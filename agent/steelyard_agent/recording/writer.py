"""Writes a recording: the frames of a spool segment, compressed with zlib as a whole."""

import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from steelyard_agent.spool.record import frame
from steelyard_proto.errors import SpoolError
from steelyard_proto.v1 import ingest_pb2


class RecordingWriter:
    """A sink for the gatherer. The file gets its name when it is whole; until then it ends in .part."""

    def __init__(
        self,
        path: Path,
        hello: Callable[[], ingest_pb2.Hello],
        change: Callable[[ingest_pb2.AgentMessage], ingest_pb2.AgentMessage] = lambda message: message,
    ) -> None:
        """Opens the file.

        Args:
            path: where the recording is to be.
            hello: everything declared so far; asked once, when the first message comes.
            change: applied to each message, for example to take identities out.

        Raises:
            SpoolError: the file can't be made.
        """
        self.path = path
        self.messages = 0
        self._part = path.with_name(path.name + ".part")
        self._hello = hello
        self._change = change
        self._next: dict[int, int] = {}
        self._compressor = zlib.compressobj(6)
        self._file = self._open()

    def put(self, kind: int, message: ingest_pb2.AgentMessage, from_ms: int, to_ms: int) -> int:
        """Writes a batch or records under the next number of its kind.

        Raises:
            SpoolError: the disk is full or broken.
        """
        self._begin()
        seq = self._next[kind] = self._next.get(kind, 0) + 1
        inner = message.batch if message.WhichOneof("message") == "batch" else message.records
        inner.seq = seq
        self._write(message)
        self.messages += 1
        return seq

    def describe(self, message: ingest_pb2.Describe) -> None:
        """Writes new devices and layouts; those that come before the first message stand in the Hello."""
        if self.messages:
            self._write(ingest_pb2.AgentMessage(describe=message))

    def finish(self) -> int:
        """Ends the file and gives it its name.

        Returns:
            its size in bytes.
        """
        self._begin()
        try:
            self._file.write(self._compressor.flush())
            self._file.close()
            os.replace(self._part, self.path)
        except OSError as error:
            raise self._trouble(error) from error
        return self.path.stat().st_size

    def discard(self) -> None:
        """Removes what was written so far."""
        self._file.close()
        self._part.unlink(missing_ok=True)

    def _begin(self) -> None:
        if not self.messages:
            self._write(ingest_pb2.AgentMessage(hello=self._hello()))

    def _write(self, message: ingest_pb2.AgentMessage) -> None:
        data = self._compressor.compress(frame(self._change(message).SerializeToString()))
        try:
            self._file.write(data)
        except OSError as error:
            raise self._trouble(error) from error

    def _open(self) -> BinaryIO:
        try:
            return self._part.open("wb")
        except OSError as error:
            raise self._trouble(error) from error

    def _trouble(self, error: OSError) -> SpoolError:
        return SpoolError(f"{self.path}: can't be written: {error.strerror}")

"""One query of somebody, from the gate to its result; stopped from another thread when nobody waits for it any more."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

import pyarrow as pa

from steelyard_collector.sql.gate import Admitted, admit
from steelyard_collector.sql.pool import ReaderPool
from steelyard_collector.sql.remedies import TIMEOUT, with_remedy
from steelyard_collector.store.base import Reader, ReadLimits
from steelyard_proto.errors import StoreError

CANCEL_EVERY_S: Final = 0.1
CANCEL_TRIES: Final = 50

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class RawResult:
    """A result in one of ClickHouse's formats."""

    body: bytes
    format_name: str


class QueryRun:
    """Runs one query; one thread runs it and any other may cancel it."""

    def __init__(self, pool: ReaderPool) -> None:
        self._pool = pool
        self._lock = threading.Lock()
        self._reader: Reader | None = None
        self._ended = threading.Event()
        self._cancelled = False

    def table(self, query: str, parameters: Mapping[str, str]) -> pa.Table:
        """Its rows; a result past the limit is cut, then there are more rows than the limit.

        Raises:
            StoreError: the gate or ClickHouse refuses, a limit was met, or it was cancelled.
        """

        def work(reader: Reader, admitted: Admitted) -> pa.Table:
            return reader.query_arrow(admitted.text, admitted.parameters)

        return self._run(self._pool.cut, query, parameters, work)

    def raw(self, query: str, parameters: Mapping[str, str], default_format: str) -> RawResult:
        """Its result in the format that the query names, else in the default; raises as `table`, and past the limit."""

        def work(reader: Reader, admitted: Admitted) -> RawResult:
            name = admitted.format_name or default_format
            return RawResult(reader.query_raw(admitted.text, admitted.parameters, format_name=name), name)

        return self._run(self._pool.whole, query, parameters, work)

    def cancel(self) -> None:
        """Stops it, now or as soon as it starts; returns when it has stopped, or after some seconds."""
        with self._lock:
            self._cancelled = True
        # Told again and again: a query that is about to start isn't there yet to be stopped.
        for _ in range(CANCEL_TRIES):
            with self._lock:
                if self._reader is None:
                    return
                self._reader.cancel()
            if self._ended.wait(CANCEL_EVERY_S):
                return

    def _run(
        self,
        limits: ReadLimits,
        query: str,
        parameters: Mapping[str, str],
        work: Callable[[Reader, Admitted], _Result],
    ) -> _Result:
        front = self._pool.front(limits)
        if front is not None:
            try:
                return self._attempt(front, query, parameters, work)
            except StoreError as error:
                if error.code not in TIMEOUT:
                    raise
        return self._attempt(limits, query, parameters, work)

    def _attempt(
        self,
        limits: ReadLimits,
        query: str,
        parameters: Mapping[str, str],
        work: Callable[[Reader, Admitted], _Result],
    ) -> _Result:
        self._ended.clear()
        with self._pool.lend(limits, self.cancel) as reader:
            self._hold(reader)
            try:

                def explain(text: str, bound: Mapping[str, str]) -> str:
                    return reader.query_raw(text, bound, format_name="TSVRaw").decode(errors="replace")

                admitted = admit(query, parameters, explain)
                self._hold(reader)
                return work(reader, admitted)
            except StoreError as error:
                raise with_remedy(error, self._pool.limits) from error
            finally:
                with self._lock:
                    self._reader = None
                self._ended.set()

    def _hold(self, reader: Reader) -> None:
        with self._lock:
            if self._cancelled:
                raise StoreError("the query was cancelled", name="QUERY_WAS_CANCELLED", code=394)
            self._reader = reader

"""Answers Compare, Claims and Chips: checks what is asked, and cuts the rows; one answer is made at a time."""

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

import pyarrow as pa

from steelyard_collector.live.filter import BadRequest
from steelyard_collector.shares.ledger import Ledger
from steelyard_proto.chips import ChipTable
from steelyard_proto.v1 import query_pb2

DEFAULT_WINDOW_S: Final = 86_400
_SHORTEST_S: Final = 60
_LONGEST_S: Final = 90 * 86_400
_QUANTITIES: Final = ("tokens_per_s_device", "tokens_per_j", "cost_per_mtoken")
_MODES: Final = ("matched", "as run")


class ShareAsker:
    """Has one thread: a window of months costs seconds, and many who ask must not take them all at once."""

    def __init__(self, ledger: Ledger, chips: ChipTable) -> None:
        """Args: what computes; the chips that may be asked for."""
        self._ledger = ledger
        self._chips = chips
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="shares-asked")

    def compare(self, request: query_pb2.CompareRequest) -> Future[query_pb2.CompareReply]:
        """Starts an answer.

        Raises:
            BadRequest: naming the field.
        """
        seconds = _window(request.window_s)
        _one_of("quantity", request.quantity, _QUANTITIES)
        _one_of("mode", request.mode, _MODES)
        if request.reference:
            _one_of("reference", request.reference, tuple(self._chips.by_name))
        wanted = {"reference": request.reference, "quantity": request.quantity, "mode": request.mode}

        def work() -> query_pb2.CompareReply:
            answer = self._ledger.shares(seconds, wanted)
            return query_pb2.CompareReply(arrow_ipc=_ipc(answer.table), faults=answer.faults)

        return self._thread.submit(work)

    def claims(self, request: query_pb2.ClaimsRequest) -> Future[query_pb2.ClaimsReply]:
        """Starts an answer; raises as `compare`."""
        seconds = _window(request.window_s)

        def work() -> query_pb2.ClaimsReply:
            answer = self._ledger.claims(seconds)
            return query_pb2.ClaimsReply(arrow_ipc=_ipc(answer.table), faults=answer.faults)

        return self._thread.submit(work)

    def chips(self, request: query_pb2.ChipsRequest) -> Future[query_pb2.ChipsReply]:
        """Starts an answer; raises as `compare`."""
        seconds = _window(request.window_s)

        def work() -> query_pb2.ChipsReply:
            answer = self._ledger.chips(seconds)
            return query_pb2.ChipsReply(arrow_ipc=_ipc(answer.table), faults=answer.faults)

        return self._thread.submit(work)

    def close(self) -> None:
        """Ends the thread once its answer has ended."""
        self._thread.shutdown(wait=False, cancel_futures=True)


def _window(seconds: int) -> int:
    seconds = seconds or DEFAULT_WINDOW_S
    if not _SHORTEST_S <= seconds <= _LONGEST_S:
        raise BadRequest("window_s", f"is {seconds}; ask for {_SHORTEST_S} s to {_LONGEST_S} s (90 days)")
    return seconds


def _one_of(field: str, value: str, known: tuple[str, ...]) -> None:
    if value and value not in known:
        raise BadRequest(field, f"{value!r} is none; there are {', '.join(known)}")


def _ipc(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    return sink.getvalue().to_pybytes()

"""Check `collector`: whether it answers, whether it knows our token, and how far the two clocks are apart."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

import grpc
import grpc.aio

from steelyard_agent.doctor.finding import Finding
from steelyard_agent.doctor.node import Node
from steelyard_agent.sending.channel import Target, metadata, open_channel
from steelyard_proto.errors import ConfigError
from steelyard_proto.v1 import query_pb2

DEADLINE_S: Final = 5.0
# Beyond this, nodes' curves no longer lie over one another at 1 Hz.
_MAX_OFFSET_MS: Final = 500.0
_START: Final = "start one there (`steelyard-collector daemon`), or name the right one with --collector HOST:PORT"
_REMEDIES: Final = {
    grpc.StatusCode.UNAVAILABLE: _START,
    grpc.StatusCode.DEADLINE_EXCEEDED: f"something else may listen there; {_START}",
    grpc.StatusCode.UNIMPLEMENTED: f"what answers there is no Steelyard collector; {_START}",
    grpc.StatusCode.UNAUTHENTICATED: "give the agent's token (--token-file), as `steelyard-collector init` printed it",
}
_SILENCES: Final = {
    grpc.StatusCode.UNAVAILABLE: "no collector answers",
    grpc.StatusCode.DEADLINE_EXCEEDED: f"it takes the connection and doesn't answer within {DEADLINE_S:.0f} s",
}
_UNSEEN_OFFSET: Final = (
    "an agent's token reads nothing: how far the clocks are apart stands in the view `agents`, as clock_offset_ms"
)
_OTHER_REMEDY: Final = "see the collector's log"
# An agent's token writes only, so the collector refuses us its views: it knows us, and that is what matters here.
_MAY_NOT_READ: Final = grpc.StatusCode.PERMISSION_DENIED


def check_collector(node: Node) -> Sequence[Finding]:
    """Asks for the collector's health, then for two pages of a view, whose stamp is the collector's clock."""
    access = node.config.collector
    target = Target(access.address, access.ca_file, access.cert_file, access.key_file, access.token, access.token_file)
    try:
        return asyncio.run(_ask(target, node.now_s))
    except ConfigError as error:
        return [Finding("collector", "problem", str(error), access.address, "name a file that the agent can read")]


async def _ask(target: Target, now_s: Callable[[], float]) -> list[Finding]:
    headers = metadata(target)
    async with open_channel(target) as channel:
        try:
            await _health(channel, headers)
            offset_ms = await _offset_ms(channel, headers, now_s)
        except grpc.aio.AioRpcError as error:
            if error.code() is _MAY_NOT_READ:
                answer = Finding("collector", "ok", "answers and takes our token", target.address)
                return [answer, Finding("collector", "note", _UNSEEN_OFFSET, "clock")]
            return [_failure(target, error)]
    answer = Finding("collector", "ok", "answers", target.address)
    return [answer] if offset_ms is None else [answer, offset_finding(offset_ms)]


async def _health(channel: grpc.aio.Channel, headers: tuple[tuple[str, str], ...]) -> None:
    # grpc.health.v1.Health/Check: an empty request asks for the whole server. The agent has no package for it.
    call = cast(Any, channel).unary_unary("/grpc.health.v1.Health/Check")
    await call(b"", timeout=DEADLINE_S, metadata=headers)


async def _offset_ms(
    channel: grpc.aio.Channel, headers: tuple[tuple[str, str], ...], now_s: Callable[[], float]
) -> float | None:
    watch = cast(Any, channel).unary_stream(
        "/steelyard.v1.Query/Watch",
        request_serializer=query_pb2.WatchRequest.SerializeToString,
        response_deserializer=query_pb2.WatchReply.FromString,
    )
    request = query_pb2.WatchRequest(view="nodes", columns=["node"], limit=1, period_ms=1000)
    offset_ms = None
    stream = watch(request, timeout=DEADLINE_S, metadata=headers)
    for _ in range(2):
        # The first page may be as old as the last tick; the second comes when it has just been read.
        reply = await stream.read()
        if not isinstance(reply, query_pb2.WatchReply):
            break
        offset_ms = reply.time_ms - now_s() * 1e3
    stream.cancel()
    return offset_ms


def offset_finding(offset_ms: float) -> Finding:
    """How far the collector's clock is ahead, and whether that matters."""
    side = "ahead of" if offset_ms >= 0 else "behind"
    text = f"the collector's clock is {abs(offset_ms):.0f} ms {side} ours"
    details = {"clock_offset_ms": round(offset_ms, 1)}
    if abs(offset_ms) > _MAX_OFFSET_MS:
        remedy = "run chrony or systemd-timesyncd on both"
        return Finding("collector", "warning", text, "clock", remedy, details)
    return Finding("collector", "ok", text, "clock", details=details)


def _failure(target: Target, error: grpc.aio.AioRpcError) -> Finding:
    remedy = _REMEDIES.get(error.code(), _OTHER_REMEDY)
    if error.code() is grpc.StatusCode.UNAVAILABLE and (trouble := target.peer.trouble(error.details() or "")):
        return Finding("collector", "problem", trouble.reason, target.address, trouble.remedy)
    details = error.details() or "no reason given"
    text = _SILENCES.get(error.code(), f"refuses: {error.code().name.lower()}: {details}")
    return Finding("collector", "problem", text, target.address, remedy, {"grpc": details})

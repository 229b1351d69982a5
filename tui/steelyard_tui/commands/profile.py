"""`steelyard profile`: has processes profiled now, tells how it goes, and prints where their time went."""

import argparse
import json
import re
import socket
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from steelyard_proto.errors import ConfigError, StoreError
from steelyard_tui.commands.command import Command, add_collector_arguments, client_of

if TYPE_CHECKING:
    from steelyard_proto.v1.control_pb2 import ProfileProgress, ProfileRequest
    from steelyard_tui.client import Client

_TOP: Final = 10
# Rows come by the agent's spool, in its next message and the commit after it.
_STORED_S: Final = 60.0
_NOT_FOUND: Final = "NOT_FOUND"
_SPAN: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s)")


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", metavar="JOB|NODE|PID", nargs="?", default="", help="what to profile")
    parser.add_argument("--node", default="", help="of a job, its processes on this node alone; of a pid, its node")
    parser.add_argument("--ranks", type=_ranks, default=[], metavar="0,8", help="these (default: one on each node)")
    parser.add_argument("--steps", type=int, default=0, metavar="N", help="of the training, to record (default 3)")
    parser.add_argument("--duration", type=_milliseconds, default=0, metavar="500ms", help="record so long instead")
    parser.add_argument("--with-stack", action="store_true", help="with the host's Python stacks: costs more")
    parser.add_argument("--with-shapes", action="store_true", help="with the operators' input shapes, for FLOP/s")
    parser.add_argument("--host-stacks", action="store_true", help="py-spy samples the process meanwhile")
    parser.add_argument("--link-rates", action="store_true", help="msprof samples its NPUs' memory and links too")
    parser.add_argument("--json", action="store_true", help="the result as JSON, as `steelyard ops` has it")
    switch = parser.add_argument_group("continuous profiles, of the whole fleet").add_mutually_exclusive_group()
    switch.add_argument("--pause", action="store_true", help="stop them until --resume, also over a restart")
    switch.add_argument("--resume", action="store_true", help="let them go on")
    switch.add_argument("--status", action="store_true", help="whether they are stopped, since when and why")
    parser.add_argument("--reason", default="", help="of the pause, for those who wonder")
    add_collector_arguments(parser)


def _ranks(text: str) -> list[int]:
    try:
        found = [int(part) for part in text.split(",")]
    except ValueError:
        found = [-1]
    if min(found) < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of ranks; write 0 or 0,8")
    return found


def _milliseconds(text: str) -> int:
    found = _SPAN.fullmatch(text.strip())
    milliseconds = round(float(found[1]) * (1 if found[2] == "ms" else 1000)) if found else 0
    if milliseconds < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no time; write 500ms or 2s")
    return milliseconds


def _run(arguments: argparse.Namespace) -> int:
    wants_switch = arguments.pause or arguments.resume or arguments.status
    if bool(arguments.what) == wants_switch:
        raise ConfigError("name a job, a node or a pid; or one of --pause, --resume, --status", key="JOB|NODE|PID")
    if arguments.steps < 0 or (arguments.steps and arguments.duration):
        raise ConfigError("give --steps, 1 or more, or --duration", key="--steps")
    with client_of(arguments) as client:
        if wants_switch:
            return _switch(client, arguments)
        return profile(client, arguments, clock=time.monotonic, pause=time.sleep)


def _switch(client: "Client", arguments: argparse.Namespace) -> int:
    reply = client.control.pause(None if arguments.status else bool(arguments.pause), arguments.reason)
    since = (
        f" since {datetime.fromtimestamp(reply.since_ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC" if reply.since_ms else ""
    )
    reason = f": {reply.reason}" if reply.reason else ""
    print(f"continuous profiles are {'paused' if reply.is_paused else 'not paused'}{since}{reason}")
    return 0


def profile(
    client: "Client", arguments: argparse.Namespace, *, clock: Callable[[], float], pause: Callable[[float], None]
) -> int:
    """Asks for it and prints what came of it; 1 where any process failed.

    Args:
        client: the collector's.
        arguments: of the command.
        clock: monotonic seconds.
        pause: sleeps for seconds.

    Raises:
        StoreError: nothing of that name reports, or the collector refuses.
        TransportError: no collector answers, or the token is no operator's.
    """
    stored: list[str] = []
    failed = 0
    for progress in _progress(client, arguments):
        failed += progress.state == "failed"
        if progress.state == "stored" and progress.profile not in stored:
            stored.append(progress.profile)
        print(_line(progress), file=sys.stderr, flush=True)
    if stored:
        _print_result(client, arguments, stored, clock=clock, pause=pause)
    return 1 if failed or not stored else 0


def _progress(client: "Client", arguments: argparse.Namespace) -> "Iterator[ProfileProgress]":
    """Of the first reading of the name that something reports under: a job, a node, a pid of this machine."""
    requests = list(_requests(arguments))
    for place, request in enumerate(requests):
        try:
            yield from client.control.profile(request)
        except StoreError as error:
            if error.name != _NOT_FOUND or place == len(requests) - 1:
                raise
        else:
            return


def _requests(arguments: argparse.Namespace) -> "Iterator[ProfileRequest]":
    from steelyard_proto.v1.control_pb2 import ProfileRequest

    def request(*, job: str = "", node: str = "", pid: int = 0) -> ProfileRequest:
        return ProfileRequest(
            job=job,
            node=node,
            pid=pid,
            ranks=arguments.ranks,
            steps=arguments.steps,
            duration_ms=arguments.duration,
            with_stacks=arguments.with_stack,
            with_shapes=arguments.with_shapes,
            host_stacks=arguments.host_stacks,
            link_rates=arguments.link_rates,
        )

    what, is_pid = arguments.what, arguments.what.isdecimal() and 0 < int(arguments.what) < 1 << 32
    if is_pid and not arguments.ranks:
        # Also jobs have numbers for names, and they are asked for more.
        yield request(job=what, node=arguments.node)
        yield request(node=arguments.node or socket.gethostname(), pid=int(what))
    elif arguments.node:
        yield request(job=what, node=arguments.node)
    else:
        yield request(node=what)
        yield request(job=what)


def _line(progress: "ProfileProgress") -> str:
    rank = f" rank {progress.rank}" if progress.HasField("rank") else ""
    pid = f" (pid {progress.pid})" if progress.pid else ""
    text = f": {progress.text}" if progress.text else ""
    which = f" {progress.profile}" if progress.state == "stored" else ""
    return f"{progress.node}{rank}{pid}: {progress.state.replace('_', ' ')}{which}{text}"


def _print_result(
    client: "Client",
    arguments: argparse.Namespace,
    stored: list[str],
    *,
    clock: Callable[[], float],
    pause: Callable[[float], None],
) -> None:
    from steelyard_tui.traces.stored import Wanted, read_stored, stored_of

    until_s = clock() + _STORED_S
    while len(there := stored_of(client, stored)) < len(stored) and clock() < until_s:
        pause(0.5)
    if not there:
        raise StoreError(
            f"its rows haven't reached the collector within {_STORED_S:.0f} s; `steelyard ops {stored[0]}` later",
            name=_NOT_FOUND,
        )
    recording = read_stored(client, Wanted(profiles=tuple(there)))
    if arguments.json:
        from steelyard_tui.traces.load import document_of

        told = {"profiles": there, **document_of(recording.profile)}
        sys.stdout.write(json.dumps(told, indent=1, ensure_ascii=False) + "\n")
        return
    from steelyard_tui.present.glyphs import ASCII, UNICODE
    from steelyard_tui.present.ops import default_by, profile_lines

    ellipsis = (ASCII if getattr(arguments, "ascii", False) else UNICODE).ellipsis
    lines = profile_lines(recording.profile, default_by(recording.profile), _TOP, ellipsis)
    sys.stdout.write("\n".join(lines) + "\n")
    print(f"more: steelyard ops {there[0]}; the raw trace: steelyard trace fetch {there[0]}", file=sys.stderr)


COMMAND = Command(
    name="profile",
    help="profile a job, a node or a process now, and print where its time went; or pause the continuous profiles",
    examples=(
        "steelyard profile 48213",
        "steelyard profile 48213 --ranks 0,8 --steps 5 --with-stack",
        "steelyard profile 4711 --node gpu-12 --duration 500ms",
        "steelyard profile --pause --reason 'a benchmark runs until noon'",
    ),
    add_arguments=_add_arguments,
    run=_run,
    notes=(
        "Processes must have been started with KINETO_USE_DAEMON=1; docs/profiling.md says how. It takes an\n"
        "operator's token. exit codes: 0 all were stored; 1 one failed, or nothing of that name reports"
    ),
)

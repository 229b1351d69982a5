"""Which processes a request means, and what each of their agents is asked for."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from steelyard_collector.live.filter import BadRequest
from steelyard_proto.errors import StoreError
from steelyard_proto.v1 import control_pb2, ingest_pb2

MOST_PROCESSES: Final = 256
DEFAULT_STEPS: Final = 3
_MOST_STEPS: Final = 100
_MOST_MS: Final = 60_000
MOST_TEXT: Final = 1024
NOT_FOUND: Final = "NOT_FOUND"


@dataclass(frozen=True, slots=True)
class Target:
    """One process; the pid is 0 where only its rank is known."""

    agent: int
    node: str
    origin: str
    job: str
    rank: int | None
    pid: int


def check_request(request: control_pb2.ProfileRequest) -> None:
    """Raises BadRequest, naming the field."""
    for name in ("job", "node"):
        if len(getattr(request, name)) > MOST_TEXT:
            raise BadRequest(name, f"{len(getattr(request, name))} characters; {MOST_TEXT} are allowed")
    if not request.job and not request.node:
        raise BadRequest("job", "is empty, and so is node; name a job, or a node")
    if request.pid and not request.node:
        raise BadRequest("node", "is empty; a pid means something on one node only")
    if request.steps and request.duration_ms:
        raise BadRequest("steps", "stands beside duration_ms; a window goes by steps or by time")
    if request.steps > _MOST_STEPS:
        raise BadRequest("steps", f"is {request.steps}; {_MOST_STEPS} at most: a trace grows with each")
    if request.duration_ms > _MOST_MS:
        raise BadRequest("duration_ms", f"is {request.duration_ms}; {_MOST_MS} at most: a trace grows with each")


def chosen(rows: Iterable[Mapping[str, Any]], request: control_pb2.ProfileRequest) -> list[Target]:
    """The processes to profile, of those that train now.

    Without ranks: the lowest of each job on each node, or where no rank is known its lowest pid.

    Raises:
        StoreError: none, named NOT_FOUND.
        BadRequest: more than may be profiled at once.
    """
    known = [Target(r["agent"], r["node"], r["origin"], r["job"], r["rank"], r["pid"]) for r in rows]
    if request.ranks:
        wanted = set(request.ranks)
        found = [target for target in known if target.rank in wanted]
        if missing := wanted - {target.rank for target in found}:
            listed = ", ".join(map(str, sorted(missing)))
            raise StoreError(f"no process of rank {listed} reports now; {_ranks(known)}", name=NOT_FOUND)
    elif request.pid:
        found = known
    else:
        first: dict[tuple[int, str], Target] = {}
        for target in sorted(known, key=_order):
            first.setdefault((target.agent, target.job), target)
        found = list(first.values())
    if len(found) > MOST_PROCESSES:
        raise BadRequest(
            "ranks", f"{len(found)} processes are meant, {MOST_PROCESSES} at most at once; name some ranks"
        )
    return found


def _order(target: Target) -> tuple[bool, int, int]:
    return (target.rank is None, target.rank or 0, target.pid)


def _ranks(known: Sequence[Target]) -> str:
    ranks = sorted({target.rank for target in known if target.rank is not None})
    if not ranks:
        return "no process that reports has a rank; name a node and a pid"
    return f"there are {ranks[0]} to {ranks[-1]}"


def none_found(request: control_pb2.ProfileRequest) -> StoreError:
    """The refusal where nobody trains who is meant."""
    what = f"job {request.job!r}" if request.job else "training process"
    where = f" on node {request.node!r}" if request.node else ""
    return StoreError(
        f"no {what}{where} reports now; `steelyard jobs` and `steelyard nodes` list what does", name=NOT_FOUND
    )


def ask_of(ask_id: str, target: Target, request: control_pb2.ProfileRequest) -> ingest_pb2.Ask:
    """What the process's agent is asked for."""
    is_timed = bool(request.duration_ms)
    return ingest_pb2.Ask(
        id=ask_id,
        profile=ingest_pb2.ProfileAsk(
            job=target.job,
            pid=target.pid,
            ranks=[] if target.rank is None else [target.rank],
            steps=0 if is_timed else request.steps or DEFAULT_STEPS,
            duration_ms=request.duration_ms,
            with_stacks=request.with_stacks,
            with_shapes=request.with_shapes,
            host_stacks=request.host_stacks,
            link_rates=request.link_rates,
        ),
    )

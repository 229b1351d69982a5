"""What was committed before this process began: the registry, and the last sequence number of each stream."""

from dataclasses import dataclass
from typing import Any

from steelyard_collector.ingest.accepted import TABLES
from steelyard_collector.ingest.writer import Commits, progress_rows
from steelyard_collector.store.base import STORE_DATABASE, Store
from steelyard_collector.store.statements import statement
from steelyard_proto.v1 import batch_pb2


@dataclass(frozen=True, slots=True)
class Resumed:
    """The state to go on from.

    Attributes:
        agents: agent id to (number, row of the registry).
        devices: (agent number, uid) to (device id, row of the registry).
        committed: the last sequence number by (agent, epoch, kind).
        last_flush: number of the last flush that was begun.
    """

    agents: dict[str, tuple[int, dict[str, object]]]
    devices: dict[tuple[int, str], tuple[int, dict[str, object]]]
    committed: Commits
    last_flush: int


def load(store: Store) -> Resumed:
    """Reads the registry and settles the one block of each kind that a crash may have left in doubt.

    Raises:
        StoreError: the store can't be read.
    """
    committed: Commits = {}
    for row in store.query(statement("queries", "resume_progress")).to_pylist():
        committed[row["agent"], row["epoch"], row["kind"]] = row["seq"]
    last_flush = 0
    for intent in store.query(statement("queries", "resume_intents")).to_pylist():
        last_flush = max(last_flush, intent["flush"])
        if _is_there(store, intent):
            found: Commits = {
                (agent, epoch, intent["kind"]): seq
                for agent, epoch, seq in zip(intent["agents"], intent["epochs"], intent["seqs"], strict=True)
            }
            news = {key: seq for key, seq in found.items() if seq > committed.get(key, 0)}
            if news:
                committed.update(news)
                store.insert("progress", progress_rows(news), token=f"resume-{intent['kind']}-{intent['flush']}")
    agents = {
        row["agent_id"]: (row["agent"], row) for row in store.query(statement("queries", "resume_agents")).to_pylist()
    }
    devices = {
        (row["agent"], row["uid"]): (row["device_id"], row)
        for row in store.query(statement("queries", "resume_devices")).to_pylist()
    }
    return Resumed(agents, devices, committed, last_flush)


def _is_there(store: Store, intent: dict[str, Any]) -> bool:
    kind = intent["kind"]
    entity, day = "agent = {agent:UInt32}", "toDate(ts) = {day:Date}"
    if kind == batch_pb2.KIND_DEVICE_SAMPLES:
        entity = f"device_id IN (SELECT device_id FROM {STORE_DATABASE}.device WHERE {entity})"  # noqa: S608
    if kind in (batch_pb2.KIND_JOB_INTERVAL, batch_pb2.KIND_TRAINING):
        # Not partitioned: a newer row replaces an older one.
        day = "{day:Date} > '1970-01-01'"
    sign = {"agent": "sign_agent", "epoch": "sign_epoch", "seq": "sign_seq"}
    parameters = {name: intent[column] for name, column in sign.items()} | {"day": str(intent["day"])}
    sql = statement("queries", "resume_sign", table=TABLES[kind], entity=entity, day=day)
    return int(store.query(sql, parameters)["n"][0].as_py()) > 0

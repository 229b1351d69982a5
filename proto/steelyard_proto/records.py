"""Which field of Records holds the rows of a kind."""

from collections.abc import Mapping
from typing import Final

from steelyard_proto.v1 import batch_pb2

FIELDS: Final[Mapping[int, str]] = {
    batch_pb2.KIND_PROCESS: "processes",
    batch_pb2.KIND_EVENT: "events",
    batch_pb2.KIND_JOB_INTERVAL: "job_intervals",
    batch_pb2.KIND_STEP: "steps",
    batch_pb2.KIND_TRAINING: "trainings",
    batch_pb2.KIND_PROFILE: "profiles",
    batch_pb2.KIND_PROFILE_ROW: "profile_rows",
    batch_pb2.KIND_STACK: "stacks",
}

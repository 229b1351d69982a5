from steelyard_proto.v1 import batch_pb2 as _batch_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AgentMessage(_message.Message):
    __slots__ = ("hello", "batch", "records", "describe", "lost", "answer")
    HELLO_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    DESCRIBE_FIELD_NUMBER: _ClassVar[int]
    LOST_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    hello: Hello
    batch: _batch_pb2.Batch
    records: _batch_pb2.Records
    describe: Describe
    lost: Lost
    answer: Answer
    def __init__(self, hello: _Optional[_Union[Hello, _Mapping]] = ..., batch: _Optional[_Union[_batch_pb2.Batch, _Mapping]] = ..., records: _Optional[_Union[_batch_pb2.Records, _Mapping]] = ..., describe: _Optional[_Union[Describe, _Mapping]] = ..., lost: _Optional[_Union[Lost, _Mapping]] = ..., answer: _Optional[_Union[Answer, _Mapping]] = ...) -> None: ...

class Hello(_message.Message):
    __slots__ = ("agent_id", "epoch", "agent_version", "time_ms", "node", "devices", "layouts", "lost")
    AGENT_ID_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    AGENT_VERSION_FIELD_NUMBER: _ClassVar[int]
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    DEVICES_FIELD_NUMBER: _ClassVar[int]
    LAYOUTS_FIELD_NUMBER: _ClassVar[int]
    LOST_FIELD_NUMBER: _ClassVar[int]
    agent_id: str
    epoch: int
    agent_version: str
    time_ms: int
    node: Node
    devices: _containers.RepeatedCompositeFieldContainer[_batch_pb2.Device]
    layouts: _containers.RepeatedCompositeFieldContainer[_batch_pb2.Layout]
    lost: _containers.RepeatedCompositeFieldContainer[Lost]
    def __init__(self, agent_id: _Optional[str] = ..., epoch: _Optional[int] = ..., agent_version: _Optional[str] = ..., time_ms: _Optional[int] = ..., node: _Optional[_Union[Node, _Mapping]] = ..., devices: _Optional[_Iterable[_Union[_batch_pb2.Device, _Mapping]]] = ..., layouts: _Optional[_Iterable[_Union[_batch_pb2.Layout, _Mapping]]] = ..., lost: _Optional[_Iterable[_Union[Lost, _Mapping]]] = ...) -> None: ...

class Node(_message.Message):
    __slots__ = ("name", "os", "kernel", "arch", "cpus", "memory_bytes", "origin", "labels")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    OS_FIELD_NUMBER: _ClassVar[int]
    KERNEL_FIELD_NUMBER: _ClassVar[int]
    ARCH_FIELD_NUMBER: _ClassVar[int]
    CPUS_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    name: str
    os: str
    kernel: str
    arch: str
    cpus: int
    memory_bytes: int
    origin: _batch_pb2.Origin
    labels: _containers.ScalarMap[str, str]
    def __init__(self, name: _Optional[str] = ..., os: _Optional[str] = ..., kernel: _Optional[str] = ..., arch: _Optional[str] = ..., cpus: _Optional[int] = ..., memory_bytes: _Optional[int] = ..., origin: _Optional[_Union[_batch_pb2.Origin, str]] = ..., labels: _Optional[_Mapping[str, str]] = ...) -> None: ...

class Describe(_message.Message):
    __slots__ = ("devices", "layouts")
    DEVICES_FIELD_NUMBER: _ClassVar[int]
    LAYOUTS_FIELD_NUMBER: _ClassVar[int]
    devices: _containers.RepeatedCompositeFieldContainer[_batch_pb2.Device]
    layouts: _containers.RepeatedCompositeFieldContainer[_batch_pb2.Layout]
    def __init__(self, devices: _Optional[_Iterable[_Union[_batch_pb2.Device, _Mapping]]] = ..., layouts: _Optional[_Iterable[_Union[_batch_pb2.Layout, _Mapping]]] = ...) -> None: ...

class Lost(_message.Message):
    __slots__ = ("kind", "seq_from", "seq_to", "from_ms", "to_ms", "reason")
    KIND_FIELD_NUMBER: _ClassVar[int]
    SEQ_FROM_FIELD_NUMBER: _ClassVar[int]
    SEQ_TO_FIELD_NUMBER: _ClassVar[int]
    FROM_MS_FIELD_NUMBER: _ClassVar[int]
    TO_MS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    kind: _batch_pb2.Kind
    seq_from: int
    seq_to: int
    from_ms: int
    to_ms: int
    reason: str
    def __init__(self, kind: _Optional[_Union[_batch_pb2.Kind, str]] = ..., seq_from: _Optional[int] = ..., seq_to: _Optional[int] = ..., from_ms: _Optional[int] = ..., to_ms: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class CollectorMessage(_message.Message):
    __slots__ = ("welcome", "ack", "ask")
    WELCOME_FIELD_NUMBER: _ClassVar[int]
    ACK_FIELD_NUMBER: _ClassVar[int]
    ASK_FIELD_NUMBER: _ClassVar[int]
    welcome: Welcome
    ack: Ack
    ask: Ask
    def __init__(self, welcome: _Optional[_Union[Welcome, _Mapping]] = ..., ack: _Optional[_Union[Ack, _Mapping]] = ..., ask: _Optional[_Union[Ask, _Mapping]] = ...) -> None: ...

class Ask(_message.Message):
    __slots__ = ("id", "profile", "trace", "cancel")
    ID_FIELD_NUMBER: _ClassVar[int]
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    TRACE_FIELD_NUMBER: _ClassVar[int]
    CANCEL_FIELD_NUMBER: _ClassVar[int]
    id: str
    profile: ProfileAsk
    trace: TraceAsk
    cancel: Cancel
    def __init__(self, id: _Optional[str] = ..., profile: _Optional[_Union[ProfileAsk, _Mapping]] = ..., trace: _Optional[_Union[TraceAsk, _Mapping]] = ..., cancel: _Optional[_Union[Cancel, _Mapping]] = ...) -> None: ...

class ProfileAsk(_message.Message):
    __slots__ = ("job", "pid", "ranks", "steps", "duration_ms", "with_stacks", "with_shapes", "host_stacks", "link_rates")
    JOB_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    RANKS_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    DURATION_MS_FIELD_NUMBER: _ClassVar[int]
    WITH_STACKS_FIELD_NUMBER: _ClassVar[int]
    WITH_SHAPES_FIELD_NUMBER: _ClassVar[int]
    HOST_STACKS_FIELD_NUMBER: _ClassVar[int]
    LINK_RATES_FIELD_NUMBER: _ClassVar[int]
    job: str
    pid: int
    ranks: _containers.RepeatedScalarFieldContainer[int]
    steps: int
    duration_ms: int
    with_stacks: bool
    with_shapes: bool
    host_stacks: bool
    link_rates: bool
    def __init__(self, job: _Optional[str] = ..., pid: _Optional[int] = ..., ranks: _Optional[_Iterable[int]] = ..., steps: _Optional[int] = ..., duration_ms: _Optional[int] = ..., with_stacks: bool = ..., with_shapes: bool = ..., host_stacks: bool = ..., link_rates: bool = ...) -> None: ...

class TraceAsk(_message.Message):
    __slots__ = ("profile",)
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    profile: str
    def __init__(self, profile: _Optional[str] = ...) -> None: ...

class Cancel(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Answer(_message.Message):
    __slots__ = ("id", "state", "text", "pid", "rank", "job", "profile", "piece", "total_bytes", "file_name", "is_last")
    ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    RANK_FIELD_NUMBER: _ClassVar[int]
    JOB_FIELD_NUMBER: _ClassVar[int]
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    PIECE_FIELD_NUMBER: _ClassVar[int]
    TOTAL_BYTES_FIELD_NUMBER: _ClassVar[int]
    FILE_NAME_FIELD_NUMBER: _ClassVar[int]
    IS_LAST_FIELD_NUMBER: _ClassVar[int]
    id: str
    state: str
    text: str
    pid: int
    rank: int
    job: str
    profile: str
    piece: bytes
    total_bytes: int
    file_name: str
    is_last: bool
    def __init__(self, id: _Optional[str] = ..., state: _Optional[str] = ..., text: _Optional[str] = ..., pid: _Optional[int] = ..., rank: _Optional[int] = ..., job: _Optional[str] = ..., profile: _Optional[str] = ..., piece: _Optional[bytes] = ..., total_bytes: _Optional[int] = ..., file_name: _Optional[str] = ..., is_last: bool = ...) -> None: ...

class Committed(_message.Message):
    __slots__ = ("kind", "seq")
    KIND_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    kind: _batch_pb2.Kind
    seq: int
    def __init__(self, kind: _Optional[_Union[_batch_pb2.Kind, str]] = ..., seq: _Optional[int] = ...) -> None: ...

class Wants(_message.Message):
    __slots__ = ("flush_ms", "pause_profiles")
    FLUSH_MS_FIELD_NUMBER: _ClassVar[int]
    PAUSE_PROFILES_FIELD_NUMBER: _ClassVar[int]
    flush_ms: int
    pause_profiles: bool
    def __init__(self, flush_ms: _Optional[int] = ..., pause_profiles: bool = ...) -> None: ...

class Welcome(_message.Message):
    __slots__ = ("agent", "committed", "wants", "max_message_bytes", "time_ms", "collector_version")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    COMMITTED_FIELD_NUMBER: _ClassVar[int]
    WANTS_FIELD_NUMBER: _ClassVar[int]
    MAX_MESSAGE_BYTES_FIELD_NUMBER: _ClassVar[int]
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    COLLECTOR_VERSION_FIELD_NUMBER: _ClassVar[int]
    agent: int
    committed: _containers.RepeatedCompositeFieldContainer[Committed]
    wants: Wants
    max_message_bytes: int
    time_ms: int
    collector_version: str
    def __init__(self, agent: _Optional[int] = ..., committed: _Optional[_Iterable[_Union[Committed, _Mapping]]] = ..., wants: _Optional[_Union[Wants, _Mapping]] = ..., max_message_bytes: _Optional[int] = ..., time_ms: _Optional[int] = ..., collector_version: _Optional[str] = ...) -> None: ...

class Ack(_message.Message):
    __slots__ = ("committed", "wants", "time_ms")
    COMMITTED_FIELD_NUMBER: _ClassVar[int]
    WANTS_FIELD_NUMBER: _ClassVar[int]
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    committed: _containers.RepeatedCompositeFieldContainer[Committed]
    wants: Wants
    time_ms: int
    def __init__(self, committed: _Optional[_Iterable[_Union[Committed, _Mapping]]] = ..., wants: _Optional[_Union[Wants, _Mapping]] = ..., time_ms: _Optional[int] = ...) -> None: ...

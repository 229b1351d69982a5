from steelyard_proto.v1 import batch_pb2 as _batch_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AgentMessage(_message.Message):
    __slots__ = ("hello", "batch", "records", "describe", "lost")
    HELLO_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    DESCRIBE_FIELD_NUMBER: _ClassVar[int]
    LOST_FIELD_NUMBER: _ClassVar[int]
    hello: Hello
    batch: _batch_pb2.Batch
    records: _batch_pb2.Records
    describe: Describe
    lost: Lost
    def __init__(self, hello: _Optional[_Union[Hello, _Mapping]] = ..., batch: _Optional[_Union[_batch_pb2.Batch, _Mapping]] = ..., records: _Optional[_Union[_batch_pb2.Records, _Mapping]] = ..., describe: _Optional[_Union[Describe, _Mapping]] = ..., lost: _Optional[_Union[Lost, _Mapping]] = ...) -> None: ...

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
    __slots__ = ("welcome", "ack")
    WELCOME_FIELD_NUMBER: _ClassVar[int]
    ACK_FIELD_NUMBER: _ClassVar[int]
    welcome: Welcome
    ack: Ack
    def __init__(self, welcome: _Optional[_Union[Welcome, _Mapping]] = ..., ack: _Optional[_Union[Ack, _Mapping]] = ...) -> None: ...

class Committed(_message.Message):
    __slots__ = ("kind", "seq")
    KIND_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    kind: _batch_pb2.Kind
    seq: int
    def __init__(self, kind: _Optional[_Union[_batch_pb2.Kind, str]] = ..., seq: _Optional[int] = ...) -> None: ...

class Wants(_message.Message):
    __slots__ = ("flush_ms",)
    FLUSH_MS_FIELD_NUMBER: _ClassVar[int]
    flush_ms: int
    def __init__(self, flush_ms: _Optional[int] = ...) -> None: ...

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

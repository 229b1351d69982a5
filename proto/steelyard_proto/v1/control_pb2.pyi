from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class ProfileRequest(_message.Message):
    __slots__ = ("job", "node", "pid", "ranks", "steps", "duration_ms", "with_stacks", "with_shapes", "host_stacks", "link_rates")
    JOB_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    RANKS_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    DURATION_MS_FIELD_NUMBER: _ClassVar[int]
    WITH_STACKS_FIELD_NUMBER: _ClassVar[int]
    WITH_SHAPES_FIELD_NUMBER: _ClassVar[int]
    HOST_STACKS_FIELD_NUMBER: _ClassVar[int]
    LINK_RATES_FIELD_NUMBER: _ClassVar[int]
    job: str
    node: str
    pid: int
    ranks: _containers.RepeatedScalarFieldContainer[int]
    steps: int
    duration_ms: int
    with_stacks: bool
    with_shapes: bool
    host_stacks: bool
    link_rates: bool
    def __init__(self, job: _Optional[str] = ..., node: _Optional[str] = ..., pid: _Optional[int] = ..., ranks: _Optional[_Iterable[int]] = ..., steps: _Optional[int] = ..., duration_ms: _Optional[int] = ..., with_stacks: bool = ..., with_shapes: bool = ..., host_stacks: bool = ..., link_rates: bool = ...) -> None: ...

class ProfileProgress(_message.Message):
    __slots__ = ("node", "pid", "rank", "job", "state", "text", "profile")
    NODE_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    RANK_FIELD_NUMBER: _ClassVar[int]
    JOB_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    node: str
    pid: int
    rank: int
    job: str
    state: str
    text: str
    profile: str
    def __init__(self, node: _Optional[str] = ..., pid: _Optional[int] = ..., rank: _Optional[int] = ..., job: _Optional[str] = ..., state: _Optional[str] = ..., text: _Optional[str] = ..., profile: _Optional[str] = ...) -> None: ...

class FetchRequest(_message.Message):
    __slots__ = ("profile",)
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    profile: str
    def __init__(self, profile: _Optional[str] = ...) -> None: ...

class FetchReply(_message.Message):
    __slots__ = ("piece", "total_bytes", "file_name")
    PIECE_FIELD_NUMBER: _ClassVar[int]
    TOTAL_BYTES_FIELD_NUMBER: _ClassVar[int]
    FILE_NAME_FIELD_NUMBER: _ClassVar[int]
    piece: bytes
    total_bytes: int
    file_name: str
    def __init__(self, piece: _Optional[bytes] = ..., total_bytes: _Optional[int] = ..., file_name: _Optional[str] = ...) -> None: ...

class PauseRequest(_message.Message):
    __slots__ = ("pause", "reason")
    PAUSE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    pause: bool
    reason: str
    def __init__(self, pause: bool = ..., reason: _Optional[str] = ...) -> None: ...

class PauseReply(_message.Message):
    __slots__ = ("is_paused", "since_ms", "reason")
    IS_PAUSED_FIELD_NUMBER: _ClassVar[int]
    SINCE_MS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    is_paused: bool
    since_ms: int
    reason: str
    def __init__(self, is_paused: bool = ..., since_ms: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

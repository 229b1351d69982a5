from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class SqlRequest(_message.Message):
    __slots__ = ("query", "parameters", "max_rows")
    class ParametersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    QUERY_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    MAX_ROWS_FIELD_NUMBER: _ClassVar[int]
    query: str
    parameters: _containers.ScalarMap[str, str]
    max_rows: int
    def __init__(self, query: _Optional[str] = ..., parameters: _Optional[_Mapping[str, str]] = ..., max_rows: _Optional[int] = ...) -> None: ...

class SqlReply(_message.Message):
    __slots__ = ("arrow_ipc", "truncated")
    ARROW_IPC_FIELD_NUMBER: _ClassVar[int]
    TRUNCATED_FIELD_NUMBER: _ClassVar[int]
    arrow_ipc: bytes
    truncated: bool
    def __init__(self, arrow_ipc: _Optional[bytes] = ..., truncated: bool = ...) -> None: ...

class WatchRequest(_message.Message):
    __slots__ = ("view", "columns", "filter", "order", "descending", "limit", "offset", "period_ms")
    VIEW_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    DESCENDING_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    PERIOD_MS_FIELD_NUMBER: _ClassVar[int]
    view: str
    columns: _containers.RepeatedScalarFieldContainer[str]
    filter: str
    order: str
    descending: bool
    limit: int
    offset: int
    period_ms: int
    def __init__(self, view: _Optional[str] = ..., columns: _Optional[_Iterable[str]] = ..., filter: _Optional[str] = ..., order: _Optional[str] = ..., descending: bool = ..., limit: _Optional[int] = ..., offset: _Optional[int] = ..., period_ms: _Optional[int] = ...) -> None: ...

class WatchReply(_message.Message):
    __slots__ = ("time_ms", "total_rows", "all_rows", "arrow_ipc")
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_ROWS_FIELD_NUMBER: _ClassVar[int]
    ALL_ROWS_FIELD_NUMBER: _ClassVar[int]
    ARROW_IPC_FIELD_NUMBER: _ClassVar[int]
    time_ms: int
    total_rows: int
    all_rows: int
    arrow_ipc: bytes
    def __init__(self, time_ms: _Optional[int] = ..., total_rows: _Optional[int] = ..., all_rows: _Optional[int] = ..., arrow_ipc: _Optional[bytes] = ...) -> None: ...

class CompareRequest(_message.Message):
    __slots__ = ("window_s", "reference", "quantity", "mode")
    WINDOW_S_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    window_s: int
    reference: str
    quantity: str
    mode: str
    def __init__(self, window_s: _Optional[int] = ..., reference: _Optional[str] = ..., quantity: _Optional[str] = ..., mode: _Optional[str] = ...) -> None: ...

class CompareReply(_message.Message):
    __slots__ = ("arrow_ipc", "faults")
    ARROW_IPC_FIELD_NUMBER: _ClassVar[int]
    FAULTS_FIELD_NUMBER: _ClassVar[int]
    arrow_ipc: bytes
    faults: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, arrow_ipc: _Optional[bytes] = ..., faults: _Optional[_Iterable[str]] = ...) -> None: ...

class ClaimsRequest(_message.Message):
    __slots__ = ("window_s",)
    WINDOW_S_FIELD_NUMBER: _ClassVar[int]
    window_s: int
    def __init__(self, window_s: _Optional[int] = ...) -> None: ...

class ClaimsReply(_message.Message):
    __slots__ = ("arrow_ipc", "faults")
    ARROW_IPC_FIELD_NUMBER: _ClassVar[int]
    FAULTS_FIELD_NUMBER: _ClassVar[int]
    arrow_ipc: bytes
    faults: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, arrow_ipc: _Optional[bytes] = ..., faults: _Optional[_Iterable[str]] = ...) -> None: ...

class ChipsRequest(_message.Message):
    __slots__ = ("window_s",)
    WINDOW_S_FIELD_NUMBER: _ClassVar[int]
    window_s: int
    def __init__(self, window_s: _Optional[int] = ...) -> None: ...

class ChipsReply(_message.Message):
    __slots__ = ("arrow_ipc", "faults")
    ARROW_IPC_FIELD_NUMBER: _ClassVar[int]
    FAULTS_FIELD_NUMBER: _ClassVar[int]
    arrow_ipc: bytes
    faults: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, arrow_ipc: _Optional[bytes] = ..., faults: _Optional[_Iterable[str]] = ...) -> None: ...

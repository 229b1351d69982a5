from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Origin(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ORIGIN_UNSPECIFIED: _ClassVar[Origin]
    ORIGIN_MEASURED: _ClassVar[Origin]
    ORIGIN_REPLAYED: _ClassVar[Origin]
    ORIGIN_SIMULATED: _ClassVar[Origin]

class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    KIND_UNSPECIFIED: _ClassVar[Kind]
    KIND_DEVICE_SAMPLES: _ClassVar[Kind]
    KIND_HOST_SAMPLES: _ClassVar[Kind]
    KIND_TRAINER_SAMPLES: _ClassVar[Kind]
    KIND_AGENT_SAMPLES: _ClassVar[Kind]
    KIND_PROCESS: _ClassVar[Kind]
    KIND_EVENT: _ClassVar[Kind]
    KIND_JOB_INTERVAL: _ClassVar[Kind]
    KIND_STEP: _ClassVar[Kind]
    KIND_TRAINING: _ClassVar[Kind]
ORIGIN_UNSPECIFIED: Origin
ORIGIN_MEASURED: Origin
ORIGIN_REPLAYED: Origin
ORIGIN_SIMULATED: Origin
KIND_UNSPECIFIED: Kind
KIND_DEVICE_SAMPLES: Kind
KIND_HOST_SAMPLES: Kind
KIND_TRAINER_SAMPLES: Kind
KIND_AGENT_SAMPLES: Kind
KIND_PROCESS: Kind
KIND_EVENT: Kind
KIND_JOB_INTERVAL: Kind
KIND_STEP: Kind
KIND_TRAINING: Kind

class Device(_message.Message):
    __slots__ = ("key", "uid", "vendor", "kind", "name", "chip", "part", "package_uid", "index", "pci_address", "numa_node", "memory_bytes", "driver_version", "library_version", "power_scope", "origin", "notes")
    class NotesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    KEY_FIELD_NUMBER: _ClassVar[int]
    UID_FIELD_NUMBER: _ClassVar[int]
    VENDOR_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    CHIP_FIELD_NUMBER: _ClassVar[int]
    PART_FIELD_NUMBER: _ClassVar[int]
    PACKAGE_UID_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    PCI_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    NUMA_NODE_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    DRIVER_VERSION_FIELD_NUMBER: _ClassVar[int]
    LIBRARY_VERSION_FIELD_NUMBER: _ClassVar[int]
    POWER_SCOPE_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    key: int
    uid: str
    vendor: str
    kind: str
    name: str
    chip: str
    part: str
    package_uid: str
    index: int
    pci_address: str
    numa_node: int
    memory_bytes: int
    driver_version: str
    library_version: str
    power_scope: str
    origin: Origin
    notes: _containers.ScalarMap[str, str]
    def __init__(self, key: _Optional[int] = ..., uid: _Optional[str] = ..., vendor: _Optional[str] = ..., kind: _Optional[str] = ..., name: _Optional[str] = ..., chip: _Optional[str] = ..., part: _Optional[str] = ..., package_uid: _Optional[str] = ..., index: _Optional[int] = ..., pci_address: _Optional[str] = ..., numa_node: _Optional[int] = ..., memory_bytes: _Optional[int] = ..., driver_version: _Optional[str] = ..., library_version: _Optional[str] = ..., power_scope: _Optional[str] = ..., origin: _Optional[_Union[Origin, str]] = ..., notes: _Optional[_Mapping[str, str]] = ...) -> None: ...

class Layout(_message.Message):
    __slots__ = ("id", "kind", "gauges", "counters", "devices", "period_ms")
    ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    GAUGES_FIELD_NUMBER: _ClassVar[int]
    COUNTERS_FIELD_NUMBER: _ClassVar[int]
    DEVICES_FIELD_NUMBER: _ClassVar[int]
    PERIOD_MS_FIELD_NUMBER: _ClassVar[int]
    id: int
    kind: Kind
    gauges: _containers.RepeatedScalarFieldContainer[int]
    counters: _containers.RepeatedScalarFieldContainer[int]
    devices: _containers.RepeatedScalarFieldContainer[int]
    period_ms: int
    def __init__(self, id: _Optional[int] = ..., kind: _Optional[_Union[Kind, str]] = ..., gauges: _Optional[_Iterable[int]] = ..., counters: _Optional[_Iterable[int]] = ..., devices: _Optional[_Iterable[int]] = ..., period_ms: _Optional[int] = ...) -> None: ...

class Batch(_message.Message):
    __slots__ = ("layout", "agent", "seq", "ts_ms", "gauges", "counters")
    LAYOUT_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    TS_MS_FIELD_NUMBER: _ClassVar[int]
    GAUGES_FIELD_NUMBER: _ClassVar[int]
    COUNTERS_FIELD_NUMBER: _ClassVar[int]
    layout: int
    agent: int
    seq: int
    ts_ms: bytes
    gauges: bytes
    counters: bytes
    def __init__(self, layout: _Optional[int] = ..., agent: _Optional[int] = ..., seq: _Optional[int] = ..., ts_ms: _Optional[bytes] = ..., gauges: _Optional[bytes] = ..., counters: _Optional[bytes] = ...) -> None: ...

class Records(_message.Message):
    __slots__ = ("kind", "agent", "seq", "processes", "events", "job_intervals", "steps", "trainings")
    KIND_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    PROCESSES_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    JOB_INTERVALS_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    TRAININGS_FIELD_NUMBER: _ClassVar[int]
    kind: Kind
    agent: int
    seq: int
    processes: _containers.RepeatedCompositeFieldContainer[Process]
    events: _containers.RepeatedCompositeFieldContainer[Event]
    job_intervals: _containers.RepeatedCompositeFieldContainer[JobInterval]
    steps: _containers.RepeatedCompositeFieldContainer[Step]
    trainings: _containers.RepeatedCompositeFieldContainer[Training]
    def __init__(self, kind: _Optional[_Union[Kind, str]] = ..., agent: _Optional[int] = ..., seq: _Optional[int] = ..., processes: _Optional[_Iterable[_Union[Process, _Mapping]]] = ..., events: _Optional[_Iterable[_Union[Event, _Mapping]]] = ..., job_intervals: _Optional[_Iterable[_Union[JobInterval, _Mapping]]] = ..., steps: _Optional[_Iterable[_Union[Step, _Mapping]]] = ..., trainings: _Optional[_Iterable[_Union[Training, _Mapping]]] = ...) -> None: ...

class Process(_message.Message):
    __slots__ = ("ts_ms", "device", "pid", "start_ms", "hbm_used_bytes", "rank", "local_rank", "world_size", "job", "user", "container", "command", "cpu_share", "rss_bytes", "threads")
    TS_MS_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    START_MS_FIELD_NUMBER: _ClassVar[int]
    HBM_USED_BYTES_FIELD_NUMBER: _ClassVar[int]
    RANK_FIELD_NUMBER: _ClassVar[int]
    LOCAL_RANK_FIELD_NUMBER: _ClassVar[int]
    WORLD_SIZE_FIELD_NUMBER: _ClassVar[int]
    JOB_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    CONTAINER_FIELD_NUMBER: _ClassVar[int]
    COMMAND_FIELD_NUMBER: _ClassVar[int]
    CPU_SHARE_FIELD_NUMBER: _ClassVar[int]
    RSS_BYTES_FIELD_NUMBER: _ClassVar[int]
    THREADS_FIELD_NUMBER: _ClassVar[int]
    ts_ms: int
    device: int
    pid: int
    start_ms: int
    hbm_used_bytes: int
    rank: int
    local_rank: int
    world_size: int
    job: str
    user: str
    container: str
    command: str
    cpu_share: float
    rss_bytes: int
    threads: int
    def __init__(self, ts_ms: _Optional[int] = ..., device: _Optional[int] = ..., pid: _Optional[int] = ..., start_ms: _Optional[int] = ..., hbm_used_bytes: _Optional[int] = ..., rank: _Optional[int] = ..., local_rank: _Optional[int] = ..., world_size: _Optional[int] = ..., job: _Optional[str] = ..., user: _Optional[str] = ..., container: _Optional[str] = ..., command: _Optional[str] = ..., cpu_share: _Optional[float] = ..., rss_bytes: _Optional[int] = ..., threads: _Optional[int] = ...) -> None: ...

class Event(_message.Message):
    __slots__ = ("ts_ms", "device", "severity", "code", "text", "source")
    TS_MS_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    SEVERITY_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    ts_ms: int
    device: int
    severity: str
    code: str
    text: str
    source: str
    def __init__(self, ts_ms: _Optional[int] = ..., device: _Optional[int] = ..., severity: _Optional[str] = ..., code: _Optional[str] = ..., text: _Optional[str] = ..., source: _Optional[str] = ...) -> None: ...

class JobInterval(_message.Message):
    __slots__ = ("ts_ms", "device", "job", "from_ms", "to_ms", "closed", "scheduler", "user", "name", "world_size", "ranks")
    TS_MS_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    JOB_FIELD_NUMBER: _ClassVar[int]
    FROM_MS_FIELD_NUMBER: _ClassVar[int]
    TO_MS_FIELD_NUMBER: _ClassVar[int]
    CLOSED_FIELD_NUMBER: _ClassVar[int]
    SCHEDULER_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    WORLD_SIZE_FIELD_NUMBER: _ClassVar[int]
    RANKS_FIELD_NUMBER: _ClassVar[int]
    ts_ms: int
    device: int
    job: str
    from_ms: int
    to_ms: int
    closed: bool
    scheduler: str
    user: str
    name: str
    world_size: int
    ranks: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, ts_ms: _Optional[int] = ..., device: _Optional[int] = ..., job: _Optional[str] = ..., from_ms: _Optional[int] = ..., to_ms: _Optional[int] = ..., closed: bool = ..., scheduler: _Optional[str] = ..., user: _Optional[str] = ..., name: _Optional[str] = ..., world_size: _Optional[int] = ..., ranks: _Optional[_Iterable[int]] = ...) -> None: ...

class Step(_message.Message):
    __slots__ = ("ts_ms", "device", "devices", "pid", "start_ms", "begin_ms", "job", "run", "rank", "local_rank", "world_size", "data_parallel", "step", "steps", "step_time_s", "tokens", "nonpad_tokens", "loss_tokens", "samples", "token_copies", "host_gap_s", "mark", "origin", "tokens_origin", "tokens_absent", "total_steps", "total_tokens", "total_s")
    TS_MS_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    DEVICES_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    START_MS_FIELD_NUMBER: _ClassVar[int]
    BEGIN_MS_FIELD_NUMBER: _ClassVar[int]
    JOB_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    RANK_FIELD_NUMBER: _ClassVar[int]
    LOCAL_RANK_FIELD_NUMBER: _ClassVar[int]
    WORLD_SIZE_FIELD_NUMBER: _ClassVar[int]
    DATA_PARALLEL_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    STEP_TIME_S_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    NONPAD_TOKENS_FIELD_NUMBER: _ClassVar[int]
    LOSS_TOKENS_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    TOKEN_COPIES_FIELD_NUMBER: _ClassVar[int]
    HOST_GAP_S_FIELD_NUMBER: _ClassVar[int]
    MARK_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    TOKENS_ORIGIN_FIELD_NUMBER: _ClassVar[int]
    TOKENS_ABSENT_FIELD_NUMBER: _ClassVar[int]
    TOTAL_STEPS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_TOKENS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_S_FIELD_NUMBER: _ClassVar[int]
    ts_ms: int
    device: int
    devices: float
    pid: int
    start_ms: int
    begin_ms: int
    job: str
    run: str
    rank: int
    local_rank: int
    world_size: int
    data_parallel: int
    step: int
    steps: int
    step_time_s: float
    tokens: int
    nonpad_tokens: int
    loss_tokens: int
    samples: int
    token_copies: int
    host_gap_s: float
    mark: str
    origin: str
    tokens_origin: str
    tokens_absent: str
    total_steps: int
    total_tokens: int
    total_s: float
    def __init__(self, ts_ms: _Optional[int] = ..., device: _Optional[int] = ..., devices: _Optional[float] = ..., pid: _Optional[int] = ..., start_ms: _Optional[int] = ..., begin_ms: _Optional[int] = ..., job: _Optional[str] = ..., run: _Optional[str] = ..., rank: _Optional[int] = ..., local_rank: _Optional[int] = ..., world_size: _Optional[int] = ..., data_parallel: _Optional[int] = ..., step: _Optional[int] = ..., steps: _Optional[int] = ..., step_time_s: _Optional[float] = ..., tokens: _Optional[int] = ..., nonpad_tokens: _Optional[int] = ..., loss_tokens: _Optional[int] = ..., samples: _Optional[int] = ..., token_copies: _Optional[int] = ..., host_gap_s: _Optional[float] = ..., mark: _Optional[str] = ..., origin: _Optional[str] = ..., tokens_origin: _Optional[str] = ..., tokens_absent: _Optional[str] = ..., total_steps: _Optional[int] = ..., total_tokens: _Optional[int] = ..., total_s: _Optional[float] = ...) -> None: ...

class Training(_message.Message):
    __slots__ = ("ts_ms", "device", "pid", "start_ms", "job", "run", "rank", "world_size", "model", "architecture", "optimizer", "precision", "task", "parameters", "trainable_parameters", "matmul_parameters", "active_parameters", "layers", "heads", "hidden", "head_size", "experts", "active_experts", "sequence_length", "global_batch", "data_parallel", "tensor_parallel", "pipeline_parallel", "context_parallel", "expert_parallel", "declared_tokens_per_step", "price_per_device_hour", "currency", "recompute", "software", "origins", "absent")
    class SoftwareEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class OriginsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class AbsentEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    TS_MS_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    START_MS_FIELD_NUMBER: _ClassVar[int]
    JOB_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    RANK_FIELD_NUMBER: _ClassVar[int]
    WORLD_SIZE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    ARCHITECTURE_FIELD_NUMBER: _ClassVar[int]
    OPTIMIZER_FIELD_NUMBER: _ClassVar[int]
    PRECISION_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    TRAINABLE_PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    MATMUL_PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    LAYERS_FIELD_NUMBER: _ClassVar[int]
    HEADS_FIELD_NUMBER: _ClassVar[int]
    HIDDEN_FIELD_NUMBER: _ClassVar[int]
    HEAD_SIZE_FIELD_NUMBER: _ClassVar[int]
    EXPERTS_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_EXPERTS_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_LENGTH_FIELD_NUMBER: _ClassVar[int]
    GLOBAL_BATCH_FIELD_NUMBER: _ClassVar[int]
    DATA_PARALLEL_FIELD_NUMBER: _ClassVar[int]
    TENSOR_PARALLEL_FIELD_NUMBER: _ClassVar[int]
    PIPELINE_PARALLEL_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_PARALLEL_FIELD_NUMBER: _ClassVar[int]
    EXPERT_PARALLEL_FIELD_NUMBER: _ClassVar[int]
    DECLARED_TOKENS_PER_STEP_FIELD_NUMBER: _ClassVar[int]
    PRICE_PER_DEVICE_HOUR_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    RECOMPUTE_FIELD_NUMBER: _ClassVar[int]
    SOFTWARE_FIELD_NUMBER: _ClassVar[int]
    ORIGINS_FIELD_NUMBER: _ClassVar[int]
    ABSENT_FIELD_NUMBER: _ClassVar[int]
    ts_ms: int
    device: int
    pid: int
    start_ms: int
    job: str
    run: str
    rank: int
    world_size: int
    model: str
    architecture: str
    optimizer: str
    precision: str
    task: str
    parameters: int
    trainable_parameters: int
    matmul_parameters: int
    active_parameters: int
    layers: int
    heads: int
    hidden: int
    head_size: int
    experts: int
    active_experts: int
    sequence_length: int
    global_batch: int
    data_parallel: int
    tensor_parallel: int
    pipeline_parallel: int
    context_parallel: int
    expert_parallel: int
    declared_tokens_per_step: int
    price_per_device_hour: float
    currency: str
    recompute: bool
    software: _containers.ScalarMap[str, str]
    origins: _containers.ScalarMap[str, str]
    absent: _containers.ScalarMap[str, str]
    def __init__(self, ts_ms: _Optional[int] = ..., device: _Optional[int] = ..., pid: _Optional[int] = ..., start_ms: _Optional[int] = ..., job: _Optional[str] = ..., run: _Optional[str] = ..., rank: _Optional[int] = ..., world_size: _Optional[int] = ..., model: _Optional[str] = ..., architecture: _Optional[str] = ..., optimizer: _Optional[str] = ..., precision: _Optional[str] = ..., task: _Optional[str] = ..., parameters: _Optional[int] = ..., trainable_parameters: _Optional[int] = ..., matmul_parameters: _Optional[int] = ..., active_parameters: _Optional[int] = ..., layers: _Optional[int] = ..., heads: _Optional[int] = ..., hidden: _Optional[int] = ..., head_size: _Optional[int] = ..., experts: _Optional[int] = ..., active_experts: _Optional[int] = ..., sequence_length: _Optional[int] = ..., global_batch: _Optional[int] = ..., data_parallel: _Optional[int] = ..., tensor_parallel: _Optional[int] = ..., pipeline_parallel: _Optional[int] = ..., context_parallel: _Optional[int] = ..., expert_parallel: _Optional[int] = ..., declared_tokens_per_step: _Optional[int] = ..., price_per_device_hour: _Optional[float] = ..., currency: _Optional[str] = ..., recompute: bool = ..., software: _Optional[_Mapping[str, str]] = ..., origins: _Optional[_Mapping[str, str]] = ..., absent: _Optional[_Mapping[str, str]] = ...) -> None: ...

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
    KIND_PROFILE: _ClassVar[Kind]
    KIND_PROFILE_ROW: _ClassVar[Kind]
    KIND_STACK: _ClassVar[Kind]
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
KIND_PROFILE: Kind
KIND_PROFILE_ROW: Kind
KIND_STACK: Kind

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
    __slots__ = ("kind", "agent", "seq", "processes", "events", "job_intervals", "steps", "trainings", "profiles", "profile_rows", "stacks")
    KIND_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    PROCESSES_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    JOB_INTERVALS_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    TRAININGS_FIELD_NUMBER: _ClassVar[int]
    PROFILES_FIELD_NUMBER: _ClassVar[int]
    PROFILE_ROWS_FIELD_NUMBER: _ClassVar[int]
    STACKS_FIELD_NUMBER: _ClassVar[int]
    kind: Kind
    agent: int
    seq: int
    processes: _containers.RepeatedCompositeFieldContainer[Process]
    events: _containers.RepeatedCompositeFieldContainer[Event]
    job_intervals: _containers.RepeatedCompositeFieldContainer[JobInterval]
    steps: _containers.RepeatedCompositeFieldContainer[Step]
    trainings: _containers.RepeatedCompositeFieldContainer[Training]
    profiles: _containers.RepeatedCompositeFieldContainer[Profile]
    profile_rows: _containers.RepeatedCompositeFieldContainer[ProfileRow]
    stacks: _containers.RepeatedCompositeFieldContainer[Stack]
    def __init__(self, kind: _Optional[_Union[Kind, str]] = ..., agent: _Optional[int] = ..., seq: _Optional[int] = ..., processes: _Optional[_Iterable[_Union[Process, _Mapping]]] = ..., events: _Optional[_Iterable[_Union[Event, _Mapping]]] = ..., job_intervals: _Optional[_Iterable[_Union[JobInterval, _Mapping]]] = ..., steps: _Optional[_Iterable[_Union[Step, _Mapping]]] = ..., trainings: _Optional[_Iterable[_Union[Training, _Mapping]]] = ..., profiles: _Optional[_Iterable[_Union[Profile, _Mapping]]] = ..., profile_rows: _Optional[_Iterable[_Union[ProfileRow, _Mapping]]] = ..., stacks: _Optional[_Iterable[_Union[Stack, _Mapping]]] = ...) -> None: ...

class Process(_message.Message):
    __slots__ = ("ts_ms", "device", "pid", "start_ms", "hbm_used_bytes", "rank", "local_rank", "world_size", "job", "user", "container", "command", "cpu_share", "rss_bytes", "threads", "voluntary_switches", "involuntary_switches", "read_bytes")
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
    VOLUNTARY_SWITCHES_FIELD_NUMBER: _ClassVar[int]
    INVOLUNTARY_SWITCHES_FIELD_NUMBER: _ClassVar[int]
    READ_BYTES_FIELD_NUMBER: _ClassVar[int]
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
    voluntary_switches: int
    involuntary_switches: int
    read_bytes: int
    def __init__(self, ts_ms: _Optional[int] = ..., device: _Optional[int] = ..., pid: _Optional[int] = ..., start_ms: _Optional[int] = ..., hbm_used_bytes: _Optional[int] = ..., rank: _Optional[int] = ..., local_rank: _Optional[int] = ..., world_size: _Optional[int] = ..., job: _Optional[str] = ..., user: _Optional[str] = ..., container: _Optional[str] = ..., command: _Optional[str] = ..., cpu_share: _Optional[float] = ..., rss_bytes: _Optional[int] = ..., threads: _Optional[int] = ..., voluntary_switches: _Optional[int] = ..., involuntary_switches: _Optional[int] = ..., read_bytes: _Optional[int] = ...) -> None: ...

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
    __slots__ = ("ts_ms", "device", "devices", "pid", "start_ms", "begin_ms", "job", "run", "rank", "local_rank", "world_size", "data_parallel", "step", "steps", "step_time_s", "tokens", "nonpad_tokens", "loss_tokens", "samples", "token_copies", "host_gap_s", "mark", "origin", "tokens_origin", "tokens_absent", "total_steps", "total_tokens", "total_s", "loss")
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
    LOSS_FIELD_NUMBER: _ClassVar[int]
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
    loss: float
    def __init__(self, ts_ms: _Optional[int] = ..., device: _Optional[int] = ..., devices: _Optional[float] = ..., pid: _Optional[int] = ..., start_ms: _Optional[int] = ..., begin_ms: _Optional[int] = ..., job: _Optional[str] = ..., run: _Optional[str] = ..., rank: _Optional[int] = ..., local_rank: _Optional[int] = ..., world_size: _Optional[int] = ..., data_parallel: _Optional[int] = ..., step: _Optional[int] = ..., steps: _Optional[int] = ..., step_time_s: _Optional[float] = ..., tokens: _Optional[int] = ..., nonpad_tokens: _Optional[int] = ..., loss_tokens: _Optional[int] = ..., samples: _Optional[int] = ..., token_copies: _Optional[int] = ..., host_gap_s: _Optional[float] = ..., mark: _Optional[str] = ..., origin: _Optional[str] = ..., tokens_origin: _Optional[str] = ..., tokens_absent: _Optional[str] = ..., total_steps: _Optional[int] = ..., total_tokens: _Optional[int] = ..., total_s: _Optional[float] = ..., loss: _Optional[float] = ...) -> None: ...

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

class Profile(_message.Message):
    __slots__ = ("ts_ms", "device", "id", "written_ms", "pid", "start_ms", "job", "run", "rank", "world_size", "profiler", "cause", "state", "reason", "to_ms", "format", "chip", "devices", "steps", "window_ns", "compute_ns", "communication_ns", "overlapped_ns", "memory_copy_ns", "idle_ns", "data_wait_ns", "kernels", "kernels_ns", "gaps", "longest_gap_ns", "loss_s", "loss_low_s", "loss_high_s", "with_stacks", "with_shapes", "trace_bytes", "notes", "samples", "sampled_hz", "rates")
    TS_MS_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    WRITTEN_MS_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    START_MS_FIELD_NUMBER: _ClassVar[int]
    JOB_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    RANK_FIELD_NUMBER: _ClassVar[int]
    WORLD_SIZE_FIELD_NUMBER: _ClassVar[int]
    PROFILER_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    TO_MS_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    CHIP_FIELD_NUMBER: _ClassVar[int]
    DEVICES_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    WINDOW_NS_FIELD_NUMBER: _ClassVar[int]
    COMPUTE_NS_FIELD_NUMBER: _ClassVar[int]
    COMMUNICATION_NS_FIELD_NUMBER: _ClassVar[int]
    OVERLAPPED_NS_FIELD_NUMBER: _ClassVar[int]
    MEMORY_COPY_NS_FIELD_NUMBER: _ClassVar[int]
    IDLE_NS_FIELD_NUMBER: _ClassVar[int]
    DATA_WAIT_NS_FIELD_NUMBER: _ClassVar[int]
    KERNELS_FIELD_NUMBER: _ClassVar[int]
    KERNELS_NS_FIELD_NUMBER: _ClassVar[int]
    GAPS_FIELD_NUMBER: _ClassVar[int]
    LONGEST_GAP_NS_FIELD_NUMBER: _ClassVar[int]
    LOSS_S_FIELD_NUMBER: _ClassVar[int]
    LOSS_LOW_S_FIELD_NUMBER: _ClassVar[int]
    LOSS_HIGH_S_FIELD_NUMBER: _ClassVar[int]
    WITH_STACKS_FIELD_NUMBER: _ClassVar[int]
    WITH_SHAPES_FIELD_NUMBER: _ClassVar[int]
    TRACE_BYTES_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    SAMPLED_HZ_FIELD_NUMBER: _ClassVar[int]
    RATES_FIELD_NUMBER: _ClassVar[int]
    ts_ms: int
    device: int
    id: str
    written_ms: int
    pid: int
    start_ms: int
    job: str
    run: str
    rank: int
    world_size: int
    profiler: str
    cause: str
    state: str
    reason: str
    to_ms: int
    format: str
    chip: str
    devices: int
    steps: int
    window_ns: int
    compute_ns: int
    communication_ns: int
    overlapped_ns: int
    memory_copy_ns: int
    idle_ns: int
    data_wait_ns: int
    kernels: int
    kernels_ns: int
    gaps: int
    longest_gap_ns: int
    loss_s: float
    loss_low_s: float
    loss_high_s: float
    with_stacks: bool
    with_shapes: bool
    trace_bytes: int
    notes: _containers.RepeatedScalarFieldContainer[str]
    samples: int
    sampled_hz: float
    rates: _containers.RepeatedCompositeFieldContainer[Rate]
    def __init__(self, ts_ms: _Optional[int] = ..., device: _Optional[int] = ..., id: _Optional[str] = ..., written_ms: _Optional[int] = ..., pid: _Optional[int] = ..., start_ms: _Optional[int] = ..., job: _Optional[str] = ..., run: _Optional[str] = ..., rank: _Optional[int] = ..., world_size: _Optional[int] = ..., profiler: _Optional[str] = ..., cause: _Optional[str] = ..., state: _Optional[str] = ..., reason: _Optional[str] = ..., to_ms: _Optional[int] = ..., format: _Optional[str] = ..., chip: _Optional[str] = ..., devices: _Optional[int] = ..., steps: _Optional[int] = ..., window_ns: _Optional[int] = ..., compute_ns: _Optional[int] = ..., communication_ns: _Optional[int] = ..., overlapped_ns: _Optional[int] = ..., memory_copy_ns: _Optional[int] = ..., idle_ns: _Optional[int] = ..., data_wait_ns: _Optional[int] = ..., kernels: _Optional[int] = ..., kernels_ns: _Optional[int] = ..., gaps: _Optional[int] = ..., longest_gap_ns: _Optional[int] = ..., loss_s: _Optional[float] = ..., loss_low_s: _Optional[float] = ..., loss_high_s: _Optional[float] = ..., with_stacks: bool = ..., with_shapes: bool = ..., trace_bytes: _Optional[int] = ..., notes: _Optional[_Iterable[str]] = ..., samples: _Optional[int] = ..., sampled_hz: _Optional[float] = ..., rates: _Optional[_Iterable[_Union[Rate, _Mapping]]] = ...) -> None: ...

class Rate(_message.Message):
    __slots__ = ("index", "link", "direction", "part", "mean_bytes_per_s", "min_bytes_per_s", "max_bytes_per_s", "samples")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    LINK_FIELD_NUMBER: _ClassVar[int]
    DIRECTION_FIELD_NUMBER: _ClassVar[int]
    PART_FIELD_NUMBER: _ClassVar[int]
    MEAN_BYTES_PER_S_FIELD_NUMBER: _ClassVar[int]
    MIN_BYTES_PER_S_FIELD_NUMBER: _ClassVar[int]
    MAX_BYTES_PER_S_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    index: int
    link: str
    direction: str
    part: str
    mean_bytes_per_s: float
    min_bytes_per_s: float
    max_bytes_per_s: float
    samples: int
    def __init__(self, index: _Optional[int] = ..., link: _Optional[str] = ..., direction: _Optional[str] = ..., part: _Optional[str] = ..., mean_bytes_per_s: _Optional[float] = ..., min_bytes_per_s: _Optional[float] = ..., max_bytes_per_s: _Optional[float] = ..., samples: _Optional[int] = ...) -> None: ...

class ProfileRow(_message.Message):
    __slots__ = ("ts_ms", "device", "profile", "job", "rank", "by", "layer", "name", "class_name", "core", "count", "total_ns", "self_ns", "min_ns", "max_ns", "shapes", "flops", "precision")
    TS_MS_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    JOB_FIELD_NUMBER: _ClassVar[int]
    RANK_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    LAYER_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    CLASS_NAME_FIELD_NUMBER: _ClassVar[int]
    CORE_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    TOTAL_NS_FIELD_NUMBER: _ClassVar[int]
    SELF_NS_FIELD_NUMBER: _ClassVar[int]
    MIN_NS_FIELD_NUMBER: _ClassVar[int]
    MAX_NS_FIELD_NUMBER: _ClassVar[int]
    SHAPES_FIELD_NUMBER: _ClassVar[int]
    FLOPS_FIELD_NUMBER: _ClassVar[int]
    PRECISION_FIELD_NUMBER: _ClassVar[int]
    ts_ms: int
    device: int
    profile: str
    job: str
    rank: int
    by: str
    layer: str
    name: str
    class_name: str
    core: str
    count: int
    total_ns: int
    self_ns: int
    min_ns: int
    max_ns: int
    shapes: str
    flops: float
    precision: str
    def __init__(self, ts_ms: _Optional[int] = ..., device: _Optional[int] = ..., profile: _Optional[str] = ..., job: _Optional[str] = ..., rank: _Optional[int] = ..., by: _Optional[str] = ..., layer: _Optional[str] = ..., name: _Optional[str] = ..., class_name: _Optional[str] = ..., core: _Optional[str] = ..., count: _Optional[int] = ..., total_ns: _Optional[int] = ..., self_ns: _Optional[int] = ..., min_ns: _Optional[int] = ..., max_ns: _Optional[int] = ..., shapes: _Optional[str] = ..., flops: _Optional[float] = ..., precision: _Optional[str] = ...) -> None: ...

class Stack(_message.Message):
    __slots__ = ("ts_ms", "device", "profile", "job", "rank", "kind", "frames", "duration_ns", "samples", "waits", "thread")
    TS_MS_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    JOB_FIELD_NUMBER: _ClassVar[int]
    RANK_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    DURATION_NS_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    WAITS_FIELD_NUMBER: _ClassVar[int]
    THREAD_FIELD_NUMBER: _ClassVar[int]
    ts_ms: int
    device: int
    profile: str
    job: str
    rank: int
    kind: str
    frames: _containers.RepeatedScalarFieldContainer[str]
    duration_ns: int
    samples: int
    waits: str
    thread: str
    def __init__(self, ts_ms: _Optional[int] = ..., device: _Optional[int] = ..., profile: _Optional[str] = ..., job: _Optional[str] = ..., rank: _Optional[int] = ..., kind: _Optional[str] = ..., frames: _Optional[_Iterable[str]] = ..., duration_ns: _Optional[int] = ..., samples: _Optional[int] = ..., waits: _Optional[str] = ..., thread: _Optional[str] = ...) -> None: ...

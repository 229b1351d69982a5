/* Stands in for libnvidia-ml.so.1: NVML's symbols and struct layouts over made-up GPUs.
 *
 * Without a scenario it is a node of 8 H100 in training. Keys of its own, beside those of scenario.py (`.N` for GPU N):
 *
 *     driver_gone code       every call, nvmlInit too, returns this; after it the library has to be shut down, as often
 *                            as it was initialised, and initialised again
 *     release number         of the kernel's driver: a library that was loaded under another one refuses to be
 *                            initialised (18) until it is unloaded and loaded again
 *     vgpu 1                 a virtual GPU's guest: GPM is claimed and refused, no energy, power, ECC or PCIe counters
 *     needs_restart.N 1      GPU N is lost until the library is initialised again
 *     driver text            the driver's version (575.57.08)
 *     name.N, uuid.N text    identity
 *     memory_mib.N           framebuffer (81559)
 *     memory_v2 0            v2 of the memory call is refused, as before R510; 2: v2 counts reserved memory as used
 *     unified 1              no memory call answers (GB10)
 *     gpm 0                  no GPM (A100)
 *     gpm_frozen 1           GPM repeats itself
 *     gpm.<id>.N value       a GPM figure; error.gpm.<id>.N its return code
 *     nvlink 0, 4, 5         generation of the links (4)
 *     links_down.N count     of the 18, these are down; links_wired.N count: the board has no more than these
 *     retires_pages 1        memory is set aside by pages, as before Ampere: retired_corrected, retired_uncorrected,
 *                            retirement_pending
 *     link_errors.N count    of each kind and, on NVLink 5, each link
 *     ecc_hbm, ecc_sram ...  corrected errors by place; with _uncorrected behind it the others
 *     throttle_field 251     first of the three counters of slowdowns: 251, 269 or 0 for none
 *     field.<id>.N value     a field value; error.field.<id>.N its return code; field_type.<id> its type
 *     highest_field id       a call that asks for a field beyond is refused as a whole
 *     busy, memory_busy, core_clock, memory_clock, power_w, chip_temp, throttle_bits, hbm_used_mib ...  figures
 *     pids.N text            "123:4096 124:-1": pids and MiB, -1 for not known; by default those of
 *                            STEELYARD_STANDIN_PIDS ("123 124 ..."), one on each GPU
 *     process_copies count   each process is listed so often, with rising pids
 *     process_stride 32      bytes between processes (24), as early R535 had it
 *     mig.N count            GPU N is cut into so many instances
 *     mig_hole.N index       the instance of this index is gone
 *     xid.N code             raises this XID once; ecc_event.N 1 raises an uncorrected ECC error once, recovery_event.N
 *                            1 one that the GPU asks for recovery, mig_event.N 1 one that its instances have changed
 *     recovery, remap_failed what field 230 and 145 say; recovery -1: the driver has no such field
 *     events 0               no event can be registered
 */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include "scenario.h"

enum {
    OK = 0,
    UNINITIALIZED = 1,
    INVALID_ARGUMENT = 2,
    NOT_SUPPORTED = 3,
    NOT_FOUND = 6,
    INSUFFICIENT_SIZE = 7,
    TIMEOUT = 10,
    FUNCTION_NOT_FOUND = 13,
    GPU_IS_LOST = 15,
    LIB_RM_VERSION_MISMATCH = 18,
    NO_DATA = 21,
    VERSION_MISMATCH = 25,
};

#define MAX_GPUS 64
#define MAX_INSTANCES 7
#define MAX_LINKS 18
#define MIB 1048576ULL
#define ALL_LINKS 0xFFFFFFFFu
#define NONE 0xFFFFFFFFu

typedef struct gpu {
    int index;
    int instance; /* -1: the GPU itself */
} *Handle;

typedef struct {
    unsigned int gpu, memory;
} Utilization;

typedef struct {
    unsigned long long total, free, used;
} Memory;

typedef struct {
    unsigned int version;
    unsigned long long total, reserved, free, used;
} MemoryV2;

typedef struct {
    unsigned int version;
    int sensor;
    int temperature;
} TemperatureV1;

typedef struct {
    char busIdLegacy[16];
    unsigned int domain, bus, device, pciDeviceId, pciSubSystemId;
    char busId[32];
} PciInfo;

typedef union {
    double dVal;
    int siVal;
    unsigned int uiVal;
    unsigned long ulVal;
    unsigned long long ullVal;
    long long sllVal;
    unsigned short usVal;
} Value;

typedef struct {
    unsigned int fieldId, scopeId;
    long long timestamp, latencyUsec;
    int valueType;
    int nvmlReturn;
    Value value;
} FieldValue;

typedef struct {
    unsigned int pid;
    unsigned long long usedGpuMemory;
    unsigned int gpuInstanceId, computeInstanceId;
} ProcessInfo;

typedef struct {
    unsigned int multiprocessorCount, sharedCopyEngineCount, sharedDecoderCount, sharedEncoderCount, sharedJpegCount,
        sharedOfaCount, gpuInstanceSliceCount, computeInstanceSliceCount;
    unsigned long long memorySizeMB;
} Attributes;

typedef struct sample {
    int gpu, instance;
    double seconds;
} *Sample;

typedef struct {
    unsigned int version, isSupportedDevice;
} GpmSupport;

typedef struct {
    unsigned int metricId;
    int nvmlReturn;
    double value;
    struct {
        const char *shortName, *longName, *unit;
    } metricInfo;
} GpmMetric;

typedef struct {
    unsigned int version, numMetrics;
    Sample sample1, sample2;
    GpmMetric metrics[477];
} GpmMetricsGet;

typedef struct {
    Handle device;
    unsigned long long eventType, eventData;
    unsigned int gpuInstanceId, computeInstanceId;
} EventData;

static struct gpu gpus[MAX_GPUS];
static struct gpu instances[MAX_GPUS][MAX_INSTANCES];
static int is_initialised;
static int lifetime;
static int gone_in = -1;
static int broken_in[MAX_GPUS];
static int live_samples;
static int release = -1; /* of the driver that this library was loaded under */

static double numbered(const char *kind, unsigned int id, int gpu, double fallback) {
    char key[64];
    if (!has_scenario)
        return fallback;
    snprintf(key, sizeof key, "%s.%u", kind, id);
    return scenario_number(key, gpu, fallback);
}

static int gpu_count(void) {
    int count = (int)scenario_number("devices", -1, scenario_usual_devices("STEELYARD_STANDIN_GPUS"));
    return count < 0 ? 0 : count > MAX_GPUS ? MAX_GPUS : count;
}

/* Lost in the lifetime of the library in which it happened. */
static int is_broken(int gpu) {
    if (!scenario_number("needs_restart", gpu, 0)) {
        broken_in[gpu] = 0;
        return 0;
    }
    if (!broken_in[gpu])
        broken_in[gpu] = lifetime;
    return broken_in[gpu] == lifetime;
}

/* The driver was upgraded since the library was loaded. */
static int is_left_behind(void) {
    int now = (int)scenario_number("release", -1, 0);
    if (release < 0)
        release = now;
    return release != now;
}

/* What every call does first. */
static int enter(const char *function, Handle handle) {
    scenario_look();
    int gone = (int)scenario_number("driver_gone", -1, is_left_behind() ? LIB_RM_VERSION_MISMATCH : 0);
    if (gone) {
        gone_in = lifetime;
        return gone;
    }
    if (!is_initialised || gone_in == lifetime)
        return UNINITIALIZED;
    if (handle && handle->index >= gpu_count())
        return INVALID_ARGUMENT;
    if (handle && is_broken(handle->index))
        return GPU_IS_LOST;
    return scenario_enter(function, handle ? handle->index : -1, GPU_IS_LOST, FUNCTION_NOT_FOUND);
}

#define ENTER(handle)                                                                                                  \
    do {                                                                                                               \
        int code_ = enter(__func__, handle);                                                                           \
        if (code_)                                                                                                     \
            return code_;                                                                                              \
    } while (0)

/* Figures that move like a training's: steps of 1.3 s, slow drift, a little noise. */

static double noise(int gpu, int salt, double t) {
    uint64_t x = (uint64_t)(gpu + 1) * 0x9E3779B97F4A7C15ULL ^ (uint64_t)salt << 32 ^ (uint64_t)(t * 50.0);
    x ^= x >> 30;
    x *= 0xBF58476D1CE4E5B9ULL;
    x ^= x >> 27;
    x *= 0x94D049BB133111EBULL;
    x ^= x >> 31;
    return (double)(x >> 11) / 9007199254740992.0;
}

static double load(int gpu, double t) {
    double step = fmod(t + 0.01 * gpu, 1.3) / 1.3;
    double work = step < 0.88 ? 1.0 : 0.35; /* the gradients' exchange at the end of a step */
    return work * (0.94 + 0.04 * sin(t / 37.0 + gpu)) + 0.02 * noise(gpu, 1, t);
}

static const double POWER = 560.0, SWING = 55.0, PERIOD = 9.0;

static double power_w(int gpu, double t) {
    return scenario_number("power_w", gpu, POWER + 4.0 * gpu + SWING * sin(6.283185307 * t / PERIOD + gpu));
}

static double energy_mj(int gpu, double t) {
    double swung = SWING * PERIOD / 6.283185307 * (cos((double)gpu) - cos(6.283185307 * t / PERIOD + gpu));
    return scenario_number("energy_mj", gpu, 4e9 + 1e8 * gpu + 1e3 * ((POWER + 4.0 * gpu) * t + swung));
}

static unsigned long long total_mib(int gpu) {
    return (unsigned long long)scenario_number("memory_mib", gpu, 81559);
}

static unsigned long long used_mib(int gpu, double t) {
    return (unsigned long long)scenario_number("hbm_used_mib", gpu, 61440 + 40 * gpu + 2048 * load(gpu, t));
}

/* The library. */

#ifndef WITHOUT_nvmlInit_v2
int nvmlInit_v2(void) {
    scenario_look();
    int code = (int)scenario_number("driver_gone", -1, is_left_behind() ? LIB_RM_VERSION_MISMATCH : 0);
    if (!code)
        code = scenario_enter(__func__, -1, GPU_IS_LOST, FUNCTION_NOT_FOUND);
    if (code)
        return code;
    for (int i = 0; i < MAX_GPUS; i++) {
        gpus[i] = (struct gpu){i, -1};
        for (int j = 0; j < MAX_INSTANCES; j++)
            instances[i][j] = (struct gpu){i, j};
    }
    if (!is_initialised++)
        lifetime++;
    return OK;
}

/* How nvitop begins. */
int nvmlInitWithFlags(unsigned int flags) {
    (void)flags;
    return nvmlInit_v2();
}
#endif

int nvmlShutdown(void) {
    if (!is_initialised)
        return UNINITIALIZED;
    is_initialised--;
    return OK;
}

int nvmlSystemGetDriverVersion(char *out, unsigned int length) {
    ENTER(NULL);
    scenario_text("driver", -1, "575.57.08", out, length);
    return OK;
}

int nvmlSystemGetNVMLVersion(char *out, unsigned int length) {
    ENTER(NULL);
    scenario_text("library", -1, "12.575.57.08", out, length);
    return OK;
}

int nvmlDeviceGetCount_v2(unsigned int *count) {
    ENTER(NULL);
    *count = (unsigned int)scenario_number("count", -1, gpu_count());
    return OK;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned int index, Handle *out) {
    ENTER(NULL);
    if ((int)index >= gpu_count())
        return INVALID_ARGUMENT;
    ENTER(&gpus[index]);
    *out = &gpus[index];
    return OK;
}

/* Identity. */

int nvmlDeviceGetName(Handle handle, char *out, unsigned int length) {
    char name[64];
    ENTER(handle);
    scenario_text("name", handle->index, "NVIDIA H100 80GB HBM3", name, sizeof name);
    if (handle->instance < 0)
        snprintf(out, length, "%s", name);
    else
        snprintf(out, length, "%s MIG 1g.10gb", name);
    return OK;
}

int nvmlDeviceGetUUID(Handle handle, char *out, unsigned int length) {
    char uuid[96];
    ENTER(handle);
    snprintf(uuid, sizeof uuid, "%s-5eed0%03x-0000-4000-8000-00000000%02x%02x", handle->instance < 0 ? "GPU" : "MIG",
             handle->index, handle->index, handle->instance + 1);
    scenario_text(handle->instance < 0 ? "uuid" : "mig_uuid", handle->index, uuid, out, length);
    return OK;
}

int nvmlDeviceGetPciInfo_v3(Handle handle, PciInfo *out) {
    ENTER(handle);
    memset(out, 0, sizeof *out);
    out->bus = 0x19u + 0x10u * (unsigned int)handle->index;
    out->pciDeviceId = 0x233010DE;
    snprintf(out->busId, sizeof out->busId, "%08X:%02X:%02X.0", out->domain, out->bus, out->device);
    snprintf(out->busIdLegacy, sizeof out->busIdLegacy, "%04X:%02X:%02X.0", out->domain, out->bus, out->device);
    return OK;
}

int nvmlDeviceGetIndex(Handle handle, unsigned int *out) {
    ENTER(handle);
    *out = (unsigned int)handle->index;
    return OK;
}

/* Figures. */

static int is_cut(Handle handle) {
    return handle->instance >= 0 || scenario_number("mig", handle->index, 0) > 0;
}

int nvmlDeviceGetUtilizationRates(Handle handle, Utilization *out) {
    ENTER(handle);
    if (is_cut(handle))
        return NOT_SUPPORTED;
    double t = scenario_seconds();
    out->gpu = (unsigned int)scenario_number("busy", handle->index, 96 + 4.99 * noise(handle->index, 2, t));
    out->memory = (unsigned int)scenario_number("memory_busy", handle->index, 70 * load(handle->index, t));
    return OK;
}

int nvmlDeviceGetClockInfo(Handle handle, int type, unsigned int *out) {
    ENTER(handle);
    if (handle->instance >= 0)
        return NOT_SUPPORTED;
    double t = scenario_seconds();
    if (type == 2)
        *out = (unsigned int)scenario_number("memory_clock", handle->index, 2619);
    else
        *out = 15 * (unsigned int)(scenario_number("core_clock", handle->index, 1980 - 240 * load(handle->index, t)) / 15);
    return OK;
}

int nvmlDeviceGetMaxClockInfo(Handle handle, int type, unsigned int *out) {
    ENTER(handle);
    if (handle->instance >= 0)
        return NOT_SUPPORTED;
    *out = type == 2 ? 2619 : 1980;
    return OK;
}

int nvmlDeviceGetPowerUsage(Handle handle, unsigned int *out) {
    ENTER(handle);
    if (handle->instance >= 0 || scenario_number("vgpu", handle->index, 0))
        return NOT_SUPPORTED;
    *out = (unsigned int)(1e3 * power_w(handle->index, scenario_seconds()));
    return OK;
}

int nvmlDeviceGetEnforcedPowerLimit(Handle handle, unsigned int *out) {
    ENTER(handle);
    if (handle->instance >= 0 || scenario_number("vgpu", handle->index, 0))
        return NOT_SUPPORTED;
    *out = (unsigned int)(1e3 * scenario_number("power_limit_w", handle->index, 700));
    return OK;
}

int nvmlDeviceGetTotalEnergyConsumption(Handle handle, unsigned long long *out) {
    ENTER(handle);
    if (handle->instance >= 0 || scenario_number("vgpu", handle->index, 0))
        return NOT_SUPPORTED;
    *out = (unsigned long long)energy_mj(handle->index, scenario_seconds());
    return OK;
}

static unsigned long long share(Handle handle, unsigned long long mib) {
    return handle->instance < 0 ? mib : mib / 8;
}

int nvmlDeviceGetMemoryInfo(Handle handle, Memory *out) {
    ENTER(handle);
    if (scenario_number("unified", handle->index, 0))
        return NOT_SUPPORTED;
    unsigned long long reserved = share(handle, (unsigned long long)scenario_number("reserved_mib", handle->index, 551));
    out->total = share(handle, total_mib(handle->index)) * MIB;
    out->used = (share(handle, used_mib(handle->index, scenario_seconds())) + reserved) * MIB;
    out->free = out->total - out->used;
    return OK;
}

#ifndef WITHOUT_nvmlDeviceGetMemoryInfo_v2
int nvmlDeviceGetMemoryInfo_v2(Handle handle, MemoryV2 *out) {
    ENTER(handle);
    int kind = (int)scenario_number("memory_v2", handle->index, 1);
    if (scenario_number("unified", handle->index, 0))
        return NOT_SUPPORTED;
    if (kind == 0 || out->version != (sizeof *out | 2u << 24))
        return VERSION_MISMATCH;
    out->total = share(handle, total_mib(handle->index)) * MIB;
    out->reserved = share(handle, (unsigned long long)scenario_number("reserved_mib", handle->index, 551)) * MIB;
    out->used = share(handle, used_mib(handle->index, scenario_seconds())) * MIB;
    out->free = out->total - out->used - out->reserved;
    if (kind == 2)
        out->used += out->reserved;
    return OK;
}
#endif

static int chip_temp(int gpu) {
    return (int)scenario_number("chip_temp", gpu, 58 + gpu % 4 + 6 * load(gpu, scenario_seconds()));
}

int nvmlDeviceGetTemperature(Handle handle, int sensor, unsigned int *out) {
    ENTER(handle);
    if (sensor != 0)
        return INVALID_ARGUMENT;
    if (handle->instance >= 0)
        return NOT_SUPPORTED;
    *out = (unsigned int)chip_temp(handle->index);
    return OK;
}

#ifndef WITHOUT_nvmlDeviceGetTemperatureV
int nvmlDeviceGetTemperatureV(Handle handle, TemperatureV1 *out) {
    ENTER(handle);
    if (out->version != (sizeof *out | 1u << 24))
        return VERSION_MISMATCH;
    if (out->sensor != 0)
        return INVALID_ARGUMENT;
    if (handle->instance >= 0)
        return NOT_SUPPORTED;
    out->temperature = chip_temp(handle->index);
    return OK;
}
#endif

static int throttle_bits(Handle handle, unsigned long long *out) {
    if (handle->instance >= 0)
        return NOT_SUPPORTED;
    double watts = power_w(handle->index, scenario_seconds());
    *out = (unsigned long long)scenario_number("throttle_bits", handle->index, watts > 600 ? 4 : 0);
    return OK;
}

#ifndef WITHOUT_nvmlDeviceGetCurrentClocksEventReasons
int nvmlDeviceGetCurrentClocksEventReasons(Handle handle, unsigned long long *out) {
    ENTER(handle);
    return throttle_bits(handle, out);
}
#endif

int nvmlDeviceGetCurrentClocksThrottleReasons(Handle handle, unsigned long long *out) {
    ENTER(handle);
    return throttle_bits(handle, out);
}

int nvmlDeviceGetTotalEccErrors(Handle handle, int type, int counter, unsigned long long *out) {
    ENTER(handle);
    (void)counter;
    if (scenario_number("ecc", handle->index, 1) == 0 || scenario_number("vgpu", handle->index, 0))
        return NOT_SUPPORTED;
    *out = (unsigned long long)scenario_number(type == 0 ? "ecc_corrected" : "ecc_uncorrected", handle->index, 0);
    return OK;
}

int nvmlDeviceGetMemoryErrorCounter(Handle handle, int type, int counter, int location, unsigned long long *out) {
    const char *keys[2][2] = {{"ecc_hbm", "ecc_sram"}, {"ecc_hbm_uncorrected", "ecc_sram_uncorrected"}};
    ENTER(handle);
    (void)counter;
    if (type < 0 || type > 1)
        return INVALID_ARGUMENT;
    if ((location != 2 && location != 7) || scenario_number("ecc", handle->index, 1) == 0 || scenario_number("vgpu", handle->index, 0))
        return NOT_SUPPORTED;
    *out = (unsigned long long)scenario_number(keys[type][location == 7], handle->index, 0);
    return OK;
}

#ifndef WITHOUT_nvmlDeviceGetNvLinkState
int nvmlDeviceGetNvLinkState(Handle handle, unsigned int link, unsigned int *is_active) {
    ENTER(handle);
    if (handle->instance >= 0 || link >= MAX_LINKS)
        return INVALID_ARGUMENT;
    if (scenario_number("nvlink", handle->index, 4) == 0 || link >= scenario_number("links_wired", handle->index, MAX_LINKS))
        return NOT_SUPPORTED;
    *is_active = link >= scenario_number("links_down", handle->index, 0);
    return OK;
}
#endif

int nvmlDeviceGetRemappedRows(Handle handle, unsigned int *corrected, unsigned int *uncorrected, unsigned int *pending,
                              unsigned int *failed) {
    ENTER(handle);
    if (is_cut(handle) || scenario_number("retires_pages", handle->index, 0))
        return NOT_SUPPORTED;
    *corrected = (unsigned int)scenario_number("remapped_corrected", handle->index, 0);
    *uncorrected = (unsigned int)scenario_number("remapped_uncorrected", handle->index, 0);
    *pending = (unsigned int)scenario_number("remap_pending", handle->index, 0);
    *failed = 0;
    return OK;
}

int nvmlDeviceGetPcieReplayCounter(Handle handle, unsigned int *out) {
    ENTER(handle);
    if (handle->instance >= 0 || scenario_number("vgpu", handle->index, 0))
        return NOT_SUPPORTED;
    *out = (unsigned int)scenario_number("pcie_replays", handle->index, 0);
    return OK;
}

int nvmlDeviceGetCurrPcieLinkGeneration(Handle handle, unsigned int *out) {
    ENTER(handle);
    if (handle->instance >= 0)
        return NOT_SUPPORTED;
    *out = (unsigned int)scenario_number("pcie_generation", handle->index, 5);
    return OK;
}

int nvmlDeviceGetCurrPcieLinkWidth(Handle handle, unsigned int *out) {
    ENTER(handle);
    if (handle->instance >= 0)
        return NOT_SUPPORTED;
    *out = (unsigned int)scenario_number("pcie_width", handle->index, 16);
    return OK;
}

/* Field values. */

enum { TYPE_DOUBLE = 0, TYPE_UINT = 1, TYPE_ULONG = 2, TYPE_ULLONG = 3, TYPE_LLONG = 4, TYPE_INT = 5, TYPE_USHORT = 6 };

typedef struct {
    int type;
    double value;
} Figure;

static Figure link_figure(unsigned int id, unsigned int scope, int gpu, double t) {
    int generation = (int)scenario_number("nvlink", gpu, 4);
    double bytes = 1.1e11 * t * (id == 139 || id == 204 ? 0.98 : 1.0) + 1e12;
    int is_old = id == 138 || id == 139;
    if (generation == 0 || is_old != (generation <= 4))
        return (Figure){-NOT_SUPPORTED, 0};
    if (is_old && scope == ALL_LINKS)
        return (Figure){TYPE_ULLONG, bytes / 1024};
    if (scope >= MAX_LINKS)
        return (Figure){-INVALID_ARGUMENT, 0};
    return (Figure){TYPE_ULLONG, is_old ? bytes / 1024 / MAX_LINKS : bytes / MAX_LINKS};
}

static Figure throttle_figure(unsigned int id, int gpu, double t) {
    unsigned int first = (unsigned int)scenario_number("throttle_field", gpu, 251);
    if (first && id >= first && id < first + 3) {
        const char *keys[] = {"slow_thermal_ns", "slow_hw_thermal_ns", "slow_brake_ns"};
        return (Figure){TYPE_ULLONG, scenario_number(keys[id - first], gpu, id == first ? 1e6 * t : 0)};
    }
    if (first && scenario_number("power_smoothing", gpu, 0))
        return (Figure){TYPE_UINT, 1}; /* the same ids mean settings of power smoothing in the other numbering */
    return (Figure){-NOT_SUPPORTED, 0};
}

static Figure figure(unsigned int id, unsigned int scope, int gpu, double t) {
    int action = (int)scenario_number("recovery", gpu, -1);
    if (scenario_number("vgpu", gpu, 0) && id != 91)
        return (Figure){-NOT_SUPPORTED, 0};
    switch (id) {
    case 145:
        return (Figure){scenario_number("mig", gpu, 0) > 0 ? -NOT_SUPPORTED : TYPE_UINT, scenario_number("remap_failed", gpu, 0)};
    case 230:
        return (Figure){action < 0 ? -NOT_SUPPORTED : TYPE_UINT, action};
    case 29:
    case 30:
    case 31: {
        const char *keys[] = {"retired_corrected", "retired_uncorrected", "retirement_pending"};
        return (Figure){scenario_number("retires_pages", gpu, 0) ? TYPE_ULONG : -NOT_SUPPORTED, scenario_number(keys[id - 29], gpu, 0)};
    }
    case 38:
    case 45:
    case 52:
    case 59:
        if (scenario_number("nvlink", gpu, 4) == 0 || scenario_number("nvlink", gpu, 4) > 4)
            return (Figure){-NOT_SUPPORTED, 0};
        return (Figure){TYPE_ULLONG, scenario_number("link_errors", gpu, 0) + (id == 59)};
    case 208:
    case 211:
    case 212:
    case 215:
        if (scenario_number("nvlink", gpu, 4) < 5)
            return (Figure){-NOT_SUPPORTED, 0};
        return (Figure){scope < MAX_LINKS ? TYPE_ULLONG : -INVALID_ARGUMENT, scenario_number("link_errors", gpu, 0)};
    case 74:
        return (Figure){TYPE_ULLONG, scenario_number("slow_power_ns", gpu, 2e7 * t)};
    case 82:
        return (Figure){TYPE_UINT, scenario_number("hbm_temp", gpu, 66 + 5 * load(gpu, t))};
    case 83:
        return (Figure){TYPE_ULLONG, energy_mj(gpu, t)};
    case 91:
        return (Figure){TYPE_UINT, scenario_number("nvlink", gpu, 4) ? MAX_LINKS : 0};
    case 138:
    case 139:
    case 202:
    case 204:
        return link_figure(id, scope, gpu, t);
    case 186:
        return (Figure){TYPE_UINT, 1e3 * power_w(gpu, t)};
    case 197:
        return (Figure){TYPE_UINT, fmod(1e9 + 3.1e8 * t, 4294967296.0)};
    case 198:
        return (Figure){TYPE_UINT, fmod(2e9 + 9.2e8 * t, 4294967296.0)};
    case 251:
    case 252:
    case 253:
    case 269:
    case 270:
    case 271:
        return throttle_figure(id, gpu, t);
    default:
        return (Figure){-NOT_SUPPORTED, 0};
    }
}

static void put(FieldValue *out, int type, double value) {
    out->valueType = type;
    switch (type) {
    case TYPE_DOUBLE:
        out->value.dVal = value;
        break;
    case TYPE_UINT:
        out->value.uiVal = (unsigned int)value;
        break;
    case TYPE_LLONG:
        out->value.sllVal = (long long)value;
        break;
    case TYPE_INT:
        out->value.siVal = (int)value;
        break;
    case TYPE_USHORT:
        out->value.usVal = (unsigned short)value;
        break;
    default:
        out->value.ullVal = (unsigned long long)value;
    }
}

int nvmlDeviceGetFieldValues(Handle handle, int count, FieldValue *values) {
    ENTER(handle);
    if (count <= 0 || handle->instance >= 0)
        return INVALID_ARGUMENT;
    unsigned int highest = (unsigned int)scenario_number("highest_field", handle->index, 1000);
    for (int i = 0; i < count; i++)
        if (values[i].fieldId > highest)
            return INVALID_ARGUMENT;
    double t = scenario_seconds();
    int answered = 0;
    for (int i = 0; i < count; i++) {
        FieldValue *out = &values[i];
        Figure found = figure(out->fieldId, out->scopeId, handle->index, t);
        int code = (int)numbered("error.field", out->fieldId, handle->index, found.type < 0 ? -found.type : OK);
        out->timestamp = (long long)(t * 1e6);
        out->latencyUsec = 3;
        out->nvmlReturn = code;
        if (code != OK)
            continue;
        int type = (int)numbered("field_type", out->fieldId, handle->index, found.type);
        put(out, type, numbered("field", out->fieldId, handle->index, found.value));
        answered++;
    }
    return answered ? OK : NOT_SUPPORTED;
}

/* GPM. */

#ifndef WITHOUT_nvmlGpmQueryDeviceSupport
int nvmlGpmQueryDeviceSupport(Handle handle, GpmSupport *out) {
    ENTER(handle);
    if (out->version != 1)
        return VERSION_MISMATCH;
    out->isSupportedDevice = scenario_number("gpm", handle->index, 1) != 0;
    return OK;
}

int nvmlGpmSampleAlloc(Sample *out) {
    ENTER(NULL);
    *out = calloc(1, sizeof **out);
    live_samples++;
    return OK;
}

int nvmlGpmSampleFree(Sample sample) {
    ENTER(NULL);
    if (!sample)
        return INVALID_ARGUMENT;
    free(sample);
    live_samples--;
    return OK;
}

static int take(Handle handle, int instance, Sample sample) {
    if (!sample)
        return INVALID_ARGUMENT;
    if (scenario_number("gpm", handle->index, 1) == 0 || scenario_number("vgpu", handle->index, 0))
        return NOT_SUPPORTED;
    *sample = (struct sample){handle->index, instance, scenario_seconds()};
    return OK;
}

int nvmlGpmSampleGet(Handle handle, Sample sample) {
    ENTER(handle);
    return take(handle, -1, sample);
}

int nvmlGpmMigSampleGet(Handle handle, unsigned int instance, Sample sample) {
    ENTER(handle);
    return take(handle, (int)instance, sample);
}

static double gpm_default(unsigned int id, int gpu, double t) {
    double work = load(gpu, t);
    switch (id) {
    case 1:
        return 97 + 3 * noise(gpu, 3, t);
    case 2:
        return 88 * work;
    case 3:
        return 31 * work;
    case 4:
        return 9 * work;
    case 5:
        return 47 * work;
    case 7:
        return 46 * work;
    case 10:
        return 52 * work;
    case 11:
        return 0.1 * noise(gpu, 4, t);
    case 12:
        return 14 * work;
    case 13:
        return 2 * work;
    case 20:
        return 290 + 20 * noise(gpu, 5, t);
    case 21:
        return 860 + 60 * noise(gpu, 6, t);
    case 60:
        return 224000 * (1.35 - work);
    case 61:
        return 229000 * (1.35 - work);
    default:
        return -1;
    }
}

int nvmlGpmMetricsGet(GpmMetricsGet *get) {
    ENTER(NULL);
    if (get->version != 1)
        return VERSION_MISMATCH;
    if (!get->sample1 || !get->sample2 || get->numMetrics > 477 || get->sample1->gpu != get->sample2->gpu)
        return INVALID_ARGUMENT;
    int gpu = get->sample2->gpu;
    double t = scenario_number("gpm_frozen", gpu, 0) ? 1 : get->sample2->seconds;
    int is_short = get->sample2->seconds - get->sample1->seconds < 0.1;
    for (unsigned int i = 0; i < get->numMetrics; i++) {
        GpmMetric *metric = &get->metrics[i];
        double value = gpm_default(metric->metricId, gpu, t);
        int code = value < 0 ? NOT_SUPPORTED : is_short ? NO_DATA : OK;
        metric->nvmlReturn = (int)numbered("error.gpm", metric->metricId, gpu, code);
        metric->value = numbered("gpm", metric->metricId, gpu, value);
    }
    return OK;
}
#endif

/* Processes. */

static int write_process(unsigned char *at, size_t stride, unsigned int pid, long long mib, int instance) {
    ProcessInfo info = {pid, mib < 0 ? ~0ULL : (unsigned long long)mib * MIB, NONE, NONE};
    if (instance >= 0)
        info.gpuInstanceId = (unsigned int)instance, info.computeInstanceId = 0;
    memset(at, 0, stride);
    memcpy(at, &info, sizeof info);
    return 1;
}

static const char *pids_of(Handle handle, char *out, size_t size) {
    const char *all = getenv("STEELYARD_STANDIN_PIDS");
    out[0] = 0;
    for (int skip = 0; all && *all; skip++) {
        size_t length = strcspn(all, " ");
        if (skip == handle->index)
            snprintf(out, size, "%.*s:61440", (int)length, all);
        all += length + strspn(all + length, " ");
    }
    if (has_scenario)
        scenario_get("pids", handle->index, out, size);
    return out;
}

int nvmlDeviceGetComputeRunningProcesses_v3(Handle handle, unsigned int *count, void *out) {
    char buffer[160];
    ENTER(handle);
    size_t stride = (size_t)scenario_number("process_stride", -1, sizeof(ProcessInfo));
    unsigned int capacity = *count, found = 0;
    unsigned int copies = (unsigned int)scenario_number("process_copies", handle->index, 1);
    const char *at = pids_of(handle, buffer, sizeof buffer);
    unsigned int pid;
    long long mib;
    int length;
    while (sscanf(at, " %u:%lld%n", &pid, &mib, &length) == 2) {
        for (unsigned int copy = 0; copy < copies; copy++, found++)
            if (found < capacity && out)
                write_process((unsigned char *)out + found * stride, stride, pid + copy, mib, handle->instance);
        at += length;
    }
    *count = found;
    return found > capacity ? INSUFFICIENT_SIZE : OK;
}

#ifndef WITHOUT_nvmlDeviceGetMPSComputeRunningProcesses_v3
int nvmlDeviceGetMPSComputeRunningProcesses_v3(Handle handle, unsigned int *count, void *out) {
    ENTER(handle);
    unsigned int pid = (unsigned int)scenario_number("mps_pid", handle->index, 0);
    if (pid && *count < 1)
        return INSUFFICIENT_SIZE;
    *count = pid ? 1 : 0;
    if (pid)
        write_process(out, (size_t)scenario_number("process_stride", -1, sizeof(ProcessInfo)), pid, 512, handle->instance);
    return OK;
}
#endif

/* MIG. */

static int instance_count(int gpu) {
    int count = (int)scenario_number("mig", gpu, 0);
    return count > MAX_INSTANCES ? MAX_INSTANCES : count;
}

int nvmlDeviceGetMigMode(Handle handle, unsigned int *current, unsigned int *pending) {
    ENTER(handle);
    if (handle->instance >= 0 || scenario_number("mig_capable", handle->index, 1) == 0)
        return NOT_SUPPORTED;
    *current = *pending = instance_count(handle->index) > 0;
    return OK;
}

int nvmlDeviceGetMaxMigDeviceCount(Handle handle, unsigned int *count) {
    ENTER(handle);
    *count = instance_count(handle->index) > 0 ? MAX_INSTANCES : 0;
    return OK;
}

int nvmlDeviceGetMigDeviceHandleByIndex(Handle handle, unsigned int index, Handle *out) {
    ENTER(handle);
    if ((int)index >= instance_count(handle->index) || (int)index == (int)scenario_number("mig_hole", handle->index, -1))
        return NOT_FOUND;
    *out = &instances[handle->index][index];
    return OK;
}

int nvmlDeviceGetGpuInstanceId(Handle handle, unsigned int *id) {
    ENTER(handle);
    if (handle->instance < 0)
        return INVALID_ARGUMENT;
    *id = (unsigned int)handle->instance + 7;
    return OK;
}

int nvmlDeviceGetAttributes_v2(Handle handle, Attributes *out) {
    ENTER(handle);
    if (handle->instance < 0)
        return INVALID_ARGUMENT;
    memset(out, 0, sizeof *out);
    out->multiprocessorCount = 16;
    out->gpuInstanceSliceCount = 1;
    out->computeInstanceSliceCount = 1;
    out->memorySizeMB = total_mib(handle->index) / 8;
    return OK;
}

/* Events. */

typedef struct events {
    unsigned long long wanted[MAX_GPUS];
    double xid[MAX_GPUS], ecc[MAX_GPUS], recovery[MAX_GPUS], mig[MAX_GPUS];
} *EventSet;

int nvmlEventSetCreate(EventSet *out) {
    ENTER(NULL);
    *out = calloc(1, sizeof **out);
    return OK;
}

int nvmlEventSetFree(EventSet set) {
    ENTER(NULL);
    free(set);
    return OK;
}

/* New drivers tell of recovery; to ask an old one for it is an error. */
static unsigned long long event_types(int gpu) {
    return 0x1 | 0x2 | 0x8 | 0x10 | 0x100 | (scenario_number("recovery", gpu, -1) >= 0 ? 0x8000 : 0);
}

int nvmlDeviceGetSupportedEventTypes(Handle handle, unsigned long long *out) {
    ENTER(handle);
    *out = scenario_number("events", handle->index, 1) ? event_types(handle->index) : 0;
    return OK;
}

int nvmlDeviceRegisterEvents(Handle handle, unsigned long long types, EventSet set) {
    ENTER(handle);
    if (handle->instance >= 0 || (types & ~event_types(handle->index)))
        return NOT_SUPPORTED;
    set->wanted[handle->index] |= types;
    /* Only what happens from now on is told. */
    set->xid[handle->index] = scenario_number("xid", handle->index, 0);
    set->ecc[handle->index] = scenario_number("ecc_event", handle->index, 0);
    set->recovery[handle->index] = scenario_number("recovery_event", handle->index, 0);
    set->mig[handle->index] = scenario_number("mig_event", handle->index, 0);
    return OK;
}

static int next_event(EventSet set, EventData *out) {
    for (int i = 0; i < gpu_count(); i++) {
        double xid = scenario_number("xid", i, 0), ecc = scenario_number("ecc_event", i, 0);
        memset(out, 0, sizeof *out);
        out->device = &gpus[i];
        out->gpuInstanceId = out->computeInstanceId = NONE;
        if (set->wanted[i] & 0x8 && xid != set->xid[i]) {
            set->xid[i] = xid;
            out->eventType = 0x8;
            out->eventData = (unsigned long long)xid;
            return xid != 0;
        }
        double recovery = scenario_number("recovery_event", i, 0);
        if (set->wanted[i] & 0x8000 && recovery != set->recovery[i]) {
            set->recovery[i] = recovery;
            out->eventType = 0x8000;
            return recovery != 0;
        }
        double mig = scenario_number("mig_event", i, 0);
        if (set->wanted[i] & 0x100 && mig != set->mig[i]) {
            set->mig[i] = mig;
            out->eventType = 0x100;
            return mig != 0;
        }
        if (set->wanted[i] & 0x2 && ecc != set->ecc[i]) {
            set->ecc[i] = ecc;
            out->eventType = 0x2;
            return ecc != 0;
        }
    }
    return 0;
}

int nvmlEventSetWait_v2(EventSet set, EventData *out, unsigned int timeout_ms) {
    ENTER(NULL);
    /* Without a scenario nothing ever happens, and polling for it would look like the agent's cost. */
    unsigned int nap_ms = has_scenario ? 5 : timeout_ms;
    struct timespec nap = {nap_ms / 1000, (long)(nap_ms % 1000) * 1000000};
    for (double since = machine_seconds();;) {
        if (next_event(set, out))
            return OK;
        if (machine_seconds() - since >= timeout_ms / 1000.0)
            return TIMEOUT;
        nanosleep(&nap, NULL);
        ENTER(NULL);
    }
}

/* For tests: sizes and offsets as compiled, and buffers that were not given back. */

int standin_live_samples(void) {
    return live_samples;
}

#define SIZE(type, theirs) {#theirs, "", sizeof(type)}
#define AT(type, theirs, member) {#theirs, #member, offsetof(type, member)}

static const struct {
    const char *type, *member;
    size_t bytes;
} layouts[] = {
    SIZE(Utilization, c_nvmlUtilization_t),
    SIZE(Memory, c_nvmlMemory_t),
    SIZE(MemoryV2, c_nvmlMemory_v2_t),
    AT(MemoryV2, c_nvmlMemory_v2_t, reserved),
    AT(MemoryV2, c_nvmlMemory_v2_t, used),
    SIZE(TemperatureV1, c_nvmlTemperature_v1_t),
    AT(TemperatureV1, c_nvmlTemperature_v1_t, temperature),
    SIZE(PciInfo, nvmlPciInfo_t),
    AT(PciInfo, nvmlPciInfo_t, domain),
    AT(PciInfo, nvmlPciInfo_t, busId),
    SIZE(Value, c_nvmlValue_t),
    SIZE(FieldValue, c_nvmlFieldValue_t),
    AT(FieldValue, c_nvmlFieldValue_t, timestamp),
    AT(FieldValue, c_nvmlFieldValue_t, valueType),
    AT(FieldValue, c_nvmlFieldValue_t, nvmlReturn),
    AT(FieldValue, c_nvmlFieldValue_t, value),
    SIZE(ProcessInfo, c_nvmlProcessInfo_v3_t),
    AT(ProcessInfo, c_nvmlProcessInfo_v3_t, usedGpuMemory),
    AT(ProcessInfo, c_nvmlProcessInfo_v3_t, gpuInstanceId),
    SIZE(Attributes, c_nvmlDeviceAttributes),
    AT(Attributes, c_nvmlDeviceAttributes, memorySizeMB),
    SIZE(GpmSupport, c_nvmlGpmSupport_t),
    SIZE(GpmMetric, c_nvmlGpmMetric_t),
    AT(GpmMetric, c_nvmlGpmMetric_t, nvmlReturn),
    AT(GpmMetric, c_nvmlGpmMetric_t, value),
    SIZE(GpmMetricsGet, c_nvmlGpmMetricsGet_t),
    AT(GpmMetricsGet, c_nvmlGpmMetricsGet_t, sample2),
    AT(GpmMetricsGet, c_nvmlGpmMetricsGet_t, metrics),
    SIZE(EventData, c_nvmlEventData_t),
    AT(EventData, c_nvmlEventData_t, eventData),
    AT(EventData, c_nvmlEventData_t, gpuInstanceId),
};

/* The layout at `index`: type, member (empty for the size), bytes; 0 past the end. */
int standin_layout(int index, const char **type, const char **member, size_t *bytes) {
    if (index < 0 || (size_t)index >= sizeof layouts / sizeof layouts[0])
        return 0;
    *type = layouts[index].type;
    *member = layouts[index].member;
    *bytes = layouts[index].bytes;
    return 1;
}

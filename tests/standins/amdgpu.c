/* What the amdgpu driver puts into the file gpu_metrics: a program that writes one table.
 *
 *     amdgpu 1.6 power=700 energy=123456 ... > gpu_metrics
 *     amdgpu partition busy=90,80 busy_acc=123,456 ... > xcp_metrics    of one partition, in its version 1.0
 *
 * The compiler lays the structs out, so that the agent's offsets are held against something. Field order and types are
 * those of the kernel's interface (kgd_pp_interface.h). What isn't named stays all ones: the chip doesn't give it.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

struct header { u16 size; u8 format, content; };

#define OLD_FIELDS                                                                                                     \
    struct header header;                                                                                              \
    u16 edge, hotspot, mem, vrgfx, vrsoc, vrmem;                                                                       \
    u16 gfx, umc, mm;                                                                                                  \
    u16 power;                                                                                                         \
    u64 energy;                                                                                                        \
    u64 system_clock;                                                                                                  \
    u16 average_clocks[7];                                                                                             \
    u16 gfxclk, socclk, uclk, vclk0, dclk0, vclk1, dclk1;                                                              \
    u32 throttle;                                                                                                      \
    u16 fan, pcie_width, pcie_speed, padding;                                                                          \
    u32 gfx_acc, mem_acc;                                                                                              \
    u16 hbm_temperatures[4];

struct v1_1 { OLD_FIELDS };
struct v1_2 { OLD_FIELDS u64 fw_time; };
struct v1_3 { OLD_FIELDS u64 fw_time; u16 voltages[3]; u16 padding1; u64 indep_throttle; };

#define NEW_HEAD                                                                                                       \
    struct header header;                                                                                              \
    u16 hotspot, mem, vrsoc;                                                                                           \
    u16 power;                                                                                                         \
    u16 gfx, umc;
#define LINKS                                                                                                          \
    u32 lock;                                                                                                          \
    u16 pcie_width, pcie_speed, xgmi_width, xgmi_speed;                                                                \
    u32 gfx_acc, mem_acc;                                                                                              \
    u64 pcie_acc, pcie_inst, pcie_recoveries, replays, replay_rollovers;
#define NAKS u32 nak_sent, nak_received;
#define XGMI u64 xgmi_read[8], xgmi_write[8];
#define CLOCKS u16 gfxclk[8], socclk[4], vclk0[4], dclk0[4], uclk;
#define RESIDENCIES u32 cycles, prochot, ppt, socket_thermal, vr_thermal, hbm_thermal;

struct partition { u32 busy[8]; u16 jpeg[32], vcn[4]; u64 busy_acc[8]; };
struct partition_1 { u32 busy[8]; u16 jpeg[32], vcn[4]; u64 busy_acc[8], limited[8]; };
struct partition_2 { u32 busy[8]; u16 jpeg[40], vcn[4]; u64 busy_acc[8], limited_ppt[8], limited_thm[8], low[8], limited[8]; };

struct v1_4 { NEW_HEAD u16 vcn[4]; u64 energy, system_clock; u32 throttle; LINKS XGMI u64 fw_time; CLOCKS u16 padding; };
struct v1_5 {
    NEW_HEAD u16 vcn[4], jpeg[32]; u64 energy, system_clock; u32 throttle; LINKS NAKS XGMI u64 fw_time; CLOCKS u16 padding;
};
struct v1_6 {
    NEW_HEAD u64 energy, system_clock; RESIDENCIES LINKS NAKS XGMI u64 fw_time; CLOCKS
    u16 partitions; struct partition partition[8]; u32 other_end;
};
#define LATEST                                                                                                         \
    NEW_HEAD u64 bandwidth, energy, system_clock; RESIDENCIES LINKS NAKS XGMI u16 xgmi_up[8], padding; u64 fw_time;    \
    CLOCKS u16 partitions;
struct v1_7 { LATEST struct partition_1 partition[8]; u32 other_end; };
struct v1_8 { LATEST struct partition_2 partition[8]; u32 other_end; };

struct partition_table {
    struct header header; CLOCKS u16 padding; u32 busy[8]; u16 jpeg[40], vcn[4];
    u64 busy_acc[8], limited_ppt[8], limited_thm[8], low[8], limited[8];
};

static u8 table[4096];

struct field { const char *name; size_t offset, width, count; };
#define AT(version, name) {#name, offsetof(struct version, name), sizeof(((struct version *)0)->name), 1}
#define MANY(version, name) \
    {#name, offsetof(struct version, name), sizeof(((struct version *)0)->name[0]), sizeof(((struct version *)0)->name) / sizeof(((struct version *)0)->name[0])}
#define HEAD(v) AT(v, hotspot), AT(v, mem), AT(v, power), AT(v, gfx), AT(v, umc), AT(v, energy), AT(v, gfx_acc), AT(v, pcie_width), AT(v, pcie_speed)
#define OLD(v) HEAD(v), AT(v, gfxclk), AT(v, uclk), AT(v, throttle)
#define NEW(v) HEAD(v), MANY(v, gfxclk), AT(v, uclk), AT(v, fw_time), AT(v, replays), MANY(v, xgmi_read), MANY(v, xgmi_write)
#define HELD(v) AT(v, cycles), AT(v, prochot), AT(v, ppt), AT(v, socket_thermal), AT(v, vr_thermal), AT(v, hbm_thermal)

#define PARTITION(v, n) \
    {"busy" #n, offsetof(struct v, partition[n].busy), 4, 8}, {"busy_acc" #n, offsetof(struct v, partition[n].busy_acc), 8, 8}
#define PARTITIONS(v) PARTITION(v, 0), PARTITION(v, 1), PARTITION(v, 7)

static const struct field fields_1_1[] = {OLD(v1_1), {0}};
static const struct field fields_1_2[] = {OLD(v1_2), AT(v1_2, fw_time), {0}};
static const struct field fields_1_3[] = {OLD(v1_3), AT(v1_3, fw_time), AT(v1_3, indep_throttle), {0}};
static const struct field fields_1_4[] = {NEW(v1_4), AT(v1_4, throttle), {0}};
static const struct field fields_1_5[] = {NEW(v1_5), AT(v1_5, throttle), {0}};
static const struct field fields_1_6[] = {NEW(v1_6), HELD(v1_6), PARTITIONS(v1_6), {0}};
static const struct field fields_1_7[] = {NEW(v1_7), HELD(v1_7), MANY(v1_7, xgmi_up), PARTITIONS(v1_7), {0}};
static const struct field fields_1_8[] = {NEW(v1_8), HELD(v1_8), MANY(v1_8, xgmi_up), PARTITIONS(v1_8), {0}};
static const struct field fields_partition[] = {MANY(partition_table, busy), MANY(partition_table, busy_acc), {0}};

static const struct { size_t size; const struct field *fields; } versions[] = {
    {sizeof(struct partition_table), fields_partition},
    {sizeof(struct v1_1), fields_1_1}, {sizeof(struct v1_2), fields_1_2}, {sizeof(struct v1_3), fields_1_3},
    {sizeof(struct v1_4), fields_1_4}, {sizeof(struct v1_5), fields_1_5}, {sizeof(struct v1_6), fields_1_6},
    {sizeof(struct v1_7), fields_1_7}, {sizeof(struct v1_8), fields_1_8},
};

int main(int count, char **words) {
    int is_partition = count > 1 && !strcmp(words[1], "partition");
    int version = count > 1 ? atoi(strchr(words[1], '.') ? strchr(words[1], '.') + 1 : "0") : 0;
    if (!is_partition && (version < 1 || version > 8)) {
        fprintf(stderr, "usage: amdgpu 1.N|partition name=value ... (N from 1 to 8)\n");
        return 2;
    }
    memset(table, 0xFF, sizeof table);
    struct header header = {(u16)versions[version].size, 1, (u8)version};
    memcpy(table, &header, sizeof header);
    for (int i = 2; i < count; i++) {
        char *value = strchr(words[i], '=');
        const struct field *field = versions[version].fields;
        if (!value) return 2;
        *value++ = 0;
        while (field->name && strcmp(field->name, words[i])) field++;
        if (!field->name) continue; /* this version has no such field */
        for (size_t element = 0; element < field->count; element++) {
            u64 number = strtoull(value, &value, 0);
            memcpy(table + field->offset + element * field->width, &number, field->width);
            if (*value != ',') break;
            value++;
        }
    }
    return fwrite(table, 1, versions[version].size, stdout) == versions[version].size ? 0 : 1;
}

/* Stands in for libdcmi.so: DCMI's symbols and struct layouts over made-up NPUs.
 *
 * Without a scenario it is a node of 8 Ascend 910B2, one on each card, in training. Keys of its own, beside those of
 * scenario.py (`.N` for NPU N, counted through the cards):
 *
 *     chip 910A, 910B2, 910C, 950 the family: what is called how, which calls answer, how many NPUs a card has; a 950
 *                                 answers by the functions dcmiv2_* alone, the others by dcmi_* alone
 *     devices count               NPUs (8; of a 910C 16 on 8 cards)
 *     first_card id, card_step n  the cards' ids (0, 1)
 *     card_gone.C 1               the card with the id C is no longer listed
 *     mcu 1                       each card has a device more, which is no NPU
 *     cards, devices_in_card, process_count   answered in place of the true count
 *     library, driver text        versions
 *     release number              of the kernel's driver: a library that was loaded under another one refuses
 *     refusal code                what it answers then (-8012)
 *     npu_name.N, chip_name.N, chip_type.N text; npu_name "-" is empty
 *     die.N 0                     the die tells no number
 *     booting.N 1                 every call about the NPU answers -8012
 *     held.N code                 every call about the NPU answers this, -8005 or -8020: another container has it
 *     package_power 0             910C: each die tells its own power; 1: its first die tells the package's (1)
 *     other_die code              910C: what the second die's power call returns then (0, with a power of 0)
 *     busy, core_active, cube, vector, hbm_busy, clock, clock_max, hbm_clock, power_w, chip_temp, hbm_temp, voltage,
 *     hbm_mib, hbm_used_mib, health, network_health, ecc, ecc_single, ecc_double, isolated, next_isolated, slowed_by,
 *     hccs_tx, hccs_rx (GiB/s), hccs_errors (of each of 7 links),
 *     hccs_tx_packets, hccs_rx_packets (of each), hccs_down (of these), pcie_retries, ub_up (of 8 ports), ub_errors (of each), pcie_tx, pcie_rx (MB/ms), roce_tx, roce_rx (bytes),
 *     roce_bad, roce_retries, roce_pfc (received), sio_errors (sent, of a 910C)   figures
 *     virtual.N n                 the NPU is split into that many virtual ones: link calls answer -8002
 *     faults.N text               "80E01801 81078603": the error codes that are active
 *     fault_text text             what the library says of any error code; without it, it knows none
 *     pids.N text                 "123:4096 124:512": pids and MiB; by default those of STEELYARD_STANDIN_PIDS
 *                                 ("123 124 ..."), one on each NPU
 */
#include <math.h>
#include <stddef.h>

#include "scenario.h"

enum {
    OK = 0,
    INVALID_PARAMETER = -8001,
    NOT_PERMITTED = -8002,
    INVALID_DEVICE = -8007,
    DEVICE_NOT_EXIST = -8008,
    NOT_READY = -8012,
    NOT_SUPPORT = -8255,
    NO_FUNCTION = -99998,
};

#define MAX_NPUS 256
#define MIB 1048576UL

typedef struct {
    char chip_type[32], chip_name[32], chip_ver[32];
    unsigned int aicore_cnt;
} ChipInfo;

typedef struct {
    char chip_type[32], chip_name[32], chip_ver[32];
    unsigned int aicore_cnt;
    char npu_name[32];
} ChipInfoV2;

typedef struct {
    unsigned int aic_util, aiv_util, aicore_util, npu_util, reserved[8];
} MultiUtilization;

typedef struct {
    unsigned long long memory_size;
    unsigned int freq;
    unsigned long long memory_usage;
    int temp;
    unsigned int bandwidth_util;
} HbmInfo;

typedef struct {
    int enable_flag;
    unsigned int single_bit_error_cnt, double_bit_error_cnt, total_single_bit_error_cnt, total_double_bit_error_cnt,
        single_bit_isolated_pages_cnt, double_bit_isolated_pages_cnt, single_bit_next_isolated_pages_cnt,
        double_bit_next_isolated_pages_cnt;
} EccInfo;

typedef struct {
    unsigned int vendor_id, subvendor_id, device_id, subdevice_id;
    int domain;
    unsigned int bus, slot, function;
    unsigned char reserved[32];
} PcieInfo;

typedef struct {
    unsigned int soc_die[5];
} DieId;

typedef struct {
    int proc_id;
    unsigned long proc_mem_usage;
} ProcessMemory;

typedef struct {
    int profiling_time;
    double total_txbw, total_rxbw, tx_bandwidth[16], rx_bandwidth[16];
} HccsBandwidth;

typedef struct {
    int profiling_time;
    unsigned int tx_p_bw[3], tx_np_bw[3], tx_cpl_bw[3], tx_np_lantency[3], rx_p_bw[3], rx_np_bw[3], rx_cpl_bw[3];
} PcieBandwidth;

typedef struct {
    unsigned long long tx_cnt[16], rx_cnt[16], crc_err_cnt[16], retry_cnt[16], reserved[64];
} HccsCounts;

typedef struct {
    unsigned int tx_err_cnt, rx_err_cnt, lcrc_err_cnt, ecrc_err_cnt, retry_cnt, rsv[32];
} PcieErrors;

typedef struct {
    unsigned short tx_error_count, rx_error_count;
    unsigned char reserved[8];
} SioErrors;

typedef struct {
    unsigned int hccs_port_pcs_bitmap, pcs_lane_bitmap[16], reserve[16];
} HccsLanes;

typedef struct {
    int ub_link_status, ub_port_status[36];
} UbLinks;

typedef struct {
    int udie_id, port_id;
} UbPort;

typedef struct {
    int die_nums;
    struct {
        int die_index, port_nums;
        struct {
            int port_index, mode;
        } port_list_data[32];
    } die_list_data[2];
} PortList;

typedef struct {
    int port_mode;
    unsigned long long packets[39], crc_error_sum, pauses[4], bad[2], bad_octets[2], reserved[16];
} UbCounts;

typedef struct {
    unsigned long long mac_tx_mac_pause_num, mac_rx_mac_pause_num, mac_tx_pfc_pkt_num, mac_tx_pfc_by_priority[8],
        mac_rx_pfc_pkt_num, mac_rx_pfc_by_priority[8], mac_tx_total_pkt_num, mac_tx_total_oct_num, mac_tx_bad_pkt_num,
        mac_tx_bad_oct_num, mac_rx_total_pkt_num, mac_rx_total_oct_num, mac_rx_bad_pkt_num, mac_rx_bad_oct_num,
        mac_rx_fcs_err_pkt_num, roce[13], roce_new_pkt_rty_num, roce_ecn_db_num, nic[4];
    long tv_sec, tv_usec;
    unsigned char reserved[64];
} NetworkCounts;

/* Tests compare these with the structs of the agent. */
#define SIZE(type) {#type, "", sizeof(type)}
#define AT(type, member) {#type, #member, offsetof(type, member)}
static const struct {
    const char *type, *member;
    size_t bytes;
} layouts[] = {
    SIZE(ChipInfoV2),       AT(ChipInfoV2, aicore_cnt), AT(ChipInfoV2, npu_name),
    SIZE(MultiUtilization), AT(MultiUtilization, npu_util), SIZE(HbmInfo),
    AT(HbmInfo, freq),      AT(HbmInfo, memory_usage),  AT(HbmInfo, temp),
    AT(HbmInfo, bandwidth_util), SIZE(EccInfo),         AT(EccInfo, double_bit_next_isolated_pages_cnt),
    SIZE(PcieInfo),         AT(PcieInfo, domain),       AT(PcieInfo, bus),
    SIZE(DieId),            SIZE(ProcessMemory),        AT(ProcessMemory, proc_mem_usage),
    SIZE(HccsBandwidth),    AT(HccsBandwidth, total_txbw), AT(HccsBandwidth, rx_bandwidth),
    SIZE(PcieBandwidth),    AT(PcieBandwidth, rx_cpl_bw), SIZE(HccsCounts), AT(HccsCounts, crc_err_cnt),
    SIZE(PcieErrors),       AT(PcieErrors, retry_cnt),
    SIZE(HccsLanes),        AT(HccsLanes, pcs_lane_bitmap), SIZE(UbLinks), SIZE(UbPort), SIZE(PortList),
    AT(PortList, die_list_data), SIZE(UbCounts), AT(UbCounts, crc_error_sum), AT(UbCounts, bad),
    SIZE(NetworkCounts),    AT(NetworkCounts, mac_tx_total_oct_num), AT(NetworkCounts, mac_rx_bad_pkt_num),
    AT(NetworkCounts, mac_rx_pfc_pkt_num), AT(NetworkCounts, roce_new_pkt_rty_num), SIZE(SioErrors),
    AT(SioErrors, rx_error_count),
};

int standin_layout(int index, const char **type, const char **member, size_t *bytes) {
    if (index < 0 || index >= (int)(sizeof layouts / sizeof *layouts))
        return 0;
    *type = layouts[index].type;
    *member = layouts[index].member;
    *bytes = layouts[index].bytes;
    return 1;
}

/* Which NPUs there are. */

static int is_chip(const char *family) {
    char told[160];
    const char *chip = scenario_get("chip", -1, told, sizeof told) ? told : "910B2";
    return strncmp(chip, family, strlen(family)) == 0;
}

static int npus_on_card(void) { return is_chip("910C") ? 2 : 1; }

static int npu_count(void) {
    int usual = scenario_usual_devices("STEELYARD_STANDIN_NPUS") * npus_on_card();
    int count = (int)scenario_number("devices", -1, usual);
    return count > MAX_NPUS ? MAX_NPUS : count;
}

static int card_count(void) { return (npu_count() + npus_on_card() - 1) / npus_on_card(); }

static int card_id(int position) {
    return (int)scenario_number("first_card", -1, 0) + position * (int)scenario_number("card_step", -1, 1);
}

static int card_position(int card) {
    for (int position = 0; position < card_count(); position++)
        if (card_id(position) == card)
            return scenario_number("card_gone", card, 0) != 0 ? -1 : position;
    return -1;
}

/* NPU N of a card and device; else a code below 0. */
static int npu_of(int card, int device) {
    int position = card_position(card);
    int npu = position * npus_on_card() + device;
    if (position < 0)
        return INVALID_DEVICE;
    if (device < 0 || device >= npus_on_card() || npu >= npu_count())
        return DEVICE_NOT_EXIST;
    return npu;
}

static int release = -1; /* of the driver that this library was loaded under */

static int enter_library(const char *function, int npu) {
    int now = (int)scenario_number("release", -1, 0);
    if (release < 0)
        release = now;
    return release != now ? (int)scenario_number("refusal", -1, NOT_READY)
                          : scenario_enter(function, npu, INVALID_DEVICE, NO_FUNCTION);
}

/* Set while a function of the second set calls one of the first. */
static __thread int is_second;

/* Enters a call about an NPU: its number, or the code that the call returns. */
static int enter(const char *function, int card, int device) {
    scenario_look();
    int npu = npu_of(card, device);
    if (is_chip("950") != is_second)
        return NOT_SUPPORT;
    if (npu < 0)
        return npu;
    int code = enter_library(function, npu);
    if (code == OK && scenario_number("booting", npu, 0) != 0)
        code = NOT_READY;
    if (code == OK)
        code = (int)scenario_number("held", npu, 0);
    if (code > 0)
        return INVALID_PARAMETER;
    return code != OK ? code : npu;
}

/* What a training would show: steps of 1 to 2 s, of which the last quarter exchanges gradients. */

static double wave(int npu) {
    double period = 1.0 + 0.13 * (npu % 8);
    double part = fmod(scenario_seconds() + 0.37 * npu, period) / period;
    return part < 0.75 ? 1.0 : 0.3;
}

static unsigned int percent(const char *key, int npu, double fallback) {
    return (unsigned int)lround(scenario_number(key, npu, fallback));
}

static unsigned int core_active(int npu) { return percent("core_active", npu, 88 * wave(npu)); }
static unsigned int cube(int npu) { return percent("cube", npu, 71 * wave(npu)); }
static unsigned int vector(int npu) { return percent("vector", npu, 24 + 8 * wave(npu)); }
static unsigned int busy(int npu) { return percent("busy", npu, 92 * wave(npu)); }
static unsigned int hbm_busy(int npu) { return percent("hbm_busy", npu, 55 * wave(npu)); }

/* The library. */

int dcmi_init(void) {
    scenario_look();
    int code = enter_library("dcmi_init", -1);
    return code != OK ? code : is_chip("950") ? NOT_SUPPORT : OK;
}

static int text_out(const char *function, const char *key, const char *fallback, char *out, unsigned int length) {
    scenario_look();
    int code = scenario_enter(function, -1, INVALID_DEVICE, NO_FUNCTION);
    if (code == OK)
        scenario_text(key, -1, fallback, out, length);
    return code;
}

int dcmi_get_dcmi_version(char *out, unsigned int length) {
    return text_out("dcmi_get_dcmi_version", "library", "24.1.0", out, length);
}

int dcmi_get_driver_version(char *out, unsigned int length) {
    return text_out("dcmi_get_driver_version", "driver", "24.1.rc3", out, length);
}

int dcmi_get_card_list(int *count, int *ids, int length) {
    scenario_look();
    int code = enter_library("dcmi_get_card_list", -1);
    if (code != OK)
        return code;
    *count = 0;
    for (int position = 0; position < card_count() && *count < length; position++)
        if (card_position(card_id(position)) >= 0)
            ids[(*count)++] = card_id(position);
    *count = (int)scenario_number("cards", -1, *count);
    return OK;
}

int dcmi_get_device_num_in_card(int card, int *count) {
    scenario_look();
    int position = card_position(card);
    if (position < 0)
        return INVALID_DEVICE;
    int code = scenario_enter("dcmi_get_device_num_in_card", position, OK, NO_FUNCTION);
    if (code != OK)
        return code;
    *count = npus_on_card() + (scenario_number("mcu", -1, 0) != 0);
    *count = (int)scenario_number("devices_in_card", -1, *count);
    return OK;
}

/* Who an NPU is. */

#ifndef WITHOUT_dcmi_get_device_type
int dcmi_get_device_type(int card, int device, int *type) {
    scenario_look();
    if (card_position(card) >= 0 && device == npus_on_card() && scenario_number("mcu", -1, 0) != 0) {
        *type = 1;
        return OK;
    }
    int npu = enter("dcmi_get_device_type", card, device);
    if (npu < 0)
        return npu;
    *type = 0;
    return OK;
}
#endif

int dcmi_get_device_logic_id(int *logic, int card, int device) {
    int npu = enter("dcmi_get_device_logic_id", card, device);
    if (npu < 0)
        return npu;
    *logic = npu;
    return OK;
}

static int chip_info(const char *function, int card, int device, ChipInfo *info) {
    int npu = enter(function, card, device);
    char family[32];
    if (npu < 0)
        return npu;
    scenario_text("chip", -1, "910B2", family, sizeof family);
    scenario_text("chip_type", npu, "Ascend", info->chip_type, sizeof info->chip_type);
    /* A 910C's driver names the family only, as does a 910A's; the others name the chip. */
    const char *name = is_chip("910B") || is_chip("950") ? family : "910";
    scenario_text("chip_name", npu, name, info->chip_name, sizeof info->chip_name);
    snprintf(info->chip_ver, sizeof info->chip_ver, "V1");
    info->aicore_cnt = is_chip("910A") ? 32 : 24;
    return npu;
}

int dcmi_get_device_chip_info(int card, int device, ChipInfo *info) {
    int npu = chip_info("dcmi_get_device_chip_info", card, device, info);
    return npu < 0 ? npu : OK;
}

#ifndef WITHOUT_dcmi_get_device_chip_info_v2
int dcmi_get_device_chip_info_v2(int card, int device, ChipInfoV2 *info) {
    int npu = chip_info("dcmi_get_device_chip_info_v2", card, device, (ChipInfo *)info);
    if (npu < 0)
        return npu;
    const char *name = is_chip("910C") ? "Ascend910_9392" : "";
    scenario_text("npu_name", npu, name, info->npu_name, sizeof info->npu_name);
    if (strcmp(info->npu_name, "-") == 0)
        info->npu_name[0] = 0;
    return OK;
}
#endif

int dcmi_get_device_pcie_info_v2(int card, int device, PcieInfo *info) {
    int npu = enter("dcmi_get_device_pcie_info_v2", card, device);
    if (npu < 0)
        return npu;
    memset(info, 0, sizeof *info);
    info->vendor_id = 0x19e5;
    info->bus = 0x40u + (unsigned int)npu;
    return OK;
}

#ifndef WITHOUT_dcmi_get_device_die_v2
int dcmi_get_device_die_v2(int card, int device, int kind, DieId *die) {
    int npu = enter("dcmi_get_device_die_v2", card, device);
    if (npu < 0)
        return npu;
    if (is_second ? kind != 2 : kind != 0 && kind != 1)
        return INVALID_PARAMETER;
    memset(die, 0, sizeof *die);
    if (scenario_number("die", npu, 1) != 0)
        for (unsigned int word = 0; word < 5; word++)
            die->soc_die[word] = 0xA0000000u + 0x10000u * word + 0x100u * (unsigned int)kind + (unsigned int)npu;
    return OK;
}
#endif

/* Figures. */

#ifndef WITHOUT_dcmi_get_device_multi_utilization_rate
int dcmi_get_device_multi_utilization_rate(int card, int device, MultiUtilization *out) {
    int npu = enter("dcmi_get_device_multi_utilization_rate", card, device);
    if (npu < 0)
        return npu;
    if (is_chip("910A"))
        return NOT_SUPPORT;
    memset(out, 0, sizeof *out);
    out->aic_util = cube(npu);
    out->aiv_util = vector(npu);
    out->aicore_util = core_active(npu);
    out->npu_util = busy(npu);
    return OK;
}
#endif

int dcmi_get_device_utilization_rate(int card, int device, int type, unsigned int *out) {
    int npu = enter("dcmi_get_device_utilization_rate", card, device);
    if (npu < 0)
        return npu;
    int is_old = is_chip("910A");
    switch (type) {
    case 2:
        *out = core_active(npu);
        return OK;
    case 6:
        *out = percent("hbm_used_percent", npu, 70);
        return OK;
    case 10:
        *out = hbm_busy(npu);
        return OK;
    case 12:
        *out = vector(npu);
        return is_old ? NOT_SUPPORT : OK;
    case 13:
        *out = busy(npu);
        return is_old ? NOT_SUPPORT : OK;
    case 14:
        *out = cube(npu);
        return is_old ? NOT_SUPPORT : OK;
    default:
        return INVALID_PARAMETER;
    }
}

#ifndef WITHOUT_dcmi_get_device_hbm_info
int dcmi_get_device_hbm_info(int card, int device, HbmInfo *out) {
    int npu = enter("dcmi_get_device_hbm_info", card, device);
    if (npu < 0)
        return npu;
    double total = scenario_number("hbm_mib", npu, is_chip("910A") ? 32768 : 65536);
    memset(out, 0, sizeof *out);
    out->memory_size = (unsigned long long)total;
    out->memory_usage = (unsigned long long)scenario_number("hbm_used_mib", npu, floor(total * 0.7) + npu);
    out->freq = (unsigned int)scenario_number("hbm_clock", npu, 1600);
    out->temp = (int)scenario_number("hbm_temp", npu, 48 + npu % 8);
    out->bandwidth_util = hbm_busy(npu);
    return OK;
}
#endif

int dcmi_get_device_power_info(int card, int device, int *out) {
    int npu = enter("dcmi_get_device_power_info", card, device);
    if (npu < 0)
        return npu;
    double watts = 90 + (is_chip("910A") ? 160 : 260) * wave(npu);
    if (is_chip("910C") && scenario_number("package_power", -1, 1) != 0) {
        if (device == 1) {
            *out = 0;
            return (int)scenario_number("other_die", -1, OK);
        }
        watts *= 2;
    }
    *out = (int)lround(scenario_number("power_w", npu, watts) * 10);
    return OK;
}

int dcmi_get_device_voltage(int card, int device, unsigned int *out) {
    int npu = enter("dcmi_get_device_voltage", card, device);
    if (npu < 0)
        return npu;
    *out = (unsigned int)lround(scenario_number("voltage", npu, 0.85) * 100);
    return OK;
}

int dcmi_get_device_temperature(int card, int device, int *out) {
    int npu = enter("dcmi_get_device_temperature", card, device);
    if (npu < 0)
        return npu;
    *out = (int)scenario_number("chip_temp", npu, 52 + npu % 8);
    return OK;
}

int dcmi_get_device_frequency(int card, int device, int type, unsigned int *out) {
    int npu = enter("dcmi_get_device_frequency", card, device);
    if (npu < 0)
        return npu;
    switch (type) {
    case 6:
        *out = (unsigned int)scenario_number("hbm_clock", npu, 1600);
        return OK;
    case 7:
        *out = (unsigned int)scenario_number("clock", npu, 1000 + 650 * wave(npu));
        return OK;
    case 9:
        *out = (unsigned int)scenario_number("clock_max", npu, 1800);
        return OK;
    default:
        return INVALID_PARAMETER;
    }
}

int dcmi_get_device_health(int card, int device, unsigned int *out) {
    int npu = enter("dcmi_get_device_health", card, device);
    if (npu < 0)
        return npu;
    *out = (unsigned int)scenario_number("health", npu, 0);
    return OK;
}

int dcmi_get_device_network_health(int card, int device, int *out) {
    int npu = enter("dcmi_get_device_network_health", card, device);
    if (npu < 0)
        return npu;
    *out = (int)scenario_number("network_health", npu, 0);
    return OK;
}

int dcmi_get_device_ecc_info(int card, int device, int part, EccInfo *out) {
    int npu = enter("dcmi_get_device_ecc_info", card, device);
    if (npu < 0)
        return npu;
    if (part != 2)
        return INVALID_PARAMETER;
    memset(out, 0, sizeof *out);
    out->enable_flag = scenario_number("ecc", npu, 1) != 0;
    out->single_bit_error_cnt = (unsigned int)scenario_number("ecc_single", npu, 0);
    out->double_bit_error_cnt = (unsigned int)scenario_number("ecc_double", npu, 0);
    out->total_single_bit_error_cnt = out->single_bit_error_cnt + 100;
    out->total_double_bit_error_cnt = out->double_bit_error_cnt + 100;
    out->single_bit_isolated_pages_cnt = (unsigned int)scenario_number("isolated", npu, 0);
    out->double_bit_isolated_pages_cnt = 2 * out->single_bit_isolated_pages_cnt;
    out->single_bit_next_isolated_pages_cnt = (unsigned int)scenario_number("next_isolated", npu, 0);
    out->double_bit_next_isolated_pages_cnt = 3 * out->single_bit_next_isolated_pages_cnt;
    return OK;
}

/* The pids of the environment are laid one on each NPU. */
static inline void default_pids(int npu, char *out, size_t size) {
    const char *all = getenv("STEELYARD_STANDIN_PIDS");
    out[0] = '\0';
    for (int position = 0; all && *all; position++) {
        char *end;
        long pid = strtol(all, &end, 10);
        if (end == all)
            return;
        if (position == npu)
            snprintf(out, size, "%ld:30000", pid);
        all = end;
    }
}

#ifndef WITHOUT_dcmi_get_device_resource_info
int dcmi_get_device_resource_info(int card, int device, ProcessMemory *out, int *count) {
    int npu = enter("dcmi_get_device_resource_info", card, device);
    char fallback[160], text[160], *at = text;
    int found = 0, pid, used;
    unsigned long mib;
    if (npu < 0)
        return npu;
    default_pids(npu, fallback, sizeof fallback);
    scenario_text("pids", npu, fallback, text, sizeof text);
    while (found < 32 && sscanf(at, " %d:%lu%n", &pid, &mib, &used) == 2) {
        out[found].proc_id = pid;
        out[found++].proc_mem_usage = mib * MIB;
        at += used;
    }
    *count = (int)scenario_number("process_count", npu, found);
    return OK;
}
#endif

#ifndef WITHOUT_dcmi_get_device_errorcode_v2
int dcmi_get_device_errorcode_v2(int card, int device, int *count, unsigned int *codes, unsigned int length) {
    int npu = enter("dcmi_get_device_errorcode_v2", card, device);
    char text[160], *at = text;
    int found = 0, used;
    if (npu < 0)
        return npu;
    scenario_text("faults", npu, "", text, sizeof text);
    while (found < (int)length && sscanf(at, " %x%n", &codes[found], &used) == 1) {
        found++;
        at += used;
    }
    *count = (int)scenario_number("fault_count", npu, found);
    return OK;
}
#endif

int dcmi_get_device_errorcode_string(int card, int device, unsigned int code, char *out, int length) {
    int npu = enter("dcmi_get_device_errorcode_string", card, device);
    if (npu < 0)
        return npu;
    if (length < 48 || code == 0)
        return INVALID_PARAMETER;
    out[0] = 0;
    scenario_text("fault_text", npu, "", out, (size_t)length);
    return out[0] ? OK : NOT_SUPPORT;
}

#ifndef WITHOUT_dcmi_get_device_info
int dcmi_get_device_info(int card, int device, int main_command, unsigned int command, void *out, unsigned int *size) {
    int npu = enter("dcmi_get_device_info", card, device);
    if (npu < 0)
        return npu;
    if (main_command == 8 && command == 9) {
        if (*size != sizeof(unsigned long long))
            return INVALID_PARAMETER;
        *(unsigned long long *)out = (unsigned long long)scenario_number("slowed_by", npu, 0);
        return is_chip("910A") ? NOT_SUPPORT : OK;
    }
    if (main_command == 16 && command == 5) {
        HccsCounts *counts = out;
        if (*size != sizeof *counts)
            return INVALID_PARAMETER;
        memset(counts, 0, sizeof *counts);
        double packets = 3.5e9 * scenario_seconds();
        for (int link = 1; link < 8; link++) {
            counts->crc_err_cnt[link] = (unsigned long long)scenario_number("hccs_errors", npu, 0);
            counts->tx_cnt[link] = (unsigned long long)scenario_number("hccs_tx_packets", npu, packets);
            counts->rx_cnt[link] = (unsigned long long)scenario_number("hccs_rx_packets", npu, packets);
        }
        return is_chip("910A") || is_second ? NOT_SUPPORT : OK;
    }
    if (main_command == 55 && command == 1) {
        PcieErrors *errors = out;
        if (*size != sizeof *errors)
            return INVALID_PARAMETER;
        memset(errors, 0, sizeof *errors);
        errors->lcrc_err_cnt = errors->ecrc_err_cnt = 1000;
        errors->retry_cnt = (unsigned int)scenario_number("pcie_retries", npu, 0);
        return is_chip("910A") ? NOT_SUPPORT : OK;
    }
    if (main_command == 56 && command == 0) {
        SioErrors *errors = out;
        if (*size != sizeof *errors)
            return INVALID_PARAMETER;
        memset(errors, 0, sizeof *errors);
        errors->tx_error_count = (unsigned short)scenario_number("sio_errors", npu, 0);
        errors->rx_error_count = 1;
        return is_chip("910C") ? OK : NOT_SUPPORT;
    }
    if (main_command == 16 && command == 1) {
        HccsLanes *lanes = out;
        if (*size != sizeof *lanes)
            return INVALID_PARAMETER;
        memset(lanes, 0, sizeof *lanes);
        lanes->hccs_port_pcs_bitmap = (unsigned int)scenario_number("hccs_ports", npu, 0xFE);
        /* Those of the ports that are for HCCS, one behind the other: set up, four lanes in use. */
        for (int link = 0; link < 7; link++)
            lanes->pcs_lane_bitmap[link] = link < scenario_number("hccs_down", npu, 0) ? 1 : 1 | 0xF << 1 | 2 << 9;
        return is_chip("910A") || is_second ? NOT_SUPPORT : OK;
    }
    return INVALID_PARAMETER;
}
#endif

/* Links. Both bandwidths block for their window. */

static void wait_ms(int window_ms) {
    struct timespec window = {window_ms / 1000, window_ms % 1000 * 1000000L};
    nanosleep(&window, NULL);
}

#ifndef WITHOUT_dcmi_get_hccs_link_bandwidth_info
int dcmi_get_hccs_link_bandwidth_info(int card, int device, HccsBandwidth *out) {
    int npu = enter("dcmi_get_hccs_link_bandwidth_info", card, device);
    if (npu < 0)
        return npu;
    if (is_chip("910A"))
        return NOT_SUPPORT;
    if (out->profiling_time < 1 || out->profiling_time > 1000)
        return INVALID_PARAMETER;
    if (scenario_number("virtual", npu, 0) != 0)
        return NOT_PERMITTED;
    wait_ms(out->profiling_time);
    for (int link = 0; link < 16; link++) {
        int is_there = link >= 1 && link <= 7;
        out->tx_bandwidth[link] = is_there ? scenario_number("hccs_tx", npu, 140) / 7 : 0;
        out->rx_bandwidth[link] = is_there ? scenario_number("hccs_rx", npu, 140) / 7 : 0;
        /* As the driver does: on top of what the caller's structure held. */
        out->total_txbw += out->tx_bandwidth[link];
        out->total_rxbw += out->rx_bandwidth[link];
    }
    return OK;
}
#endif

#ifndef WITHOUT_dcmi_get_pcie_link_bandwidth_info
int dcmi_get_pcie_link_bandwidth_info(int card, int device, PcieBandwidth *out) {
    int npu = enter("dcmi_get_pcie_link_bandwidth_info", card, device);
    if (npu < 0)
        return npu;
    if (is_chip("910A") || is_chip("910C"))
        return NOT_SUPPORT;
    if (out->profiling_time < 0 || out->profiling_time > 2000)
        return INVALID_PARAMETER;
    wait_ms(out->profiling_time);
    /* least, most, mean; the requests to read are as many as they like. */
    for (unsigned int kind = 0; kind < 3; kind++) {
        out->tx_p_bw[kind] = (unsigned int)scenario_number("pcie_tx", npu, 6) + kind;
        out->rx_p_bw[kind] = (unsigned int)scenario_number("pcie_rx", npu, 8) + kind;
        out->tx_cpl_bw[kind] = out->rx_cpl_bw[kind] = 1;
        out->tx_np_bw[kind] = out->rx_np_bw[kind] = 1000;
    }
    return OK;
}
#endif

#ifndef WITHOUT_dcmi_get_netdev_pkt_stats_info
int dcmi_get_netdev_pkt_stats_info(int card, int device, int port, NetworkCounts *out) {
    int npu = enter("dcmi_get_netdev_pkt_stats_info", card, device);
    if (npu < 0)
        return npu;
    if (is_chip("910A") || is_second)
        return NOT_SUPPORT;
    if (port != 0)
        return INVALID_PARAMETER;
    memset(out, 0, sizeof *out);
    out->mac_tx_total_oct_num = (unsigned long long)scenario_number("roce_tx", npu, 1e9 * scenario_seconds());
    out->mac_rx_total_oct_num = (unsigned long long)scenario_number("roce_rx", npu, 1e9 * scenario_seconds());
    out->mac_tx_bad_pkt_num = (unsigned long long)scenario_number("roce_bad", npu, 0);
    out->roce_new_pkt_rty_num = (unsigned long long)scenario_number("roce_retries", npu, 0);
    out->mac_tx_mac_pause_num = 1;
    out->mac_rx_mac_pause_num = 2;
    out->mac_tx_pfc_pkt_num = out->mac_tx_pfc_by_priority[3] = 10;
    out->mac_rx_pfc_pkt_num = out->mac_rx_pfc_by_priority[3] = (unsigned long long)scenario_number("roce_pfc", npu, 20);
    out->mac_rx_bad_pkt_num = 2 * out->mac_tx_bad_pkt_num;
    return OK;
}
#endif

/* The second set: a device is one number. A library that lacks functions of the first set has none of it. */

#ifndef WITHOUT_ANY

#define SECOND(call) (is_second = 1, second_result = (call), is_second = 0, second_result)
static __thread int second_result;

int dcmiv2_init(void) {
    scenario_look();
    int code = scenario_enter("dcmiv2_init", -1, INVALID_DEVICE, NO_FUNCTION);
    return code != OK ? code : is_chip("950") ? OK : NOT_SUPPORT;
}

int dcmiv2_get_dcmi_version(char *out, unsigned int length) { return dcmi_get_dcmi_version(out, length); }

int dcmiv2_get_driver_version(char *out, unsigned int length) { return dcmi_get_driver_version(out, length); }

int dcmiv2_get_device_list(int *ids, int *count, int length) { return dcmi_get_card_list(count, ids, length); }

int dcmiv2_get_device_type(int id, int *out) { return SECOND(dcmi_get_device_type(id, 0, out)); }

int dcmiv2_get_device_chip_info(int id, ChipInfoV2 *out) { return SECOND(dcmi_get_device_chip_info_v2(id, 0, out)); }

int dcmiv2_get_device_pcie_info(int id, PcieInfo *out) { return SECOND(dcmi_get_device_pcie_info_v2(id, 0, out)); }

int dcmiv2_get_device_die_id(int id, int kind, DieId *out) { return SECOND(dcmi_get_device_die_v2(id, 0, kind, out)); }

int dcmiv2_get_device_multi_utilization_rate(int id, MultiUtilization *out) {
    return SECOND(dcmi_get_device_multi_utilization_rate(id, 0, out));
}

int dcmiv2_get_device_utilization_rate(int id, int type, unsigned int *out) {
    return SECOND(dcmi_get_device_utilization_rate(id, 0, type, out));
}

int dcmiv2_get_device_hbm_info(int id, HbmInfo *out) { return SECOND(dcmi_get_device_hbm_info(id, 0, out)); }

int dcmiv2_get_device_power_info(int id, int *out) { return SECOND(dcmi_get_device_power_info(id, 0, out)); }

int dcmiv2_get_device_voltage(int id, unsigned int *out) { return SECOND(dcmi_get_device_voltage(id, 0, out)); }

int dcmiv2_get_device_temperature(int id, int *out) { return SECOND(dcmi_get_device_temperature(id, 0, out)); }

int dcmiv2_get_device_frequency(int id, int type, unsigned int *out) {
    return SECOND(dcmi_get_device_frequency(id, 0, type, out));
}

int dcmiv2_get_device_health(int id, unsigned int *out) { return SECOND(dcmi_get_device_health(id, 0, out)); }

int dcmiv2_get_device_ecc_info(int id, int part, EccInfo *out) {
    return SECOND(dcmi_get_device_ecc_info(id, 0, part, out));
}

int dcmiv2_get_device_proc_mem_info(int id, ProcessMemory *out, int *count) {
    return SECOND(dcmi_get_device_resource_info(id, 0, out, count));
}

int dcmiv2_get_device_error_code_list(int id, int *count, unsigned int *codes, unsigned int length) {
    return SECOND(dcmi_get_device_errorcode_v2(id, 0, count, codes, length));
}

int dcmiv2_get_device_info(int id, int main_command, unsigned int command, void *out, unsigned int *size) {
    return SECOND(dcmi_get_device_info(id, 0, main_command, command, out, size));
}

/* Eight ports: two dies of five each, of which the last is for Ethernet. */
int dcmiv2_get_device_port_list_info(int id, PortList *out) {
    is_second = 1;
    int npu = enter("dcmi_get_device_port_list_info", id, 0);
    is_second = 0;
    if (npu < 0)
        return npu;
    memset(out, 0, sizeof *out);
    out->die_nums = (int)scenario_number("ub_dies", npu, 2);
    for (int die = 0; die < 2; die++) {
        out->die_list_data[die].die_index = die;
        out->die_list_data[die].port_nums = 5;
        for (int port = 0; port < 5; port++) {
            out->die_list_data[die].port_list_data[port].port_index = port + 4;
            out->die_list_data[die].port_list_data[port].mode = port == 4;
        }
    }
    return OK;
}

int dcmiv2_get_port_pkt_stats_info(int id, UbPort *port, UbCounts *out) {
    is_second = 1;
    int npu = enter("dcmi_get_port_pkt_stats_info", id, 0);
    is_second = 0;
    if (npu < 0)
        return npu;
    if (port->udie_id < 0 || port->udie_id > 1 || port->port_id < 4 || port->port_id > 8)
        return INVALID_PARAMETER;
    memset(out, 0, sizeof *out);
    out->crc_error_sum = (unsigned long long)scenario_number("ub_errors", npu, 0);
    out->bad[0] = 1;
    out->bad[1] = (unsigned long long)scenario_number("roce_bad", npu, 0);
    out->bad_octets[0] = out->bad_octets[1] = 1000;
    for (int kind = 0; kind < 4; kind++)
        out->pauses[kind] = (unsigned long long)kind;
    return OK;
}

int dcmiv2_get_ub_port_link_status(int id, UbLinks *out) {
    is_second = 1;
    int npu = enter("dcmi_get_ub_port_link_status", id, 0);
    is_second = 0;
    if (npu < 0)
        return npu;
    memset(out, 0, sizeof *out);
    out->ub_link_status = 2;
    for (int port = 0; port < 8; port++)
        out->ub_port_status[port] = port >= scenario_number("ub_up", npu, 8) ? 3 : port % 2 ? 2 : 1;
    return OK;
}

int dcmiv2_get_pcie_link_bandwidth_info(int id, PcieBandwidth *out) {
    return SECOND(dcmi_get_pcie_link_bandwidth_info(id, 0, out));
}
#endif

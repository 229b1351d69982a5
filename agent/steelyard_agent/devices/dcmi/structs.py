"""DCMI's C structures, as its public header lays them out; natural alignment on LP64."""

import ctypes
from typing import Final

# The interface's own bounds.
MAX_CARDS: Final = 64
MAX_DEVICES_IN_CARD: Final = 4
MAX_PROCESSES: Final = 32
MAX_FAULTS: Final = 128
NAME_LENGTH: Final = 32
LINKS: Final = 16
UB_PORTS: Final = 36
MAX_UB_DIES: Final = 2
MAX_UB_PORTS_OF_DIE: Final = 32

# dcmi_get_device_type
UNIT_NPU: Final = 0

# input_type of dcmi_get_device_utilization_rate
RATE_AI_CORE: Final = 2
RATE_HBM_BANDWIDTH: Final = 10
RATE_VECTOR: Final = 12
RATE_OVERALL: Final = 13
RATE_CUBE: Final = 14

# input_type of dcmi_get_device_frequency
CLOCK_HBM: Final = 6
CLOCK_AI_CORE: Final = 7
CLOCK_AI_CORE_MAX: Final = 9

# input_type of dcmi_get_device_ecc_info
ECC_HBM: Final = 2

# input_type of dcmi_get_device_die_v2; a 950 tells only the last
DIE_VDIE: Final = 1
DIE_DDIE: Final = 2

# main_cmd and sub_cmd of dcmi_get_device_info
SLOWED_BY: Final = (8, 9)  # DCMI_MAIN_CMD_LP, DCMI_LP_SUB_CMD_AICORE_FREQREDUC_CAUSE
HCCS_LANES: Final = (16, 1)  # DCMI_MAIN_CMD_HCCS, DCMI_HCCS_CMD_GET_LANE_INFO
HCCS_COUNTS: Final = (16, 5)  # DCMI_MAIN_CMD_HCCS, DCMI_HCCS_CMD_GET_STATISTIC_INFO_U64

# port_info.mode: between NPUs; the other kind is Ethernet
UB_MODE: Final = 0
# dcmi_ub_port_status: linked with all lanes, with some
UB_LINKED: Final = (1, 2)

SIO_ERRORS: Final = (56, 0)  # DCMI_MAIN_CMD_SIO, DCMI_SIO_SUB_CMD_CRC_ERR_STATISTICS
PCIE_ERRORS: Final = (55, 1)  # DCMI_MAIN_CMD_PCIE, DCMI_PCIE_SUB_CMD_PCIE_ERROR_INFO

HEALTH_ABSENT: Final = 0xFFFFFFFF


class ChipInfoV2(ctypes.Structure):
    """dcmi_chip_info_v2; dcmi_chip_info is the same without its last field."""

    _fields_ = (
        ("chip_type", ctypes.c_char * NAME_LENGTH),
        ("chip_name", ctypes.c_char * NAME_LENGTH),
        ("chip_ver", ctypes.c_char * NAME_LENGTH),
        ("aicore_cnt", ctypes.c_uint),
        ("npu_name", ctypes.c_char * NAME_LENGTH),
    )


class MultiUtilization(ctypes.Structure):
    """dcmi_multi_utilization_info, in percent."""

    _fields_ = (
        ("aic_util", ctypes.c_uint),
        ("aiv_util", ctypes.c_uint),
        ("aicore_util", ctypes.c_uint),
        ("npu_util", ctypes.c_uint),
        ("reserved", ctypes.c_uint * 8),
    )


class HbmInfo(ctypes.Structure):
    """dcmi_hbm_info: MB (2**20), MHz, degrees C, percent."""

    _fields_ = (
        ("memory_size", ctypes.c_ulonglong),
        ("freq", ctypes.c_uint),
        ("memory_usage", ctypes.c_ulonglong),
        ("temp", ctypes.c_int),
        ("bandwidth_util", ctypes.c_uint),
    )


class EccInfo(ctypes.Structure):
    """dcmi_ecc_info: counts of errors and of isolated pages."""

    _fields_ = (
        ("enable_flag", ctypes.c_int),
        ("single_bit_error_cnt", ctypes.c_uint),
        ("double_bit_error_cnt", ctypes.c_uint),
        ("total_single_bit_error_cnt", ctypes.c_uint),
        ("total_double_bit_error_cnt", ctypes.c_uint),
        ("single_bit_isolated_pages_cnt", ctypes.c_uint),
        ("double_bit_isolated_pages_cnt", ctypes.c_uint),
        ("single_bit_next_isolated_pages_cnt", ctypes.c_uint),
        ("double_bit_next_isolated_pages_cnt", ctypes.c_uint),
    )


class PcieInfo(ctypes.Structure):
    """dcmi_pcie_info_all: where the device sits."""

    _fields_ = (
        ("vendor_id", ctypes.c_uint),
        ("subvendor_id", ctypes.c_uint),
        ("device_id", ctypes.c_uint),
        ("subdevice_id", ctypes.c_uint),
        ("domain", ctypes.c_int),
        ("bus", ctypes.c_uint),
        ("slot", ctypes.c_uint),
        ("function", ctypes.c_uint),
        ("reserved", ctypes.c_ubyte * 32),
    )


class DieId(ctypes.Structure):
    """dcmi_die_id: the chip's own number, burnt in."""

    _fields_ = (("soc_die", ctypes.c_uint * 5),)


class ProcessMemory(ctypes.Structure):
    """dcmi_proc_mem_info: bytes."""

    _fields_ = (("proc_id", ctypes.c_int), ("proc_mem_usage", ctypes.c_ulong))


class HccsBandwidth(ctypes.Structure):
    """dcmi_hccs_bandwidth_info: in, ms; out, GB/s (2**30). The library adds to the totals: they have to be 0 before."""

    _fields_ = (
        ("profiling_time", ctypes.c_int),
        ("total_txbw", ctypes.c_double),
        ("total_rxbw", ctypes.c_double),
        ("tx_bandwidth", ctypes.c_double * LINKS),
        ("rx_bandwidth", ctypes.c_double * LINKS),
    )


class PcieBandwidth(ctypes.Structure):
    """dcmi_pcie_link_bandwidth_info: in, ms; out, least, most and mean in MB/ms, of posted writes (p), read requests
    (np) and answers to them (cpl).
    """

    _fields_ = (
        ("profiling_time", ctypes.c_int),
        ("tx_p_bw", ctypes.c_uint * 3),
        ("tx_np_bw", ctypes.c_uint * 3),
        ("tx_cpl_bw", ctypes.c_uint * 3),
        ("tx_np_lantency", ctypes.c_uint * 3),
        ("rx_p_bw", ctypes.c_uint * 3),
        ("rx_np_bw", ctypes.c_uint * 3),
        ("rx_cpl_bw", ctypes.c_uint * 3),
    )


class PcieErrors(ctypes.Structure):
    """dcmi_pcie_link_error_info: since the driver was loaded."""

    _fields_ = (
        ("tx_err_cnt", ctypes.c_uint),
        ("rx_err_cnt", ctypes.c_uint),
        ("lcrc_err_cnt", ctypes.c_uint),
        ("ecrc_err_cnt", ctypes.c_uint),
        ("retry_cnt", ctypes.c_uint),
        ("rsv", ctypes.c_uint * 32),
    )


class HccsCounts(ctypes.Structure):
    """dcmi_hccs_statistic_info_u64: packets, CRC errors and repeats by link, since the driver was loaded."""

    _fields_ = (
        ("tx_cnt", ctypes.c_ulonglong * LINKS),
        ("rx_cnt", ctypes.c_ulonglong * LINKS),
        ("crc_err_cnt", ctypes.c_ulonglong * LINKS),
        ("retry_cnt", ctypes.c_ulonglong * LINKS),
        ("reserved", ctypes.c_ulonglong * 64),
    )


class SioErrors(ctypes.Structure):
    """dcmi_sio_crc_err_statistics_info: of the link between the dies of a package."""

    _fields_ = (
        ("tx_error_count", ctypes.c_ushort),
        ("rx_error_count", ctypes.c_ushort),
        ("reserved", ctypes.c_ubyte * 8),
    )


class HccsLanes(ctypes.Structure):
    """dcmi_hccs_lane_info: which ports are for HCCS; of these, in order, bit 0 set up, bits 9 and 10 lanes in use."""

    _fields_ = (
        ("hccs_port_pcs_bitmap", ctypes.c_uint),
        ("pcs_lane_bitmap", ctypes.c_uint * LINKS),
        ("reserve", ctypes.c_uint * LINKS),
    )


class UbLinks(ctypes.Structure):
    """dcmi_ub_port_link_status: of the chip, and of each of its ports."""

    _fields_ = (("ub_link_status", ctypes.c_int), ("ub_port_status", ctypes.c_int * UB_PORTS))


class UbPort(ctypes.Structure):
    """dcmi_ub_port_info: a port by its die and number."""

    _fields_ = (("udie_id", ctypes.c_int), ("port_id", ctypes.c_int))


class ListedPort(ctypes.Structure):
    """port_info."""

    _fields_ = (("port_index", ctypes.c_int), ("mode", ctypes.c_int))


class PortsOfDie(ctypes.Structure):
    """die_port_list_info."""

    _fields_ = (
        ("die_index", ctypes.c_int),
        ("port_nums", ctypes.c_int),
        ("port_list_data", ListedPort * MAX_UB_PORTS_OF_DIE),
    )


class PortList(ctypes.Structure):
    """dcmi_port_list_info: the ports that this board uses."""

    _fields_ = (("die_nums", ctypes.c_int), ("die_list_data", PortsOfDie * MAX_UB_DIES))


class UbCounts(ctypes.Structure):
    """dcmi_port_pkt_stats_info: a UB port's counters, in its header's order."""

    _fields_ = (
        ("port_mode", ctypes.c_int),
        ("packets", ctypes.c_ulonglong * 39),
        ("crc_error_sum", ctypes.c_ulonglong),
        ("pauses", ctypes.c_ulonglong * 4),  # received and sent, then PFC received and sent
        ("bad", ctypes.c_ulonglong * 2),  # packets received and sent
        ("bad_octets", ctypes.c_ulonglong * 2),
        ("reserved", ctypes.c_ulonglong * 16),
    )


class NetworkCounts(ctypes.Structure):
    """dcmi_network_pkt_stats_info: the RoCE port's counters, in its header's order."""

    _fields_ = (
        ("mac_tx_mac_pause_num", ctypes.c_ulonglong),
        ("mac_rx_mac_pause_num", ctypes.c_ulonglong),
        ("mac_tx_pfc_pkt_num", ctypes.c_ulonglong),
        ("mac_tx_pfc_by_priority", ctypes.c_ulonglong * 8),
        ("mac_rx_pfc_pkt_num", ctypes.c_ulonglong),
        ("mac_rx_pfc_by_priority", ctypes.c_ulonglong * 8),
        ("mac_tx_total_pkt_num", ctypes.c_ulonglong),
        ("mac_tx_total_oct_num", ctypes.c_ulonglong),
        ("mac_tx_bad_pkt_num", ctypes.c_ulonglong),
        ("mac_tx_bad_oct_num", ctypes.c_ulonglong),
        ("mac_rx_total_pkt_num", ctypes.c_ulonglong),
        ("mac_rx_total_oct_num", ctypes.c_ulonglong),
        ("mac_rx_bad_pkt_num", ctypes.c_ulonglong),
        ("mac_rx_bad_oct_num", ctypes.c_ulonglong),
        ("mac_rx_fcs_err_pkt_num", ctypes.c_ulonglong),
        ("roce", ctypes.c_ulonglong * 13),
        ("roce_new_pkt_rty_num", ctypes.c_ulonglong),
        ("roce_ecn_db_num", ctypes.c_ulonglong),
        ("nic", ctypes.c_ulonglong * 4),
        ("tv_sec", ctypes.c_long),
        ("tv_usec", ctypes.c_long),
        ("reserved", ctypes.c_ubyte * 64),
    )

"""DCMI's C structures, as its public header lays them out; natural alignment on LP64."""

import ctypes
from typing import Final

# The interface's own bounds.
MAX_CARDS: Final = 64
MAX_DEVICES_IN_CARD: Final = 4
MAX_PROCESSES: Final = 32
NAME_LENGTH: Final = 32

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

# input_type of dcmi_get_device_die_v2
DIE_VDIE: Final = 1

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

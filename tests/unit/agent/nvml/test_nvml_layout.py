"""The stand-in's structs, the agent's and nvidia-ml-py's are one layout, and NVIDIA's header where it is installed."""

import ctypes
import importlib.metadata
import subprocess
from pathlib import Path
from struct import Struct

import pynvml
import pytest

from steelyard_agent.devices.nvml import structs
from tests.standins.build import build

Layout = tuple[str, str, int]

# nvidia-ml-py's name -> the header's
HEADER_NAMES = {
    "c_nvmlUtilization_t": "nvmlUtilization_t",
    "c_nvmlMemory_t": "nvmlMemory_t",
    "c_nvmlMemory_v2_t": "nvmlMemory_v2_t",
    "c_nvmlTemperature_v1_t": "nvmlTemperature_v1_t",
    "nvmlPciInfo_t": "nvmlPciInfo_t",
    "c_nvmlValue_t": "nvmlValue_t",
    "c_nvmlFieldValue_t": "nvmlFieldValue_t",
    "c_nvmlProcessInfo_v3_t": "nvmlProcessInfo_t",
    "c_nvmlDeviceAttributes": "nvmlDeviceAttributes_t",
    "c_nvmlGpmSupport_t": "nvmlGpmSupport_t",
    "c_nvmlGpmMetric_t": "nvmlGpmMetric_t",
    "c_nvmlGpmMetricsGet_t": "nvmlGpmMetricsGet_t",
    "c_nvmlEventData_t": "nvmlEventData_t",
}


@pytest.fixture(scope="module")
def layouts(tmp_path_factory: pytest.TempPathFactory) -> list[Layout]:
    library = ctypes.CDLL(str(build("nvml", tmp_path_factory.mktemp("nvml"))))
    name, member, size = ctypes.c_char_p(), ctypes.c_char_p(), ctypes.c_size_t()
    outs = [ctypes.byref(out) for out in (name, member, size)]
    found: list[Layout] = []
    while library.standin_layout(len(found), *outs):
        assert name.value is not None
        assert member.value is not None
        found.append((name.value.decode(), member.value.decode(), size.value))
    return found


def test_standin_agrees_with_nvidia_ml_py(layouts: list[Layout]) -> None:
    assert len(layouts) >= 29
    for name, member, size in layouts:
        theirs = getattr(pynvml, name)
        actual = getattr(theirs, member).offset if member else ctypes.sizeof(theirs)
        assert actual == size, f"{name}.{member}"


def test_plain_structs_agree_with_nvidia_ml_py() -> None:
    for ours in (structs.FieldValue, structs.GpmMetricsGet, structs.MemoryV2, structs.PciInfo, structs.EventData):
        theirs = getattr(pynvml, ours.__name__)
        assert ctypes.sizeof(ours) == ctypes.sizeof(theirs)
        for name, *_ in theirs._fields_:
            assert getattr(ours, name).offset == getattr(theirs, name).offset


def test_unpacked_formats_fit_the_structs() -> None:
    assert Struct("=24xIIQ").size == ctypes.sizeof(structs.FieldValue)
    assert structs.FieldValue.valueType.offset == 24
    assert structs.FieldValue.value.offset == 32
    metric = pynvml.c_nvmlGpmMetric_t
    assert Struct("=4xId24x").size == ctypes.sizeof(metric)
    assert (metric.nvmlReturn.offset, metric.value.offset) == (4, 8)
    assert structs.GpmMetricsGet.metrics.offset == 24
    assert structs.GpmMetricsGet.sample1.offset == 8
    assert Struct("=I4xQII").size == ctypes.sizeof(structs.ProcessInfo)


def test_standin_agrees_with_nvidias_header(layouts: list[Layout], tmp_path: Path) -> None:
    header = _header()
    if header is None:
        pytest.skip("no wheel of NVIDIA's header (nvidia-nvml-dev) is installed")
    checks = [
        f'_Static_assert({_expression(name, member)} == {size}, "{name}.{member}");'
        for name, member, size in layouts
        # The array of metrics grows with each release of the header; it stands last and is filled as far as asked.
        if (name, member) != ("c_nvmlGpmMetricsGet_t", "")
    ]
    source = tmp_path / "check.c"
    source.write_text("#include <stddef.h>\n#include <nvml.h>\n" + "\n".join(checks) + "\n")
    command = ["cc", "-fsyntax-only", f"-I{header.parent}", str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def _expression(name: str, member: str) -> str:
    theirs = HEADER_NAMES[name]
    return f"offsetof({theirs}, {member})" if member else f"sizeof({theirs})"


def _header() -> Path | None:
    for distribution in ("nvidia-nvml-dev", "nvidia-nvml-dev-cu12"):
        try:
            files = importlib.metadata.files(distribution) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        for file in files:
            if file.name == "nvml.h":
                return Path(str(file.locate()))
    return None

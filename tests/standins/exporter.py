"""Exporters of a node: an HTTP server whose page a test writes, and pages with the real exporters' names and labels."""

import http.server
import threading
from collections.abc import Mapping
from typing import Final

_DCGM: Final[Mapping[str, float]] = {
    "DCGM_FI_DEV_SM_CLOCK": 1410,
    "DCGM_FI_DEV_MEM_CLOCK": 1593,
    "DCGM_FI_DEV_MEMORY_TEMP": 52,
    "DCGM_FI_DEV_GPU_TEMP": 48,
    "DCGM_FI_DEV_POWER_USAGE": 371.2,
    "DCGM_FI_DEV_GPU_UTIL": 98,
    "DCGM_FI_DEV_MEM_COPY_UTIL": 41,
    "DCGM_FI_DEV_XID_ERRORS": 0,
    "DCGM_FI_DEV_FB_FREE": 20480,
    "DCGM_FI_DEV_FB_USED": 60929,
    "DCGM_FI_DEV_FB_RESERVED": 511,
    "DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS": 0,
    "DCGM_FI_DEV_CORRECTABLE_REMAPPED_ROWS": 2,
    "DCGM_FI_DEV_PCIE_REPLAY_COUNTER": 0,
    "DCGM_FI_PROF_SM_ACTIVE": 0.831,
    "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE": 0.402,
    "DCGM_FI_PROF_DRAM_ACTIVE": 0.377,
    "DCGM_FI_PROF_PCIE_TX_BYTES": 31_000_000,
    "DCGM_FI_PROF_PCIE_RX_BYTES": 42_000_000,
}
_NPU: Final[Mapping[str, float]] = {
    "npu_chip_info_utilization": 87, "npu_chip_info_overall_utilization": 93, "npu_chip_info_cube_utilization": 51,
    "npu_chip_info_hbm_used_memory": 51_200, "npu_chip_info_hbm_total_memory": 65_536,
    "npu_chip_info_hbm_bandwidth_utilization": 40, "npu_chip_info_hbm_temperature": 55, "npu_chip_info_temperature": 51,
    "npu_chip_info_power": 301.5, "npu_chip_info_voltage": 0.9, "npu_chip_info_aicore_current_freq": 1800,
    "npu_chip_info_health_status": 1, "npu_chip_info_bandwidth_tx": 0,
    "npu_chip_info_hccs_bandwidth_info_total_tx": 70, "npu_chip_info_hccs_bandwidth_info_total_rx": -1,
    "npu_chip_mac_tx_bad_pkt_num": 5, "npu_chip_mac_rx_bad_pkt_num": -1, "npu_chip_roce_new_pkt_rty_num": 12,
}  # fmt: skip
_AMD: Final[Mapping[str, float]] = {
    "gpu_gfx_activity": 96, "gpu_umc_activity": 35, "gpu_package_power": 689, "gpu_junction_temperature": 71,
    "gpu_memory_temperature": 64, "gpu_used_vram": 150_000, "gpu_total_vram": 196_592, "gpu_ecc_correct_total": 3,
    "gpu_ecc_uncorrect_total": 0, "pcie_replay_count": 0, "gpu_nodes_total": 2, "gpu_ecc_deferred_total": 1,
    "gpu_ecc_correct_xgmi_wafl": 2, "gpu_ecc_uncorrect_xgmi_wafl": 1, "pcie_speed": 32,
}  # fmt: skip


def dcgm_page(now_s: float, devices: int = 2) -> str:
    """As dcgm-exporter writes it; device 0 has a MIG instance beside it."""
    lines: list[str] = []
    for name, value in (*_DCGM.items(), ("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", 5_000_000_000 + int(now_s * 371_200))):
        lines += [f"# HELP {name} what it is", f"# TYPE {name} gauge"]
        for index in range(devices):
            own = (
                f'gpu="{index}",UUID="GPU-0000000{index}",pci_bus_id="00000000:0{index}:00.0",device="nvidia{index}",'
                'modelName="NVIDIA A100-SXM4-80GB",hostname="a \\"node\\"",DCGM_FI_DRIVER_VERSION="550.54.15"'
            )
            lines.append(f"{name}{{{own}}} {value}")
    instance = 'gpu="0",UUID="GPU-00000000",GPU_I_PROFILE="1g.10gb",GPU_I_ID="7",modelName="NVIDIA A100-SXM4-80GB"'
    lines.append(f"DCGM_FI_PROF_SM_ACTIVE{{{instance}}} 0.1")
    return "\n".join(lines) + "\n"


def npu_page(model: str = "910B2-Ascend-V1", devices: int = 2) -> str:
    """As npu-exporter writes it, with its times."""
    lines = [f"machine_npu_nums {devices}"]
    for name, value in _NPU.items():
        lines += [f"# HELP {name} the npu's", f"# TYPE {name} gauge"]
        for index in range(devices):
            own = (
                f'container_name="",id="{index}",model_name="{model}",namespace="",pcie_bus_info="0000:C{index}:00.0",'
                f'pod_name="",vdie_id="AB-{index}"'
            )
            lines.append(f"{name}{{{own}}} {value} 1606402000")
            if name == "npu_chip_info_power":
                for part, of in (("p", 6), ("np", 1000), ("cpl", 1)):
                    for kind, more in (("avg", 0), ("min", -1), ("max", 1)):
                        labels = f'{own},pcie_bw_type="{kind}PcieBw"'
                        lines.append(f"npu_chip_info_pcie_tx_{part}_bw{{{labels}}} {of + more} 1606402000")
    return "\n".join(lines) + "\n"


def amd_page(now_s: float, devices: int = 2) -> str:
    """As AMD's device-metrics-exporter writes it: several clocks of a kind, and an empty partition."""
    lines: list[str] = []
    for index in range(devices):
        own = (
            f'card_model="102-D65208-0C",card_series="AMD Instinct MI300X",gpu_compute_partition_type="spx",'
            f'gpu_id="{index}",hostname="n",serial_number="69232400{index}"'
        )
        whole = f'{own},gpu_partition_id="0"'
        lines += [f"{name}{{{whole}}} {value}" for name, value in _AMD.items()]
        lines.append(f"gpu_energy_consumed{{{whole}}} {689_000_000 * now_s:.6e}")
        for place, clock in enumerate((2090, 2110)):
            lines.append(f'gpu_clock{{clock_index="{place}",clock_type="system",{whole}}} {clock}')
        lines.append(f'gpu_max_clock{{clock_index="0",clock_type="system",{whole}}} 2200')
        lines.append(f'gpu_clock{{clock_index="8",clock_type="memory",{whole}}} 1300')
        lines.append(f'gpu_gfx_activity{{{own},gpu_partition_id="1"}} 0')
    return "\n".join(lines) + "\n"


class ExporterServer:
    """Answers GET /metrics with `page`, and all else with 404; keeps connections as exporters do."""

    def __init__(self, page: str = "") -> None:
        self.page = page
        self.asked = 0
        self.status = 200
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # The page follows its head in a second packet, which else waits 40 ms for the client's word on the first.
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                outer.asked += 1
                is_there = self.path == "/metrics"
                body = outer.page.encode() if is_there else b"no such page"
                self.send_response(outer.status if is_there else 404)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/metrics"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Listens no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

"""Devices by an exporter's page over real HTTP: which they are, what their figures are, and what a bad page does."""

import math
import os
import re
import socket
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard_agent.devices.scrape.exporters import devices_of, exporter_of, exporters
from steelyard_agent.devices.scrape.source import ScrapeSource, open_scrape
from steelyard_agent.devices.scrape.text import read_values, series_of
from steelyard_agent.model import Absent, Value
from steelyard_proto.errors import ConfigError, DeviceError, DeviceLost, DeviceTimeout
from steelyard_proto.metrics import catalogue
from tests.standins.exporter import ExporterServer, amd_page, dcgm_page, npu_page


def figures(source: ScrapeSource, uid: str) -> dict[str, Value]:
    info = next(info for info in source.discover() if info.uid == uid)
    told: dict[str, Value] = {}
    for metric_class in ("fast", "slow"):
        numbers = info.metrics[metric_class]  # type: ignore[index]
        values = source.sample(uid, metric_class)  # type: ignore[arg-type]
        told |= {catalogue().by_id[number].name: value for number, value in zip(numbers, values, strict=True)}
    return told


def test_an_a100_gives_by_dcgm_what_its_driver_does_not() -> None:
    with closing(ExporterServer(dcgm_page(1000))) as server:
        source = ScrapeSource([server.url], node="n1")
        infos = source.discover()
        assert [(info.uid, info.chip, info.index) for info in infos] == [
            ("GPU-00000000", "A100-80G", 0), ("GPU-00000001", "A100-80G", 1),
        ]  # fmt: skip
        assert (infos[1].pci_address, infos[1].driver_version) == ("00000000:01:00.0", "550.54.15")
        assert "dcgm-exporter" in infos[0].notes["tensor_active"]
        told = figures(source, "GPU-00000000")
        source.close()
    assert told["busy"] == pytest.approx(0.98)
    # The device's own, not its MIG instance's.
    assert (told["core_active"], told["tensor_active"], told["hbm_bw_active"]) == (0.831, 0.402, 0.377)
    assert (told["hbm_used_bytes"], told["hbm_total_bytes"]) == (60929 * 2**20, 81920 * 2**20)
    assert (told["energy_mj"], told["remapped_rows"], told["power_w"]) == (5_371_200_000, 2.0, 371.2)
    assert "vector_active" not in told


def test_an_npu_and_an_amd_gpu_have_their_own_units() -> None:
    with closing(ExporterServer(npu_page())) as npus, closing(ExporterServer(amd_page(1000))) as amd:
        source = ScrapeSource([npus.url, amd.url], node="n1")
        infos = {info.uid: info for info in source.discover()}
        assert {uid: info.chip for uid, info in infos.items()} == {
            "NPU-AB-0": "910B2", "NPU-AB-1": "910B2", "n1-amd-0": "MI300X", "n1-amd-1": "MI300X",
        }  # fmt: skip
        npu, gpu = figures(source, "NPU-AB-1"), figures(source, "n1-amd-1")
        source.close()
    assert (npu["core_active"], npu["tensor_active"], npu["power_w"]) == (0.87, 0.51, 301.5)
    assert npu["hbm_total_bytes"] == 64 * 2**30
    assert (npu["link_tx_bytes_per_s"], npu["pcie_tx_bytes_per_s"], npu["roce_retries"]) == (70 * 2**30, 7e9, 12)
    # -1 where the exporter got no answer; a part of a sum is not the sum.
    assert not {"link_rx_bytes_per_s", "roce_errors"} & npu.keys()
    # Eight engines' clocks are one device's; microjoules; the empty partition counts for nothing.
    assert (gpu["core_clock_mhz"], gpu["mem_clock_mhz"], gpu["busy"]) == (2100, 1300, 0.96)
    assert (gpu["core_clock_max_mhz"], gpu["pcie_gt_s"], gpu["link_errors"], gpu["ecc_deferred"]) == (2200, 32, 3, 1)
    assert (gpu["energy_mj"], gpu["hbm_used_bytes"]) == (689_000_000, 150_000 * 2**20)


@pytest.mark.parametrize(("model", "chip"), [("910B3-Ascend-V1", "910B3"), ("910-Ascend-V1", ""), ("Ascend910", "")])
def test_a_family_s_name_alone_is_no_chip(model: str, chip: str) -> None:
    with closing(ExporterServer(npu_page(model))) as server:
        source = ScrapeSource([server.url], node="n1")
        assert {info.chip for info in source.discover()} == {chip}
        source.close()


def test_what_an_exporter_could_not_read_is_absent() -> None:
    page = npu_page().replace("npu_chip_info_power{", "npu_chip_info_gone{").replace("} 1800 ", "} 0 ")
    with closing(ExporterServer(page)) as server:
        source = ScrapeSource([server.url], node="n1")
        told = figures(source, "NPU-AB-0")
        assert "power_w" not in told
        assert "core_clock_mhz" not in told
        source.close()


def test_a_tick_reads_each_page_once() -> None:
    now = [100.0]
    with closing(ExporterServer(dcgm_page(100, devices=8))) as server:
        source = ScrapeSource([server.url], node="n1", clock=lambda: now[0])
        infos = source.discover()
        for _ in range(3):
            now[0] += 1
            server.page = dcgm_page(now[0], devices=8)
            energies = {figures_of(source, info.uid) for info in infos}
            assert energies == {5_000_000_000 + int(now[0] * 371_200)}
        assert server.asked == 4
        source.close()


def test_a_page_is_not_asked_for_while_it_can_tell_nothing_new() -> None:
    now = [100.0]
    with closing(ExporterServer(dcgm_page(100))) as server:
        source = ScrapeSource([server.url], node="n1", clock=lambda: now[0])
        source.discover()
        late: list[float] = []
        for period_s, until_s in ((5, 200), (30, 500), (1, 600), (30, 900)):
            before = server.asked
            while now[0] < until_s:
                now[0] += 1
                looked_s = now[0] - now[0] % period_s
                server.page = dcgm_page(looked_s)
                late.append(5_000_000_000 + int(looked_s * 371_200) - figures_of(source, "GPU-00000000"))
            if period_s == 5:
                # Each second for two periods, then two of five.
                assert server.asked - before == 46
        # Only where it looks sooner than it used to is the page late, and within five seconds no more.
        assert [place for place, joules in enumerate(late) if joules] == [100, 101, 102, 400, 401, 402, 403]
        # So is it noticed that an exporter has ended.
        server.status = 503
        now[0] += 5
        with pytest.raises(DeviceError, match="answers 503"):
            figures_of(source, "GPU-00000000")
        source.close()


def figures_of(source: ScrapeSource, uid: str) -> int:
    names = [catalogue().by_id[number].name for number in source._places[uid][2].metrics["fast"]]
    value = source.sample(uid, "fast")[names.index("energy_mj")]
    assert isinstance(value, int)
    return value


def test_a_device_that_leaves_the_page_is_lost_and_comes_back() -> None:
    now = [100.0]
    with closing(ExporterServer(dcgm_page(100))) as server:
        source = ScrapeSource([server.url], node="n1", clock=lambda: now[0])
        source.discover()
        server.page, now[0] = dcgm_page(101, devices=1), 101
        assert source.sample("GPU-00000000", "fast")
        with pytest.raises(DeviceLost, match="no longer has it"):
            source.sample("GPU-00000001", "fast")
        server.page = dcgm_page(102)
        assert len(source.discover()) == 2
        # A series that is gone for one tick is absent.
        server.page, now[0] = dcgm_page(103).replace("DCGM_FI_DEV_POWER_USAGE{", "GONE{"), 103
        assert any(isinstance(value, Absent) for value in source.sample("GPU-00000001", "fast"))
        source.close()


def test_one_exporter_s_end_is_told_and_hides_no_other() -> None:
    now = [100.0]
    with closing(ExporterServer(npu_page())) as npus:
        amd = ExporterServer(amd_page(100))
        source = ScrapeSource([amd.url, npus.url], node="n1", clock=lambda: now[0])
        assert len(source.discover()) == 4
        amd.close()
        source.close()
        now[0] += 1
        for uid in ("n1-amd-0", "n1-amd-1"):
            with pytest.raises(DeviceError, match=r"start the exporter, or change sources\.scrape"):
                source.sample(uid, "fast")
        assert source.sample("NPU-AB-0", "fast")
        assert {info.vendor for info in source.discover()} == {"huawei"}
        assert [str(complaint).split(" ")[2] for complaint in source.complaints] == [f"{amd.url}:"]
        source.close()


def test_bad_answers_say_what_to_do() -> None:
    with closing(ExporterServer("# nothing yet\n")) as server:
        source = ScrapeSource([server.url], node="n1")
        with pytest.raises(DeviceError, match="no device of an exporter that is known"):
            source.discover()
        server.page, server.status = dcgm_page(1), 503
        with pytest.raises(DeviceError, match="answers 503"):
            source.discover()
        server.status = 200
        assert source.discover()
        source.close()
        other = ScrapeSource([server.url.removesuffix("metrics")], node="n1")
        with pytest.raises(DeviceError, match="answers 404"):
            other.discover()
        other.close()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        source = ScrapeSource([f"http://127.0.0.1:{silent.getsockname()[1]}/metrics"], node="n1")
        with pytest.raises(DeviceTimeout, match="no answer in"):
            source.discover()
        source.close()


@pytest.mark.parametrize(
    "url", ["127.0.0.1:9400", "https://127.0.0.1/metrics", "http://", "http://a:b/", "http://u@h/", "http://h/\u00e9"]
)
def test_a_setting_that_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=r"give for example http://127\.0\.0\.1:9400/metrics"):
        open_scrape(url, node="n1")


def test_every_figure_of_the_catalogue_is_of_a_device_once() -> None:
    for exporter in exporters():
        metrics = [catalogue().by_id[number] for number in exporter.readings]
        assert {metric.entity for metric in metrics} == {"device"}
        assert len({metric.id for metric in metrics}) == len(exporter.readings)


SAMPLES = os.environ.get("STEELYARD_SAMPLES", "")


@pytest.mark.skipif(not SAMPLES, reason="STEELYARD_SAMPLES names no folder of real outputs")
def test_a_real_page_of_an_npu_that_told_nothing_gives_nothing_that_it_did_not_tell() -> None:
    page = (Path(SAMPLES) / "ascend/npu_exporter_metrics.txt").read_text(encoding="utf-8")
    exporter = exporter_of(page)
    assert exporter is not None
    devices, _ = devices_of(page, exporter)
    assert sorted(devices) == [str(index) for index in range(8)]
    # Clock, power, voltage, temperature and memory are written as 0.
    core_active = catalogue().by_name["core_active"].id
    assert all(told.figures == {core_active: 0.0} for told in devices.values())


LINES = st.text(st.characters(codec="utf-8"), max_size=80) | st.sampled_from(dcgm_page(1).splitlines())


@given(st.lists(LINES, max_size=30))
def test_no_page_breaks_it(lines: list[str]) -> None:
    page = "\n".join(lines)
    exporter = exporter_of(page)
    for device in devices_of(page, exporter)[0].values() if exporter else ():
        for number, value in device.figures.items():
            assert math.isfinite(value)
            assert value >= 0
            assert isinstance(value, int) == (catalogue().by_id[number].kind != "gauge")


@given(st.lists(LINES, max_size=30), st.data())
def test_what_is_known_of_the_page_before_changes_nothing(lines: list[str], data: st.DataObject) -> None:
    # The same series in part, with other values.
    others = [re.sub(r" [\d.]+$", " 7", line) for line in lines if data.draw(st.booleans())]
    page, exporter = dcgm_page(1) + "\n".join(lines), exporters()[0]
    later = dcgm_page(data.draw(st.integers(1, 9)), data.draw(st.integers(1, 3))) + "\n".join(others)
    _, layout = devices_of(page, exporter)
    assert devices_of(later, exporter, layout) == devices_of(later, exporter)


@given(st.text(), st.floats(allow_nan=False, allow_infinity=False))
def test_labels_and_values_come_back_as_they_were(label: str, value: float) -> None:
    told = label.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
    page = f'x_y{{a="{told}",b="}} 3"}} {value!r} 1606402000'
    if len(page.splitlines()) > 1:
        return  # other line ends than \n are no part of the format
    (head,), values = read_values(page, ("x_",))
    assert (series_of(head), values) == (("x_y", {"a": label, "b": "} 3"}), [value])

"""The chip table as shipped, and what a user's file may and may not say."""

from pathlib import Path

import pytest

from steelyard_proto.chips import load_chips, parse_chips
from steelyard_proto.errors import ConfigError

ENTRY = """
[[chip]]
name = "H100"
vendor = "nvidia"
aliases = ["NVIDIA H100"]
per = "package"
basis = "ours"
source = "ours"
confidence = "high"
"""


@pytest.mark.parametrize(
    ("driver_name", "chip"),
    [("NVIDIA H100 80GB HBM3", "H100"), ("NVIDIA H100 PCIe", "H100-PCIe"), ("NVIDIA H200", "H200"),
     ("NVIDIA H20", "H20"), ("nvidia h20-3e", "H20"), ("Ascend910B2", "910B2"), ("Ascend910_9392", "910C"),
     ("Ascend910", "910A"), ("NVIDIA A100-SXM4-80GB", "A100-80G"), ("AMD Instinct MI300X OAM", "MI300X")],
)  # fmt: skip
def test_a_driver_s_name_finds_its_chip(driver_name: str, chip: str) -> None:
    found = load_chips().match(driver_name)
    assert found is not None
    assert found.name == chip


@pytest.mark.parametrize("driver_name", ["NVIDIA GeForce RTX 4090", "Ascend310P3", "H1", ""])
def test_an_unknown_chip_borrows_nobody_s_peak(driver_name: str) -> None:
    assert load_chips().match(driver_name) is None


def test_no_peak_lies_below_what_was_measured() -> None:
    measured = {name: chip for name, chip in load_chips().by_name.items() if chip.ceiling_tflops}
    assert set(measured) >= {"H100", "A100-80G", "H20", "910B2"}
    for name, chip in measured.items():
        assert chip.bf16_tflops is not None, name
        assert chip.ceiling_tflops is not None, name
        assert chip.ceiling_tflops < chip.bf16_tflops, name


def test_ascend_s_peak_is_the_cube_s_alone() -> None:
    chips = load_chips().by_name
    assert (chips["910B2"].bf16_tflops, chips["910B2"].marketed_bf16_tflops) == (354, 376)
    assert (chips["910C"].bf16_tflops, chips["910C"].per, chips["910C"].dies) == (376, "die", 2)
    assert chips["910B1"].bf16_tflops is None
    assert chips["910A"].bf16_tflops is None


def test_a_user_s_file_overrides_by_name(tmp_path: Path) -> None:
    path = tmp_path / "chips.toml"
    path.write_text(ENTRY + "bf16_tflops = 900\n")
    chips = load_chips(path)
    assert chips.by_name["H100"].bf16_tflops == 900
    assert chips.by_name["H200"].bf16_tflops == 989


@pytest.mark.parametrize(
    ("more", "complaint"),
    [("bf16_tflops = 0", "bf16_tflops is 0; write a number above 0"),
     ("bf16_tflops = -1.5", "bf16_tflops is -1.5"),
     ("tdp_w = true", "tdp_w is True"),
     ("bf16_tflops = inf", "bf16_tflops is inf; write a number above 0"),
     ("clock_mhz = nan", "clock_mhz is nan"),
     ('bf16_tflops = "989"', "bf16_tflops is '989'"),
     ("bf16_tflop = 900", "unknown field 'bf16_tflop'"),
     ("ceiling_tflops = 700", "say who measured it")],
)  # fmt: skip
def test_a_wrong_figure_is_refused_by_file_and_key(tmp_path: Path, more: str, complaint: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(f"{ENTRY}{more}\n")
    with pytest.raises(ConfigError) as caught:
        load_chips(path)
    assert str(caught.value).startswith(f"{path}: H100: ")
    assert complaint in str(caught.value)


def test_a_table_by_another_name_is_not_passed_over() -> None:
    with pytest.raises(ConfigError, match=r"mine: chips: is no table of this file; write \[\[chip\]\]"):
        parse_chips("[[chips]]\nname = 'X'\n", path="mine")

"""What connects a node, from made-up trees of the kernel's files."""

from pathlib import Path

from steelyard_agent.network import network_of
from steelyard_agent.node import read_node


def rdma(root: Path, number: int, layer: str, rate: str, state: str = "4: ACTIVE") -> None:
    port = root / f"sys/class/infiniband/mlx5_{number}/ports/1"
    port.mkdir(parents=True)
    for name, text in (("link_layer", layer), ("rate", rate), ("state", state)):
        (port / name).write_text(text + "\n")


def ethernet(root: Path, name: str, speed: str, state: str = "up", *, is_real: bool = True) -> None:
    interface = root / "sys/class/net" / name
    (interface / "device" if is_real else interface).mkdir(parents=True)
    (interface / "speed").write_text(speed)
    (interface / "operstate").write_text(state)


def test_the_fastest_ports_that_are_up_count(tmp_path: Path) -> None:
    assert network_of(tmp_path) == ""
    ethernet(tmp_path, "eth0", "25000")
    ethernet(tmp_path, "eth1", "100000", "down")
    ethernet(tmp_path, "eth2", "-1")
    ethernet(tmp_path, "bond0", "400000", is_real=False)
    assert network_of(tmp_path) == "Ethernet 1 x 25 Gb/s"
    rdma(tmp_path, 0, "Ethernet", "200 Gb/sec (4X HDR)")
    rdma(tmp_path, 1, "Ethernet", "100 Gb/sec (2X HDR)")
    assert network_of(tmp_path) == "RoCE 1 x 200 Gb/s"
    rdma(tmp_path, 2, "InfiniBand", "400 Gb/sec (4X NDR)")
    rdma(tmp_path, 3, "InfiniBand", "400 Gb/sec (4X NDR)")
    rdma(tmp_path, 4, "InfiniBand", "400 Gb/sec (4X NDR)", "1: DOWN")
    assert network_of(tmp_path) == "InfiniBand 2 x 400 Gb/s"
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/davinci_manager").touch()
    assert network_of(tmp_path) == "InfiniBand 2 x 400 Gb/s"
    (tmp_path / "dev/davinci0").touch()
    assert network_of(tmp_path) == "ports of the NPUs"


def test_it_is_a_label_of_the_node_that_the_user_may_give(tmp_path: Path) -> None:
    assert dict(read_node("n", {"rack": "r1"}, "measured", root=tmp_path).labels) == {"rack": "r1"}
    rdma(tmp_path, 0, "InfiniBand", "400 Gb/sec (4X NDR)")
    told = read_node("n", {"rack": "r1"}, "measured", root=tmp_path).labels
    assert dict(told) == {"rack": "r1", "network": "InfiniBand 1 x 400 Gb/s"}
    mine = read_node("n", {"network": "rails of 8"}, "measured", root=tmp_path).labels
    assert dict(mine) == {"network": "rails of 8"}

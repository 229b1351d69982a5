import pytest

from steelyard_agent.simulate.plan import uniform_fleet
from steelyard_agent.simulate.plan_file import load_fleet, parse_fleet
from steelyard_proto.errors import ConfigError

FLEET = """
[[nodes]]
prefix = "a"
count = 2
chip = "H100"
devices = 4
[[job]]
name = "train"
nodes = ["a-1", "a-2"]
"""


def test_the_demo_is_a_mixed_fleet_with_jobs_and_faults() -> None:
    plan = load_fleet("demo")
    assert {node.chip for node in plan.nodes} == {"H100", "H20", "A100-80G", "910B2", "910C", "MI300X"}
    assert all(node.devices >= 8 for node in plan.nodes)
    assert {fault.kind for node in plan.nodes for fault in node.faults} == {
        "throttle",
        "slow_host",
        "idle",
        "hung",
        "lost",
    }
    assert any(not node.job for node in plan.nodes)


def test_ranks_go_on_over_the_nodes_of_a_job() -> None:
    plan = parse_fleet(FLEET, path="f")
    assert [(node.name, node.first_rank, node.world_size) for node in plan.nodes] == [("a-1", 0, 8), ("a-2", 4, 8)]
    assert plan.devices == 8


def test_a_fault_on_one_node_slows_its_whole_job_for_its_time() -> None:
    plan = parse_fleet(
        FLEET + '[[fault]]\nnode = "a-2"\ndevice = 1\nkind = "throttle"\nfrom_s = 10\nto_s = 20\n', path="f"
    )
    well, ill = (plan.group(node) for node in plan.nodes)
    assert well.faults == ()
    [fault] = ill.faults
    assert (fault.kind, fault.device) == ("throttle", 1)
    for group in (well, ill):
        assert group.workload is not None
        [slow] = group.workload.slowdowns
        assert (slow.from_s, slow.to_s) == (10, 20)
        assert slow.factor > 1.3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[nodes", "no TOML"),
        ("", r"no \[\[nodes\]\]"),
        ("nodes = 1", r"\[\[nodes\]\]"),
        ("[[node]]\n", "unknown table 'node'"),
        (FLEET.replace("H100", "H1000"), "H1000"),
        (FLEET.replace("count = 2", "count = 0"), "count is 0"),
        (FLEET.replace("count = 2", 'count = "2"'), "wrong type"),
        (FLEET.replace("count = 2\n", ""), "count is missing"),
        (FLEET.replace('"a-2"', '"a-3"'), "no node is called 'a-3'"),
        (FLEET + 'nodes_ = ["a-1"]', "unknown key 'nodes_'"),
        (FLEET + "tensor = 1.5", "a share"),
        (FLEET + 'scheduler = "lsf"', "scheduler is 'lsf'"),
        (FLEET + '[[job]]\nname = "b"\nnodes = ["a-1"]', "a-1 is train's already"),
        (FLEET + '[[fault]]\nnode = "a-1"\nkind = "fire"\nfrom_s = 0', "kind is 'fire'"),
        (FLEET + '[[fault]]\nnode = "a-1"\nkind = "idle"\nfrom_s = 0\ndevice = 4', "device is 4"),
        (FLEET + '[[fault]]\nnode = "a-1"\nkind = "idle"\nfrom_s = 5\nto_s = 5', "not after from_s"),
    ],
)
def test_what_makes_no_sense_is_named(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        parse_fleet(text, path="fleet.toml")
    assert "fleet.toml" in str(caught.value) or "H1000" in str(caught.value)


def test_a_file_that_isnt_there_is_named() -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        load_fleet("/nowhere/fleet.toml")


def test_a_fleet_of_like_nodes_has_a_job_for_every_eight() -> None:
    plan = uniform_fleet(20, 8, "H20")
    assert len({node.name for node in plan.nodes}) == 20
    assert [node.world_size for node in plan.nodes] == [64] * 16 + [32] * 4
    assert len(plan.jobs) == 3

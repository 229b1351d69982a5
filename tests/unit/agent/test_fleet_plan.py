import tomllib
from collections import Counter
from pathlib import Path

import pytest

from steelyard_agent.simulate import plan_file
from steelyard_agent.simulate.plan import uniform_fleet
from steelyard_agent.simulate.plan_fault import read_flags
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
KINDS = """
[[nodes]]
prefix = "a"
count = 1
chip = "H100"
devices = 4
[[workload]]
name = "w"
tokens_per_device = 1024
parameters = 7
on.H100 = { tokens_per_s_device = 1024, tensor = 0.6 }
[[job]]
workload = "w"
id = "2"
nodes = ["a-1:3-3"]
pace = 2.0
[[job]]
workload = "w"
id = "1"
nodes = ["a-1:1-2"]
[[fault]]
node = "a-1"
device = 3
kind = "throttle"
from_s = -60
to_s = 60
"""


def test_the_demo_is_a_mixed_fleet_with_jobs_and_faults() -> None:
    plan = load_fleet("demo")
    assert {node.chip for node in plan.nodes} == {"H100", "H20", "A100-80G", "910B2", "910C", "MI300X"}
    assert all(node.devices >= 8 for node in plan.nodes)
    kinds = {fault.kind for node in plan.nodes for fault in node.faults}
    assert kinds == {"throttle", "slow_host", "idle", "hung", "lost"}
    of_workload = Counter((job.name, node.chip) for node in plan.nodes for job in (j.plan for j in plan.jobs_on(node)))
    for workload, jobs in (("llama-8b-pretrain", 3), ("qwen-7b-sft", 2)):
        assert {of_workload[workload, node.chip] for node in plan.nodes} == {jobs}


def test_the_demo_s_jobs_go_as_fast_as_its_table_of_truths_says() -> None:
    document = tomllib.loads(Path(plan_file.__file__).with_name("demo.toml").read_text(encoding="utf-8"))
    rates = {kind["name"]: {chip: on["tokens_per_s_device"] for chip, on in kind["on"].items()}
             for kind in document["workload"]}  # fmt: skip
    plan = load_fleet("demo")
    paces = []
    for node in plan.nodes:
        for job in plan.jobs_on(node):
            if job.plan.name in rates:
                own = job.plan.tokens_per_step / job.place.world_size / job.workload.step_s
                paces.append(own / rates[job.plan.name][node.chip])
    assert len(paces) == 30
    assert 0.9 < min(paces) < 0.98 < 1.02 < max(paces) < 1.1


def test_ranks_go_on_over_the_nodes_of_a_job() -> None:
    plan = parse_fleet(FLEET, path="f")
    places = [(node.name, place.first_rank, place.world_size) for node in plan.nodes for place in node.placements]
    assert places == [("a-1", 0, 8), ("a-2", 4, 8)]
    assert plan.devices == 8


def test_a_node_may_have_several_jobs_and_devices_at_rest() -> None:
    plan = parse_fleet(KINDS, path="f")
    node = plan.nodes[0]
    assert [(group.count, group.workload is None) for group in plan.groups(node)] == [(1, True), (2, False), (1, False)]
    one, other = plan.jobs_on(node)
    assert (one.plan.id, one.place.first, one.place.world_size, other.plan.id) == ("1", 1, 2, "2")
    assert (one.plan.tokens_per_step, one.plan.parameters, other.plan.tokens_per_step) == (2048, 7, 1024)
    assert (one.workload.step_s, other.workload.step_s) == pytest.approx((1.0, 0.5))
    assert (one.workload.tensor, one.workload.slowdowns) == (0.6, ())
    [slow] = other.workload.slowdowns
    assert (slow.from_s, slow.to_s) == (-60, 60)


def test_a_fault_on_one_node_slows_its_whole_job_for_its_time() -> None:
    plan = parse_fleet(
        FLEET + '[[fault]]\nnode = "a-2"\ndevice = 1\nkind = "throttle"\nfrom_s = 10\nto_s = 20\n', path="f"
    )
    [well], [ill] = (plan.groups(node) for node in plan.nodes)
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
        (FLEET + '[[job]]\nname = "b"\nnodes = ["a-1:3-3"]', "a-1:3 is train's already"),
        (FLEET + '[[job]]\nname = "b"\nnodes = ["a-1:3-4"]', "a-1 has 0 to 3"),
        (FLEET + '[[job]]\nname = "train"\nnodes = []', "'train' stands twice"),
        (FLEET + "step_s = 0", "step_s is 0"),
        (KINDS.replace('workload = "w"', 'workload = "v"'), "no workload is called 'v'; known are w"),
        (KINDS.replace("on.H100", "on.H20"), "it runs on H100; w says how fast one of H20 is"),
        (KINDS.replace("tokens_per_s_device = 1024", "tokens_per_s_device = 0"), "tokens_per_s_device is 0"),
        (KINDS.replace("on.H100 = { tokens_per_s_device = 1024, tensor = 0.6 }", "on.H100 = 5"), "on.H100"),
        (KINDS.replace("pace = 2.0", "pace = 0.0"), "pace is 0"),
        (FLEET + '[[fault]]\nnode = "a-1"\nkind = "fire"\nfrom_s = 0', "kind is 'fire'"),
        (FLEET + '[[fault]]\nnode = "a-1"\nkind = "idle"\nfrom_s = 0\ndevice = 4', "device is 4"),
        (FLEET + '[[fault]]\nnode = "a-1"\nkind = "idle"\nfrom_s = 5\nto_s = 5', "not after from_s"),
    ],
)
def test_what_makes_no_sense_is_named(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        parse_fleet(text, path="fleet.toml")
    assert "fleet.toml" in str(caught.value) or "H1000" in str(caught.value)


def test_a_slow_link_makes_communication_longer() -> None:
    plan = parse_fleet(FLEET + 'compute_share = 0.8\n[[fault]]\nnode = "a-2"\nkind = "slow_link"\n', path="f")
    for node in plan.nodes:
        [job] = plan.jobs_on(node)
        [slow] = job.workload.slowdowns
        assert (slow.from_s, slow.factor) == (0, pytest.approx(0.8 + 2.5 * 0.2))


def test_flags_say_what_a_file_says() -> None:
    plan = parse_fleet(FLEET, path="f")
    nodes = {node.name: node for node in plan.nodes}
    flags = ["throttle,node=a-2,device=1,from_s=10,to_s=20", "xid, node=a-1", "xid,node=a-1,code=48,from_s=-5"]
    by_flag = plan.with_faults(read_flags(flags, nodes))
    by_file = parse_fleet(
        FLEET + '[[fault]]\nnode = "a-2"\ndevice = 1\nkind = "throttle"\nfrom_s = 10\nto_s = 20\n'
        '[[fault]]\nnode = "a-1"\nkind = "xid"\n[[fault]]\nnode = "a-1"\nkind = "xid"\ncode = 48\nfrom_s = -5\n',
        path="f",
    )
    assert by_flag == by_file
    assert [(fault.code, fault.from_s, fault.device) for fault in by_flag.nodes[0].faults] == [
        (94, 0, None),
        (48, -5, None),
    ]


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("throttle", "node is missing"),
        ("throttle,a-1", "'a-1' is no key=value.*give it as throttle,node="),
        ("throttle,node=a-1,node=a-2", "'node=a-2'"),
        ("throttle,node=b-1", "no node is called 'b-1'; there are a-1, a-2"),
        ("throttle,node=a-1,chip=H100", "unknown key 'chip'|chip is 'H100'"),
        ("throttle,node=a-1,device=x", "device is 'x'; give a whole number"),
        ("throttle,node=a-1,device=-1", "device is -1"),
        ("throttle,node=a-1,from_s=soon", "from_s is 'soon'; give a number"),
        ("throttle,node=a-1,from_s=nan", "from_s is nan"),
        ("throttle,node=a-1,from_s=5,to_s=nan", "to_s is nan"),
        ("throttle,node=a-1,code=48", "throttle has no code"),
        ("ecc,node=a-1,to_s=5", "ecc happens at a moment"),
        ("xid,node=c-1", "910B2 tells no XID"),
        ("fire,node=a-1", "kind is 'fire'; give one of throttle, slow_host, slow_link"),
    ],
)
def test_a_flag_that_makes_no_sense_is_named(flag: str, message: str) -> None:
    text = FLEET + '[[nodes]]\nprefix = "c"\ncount = 1\nchip = "910B2"\ndevices = 4\n'
    nodes = {node.name: node for node in parse_fleet(text, path="f").nodes}
    with pytest.raises(ConfigError, match=message) as caught:
        read_flags([flag], nodes)
    assert f"--fault {flag}" in str(caught.value)


def test_a_file_that_isnt_there_is_named() -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        load_fleet("/nowhere/fleet.toml")


def test_a_fleet_of_like_nodes_has_a_job_for_every_eight() -> None:
    plan = uniform_fleet(20, 8, "H20")
    assert len({node.name for node in plan.nodes}) == 20
    assert [node.placements[0].world_size for node in plan.nodes] == [64] * 16 + [32] * 4
    assert len(plan.jobs) == 3

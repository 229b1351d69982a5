"""What a simulation says is true of it: by a plan whose figures can be told by hand."""

import pytest

from steelyard_agent.simulate.plan_file import parse_fleet
from steelyard_agent.simulate.plan_truth import Counted, fault_lines, job_lines, share_lines
from steelyard_agent.simulate.steps import End

FLEET = """
[[nodes]]
prefix = "a"
count = 1
chip = "H100"
devices = 4
[[nodes]]
prefix = "b"
count = 2
chip = "910B2"
devices = 2
[[workload]]
name = "w"
tokens_per_device = 1000
on.H100 = { tokens_per_s_device = 8000 }
on.910B2 = { tokens_per_s_device = 4000 }
[[job]]
workload = "w"
id = "1"
nodes = ["a-1:0-1"]
pace = 1.1
[[job]]
workload = "w"
id = "2"
nodes = ["b-1", "b-2:0-0"]
pace = 0.9
[[job]]
name = "v"
nodes = ["a-1:2-2"]
tokens_per_step = 1000
step_s = 0.1
[[job]]
name = "v"
id = "3"
nodes = ["b-2:1-1"]
tokens_per_step = 1000
step_s = 0.8
[[job]]
name = "silent"
nodes = ["a-1:3-3"]
[[fault]]
node = "a-1"
device = 1
kind = "slow_host"
from_s = -60
to_s = 60
[[fault]]
node = "a-1"
kind = "xid"
code = 48
"""


def test_shares_are_those_of_the_workloads_without_their_jobs_paces() -> None:
    found = {
        (line["workload"], line["chip"], line["reference"]): line["share"]
        for line in share_lines(parse_fleet(FLEET, path="f"))
    }
    assert found == {
        ("w", "910B2", "H100"): pytest.approx(0.5),
        ("w", "H100", "910B2"): pytest.approx(2.0),
        ("v", "910B2", "H100"): pytest.approx(0.125),
        ("v", "H100", "910B2"): pytest.approx(8.0),
        (None, "910B2", "H100"): pytest.approx(0.25),
        (None, "H100", "910B2"): pytest.approx(4.0),
    }


def test_faults_say_when_where_and_whom_they_slow() -> None:
    slow, xid = fault_lines(parse_fleet(FLEET, path="f"), 1_000_000)
    assert slow == {
        "fault": "slow_host",
        "node": "a-1",
        "devices": ["sim:a-1:1"],
        "from_ms": 940_000,
        "to_ms": 1_060_000,
        "code": None,
        "step_factors": {"1": 1.35},
    }
    assert (xid["code"], xid["from_ms"], xid["to_ms"]) == (48, 1_000_000, None)
    assert xid["devices"] == [f"sim:a-1:{index}" for index in range(4)]
    assert set(xid["step_factors"].values()) == {1.0}


def test_jobs_have_their_steps_with_checkpoints_apart_or_none() -> None:
    counted = Counted()
    counted.add([End(7, 1.0, 0.5, False, 2), End(8, 9.0, 8.0, True), End(9, 9.5, 0.5, False)])
    lines = {line["job"]: line for line in job_lines(parse_fleet(FLEET, path="f"), {"2": counted})}
    assert lines["2"] == {
        "job": "2",
        "workload": "w",
        "chips": ["910B2"],
        "devices": ["sim:b-1:0", "sim:b-1:1", "sim:b-2:0"],
        "steps": 3,
        "tokens": 9000,
        "productive_s": 1.5,
        "checkpoint_steps": 1,
        "checkpoint_s": 8.0,
        "tokens_per_s_device": 2000.0,
    }
    assert (lines["silent"]["steps"], lines["silent"]["tokens"], lines["silent"]["productive_s"]) == (None, None, None)

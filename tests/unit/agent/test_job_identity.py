import pytest

from steelyard_agent.jobs.cgroup import parse_cgroup
from steelyard_agent.jobs.identity import JobIdentity, Placement, Ranks, job_of, ranks_of

ALL = {
    "STEELYARD_JOB": "mine",
    "SLURM_JOB_ID": "77",
    "SLURM_JOB_NAME": "llama",
    "KUBERNETES_OWNER_UID": "owner-1",
    "RAY_JOB_ID": "03000000",
    "TORCHELASTIC_RUN_ID": "run-1",
    "MASTER_ADDR": "n1",
    "MASTER_PORT": "29500",
    "PMIX_NAMESPACE": "prterun-n1-7@1",
    "STEELYARD_LAUNCH": "7:1700000007",
}
PLACEMENT = Placement(leader_pid=100, leader_start_ms=1_700_000_000_500)


def test_the_most_deliberate_identity_wins() -> None:
    environ = dict(ALL)
    found = []
    for key in (
        "STEELYARD_JOB",
        "SLURM_JOB_ID",
        "KUBERNETES_OWNER_UID",
        "RAY_JOB_ID",
        "TORCHELASTIC_RUN_ID",
        "PMIX_NAMESPACE",
        "STEELYARD_LAUNCH",
        "",
    ):
        found.append(job_of(environ, PLACEMENT, "n1"))
        environ.pop(key, None)
    assert found == [
        JobIdentity("mine", "declared"),
        JobIdentity("77", "slurm", "llama"),
        JobIdentity("owner-1", "kubernetes"),
        JobIdentity("03000000", "ray"),
        JobIdentity("run-1@n1:29500", "torchrun"),
        JobIdentity("prterun-n1-7@1", "mpi"),
        JobIdentity("n1:7:1700000007", "process"),
        JobIdentity("n1:100:1700000000", "process"),
    ]


def test_tasks_of_an_array_are_jobs_of_their_own() -> None:
    environ = {"SLURM_JOB_ID": "81", "SLURM_ARRAY_JOB_ID": "80", "SLURM_ARRAY_TASK_ID": "3"}
    assert job_of(environ, PLACEMENT, "n1").id == "80_3"


def test_torchruns_default_id_names_no_job() -> None:
    environ = {"TORCHELASTIC_RUN_ID": "none", "MASTER_ADDR": "n1", "MASTER_PORT": "29500"}
    assert job_of(environ, PLACEMENT, "n1").scheduler == "process"


def test_a_run_of_open_mpi_4_is_told_from_the_next_with_its_number() -> None:
    # As mpirun 4.1.4 sets them: the upper 16 bits of the number are a hash.
    environ = {
        "PMIX_NAMESPACE": "811466753",
        "OMPI_MCA_orte_precondition_transports": "a7abb1580b6f3456-6ccbcb58186381d2",
    }
    assert job_of(environ, PLACEMENT, "n1") == JobIdentity("811466753-a7abb1580b6f3456", "mpi")


def test_a_cgroup_tells_where_the_environment_cant_be_read() -> None:
    assert job_of({}, Placement(1, 0, slurm_job="9"), "n1") == JobIdentity("9", "slurm")
    assert job_of({}, Placement(1, 0, pod_uid="p"), "n1") == JobIdentity("p", "kubernetes")
    owned = Placement(1, 0, pod_uid="p", owner_uid="o", owner_name="llama")
    assert job_of({}, owned, "n1") == JobIdentity("o", "kubernetes", "llama")
    assert parse_cgroup("0::/system.slice/slurmstepd.scope/sE8XY6BDH8Q400/step_0\n").slurm_sluid == "sE8XY6BDH8Q400"
    assert parse_cgroup("0::/system.slice/slurmstepd.scope/system\n").slurm_sluid == ""


@pytest.mark.parametrize(
    ("environ", "ranks"),
    [
        ({}, Ranks()),
        ({"RANK": "5", "LOCAL_RANK": "1", "WORLD_SIZE": "16"}, Ranks(5, 1, 16)),
        ({"RANK": "5"}, Ranks(5)),
        ({"SLURM_PROCID": "3", "SLURM_LOCALID": "1", "SLURM_STEP_NUM_TASKS": "4"}, Ranks(3, 1, 4)),
        ({"OMPI_COMM_WORLD_RANK": "2", "OMPI_COMM_WORLD_SIZE": "4"}, Ranks(2, None, 4)),
        ({"PMI_RANK": "2", "MPI_LOCALRANKID": "0", "PMI_SIZE": "4"}, Ranks(2, 0, 4)),
        # torchrun started by srun: Slurm's one task a node is not the rank.
        ({"RANK": "9", "WORLD_SIZE": "16", "SLURM_PROCID": "1", "SLURM_LOCALID": "0"}, Ranks(9, None, 16)),
        ({"RANK": "nine", "WORLD_SIZE": "-1"}, Ranks()),
        ({"RANK": "99999999999999"}, Ranks()),
    ],
)
def test_ranks_come_from_one_scheme(environ: dict[str, str], ranks: Ranks) -> None:
    assert ranks_of(environ) == ranks


ID = "0123456789abcdef" * 4
POD = "8a7f0a52-1a0c-4b7a-9b0e-0c9a3b1d2e3f"


@pytest.mark.parametrize(
    ("path", "container", "pod", "slurm"),
    [
        ("0::/", "", "", ""),
        ("0::/user.slice/user-1000.slice/session-3.scope", "", "", ""),
        (f"0::/system.slice/docker-{ID}.scope", ID, "", ""),
        (f"12:memory:/docker/{ID}\n1:cpu:/docker/{ID}", ID, "", ""),
        (f"0::/machine.slice/libpod-{ID}.scope", ID, "", ""),
        (f"0::/kubepods/burstable/pod{POD}/{ID}", ID, POD, ""),
        (
            "0::/kubepods.slice/kubepods-burstable.slice/"
            f"kubepods-burstable-pod{POD.replace('-', '_')}.slice/cri-containerd-{ID}.scope",
            ID,
            POD,
            "",
        ),
        (f"0::/kubepods.slice/kubepods-pod{POD.replace('-', '_')}.slice/crio-{ID}.scope", ID, POD, ""),
        ("0::/system.slice/slurmstepd.scope/job_4711/step_0/user/task_0", "", "", "4711"),
        ("0::/system.slice/node7_slurmstepd.scope/job_4711/step_0", "", "", "4711"),
        ("5:devices:/slurm/uid_1000/job_4711/step_batch", "", "", "4711"),
        ("5:devices:/slurm_node7/uid_1000/job_4711", "", "", "4711"),
        ("0::/job_5/thing", "", "", ""),
    ],
)
def test_the_path_of_a_cgroup(path: str, container: str, pod: str, slurm: str) -> None:
    facts = parse_cgroup(path + "\n")
    assert (facts.container, facts.pod_uid, facts.slurm_job) == (container, pod, slurm)

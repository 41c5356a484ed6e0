"""On a real Slurm of four virtual nodes: which task takes which label, and what happens to stopped jobs.

They run if `sudo slurm/local_cluster.sh start` has started that cluster; `.ci/run` starts it.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from cluster import CLUSTER, FOLDER, SCRIPTS, WHY_NOT, call, details, environment, submit, wait_for
from conftest import SMALL, STEPS, UNTIL_ENOUGH, start_python, trained, wait_until

from wcgan_tf.core.paths import RunPaths
from wcgan_tf.runs import label_status

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.xdist_group("slurm"),  # few nodes: one of these tests at a time
    pytest.mark.skipif(not (FOLDER / "slurm.conf").exists(), reason=WHY_NOT),
]

QUICK = [*STEPS, "--config.evaluate.num_per_label=10", "--config.evaluate.accuracy=false"]


@pytest.fixture(autouse=True)
def no_job_is_left():
    """Cancel the jobs of a failed test: they would block the nodes for the next one."""
    yield
    if call("squeue", "--noheader", "--me"):
        call("scancel", "--me")
        wait_until(lambda: not call("squeue", "--noheader", "--me"), "cancelling")


def states(folder: Path) -> dict[int, str]:
    paths = RunPaths(folder / "runs/digits")
    return {label: label_status.read(paths.label(label).status).state for label in paths.labels()}


def log(folder: Path, label: int) -> str:
    path = RunPaths(folder / "runs/digits").label(label).log
    return path.read_text() if path.exists() else ""


def trains(folder: Path, label: int) -> bool:
    """Whether a label has a checkpoint and is running."""
    paths = RunPaths(folder / "runs/digits").label(label)
    return any(paths.checkpoints.glob("ckpt-*.index")) and label_status.read(paths.status).state == "running"


def has_gone_on(folder: Path, label: int, times: int) -> bool:
    """Whether a label has gone on `times` times, and has taken steps since."""
    begins = re.findall(r"resumes from step ([0-9]+)", log(folder, label))
    step = label_status.read(RunPaths(folder / "runs/digits").label(label).status).step
    return len(begins) == times and step > int(begins[-1])


def assert_trained_once(folder: Path, labels: list[int]) -> None:
    assert states(folder) == dict.fromkeys(labels, "done")
    for label in labels:
        assert len(re.findall(r" images, n[1-4] CPU:0", log(folder, label))) == 1
        assert log(folder, label).count("done after 20 steps") == 1


def assert_nothing_was_lost(text: str) -> None:
    """Assert that the label went on from the step of each stop."""
    stops = re.findall(r"stopped after ([0-9]+) steps", text)
    assert stops
    assert re.findall(r"resumes from step ([0-9]+)", text) == stops


def test_weak_scaling_is_measured_with_copies_launch_and_slurm(one_core, tmp_path):
    """On one core it measures one label at a time: three trainings instead of nine."""
    arguments = ["--measure", "scaling", "--slurm", "--rounds=1", *SMALL, "--config.train.max_steps=100"]
    process = start_python(
        str(SCRIPTS.parent / "benchmarks/weak_scaling.py"),
        f"--config={SCRIPTS.parent}/configs/digits.py",
        *arguments,
        folder=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
    )
    said, _ = process.communicate()
    assert process.returncode == 0
    lines = said.splitlines()
    assert [line for line in lines if line.endswith(", 1 rounds")] == [
        f"{way}, 1 rounds" for way in ("copies", "launch", "slurm")
    ]
    tasks = [int(line.split()[0]) for line in lines if line.split()[:1] != [] and line.split()[0].isdigit()]
    assert tasks == 3 * [1]


def test_tasks_of_a_node_have_local_ranks_of_their_own(tmp_path):
    """With two GPUs on each node, no two tasks of a node take the same one, whatever their ranks."""
    program = "import os; from wcgan_tf.core.machine import threads; from wcgan_tf.launching.gpus import own_index; "
    program += "print(os.environ['SLURM_PROCID'], os.environ['SLURMD_NODENAME'], own_index(2), threads())"
    shape = ["--nodes=3", "--ntasks=6", "--ntasks-per-node=2", "--cpus-per-task=1"]
    rows = [row.split() for row in call("srun", *shape, sys.executable, "-c", program, folder=tmp_path).splitlines()]
    assert sorted(int(rank) for rank, *_ in rows) == list(range(6))
    assert len({(node, gpu) for _, node, gpu, _ in rows}) == 6
    assert len({node for _, node, *_ in rows}) == 3
    assert {threads for *_, threads in rows} == {"1"}


@pytest.mark.skipif(not (FOLDER / "gpu0").is_char_device(), reason="this machine lets root make no devices")
@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (["--ntasks=2", "--gpus-per-task=1"], {"0 0", "1 1"}),  # task, and the GPU that Slurm gave it
        (["--ntasks=2", "--gpus=1", "--ntasks-per-gpu=2"], {"0 0", "1 0"}),
        (["--ntasks=2", "--gres=shard:2"], {"0 0", "1 0"}),
    ],
)
def test_each_task_sees_the_gpu_that_slurm_gives_it(tmp_path, shape, expected):
    program = "import os; from wcgan_tf.launching import gpus; mine = gpus.visible(); "
    program += "print(os.environ['SLURM_PROCID'], mine[gpus.own_index(len(mine))])"
    (tmp_path / "tasks.sh").write_text(f'#!/bin/bash\nsrun --mpi=none {sys.executable} -c "{program}"\n')
    job = submit(tmp_path, "--nodes=1", *shape, "--output=tasks.log", "tasks.sh")
    wait_for(job)
    assert set((tmp_path / "tasks.log").read_text().splitlines()) == expected


@pytest.fixture
def endless(tmp_path):
    """Arguments of labels that train until they are stopped, or 20 steps more if the file `enough` exists."""
    (tmp_path / "digits.py").write_text(UNTIL_ENOUGH)
    return ["--config=digits.py"]


def is_asked(pid: int, number: signal.Signals) -> bool:
    """Whether this signal is pending for a stopped process, or the process has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return True
    waiting = int(re.search(r"^ShdPnd:\s*(\w+)", status, re.MULTILINE)[1], 16)
    return bool(waiting >> (number - 1) & 1)


def test_a_job_resumes_after_preemption_and_time_limit_but_not_after_scancel(tmp_path, endless):
    shape = ["--ntasks=1", "--time=10", "--signal=USR1@40"]
    job = submit(tmp_path, *shape, str(SCRIPTS / "train.sbatch"), *endless, "--labels=5")
    wait_until(lambda: trains(tmp_path, 5), "the first checkpoint")
    urgent = submit(tmp_path, "--partition=urgent", "--nodes=4", "--exclusive", "--output=/dev/null", "--wrap=sleep 1")
    wait_for(urgent)
    assert details(urgent)["JobState"] == "COMPLETED"
    wait_until(lambda: has_gone_on(tmp_path, 5, times=1), "its return")
    assert details(job)["Restarts"] == "1"

    paths = RunPaths(tmp_path / "runs/digits").label(5)
    pid = label_status.read(paths.status).pid
    os.kill(pid, signal.SIGSTOP)  # Slurm checks limits twice a minute: until then the cores are for other tests
    call("scontrol", "update", f"JobId={job}", "TimeLimit=1")
    wait_until(lambda: is_asked(pid, signal.SIGUSR1), "the end of a minute")
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)
    wait_until(lambda: details(job)["Restarts"] == "2", "the requeue")
    call("scontrol", "update", f"JobId={job}", "TimeLimit=10")
    wait_until(lambda: has_gone_on(tmp_path, 5, times=2), "its second return")
    assert_nothing_was_lost(log(tmp_path, 5))
    text = (tmp_path / f"slurm-{job}.log").read_text()
    assert f"stopped before their end; job {job} resumes when it is started again" in text

    call("scancel", job)
    wait_for(job)
    assert details(job)["JobState"] == "CANCELLED"
    assert details(job)["Restarts"] == "2"
    assert states(tmp_path) == {5: "stopped"}
    assert (paths.checkpoints / f"ckpt-{label_status.read(paths.status).step}.index").exists()


def test_the_job_of_tasks_refuses_to_be_an_array(tmp_path):
    job = submit(tmp_path, "--ntasks=1", "--array=0", str(SCRIPTS / "train.sbatch"), *STEPS)
    wait_for(job)
    assert details(f"{job}_0")["ExitCode"] == "2:0"
    assert (
        "submit slurm/train_array.sbatch instead"
        in (tmp_path / f"slurm-{details(f'{job}_0')['JobId']}.log").read_text()
    )
    assert not (tmp_path / "runs").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="killing a node takes root")
def test_a_label_of_a_node_that_died_resumes_elsewhere(tmp_path, endless):
    job = submit(tmp_path, "--ntasks=1", str(SCRIPTS / "train.sbatch"), *endless, "--labels=5")
    status = tmp_path / "runs/digits/labels/00005/status.json"
    wait_until(lambda: trains(tmp_path, 5), "the first checkpoint")
    (tmp_path / "enough").touch()
    node = json.loads(status.read_text())["host"]
    try:
        kill_node(node)
        wait_until(lambda: details(job)["Restarts"] == "1", "noticing that a node died")
        wait_for(job)
    finally:
        call(CLUSTER, "node", node)
        idle = ["sinfo", "--noheader", f"--nodes={node}", "--format=%t"]
        wait_until(lambda: call(*idle).strip() == "idle", "the node's return")
    assert details(job)["JobState"] == "COMPLETED"
    assert states(tmp_path)[5] == "done"
    assert re.search(r"resumes from step [1-9]", log(tmp_path, 5))


def target(link: Path) -> str:
    """The target of a link; empty if it is gone."""
    try:
        return str(link.readlink())
    except OSError:
        return ""


def kill_node(node: str) -> None:
    """End a node's slurmd and all that it started, as a power failure would."""
    daemons, tasks = [], []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            opened = {target(link) for link in (folder / "fd").iterdir()}
            started = (folder / "environ").read_bytes().split(b"\0")
        except OSError:  # it has ended
            continue
        if str(FOLDER / f"log/{node}.log") in opened:
            daemons.append(int(folder.name))
        elif {f"SLURMD_NODENAME={node}".encode(), f"SLURM_CONF={FOLDER}/slurm.conf".encode()} <= set(started):
            tasks.append(int(folder.name))
    assert daemons
    assert tasks
    for process in daemons + tasks:  # slurmstepd too: it would report the kill
        os.kill(process, signal.SIGKILL)


def test_a_requeued_element_resumes_and_leaves_the_other_alone(whole_chain, tmp_path, endless):
    trained(whole_chain[0], tmp_path, 2)
    job = submit(tmp_path, "--array=0-1", str(SCRIPTS / "train_array.sbatch"), *endless, "--labels=2,5")
    wait_until(lambda: trains(tmp_path, 5), "the first checkpoint")
    (tmp_path / "enough").touch()
    call("scontrol", "requeue", f"{job}_1")
    wait_for(job)
    assert states(tmp_path) == {2: "done", 5: "done"}
    assert_nothing_was_lost(log(tmp_path, 5))
    assert (tmp_path / f"slurm-{job}_0.log").read_text().count("label 2: done before") == 1
    assert details(f"{job}_1")["Restarts"] == "1"
    assert details(f"{job}_0")["Restarts"] == "0"


def test_a_failed_label_does_not_stop_the_others_and_is_submitted_again(digits, tmp_path):
    shutil.copytree(digits / "data", tmp_path / "data")
    file = tmp_path / "data/digits-8/train/00004.npy"
    content = file.read_bytes()
    file.write_bytes(content[:1000])
    job = submit(tmp_path, "--ntasks=2", str(SCRIPTS / "train.sbatch"), *STEPS, "--labels=4-5")
    wait_for(job)
    assert details(job)["JobState"] == "FAILED"
    assert states(tmp_path) == {4: "failed", 5: "done"}
    file.write_bytes(content)
    said = call(SCRIPTS / "submit.sh", "--failed", "--array", "--labels=4-5", *QUICK, folder=tmp_path)
    assert "1 element for 1 label;" in said
    for job in re.findall(r"job ([0-9]+)", said):
        wait_for(job)
        assert details(job)["JobState"] == "COMPLETED"
    assert_trained_once(tmp_path, [4, 5])
    scores = json.loads((tmp_path / "runs/digits/scores.json").read_text())
    assert scores["labels"] == [4, 5]
    assert (tmp_path / "runs/digits/grid.png").exists()
    said = call(SCRIPTS / "submit.sh", "--missing", "--labels=4-5", folder=tmp_path)
    assert said == "nothing to do: no label is missing\n"


def shares(text: str) -> dict[int, list[int]]:
    """task -> the labels that it found done, from a log."""
    found: dict[int, list[int]] = {}
    for task, label in re.findall(r"^([0-9]+): label ([0-9]+): done before", text, re.MULTILINE):
        found.setdefault(int(task), []).append(int(label))
    return found


def test_a_task_takes_every_nth_label(whole_chain, tmp_path):
    trained(whole_chain[0], tmp_path, 0, 1, 2, 3, 4)
    job = submit(tmp_path, "--ntasks=3", "--nodes=2", str(SCRIPTS / "train.sbatch"), *STEPS, "--labels=0-4")
    wait_for(job)
    assert details(job)["JobState"] == "COMPLETED"
    assert shares((tmp_path / f"slurm-{job}.log").read_text()) == {0: [0, 3], 1: [1, 4], 2: [2]}


def test_an_array_element_takes_every_nth_label(whole_chain, tmp_path):
    trained(whole_chain[0], tmp_path, 1, 2, 3)
    job = submit(tmp_path, "--array=0-1", str(SCRIPTS / "train_array.sbatch"), *STEPS, "--labels=1-3")
    wait_for(job)
    for element, labels in enumerate(("1,3", "2")):
        text = (tmp_path / f"slurm-{job}_{element}.log").read_text()
        assert f"SLURM_ARRAY_TASK_ID makes this rank {element} of 2, which takes label" in text
        assert ",".join(re.findall(r"label ([0-9]): done before", text)) == labels


def test_an_array_with_gaps_takes_the_labels_of_its_own_numbers(whole_chain, tmp_path):
    trained(whole_chain[0], tmp_path, 3, 7)
    job = submit(tmp_path, "--array=3,7", str(SCRIPTS / "train_array.sbatch"), *STEPS)
    wait_for(job)
    for label in (3, 7):
        said = (tmp_path / f"slurm-{job}_{label}.log").read_text()
        assert re.findall("label ([0-9]): done before", said) == [str(label)]


PROGRAM = [sys.executable, "-m", "wcgan_tf.slurm"]
SHAPES = [  # submit.sh by itself or as a program, and its arguments; its training job's script, tasks and elements
    ([SCRIPTS / "submit.sh", "--tasks=2"], "train.sbatch", "2", None),
    ([*PROGRAM, "--array", "--tasks", "2", "--at-once", "1"], "train_array.sbatch", "1", "0-1%1"),
]


@pytest.fixture
def down():
    """No submitted job starts meanwhile."""
    call("scontrol", "update", "PartitionName=main", "State=DOWN")
    yield
    call("scontrol", "update", "PartitionName=main", "State=UP")


@pytest.mark.parametrize(("command", "script", "tasks", "elements"), SHAPES, ids=["tasks", "array"])
@pytest.mark.usefixtures("down")
def test_the_jobs_of_submit_wait_for_each_other(tmp_path, command, script, tasks, elements):
    """The tests above check what they do."""
    said = call(*command, "--labels", "2-4", *QUICK, "--", "--time=5", folder=tmp_path)
    assert f"2 {'elements' if elements else 'tasks'} for 3 labels" in said
    prepare, train, evaluate = re.findall(r"job ([0-9]+)", said)
    job = details(train)
    assert job["Command"] == str(SCRIPTS / script)
    assert (job["TimeLimit"], job["NumTasks"], job.get("ArrayTaskId")) == ("00:05:00", tasks, elements)
    assert job["Dependency"] == f"afterok:{prepare}(unfulfilled)"
    assert details(evaluate)["Dependency"] == f"afterany:{train}{'_*' if elements else ''}(unfulfilled)"
    call("scancel", prepare, train, evaluate)
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("down")
def test_a_pretraining_is_a_job_between_prepare_and_train(tmp_path):
    wanted = ["--config.train.pretraining=1", "--", "--time=5", "--ntasks-per-node=1"]
    said = call(SCRIPTS / "submit.sh", "--tasks=2", *QUICK, *wanted, folder=tmp_path)
    prepare, pretrain, train, evaluate = re.findall(r"job ([0-9]+)", said)
    assert said.startswith(f"prepare: job {prepare}; pretrain: job {pretrain}; train: job {train}, 2 tasks")
    job = details(pretrain)
    assert job["Command"] == str(SCRIPTS / "pretrain.sbatch")
    assert (job["TimeLimit"], job["NumTasks"]) == ("00:05:00", "1")
    assert job["Dependency"] == f"afterok:{prepare}(unfulfilled)"
    assert details(train)["Dependency"] == f"afterok:{pretrain}(unfulfilled)"
    call("scancel", prepare, pretrain, train, evaluate)


def test_the_pretraining_stops_in_time_resumes_and_labels_start_from_it(tmp_path, endless):
    wanted = [*endless, "--config.train.pretraining=1"]
    paths = RunPaths(tmp_path / "runs/digits").pretraining
    job = submit(tmp_path, str(SCRIPTS / "pretrain.sbatch"), *wanted)
    wait_until(lambda: any(paths.checkpoints.glob("ckpt-*.index")), "the pretraining")
    call("scontrol", "requeue", job)
    wait_until(lambda: "resumes from step" in paths.log.read_text(), "a restart")
    assert_nothing_was_lost(paths.log.read_text())
    call("scancel", job)
    wait_for(job)
    (tmp_path / "enough").touch()
    ends = ["--config=digits.py", "--config.train.pretraining=1", "--config.train.max_steps=20"]
    wait_for(submit(tmp_path, str(SCRIPTS / "pretrain.sbatch"), *ends, "--config.train.max_seconds=0"))
    assert label_status.read(paths.status).state == "done"
    wait_for(submit(tmp_path, "--ntasks=2", str(SCRIPTS / "train.sbatch"), *ends, "--labels=4-5"))
    assert states(tmp_path) == {4: "done", 5: "done"}
    assert all("starts from the weights in" in log(tmp_path, label) for label in (4, 5))


WRONG = [
    (["--labels=14"], "error: there is no label '14'; the labels are 0 to 9\n"),
    (["--labels="], "error: --labels is given, but names no label; leave it out, or name some\n"),
    (["--tasks", "0"], "error: --tasks and --at-once are numbers from 1 on, not '0'\n"),
    (["--at-once=3"], "error: --at-once goes with --array\n"),
    (["--workdir"], "error: --workdir wants a value; type "),
    (["--time=5"], "error: --time=5 is not understood; type "),
    (["--config=nowhere.py"], "error: there is no config file 'nowhere.py'; the ones at hand are cifar10, "),
]


@pytest.mark.parametrize(("arguments", "words"), WRONG, ids=[" ".join(arguments) for arguments, _ in WRONG])
def test_wrong_input_of_submit_is_one_line(tmp_path, arguments, words):
    command = [SCRIPTS / "submit.sh", *arguments]
    done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(words)
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_chain_that_slurm_refuses_leaves_no_job(tmp_path):
    command = [SCRIPTS / "submit.sh", "--array", "--", "--nonsense"]
    done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.endswith("error: sbatch refused; nothing is submitted\n")
    wait_until(lambda: not call("squeue", "--noheader", "--me"), "cancelling")


def test_elements_of_an_array_share_the_preparation(tmp_path):
    job = submit(tmp_path, "--array=0-1", str(SCRIPTS / "prepare.sbatch"), "--label=auto")
    wait_for(job)
    logs = "".join(path.read_text() for path in tmp_path.glob("slurm-*.log"))
    for rank, labels in enumerate(("0,2,4,6,8", "1,3,5,7,9")):
        assert f"SLURM_ARRAY_TASK_ID makes this rank {rank} of 2, which takes labels {labels}\n" in logs
    assert "digits: 10 of 10 labels, 1438 train, 359 test images in data/digits-8" in logs

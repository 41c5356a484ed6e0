"""Many labels on one machine: in parallel, stopped, continued, failed."""

import json
import os
import pty
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time

import examples
import numpy as np
import pytest
from conftest import (
    ENDLESS,
    PATIENCE_SECONDS,
    SMALL,
    STEPS,
    UNTIL_ENOUGH,
    run,
    shown_on,
    trained,
    wait_until,
)
from PIL import Image

from wcgan_tf.core import errors, folder_lock, machine, records, signals
from wcgan_tf.core.paths import RunPaths
from wcgan_tf.models.generator_export import read_weights
from wcgan_tf.runs import label_status


def states(folder) -> dict[int, str]:
    paths = RunPaths(folder / "runs/digits")
    return {label: label_status.read(paths.label(label).status).state for label in paths.labels()}


def step(folder, *labels: int) -> int:
    """The lowest step that these labels have recorded."""
    paths = RunPaths(folder / "runs/digits")
    return min(label_status.read(paths.label(label).status).step for label in labels)


def test_a_failed_label_does_not_stop_the_others_and_shows_its_log(tmp_path):
    run("prepare", folder=tmp_path)
    file = tmp_path / "data/digits-8/train/00004.npy"
    file.write_bytes(file.read_bytes()[:1000])
    done = run("launch", "--labels=4,5", *STEPS, folder=tmp_path, check=False, fresh=True)
    assert done.returncode == errors.FAILED
    assert (
        "label 4: ended with exit code 2; the last lines of runs/digits/labels/00004/log.txt:\n    error: "
        in done.stdout
    )
    assert "damaged; delete data/digits-8/train/00004.json and run: python -m wcgan_tf.prepare" in done.stdout
    assert "label 5: done after 20 steps" in done.stdout
    assert "1 of 2 labels did not finish" in done.stderr
    assert "--labels=4" in done.stderr
    assert done.stderr.count("\n") == 1


def test_damaged_settings_of_one_label_do_not_stop_the_others(whole_chain, tmp_path):
    trained(whole_chain[0], tmp_path, 2, 3)
    (tmp_path / "runs/digits/labels/00003/config.json").write_text("{}")
    done = run("launch", "--labels=2-4", *STEPS, folder=tmp_path, check=False)
    assert done.returncode == errors.FAILED
    assert "error: runs/digits/labels/00003/config.json, which tells what is in " in done.stdout
    assert done.stderr.startswith("error: 1 of 3 labels did not finish")
    assert states(tmp_path)[4] == "done"


def test_a_label_without_images_is_tried_again_when_it_has_some(tmp_path):
    run("prepare", folder=tmp_path)
    for file in (tmp_path / "data/digits-8/train").glob("00004.*"):
        file.unlink()
    assert run("launch", "--labels=4", *STEPS, folder=tmp_path, check=False).returncode == errors.FAILED
    status = label_status.read(RunPaths(tmp_path / "runs/digits").label(4).status)
    assert status.state == "failed"
    assert status.error.startswith("no images of label 4 in data/digits-8; run: ")
    run("prepare", folder=tmp_path)
    run("launch", "--failed", *STEPS, folder=tmp_path)
    assert states(tmp_path) == {4: "done"}


def test_a_process_takes_labels_in_turn_and_each_is_as_from_a_process_of_its_own(whole_chain, tmp_path):
    shutil.copytree(whole_chain[0] / "data", tmp_path / "data")
    file = tmp_path / "data/digits-8/train/00004.npy"
    file.write_bytes(file.read_bytes()[:1000])
    run("launch", "--labels=3-5", "--jobs=1", *STEPS, folder=tmp_path, check=False)
    run("train", "--label=5", "--workdir=alone", *STEPS, folder=tmp_path)
    assert states(tmp_path) == {3: "done", 4: "failed", 5: "done"}
    in_turn, alone = RunPaths(tmp_path / "runs/digits"), RunPaths(tmp_path / "alone")
    logs = {label: in_turn.label(label).log.read_text() for label in (3, 4, 5)}
    assert [label for label, log in logs.items() if "tracing the step" in log] == [3]
    assert all(line.startswith(f"label {label}: ") for label in (3, 5) for line in logs[label].splitlines())
    assert logs[4].count("\n") == logs[4].count("error: data/digits-8/train/00004.npy is missing or damaged") == 1
    own, other = (read_weights(paths.label(5).generator, errors.Command("train")) for paths in (in_turn, alone))
    assert len(own) > 5
    np.testing.assert_equal(own, other)


def test_a_killed_label_resumes_and_a_finished_one_returns_at_once(tmp_path, begin):
    (tmp_path / "digits.py").write_text(UNTIL_ENOUGH)
    arguments = ["--config=digits.py", "--labels=4"]
    process = begin("launch", *arguments, folder=tmp_path, stdout=subprocess.PIPE)
    paths = RunPaths(tmp_path / "runs/digits").label(4)
    wait_until(lambda: list(paths.checkpoints.glob("*.index")), "a checkpoint", process)
    (tmp_path / "enough").touch()
    os.kill(label_status.read(paths.status).pid, signal.SIGKILL)
    output, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, output
    assert "trained 1 label in runs/digits\n" in output
    assert re.search(r"label 4: killed by signal 9 \(.*\); attempt 2 of 3 resumes from its last checkpoint", output)
    log = paths.log.read_text()
    assert re.search(r"label 4: .*, resumes from step [1-9]", log)
    assert states(tmp_path) == {4: "done"}
    steps = label_status.read(paths.status).step
    again = run("launch", *arguments, f"--config.train.max_steps={steps}", folder=tmp_path)
    assert f"label 4: done before after {steps} steps" in again.stdout
    assert "1 label in runs/digits: done before" in again.stdout
    assert "tracing" not in paths.log.read_text()[len(log) :]


@pytest.mark.parametrize(("number", "jobs"), [(signal.SIGINT, 2), (signal.SIGTERM, 1), (signal.SIGUSR1, 1)])
def test_stopping_the_launcher_saves_every_label(tmp_path, number, jobs, begin):
    labels = range(1, jobs + 1)
    arguments = ["--labels=1-3", f"--jobs={jobs}", *ENDLESS]
    process = begin("launch", *arguments, folder=tmp_path, stdout=subprocess.PIPE, start_new_session=True)
    wait_until(lambda: step(tmp_path, *labels) > 0, "a step", process)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # a terminal's Ctrl-C reaches the whole group
    else:
        process.send_signal(number)
    output, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == errors.STOPPED, output
    assert "the same command resumes" in output
    assert states(tmp_path) == dict.fromkeys(labels, "stopped")
    for label in labels:
        status = json.loads((tmp_path / f"runs/digits/labels/0000{label}/status.json").read_text())
        assert (tmp_path / f"runs/digits/labels/0000{label}/checkpoints/ckpt-{status['step']}.index").exists()
        assert status["step"] > 0


def test_a_second_signal_ends_all_without_saving(tmp_path, begin):
    process = begin("launch", "--labels=1", *ENDLESS, folder=tmp_path, stdout=subprocess.PIPE)
    paths = RunPaths(tmp_path / "runs/digits").label(1)
    wait_until(lambda: step(tmp_path, 1) > 0, "a step", process)
    os.kill(label_status.read(paths.status).pid, signal.SIGSTOP)  # as in a long step, it cannot answer
    process.send_signal(signal.SIGINT)
    assert any("stopping: 1 label to be saved first" in line for line in process.stdout)
    time.sleep(signals.AGAIN_SECONDS)  # else it counts as the same request
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == errors.STOPPED, output
    assert "label 1: killed by signal 9; the same command resumes it from its last checkpoint" in output
    assert states(tmp_path) == {1: "stale"}


def test_killing_the_launcher_saves_its_labels(tmp_path, begin):
    launcher = begin("launch", "--labels=1", *ENDLESS, folder=tmp_path, stdout=subprocess.DEVNULL)
    wait_until(lambda: step(tmp_path, 1) > 0, "a step", launcher)
    launcher.kill()
    launcher.wait()
    wait_until(lambda: states(tmp_path) == {1: "stopped"}, "the end of its label")
    assert RunPaths(tmp_path / "runs/digits").label(1).saved_checkpoints()


def test_labels_that_another_process_trains_are_waited_for(tmp_path, begin):
    run("prepare", folder=tmp_path)
    paths = RunPaths(tmp_path / "runs/digits").label(1)
    begin("train", "--label=1", *ENDLESS, folder=tmp_path, stdout=subprocess.DEVNULL)
    wait_until(lambda: step(tmp_path, 1) > 0, "a step")
    pid = label_status.read(paths.status).pid
    launcher = begin("launch", "--labels=1-2", *STEPS, folder=tmp_path, stdout=subprocess.PIPE)
    waits = f"label 1: another process is training it: {pid} on {machine.host()}; waiting for it\n"
    assert waits in [next(launcher.stdout) for _ in range(4)]
    wait_until(lambda: states(tmp_path)[2] == "done", "the other label", launcher)
    assert states(tmp_path)[1] == "running"
    os.kill(pid, signal.SIGTERM)
    said, _ = launcher.communicate(timeout=PATIENCE_SECONDS)
    assert launcher.returncode == errors.DONE, said
    assert states(tmp_path) == {1: "done", 2: "done"}


def test_of_two_launchers_at_once_each_trains_some_labels(whole_chain, tmp_path, begin):
    trained(whole_chain[0], tmp_path)
    both = [begin("launch", "--labels=0-3", *STEPS, folder=tmp_path, stdout=subprocess.PIPE) for _ in range(2)]
    said = [process.communicate(timeout=PATIENCE_SECONDS)[0] for process in both]
    assert [process.returncode for process in both] == [errors.DONE] * 2, said
    assert states(tmp_path) == dict.fromkeys(range(4), "done")
    for label in range(4):
        log = RunPaths(tmp_path / "runs/digits").label(label).log.read_text()
        assert log.count("images, ") == 1, log  # it was begun once
        assert "in use" not in log


def test_a_label_that_is_trained_is_refused_by_train(tmp_path, begin):
    run("prepare", folder=tmp_path)
    process = begin("train", "--label=1", *ENDLESS, folder=tmp_path, stdout=subprocess.DEVNULL)
    paths = RunPaths(tmp_path / "runs/digits").label(1)
    try:
        wait_until(lambda: step(tmp_path, 1) > 0, "a step", process)
        pid, log = process.pid, paths.log.read_text()
        done = run("train", "--label=1", *ENDLESS, folder=tmp_path, check=False)
        assert done.returncode == errors.WRONG_INPUT
        assert done.stderr.startswith(
            f"error: runs/digits/labels/00001 is in use by process {pid} on {machine.host()}; "
        )
        assert done.stderr.count("\n") == 1
        assert paths.log.read_text().startswith(log)
        assert "in use" not in paths.log.read_text()
        assert states(tmp_path) == {1: "running"}
    finally:
        process.kill()
        process.wait()
    with folder_lock.lock(paths.folder, print):  # the system releases the lock of a dead process
        pass


def test_missing_and_failed_labels_are_chosen_by_their_files(whole_chain, tmp_path):
    trained(whole_chain[0], tmp_path, 2)
    for label, state in ((3, "failed"), (4, "diverged"), (5, "stopped"), (6, "running"), (7, "running")):
        folder = RunPaths(tmp_path / "runs/digits").label(label).folder
        folder.mkdir(parents=True)
        updated = time.time() - (1000 if label == 7 else 0)
        (folder / "status.json").write_text(json.dumps({"state": state, "updated": updated}))
    assert run("status", "--list=failed", folder=tmp_path).stdout == "3-4,7\n"
    assert run("status", "--list=missing", folder=tmp_path).stdout == "0-1,3-5,7-9\n"
    done = run("launch", "--failed", "--labels=2,4", *STEPS, folder=tmp_path)
    assert "trained 1 label" in done.stdout
    assert run("status", "--list=done", folder=tmp_path).stdout == "2,4\n"
    nothing = run("launch", "--failed", "--labels=2,4", *STEPS, folder=tmp_path).stdout
    assert nothing == "nothing to do in runs/digits: 2 labels: 2 done\n"
    nothing = run("launch", "--missing", "--labels=6", *STEPS, folder=tmp_path).stdout
    assert nothing == "nothing to do in runs/digits: 1 label: 1 running\n"


def test_a_work_directory_of_other_settings_is_refused_once(whole_chain, tmp_path):
    trained(whole_chain[0], tmp_path, 2, 3, 4)
    done = run("launch", "--labels=2-4", *STEPS, "--config.model.latent_size=5", folder=tmp_path, check=False)
    assert done.returncode == errors.WRONG_INPUT
    assert "holds a training with other settings: model.latent_size (64 there, 5 here)" in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_a_new_label_of_a_run_has_the_settings_of_the_others(whole_chain, tmp_path):
    trained(whole_chain[0], tmp_path, 2)
    done = run("launch", "--labels=3", *STEPS, "--config.train.batch_size=8", folder=tmp_path, check=False)
    assert done.returncode == errors.WRONG_INPUT
    assert re.search(r"00002 holds a training with other settings: train.batch_size \(\d+ there, 8 here\)", done.stderr)
    assert states(tmp_path) == {2: "done"}


def test_where_the_images_of_a_run_are_is_said(whole_chain, tmp_path):
    run("prepare", "--config.dataset.data_dir=elsewhere", folder=tmp_path)
    run("launch", "--labels=3", *STEPS, "--config.dataset.data_dir=elsewhere", folder=tmp_path)
    for program in ("launch", "combine", "report", "pipeline"):
        done = run(program, *STEPS, folder=tmp_path, check=False)
        assert done.returncode == errors.WRONG_INPUT
        assert done.stderr == (
            "error: runs/digits was trained on images in elsewhere; add --config.dataset.data_dir=elsewhere\n"
        )
    assert "1 done" in run("status", "--config=digits", folder=tmp_path).stdout


def test_a_terminal_shows_a_live_table_and_gets_its_cursor_back(tmp_path, begin):
    terminal, end = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "110", "LINES": "30"}
    process = begin("launch", "--labels=1,2", "--jobs=1", *ENDLESS, folder=tmp_path, stdout=end, env=environment)
    os.close(end)
    shown, text, asked = b"", "", False
    for shown in shown_on(terminal):
        text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode(errors="ignore"))
        if not asked and re.search(r"1 +1 +running +[1-9]", text):
            process.send_signal(signal.SIGINT)
            asked = True
    assert process.wait(PATIENCE_SECONDS) == errors.STOPPED
    assert re.search(r"label +name +state +step +spent +left +W estimate +images/s +where", text)
    assert "label 1: stopped after " in text
    assert "stopped; the same command resumes" in text
    assert shown.rfind(b"\x1b[?25h") > shown.rfind(b"\x1b[?25l") >= 0


def test_closing_the_terminal_saves_and_stops_all_labels(tmp_path, begin_python):
    """The launcher leads a session of its own, as under a shell or ssh."""
    terminal, end = pty.openpty()
    code = "import fcntl, sys, termios; from wcgan_tf import cli, launch; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    code += "sys.argv[0] = 'launch'; cli.run(launch.main, launch.define_flags)"
    streams = {"stdin": end, "stdout": end, "stderr": end, "env": {**os.environ, "TERM": "xterm"}}
    arguments = ["-c", code, "--labels=1", *ENDLESS]
    process = begin_python(*arguments, folder=tmp_path, start_new_session=True, **streams)
    os.close(end)
    next(None for _ in shown_on(terminal) if step(tmp_path, 1) > 0)
    os.close(terminal)
    assert process.wait(PATIENCE_SECONDS) == errors.STOPPED
    assert states(tmp_path) == {1: "stopped"}


def test_one_process_trains_several_labels_and_a_failed_one_does_not_stop_the_others(tmp_path):
    run("prepare", folder=tmp_path)
    (tmp_path / "data/digits-8/train/00004.npy").write_bytes(b"no array")
    done = run("train", "--label=3-5", *STEPS, folder=tmp_path, check=False)
    assert done.returncode == errors.WRONG_INPUT
    assert states(tmp_path) == {3: "done", 4: "failed", 5: "done"}
    assert done.stderr.count("\n") == 1
    assert RunPaths(tmp_path / "runs/digits").label(4).log.read_text() == done.stderr
    assert "00004.npy is missing or damaged" in done.stderr
    assert done.stdout.count("tracing the step") == 1
    for label in (3, 5):
        log = RunPaths(tmp_path / "runs/digits").label(label).log.read_text()
        assert log == "".join(line for line in done.stdout.splitlines(True) if line.startswith(f"label {label}: "))


@pytest.mark.skipif(not shutil.which("mpirun"), reason="there is no mpirun; type: apt-get install openmpi-bin")
def test_processes_of_open_mpi_share_the_labels(tmp_path):
    run("prepare", folder=tmp_path)
    as_root = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    train = [sys.executable, "-m", "wcgan_tf.train", "--label=auto", "--labels=3-5", *STEPS]
    subprocess.run(
        ["mpirun", "--oversubscribe", "-n", "2", *train], cwd=tmp_path, env={**os.environ, **as_root}, check=True
    )
    assert states(tmp_path) == dict.fromkeys((3, 4, 5), "done")
    logs = {label: RunPaths(tmp_path / "runs/digits").label(label).log.read_text() for label in (3, 4, 5)}
    assert {label for label, log in logs.items() if "tracing the step" in log} == {3, 4}  # the first of each rank


def test_a_rank_says_which_labels_it_takes_and_takes_those(whole_chain, tmp_path, monkeypatch):
    trained(whole_chain[0], tmp_path, 3, 8)
    for name, value in (("PROCID", "1"), ("NTASKS", "4"), ("STEP_ID", "0")):
        monkeypatch.setenv(f"SLURM_{name}", value)
    done = run("train", "--label=auto", "--labels=2-6", *STEPS, folder=tmp_path)
    assert done.stdout.startswith("--label=auto: SLURM_PROCID makes this rank 1 of 4, which takes label 3\n")
    assert re.findall("label ([0-9]): done before", done.stdout) == ["3"]
    done = run("train", "--label=auto", "--labels=2", *STEPS, folder=tmp_path)
    assert done.stdout == "--label=auto: SLURM_PROCID makes this rank 1 of 4, which takes none of the 1 labels\n"
    done = run("train", "--label=3/5", *STEPS, folder=tmp_path)
    assert re.findall("label ([0-9]): done before", done.stdout) == ["3", "8"]


def test_status_shows_a_table_json_and_errors(whole_chain, tmp_path):
    trained(whole_chain[0], tmp_path, 3)
    run("train", "--label=4", "--config.train.device=gpu", folder=tmp_path, check=False)
    shown = run("status", folder=tmp_path).stdout
    assert re.search(r"^3 +3 +done +20 ", shown, re.MULTILINE)
    assert re.search(r"^9 +9 +pending *$", shown, re.MULTILINE)
    assert "label 4: train.device is gpu, but TensorFlow sees none" in shown
    assert shown.endswith("runs/digits: 10 labels: 8 pending, 1 failed, 1 done\n")
    known = json.loads(run("status", "--json", folder=tmp_path).stdout)
    assert known["counts"]["pending"] == 8
    assert known["labels"][3]["state"] == "done"
    assert (known["labels"][3]["step"], known["labels"][3]["progress"]) == (20, 1.0)
    assert len(known["labels"]) == 10


DAMAGED = ["{", "[]", '{"dataset": 3, "model": [], "train": {}, "images": {}}', '{"dataset": {"name": "../.."}}']
DAMAGED += ['{"dataset": {"nmae": "x"}, "model": {}, "train": {}, "images": {}}']
DAMAGED += ['{"dataset": {"name": "../x"}, "model": {}, "train": {}, "images": {}}']
DAMAGED += ['{"dataset": {"resolution": "8"}, "model": {}, "train": {}, "images": {}}']


@pytest.mark.parametrize("content", DAMAGED)
def test_damaged_settings_of_a_label_are_one_line(tmp_path, content):
    paths = RunPaths(tmp_path / "runs/digits").label(3)
    paths.checkpoints.mkdir(parents=True)
    (paths.checkpoints / "ckpt-7.index").touch()
    paths.config.write_text(content)
    for program, words in (
        ("status", r"config.json is damaged; type the run's own --config"),
        ("launch", r"runs/digits/labels/00003(/config.json, which .* missing or damaged; .*| .* other settings: .*)"),
    ):
        done = run(program, "--labels=3", folder=tmp_path, check=False)
        assert done.returncode == errors.WRONG_INPUT
        assert re.fullmatch(rf"error: .*{words}\n", done.stderr)


def test_status_ends_quietly_at_a_closed_pipe(tmp_path):
    command = f"{shlex.quote(sys.executable)} -m wcgan_tf.status --json | head -1"
    done = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("{\n", "")


def test_status_finds_the_labels_of_the_run_not_of_the_default_settings(tmp_path):
    for label in (0, 1):
        folder = tmp_path / f"photos/train/kind [{label}]"
        folder.mkdir(parents=True)
        for number in range(5):
            Image.new("RGB", (8, 8), (50 * number, 0, 0)).save(folder / f"{number}.png")
    config = "from wcgan_tf.config import default_config\n\ndef get_config():\n    config = default_config()\n"
    config += "    config.dataset.name, config.dataset.root = 'photos', 'photos'\n    return config\n"
    (tmp_path / "photos.py").write_text(config)
    before = run("status", "--config=photos.py", folder=tmp_path).stdout  # not yet prepared
    assert "kind [1]" in before
    assert before.endswith("runs/photos: 2 labels: 2 pending; there is no such folder yet\n")
    run("prepare", "--config=photos.py", folder=tmp_path)
    run("train", "--config=photos.py", "--label=1", *STEPS, folder=tmp_path)
    after = run("status", "--workdir=runs/photos", folder=tmp_path).stdout
    assert re.search(r"1 +kind \[1\] +done", after)
    assert after.endswith("runs/photos: 2 labels: 1 pending, 1 done\n")


def test_the_worst_labels_are_trained_further(whole_chain, tmp_path):
    trained(whole_chain[0], tmp_path, 2, 3, 4)
    scores = tmp_path / "runs/digits/scores.json"
    done = run("launch", "--worst=2", *STEPS, folder=tmp_path, check=False)
    assert done.returncode == errors.WRONG_INPUT
    assert "there is no runs/digits/scores.json; run: python -m wcgan_tf.evaluate" in done.stderr
    distances = {2: 0.5, 3: 0.1, 4: 0.7}
    by_label = {label: examples.label_scores(label, {"kernel_distance": own}, {}) for label, own in distances.items()}
    records.write(scores, examples.score_report(by_label))
    assert "nothing to do" in run("launch", "--worst=2", "--failed", *STEPS, folder=tmp_path).stdout
    done = run("launch", "--worst=2", *STEPS, folder=tmp_path, check=False)
    assert done.returncode == errors.WRONG_INPUT
    assert "the worst labels, 2,4, have spent their budget; type a larger one" in done.stderr
    run("launch", "--worst=1", *SMALL, "--config.train.max_steps=30", folder=tmp_path)
    assert [step(tmp_path, label) for label in (2, 3, 4)] == [20, 20, 30]
    scores.write_text('{"by_label": {"2": 3}}')
    done = run("launch", "--worst=2", *STEPS, folder=tmp_path, check=False)
    expected = "scores.json is damaged, or of another version; delete it and run: python -m wcgan_tf.evaluate"
    assert expected in done.stderr


def test_several_labels_share_a_gpu(tmp_path):
    """The driver is not there: TensorFlow trains on the CPU."""
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "0,1"}
    command = [sys.executable, "-m", "wcgan_tf.launch", "--labels=0-4", "--per-gpu=2", *STEPS]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert "nvidia-cuda-mps-control is not installed: the processes of a GPU take turns on it" in done.stdout
    assert "training 5 labels in runs/digits, 4 at a time" in done.stdout
    places = re.findall(r"started with gpu (\d), cpu", done.stdout)
    assert sorted(places[:4]) == ["0", "0", "1", "1"]
    told = (
        "TensorFlow sees no GPU, so it trains on the CPU; type pip install -e '.[cuda]', or --config.train.device=cpu"
    )
    assert len(re.findall(rf"label [0-4]: {re.escape(told)}; so will the others\n", done.stdout)) == 1
    log = RunPaths(tmp_path / "runs/digits").label(0).log.read_text()
    assert re.search(
        r"this process may use GPU [01], but TensorFlow sees no GPU, so it trains on the CPU; type pip", log
    )


def test_a_process_per_cpu_that_slurm_gives(tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "1")
    done = run("launch", "--labels=0,1", *STEPS, folder=tmp_path, fresh=True)
    assert re.search(r"this process may use 1 CPU( \(SLURM_CPUS_PER_TASK\))? and .* GiB of memory", done.stdout)
    assert "training 2 labels in runs/digits, 1 at a time" in done.stdout
    assert "started with 1 thread" in done.stdout or len(os.sched_getaffinity(0)) == 1
    assert "this process may use 1 CPU" in run("status", folder=tmp_path, fresh=True).stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--per_gpu=2"], "--per_gpu needs a GPU, and there is none to be seen"),
        (["--per-gpu=2", "--jobs=3"], "--jobs and --per_gpu both say how many processes there are; leave one out"),
    ],
)
def test_processes_per_gpu_that_cannot_be_are_refused(tmp_path, arguments, words):
    done = run("launch", *arguments, folder=tmp_path, check=False)
    assert done.returncode == errors.WRONG_INPUT
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []

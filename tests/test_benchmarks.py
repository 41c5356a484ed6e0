"""The benchmarks run and print their results; no times are checked."""

import json
import math
import re
import runpy
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf
from conftest import run, run_python, wait_until
from examples import score_report

from wcgan_tf.config import default_config
from wcgan_tf.core import errors, machine
from wcgan_tf.core.paths import RunPaths
from wcgan_tf.models import dcgan
from wcgan_tf.runs import label_status, recorded_settings
from wcgan_tf.runs.score_report import Beside
from wcgan_tf.training.objectives import OBJECTIVES

PROJECT = Path(__file__).parent.parent


def test_the_benchmark_of_a_label_process_fills_its_table():
    short = ["--config=configs/digits.py", "--config.model.width=4", "--config.train.max_seconds=1"]
    lines = table("benchmarks/label_process.py", "--repeats", "1", *short)
    assert [line.split()[1] for line in lines[1:]] == 9 * ["s"] + ["GiB"]


def table(*command: str) -> list[str]:
    """The lines that a benchmark prints."""
    return run_python(*command, folder=PROJECT).stdout.splitlines()


def test_the_benchmark_of_a_step_has_a_line_for_each_setting():
    settings = ["--config=configs/digits.py", "--config.model.width=4", "--rounds=1"]
    rows = ["--row=as configured", "--row=dcgan objective"]
    lines = table("benchmarks/steps.py", *settings, *rows)
    assert [line.split("  ")[-1].split(" (")[0] for line in lines] == [row.removeprefix("--row=") for row in rows]
    assert all(float(line.split()[0]) > 0 for line in lines)
    assert lines[0].split()[2] == "1.00"


def test_the_step_is_measured_beside_its_convolutions():
    lines = table("benchmarks/speed/table.py", "--rounds=1", "--seconds=0.01", "--peer_python=")
    rows = {line.split("|")[1].strip(): line.split("|")[2:4] for line in lines[2:]}
    assert [float(value) for value in rows["MFLOP per real image"]] == [124, 124]
    assert all(float(value) > 0.0 for value in rows["their share"])
    assert not any("PyTorch" in row for row in rows)


@pytest.mark.parametrize("name", ["table", "baselines"])
def test_a_missing_pytorch_is_a_line(name, tmp_path):
    command = [sys.executable, PROJECT / f"benchmarks/speed/{name}.py", "--peer_python", tmp_path / "none"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install -e '.[peer]'" in done.stderr.splitlines()[-1]


def test_the_faster_form_of_pytorch_counts(monkeypatch):
    monkeypatch.syspath_prepend(PROJECT / "benchmarks/speed")
    alone = {"seconds": 0.02, "operations": 3.2e9, "slowest": 1e11, "fastest": 3e11}
    measured = {}
    for precision, ours, contiguous, channels_last in (("float32", 1200, 600, 800), ("mixed_bfloat16", 1600, 500, 400)):
        measured[precision, "alone"] = [alone]
        rates = {"step": ours, "contiguous": contiguous, "channels_last": channels_last}
        for part, rate in rates.items():
            measured[precision, part] = [{"images_per_second": factor * rate} for factor in (0.5, 1.0, 1.1)]
    lines = runpy.run_path(str(PROJECT / "benchmarks/speed/table.py"))["table"](measured)
    assert "| PyTorch, images/s | 800 (channels_last) | 500 (contiguous) |" in lines
    assert "| ours / PyTorch | 1.50 | 3.20 |" in lines
    assert "| their share | 0.75 | 1.00 |" in lines
    assert "| GFLOP/s of the step | 120 | 160 |" in lines
    assert "| GFLOP/s of the large ones alone | 100 to 300 | 100 to 300 |" in lines


def test_the_step_of_a_frozen_baseline_is_measured():
    precision = "mixed_bfloat16" if machine.computes_in_bfloat16() else "float32"  # emulated it takes minutes
    command = [sys.executable, PROJECT / "benchmarks/speed/ours.py", precision, "wgan_gp"]
    done = subprocess.run(command, input="0.01\n", capture_output=True, text=True, check=True)
    ready, measured = done.stdout.splitlines()
    assert (ready, json.loads(measured)["images_per_second"] > 0.0) == ("ready", True)


def test_baselines_stand_beside_the_faster_form_of_pytorch(monkeypatch):
    monkeypatch.syspath_prepend(PROJECT / "benchmarks/speed")
    rates = {"ours": [90.0, 120.0, 130.0], "contiguous": [100.0, 60.0, 20.0], "channels_last": [50.0, 50.0, 50.0]}
    keys = [(method, precision) for method in ("dcgan", "wgan_gp") for precision in ("float32", "mixed_bfloat16")]
    measured = {(*key, row): rates[row] for key in keys for row in rates}
    lines = runpy.run_path(str(PROJECT / "benchmarks/speed/baselines.py"))["table"](measured)
    assert lines[2:] == [f"| {method} | {precision} | 120 | 60 (contiguous) | 2.00 |" for method, precision in keys]


def test_the_time_of_an_operation_is_without_those_inside_it(monkeypatch):
    monkeypatch.syspath_prepend(PROJECT / "benchmarks/speed")
    own_times = runpy.run_path(str(PROJECT / "benchmarks/speed/operations.py"))["own_times"]
    events = [((2, 4), "Mul"), ((0, 10), "Run"), ((4, 5), "Mul"), ((2, 6), "If"), ((12, 13), "Run")]
    assert own_times(events) == {"Run": 7, "If": 1, "Mul": 3}


def test_the_operations_of_a_step_are_listed_by_their_time():
    *lines, last = [line.split() for line in table("benchmarks/speed/operations.py")]
    assert 0.0 < float(last[-3]) < 1.0  # the share of convolutions and products
    times = {name: (float(time), float(calls)) for time, _, calls, _, name in lines}
    assert list(times.values()) == sorted(times.values(), key=lambda own: -own[0])
    plain = sum(calls for name, (_, calls) in times.items() if "Conv2DBackpropInput" in name)
    assert plain == (3.2 if machine.computes_with_avx2() else 14.2)  # 11 by products; a quarter of one is the penalty's
    assert times["ResourceApplyAdam"][1] == 19


@pytest.mark.skipif(not shutil.which("strace"), reason="there is no strace; type: apt-get install strace")
def test_no_system_call_of_a_label_process_is_about_another_label():
    head, *lines = table("benchmarks/system_calls.py", "10", "400", "--config.model.width=4")
    assert head.split() == ["labels", "10", "400"]
    rows = {line[:28].strip(): [int(word) for word in line[28:].split()] for line in lines}
    assert rows["of other labels"] == [0, 0]
    few, many = rows["bytes read"]
    assert abs(many - few) < 1000 < few  # the owner file is read as often as time passes; 400 names are 2,000 bytes


def test_all_forms_of_a_mixed_batch_draw_the_same_images():
    lines = table("benchmarks/combined_forms.py", "--labels=3", "--batch=8", "--rounds=1")
    differences = [float(line.split(" by ")[1].split()[0]) for line in lines if "differs from the first form" in line]
    assert len(differences) >= 5
    assert max(differences) < 1e-4


def test_the_benchmark_of_the_combined_model_fills_its_table():
    lines = table("benchmarks/combined_model.py", "--labels=10")
    assert lines[0] == "| labels | 10 |"
    rows = {line.split("|")[1].strip(): float(line.split("|")[2]) for line in lines[2:]}
    assert rows["MiB of the model"] > 1
    assert all(value > 0 for name, value in rows.items() if "TensorFlow" not in name)
    assert len(rows) > 9  # with few labels, memory above TensorFlow's own may be 0


def test_weak_scaling_reads_the_runs_of_any_number_of_tasks(tmp_path):
    """One label at 100 images/s, two at 90 on average; each label's first row, its warm-up, is left out."""
    for name, speeds in (("one", [100.0]), ("two", [80.0, 100.0])):
        for label, speed in enumerate(speeds):
            folder = tmp_path / f"{name}/labels/{label:05}"
            folder.mkdir(parents=True)
            rows = [{"step": 10, "images_per_second": 1.0}, {"step": 20}]
            rows += [{"step": 30 + step, "images_per_second": speed} for step in range(3)]
            (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    plot = tmp_path / "plot.png"
    command = [sys.executable, PROJECT / "benchmarks/weak_scaling.py", tmp_path / "one", tmp_path / "two"]
    done = subprocess.run([*command, "--plot", plot], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()[1:3]]
    assert rows == [["1", "100", "100", "100", "100", "1.000"], ["2", "90", "80", "100", "180", "0.900"]]
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_fixed_budget_scores_every_method_by_every_ruler(whole_chain, tmp_path):
    shutil.copytree(whole_chain[0] / "data", tmp_path / "data")
    data = f"--config.dataset.data_dir={tmp_path}/data"
    run("prepare", "--classifier=domain", "--config=configs/digits.py", data, folder=PROJECT)
    save_classifier(tmp_path / "other")
    command = ["benchmarks/fixed_budget.py", "--config=configs/digits.py", data, "--labels=3", "--seeds=0,1"]
    command += ["--methods=single", "--variant=variant:train.pretraining=1", "--width=4", "--seconds_per_label=0.5"]
    command += [f"--classifiers=domain,{tmp_path}/other", "--num_per_label=15", f"--folder={tmp_path}/run"]
    first = run_python(*command, folder=PROJECT).stdout
    table = (tmp_path / "run/table.md").read_text()
    assert first.count(" of 6: ") == 6  # two pretrainings, two of a label and two of all labels
    assert table in first
    assert table.count("| | single | variant | real |") == 2  # for two rulers
    rows = [row.split("|")[2:-1] for row in table.splitlines() if row.startswith("| kcd, mean of the labels")]
    numbers = [float(part) for row in rows for cell in row for part in cell.split(" ± ")]
    assert len(numbers) == 2 * 5  # means and deviations of two methods, and the real images
    assert np.isfinite(numbers).all()
    assert [
        float(text) for text in re.findall(r"core-seconds of all training \| (.*?) ± .*? \| (.*?) ±", table)[0]
    ] == [
        pytest.approx(5.0, rel=0.5),  # ten labels of 0.5 s
        pytest.approx(0.5 * 2 / 1.1, rel=0.5),  # the pretraining, and the one label
    ]
    assert (tmp_path / "run/grids.png").read_bytes().startswith(b"\x89PNG")
    scored = [*tmp_path.glob("run/*/model"), *tmp_path.glob("run/*/scores-*.json")]
    assert len(scored) == 4 * 3  # of two methods and two seeds, a model and scores by two rulers
    written = [path.stat().st_mtime_ns for path in scored]
    again = run_python(*command, folder=PROJECT).stdout
    assert again.endswith(first[first.index("3: 0.5 s each") :])
    assert "done after" not in again
    assert [path.stat().st_mtime_ns for path in scored] == written
    more = ["--methods=", "--labels=3,4", "--num_per_label=20", "--seeds=1"]
    said = run_python(*command, *more, folder=PROJECT).stdout
    assert said.count("done after") == 1  # label 4
    assert said.count("3, 4: 0.5 s each, 1 seed, 20 images of each") == 2
    model = json.loads((tmp_path / "run/variant-0.5s-seed1/model/manifest.json").read_text())
    assert [entry["label"] for entry in model["labels"]] == [3, 4]
    single = [part for part in command if not part.startswith("--variant")]
    other = run_python(*single, "--config.train.gp_weight=3", folder=PROJECT, check=False)
    assert other.returncode
    assert re.search("error: all labels ended with exit code 2: error: .*train.gp_weight", other.stderr)


@pytest.mark.parametrize(
    ("flags", "wrong"),
    [
        (["--methods="], "there is nothing to compare"),
        (["--methods=our"], "there is no method 'our'"),
        (["--variant=ours:train.gp_every=8"], "there is a method ours already"),
        (["--variant=a:train.gp_every=8", "--variant=a:train.gp_every=4"], "there is a method a already"),
        (["--variant=a:train.seed=1"], "train.seed is set by --seeds"),
        (["--variant=a:train.nonsense=1"], "there is no setting"),
        (["--variant=a:train.pretraining=much"], "train.pretraining of a is 'much'; type a number"),
        (["--seconds_per_label="], "type numbers above 0"),
        (["--seconds_per_label=nan"], "type numbers above 0"),
        (["--seeds=0,-1"], "type numbers above -1"),
    ],
)
def test_fixed_budget_refuses_what_it_cannot_compare(digits, tmp_path, flags, wrong):
    command = ["benchmarks/fixed_budget.py", f"--config.dataset.data_dir={digits}/data", f"--folder={tmp_path}/run"]
    process = run_python(*command, *flags, folder=PROJECT, check=False)
    assert process.returncode == errors.WRONG_INPUT
    assert process.stderr.startswith("error: ")
    assert wrong in process.stderr
    assert not (tmp_path / "run").exists()


def test_fixed_budget_stops_its_trainings(digits, begin_python, tmp_path):
    command = ["benchmarks/fixed_budget.py", f"--config.dataset.data_dir={digits}/data", "--labels=3"]
    command += ["--methods=ours", "--width=4", "--seconds_per_label=600", f"--folder={tmp_path}"]
    process = begin_python(*command, folder=PROJECT)
    status = RunPaths(tmp_path / "ours-600s-seed0/run").label(3).status
    wait_until(lambda: label_status.read(status).step > 1, process=process)
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 128 + signal.SIGTERM
    assert label_status.read(status).state == "stopped"


def test_the_table_of_fixed_budget_has_means_and_deviations_by_budget_and_ruler(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(PROJECT / "benchmarks")
    from same_budget import pictures, tables
    from same_budget.trainings import Cell

    def result(method: str, seconds: float, seed: int, value: float) -> tables.Result:
        values = {"kernel_distance": value}
        report = score_report({}, means=Beside(values, {"kernel_distance": 0.0}))
        return tables.Result(
            Cell(method, seconds, seed, 0.0, 10), {"domain": report, "inception": report}, 0.0, 0.25, 100.0, 10.0
        )

    results = [result("ours", 10, 0, 1.0), result("ours", 10, 1, 3.0), result("dcgan", 10, 0, 7.0)]
    results.append(result("ours", 20, 0, 0.5))
    lines = tables.in_markdown(results).splitlines()
    assert [line.split(" s each")[0].split()[-1] for line in lines if " s each" in line] == ["10", "10", "20", "20"]
    assert lines.count("| kcd, mean of the labels | 2 ± 1.4 | 7 | 0 |") == 1  # by the domain classifier
    assert lines.count("| kid, mean of the labels | 2 ± 1.4 | 7 | 0 |") == 1
    assert lines.count("| kid, mean of the labels | 0.5 | 0 |") == 1
    assert lines.count("| share collapsed | 0.25 ± 0 | 0.25 |  |") == 2
    pictures.draw_curves(results, tmp_path)
    assert PIL.Image.open(tmp_path / "curves.png").size[0] > 900


def save_classifier(folder: Path) -> None:
    """Write a SavedModel whose features are the mean and the deviation of each channel."""

    class Colours(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.float32)])
        def __call__(self, images):
            moments = tf.concat(tf.nn.moments(images, [1, 2]), 1)
            return {"logits": moments, "pool_3": moments}

    module = Colours()
    tf.saved_model.save(module, str(folder), signatures=module.__call__)


def test_the_baselines_are_frozen():
    """Every setting that defines a training is written out, but for those that no paper states."""
    methods = runpy.run_path(str(PROJECT / "benchmarks/same_budget/methods.py"))["METHODS"]
    free = {"train.seed", "train.precision"}
    everything = recorded_settings.model_settings(default_config().to_dict())
    wanted = {f"{section}.{name}" for section in ("model", "train") for name in everything[section]} - free
    for name in ("dcgan", "wgan_gp"):
        assert methods[name].settings.keys() == wanted


def test_a_width_and_the_share_of_the_pretraining_hold_for_every_method(monkeypatch):
    monkeypatch.syspath_prepend(PROJECT / "benchmarks")
    from same_budget.trainings import Cell

    flags = Cell("dcgan", 180.0, 1, 0.0, 10, width=64).settings()
    widths = ["--config.model.width=64", "--config.model.critic_width=0"]  # 0: the same
    assert [flag for flag in flags if "width" in flag] == widths
    assert "--config.train.max_seconds=180.0" in flags
    ours = Cell("ours", 180.0, 1, 2.0, 10)  # twelve labels' worth for ten
    assert ours.settings() == [
        "--config.train.max_seconds=150.0",
        "--config.train.max_steps=0",
        "--config.train.seed=1",
    ]


def test_the_frozen_dcgan_is_the_config_file_of_that_name():
    frozen = runpy.run_path(str(PROJECT / "benchmarks/same_budget/methods.py"))["METHODS"]["dcgan"].settings
    config = runpy.run_path(str(PROJECT / "configs/cifar10_dcgan.py"))["get_config"]()
    used = {name: value for name, value in frozen.items() if name != "train.penalty" and "gp_" not in name}
    assert {name: config.get(name) for name in used} == used


def test_a_generator_of_the_conditional_gan_draws_the_same_alone(monkeypatch):
    monkeypatch.syspath_prepend(PROJECT / "benchmarks")
    from same_budget.conditional import Generator

    conditional, plain = Generator(8, 3, 4, labels=2), dcgan.Generator(8, 3, 4)
    latents = tf.random.stateless_normal([5, 6], [0, 0])
    conditional(latents, tf.zeros([5], tf.int32), training=True)  # moves BatchNorm's statistics
    plain(latents)
    for place, variable in enumerate(conditional.variables):
        if "seed" not in variable.name:
            variable.assign(variable + 0.1 * tf.abs(tf.random.stateless_normal(variable.shape, [1, place])))
    conditional.copy_to(plain, 1)
    of_one, of_other = (conditional(latents, tf.fill([5], label)) for label in (1, 0))
    np.testing.assert_allclose(plain(latents), of_one, atol=1e-5)
    assert np.abs(of_one - of_other).max() > 1e-2


def test_a_critic_of_the_conditional_gan_scores_an_image_by_its_label(monkeypatch):
    monkeypatch.syspath_prepend(PROJECT / "benchmarks")
    from same_budget.conditional import Critic

    critic = Critic(8, 4, labels=2, batch_deviation=True)
    images = tf.random.stateless_normal([5, 8, 8, 3], [0, 0])
    labels = tf.constant([0, 1, 0, 1, 1])
    before = critic(images, labels)
    table = critic.projection.table
    table.assign(tf.constant([[0.0], [1.0]]) * tf.ones([1, table.shape[1]]))
    moved = np.abs(critic(images, labels) - before) > 1e-3
    np.testing.assert_array_equal(moved, [False, True, False, True, True])


def test_the_code_of_every_planted_fault_is_there():
    faults = runpy.run_path(str(PROJECT / "benchmarks/planted_faults.py"))["FAULTS"]
    gone = [one.what for one in faults if one.right not in (PROJECT / f"wcgan_tf/{one.module}.py").read_text()]
    assert len(faults) > 20
    assert not gone


def test_a_planted_fault_is_noticed():
    lines = table("benchmarks/planted_faults.py", "reporting/verdicts")
    assert lines == ["noticed  reporting/verdicts: a good label is called bad", "1 of 1 were noticed"]


def test_the_memory_of_a_label_is_more_than_its_variables():
    head, _, row = table("benchmarks/label_memory.py", "configs/cifar10.py")
    cells = dict(zip(head.split("|"), row.split("|"), strict=True))
    images, weights = 5000 * 32 * 32 * 3, 2.2e6 * 4  # of the networks, the average and the optimizers
    assert int(cells[" MiB "]) * 2**20 > images + weights
    assert int(cells[" 16 GB "]) < int(cells[" 40 GB "]) < int(cells[" 80 GB "])


def test_made_photographs_are_read_but_for_the_broken_ones(tmp_path):
    for name in ("red", "blue"):
        (tmp_path / "few" / name).mkdir(parents=True)
        PIL.Image.new("RGB", (70, 64), name).save(tmp_path / "few" / name / "1.png")
    some = ["--labels=8", "--train=20", "--sides", "64", "70"]
    made = table("benchmarks/many_photos.py", f"{tmp_path}/few", f"{tmp_path}/many", *some)
    sides = [side for path in (tmp_path / "many").rglob("0*") for side in PIL.Image.open(path).size]
    assert 64 <= min(sides) < max(sides) <= 70
    assert made[-1] == f"{8 * 32} photographs of 8 labels are in {tmp_path}/many"
    flags = [f"--config.dataset.root={tmp_path}/many", "--config.dataset.name=many"]
    said = run("prepare", "--config=photos", *flags, folder=tmp_path)
    assert "many: 8 of 8 labels, 160 train, 96 test images in data/many-64" in said.stdout
    assert "6 could not be read and were left out" in said.stdout


def test_the_stages_of_many_labels_are_measured(tmp_path):
    for name in ("red", "blue"):
        (tmp_path / "few" / name).mkdir(parents=True)
        PIL.Image.new("RGB", (70, 64), name).save(tmp_path / "few" / name / "1.png")
    small = ["--source=few", "--folder=out", "--config.dataset.resolution=8", "--config.model.width=4"]

    def measured(*flags):
        said = run_python(f"{PROJECT}/benchmarks/many_labels.py", *small, *flags, folder=tmp_path).stdout
        return [line.split()[:2] for line in said.splitlines()]

    assert measured("--labels=2,3", "--only=prepare") == [["2", "prepare"], ["3", "prepare"]]
    said = measured("--labels=3", "--only=status", "--plot=plot.png")
    assert said == [["3", "status"], ["look", "at"]]
    costs = json.loads((tmp_path / "out/costs.json").read_text())["costs"]
    assert costs["3"]["prepare"]["megabytes"] > 3 * 72 * 8 * 8 * 3 / 10**6  # at least the images
    assert costs["3"]["status"]["files"] == 0
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
    wider = [f"{PROJECT}/benchmarks/many_labels.py", *small, "--config.model.width=8"]
    refused = run_python(*wider, "--labels=3", "--only=status", folder=tmp_path, check=False)
    assert refused.returncode == 1
    assert re.search("error: .*costs.json is of .*width=4; type another --folder", refused.stderr)


def test_long_runs_are_looked_at(tmp_path):
    flags = [
        "--requests=60",
        "--clients=2",
        "--interval=0.01",
        f"--folder={tmp_path}/out",
        f"--plot={tmp_path}/plot.png",
    ]
    done = run_python("benchmarks/long_runs.py", "--only=calls", *flags, folder=PROJECT, check=False)
    assert done.returncode in (0, 1)  # so short a run may still warm up
    head, _, row, *_ = done.stdout.splitlines()
    cells = dict(zip(head.split(" | "), row.split(" | "), strict=True))
    assert cells["what"] == "60 calls"
    assert float(cells["MiB, last quarter"]) > 100  # TensorFlow alone
    assert 2 <= int(cells["most threads"]) < 100
    assert list(json.loads((tmp_path / "out/samples.json").read_text())) == ["calls"]
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
    refused = run_python("benchmarks/long_runs.py", "--only=call", folder=PROJECT, check=False)
    assert "there is no run call; type some of train,labels,launch,serve,calls" in refused.stderr


def test_what_grows_in_a_long_run_is_found():
    names = runpy.run_path(str(PROJECT / "benchmarks/long_runs.py"))
    steady = [names["Sample"](second, 300.0 + second % 2, 200.0, 9, 15, 14) for second in range(100)]
    warming = [one._replace(heap=min(200.0, 100.0 + 5 * one.seconds)) for one in steady]
    leaking = [one._replace(heap=200.0 + 0.2 * one.seconds) for one in steady]
    more = [one._replace(open_files=9 + int(one.seconds) // 2, files=14 + int(one.seconds)) for one in steady]
    found = [names["growing"]("train", samples) for samples in (steady, warming, leaking, more)]
    assert found == [[], [], ["heap"], ["files", "open_files"]]
    assert names["growing"]("labels", more) == ["open_files"]  # each label has its files


def test_the_images_of_a_label_are_known_for_every_config():
    images = runpy.run_path(str(PROJECT / "benchmarks/label_memory.py"))["IMAGES"]
    configs = [runpy.run_path(str(file))["get_config"]() for file in PROJECT.glob("configs/*.py")]
    assert {config.dataset.name for config in configs} == images.keys()


def test_the_exported_step_has_its_variables_and_losses(tmp_path):
    """JAX, which runs it, is no dependency."""
    run_python("benchmarks/gpu/export_steps.py", str(tmp_path), "32px-b32-w32", folder=PROJECT)
    for precision in ("float32", "mixed_bfloat16"):
        facts = json.loads((tmp_path / f"32px-b32-w32-{precision}.json").read_text())
        for means in facts["means"].values():
            assert len(means) == len(OBJECTIVES["wasserstein"].logged)
            assert all(math.isfinite(mean) for mean in means)
        program = (tmp_path / f"32px-b32-w32-{precision}.mlir").read_text()
        arguments, results = re.search(r"@main\((.*?)\) -> \((.*?)\) {", program).groups()
        with np.load(tmp_path / "32px-b32-w32.npz") as start:
            shapes = [list(start[name].shape) for name in facts["arguments"]]
        assert sides_of(arguments)[1:] == shapes
        assert sides_of(results)[len(means) :] == [shapes[place] for place in facts["written"]]


def sides_of(types: str) -> list[list[int]]:
    """The shapes of StableHLO's tensor types."""
    return [[int(side) for side in text.split("x")[:-1]] for text in re.findall(r"tensor<((?:\d+x)*)\w+>", types)]


def test_operations_are_counted_where_they_are_needed():
    """A convolution of 6 images of side 8, the gradient of its kernel, and a product in a quarter of the runs."""
    flops = runpy.run_path(str(PROJECT / "benchmarks/flops.py"))
    product, convolution = 2 * 6 * 2 * 7, 2 * (6 * 4 * 4 * 5) * (3 * 3 * 2)

    def function(images, kernel, due, more):
        with tf.GradientTape() as tape:
            tape.watch(kernel)
            scores = tf.nn.conv2d(images, kernel, strides=2, padding="SAME")
        tf.linalg.matmul(more, more, transpose_b=True)  # nobody reads it
        extra = tf.cond(due, lambda: tf.linalg.matmul(images[:, 0, 0], more), lambda: tf.zeros([6, 7]))
        return tape.gradient(scores, kernel), extra

    arguments = tf.zeros([6, 8, 8, 2]), tf.zeros([3, 3, 2, 5]), tf.constant(True), tf.zeros([2, 7])
    graph = tf.function(function).get_concrete_function(*arguments).graph
    found = flops["operations_of_graph"](graph, taken=0.25)
    counted = sorted((operation.type, times, flops["of_operation"](operation)) for operation, times in found)
    # The gradient of sums needs no scores.
    assert counted == [("Conv2DBackpropFilter", 1.0, convolution), ("MatMul", 0.25, product)]

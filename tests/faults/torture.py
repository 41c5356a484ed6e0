"""Tries to lose things, for an hour or more: the long form of the tests in this folder.

    make torture
    PYTHONPATH=tests python tests/faults/torture.py --only combine --every 5
    PYTHONPATH=tests python tests/faults/torture.py --only launch,pipeline --random 20
    PYTHONPATH=tests python tests/faults/torture.py --only train,report --random 5 --every 0
    PYTHONPATH=tests python tests/faults/torture.py --only crowds --crowd 100

Kills each program after each of the system calls by which it changes a file; lets each flush, rename and new folder
fail once; kills `launch`, `pipeline` and, on a cluster of `slurm/local_cluster.sh start`, a job at random moments, and
stops every program; has crowds do the same at once.
Then the same command has to end it, with the result of an undisturbed run, and with nothing left beside it.  Prints a
table: how often each was tried, after how many something was lost (the command could not go on, or had left something),
and after how many something was wrong (a file that is not whole, a result that differs, a traceback).
"""

import argparse
import collections
import contextlib
import multiprocessing
import os
import queue
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from multiprocessing import Queue
from pathlib import Path
from typing import NamedTuple

import cases
import crowds
import damage
import jobs
import killing
import warm
from cluster import WHY_NOT
from conftest import CHAIN, STEPS, run, start, start_python

from wcgan_tf.core import errors

FAILING = [("fsync", "EIO"), ("rename,renameat,renameat2", "EIO"), ("mkdir,mkdirat", "ENOSPC")]  # calls and errors
MOST_KILLS = 8  # in a row, before a program may end
STOP_SECONDS = 10.0  # that a program may take to save and stop
PROGRESS_SECONDS = 60.0  # between two lines about it
SIGNALS = [signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP]


class Try(NamedTuple):
    """One fault: its row in the table, its number in that row, and what is done."""

    row: str
    case: cases.Case
    fault: str  # "kill", "kills" and "stops" at random, or system calls and their error
    number: int


class Outcome(NamedTuple):
    """What came of one or several faults."""

    row: str
    times: int
    lost: str = ""
    wrong: str = ""


def every(case: cases.Case, number_of_changes: int, step: int) -> Iterator[Try]:
    """Kills after each change of a file, and each call that can fail."""
    for number in range(1, number_of_changes + 1, step):
        yield Try(f"{case.name}: killed after a change of a file", case, "kill", number)
    for calls, error in FAILING:
        for number in range(1, 1 + number_of_changes // 4, step):
            yield Try(f"{case.name}: {calls.split(',')[0]} fails once", case, f"{calls}:{error}", number)


def attempt(one: Try, begin: Path, expected: dict[str, str]) -> Outcome | None:
    """Do what a try says in a copy of a folder; returns None if the program has ended before the fault."""
    with tempfile.TemporaryDirectory(dir=begin.parent) as place:
        folder, lost, wrong, times = Path(place) / "try", [], [], 1
        shutil.copytree(begin, folder)
        if one.fault == "kill":
            if not killing.kill_after(one.number, one.case.words, folder):
                return None
        elif one.fault in ("kills", "stops"):
            chance, stop = random.Random(one.number), one.fault == "stops"
            try:
                job = one.case == jobs.CASE
                times, lost = (jobs.at_random if job else at_random)(one.case, folder, stop, chance)
            except AssertionError as error:
                lost.append(str(error))
        else:
            calls, error = one.fault.split(":")
            failed, code, said = killing.fail(calls, error, one.number, one.case.words, folder)
            if not failed:
                return None
            wrong += ["a traceback"] if "Traceback" in said else []
            lost += [f"exit code {code}: {said[-300:]}"] if code not in (0, errors.FAILED, errors.WRONG_INPUT) else []
        wrong += cases.not_whole(folder)
        try:
            ended = cases.run_to_the_end(one.case, folder)
        except AssertionError as error:
            lost.append(f"it cannot go on: {error}")
        else:
            left = ended["leftovers"]
            lost += [f"left behind: {left}"] if left else []
            wrong += [
                f"{name} differs" for name in expected if name != "leftovers" and ended.get(name) != expected[name]
            ]
        return Outcome(one.row, times, "; ".join(lost), "; ".join(wrong))


def at_random(case: cases.Case, folder: Path, stop: bool, chance: random.Random) -> tuple[int, list[str]]:
    """Start a program again and again, and kill it or send it a signal at random moments, until it has ended.

    A kill is of the program alone or of all that it has started.  Returns how often, and what went wrong at a stop.
    """
    problems: list[str] = []
    longest = 12.0 if "pipeline" in case.name else 5.0  # seconds
    for times in range(MOST_KILLS):
        with (folder / "said.txt").open("w") as said:
            process = start_python("-m", *case.words, folder=folder, stdout=said, stderr=said)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(chance.uniform(0.0, longest))
        if process.poll() is not None:
            return times, problems
        if stop:
            number, began = chance.choice(SIGNALS), time.monotonic()
            process.send_signal(number)
            code = process.wait(120)
            took = time.monotonic() - began
            if took > STOP_SECONDS:
                problems.append(f"{number.name}: it took {took:.0f} s to stop")
            if code not in (errors.DONE, errors.STOPPED, 128 + number, -number):
                problems.append(f"{number.name}: exit code {code}: {(folder / 'said.txt').read_text()[-300:]}")
        else:
            everything = [process.pid, *started_by(process.pid)] if chance.random() < 0.5 else [process.pid]
            for pid in everything:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.wait()
    return MOST_KILLS, problems


def started_by(parent: int) -> list[int]:
    """All processes that a process has started, and those that they have started."""
    children = Path(f"/proc/{parent}/task/{parent}/children")
    own = [int(pid) for pid in children.read_text().split()] if children.exists() else []
    return own + [pid for child in own for pid in started_by(child)]


def result_of_chain(folder: Path) -> dict[str, str]:
    scores = folder / "runs/digits/scores.json"
    return {**cases.result_of_labels(folder), **cases.result_of_combine(folder), "report": str(scores.exists())}


AT_RANDOM = [
    cases.Case("launch", ["wcgan_tf.launch", "--labels=2-5", *STEPS], cases.only_data, cases.result_of_labels),
    cases.Case("pipeline", ["wcgan_tf.pipeline", *CHAIN], lambda whole, folder: None, result_of_chain),
    *([jobs.CASE] if jobs.is_possible() else []),
]


def do_share(place: int, number: int, arguments: argparse.Namespace, folder: Path, answers: Queue) -> None:
    """Do every `number`th try from `place` on; puts outcomes and, at the end, None into the queue."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the programs have to receive it, also under nohup
    warm.start()
    (folder / f"log-{place}.txt").touch()
    sys.stdout = (folder / f"log-{place}.txt").open("a", buffering=1)
    whole = folder / f"whole-{place}"
    whole.mkdir()
    run("prepare", "--classifier=domain", folder=whole)
    run("train", "--label=2-4", *STEPS, folder=whole)
    if not arguments.only or "damage" in arguments.only:
        damage_files(place, number, whole, answers)
    if place == 0 and (not arguments.only or "crowds" in arguments.only):
        for name in crowds.CROWDS:
            wrong = crowds.attempt(name, arguments.crowd, whole, whole / "crowd", start)
            answers.put((name, Outcome(f"{name}: a crowd at once", arguments.crowd, wrong=wrong)))
    for case in [*AT_RANDOM, *cases.CASES]:
        if arguments.only and case.name not in arguments.only:
            continue
        begin = whole / "cases" / case.name
        begin.mkdir(parents=True)
        case.begin(whole, begin)
        undisturbed = shutil.copytree(begin, begin.with_name("undisturbed"))
        kinds = ("kills", "stops") if case in AT_RANDOM else ("stops",)
        tries = [Try(f"{case.name}: {kind}", case, kind, each) for kind in kinds for each in range(arguments.random)]
        if case not in AT_RANDOM and arguments.every:
            counted = shutil.copytree(begin, begin.with_name("counted"))
            tries += every(case, killing.count_changes(case.words, counted), arguments.every)
            shutil.rmtree(counted)
        expected = cases.run_to_the_end(case, undisturbed)
        assert not expected["leftovers"]
        shutil.rmtree(undisturbed)
        ended = set()  # rows whose program ends before the fault: it would before later ones, too
        for one in tries[place::number]:
            if one.row in ended:
                continue
            if outcome := attempt(one, begin, expected):
                answers.put((one.number, outcome))
            else:
                ended.add(one.row)
    answers.put(None)


def damage_files(place: int, number: int, whole: Path, answers: Queue) -> None:
    """Damage every file that a program reads, in every way."""
    scored = whole / "cases/scored"
    scored.mkdir(parents=True)
    cases.scored(whole, scored)
    expected = {}
    for program in damage.PROGRAMS.values():
        if program[0] not in expected:
            folder = shutil.copytree(scored, scored.with_name("undisturbed"))
            run(*program, folder=folder)
            expected[program[0]] = damage.result(program, folder)
            shutil.rmtree(folder)
    tries = [(how, file) for file in damage.PROGRAMS for how in damage.ways(file)]
    for how, file in tries[place::number]:
        folder = shutil.copytree(scored, scored.with_name("hurt"))
        wrong = damage.try_with(how, file, folder, expected[damage.PROGRAMS[file][0]])
        answers.put((file, Outcome(f"files that are {how.__name__.replace('_', ' ')}", 1, wrong=wrong)))
        shutil.rmtree(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=lambda text: text.split(","), help="some of the programs")
    parser.add_argument("--every", type=int, default=1, help="only every nth change of a file; 0: none")
    parser.add_argument(
        "--random", type=int, default=20, help="rounds of up to 8 kills or stops of a program at random moments"
    )
    parser.add_argument("--crowd", type=int, default=50, help="processes that do the same at once")
    parser.add_argument("--folder", type=Path, help="where to work; a new temporary one if not given")
    arguments = parser.parse_args()
    known = ["damage", "crowds", *(case.name for case in [*AT_RANDOM, *cases.CASES])]
    if unknown := set(arguments.only or []) - set(known):
        parser.error(f"there is no {min(unknown)}; type some of {','.join(known)}")
    if not killing.is_possible():
        sys.exit("error: strace is missing, or may not look at other processes")
    if not arguments.only and not jobs.is_possible():
        print(f"no jobs of Slurm: {WHY_NOT}")
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="torture-"))
    folder.mkdir(parents=True, exist_ok=True)
    number, forks = len(os.sched_getaffinity(0)), multiprocessing.get_context("fork")
    answers = forks.Queue()
    shares = [
        forks.Process(target=do_share, args=(place, number, arguments, folder, answers), daemon=True)
        for place in range(number)
    ]
    for share in shares:
        share.start()
    rows: dict[str, collections.Counter] = collections.defaultdict(collections.Counter)
    ended, said = 0, time.monotonic()
    while ended < number:
        if any(share.exitcode for share in shares):
            sys.exit(f"error: a process that tries has ended; read what it said above, and {folder}/log-*.txt")
        try:
            answer = answers.get(timeout=PROGRESS_SECONDS)
        except queue.Empty:
            continue
        if time.monotonic() - said >= PROGRESS_SECONDS:
            said = time.monotonic()
            print(f"{sum(counts['times'] for counts in rows.values()):,} tries so far", flush=True)
        if answer is None:
            ended += 1
            continue
        place, outcome = answer
        rows[outcome.row].update(times=outcome.times, lost=int(bool(outcome.lost)), wrong=int(bool(outcome.wrong)))
        for what, words in (("lost", outcome.lost), ("wrong", outcome.wrong)):
            if words:
                print(f"{outcome.row}, {place}: {what}: {words}", flush=True)
    print("| fault | times | lost | wrong |\n|---|---:|---:|---:|")
    for row, counts in sorted(rows.items()):
        print(f"| {row} | {counts['times']:,} | {counts['lost']} | {counts['wrong']} |")
    sys.exit(any(counts["lost"] or counts["wrong"] for counts in rows.values()))


if __name__ == "__main__":
    main()

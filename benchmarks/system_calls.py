"""File system calls of a label process, by the number of labels: they should not grow with it.

    python benchmarks/system_calls.py            # at digits' sizes; needs strace
    python benchmarks/system_calls.py 10 100 --config.model.width=4

For 10, 100 and 1,000 labels, or the numbers given, makes a data set and a run in which all labels but one have a
folder.  Then trains that label for 20 steps under strace, with the default settings or those given, and counts the
calls that name, read or write a file: all of them, and those with a path in the data set or in the run.
"""

import collections
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from label_process import prepared

COUNTS = [10, 100, 1000]
LABEL = 3
CALLS = "%file,read,pread64,readv,write,pwrite64,writev,getdents64,fsync,fdatasync,flock"
SETTINGS = ["--config.train.max_seconds=0", "--config.train.max_steps=20"]


def count(folder: Path, labels: int, settings: list[str]) -> dict[str, int]:
    """Train one of `labels` labels; return the number of calls of each kind."""
    prepared(folder / "data", [], labels, count=100)
    run = folder / "run"
    for label in range(labels):
        if label != LABEL:
            (run / f"labels/{label:05}").mkdir(parents=True)
            (run / f"labels/{label:05}/status.json").write_text('{"state": "done", "updated": 0}')
    trace = folder / "trace.txt"
    arguments = [f"--label={LABEL}", f"--workdir={run}", f"--config.dataset.data_dir={folder / 'data'}"]
    strace = ["strace", "--follow-forks", "--seccomp-bpf", "--decode-fds", f"--trace={CALLS}", f"--output={trace}"]
    program = [sys.executable, "-m", "wcgan_tf.train", *arguments, *SETTINGS, *settings]
    subprocess.run([*strace, *program], check=True, stdout=subprocess.DEVNULL)
    calls = re.findall(r"^\d+ +(\w+)\((.*)$", trace.read_text(errors="replace"), re.MULTILINE)
    found = collections.Counter({"all": len(calls)})
    own = [(name, rest) for name, rest in calls if str(folder) in rest and str(trace) not in rest]
    found["in the data set and the run"] = len(own)
    for name, rest in own:
        kind = "reading" if "read" in name else "writing" if "write" in name or "sync" in name else "opening, looking"
        found[kind] += 1
        found["of other labels"] += bool(re.search(rf"/(?!{LABEL:05})\d{{5}}\b", rest))
        found["listing a folder"] += name == "getdents64"
    found["bytes read"] = sum(
        int(match[1]) for name, rest in own if "read" in name and (match := re.search(r"= (\d+)$", rest))
    )
    found["files left behind"] = sum(path.is_file() for path in (run / f"labels/{LABEL:05}").rglob("*"))
    return found


def main() -> None:
    if not shutil.which("strace"):
        sys.exit("error: there is no strace; type: apt-get install strace")
    settings = [argument for argument in sys.argv[1:] if argument.startswith("--")]
    counts = [int(argument) for argument in sys.argv[1:] if argument not in settings] or COUNTS
    columns = []
    for labels in counts:
        with tempfile.TemporaryDirectory() as folder:
            columns.append(count(Path(folder), labels, settings))
    print(f"{'labels':28}" + "".join(f"{labels:>10}" for labels in counts))
    for kind in dict.fromkeys(kind for column in columns for kind in column):
        print(f"{kind:28}" + "".join(f"{column[kind]:>10}" for column in columns))


if __name__ == "__main__":
    main()

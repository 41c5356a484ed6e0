"""Submit the labels of a data set to Slurm, or write the scripts that do, to change them.

    python -m wcgan_tf.slurm --config cifar10 -- --gpus-per-task=1 --time=4:00:00
    python -m wcgan_tf.slurm --config cifar100 --array --tasks 20 -- --gpus=1 --time=1:00:00
    python -m wcgan_tf.slurm --write slurm                # a folder; then slurm/submit.sh does the same

Takes the arguments of submit.sh, which `--help` explains, and starts it with this interpreter.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from wcgan_tf import cli
from wcgan_tf.core import errors
from wcgan_tf.core.errors import UserError
from wcgan_tf.core.paths import shipped

SUBMIT = "submit.sh"


def main(arguments: list[str]) -> int:
    scripts = shipped("slurm")
    if arguments and arguments[0] in ("--help", "--helpshort", "-h"):
        subprocess.run(["bash", str(scripts / SUBMIT), "--help"], env=_environment(), check=True)
        print("\n--write FOLDER writes the scripts, to change them; FOLDER/submit.sh then does the same.")
        return errors.DONE
    if arguments and (given := re.fullmatch(r"--write(?:=(.*))?", arguments[0])):
        if len(arguments) > (1 if given[1] else 2):
            raise UserError("--write wants a folder and nothing else, such as --write slurm")
        return _write(scripts, Path(given[1] or "".join(arguments[1:]) or "slurm"))
    os.execvpe("bash", ["bash", str(scripts / SUBMIT), *arguments], _environment())


def _environment() -> dict[str, str]:
    """This interpreter for the jobs, and what to type for this program in the script's messages."""
    return {**os.environ, "PYTHON": sys.executable, "PROGRAM": f"{errors.python()} -m wcgan_tf.slurm"}


def _write(scripts: Path, folder: Path) -> int:
    """Copy the scripts into a folder; refuses to replace any."""
    names = sorted(path.name for path in scripts.glob("*.s*") if path.suffix in (".sh", ".sbatch"))
    if there := [name for name in names if (folder / name).exists()]:
        raise UserError(f"{folder / there[0]} is there already; name another folder, as in --write my_slurm")
    if folder.name.startswith("-"):
        raise UserError(f"--write wants a folder, not {folder}; type --write slurm")
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file; name a folder")
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        shutil.copyfile(scripts / name, folder / name)
        (folder / name).chmod(0o755)
    print(f"wrote {', '.join(names)} into {folder}; type: {folder / SUBMIT} --help")
    return errors.DONE


if __name__ == "__main__":
    try:
        code = main(sys.argv[1:])
    except (UserError, OSError) as error:
        code = cli.show(error)
    sys.exit(code)

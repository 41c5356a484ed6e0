#!/usr/bin/env bash
# Everything that measure.sh needs on a machine with a GPU, into a folder: .gpu/steps if none is named.  From the project's
# root, in its environment.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:-.gpu/steps}
python "$here/export_steps.py" "$folder"
cp "$here"/{run_steps.py,torch_steps.py,packed_steps.py,measure.sh} "$folder"
du -sh "$folder"

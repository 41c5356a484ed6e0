"""Where the time of a train step goes: milliseconds per step by kind of operation, on one core.

    python benchmarks/speed/operations.py                    # float32
    python benchmarks/speed/operations.py mixed_bfloat16

From TensorFlow's own trace of 20 steps of configs/cifar10.py; an operation's time is without that of those inside it.
`Process` is TensorFlow's executor.
"""

import argparse
import collections
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

import ours

SHOWN = 30
WAITING = ("Run", "FunctionRun", "execute")  # for the step
PICOSECONDS_PER_MILLISECOND = 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("precision", nargs="?", default="float32", choices=["float32", "mixed_bfloat16"])
    precision = parser.parse_args().precision
    from wcgan_tf.core.process import quiet_imports

    with quiet_imports():
        import tensorflow as tf
        from tensorflow.tsl.profiler.protobuf import xplane_pb2

    gan = ours.made(precision)
    for _ in range(3):
        ours.take(gan)
    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder):
            ours.take(gan)
        space = xplane_pb2.XSpace.FromString(next(Path(folder).rglob("*.xplane.pb")).read_bytes())
    total: collections.Counter = collections.Counter()
    calls: collections.Counter = collections.Counter()
    for plane in space.planes:
        for line in plane.lines:
            names = [plane.event_metadata[event.metadata_id].name.rpartition(":")[2] for event in line.events]
            spans = [(event.offset_ps, event.offset_ps + event.duration_ps) for event in line.events]
            calls.update(names)
            total.update(own_times(zip(spans, names, strict=True)))
    for name in WAITING:
        total.pop(name, None)
    for name, time in total.most_common(SHOWN):
        print(f"{time / PICOSECONDS_PER_MILLISECOND / ours.STEPS:8.3f} ms {calls[name] / ours.STEPS:6.1f} x {name}")
    large = sum(time for name, time in total.items() if "Conv2D" in name or "MatMul" in name)
    whole = total.total()
    milliseconds = whole / PICOSECONDS_PER_MILLISECOND / ours.STEPS
    print(f"{milliseconds:8.3f} ms in all; convolutions and products are {large / whole:.2f} of it")


def own_times(events: Iterable[tuple[tuple[int, int], str]]) -> collections.Counter:
    """The time of each name in ((begin, end), name), without that of events inside an event."""
    own: collections.Counter = collections.Counter()
    around: list[tuple[int, str]] = []  # the ends and names of the events that the present one is in
    for (begin, end), name in sorted(events, key=lambda event: (event[0][0], -event[0][1])):
        while around and around[-1][0] <= begin:
            around.pop()
        own[name] += end - begin
        if around:
            own[around[-1][1]] -= end - begin
        around.append((end, name))
    return own


if __name__ == "__main__":
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    main()

"""Run exported train steps with JAX's PJRT client: their means against TensorFlow's, then steps and images per second.

    python run_steps.py                                    # the card's own rate, in TFLOP/s; 0 on a CPU
    python run_steps.py STEPS.json ... [--card RATE] [--seconds 3]

Needs JAX alone (tried with 0.10 and 0.11), and the files of export_steps.py beside each .json.  One call runs so many
steps that it takes about CALL_SECONDS, so that a call from Python costs nothing beside it.  With --card a row has the
share of that rate.  On a GPU the first row of a process has the most memory that XLA held for it.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import jax
import numpy as np
from jax._src.interpreters import mlir
from jax._src.lib.mlir import ir
from jaxlib import xla_client

CALL_SECONDS = 0.3
MATRIX = 8192  # rows and columns of the matrices whose products give the card's own rate
# Of the means after so many steps, relative or absolute.  On a GPU float32 is TF32.
TOLERANCES = {"float32": {1: 2e-3, 3: 0.05}, "TF32": {1: 1e-2, 3: 0.1}, "mixed_bfloat16": {1: 0.05, 3: 0.1}}


class Program:
    """A compiled program and its arguments: the number of steps, and the variables, which it updates."""

    def __init__(self, facts: Path) -> None:
        device = jax.devices()[0]
        with mlir.make_ir_context(), ir.Location.unknown():
            module = ir.Module.parse(facts.with_suffix(".mlir").read_text())
            main = next(op for op in module.body.operations if op.attributes["sym_name"].value == "main")
            kind = ir.FunctionType(ir.TypeAttr(main.attributes["function_type"]).value)
            inputs, outputs = [str(one) for one in kind.inputs][1:], [str(one) for one in kind.results]
            began = time.perf_counter()
            devices = xla_client.DeviceList((device,))
            self.executable = device.client.compile_and_load(module, devices, xla_client.CompileOptions())
            self.compile_seconds = time.perf_counter() - began
        known = json.loads(facts.read_text())
        with np.load(facts.with_name(facts.stem.rpartition("-")[0] + ".npz")) as start:
            # A buffer of its own for each: those that the program writes are given away to it.
            self.variables = [jax.device_put(start[name], device) for name in known["arguments"]]
        self.device, self.losses, self.written = device, len(known["means"]["1"]), known["written"]
        assert [inputs[place] for place in self.written] == outputs[self.losses :], "other outputs than the variables"

    def run(self, steps: int) -> list[float]:
        """Take steps; returns the means."""
        arguments = [jax.device_put(np.int32(steps), self.device), *self.variables]
        results = self.executable.execute_sharded(arguments).disassemble_into_single_device_arrays()
        for place, (result,) in zip(self.written, results[self.losses :], strict=True):
            self.variables[place] = result
        return [float(result) for (result,) in results[: self.losses]]


def measure(facts: Path, seconds: float, card: float) -> str:
    """A row of the table; `card` is `card_rate()`, or 0."""
    form, program = json.loads(facts.read_text()), Program(facts)
    same = compared(program, form)
    began = time.perf_counter()
    program.run(20)
    number = max(20, int(20 * CALL_SECONDS / (time.perf_counter() - began)))
    rates, until = [], time.perf_counter() + seconds
    while time.perf_counter() < until or len(rates) < 3:
        began = time.perf_counter()
        program.run(number)
        rates.append(number / (time.perf_counter() - began))
    rate = statistics.median(rates)
    images = rate * form["batch_size"] * form["critic_steps"]
    operations = rate * form["flops"]
    share = f" ({operations / 1e12 / card:.1%} of the card's)" if card else ""
    held = (program.device.memory_stats() or {}).get("peak_bytes_in_use")
    memory = f"{held / 2**20:.0f} MiB, " if held else ""
    return (
        f"{facts.stem:32s} ours, XLA, {number:6d} steps a call {rate:18.1f} steps/s {images:11.0f} images/s "
        f"{operations / 1e12:6.2f} TFLOP/s{share}  {memory}compiled in {program.compile_seconds:.1f} s, {same}"
    )


def compared(program: Program, form: dict) -> str:
    """Whether the first steps' means are those of TensorFlow."""
    taken = 0
    tensor_cores = form["precision"] == "float32" and jax.default_backend() != "cpu"
    for steps, tolerance in TOLERANCES["TF32" if tensor_cores else form["precision"]].items():
        means, wanted = program.run(steps - taken), form["means"][str(steps)]
        taken = steps
        if not np.allclose(means, wanted, rtol=tolerance, atol=tolerance):
            return f"DIFFERS after {steps} steps: {np.round(means, 4)}, TensorFlow {np.round(wanted, 4)}"
    return "as TensorFlow"


def card_rate() -> float:
    """TFLOP/s of a GPU in products of bfloat16 matrices; 0 on a CPU."""
    if jax.default_backend() == "cpu":
        return 0.0
    matrix = jax.random.normal(jax.random.key(0), [MATRIX, MATRIX], jax.numpy.bfloat16)
    product = jax.jit(lambda left, right: left @ right)
    seconds = []
    for _ in range(20):
        began = time.perf_counter()
        product(matrix, matrix).block_until_ready()
        seconds.append(time.perf_counter() - began)
    return 2.0 * MATRIX**3 / statistics.median(seconds) / 1e12


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("facts", nargs="*", type=Path)
    parser.add_argument("--card", type=float, default=0.0)
    parser.add_argument("--seconds", type=float, default=3.0)
    arguments = parser.parse_args()
    jax.config.update("jax_enable_x64", True)  # the step counts in 64 bits
    if not arguments.facts:
        print(f"{card_rate():.1f}")
        return
    print(f"JAX {jax.__version__} on {jax.devices()[0].device_kind}", flush=True)
    for facts in arguments.facts:
        try:
            print(measure(facts, arguments.seconds, arguments.card), flush=True)
        except Exception as error:  # the other rows are still to come
            print(f"{facts.stem:32s} {type(error).__name__}: {str(error).splitlines()[0][:200]}", flush=True)


if __name__ == "__main__":
    main()

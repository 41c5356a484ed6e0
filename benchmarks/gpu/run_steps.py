"""Run exported train steps with JAX's PJRT client: their means against TensorFlow's, then steps and images per second.

    python run_steps.py STEPS.json ... [--seconds 3]

Needs JAX alone, and the .mlir and .npz beside each .json; see export_steps.py.  One call runs so many steps that it
takes about CALL_SECONDS, so that a call from Python costs nothing beside it.
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
TOLERANCE = {"float32": 2e-3, "mixed_bfloat16": 0.1}  # of the means after a few steps, relative or absolute


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
        with np.load(facts.with_suffix(".npz")) as start:
            self.variables = [jax.device_put(start[name], device) for name in start.files]
        known = json.loads(facts.read_text())
        self.device, self.losses, self.written = device, len(known["means"]), known["written"]
        assert [inputs[place] for place in self.written] == outputs[self.losses :], "other outputs than the variables"

    def run(self, steps: int) -> list[float]:
        """Take steps; returns the means."""
        arguments = [jax.device_put(np.int32(steps), self.device), *self.variables]
        results = self.executable.execute_sharded(arguments).disassemble_into_single_device_arrays()
        for place, (result,) in zip(self.written, results[self.losses :], strict=True):
            self.variables[place] = result
        return [float(result) for (result,) in results[: self.losses]]


def measure(facts: Path, seconds: float) -> str:
    """A row of the table."""
    form, program = json.loads(facts.read_text()), Program(facts)
    means = program.run(form["checked"])
    wanted, tolerance = list(form["means"].values()), TOLERANCE[form["precision"]]
    equal = np.allclose(means, wanted, rtol=tolerance, atol=tolerance)
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
    same = "as TensorFlow" if equal else f"DIFFERS: {np.round(means, 4)}, TensorFlow {np.round(wanted, 4)}"
    return (
        f"{facts.stem:32s} ours, XLA, {number} steps a call  {rate:9.1f} steps/s {images:11.0f} images/s  "
        f"compiled in {program.compile_seconds:.1f} s, {same}"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("facts", nargs="+", type=Path)
    parser.add_argument("--seconds", type=float, default=3.0)
    arguments = parser.parse_args()
    jax.config.update("jax_enable_x64", True)  # the step counts in 64 bits
    print(f"JAX {jax.__version__} on {jax.devices()[0].device_kind}", flush=True)
    for facts in arguments.facts:
        print(measure(facts, arguments.seconds), flush=True)


if __name__ == "__main__":
    main()

"""The floating-point operations of a train step: of its convolutions and matrix products, counted from their shapes."""

import math
from collections.abc import Iterator


def of_step(gan) -> float:
    """The floating-point operations of one `train_step` of a `LabelGAN`, the penalty by its share of the steps."""
    return sum(times * of_operation(operation) for operation, times in operations_of_step(gan))


def operations_of_step(gan) -> list[tuple]:
    """The convolutions and matrix products of one `train_step`, each with how often it is run."""
    import tensorflow as tf

    step = tf.function(lambda: gan.train_step(None), autograph=False).get_concrete_function()
    return list(operations_of_graph(step.graph, taken=1.0 / gan.settings.gp_every))


def operations_of_graph(graph, taken: float, times: float = 1.0) -> Iterator[tuple]:
    """Those of a `tf.Graph` that is run so many `times`; `taken` is how often a condition is true, 0 to 1."""

    def called(attribute: str, share: float) -> Iterator[tuple]:
        function = graph._get_function(operation.get_attr(attribute).name)
        return operations_of_graph(function.graph, taken, times * share)

    for operation in _needed(graph):
        if operation.type in ("PartitionedCall", "StatefulPartitionedCall"):
            yield from called("f", 1.0)
        elif operation.type in ("If", "StatelessIf"):
            yield from called("then_branch", taken)
            yield from called("else_branch", 1.0 - taken)
        elif of_operation(operation):
            yield operation, times


def _needed(graph) -> set:
    """What the graph's results and effects need; the rest, such as gradients that nobody reads, is never run."""
    needed, left = set(), [*graph.control_outputs, *(output.op for output in graph.outputs)]
    while left:
        operation = left.pop()
        if operation not in needed:
            needed.add(operation)
            left += [*operation.control_inputs, *(tensor.op for tensor in operation.inputs)]
    return needed


def of_operation(operation) -> float:
    """A multiplication and an addition are two floating-point operations; 0 for everything else."""
    kind, inputs, (output, *_) = operation.type, operation.inputs, [*operation.outputs, None]
    if kind == "MatMul":
        inner = inputs[0].shape[0 if operation.get_attr("transpose_a") else 1]
        return 2.0 * inner * math.prod(output.shape)
    if kind == "Conv2D":
        return 2.0 * math.prod(output.shape) * math.prod(inputs[1].shape[:3])
    if kind == "Conv2DBackpropFilter":
        return 2.0 * math.prod(inputs[2].shape) * math.prod(output.shape[:3])
    if kind == "Conv2DBackpropInput":
        return 2.0 * math.prod(inputs[2].shape) * math.prod(inputs[1].shape[:3])
    return 0.0

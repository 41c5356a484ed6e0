"""The floating-point operations of a train step: of its convolutions and matrix products, counted from their shapes."""

import math


def of_step(gan) -> float:
    """The operations of one `train_step` of a `LabelGAN`, the penalty by its share of the steps."""
    import tensorflow as tf

    step = tf.function(lambda: gan.train_step(None), autograph=False).get_concrete_function()
    return of_graph(step.graph, taken=1.0 / gan.settings.gp_every)


def of_graph(graph, taken: float) -> float:
    """The operations of a `tf.Graph`; `taken` is how often a condition is true, 0 to 1."""
    return sum(_of_operation(graph, operation, taken) for operation in _needed(graph))


def _needed(graph) -> set:
    """What the graph's results and effects need; the rest, such as gradients that nobody reads, is never run."""
    needed, left = set(), [*graph.control_outputs, *(output.op for output in graph.outputs)]
    while left:
        operation = left.pop()
        if operation not in needed:
            needed.add(operation)
            left += [*operation.control_inputs, *(tensor.op for tensor in operation.inputs)]
    return needed


def _of_operation(graph, operation, taken: float) -> float:
    """A multiplication and an addition are two operations."""
    kind, inputs, (output, *_) = operation.type, operation.inputs, [*operation.outputs, None]

    def called(attribute: str) -> float:
        return of_graph(graph._get_function(operation.get_attr(attribute).name).graph, taken)

    if kind == "MatMul":
        inner = inputs[0].shape[0 if operation.get_attr("transpose_a") else 1]
        return 2.0 * inner * math.prod(output.shape)
    if kind == "Conv2D":
        return 2.0 * math.prod(output.shape) * math.prod(inputs[1].shape[:3])
    if kind == "Conv2DBackpropFilter":
        return 2.0 * math.prod(inputs[2].shape) * math.prod(output.shape[:3])
    if kind == "Conv2DBackpropInput":
        return 2.0 * math.prod(inputs[2].shape) * math.prod(inputs[1].shape[:3])
    if kind in ("PartitionedCall", "StatefulPartitionedCall"):
        return called("f")
    if kind in ("If", "StatelessIf"):
        return taken * called("then_branch") + (1.0 - taken) * called("else_branch")
    return 0.0

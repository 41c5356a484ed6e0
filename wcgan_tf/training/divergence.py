"""What a label does after a number that is not finite: it ends, or goes back once with lower learning rates."""

import msgspec

from wcgan_tf.core import records
from wcgan_tf.core.errors import Command
from wcgan_tf.core.records import Amount, Count
from wcgan_tf.runs.label_run import LabelRun
from wcgan_tf.training.gan import LabelGAN


class Divergence(msgspec.Struct, frozen=True):
    """divergence.json: where a label's training diverged, and from which checkpoint it went on."""

    step: Count
    seconds: Amount  # spent until then; they count, as the budget is one of computation
    back_to: Count  # step of the checkpoint; 0: of the first weights


def goes_back(run: LabelRun, step: int, seconds: float) -> bool:
    """Record that a label diverged, if its settings let it go back and it has not yet; returns whether it does."""
    factor = run.config.train.after_divergence
    if not factor or run.paths.divergence.exists():
        return False
    back_to = _newest(run)
    records.write(run.paths.divergence, Divergence(step, seconds, back_to))
    run.say(
        f"a loss or a weight is not finite after step {step}; goes back once, to step {back_to}, "
        f"and on with {factor:g} times the learning rates"
    )
    return True


def resume(gan: LabelGAN, run: LabelRun) -> None:
    """Set the learning rates and the spent seconds of a restored GAN, as `divergence.json` says, if there is one.

    Raises:
        DamagedError: if it is damaged.
    """
    known = None
    if run.paths.divergence.exists():
        known = records.read(run.paths.divergence, Divergence, Command("train", f"--label={run.data.label}"))
    if known and known.back_to > _newest(run):  # of a training whose checkpoints were deleted
        run.paths.divergence.unlink()
        known = None
    factor = (run.config.train.after_divergence or 1.0) if known else 1.0
    gan.learning_rate_factor.assign(factor)
    if known:
        gan.seconds.assign(max(float(gan.seconds), known.seconds))
        run.say(f"{factor:g} times the learning rates, since it diverged at step {known.step}")


def _newest(run: LabelRun) -> int:
    """The step of the newest checkpoint; 0 if there is none."""
    newest = run.paths.saved_checkpoints()[:1]
    return int(newest[0].name.removeprefix("ckpt-")) if newest else 0

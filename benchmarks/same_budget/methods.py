"""The methods that fixed_budget.py compares.  To add one: a row in METHODS.

The baselines are frozen: every setting that defines a training is written out, so that they stay what was published
when the project's own defaults change (a test checks that none is left out).
"""

from dataclasses import dataclass, field

# Of Radford et al. 2016 (arXiv 1511.06434), section 4: Adam with beta_1 = 0.5, batches of 128, no average, no decay.
DCGAN = {
    "model.architecture": "dcgan",
    "model.width": 32,
    "model.critic_width": 0,
    "model.latent_size": 128,
    "model.batch_deviation": False,
    "train.objective": "dcgan",
    "train.batch_size": 128,
    "train.critic_steps": 1,
    "train.penalty": "one_centred",  # this objective does not use these three
    "train.gp_weight": 0.0,
    "train.gp_every": 1,
    "train.generator_learning_rate": 2e-4,
    "train.critic_learning_rate": 2e-4,
    "train.learning_rate_decay": "none",
    "train.ema_decay": 0.0,
    "train.augment": "none",
    "train.pretraining": 0.0,
    "train.classification_weight": 0.0,
}
# Of Gulrajani et al. 2017 (arXiv 1704.00028), algorithm 1 and appendix F, on the same networks as DCGAN.
WGAN_GP = DCGAN | {
    "train.objective": "wasserstein",
    "train.batch_size": 64,
    "train.critic_steps": 5,
    "train.gp_weight": 10.0,
    "train.generator_learning_rate": 1e-4,
    "train.critic_learning_rate": 1e-4,
    "train.learning_rate_decay": "linear",
}


@dataclass(frozen=True)
class Method:
    """How a method is trained."""

    meaning: str
    settings: dict[str, object] = field(default_factory=dict)  # that differ from the config file
    cores: int = 1  # of a process
    together: bool = False  # one network for all labels (single.py), with the sum of their budgets


METHODS = {
    "ours": Method("the config file as it is: a Wasserstein GAN per label; the pretraining is part of the budget"),
    "ours_alone": Method("the same without pretraining", {"train.pretraining": 0.0}),
    "dcgan": Method("a DC-GAN per label, with published settings", DCGAN),
    "wgan_gp": Method("a WGAN-GP per label, with published settings", WGAN_GP),
    "single": Method("one conditional GAN for all labels, on one core", {"train.pretraining": 0.0}, together=True),
    "single_2": Method("the same on two cores", {"train.pretraining": 0.0}, cores=2, together=True),
}

"""Whole records, for tests that check some of their fields."""

from wcgan_tf.combined.manifest import LabelEntry, Manifest, weights_digest
from wcgan_tf.runs.label_status import Cost
from wcgan_tf.runs.score_report import FORMAT, Beside, ClassifierFacts, Images, LabelScores, ScoreReport, Values


def label_entry(label: int, **values) -> LabelEntry:
    """A label of a model, with weights `w<label>`."""
    defaults = {"name": str(label), "step": 40, "seconds": 1.5, "device": "CPU:0", "threads": 2}
    defaults |= {"settings_digest": "s", "weights_digest": f"w{label}"}
    return LabelEntry(label=label, **{**defaults, **values})


def manifest(labels: list[LabelEntry], **values) -> Manifest:
    """A model of grey digits of these labels."""
    defaults = {"dataset": "digits", "num_labels": 10, "names": [str(label) for label in range(10)], "resolution": 8}
    defaults |= {"channels": 1, "latent_size": 64, "settings": {}, "versions": {}}
    return Manifest(labels=labels, **{**defaults, **values})


def label_scores(label: int, values: Values, real: Values, **others) -> LabelScores:
    """The scores of the weights of `label_entry`."""
    return LabelScores(name=str(label), scores=values, real=real, weights_digest=f"w{label}", step=40, **others)


def score_report(by_label: dict[int, LabelScores], **values) -> ScoreReport:
    """The scores of a model of these labels."""
    labels = sorted(by_label)
    defaults = {
        "format": FORMAT,
        "scores": Beside({"kernel_distance": 0.5}, {"kernel_distance": 0.0}),
        "means": Beside({"variety": 1.0}, {"variety": 1.0}),
        "images": Images(20, 20, 40),
        "labels": labels,
        "num_per_label": 10,
        "few": True,
        "split": "test",
        "seed": 0,
        "classifier": ClassifierFacts("domain", "c", "none", 0.9),
        "real_images": "r",
        "model": weights_digest([label_entry(label) for label in labels]),
        "cost": Cost(),
        "seconds": {},
    }
    return ScoreReport(by_label=by_label, **{**defaults, **values})

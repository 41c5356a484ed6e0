"""Where a combined model is, and what is written beside it; told in an instant, without TensorFlow."""

from pathlib import Path

from wcgan_tf.core import files
from wcgan_tf.core.errors import UserError
from wcgan_tf.core.paths import ModelPaths
from wcgan_tf.data import prepared as datasets


def saved_model(folder: Path, hint: str) -> Path:
    """The SavedModel in a combined model's folder, `saved_models/<name>/`, or in that of a version of it.

    Args:
        hint: the command that makes it, for the error.

    Raises:
        UserError: where there is none; the models near by are named.
    """
    for place in (ModelPaths(folder).saved_model, folder):
        if (place / "saved_model.pb").is_file():
            return place
    around = {folder, folder.parent}
    near = sorted(str(model.parent.parent) for place in around for model in place.glob("*/1/saved_model.pb"))
    others = f", but in {', '.join(near[:5])}" if near else ""
    raise UserError(f"there is no model in {folder}{others}; type another --model, or run: {hint}")


def records(model: ModelPaths) -> dict[int, dict]:
    """What the model's manifest says of each of its labels; nothing where it is missing or damaged."""
    found = files.known_json(model.manifest).get("labels")
    known = found if isinstance(found, list) else []
    return {own["label"]: own for own in known if isinstance(own, dict) and isinstance(own.get("label"), int)}


def same_weights(record: dict, status: dict) -> bool:
    """Whether what a model's manifest records of a label is what its run's status.json says: nothing came after."""
    return all(record.get(key) == status.get(key) for key in ("step", "seconds", "best_step"))


def labels_beside(saved_model: Path) -> tuple[list[str], list[int]] | None:
    """The names of all labels and those that the model has, as manifest.json beside it says, if it is there.

    The model's own signature `manifest` is what counts; this one finds mistakes before TensorFlow is imported.
    """
    try:
        manifest = files.read_json(ModelPaths(saved_model.parent).manifest, "", ("names", "labels"))
        return manifest["names"], [record["label"] for record in manifest["labels"]]
    except (UserError, TypeError, KeyError):
        return None


def chosen_labels(text: str, names: list[str], there: list[int]) -> list[int]:
    """The labels that a user typed, or all that the model has.

    Args:
        names: of all labels.
        there: those that the model has.

    Raises:
        UserError: where there is no such label, or the model has no generator of one.
    """
    if not text.strip():
        return there
    chosen = datasets.parse_labels(text, names)
    if absent := [label for label in chosen if label not in there]:
        raise UserError(
            f"the model has no generator of label {absent[0]} ({names[absent[0]]}); "
            f"it has {datasets.format_labels(there)}"
        )
    return chosen

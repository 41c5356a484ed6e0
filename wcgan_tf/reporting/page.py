"""The report as one self-contained HTML file, which can be mailed."""

import base64
import io
import json
import statistics
from pathlib import Path
from typing import NamedTuple

import jinja2
from matplotlib.figure import Figure

from wcgan_tf import config
from wcgan_tf.evaluation.scores import MEANINGS, display_name
from wcgan_tf.reporting import charts, run_overview, verdicts
from wcgan_tf.reporting.gallery import LabelPictures
from wcgan_tf.reporting.run_overview import Overview

TEMPLATE = "report.html.j2"
CURVES = (  # value, title, explanation
    (
        "wasserstein_estimate",
        "Wasserstein estimate",
        "The critic's estimate of how far generated images are from real ones. It shoots up while the critic learns, "
        "falls as the generator follows, and climbs slowly once the learning rates fall. Wild swings are not normal.",
    ),
    (
        "gradient_penalty",
        "Gradient penalty",
        "How far the slope of the critic is from where it is pulled to, 1 or 0, squared. A slow climb as the learning "
        "rates fall is normal; one without an end means that the critic runs away.",
    ),
    (
        "kernel_distance",
        "Kernel distance while training",
        "Of 500 images to real ones, by the domain classifier. Low is good; the weights of the lowest point are kept.",
    ),
    ("critic_loss", "Critic loss", "What the critic minimises, the penalty included."),
    ("discriminator_loss", "Discriminator loss", "DC-GAN's. Near 0 the discriminator has won, and nothing is learnt."),
    ("generator_loss", "Generator loss", "Its level means nothing by itself: it moves with the critic."),
)
DECIMALS = 4  # of a score; further digits are noise
LABEL_SCORES = ("kernel_distance", "frechet_distance", "coverage", "variety")  # columns in the table of all labels
CONFUSED = 12  # pairs of labels shown if there are too many labels for a matrix


class Chart(NamedTuple):
    """A chart with its title and explanation; `uri` is a data URI."""

    title: str
    text: str
    uri: str


class Pair(NamedTuple):
    """The share of a label's generated images that the domain classifier takes for another label."""

    name: str
    other: str
    share: float


class Commands(NamedTuple):
    """Commands to type: to repeat the run, to combine its labels, and to evaluate the combined model."""

    again: str
    combine: str
    evaluate: str


def render(
    run: Overview, exhibits: dict[int, LabelPictures], commands: Commands, warnings: list[str], made: str
) -> str:
    """Render the page as HTML.

    Args:
        exhibits: pictures by label.
        warnings: about files that are damaged, and labels that do not belong together.
        made: date and versions, shown on the page.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        digits=_digits,
        percent=lambda share: f"{100 * share:.0f} %",
        display_name=lambda key: display_name(key, run.classifier),
    )
    by_label = {own.label: own for own in run.labels}
    speeds = [own.images_per_second for own in run.labels if own.images_per_second is not None]
    text = environment.get_template(TEMPLATE).render(
        run=run,
        title=run.folder.name or str(run.folder),
        verdicts=run.verdicts(),
        meanings=verdicts.MEANINGS,
        score_meanings=MEANINGS,
        label_scores=LABEL_SCORES,
        shown=[(by_label[label], exhibit) for label, exhibit in exhibits.items()],
        settings=run_overview.changed(run.settings, config.default_config().to_dict()),
        all_settings=json.dumps(run.settings, indent=1, ensure_ascii=False),
        curves=[
            Chart(title, text, uri)
            for name, title, text in CURVES
            if (uri := _uri(charts.curves(run.labels, name, title)))
        ],
        confusion=_uri(charts.confusion(run.labels, run.names)),
        confused=_confused(run),
        speeds=_uri(charts.speeds(run.labels)),
        speed=statistics.median(speeds) if speeds else None,
        commands=commands,
        warnings=warnings,
        made=made,
    )
    return text.encode("utf-8", "replace").decode("utf-8")  # a lone surrogate, which JSON may have, becomes ?


def _confused(run: Overview) -> list[Pair]:
    """The CONFUSED largest shares of one label's images that are taken for another label."""
    pairs = [
        Pair(own.name, run.names[other], share)
        for own in run.labels
        for other, share in own.taken_for.items()
        if other != own.label and other < len(run.names)
    ]
    return sorted(pairs, key=lambda pair: -pair.share)[:CONFUSED]


def _digits(value: float | None, digits: int = 3) -> str:
    """A number with up to `digits` significant digits and DECIMALS decimals; empty if it is None."""
    if value is None:
        return ""
    if abs(value) >= 10**digits - 0.5:
        return f"{value:,.0f}"  # 1,000 instead of 1e+03
    return f"{round(value, DECIMALS) + 0.0:.{digits}g}"  # + 0.0 removes the sign of -0.0


def _uri(figure: Figure | None) -> str:
    """A figure as the data URI of a PNG; empty if there is none."""
    if figure is None:
        return ""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", transparent=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"

"""A web page to try a combined model: images by labels, seed and truncation; interpolation between two seeds.

    python -m wcgan_tf.serve_demo
    python -m wcgan_tf.serve_demo --model saved_models/cifar10 --port 7861

It listens on 127.0.0.1 only, refuses requests from other sites' pages, and contacts no other machine.  Needs gradio:
pip install 'wcgan_tf[demo]'.
"""

import html
import importlib.util
import os
import re
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from absl import flags

from wcgan_tf import cli
from wcgan_tf.combined.manifest import find_saved_model
from wcgan_tf.core.errors import UserError, install
from wcgan_tf.core.process import quiet_imports

if TYPE_CHECKING:
    from wcgan_tf.combined.sampler import Sampler

HOST = "127.0.0.1"
HERE = rb"(127\.0\.0\.1|localhost)(:[0-9]+)?"
FIRST_LABELS = 10  # chosen when the page opens
HIGHEST_SEED = 2**31 - 1
COLUMNS = 8  # images in a row
MOST_OF_EACH, MOST_AT_ONCE = 64, 2000  # images that one request may ask for: of each label, and in all
MOST_VISITORS = 20  # whose copies of the page, with their last images, gradio keeps; it would keep 10,000, forever
NARROWEST, WIDEST = 0.1, 3.0  # truncation; almost no latent lies beyond the widest
LEGIBLE = {  # darker blue below white text: gradio's own contrast is too low
    "button_primary_background_fill": "*primary_700",
    "button_primary_background_fill_hover": "*primary_800",
    "button_primary_background_fill_dark": "*primary_700",
    "button_primary_background_fill_hover_dark": "*primary_800",
    "color_accent": "*primary_700",
}
STYLE = """
.dark [role=tab][aria-selected=true] { color: var(--primary-300); }
.images { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 300px), 1fr)); gap: 14px; }
.images figure { margin: 0; }
.images img { display: block; width: 100%; height: auto; background: #fff; border-radius: 4px; }
.images figcaption { overflow-wrap: anywhere; opacity: 0.8; font-size: 0.9rem; }
"""


def define_flags() -> None:
    cli.define_common_flags(model=True)
    flags.DEFINE_integer("port", 7860, "Where the page is: http://127.0.0.1:<port>.", lower_bound=1, upper_bound=65535)


def main() -> None:
    find_saved_model(cli.model_paths().folder)
    if importlib.util.find_spec("gradio") is None:
        raise UserError(f"gradio is not installed; type: {install('demo')}")
    _refuse_taken(cli.FLAGS.port)
    _stay_here()
    with quiet_imports():
        from wcgan_tf.combined import sampler

    model = sampler.load(cli.model_paths().folder)
    address = f"http://{HOST}:{cli.FLAGS.port}"
    page = _page(model, f"{cli.model_paths().folder.name}: {len(model.labels)} labels")
    _launch(page, cli.FLAGS.port)
    print(f"open {address} in a browser; Ctrl-C ends it", flush=True)
    threading.Event().wait()


def _launch(page: Any, port: int) -> None:
    """Serve the page from threads of this process."""
    import gradio

    fonts = ["system-ui", "sans-serif"]  # installed ones: nothing is downloaded
    theme = gradio.themes.Default(primary_hue="blue", font=fonts, font_mono=["monospace"]).set(**LEGIBLE)
    look = {"css": STYLE, "theme": theme, "footer_links": []}
    page.launch(
        server_name=HOST,
        server_port=port,
        app_kwargs={"middleware": [(_OnlyHere, (), {})]},
        prevent_thread_lock=True,
        quiet=True,
        ssr_mode=False,
        state_session_capacity=MOST_VISITORS,
        enable_monitoring=False,
        **look,
    )


class _OnlyHere:
    """Answers 403 unless Host and Origin are this machine; other sites may send requests, also by DNS rebinding.

    And to files that are sent, of which the page takes none, and to requests that are longer than its own.
    """

    def __init__(self, app: Callable) -> None:
        self._app = app

    async def __call__(self, scope: dict, receive: Callable, send: Callable) -> None:
        if scope["type"] == "lifespan" or _is_taken(scope["path"], scope["headers"]):
            await self._app(scope, receive, send)
        else:
            await send({"type": "http.response.start", "status": 403, "headers": []})
            await send(
                {"type": "http.response.body", "body": b"this page is for this machine alone, and takes no files"}
            )


def _is_taken(path: str, headers: list[tuple[bytes, bytes]]) -> bool:
    """Whether a request is answered: all its hosts and origins are this machine, it is short, and has no file."""
    given = {name: [value for own, value in headers if own == name] for name, _ in headers}
    return (
        all(re.fullmatch(HERE, host) for host in given.get(b"host", [b""]))
        and all(re.fullmatch(rb"https?://" + HERE, origin) for origin in given.get(b"origin", []))
        and b"transfer-encoding" not in given  # which does not say how long it is
        and all(re.fullmatch(rb"[0-9]{1,6}", length) for length in given.get(b"content-length", []))
        and not path.rstrip("/").endswith("/upload")
    )


def _refuse_taken(port: int) -> None:
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((HOST, port))
        except OSError as error:
            raise UserError(f"port {port} cannot be had ({error.strerror}); type another, --port={port - 1}") from None


def _stay_here() -> None:
    """Disable telemetry, and proxies for requests to this machine; call it before gradio is imported."""
    os.environ.update(GRADIO_ANALYTICS_ENABLED="False", HF_HUB_OFFLINE="1", DO_NOT_TRACK="1")
    os.environ["GRADIO_ANALYTICS_MAX_EVENTS"] = "100"  # of as many requests gradio keeps the times; else of 10,000
    for name in ("no_proxy", "NO_PROXY"):
        os.environ[name] = ",".join(filter(None, (os.environ.get(name), HOST)))


def _page(model: "Sampler", title: str) -> Any:
    """The page, with a tab for images and one for the interpolation between two seeds."""
    import gradio

    names = [(f"{label} {name}" if name != str(label) else name, label) for label, name in model.labels.items()]
    first = [label for _, label in names[:FIRST_LABELS]]

    def images(labels: list[int], seed: float, number: int, truncation: float) -> str:
        (seed,), number = _seeds(labels, seed), _number(labels, number)
        return _figures(model, labels, lambda label: model.draw(label, number, seed, _bound(truncation)))

    def way(labels: list[int], start: float, end: float, number: int, truncation: float) -> str:
        first, last = _seeds(labels, start, end)
        number, bound = _number(labels, number), _bound(truncation)
        return _figures(model, labels, lambda label: model.interpolate(label, (first, last), number, bound))

    with gradio.Blocks(title=title, analytics_enabled=False) as page:
        gradio.HTML(f"<h1>{html.escape(title)}</h1>")
        labels = gradio.Dropdown(names, value=first, multiselect=True, label="labels")
        truncation = gradio.Slider(
            NARROWEST, WIDEST, WIDEST, step=0.1, label="truncation: the lower, the more typical and alike (3: none)"
        )
        with gradio.Tab("images"):
            with gradio.Row():
                seed = gradio.Number(0, label="seed")
                number = gradio.Slider(1, MOST_OF_EACH, 8, step=1, label="images of each label")
            draw = gradio.Button("draw", variant="primary", elem_id="draw")
            drawn = gradio.HTML(elem_id="drawn")
            gradio.on([draw.click, seed.submit], images, [labels, seed, number, truncation], drawn, api_name="images")
        with gradio.Tab("between two seeds"):
            with gradio.Row():
                start, end = gradio.Number(0, label="from seed"), gradio.Number(1, label="to seed")
                steps = gradio.Slider(2, MOST_OF_EACH, 8, step=1, label="images on the way")
            go = gradio.Button("go", variant="primary", elem_id="go")
            gone = gradio.HTML(elem_id="gone")
            go.click(way, [labels, start, end, steps, truncation], gone, api_name="between")
        page.load(images, [labels, seed, number, truncation], drawn, api_name=False)
    return page


def _seeds(labels: list[int], *seeds: float) -> tuple[int, ...]:
    """The seeds as integers; raises gradio.Error if one is invalid or no label is chosen."""
    import gradio

    if not labels:
        raise gradio.Error("choose a label", print_exception=False)
    if not all(seed is not None and seed % 1 == 0 and 0 <= seed <= HIGHEST_SEED for seed in seeds):
        raise gradio.Error(f"a seed is a whole number from 0 to {HIGHEST_SEED}", print_exception=False)
    return tuple(int(seed) for seed in seeds)


def _number(labels: list[int], number: float) -> int:
    """The number of images of each label; raises gradio.Error if there are too many, in all or of each."""
    import gradio

    if not 1 <= number <= MOST_OF_EACH or len(set(labels)) * number > MOST_AT_ONCE:
        few = f"1 to {MOST_OF_EACH} images of each label, and at most {MOST_AT_ONCE:,} at a time"
        raise gradio.Error(f"{few}: choose fewer labels or fewer images", print_exception=False)
    return int(number)


def _figures(model: "Sampler", labels: list[int], draw: Callable) -> str:
    """Self-contained HTML with the images of each label above its name."""
    from wcgan_tf.combined import pictures

    figures = []
    for label in sorted(set(labels)):
        images, name = np.concatenate(list(draw(label))), html.escape(model.labels[label])
        columns = min(COLUMNS, len(images))
        rows = [images[start : start + columns] for start in range(0, len(images), columns)]
        sheet = pictures.contact_sheet(rows, columns)
        figures.append(f'<figure><img src="{sheet}" alt="images of {name}"><figcaption>{name}</figcaption></figure>')
    return f'<div class="images">{"".join(figures)}</div>'


def _bound(truncation: float) -> float | None:
    """The bound of the latents, NARROWEST if it is less or NaN; None for the widest."""
    if truncation >= WIDEST:
        return None
    return float(truncation) if truncation >= NARROWEST else NARROWEST


if __name__ == "__main__":
    cli.run(main, define_flags)

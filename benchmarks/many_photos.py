"""Makes a folder of many labels of photographs from a folder of few, to try what many labels do.

    python benchmarks/many_photos.py SOURCE OUT --labels 1000
    python benchmarks/many_photos.py SOURCE OUT --labels 4 --train 1300 --val 50 --sides 375 500    # of ImageNet's size

SOURCE has a folder of photographs per label.  A label of OUT is one of SOURCE's labels with other colours and mirrored;
an image is one of its photographs, cropped and in another size.  Sizes, shapes, formats and colour modes are mixed, and
every seventh label has an empty, a truncated and a renamed file among its images.
"""

import argparse
import io
import random
import sys
from pathlib import Path

from PIL import Image, ImageOps

TRAIN, VAL = 60, 12  # images of a label that can be read
SIDES = (64, 160)  # lowest and highest length of a side in pixels
BROKEN_EVERY = 7  # labels
FORMATS = (  # colour mode, ending, Pillow's options
    ("RGB", "jpg", {"quality": 90}),
    ("RGB", "jpeg", {"quality": 75}),
    ("RGB", "webp", {"quality": 90}),
    ("RGB", "png", {"compress_level": 1}),
    ("L", "jpg", {"quality": 90}),
    ("CMYK", "jpg", {"quality": 90}),
    ("RGBA", "png", {"compress_level": 1}),
    ("P", "gif", {}),
)
OFTEN = 20  # of this many images all but len(FORMATS) - 1 have the first format


def make(
    source: Path,
    out: Path,
    labels: int,
    train: int = TRAIN,
    val: int = VAL,
    sides: tuple[int, int] = SIDES,
    seed: int = 0,
) -> int:
    """Write <out>/train/<label>/ and <out>/val/<label>/; returns the number of images that can be read.

    The labels are named `kind00000`, `kind00001`, ...  The same arguments make the same files.  Ends this program if
    the source has no folders of photographs, or if there is something already.
    """
    if out.exists():
        sys.exit(f"error: {out} is there already; type another folder, or delete it")
    found = [sorted(path for path in folder.rglob("*") if path.is_file()) for folder in sorted(source.glob("*"))]
    kinds = [photographs for photographs in found if photographs]
    if not kinds:
        sys.exit(f"error: {source} has no folders of photographs")
    for label in range(labels):
        drawn = random.Random(f"{seed} {label}")
        photographs = kinds[label % len(kinds)]
        hue, mirrored = drawn.randrange(256), drawn.random() < 0.5
        for split, number in (("train", train), ("val", val)):
            folder = out / split / f"kind{label:05}"
            folder.mkdir(parents=True)
            for index in range(number):
                image = _changed(_photograph(photographs, drawn), hue, mirrored, sides, drawn)
                mode, ending, options = FORMATS[max(0, index % OFTEN - OFTEN + len(FORMATS))]
                image.convert(mode).save(folder / f"{index:04}.{ending}", **options)
        if label % BROKEN_EVERY == 0:
            _add_broken(out / "train" / f"kind{label:05}", image)
    return labels * (train + val)


def _photograph(paths: list[Path], drawn: random.Random) -> Image.Image:
    """One of these images; files that are none are taken off the list."""
    while True:
        path = drawn.choice(paths)
        try:
            with Image.open(path) as photograph:
                return photograph.convert("RGB")
        except OSError:
            paths.remove(path)
            if not paths:
                sys.exit(f"error: no file of {path.parent} is a photograph")


def _changed(image: Image.Image, hue: int, mirrored: bool, sides: tuple[int, int], drawn: random.Random) -> Image.Image:
    """A crop of an image in other colours and another size."""
    tint, saturation, value = image.convert("HSV").split()
    image = Image.merge("HSV", (tint.point([(i + hue) % 256 for i in range(256)]), saturation, value)).convert("RGB")
    share = drawn.uniform(0.8, 1.0)
    left, top = (drawn.uniform(0.0, (1.0 - share) * side) for side in image.size)
    box = (left, top, left + share * image.width, top + share * image.height)
    image = image.resize((drawn.randint(*sides), drawn.randint(*sides)), Image.Resampling.BICUBIC, box)
    return ImageOps.mirror(image) if mirrored else image


def _add_broken(folder: Path, image: Image.Image) -> None:
    encoded = io.BytesIO()
    image.save(encoded, "JPEG")
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "truncated.jpg").write_bytes(encoded.getvalue()[: len(encoded.getvalue()) // 2])
    (folder / "renamed.jpg").write_text("no photograph\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--labels", type=int, default=1000)
    parser.add_argument("--train", type=int, default=TRAIN, help="images of a label")
    parser.add_argument("--val", type=int, default=VAL, help="test images of a label")
    parser.add_argument("--sides", type=int, nargs=2, default=SIDES, help="shortest and longest side in pixels")
    arguments = parser.parse_args()
    number = make(
        arguments.source, arguments.out, arguments.labels, arguments.train, arguments.val, tuple(arguments.sides)
    )
    print(f"{number} photographs of {arguments.labels} labels are in {arguments.out}")


if __name__ == "__main__":
    main()

"""A folder of photographs that was made to do harm, and one whose files change while they are read."""

import os
import socket
import struct
import threading
import zlib
from pathlib import Path

import numpy as np
import pytest
from conftest import PATIENCE_SECONDS, run_python
from PIL import Image

from wcgan_tf.data import decoding

PHOTOS = ["--config.dataset.name=photos", "--config.dataset.root=photos", "--config.dataset.resolution=8"]
MEASURED = """
# Run a module, and print the most memory that this process ever had, in kB.
import atexit, resource, runpy, sys
atexit.register(lambda: print("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, flush=True))
sys.argv = sys.argv[1:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""
MOST_MORE = 1_500_000  # kB that bombs may take
SIDE = 12_000  # of a picture that Pillow does not refuse; in memory it has 576 MB
TURNS = 300  # of a picture that others replace


def png(width: int, height: int, colour: int, rows: bytes = b"", chunk: tuple[bytes, bytes] | None = None) -> bytes:
    """A PNG file; `colour` is 0 for grey, 6 for RGB and alpha; `rows` are deflated."""

    def part(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    parts = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)), chunk, (b"IDAT", rows)]
    return b"\x89PNG\r\n\x1a\n" + b"".join(part(*one) for one in [*filter(None, parts), (b"IEND", b"")])


def deflated(row: bytes, rows: int) -> bytes:
    packer = zlib.compressobj(1)
    return b"".join([*(packer.compress(row) for _ in range(rows)), packer.flush()])


def bombs(place: Path) -> None:
    """Files of some kB that want far more memory."""
    large = png(SIDE, SIDE, 6, deflated(bytes(1 + 4 * SIDE), SIDE))
    for name in ("large 1.png", "large 2.png", "large 3.png"):
        (place / name).write_bytes(large)
    (place / "claim.png").write_bytes(png(60_000, 60_000, 0, zlib.compress(bytes(1000))))
    mine = zlib.compress(bytes(9 * 9 + 9))
    much = deflated(bytes(2**20), 500)
    (place / "profile.png").write_bytes(png(9, 9, 0, mine, (b"iCCP", b"x\0\0" + much)))
    (place / "text.png").write_bytes(png(9, 9, 0, mine, (b"zTXt", b"x\0\0" + much)))
    frames = [Image.new("P", (9, 9), number % 256) for number in range(3000)]
    frames[0].save(place / "frames.gif", save_all=True, append_images=frames[1:])


def no_files(place: Path, outside: Path) -> None:
    """Links, pipes and sockets, with the endings of pictures."""
    for name, target in (
        ("itself.png", "itself.png"),
        ("round.png", "about.png"),
        ("about.png", "round.png"),
        ("nothing.png", "/nowhere/1.png"),
        ("zero.png", "/dev/zero"),
        ("null.png", "/dev/null"),
        ("up", ".."),
        ("root", "/proc/self/root"),
        ("secret.png", str(outside / "secret.txt")),
        ("outside", str(outside / "pictures")),
        ("away.png", str(outside / "one.png")),
    ):
        (place / name).symlink_to(target)
    os.mkfifo(place / "pipe.png")
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(place)  # the path of a socket has at most 107 bytes
        server.bind("socket.png")
        os.chdir(here)


def names(place: Path) -> None:
    for name in (b"x" * 251 + b".png", b"two\nlines.png", b"no utf-8 \xff\xfe.png", b"\x1b[2J.png", b"- rf.png"):
        Image.new("L", (9, 9), 7).save(place / "a.png")
        (place / "a.png").rename(Path(os.fsdecode(os.fsencode(place) + b"/" + name)))


@pytest.fixture
def folder(tmp_path):
    """A folder with a data set of harmless pictures, and what lies outside of it."""
    random = np.random.default_rng(0)
    for split, label in ((split, label) for split in ("train", "val") for label in "ab"):
        place = tmp_path / "inside/photos" / split / label
        place.mkdir(parents=True)
        for index in range(3):
            Image.fromarray(random.integers(0, 255, [9, 9, 3], np.uint8)).save(place / f"{index}.png")
    outside = tmp_path / "outside"
    (outside / "pictures").mkdir(parents=True)
    for path in (outside / "one.png", outside / "pictures/two.png"):
        Image.new("L", (9, 9), 9).save(path)
    (outside / "secret.txt").write_text("password: 1234\n")
    return tmp_path / "inside"


def prepare(folder: Path) -> tuple[str, int]:
    """What `prepare` says, and the most memory that it had."""
    done = run_python("-c", MEASURED, "wcgan_tf.prepare", *PHOTOS, folder=folder)
    assert all(letter == "\n" or letter.isprintable() for letter in done.stdout + done.stderr)
    said, _, peak = done.stdout.rpartition("peak ")
    return said + done.stderr, int(peak)


def state(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*")}


def test_a_folder_that_was_made_to_do_harm(folder, tmp_path):
    _, usual = prepare(folder)
    (folder / "data").rename(folder / "before")
    train = folder / "photos/train/a"
    names(train)
    no_files(train, tmp_path / "outside")
    bombs(train)
    outside = state(tmp_path / "outside")
    said, peak = prepare(folder)
    assert peak - usual < MOST_MORE
    assert state(tmp_path / "outside") == outside
    assert {path.name for path in tmp_path.iterdir()} == {"inside", "outside"}
    assert {path.name for path in folder.iterdir()} == {"photos", "data", "before"}
    assert "password" not in said
    for name in ("claim", "profile", "text", "secret"):
        assert f"skipped photos/train/a/{name}.png: " in said
    for name in ("itself", "round", "about", "nothing", "zero", "null", "pipe", "socket"):
        assert not any(f"{name}.png: " in line for line in said.splitlines())
    taken = np.load(folder / "data/photos-8/train/00000.npy")
    # 3 as before, 5 by name, 3 large ones, one of frames, and those of `away` and `outside`
    assert len(taken) == 3 + 5 + 3 + 1 + 2, said
    white = [image for image in taken if (image == 255).all()]
    assert len(white) == 3  # the large ones are transparent


def test_pictures_that_are_replaced_while_they_are_read(folder):
    """A picture is taken whole, or left out by name; a pipe in its place holds nobody up."""
    place, over = folder / "photos/train/a", threading.Event()
    good = Image.new("RGB", (64, 64), (10, 20, 30))
    for index in range(TURNS):
        good.save(place / f"x {index:03}.png")
    whole = (place / "x 000.png").read_bytes()

    def change() -> None:
        aside, chance = folder / "aside", np.random.default_rng(0)
        while not over.is_set():
            path = place / f"x {chance.integers(TURNS):03}.png"
            kind = chance.integers(3)
            if kind == 0:
                os.truncate(path, len(whole) // 2) if path.is_file() else None
            elif kind == 1:
                os.mkfifo(aside)
                aside.replace(path)
            else:
                aside.write_bytes(whole)
                aside.replace(path)

    thread = threading.Thread(target=change)
    thread.start()
    try:
        said, _ = prepare(folder)
    finally:
        over.set()
        thread.join()
    taken = np.load(folder / "data/photos-8/train/00000.npy")
    ours = [image for image in taken if (image == [10, 20, 30]).all()]
    assert len(ours) == len(taken) - 3
    assert len(ours) + sum(line.startswith("skipped ") for line in said.splitlines()) <= TURNS


def test_a_pipe_in_the_place_of_a_picture_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "1.png")
    said: list[str] = []

    def read() -> None:
        try:
            decoding.square(tmp_path / "1.png", 8, 3)
        except ValueError as error:
            said.append(str(error))

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(PATIENCE_SECONDS / 10)
    assert said == ["it is no regular file"]


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "I;16", "CMYK"])
def test_a_large_picture_becomes_what_a_small_one_becomes(monkeypatch, tmp_path, mode):
    random = np.random.default_rng(0)
    noise = Image.fromarray(random.integers(0, 255, [8, 16, 4], np.uint8), "RGBA")
    smooth = noise.resize((640, 320), Image.Resampling.BICUBIC)
    if mode == "I;16":
        picture = Image.fromarray(np.asarray(smooth.convert("L")).astype(np.uint16) * 257)
    else:
        picture = smooth if mode == "RGBA" else smooth.convert("RGB").convert(mode)
    if mode == "P":
        picture.info["transparency"] = 3
    file = tmp_path / ("1.tif" if mode == "CMYK" else "1.png")
    picture.save(file)
    usual = decoding.square(file, 8, 3)
    monkeypatch.setattr(decoding, "LARGE_PIXELS", 1000)
    monkeypatch.setattr(decoding, "STRIP_PIXELS", 50_000)
    large = decoding.square(file, 8, 3)
    assert large[1:] == usual[1:]
    assert np.abs(large.pixels.astype(int) - usual.pixels).mean() < 3

"""The report and the demo in a browser: Debian's Chromium, headless."""

import http.client
import json
import shutil
import signal
import socket
import subprocess
import sys
import urllib.parse
import urllib.request

import pytest
from conftest import PATIENCE_SECONDS, wait_until
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

pytestmark = [
    pytest.mark.xdist_group("browser"),  # one Chromium and demo
    pytest.mark.skipif(
        not (shutil.which("chromium") and shutil.which("chromedriver")),
        reason="there is no Chromium with its driver; type: sudo apt-get install chromium chromium-driver",
    ),
]
HERE = ("file", "data", "blob")
WIDTHS = (1280, 390)


@pytest.fixture(scope="module")
def browser():
    options = Options()
    options.binary_location = shutil.which("chromium")
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def demo(whole_chain):
    """The address of a running demo."""
    folder, _ = whole_chain
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "wcgan_tf.serve_demo", f"--port={port}"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
    address = f"http://127.0.0.1:{port}"
    try:
        assert address in process.stdout.readline()  # printed once it listens
        yield address
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_SECONDS) == 128 + signal.SIGINT
    finally:
        process.kill()


def set_width(browser, width: int, dark: bool = False) -> None:
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500},
    )
    media = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})


def refuse_trouble(browser) -> None:
    """Assert: no console errors, no requests to other machines, nothing wider than the window."""
    assert [entry for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")] == []
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [
        message["params"]["request"]["url"] for message in messages if message["method"] == "Network.requestWillBeSent"
    ]
    assert asked
    for url in asked:
        parts = urllib.parse.urlsplit(url)
        assert parts.scheme in HERE or parts.hostname == "127.0.0.1", url
    assert browser.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")


def open_report(browser, whole_chain, width: int, dark: bool = False) -> None:
    set_width(browser, width, dark)
    browser.get((whole_chain[0] / "runs/digits/report.html").as_uri())


@pytest.mark.parametrize("width", WIDTHS)
def test_the_report_has_all_pictures_and_fits_the_window(browser, whole_chain, width):
    open_report(browser, whole_chain, width)
    browser.execute_script("document.querySelectorAll('img').forEach(image => image.loading = 'eager')")
    images = browser.find_elements(By.TAG_NAME, "img")
    assert len(images) > 40
    assert browser.execute_async_script(
        "const done = arguments[0]; Promise.all([...document.images].map(image => image.decode()))"
        ".then(() => done(true), () => done(false))"
    )
    assert all(image.get_attribute("alt") for image in images)
    refuse_trouble(browser)


def test_the_report_follows_the_dark_mode(browser, whole_chain):
    grounds = []
    for dark in (False, True):
        open_report(browser, whole_chain, 1280, dark)
        ground = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
        grounds.append(sum(int(part) for part in ground.strip("rgb()").split(",")))
    assert grounds[0] > 600
    assert grounds[1] < 150


def test_a_click_on_a_heading_sorts_the_labels(browser, whole_chain):
    open_report(browser, whole_chain, 1280)

    def column(number: int) -> list[float]:
        cells = browser.find_elements(By.CSS_SELECTOR, f"#all-labels tbody td:nth-child({number})")
        return [float(cell.get_attribute("data-value")) for cell in cells]

    assert sorted(column(1)) == list(range(10))
    kcd = browser.find_elements(By.CSS_SELECTOR, "#all-labels thead button")[3]
    assert kcd.text == "kcd"
    kcd.click()
    assert column(4) == sorted(column(4))
    kcd.click()
    assert column(4) == sorted(column(4), reverse=True)
    assert len(set(column(4))) == 10


@pytest.mark.parametrize("width", WIDTHS)
def test_the_demo_draws_the_chosen_labels(browser, demo, width):
    set_width(browser, width)
    browser.get(demo)
    before = wait_for_images(browser, "drawn", 10)
    numbers = browser.find_elements(By.CSS_SELECTOR, "input[type=number]")
    seed = next(own for own in numbers if own.get_attribute("value") == "0")
    seed.clear()
    seed.send_keys("5")
    browser.find_element(By.ID, "draw").click()
    after = wait_for_images(browser, "drawn", 10, other_than=before)
    assert set(after).isdisjoint(before)
    tab = next(own for own in browser.find_elements(By.CSS_SELECTOR, "button[role=tab]") if "between" in own.text)
    tab.click()
    wait_until(browser.find_element(By.ID, "go").is_displayed, "the other tab")
    browser.find_element(By.ID, "go").click()
    wait_for_images(browser, "gone", 10)
    refuse_trouble(browser)


@pytest.mark.parametrize(
    ("header", "values"),
    [
        ("Host", ["other.example"]),
        ("Host", ["127.0.0.1.other.example"]),
        ("Origin", ["http://other.example"]),
        ("Origin", ["http://other.example//localhost"]),
        ("Origin", ["null"]),
        ("Origin", ["http://other.example", "http://localhost"]),
    ],
)
def test_the_demo_refuses_requests_from_other_sites(demo, header, values):
    assert status_of(demo, "/", [(header, value) for value in values]) == 403
    own = demo.removeprefix("http://")
    assert status_of(demo, "/", [("Host", own), ("Origin", demo)]) == 200


CALL = "/gradio_api/call/images"


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/gradio_api/upload", [("Content-Length", "5")]),
        ("/upload/", [("Content-Length", "5")]),
        (CALL, [("Content-Length", "1000000")]),
        (CALL, [("Transfer-Encoding", "chunked")]),  # of unknown length
        (CALL, [("Content-Length", "5"), ("Transfer-Encoding", "chunked")]),
    ],
)
def test_the_demo_takes_no_files_and_no_long_requests(demo, path, headers):
    assert status_of(demo, path, [("Content-Type", "application/json"), *headers]) == 403
    assert status_of(demo, CALL, [("Content-Type", "application/json"), ("Content-Length", "2")], b"{}") == 422


def status_of(demo: str, path: str, headers: list[tuple[str, str]], body: bytes = b"") -> int:
    """The status of the answer to a request with exactly these headers; POST if it tells of a body."""
    connection = http.client.HTTPConnection(demo.removeprefix("http://"), timeout=PATIENCE_SECONDS)
    method = "POST" if any(name.startswith(("Content", "Transfer")) for name, _ in headers) else "GET"
    connection.putrequest(method, path, skip_host="Host" in dict(headers))
    for name, value in headers:
        connection.putheader(name, value)
    connection.endheaders(body)
    return connection.getresponse().status


def test_a_wrong_seed_is_an_error_on_the_page(browser, demo):
    set_width(browser, 1280)
    browser.get(demo)
    wait_for_images(browser, "drawn", 10)
    numbers = browser.find_elements(By.CSS_SELECTOR, "input[type=number]")
    seed = next(own for own in numbers if own.get_attribute("value") == "0")
    seed.clear()
    seed.send_keys("-5", Keys.ENTER)
    words = "a seed is a whole number from 0"
    wait_until(lambda: words in browser.find_element(By.TAG_NAME, "body").text, "the words on the page")


def wait_for_images(browser, place: str, number: int, other_than: list[str] | None = None) -> list[str]:
    """Wait for images at a place of the page; return them."""

    def found() -> list[str]:
        script = f"return [...document.querySelectorAll('#{place} img')].map(image => image.src)"
        return browser.execute_script(script)

    wait_until(lambda: len(found()) == number and found() != other_than, f"{number} new images")
    return found()


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("images", [[0, 1], 0, 65, 3]),
        ("images", [list(range(10)) * 40, 0, 10**9, 3]),
        ("images", [[0], 0, "nan", 3]),
        ("between", [[0], 0, 1, 10**6, 3]),
    ],
)
def test_a_request_cannot_ask_for_more_images_than_the_page_offers(demo, name, given):
    """As a program sends it, which no slider limits."""
    said = asked(demo, name, given)
    assert said.startswith("event: error")
    assert "<img" not in said


def test_a_request_of_a_program_has_the_images(demo):
    said = asked(demo, "images", [[0, 1], 0, 2, 3])
    assert said.startswith("event: complete")
    assert said.count("<img") == 2


def asked(demo: str, name: str, given: list) -> str:
    """What the demo answers to a request of its API."""
    body, kind = json.dumps({"data": given}).encode(), {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{demo}/gradio_api/call/{name}", body, kind)
    with urllib.request.urlopen(request, timeout=60) as answer:
        event = json.load(answer)["event_id"]
    with urllib.request.urlopen(f"{demo}/gradio_api/call/{name}/{event}", timeout=60) as answer:
        return answer.read().decode()

"""Headless Chromium, and queries of the page that is open in it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

DRIVER = "/usr/bin/chromedriver"
DESKTOP, PHONE = (1280, 900), (390, 844)

# A plot is drawn if it takes room on the page and contains marks that have a size of their own.
_PLOTS = """
const marks = plot => [...plot.querySelectorAll('path, rect, circle, use, text')].filter(mark => {
    const box = mark.getBoundingClientRect(); return box.width + box.height > 0; }).length;
return [...document.querySelectorAll('svg[role=img], .js-plotly-plot .main-svg:first-of-type, canvas')]
    .map(plot => {
        const box = plot.getBoundingClientRect();
        return {name: plot.getAttribute('aria-label') || plot.getAttribute('class') || plot.tagName,
                drawn: box.width > 100 && box.height > 60 && marks(plot) > 3}; });
"""
_LINKS = "return [...document.querySelectorAll('a[href]')].map(link => link.href);"
_WIDTHS = """
const page = document.scrollingElement;
const width = document.documentElement.clientWidth;
const outside = element => {
    for (let above = element; above && above !== document.body; above = above.parentElement)
        if (['auto', 'scroll'].includes(getComputedStyle(above).overflowX)) return false;
    return element.getBoundingClientRect().right > width + 0.5; };
return {wide: page.scrollWidth - width,
        outside: [...document.body.querySelectorAll('*')].filter(outside)
            .map(element => element.outerHTML.slice(0, 120))};
"""


@dataclass(frozen=True)
class Browser:
    """Chromium with the log of its console and of its network."""

    driver: Chrome

    def open(self, page: Path, size: tuple[int, int] = DESKTOP) -> None:
        """Open a file at the size of a screen, with empty logs."""
        width, height = size
        self.command("Emulation.setDeviceMetricsOverride", width=width, height=height,
                     deviceScaleFactor=1, mobile=size == PHONE)  # fmt: skip
        self.driver.get("about:blank")
        for log in ("browser", "performance"):
            self.driver.get_log(log)
        self.driver.get(page.as_uri())

    def command(self, name: str, **arguments: Any) -> Any:
        """Run a command of the DevTools protocol."""
        return self.driver.execute_cdp_cmd(name, arguments)

    def run(self, script: str) -> Any:
        """Run a script in the page and return its result."""
        return self.driver.execute_script(script)

    def wait(self, script: str) -> None:
        """Wait until an expression is true in the page."""
        WebDriverWait(self.driver, 60).until(lambda driver: driver.execute_script(f"return {script}"), script)

    def plots(self) -> list[dict[str, Any]]:
        """Return every plot of the page: its `name`, and whether it is `drawn`."""
        return self.run(_PLOTS)

    def links(self) -> list[str]:
        """Return the targets of all links."""
        return self.run(_LINKS)

    def errors(self) -> list[str]:
        """Return the warnings and errors of the console."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self) -> list[str]:
        """Return the addresses that the page requested, without those inside the page."""
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        sent = [event["params"] for event in events if event["method"] == "Network.requestWillBeSent"]
        addresses = [event["request"]["url"] for event in sent]
        return [address for address in addresses if not address.startswith(("data:", "blob:", "about:"))]

    def overflow(self) -> dict[str, Any]:
        """Return by how many pixels the page is wider than the screen (`wide`), and the elements `outside`.

        Elements inside a box that scrolls by itself are not outside.
        """
        return self.run(_WIDTHS)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start one browser for all tests."""
    with start_chromium() as driver:
        yield Browser(driver)


@contextmanager
def start_chromium() -> Iterator[Chrome]:
    """Start Chromium until the block ends."""
    options = ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    # As root it works only without its sandbox.
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = Chrome(options, Service(DRIVER))
    try:
        yield driver
    finally:
        driver.quit()

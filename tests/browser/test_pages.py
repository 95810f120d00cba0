"""The pages of a week in a browser: plots drawn, no error in the console, no request to a network."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from browser.conftest import PHONE, Browser
from sodai.data.catalog import DRIFT_PAGE, DRIFT_TABLE, HISTORY, QUALITY_PAGE, RUN_PAGE, SHAP_PAGE
from sodai.volume.volume import Volume
from support.pipeline_runs import TwoWeeks

pytestmark = pytest.mark.browser

OWN_PAGES = ["index.html", "quality.html", "shap.html"]
PAGES = [*OWN_PAGES, "drift.html"]
# Evidently draws its plots by script after the page is loaded.
PLOTS_OF_EVIDENTLY = "document.querySelectorAll('.js-plotly-plot .main-svg:first-of-type').length"


@pytest.fixture(scope="module")
def volume(two_weeks: TwoWeeks) -> Volume:
    assert two_weeks.second.code == 0, two_weeks.second.stderr
    return Volume(two_weeks.root)


@pytest.fixture
def open_page(browser: Browser, two_weeks: TwoWeeks, volume: Volume) -> "Opener":
    return Opener(browser, volume, two_weeks)


class Opener:
    """Opens a page of the second week and waits until its plots are drawn."""

    def __init__(self, browser: Browser, volume: Volume, weeks: TwoWeeks) -> None:
        self.browser, self.volume, self.as_of = browser, volume, weeks.history.next_as_of
        self.n_columns = volume.read(DRIFT_TABLE, self.as_of).num_rows

    def __call__(self, name: str, *size: tuple[int, int]) -> Path:
        page = self.volume.path(RUN_PAGE, self.as_of).with_name(name)
        self.browser.open(page, *size)
        if name == "drift.html":
            self.browser.wait(f"{PLOTS_OF_EVIDENTLY} == {self.n_columns}")
        return page


def test_these_tests_cover_every_page_of_a_week(two_weeks: TwoWeeks, volume: Volume) -> None:
    week = two_weeks.history.next_as_of
    pages = [volume.path(page, week) for page in (RUN_PAGE, QUALITY_PAGE, SHAP_PAGE, DRIFT_PAGE)]
    assert [page.name for page in pages] == PAGES
    assert sorted(pages) == sorted(pages[0].parent.iterdir())


@pytest.mark.parametrize("name", PAGES)
def test_a_page_draws_its_plots_without_an_error_or_a_request(
    name: str, browser: Browser, open_page: Opener
) -> None:
    page = open_page(name)

    plots = browser.plots()
    assert [plot["name"] for plot in plots if not plot["drawn"]] == []
    assert len(plots) >= 3
    assert browser.errors() == []
    assert browser.requests() == [page.as_uri()]


def test_the_page_of_the_run_shows_a_plot_for_each_subject(
    browser: Browser, open_page: Opener, volume: Volume
) -> None:
    open_page("index.html")

    names = {plot["name"] for plot in browser.plots()}
    # There was no training for the second week, so there is no plot of a search.
    assert {name.removesuffix(", by week") for name in names} == {
        "pairs bought by week",
        "calibration",
        "F1 of the predicted set",
        "Recall at 10",
        "Demand: pairs bought",
        "Drifted share of columns",
        "Time of the run, seconds",
        "Peak memory, MiB",
    }
    text = browser.run("return document.body.innerText")
    weeks = [str(week) for week in volume.read(HISTORY)["as_of"].to_pylist()]
    assert len(weeks) == 2
    assert [week for week in weeks if week not in text] == []


def test_the_drift_page_has_evidentlys_plot_of_every_tested_column(
    browser: Browser, open_page: Opener, volume: Volume
) -> None:
    open_page("drift.html")

    text = browser.run("return document.body.innerText")
    columns = volume.read(DRIFT_TABLE, open_page.as_of)["column"].to_pylist()
    assert [column for column in columns if f"Drift in column '{column}'" not in text] == []
    assert len(browser.plots()) == len(columns)


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_to_a_file(name: str, browser: Browser, open_page: Opener) -> None:
    page = open_page(name)

    links = browser.links()
    # Only the logo in Plotly's toolbar links to another site.
    external = {link for link in links if urlsplit(link).scheme != "file"}
    assert external == ({"https://plotly.com/"} if name == "drift.html" else set())
    files = {Path(unquote(urlsplit(link).path)) for link in links if link not in external}
    assert [file for file in files if not file.is_file()] == []
    assert page.with_name("index.html") in files or name == "index.html"
    if name in OWN_PAGES:
        assert files == {page.with_name(other) for other in PAGES if other != name}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_the_width_of_a_phone(name: str, browser: Browser, open_page: Opener) -> None:
    open_page(name, PHONE)

    overflow = browser.overflow()
    assert browser.run("return document.documentElement.clientWidth") == PHONE[0]
    assert overflow["wide"] <= 0
    assert overflow["outside"] == []
    assert [plot["name"] for plot in browser.plots() if not plot["drawn"]] == []


def test_the_queries_find_the_faults_of_a_faulty_page(browser: Browser, tmp_path: Path) -> None:
    page = tmp_path / "faulty.html"
    page.write_text(
        "<!doctype html><meta name=viewport content='width=device-width'><link rel=icon href='data:,'>"
        "<svg role=img aria-label=empty width=300 height=200></svg>"
        "<svg role=img aria-label=flat width=300 height=0><path d='M0 0h9'/></svg>"
        "<p style='width:600px'>wide</p><div style='overflow-x:auto'><p style='width:800px'>scrolls</p></div>"
        "<img src='http://127.0.0.1:9/picture.png'><script>undefinedName()</script>"
    )
    browser.open(page, PHONE)

    assert browser.plots() == [{"name": "empty", "drawn": False}, {"name": "flat", "drawn": False}]
    assert "http://127.0.0.1:9/picture.png" in browser.requests()
    assert any("undefinedName is not defined" in error for error in browser.errors())
    assert browser.overflow()["outside"] == ['<p style="width:600px">wide</p>']
    assert browser.overflow()["wide"] > 200

"""What a person sees in Prefect's UI, in a real browser: Debian's Chromium, driven by Playwright.

Each test leaves a picture. `make pictures` keeps them in docs/, where the README shows some.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from conftest import not_run
from living import Living, Source, wait_for
from on_server import asked_for, deployment, state_of

pytestmark = pytest.mark.slow

NAME = "Müller's Orders"
POOL = "it's the pool"
CHICAGO = "America/Chicago"
# In a smaller window the UI folds away what the tests look for.
WIDTH, HEIGHT = 1280, 1000
BROWSERS = (
    *("chromium", "chromium-browser", "google-chrome"),
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
# Of the pictures, those that the README shows.
SHOWN = ("deployment", "run", "artifact")
# As root there is no sandbox; the rest keeps the browser from calling home.
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]


@pytest.fixture(scope="module")
def living(stamp_living: Callable[..., Living], source: Source) -> Iterator[Living]:
    """A project after all its phases and one more run, whose source failed twice."""
    one = stamp_living(
        "first",
        project_name=NAME,
        work_pool_name=POOL,
        schedule="0 9 * * *",
        timezone=CHICAGO,
        source_url=source.url,
    )
    try:
        one.script("execute_all_phases.sh")
        source.fail_next = 2
        one.blueprint("run")
        yield one
    finally:
        one.blueprint("down")


@pytest.fixture(scope="module")
def run(living: Living) -> dict[str, Any]:
    """The run whose source failed twice: the last that began."""
    return asked_for(living)[0]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        not_run("Chromium is not on this machine (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Any, living: Living) -> Iterator[Any]:
    """A new window of somebody who sits in Chicago."""
    context = browser.new_context(
        base_url=_ui(living),
        timezone_id=CHICAGO,
        locale="en-US",
        viewport={"width": WIDTH, "height": HEIGHT},
        reduced_motion="reduce",
    )
    context.set_default_timeout(60_000)
    yield context.new_page()
    context.close()


@pytest.fixture
def picture(page: Any, tmp_path: Path) -> Callable[..., None]:
    """Save what the window shows; what the README shows goes to docs/ with `make pictures`."""

    def picture(name: str, height: int = HEIGHT) -> None:
        kept = os.environ.get("BLUEPRINT_PICTURES") if name in SHOWN else None
        page.set_viewport_size({"width": WIDTH, "height": height})
        page.mouse.move(0, 0)
        # A number that is still counted up, or a bar that still grows, makes a blurred picture.
        page.wait_for_load_state("networkidle")
        page.screenshot(path=Path(kept or tmp_path) / f"ui-{name}.png", animations="disabled")

    return picture


def test_the_server_runs_at_its_address(page: Any, living: Living, picture: Any) -> None:
    page.goto("/")
    page.get_by_text("Active Work Pools").wait_for()
    assert page.url.startswith(_ui(living))
    assert "Prefect" in page.title()
    page.get_by_text(POOL).first.wait_for()
    picture("dashboard")


def test_the_worker_polls_the_pool_and_is_online(page: Any, living: Living, picture: Any) -> None:
    page.goto(f"/work-pools/work-pool/{quote(POOL)}?tab=Workers")
    worker = page.get_by_role("row").filter(has_text=living.path.name)
    worker.get_by_text("online", exact=True).wait_for()
    seen = worker.inner_text()
    # The page looks at its own clock at times only, so a newer heartbeat seems to be yet to come.
    assert re.search(r"\b\d+s ago|\bnow\b|\bin \d+s\b", seen), seen
    polled = page.get_by_text("Last Polled").locator("xpath=..").inner_text()
    assert re.search(r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d [AP]M", polled), polled
    picture("pool")


def test_the_deployment_production_etl_is_visible(page: Any, living: Living) -> None:
    page.goto("/deployments")
    row = page.get_by_role("row").filter(has_text="production-etl")
    row.get_by_text(NAME).wait_for()
    row.get_by_text("Ready", exact=True).wait_for()
    row.get_by_role("link", name="production-etl").click()
    page.wait_for_url(f"**/deployments/deployment/{deployment(living)['id']}*")
    page.get_by_text(POOL).first.wait_for()


def test_the_schedules_next_run_is_at_9_am_in_chicago(
    page: Any, living: Living, picture: Any
) -> None:
    page.goto(f"/deployments/deployment/{deployment(living)['id']}")
    following = page.get_by_text(re.compile("Scheduled for")).first
    following.wait_for()
    assert re.fullmatch(r"Scheduled for \d{4}/\d\d/\d\d 09:00:00 AM", following.inner_text())
    page.get_by_text("Completed", exact=True).first.wait_for()
    picture("deployment", 640)
    page.get_by_text("production", exact=True).first.hover()
    page.get_by_text(f"At 09:00 AM every day ({CHICAGO})").first.wait_for()


def test_flow_runs_complete(page: Any, run: dict[str, Any], picture: Any) -> None:
    page.goto("/runs")
    one = page.locator(".state-list-item").filter(has_text=run["name"])
    one.get_by_text("Completed", exact=True).wait_for()
    page.goto(f"/runs/flow-run/{run['id']}")
    page.get_by_text("4 Task runs").first.wait_for()
    page.get_by_text("Completed", exact=True).first.wait_for()


def test_logs_are_visible_and_show_the_retry_mechanism(
    page: Any, run: dict[str, Any], picture: Any
) -> None:
    page.goto(f"/runs/flow-run/{run['id']}")
    for attempt in (1, 2):
        told = f"503 Service Unavailable.* Retry {attempt}/3 will start 2 second"
        line = page.get_by_text(re.compile(told))
        line.wait_for()
        assert line.is_visible()
    # What was said when it worked, and at the run's end, in whole sentences.
    page.get_by_text(re.compile(r"^Judged 3,015 records, accepted 3,003")).wait_for()
    page.get_by_text(re.compile(r"^3,000 rows into orders")).wait_for()
    assert page.get_by_text("Traceback").count() == 0
    picture("run")


def test_the_runs_artifact_is_there_and_reads_well(
    page: Any, run: dict[str, Any], picture: Any
) -> None:
    page.goto(f"/runs/flow-run/{run['id']}")
    _open_tab(page, "Artifacts")
    page.get_by_text("production-etl--summary").first.click()
    page.get_by_role("heading", name="3,000 rows into orders").wait_for()
    bars = page.locator("pre").inner_text().splitlines()
    assert len(bars) >= 2
    assert all(re.search(r"█+ +3,000  12 refused$", bar) for bar in bars), bars
    facts = page.get_by_role("table").first
    assert facts.get_by_role("row", name="Refused 12 (0.40%)").count() == 1
    reasons, refused = page.get_by_role("table").nth(1), page.get_by_role("table").nth(2)
    # Punctuation is shown as it is, not as the mark-up that it could be.
    told = " ".join(reasons.inner_text().split())
    assert "customer.email: String should match pattern '^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$'" in told
    lines = [line.strip() for line in refused.inner_text().splitlines()]
    assert any(line.endswith('"status":"paid",') for line in lines), "a record is cut in words"
    assert any(line.endswith("…") for line in lines), "nobody sees that a record goes on"
    assert "\\" not in facts.inner_text() + refused.inner_text()
    shown = page.locator("body").inner_text()
    assert "| ---" not in shown and "<br>" not in shown
    # No table is wider than its column: what stands to the right of it could not be read.
    beyond = "one => one.scrollWidth > one.parentElement.clientWidth"
    assert not [one for one in page.get_by_role("table").all() if one.evaluate(beyond)]
    picture("artifact", 640)


def test_the_artifact_of_a_failed_run_says_why_first(page: Any, living: Living) -> None:
    living.fails(living.tool("blueprint"), "run", "--param", "source_url=data/none.csv")
    failed = asked_for(living)[0]
    page.goto(f"/runs/flow-run/{failed['id']}")
    page.get_by_text("Failed", exact=True).first.wait_for()
    _open_tab(page, "Artifacts")
    page.get_by_text("production-etl--summary").first.click()
    page.get_by_role("heading", name="Failed").wait_for()
    said = page.locator("blockquote").inner_text()
    assert said.startswith("There is no file ")
    assert "Correct source_url" in said


def test_parameter_overrides_work_in_the_run_form(page: Any, living: Living) -> None:
    page.goto(f"/deployments/deployment/{deployment(living)['id']}/run")
    page.locator("input[type=number]").fill("7000")
    page.get_by_role("button", name="Submit").click()
    # Other runs are lined up by the schedule, so the asked one is known by its parameter.
    asked = wait_for(lambda: [one for one in asked_for(living) if _batch_size(one) == 7000])[0]
    wait_for(lambda: state_of(living, asked["id"])["type"] == "COMPLETED")
    page.goto(f"/runs/flow-run/{asked['id']}")
    page.get_by_text("Completed", exact=True).first.wait_for()
    _open_tab(page, "Parameters")
    page.get_by_text("7000").first.wait_for()
    assert living.rows() == 3000


def test_the_run_form_refuses_a_bad_batch_size(page: Any, living: Living, picture: Any) -> None:
    before = len(asked_for(living))
    page.goto(f"/deployments/deployment/{deployment(living)['id']}/run")
    page.locator("input[type=number]").fill("0")
    page.get_by_role("button", name="Submit").click()
    refusal = page.get_by_text(re.compile("'batch_size'.*0 is less than the minimum of 1")).last
    refusal.wait_for()
    assert page.url.endswith("/run")
    assert len(asked_for(living)) == before
    picture("refused")


def _ui(living: Living) -> str:
    return living.api_url.removesuffix("/api")


def _open_tab(page: Any, name: str) -> None:
    """Open a tab of a run's page, which moves while its parts arrive: a click may miss the tab."""

    def opened() -> bool:
        page.get_by_text(name, exact=True).last.click()
        return page.url.endswith(f"tab={name}")

    wait_for(opened)


def _batch_size(run: dict[str, Any]) -> int | None:
    return run["parameters"].get("batch_size")

"""Takes the pictures of docs/airflow.md: the main example on a real Airflow, seen by a headless Chromium.

`make airflow-pictures` runs it. Needs Chromium (`apt-get install chromium`) and Airflow's environment (`make unit`).
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "hotel_rates"
sys.path[:0] = [str(ROOT / "tests" / "engines" / "airflow"), str(EXAMPLE)]

from session import PASSWORD, USER, Session  # noqa: E402  # found by the path above

SIZE = {"width": 1500, "height": 900}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        session = Session(Path(os.environ["TEST_AIRFLOW"]), Path(folder) / "airflow")
        try:
            session.start()
            deploy(session, Path(folder))
            with sync_playwright() as started:
                browser = started.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
                page = browser.new_page(viewport=SIZE)
                take(page, session.url)
                browser.close()
        finally:
            session.stop()


def deploy(session: Session, folder: Path) -> None:
    """Deploys the example and waits for its run."""
    (folder / "drawloom.toml").write_text(
        f"""
        [targets.airflow]
        engine = "airflow"
        server = "{session.url}"
        username = "{USER}"
        password_env = "AIRFLOW_PASSWORD"
        dags = "{session.dags}"
        store = "{folder / "store"}"
        python = "{sys.executable}"
        owner = "revenue"
        tags = ["rates"]
        """
    )
    os.environ["AIRFLOW_PASSWORD"] = PASSWORD
    os.chdir(folder)
    import pipeline

    import drawloom

    bookings = drawloom.File(str(EXAMPLE / "hotel_rates.csv"))
    run = drawloom.deploy(pipeline.hotel_rates, "airflow", {"bookings": bookings}).wait(600)
    assert run.state == "succeeded", run.details.failure


def take(page: Page, url: str) -> None:
    """The two pictures."""
    page.goto(url)
    page.get_by_label("Username").fill(USER)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda found: "login" not in found)
    page.goto(f"{url}/dags/hotel_rates")
    page.locator("button[aria-label*='raph']").first.click()
    page.wait_for_timeout(6_000)
    page.screenshot(path=str(Path(__file__).parent / "airflow-graph.png"))
    page.get_by_role("button", name="Trigger").first.click()
    page.wait_for_timeout(3_000)
    page.screenshot(path=str(Path(__file__).parent / "airflow-form.png"))


if __name__ == "__main__":
    main()

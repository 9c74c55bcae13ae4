"""What a person does with a published adapter: takes it away from the shelf, serves it to many, trains it again.

Steps of the journeys in test_page and test_journey_into_use.
"""

import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openai
import pytest
from playwright.sync_api import expect

ROOT = Path(__file__).parents[2]
CLIENTS = 8
EXPORT_MS = 300_000


def shell(app: Any, *words: str) -> dict[str, Any]:
    """A command in the home of a test_page.App; its JSON."""
    done = subprocess.run(
        [sys.executable, "-m", "lora_hub", *words, "--json"],
        cwd=ROOT,
        env=app.environment(),
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@contextmanager
def served(app: Any, base: str) -> Iterator[openai.OpenAI]:
    command = [sys.executable, "-m", "lora_hub", "serve", "--base", base, "--port", "0"]
    with (app.home / "serve.log").open("ab") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env=app.environment(), stdout=subprocess.PIPE, stderr=log, text=True
        )
    try:
        line = process.stdout.readline()
        assert "/v1" in line, (app.home / "serve.log").read_text()
        yield openai.OpenAI(base_url=line.split()[-1], api_key="none", max_retries=0)
    finally:
        process.terminate()
        assert process.wait(60) == 0


def put_to_use(app: Any, base: str, name: str, rows: list[tuple[str, str]]) -> None:
    """Many ask at once, by two names of one version; a name that is not there is an error and never the base. rows:
    (text, label)."""
    short = name.partition("/")[2]
    with served(app, base) as client:
        assert {"base", short} <= {model.id for model in client.models.list()}

        def ask(model: str, text: str) -> str:
            told = client.chat.completions.create(model=model, messages=[{"role": "user", "content": text}])
            return told.choices[0].message.content

        wanted = [(model, text) for text, _label in rows for model in (short, f"{name}@v1")]
        with ThreadPoolExecutor(CLIENTS) as people:
            answers = list(people.map(lambda one: ask(*one), wanted))
        assert answers[::2] == answers[1::2], "two names of one version answer differently"
        assert set(answers) <= {label for _text, label in rows}
        with pytest.raises(openai.NotFoundError):
            ask(f"{short}-too", rows[0][0])


def take_away(page: Any, kind: str, folder: Path, *, part: str = "lh-export", cancels: bool = False) -> Path:
    """Exports the adapter that is open, and downloads what was made into a folder. kind: a part of the choice's words.
    part: how the ids of the page's part begin. cancels: it is begun, cancelled, and begun again."""
    page.locator(f"#{part}-kind input").click()
    page.get_by_role("option", name=kind).click()
    if cancels:
        page.locator(f"#{part}").click()
        page.locator(f"#{part}-stop").click()
        expect(page.locator(f"#{part}-stop")).to_be_hidden(timeout=EXPORT_MS)
        expect(page.locator(f"#{part}-state .lh-waiting, #{part}-files a[download]")).to_have_count(0)
    page.locator(f"#{part}").click()
    expect(page.locator(f"#{part}-state")).to_contain_text("Done.", timeout=EXPORT_MS)
    link = page.locator(f"#{part}-files a[download]")
    expect(link).to_have_count(1)
    with page.expect_download() as coming:
        link.click()
    made = folder / coming.value.suggested_filename
    coming.value.save_as(made)
    return made


def names_in(file: Path) -> set[str]:
    """Of the files in a zip, without their folders."""
    with zipfile.ZipFile(file) as packed:
        assert packed.testzip() is None
        return {re.sub(r"^.*/", "", one) for one in packed.namelist()}

"""From training to use on a real base, in one journey: marks before and after, published, served to many at once, taken
away as merged weights and as GGUF and read back, and trained again.

Runs where LORA_HUB_JOURNEY_BASE names a base's folder: SmolLM2-135M takes some 15 minutes on two cores. On the
built-in base the same steps are part of test_page's journey, all but GGUF, which its tokenizer cannot have.
"""

import os
from pathlib import Path

import pytest
from into_use import put_to_use, shell
from small_data import sentiment_rows, write_csv
from test_page import RUN_SECONDS, App, Visit, open_tab, text_of, visiting, wait_for_text
from test_page import app as app
from test_page import browser as browser

BASE = os.environ.get("LORA_HUB_JOURNEY_BASE", "")


@pytest.mark.skipif(not BASE, reason="LORA_HUB_JOURNEY_BASE names no folder of a base")
def test_from_training_to_use(app: App, browser: object, tmp_path: Path) -> None:
    with visiting(browser, tmp_path) as visit:
        from_training_to_use(app, visit, tmp_path)


def from_training_to_use(app: App, visit: Visit, tmp_path: Path) -> None:
    rows = sentiment_rows(240)
    file = write_csv(tmp_path / "feelings.csv", rows, ("review", "feeling"))
    page = visit.open(app.url)
    page.get_by_role("radio", name="Sentiment").check()
    page.locator("#lh-file input[type=file]").set_input_files(str(file))
    wait_for_text(page, "#lh-data", "240 rows")
    chosen = page.locator("#lh-base input")
    chosen.fill(BASE)
    chosen.press("Enter")
    page.locator("#lh-effort").get_by_text("Quick", exact=True).click()
    wait_for_text(page, "#lh-plan", "Works in", RUN_SECONDS * 1000)
    page.locator("#lh-name input, #lh-name textarea").fill("feelings")
    page.locator("#lh-train").click()
    page.wait_for_url("**run=sentiment-*")
    wait_for_text(page, "#lh-run", "succeeded", 2 * RUN_SECONDS * 1000)
    page.locator("#lh-publish").click()
    wait_for_text(page, "#lh-published", "Published as lora-hub/")
    name = text_of(page, "#lh-published").split("Published as ")[1].split()[0]
    open_tab(page, "Adapters")
    page.locator(f'[data-open="{name}"]').click()
    wait_for_text(page, "#lh-adapter", "Works in")
    wait_for_text(page, "#lh-card", "Results")
    put_to_use(app, BASE, name, rows[:16])

    made = {
        kind: shell(app, "export", name, "--to", kind, "--out", str(tmp_path / kind)) for kind in ("merged", "gguf")
    }
    assert all(one["agreement"]["same"] >= 0.9 * one["agreement"]["of"] for one in made.values()), made
    assert made["gguf"]["tensors_read_back"] > 200 and (tmp_path / "gguf" / "Modelfile").is_file()
    put_to_use_merged(tmp_path / "merged", rows)
    again = shell(app, "reproduce", name, "--data", str(file))
    assert again["reproduced"], again
    assert visit.strangers == [] and visit.errors == []


def put_to_use_merged(folder: Path, rows: list[tuple[str, str]]) -> None:
    """The merged folder is an ordinary model."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    ids = tokenizer(rows[0][0], return_tensors="pt")
    assert model(**ids).logits.isfinite().all()

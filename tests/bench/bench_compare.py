"""Nine panes of Compare in a real Chromium. `python tests/bench/bench_compare.py [ROUNDS]`

The built-in base and eight adapters with random weights answer one prompt, in text, on a page that has asked once
before: seconds from the click to the first text in every pane (goal 0.5), redraws a second while they write (goal 5),
and how long another visitor's click takes meanwhile (goal 0.3 s, the longest). Best and median of the rounds; the same
for two panes beside it, so that a slow machine shows. Exit 1 where a goal is missed in the median.
"""

import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), *(str(ROOT / "tests" / room) for room in ("ui", "core"))]

FIRST_SECONDS, REDRAWS, CLICK_SECONDS = 0.5, 5.0, 0.3
ADAPTERS, TOKENS = 8, 160
PROMPT = "Write a few lines about the sea, the weather and an old harbour."
# Notes when each pane has its first text, and each change of the panes, in milliseconds since the click.
WATCH = """(panes) => {
  const said = { began: 0, first: {}, drawn: [], ended: 0 }; window.said = said;
  const begin = () => { said.began = performance.now(); };
  document.getElementById("lh-ask").addEventListener("click", begin, { capture: true, once: true });
  let last = "";
  const look = () => {
    if (!said.began || said.ended) return;
    const now = performance.now() - said.began;
    const all = [...document.querySelectorAll("#lh-answers article")];
    const texts = all.map((one) => [...one.querySelectorAll(".lh-answer")].map((text) => text.textContent).join(""));
    const isNew = all.length === panes && all.some((one) => one.hasAttribute("aria-busy"));
    if (isNew) said.isNew = true;
    if (!said.isNew) return;
    all.forEach((one, place) => { if (texts[place].trim() && !(place in said.first)) said.first[place] = now; });
    const key = texts.join("|");
    if (key !== last) { last = key; said.drawn.push(now); }
    if (all.length === panes && all.every((one) => !one.hasAttribute("aria-busy"))) said.ended = now;
  };
  const all = { childList: true, subtree: true, characterData: true, attributes: true };
  new MutationObserver(look).observe(document.getElementById("lh-answers"), all);
}"""


def adapters(folder: Path) -> list[str]:
    """Adapters of random weights on the built-in base, as PEFT saves them."""
    from tiny_bases import save_adapter

    from lora_hub.answering import loading
    from lora_hub.catalogue import bases

    model = loading.load_base(bases.get_base(bases.BUILT_IN))
    made = [save_adapter(model, folder / f"a{n}", seed=n, strength=0.01, r=8, lora_alpha=16) for n in range(ADAPTERS)]
    return [str(one) for one in made]


def ask(page: object, panes: int) -> dict:
    page.evaluate(WATCH, panes)
    page.locator("#lh-ask").click()
    page.wait_for_function("window.said.ended > 0", timeout=120_000)
    return page.evaluate("window.said")


def main() -> int:
    from playwright import sync_api as playwright
    from test_page import FLAGS, App, Visit, free_port, wait_for_text

    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    chromium = (
        os.environ.get("LORA_HUB_CHROMIUM") or shutil.which("chromium-headless-shell") or shutil.which("chromium")
    )
    missed = False
    with tempfile.TemporaryDirectory() as name, playwright.sync_playwright() as started:
        folder = Path(name)
        names = adapters(folder)
        app = App(folder / "home", free_port())
        try:
            app.start()
            browser = started.chromium.launch(executable_path=chromium, args=FLAGS)
            other = Visit(browser).open(app.url)
            other.locator("#lh-reason p").wait_for()
            for count in (1, ADAPTERS):
                page = Visit(browser).open(f"{app.url}/?tab=compare&adapters={','.join(names[:count])}")
                page.locator("#lh-prompt textarea").fill(PROMPT)
                page.get_by_text("How they answer").click()
                page.locator("#lh-most-tokens input").fill(str(TOKENS))
                time.sleep(1)
                ask(page, count + 1)  # the base and the adapters are in memory from here on
                firsts, redraws, clicks = [], [], []
                for number in range(rounds):
                    page.evaluate(WATCH, count + 1)
                    page.locator("#lh-ask").click()
                    task, words = [("spam", "spam?"), ("topic", "about?")][number % 2]
                    began = time.perf_counter()
                    other.locator(f"#lh-task input[value='{task}']").check()
                    wait_for_text(other, "#lh-task-card", words)
                    clicks.append(time.perf_counter() - began)
                    page.wait_for_function("window.said.ended > 0", timeout=120_000)
                    said = page.evaluate("window.said")
                    firsts.append(max(said["first"].values()) / 1000)
                    seconds = (said["ended"] - min(said["first"].values())) / 1000
                    redraws.append(len(said["drawn"]) / seconds if seconds else 0.0)
                print(
                    f"{count + 1} panes: first text in all after {min(firsts):.2f} s at best, median "
                    f"{statistics.median(firsts):.2f} s (goal {FIRST_SECONDS}); redraws a second: median "
                    f"{statistics.median(redraws):.1f} (goal {REDRAWS:.0f}); another visitor's click: median "
                    f"{statistics.median(clicks):.2f} s, longest {max(clicks):.2f} s (goal {CLICK_SECONDS})"
                )
            missed = (
                statistics.median(firsts) > FIRST_SECONDS
                or statistics.median(redraws) < REDRAWS
                or max(clicks) > CLICK_SECONDS
            )
            browser.close()
        finally:
            app.close()
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())

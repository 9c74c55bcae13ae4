"""The log says who did what to which thing and how it ended, and nothing of what is in it."""

import logging
from pathlib import Path
from types import SimpleNamespace

import pytest
from test_run_folders import make_run, make_spec

from lora_hub import use_cases
from lora_hub.core.errors import AccessError, DataError, LoraHubError
from lora_hub.core.schema import Question
from lora_hub.people import LOCAL, Person

TOKEN, ROW, PROMPT = "hf_planted0123456789", "row planted in a file", "prompt planted in a question"
WILL = Person(id="will", roles={"lora-hub": "write"}, token=TOKEN)
EVE = Person(id="eve", roles={"lora-hub": "read"}, token=TOKEN)
ENDED = ("worker-7-1", "state", {"state": "failed"})


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The lines so far, without their seconds; each call empties them."""
    caplog.set_level(logging.INFO, "lora_hub")

    def lines() -> list[str]:
        found = [one.getMessage().rpartition(", ")[0] for one in caplog.records if one.name == "lora_hub.use_cases"]
        caplog.clear()
        return found

    return lines


def run_of(owner: str) -> str:
    return make_run(("app-1", "submitted", {"owner": owner, "visibility": "organization"}), ENDED)


def test_a_line_says_who_what_and_how_it_ended(told, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = run_of("will")
    made = use_cases.refresh_run(WILL, run_id)
    monkeypatch.setattr("lora_hub.runs.start_runs", lambda specs, **named: [made])
    use_cases.start_run(WILL, make_spec())
    with pytest.raises(AccessError):
        use_cases.delete_run(EVE, run_id)
    use_cases.share_run(WILL, run_id, "private")
    use_cases.delete_run(WILL, run_id)
    assert told() == [
        f"will start_runs spam {run_id}: done",
        f"eve delete_run {run_id}: AccessError",
        f"will share_run {run_id} private: done",
        f"will delete_run {run_id}: done",
    ]
    use_cases.list_runs(WILL)
    use_cases.look_at_standing(WILL)
    assert told() == [], "a page looks all the time"


def test_an_answer_that_is_stopped_is_told_when_it_ends(told) -> None:
    comparer = SimpleNamespace(resolve=lambda names: [], stream=lambda panes, question, **named: iter([1, 2]))
    asked = use_cases.ask(WILL, comparer, ["lora-hub/spam@v1"], Question(prompt=PROMPT))
    assert next(asked) == 1 and told() == []
    asked.close()
    assert list(use_cases.ask(WILL, comparer, ["lora-hub/spam"], Question(prompt=PROMPT))) == [1, 2]
    assert told() == ["will ask lora-hub/spam@v1: stopped", "will ask lora-hub/spam: done"]


def test_what_sits_at_the_machine_is_told_for_debugging_only(told, caplog: pytest.LogCaptureFixture) -> None:
    run_id = run_of("local")
    use_cases.share_run(LOCAL, run_id, "public")
    assert told() == []
    caplog.set_level(logging.DEBUG, "lora_hub")
    use_cases.refresh_run(LOCAL, run_id)
    assert told() == [f"local refresh_run {run_id}: done"]


def test_nothing_of_what_is_in_a_thing_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Rows, prompts, answers and tokens are planted wherever a use case takes a text, also in fields of names."""
    caplog.set_level(logging.DEBUG)
    upload = tmp_path / f"{ROW}.csv"
    upload.write_text(f"text,label\n{ROW},x\n")
    comparer = SimpleNamespace(resolve=lambda names: [], stream=lambda panes, question, **named: iter([PROMPT]))

    def refuse(*_: object, **__: object) -> None:
        raise DataError(make_spec().task.title.en, ROW)

    def crash(*_: object, **__: object) -> None:
        raise ValueError(PROMPT, TOKEN)

    calls = [
        lambda: use_cases.add_dataset(WILL, upload, ROW),
        lambda: use_cases.add_text(WILL, f"text\n{ROW}\n", ROW),
        lambda: use_cases.read_dataset(WILL, SimpleNamespace(read=refuse), use_cases.add_dataset(WILL, upload)),
        lambda: use_cases.inspect_dataset(WILL, SimpleNamespace(inspect=crash), use_cases.add_dataset(WILL, upload)),
        lambda: use_cases.delete_dataset(WILL, ROW),
        lambda: use_cases.delete_run(WILL, f"{PROMPT}\nwill delete_run everything: done"),
        lambda: use_cases.delete_run(WILL, TOKEN),
        lambda: use_cases.publish_run(WILL, run_of("will"), name=PROMPT),
        lambda: use_cases.fetch_dataset(WILL, ROW, token=TOKEN),
        lambda: list(
            use_cases.ask(WILL, comparer, [PROMPT, TOKEN], Question(prompt=PROMPT, inputs={"text": ROW}, reference=ROW))
        ),
        lambda: use_cases.change_policy(Person(id="ada", roles={"lora-hub": "admin"}, token=TOKEN), {TOKEN: ROW}),
        lambda: use_cases.delete_data(WILL, ROW),
    ]
    for call in calls:
        try:
            call()
        except (LoraHubError, ValueError):
            pass
    logged = caplog.text
    assert len([one for one in caplog.records if one.name == "lora_hub.use_cases"]) >= len(calls)
    for planted in (TOKEN, ROW, PROMPT, "planted", "everything: done"):
        assert planted not in logged, planted

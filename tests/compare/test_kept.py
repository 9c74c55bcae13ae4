"""Comparisons are kept, found, shared and deleted by whoever asked, and taken along as texts that do nothing."""

import json
import os
import re
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from persian import refused
from test_run_folders import make_spec

from lora_hub import use_cases
from lora_hub.compare.kept import kept_files
from lora_hub.core import settings
from lora_hub.core.errors import AccessError, DataError, SpecError
from lora_hub.core.schema import BASE, Answer, Comparison, PaneAnswer, Question
from lora_hub.people import LOCAL, STRANGER, Person, policy
from lora_hub.use_cases import collecting, packing


def person(name: str, role: str = "write") -> Person:
    return Person(id=name, roles={"lora-hub": role}, token=f"hf_of_{name}")


WILL, EVE, ADA, RITA = person("will"), person("eve"), person("ada", "admin"), person("rita", "read")
PROMPT = "You won a prize! Call now"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def views(*texts: str) -> list[PaneAnswer]:
    """The base's answer and those of adapters."""
    names = [BASE, "lora-hub/spam@v1", "lora-hub/other", "spam-20260101-000000-ab12"]
    task = make_spec().task
    return [
        PaneAnswer(
            pane=place,
            name=names[place],
            revision=COMMIT if "/" in names[place] else "",
            answer=Answer(text=text, tokens=3, seconds=0.5, finish="stop", ids=(1, 2, 3)),
            task=task,
        )
        for place, text in enumerate(texts)
    ]


def keep(who: Person = WILL, prompt: str = PROMPT, *texts: str, **more: object) -> Comparison:
    kept = use_cases.keep_comparison(who, Question(prompt=prompt), views(*(texts or ("ham", "spam"))), **more)
    assert kept is not None
    return kept


@pytest.mark.parametrize("who", [WILL, LOCAL, RITA], ids=["will", "local", "rita"])
def test_a_comparison_is_kept_found_again_and_deleted(who: Person) -> None:
    one, other = keep(who), keep(who, "Lunch at noon?", "ham", "gar nicht")
    file = settings.comparisons_dir("" if who is LOCAL else who.id) / f"{one.id}.json"
    assert file.is_file() and '"ids"' not in file.read_text() and "template" not in file.read_text()
    assert [found.id for found in use_cases.list_comparisons(who)] == [other.id, one.id]
    for words, found in (
        ("PRIZE you", [one]),
        ("gar NICHT", [other]),
        ("prize lunch", []),
        ("lora-hub/spam", [other, one]),
    ):
        assert use_cases.list_comparisons(who, words) == found, words
    opened = use_cases.open_comparison(who, one.id)
    assert opened.comparison == one and opened.is_own and not opened.is_hidden and one.task == "spam"
    assert [view.answer.text for view in opened.comparison.answers] == ["ham", "spam"]
    use_cases.delete_comparison(who, one.id)
    assert not file.exists() and use_cases.list_comparisons(who) == [other]
    with refused(DataError, match="no comparison"):
        use_cases.open_comparison(who, one.id)


def test_half_a_character_and_letters_of_four_bytes_are_kept_and_found_again() -> None:
    """A browser sends half of an emoji that was cut in two, and what was kept could not be written; bytes count, not
    characters: a comparison of a million emoji was kept and never found again."""
    one = keep(WILL, "half \ud83d of it", "ham \U0001f600", "spam")
    assert use_cases.open_comparison(WILL, one.id).comparison.asked == "half \ufffd of it"
    said = Question(system="\udc00", inputs=None, earlier={"base": ({"role": "user", "content": "\ud800"},)})
    assert [*said.texts] == ["", "\ufffd", "", "\ufffd"] and Question(prompt="\ud83d\ude00").prompt == "\U0001f600"
    with refused(DataError, match="larger than 1 MB"):
        keep(WILL, "\U0001f600" * 300_000)


def test_it_is_its_owners_until_it_is_shared() -> None:
    one, local = keep(WILL), keep(LOCAL)
    named_local = person("local")
    for who in (EVE, RITA, STRANGER, person("will", ""), named_local):
        policy.write(policy.Policy(strangers="compare"))
        for act in (
            use_cases.open_comparison,
            use_cases.delete_comparison,
            use_cases.export_comparison,
            lambda who, name: use_cases.share_comparison(who, name, "organization"),
        ):
            told = []
            for name in (one.id if who.id != "local" else local.id, "0" * 16, "../../organization"):
                with refused(DataError, match="no comparison") as error:
                    act(who, name)
                told.append(str(error.value).replace(name, "ID"))
            assert len(set(told)) == 1, "one that may not be seen is as none"
    assert use_cases.open_comparison(ADA, one.id).is_own is False
    assert use_cases.share_comparison(WILL, one.id, "organization").visibility == "organization"
    opened = use_cases.open_comparison(RITA, one.id)
    assert opened.comparison.answers == one.answers and not opened.is_own
    with refused(AccessError, match="This is will's"):
        use_cases.delete_comparison(RITA, one.id)
    with refused(DataError):
        use_cases.open_comparison(STRANGER, one.id)
    with refused(SpecError, match="cannot be 'public'"):
        use_cases.share_comparison(WILL, one.id, "public")
    use_cases.share_comparison(WILL, one.id, "private")
    with refused(DataError):
        use_cases.open_comparison(RITA, one.id)


def test_nothing_is_kept_of_who_is_no_member_nor_beyond_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    for who in (STRANGER, person("olaf", "")):
        policy.write(policy.Policy(strangers="compare"))
        assert use_cases.keep_comparison(who, Question(prompt=PROMPT), views("a", "b")) is None
        assert use_cases.list_comparisons(who) == [] and not settings.people_dir().exists()
    assert use_cases.keep_comparison(WILL, Question(prompt=PROMPT), []) is None
    policy.write(policy.Policy(disk_mb=0.01))
    with refused(AccessError, match="was not kept: 0 MB of your 0.01 MB"):
        keep(WILL, "x" * 20_000)
    monkeypatch.setattr(kept_files, "MOST_KEPT", 3)
    ids = []
    for number in range(5):
        ids.append(keep(LOCAL, f"question {number}").id)
        os.utime(settings.comparisons_dir() / f"{ids[-1]}.json", (number, number))
    assert {one.id for one in use_cases.list_comparisons(LOCAL)} == set(ids[2:]), "the oldest go"
    with refused(DataError, match="larger than 1 MB"):
        keep(LOCAL, "x" * 1_100_000)


def test_what_lies_in_the_folder_is_bounded_and_believed_only_as_its_owners(home: Path) -> None:
    one = keep(WILL)
    folder = settings.comparisons_dir("will")
    for name, text in (
        ("a" * 16, "{"),
        ("b" * 16, "[" * 100_000),
        ("c" * 16, json.dumps({"id": "c" * 16, "owner": "eve"})),
        ("d" * 16, (folder / f"{one.id}.json").read_text()),
        ("e" * 16, "x" * 3_000_000),
    ):
        (folder / f"{name}.json").write_text(text)
    (folder / "notes.json").write_text("{}")
    (folder / f".{one.id}.json.77.ab").write_text("half")
    assert use_cases.list_comparisons(WILL) == [one]
    for name in "abcde":
        with refused(DataError):
            use_cases.open_comparison(WILL, name * 16)
    os.utime(folder / f".{one.id}.json.77.ab", (0, 0))
    assert collecting.collect_leftovers(1000.0) == 1 and (folder / "notes.json").exists()


def test_it_goes_with_everything_of_its_owner_and_is_counted_before() -> None:
    keep(WILL), keep(WILL, "again"), keep(LOCAL)
    found = use_cases.look_at_data(WILL)
    assert found.comparisons == 2 and found.size > 500
    parts = {(part.kind, part.owner): part.size for part in use_cases.measure_disk(LOCAL).parts}
    assert parts["comparisons", "will"] == found.size and parts["comparisons", "local"] > 200
    for who in (WILL, LOCAL):
        use_cases.delete_data(who)
        assert use_cases.list_comparisons(who) == [] and use_cases.look_at_data(who).comparisons == 0
    assert not settings.comparisons_dir().exists() and not settings.comparisons_dir("will").exists()


def test_it_outlives_a_wiped_disk_as_runs_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    one = keep(WILL, PROMPT, "ham", "spam", order=(1, 0))
    use_cases.cast_vote(WILL, one.id, "tie")
    (place,) = [place for place in packing.places() if "comparisons" in place]
    packed = packing.pack(place)
    monkeypatch.setenv("LORA_HUB_HOME", str(tmp_path / "new"))
    assert packing.unpack(packed, 1e6) == "people/will/comparisons"
    opened = use_cases.open_comparison(WILL, one.id)
    assert opened.comparison == one and opened.vote.choice == "tie" and opened.is_hidden


HOSTILE = (
    "```\n</div><script>alert(1)</script> [x](javascript:alert(1)) ![p](http://e.vil/p.png)\n````\n# big \u202egnp"
)


def test_as_markdown_it_shows_and_does_nothing() -> None:
    hostile = "](javascript:x) <img src=x onerror=y> `|` # http://e.vil"
    one = keep(WILL, HOSTILE, HOSTILE, HOSTILE)
    answers = [view.model_copy(update={"name": hostile}) for view in one.answers]
    kept = one.model_copy(update={"answers": tuple(answers), "task": hostile})
    from lora_hub.compare.kept import comparison_markdown

    for language in ("en", "fa"):
        text = comparison_markdown(kept, language)
        html = MarkdownIt("commonmark", {"html": True, "linkify": False}).render(text)
        tags = set(re.findall(r"</?([a-z0-9]+)", html))
        assert tags <= {"h1", "h2", "h3", "p", "pre", "code", "strong"}, tags
        assert html.count("<pre>") == 3 and html.count("alert(1)") == 6 and "\u202e" not in text
    persian = use_cases.export_comparison(WILL, one.id, "markdown", "fa")
    assert persian.startswith("# مقایسه") and "توکن: ۳، ۰٫۵۰ ثانیه" in persian and " tokens" not in persian
    told = json.loads(use_cases.export_comparison(WILL, one.id))
    assert told["question"] == {"prompt": HOSTILE} and told["answers"][1]["model"] == "lora-hub/spam@0123456789ab"
    with refused(SpecError, match="cannot be 'exe'"):
        use_cases.export_comparison(WILL, one.id, "exe")

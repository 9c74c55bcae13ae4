"""The gate in front of production: better or refused, an admin's reason, the record in the repo, and back again. On
real adapters of the built-in base, whose rows' right answers are chosen."""

import json
import shutil
from pathlib import Path

import planted
import pytest
from huggingface_hub import CommitOperationAdd, HfApi
from persian import refused
from sample_adapters import publish
from small_data import write_csv

from lora_hub import cli, use_cases
from lora_hub import hub as hub_room
from lora_hub.compare import Comparer, panes
from lora_hub.compare.promoting import general, moving, seen, tell_task
from lora_hub.core import settings, store
from lora_hub.core.errors import AccessError, AdapterError, HubError, RunError
from lora_hub.core.events import EventLog
from lora_hub.core.schema import PairedComparison, Parent
from lora_hub.evaluation.normalized import normalize_label
from lora_hub.hub import look_at_production, move_production
from lora_hub.hub.card.production_part import with_production
from lora_hub.hub.promotion import MOST_LINE_BYTES, Measured, Promotion, read_lines, to_lines
from lora_hub.people import LOCAL
from lora_hub.runs import run_data, run_rows

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
NAME = "gated"
REPO = f"lora-hub/{NAME}"


def tags(api: HfApi) -> dict[str, str]:
    return {tag.name: tag.target_commit for tag in api.list_repo_refs(REPO).tags}


def test_only_what_is_better_takes_the_place_and_back_again(hub, tmp_path: Path, capsys, monkeypatch) -> None:
    api, comparer = HfApi(), Comparer()
    first = planted.make_version(1)
    second = planted.make_version(2)
    third = planted.make_version(3, answers_of=second)  # wrong where the second is right
    for run_id in (first, second, third):
        planted.publish(run_id, NAME)

    # nothing is in production yet: the base is the opponent
    found = use_cases.promote(LOCAL, comparer, NAME, "v1")
    assert found.moved and found.trial.against == "base" and found.before == ""
    assert "v1 is better than the base: Accuracy 100.0 against" in found.said.en
    assert tags(api)["production"] == tags(api)["v1"]
    # a better version takes the place, a worse one does not, on the same rows
    assert use_cases.promote(LOCAL, comparer, NAME, "v2").before == "v1"
    card = Path(api.hf_hub_download(REPO, "README.md")).read_text()
    assert "The tag `production` is on v2." in card and "| v2 | v1 | measured better (local) | Accuracy 100.0" in card
    found = use_cases.promote(LOCAL, comparer, NAME, "v3")
    assert (found.moved, found.why, found.trial.against) == (False, "", "v2") and "v3 is worse than v2" in found.said.en
    assert tags(api)["production"] == tags(api)["v2"] and len(look_at_production(NAME).promotions.entries) == 2
    # the general questions were asked of each model once: gate and matrix read the same answers
    with monkeypatch.context() as patch:
        patch.setattr(general, "_ask", None)
        again = [general.answer_general(comparer.bases, panes.resolve_adapter(f"{NAME}@{tag}")) for tag in ("v1", "v3")]
    assert [answer.text for answer in again[0]] != [answer.text for answer in again[1]]
    assert round(general.compare_general(again[1], again[0]).adapter, 4) == round(found.trial.general.adapter, 4)
    # the shell says so by its exit status, with the figures
    assert cli.main(["promote", NAME, "v3", "--json"]) == 4
    said = json.loads(capsys.readouterr().out)
    assert said["moved"] is False and said["task"]["difference"] < 0 and said["general"]["rows"] == 80
    assert "v3 was not promoted: v3 is worse than v2" in said["error"]["message"]
    # what the record says of v2 comes out again, and what somebody made of it does not
    assert cli.main(["promote", NAME, "--check", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"repo": REPO, "checked": "v2", "different": []}
    place = look_at_production(NAME)
    last = place.promotions.entries[-1]
    flattered = last.model_copy(update={"task": last.task.model_copy(update={"score": 99.5})})
    honest = b"".join(line + b"\n" for line in place.promotions.lines)
    for lines in (to_lines(place.promotions, flattered), honest):
        changed = [CommitOperationAdd("promotions.jsonl", lines)]
        api.create_commit(REPO, changed, commit_message="changed")
        assert cli.main(["promote", NAME, "--check", "--json"]) == (0 if lines == honest else 4)
        said = json.loads(capsys.readouterr().out)
        assert [one["figure"] for one in said["different"]] == ([] if lines == honest else ["task.score"])
    # an admin may give a reason, which is recorded
    assert cli.main(["promote", NAME, "v3", "--reason", "  v2 leaks | <b>names</b> ", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["kind"] == "reason"
    entry = look_at_production(NAME).promotions.entries[-1]
    assert (entry.kind, entry.version, entry.before, entry.reason) == ("reason", "v3", "v2", "v2 leaks | <b>names</b>")
    assert entry.task.rows == found.trial.task.rows and entry.limit == 5.0
    card = Path(api.hf_hub_download(REPO, "README.md")).read_text()
    assert "v2 leaks \\| &lt;b&gt;names&lt;/b&gt;" in card and card.count("## In production") == 1
    # a promotion is no version, and published again the same content is the version that it was
    again = planted.publish(third, NAME)
    assert (again.revision, again.versions) == (tags(api)["v3"], ("v3", "v2", "v1"))
    # back, one after another, and no further
    assert cli.main(["promote", NAME, "--roll-back"]) == 0
    assert "v2 of lora-hub/gated is in production again, instead of v3." in capsys.readouterr().out
    assert use_cases.roll_back(LOCAL, NAME).version == "v1" and tags(api)["production"] == tags(api)["v1"]
    with refused(AdapterError, match="Nothing of lora-hub/gated was in production before v1"):
        use_cases.roll_back(LOCAL, NAME)
    with refused(AdapterError, match="v1 of lora-hub/gated is in production already"):
        use_cases.promote(LOCAL, comparer, NAME, "v1")
    with refused(AdapterError, match="no version 'v9'"):
        use_cases.promote(LOCAL, comparer, NAME, "v9")

    # a move that ended between record and tag: the same again sets the tag
    place = look_at_production(NAME)
    done = Promotion(at="2026", by="local", kind="better", version="v2", commit=place.versions["v2"], before="v1")
    done = done.model_copy(update={"before_commit": place.commit})
    api.create_commit(
        REPO,
        [CommitOperationAdd("promotions.jsonl", to_lines(place.promotions, done))],
        commit_message="cut off",
    )
    api.delete_tag(REPO, tag="production")
    assert (look_at_production(NAME).version, look_at_production(NAME).tagged) == ("v2", False)
    assert use_cases.promote(LOCAL, comparer, NAME, "v2").moved and tags(api)["production"] == tags(api)["v2"]
    # somebody else was faster
    with refused(HubError, match="Somebody else has just moved production"):
        move_production(place, done)
    # whoever moves a version's tag while it is compared gets nothing promoted, and an upload meanwhile changes nothing
    real, before, entries = moving.hold_trial, tags(api), len(look_at_production(NAME).promotions.entries)

    def point(tag: str, commit: str) -> None:
        api.delete_tag(REPO, tag=tag)
        api.create_tag(REPO, tag=tag, revision=commit)

    with monkeypatch.context() as patch:
        patch.setattr(moving, "hold_trial", lambda *a, **k: (real(*a, **k), point("v3", before["v1"]))[0])
        with refused(HubError, match="v3 of lora-hub/gated is another commit now than the one that was compared"):
            use_cases.promote(LOCAL, comparer, NAME, "v3", reason="because")
        assert tags(api)["production"] == before["production"]
        assert len(look_at_production(NAME).promotions.entries) == entries
        point("v3", before["v3"])
        upload = [CommitOperationAdd("adapter_model.safetensors", b"another's")]
        patch.setattr(
            moving,
            "hold_trial",
            lambda *a, **k: (real(*a, **k), api.create_commit(REPO, upload, commit_message="v4"))[0],
        )
        assert use_cases.promote(LOCAL, comparer, NAME, "v3", reason="because").moved
    entry = look_at_production(NAME).promotions.entries[-1]
    assert tags(api)["production"] == before["v3"] == entry.commit and entry.before_commit == before["v2"]
    # the tag put elsewhere by hand: back to what the record says, also from a commit that is no version
    point("production", before["v1"])
    assert use_cases.roll_back(LOCAL, NAME).version == "v3" and tags(api)["production"] == before["v3"]
    loose = next(one.commit_id for one in api.list_repo_commits(REPO) if one.title == "v1 is in production")
    point("production", loose)
    assert (look_at_production(NAME).version, look_at_production(NAME).name) == ("", loose[:7])
    assert use_cases.roll_back(LOCAL, NAME).version == "v3"
    # and it is what a version is held against, not the base
    point("production", loose)
    found = use_cases.promote(LOCAL, comparer, NAME, "v2")
    assert (found.moved, found.before, found.trial.against) == (True, loose[:7], loose[:7])
    card = Path(api.hf_hub_download(REPO, "README.md")).read_text()
    assert f"| v2 | {loose[:7]} | measured better" in card
    with refused(AdapterError, match=f"{loose[:7]}, which was in production before, is no version"):
        use_cases.roll_back(LOCAL, NAME)
    # the rows of a run were held out from its own weights: others that name it are not measured on them
    record = hub_room.fetch_record(NAME, "v1")
    assert record["run"] == first
    weights = Path(api.hf_hub_download(REPO, "adapter_model.safetensors", revision=before["v3"]))
    files = [CommitOperationAdd("adapter_model.safetensors", weights.read_bytes())]
    files.append(CommitOperationAdd("lora_hub.json", json.dumps(record).encode()))
    foreign = api.create_commit(REPO, files, commit_message="others").oid
    api.create_tag(REPO, tag="v4", revision=foreign)
    with refused(RunError, match=f"v4 says that it is of the run {first}, but its weights are others"):
        use_cases.promote(LOCAL, comparer, NAME, "v4")
    # a record may name any run: the rows of one that was published elsewhere are not this adapter's
    log = EventLog(store.events_file(third), "worker-7-3")
    log.append("adapter", published=again.model_copy(update={"repo_id": "lora-hub/other"}).model_dump(mode="json"))
    with refused(RunError, match=f"v3 says that it is of the run {third}, which this machine did not publish to"):
        use_cases.promote(LOCAL, comparer, NAME, "v3")
    # on another machine there are no rows, but a file has some
    rows = [{"text": text, "label": "ham"} for text in planted.texts(30)]
    file = tmp_path / "rows.csv"
    file.write_text("text,label\n" + "".join(f"{one['text']},{one['label']}\n" for one in rows))
    planted.forget_runs()
    with refused(RunError, match="held-out rows of v3 are not on this machine"):
        use_cases.promote(LOCAL, comparer, NAME, "v3")
    assert use_cases.promote(LOCAL, comparer, NAME, "v3", test=file).trial.task.rows == 30


def test_a_version_rolling_back_and_checking_are_asked_for_one_by_one(home: Path, capsys) -> None:
    assert cli.main(["promote", NAME, "--roll-back", "--check"]) == 2
    assert "A version, --roll-back and --check ask for different things." in capsys.readouterr().err
    assert cli.main(["promote", NAME]) == 2
    assert "promote needs a version, or --roll-back, or --check." in capsys.readouterr().err


def test_rows_in_the_training_of_either_are_left_out_or_told(hub, tmp_path: Path) -> None:
    """And what is in production may be beyond reading: then only an admin's reason goes on, against the base."""
    api, comparer, name = HfApi(), Comparer(), "known-rows"
    repo = f"lora-hub/{name}"
    file = write_csv(
        tmp_path / "known.csv",
        [(text, ("ham", "spam")[place % 2]) for place, text in enumerate(planted.texts(120)[::2])],
        ("text", "answer"),
    )
    first, second = (planted.make_version(seed, rows=30, file=file) for seed in (1, 2))
    for run_id in (first, second):
        planted.publish(run_id, name)
    place = look_at_production(name)
    move_production(
        place, Promotion(at="2026", by="ann", kind="better", version="v1", commit=place.versions["v1"], before="")
    )
    place = look_at_production(name)
    # the older one's run is here: the rows in its training are left out, to the last one, and those of its parents
    drawn = run_data.read_split(store.read_spec(first))[1]
    trained = {one.inputs["text"] for one in (*drawn.train, *drawn.validation)}
    held = {row.inputs["text"] for row in run_rows.read_held_out(store.run_folder(second), expected=0, task=None).rows}
    assert 6 <= len(held - trained) < len(held)
    found = use_cases.promote(LOCAL, comparer, name, "v2")
    assert found.trial.task.rows == len(held - trained) and found.trial.fair.left_by == ("against",)
    assert f"{len(held & trained)} other rows were left out, because they were in the training of v1." in found.said.en
    # somebody who may not see that run leaves none out; their figures come out again for somebody who may
    given = {"reason": "because", "limit": 5.0, "sees": lambda run: run == second}
    assert moving.promote(comparer.bases, name, "v2", **given).trial.task.rows == len(held)
    assert use_cases.check_promotion(LOCAL, comparer, name).different == []
    use_cases.roll_back(LOCAL, name)
    place = look_at_production(name)
    # what the parent's record names beside is not this run's: whoever writes there may name any run
    named = (store.fingerprint(file), "of-another")
    after = store.read_spec(second).model_copy(update={"parent": Parent(run=first, files=named)})
    third = store.create_run(after)
    known = seen.trained_by(third, lambda _run: True, itself=False)
    assert len(known.inputs) == len(trained) and known.files == {"of-another"}
    assert seen.trained_by(third, lambda run: run == third, itself=False).inputs == set()
    round_trip = store.create_run(after.model_copy(update={"parent": Parent(run=third)}))
    store.write_json(
        store.run_folder(third) / "spec.json",
        after.model_copy(update={"parent": Parent(run=round_trip)}).model_dump(mode="json"),
    )
    assert seen.trained_by(third, lambda _run: True).inputs, "runs that go on from one another end"
    # a file of which the older one was trained on most: few rows are left, so all are compared and that is told
    rows = moving.rows_of(place, "v2", file, lambda _run: True)
    assert (len(rows.rows.examples), rows.left_out, rows.maybe) == (60, 0, ("version", "against"))
    # its file is gone: only that it is the same is known
    shutil.rmtree(settings.datasets_dir() / store.fingerprint(file))
    rows = moving.rows_of(place, "v2", None, lambda _run: True)
    assert (len(rows.rows.examples), rows.left_out, rows.maybe) == (len(held), 0, ("against",))
    told = Measured(metric="accuracy", against="v1", rows=30, score=9, other=9, difference=0, low=0, high=0, p=1)
    sentence = tell_task(told.model_copy(update={"maybe": rows.maybe}), "v2").en
    assert "v1 was trained on the file of these rows, or on most" in sentence and "the difference too low" in sentence
    # rows that the new one learned prove nothing, whatever it scores on them
    planted.forget_runs()
    found = use_cases.promote(LOCAL, comparer, name, "v2", test=file)
    assert not found.moved and found.trial.fair.maybe == ("version", "against")
    assert "or on most of the rows themselves, and may have learned some of them" in found.said.en
    assert found.trial.refusal(5.0) is not None
    # production cannot be read
    broken = [CommitOperationAdd("adapter_model.safetensors", b"nothing")]
    commit = api.create_commit(repo, broken, commit_message="broken").oid
    api.delete_tag(repo, tag="production")
    api.create_tag(repo, tag="production", revision=commit)
    other = write_csv(tmp_path / "other.csv", [(text, "ham") for text in planted.texts(160)[120:]], ("text", "answer"))
    with refused(AdapterError, match=f"What is in production, {repo}@{commit[:7]}, cannot be asked"):
        use_cases.promote(LOCAL, comparer, name, "v2", test=other)
    found = use_cases.promote(LOCAL, comparer, name, "v2", test=other, reason="v1 is broken")
    assert (found.moved, found.why, found.trial.against) == (True, "reason", "base")
    assert f"{commit[:7]}, which was in production, could not be read" in found.said.en
    entry = look_at_production(name).promotions.entries[-1]
    assert (entry.unread, entry.before_commit, entry.task.against) == (True, commit, "base")
    assert "could not be read" in Path(api.hf_hub_download(repo, "README.md")).read_text()
    assert use_cases.check_promotion(LOCAL, comparer, name, test=other).different == []


def test_a_way_back_that_was_cut_off_goes_no_further(hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the record and its tag: the same again sets the tag, and does not go back once more."""
    refs = [publish(tmp_path, "cut-off", seed=seed) for seed in (1, 2, 3)]
    for number, ref in enumerate(refs, 1):
        place = look_at_production("cut-off")
        told = {"version": f"v{number}", "commit": ref.revision, "before": place.version}
        move_production(place, Promotion(at="2026", by="ann", kind="better", before_commit=place.commit, **told))
    with monkeypatch.context() as patch, pytest.raises(ConnectionError):
        patch.setattr(HfApi, "create_tag", lambda *_given, **_named: (_ for _ in ()).throw(ConnectionError()))
        use_cases.roll_back(LOCAL, "cut-off")
    assert not look_at_production("cut-off").tagged
    assert use_cases.roll_back(LOCAL, "cut-off").version == "v2"
    place = look_at_production("cut-off")
    assert (place.version, place.tagged, len(place.promotions.entries)) == ("v2", True, 4)


def test_a_reason_is_an_admins(hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lora_hub.hub.account_of", lambda: ("will", {"lora-hub": "write", "will": "admin"}))
    publish(tmp_path, "reasoned")
    with refused(AccessError, match="will is no admin of lora-hub, and only admins promote for a reason"):
        use_cases.promote(LOCAL, Comparer(), "reasoned", "v1", reason="because")
    assert not look_at_production("reasoned").version


def test_of_two_who_promote_at_once_one_does(hub, tmp_path: Path) -> None:
    """The record of the first is there, and its tag not yet: the second one's record would say that its version is in
    production, while the first one's tag came after it. A reason is recorded, also where the tag was moved back."""
    api = HfApi()
    for seed in (1, 2):
        publish(tmp_path, "at-once", seed=seed)
    place = look_at_production("at-once")
    first = Promotion(at="2026", by="ann", kind="better", version="v1", commit=place.versions["v1"])
    second = first.model_copy(update={"version": "v2", "commit": place.versions["v2"], "by": "eve"})
    lines = to_lines(place.promotions, first)
    api.create_commit(place.repo_id, [CommitOperationAdd("promotions.jsonl", lines)], commit_message="v1")
    with refused(HubError, match="Somebody else has just moved production"):
        move_production(place, second)
    move_production(place, first)
    assert [one.by for one in look_at_production("at-once").promotions.entries] == ["ann"]
    api.delete_tag(place.repo_id, tag="production")
    move_production(look_at_production("at-once"), first.model_copy(update={"kind": "reason", "reason": "because"}))
    found = look_at_production("at-once")
    assert (found.version, found.tagged, found.promotions.entries[-1].reason) == ("v1", True, "because")


def compared(difference: float, half: float) -> PairedComparison:
    return PairedComparison(
        metric="accuracy",
        rows=80,
        clusters=80,
        changed=4,
        better=1,
        worse=3,
        base=50,
        adapter=50 + difference,
        difference=difference,
        low=difference - half,
        high=difference + half,
        p=0.2,
        test="x",
        verdict="chance",
    )


def test_forgetting_is_judged_by_its_interval() -> None:
    """A loss that may be chance refuses nobody."""
    assert not general.forgets(compared(-9, 6), 5.0)
    assert general.forgets(compared(-12, 6), 5.0)
    assert not general.forgets(compared(4, 1), 0.0)


def test_the_general_set_is_whole() -> None:
    asked = general.general_set()
    assert {language: sum(one.language == language for one in asked) for language in ("en", "fa")} == {
        "en": 40,
        "fa": 40,
    }
    for one in asked:
        assert len({normalize_label(choice) for choice in one.choices}) == len(one.choices) >= 2, one
        assert one.right in one.choices
    # where the right one stands tells nothing: who always takes the first is no better than chance
    assert sum(one.choices[0] == one.right for one in asked) < 40


ENTRY = Promotion(at="2026-11-30", by="ann", kind="better", version="v2", commit="a" * 40)


@pytest.mark.parametrize(
    "line",
    [
        b"{}",
        b"[" * 5000,
        b'{"at": 1}',
        b"\xff\xfe",
        ENTRY.model_dump_json().replace("v2", "../v2").encode(),
        ENTRY.model_dump_json().replace('"v2"', '"v2<script>"').encode(),
        ENTRY.model_copy(update={"reason": "x" * MOST_LINE_BYTES}).model_dump_json().encode(),
        ENTRY.model_dump_json().replace('"limit":0.0', '"limit":NaN').encode(),
        ENTRY.model_dump_json().replace("a" * 40, "main").encode(),
    ],
)
def test_what_strangers_write_into_the_record_is_left_out(line: bytes) -> None:
    found = read_lines(line + b"\n" + ENTRY.model_dump_json().encode() + b"\n")
    assert (len(found.entries), found.damaged) == (1, 1)
    assert line in to_lines(found, ENTRY), "what nobody here can read stays"


def test_a_card_holds_the_record_once_and_as_words() -> None:
    hostile = ENTRY.model_copy(
        update={"by": "<img src=x>|[a](http://b)", "reason": "<!-- lora-hub: end of production -->"}
    )
    card = "---\nlicense: mit\n---\n# Mine\n"
    record = read_lines(to_lines(read_lines(b""), hostile))
    once = with_production(card, record)
    assert with_production(once, record) == once and once.startswith(card.rstrip())
    assert "<img" not in once and "](http:" not in once and once.count("<!--") == 2
    assert with_production(card, read_lines(b"")) == card

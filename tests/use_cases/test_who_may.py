"""Rights: every use case is called by every kind of person, and those on a person's own things by others, too."""

import contextlib
import inspect
import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from persian import refused
from test_run_folders import make_run, make_spec

from lora_hub import use_cases
from lora_hub.compare import Comparer
from lora_hub.core import settings, store
from lora_hub.core.errors import AccessError, AdapterError, BaseError, DataError, LoraHubError, RunError, SpecError
from lora_hub.core.schema import MOST_ADAPTERS, Question, ShownExample
from lora_hub.hub import client
from lora_hub.people import LOCAL, STRANGER, Person, limits, policy
from lora_hub.people.pace import Pace
from lora_hub.people.rules import Action

ORGANIZATION = "lora-hub"


def person(name: str, role: str = "") -> Person:
    return Person(id=name, roles={ORGANIZATION: role} if role else {"elsewhere": "admin"}, token=f"hf_of_{name}")


PEOPLE = {
    "stranger": STRANGER,
    "outsider": person("olaf"),
    "read": person("rita", "read"),
    "contributor": person("cora", "contributor"),
    "write": person("will", "write"),
    "admin": person("ada", "admin"),
    "local": LOCAL,
}
EVERYBODY = tuple(PEOPLE)
MEMBERS = ("read", "contributor", "write", "admin", "local")
THOSE_WHO_TRAIN = MEMBERS[1:]
# Every use case, and who gets in. A new one fails the test below until it stands here.
MAY = {
    "add_base": THOSE_WHO_TRAIN,
    "add_dataset": THOSE_WHO_TRAIN,
    "add_text": THOSE_WHO_TRAIN,
    "add_to_collection": THOSE_WHO_TRAIN,
    "ask": MEMBERS,
    "ask_model": MEMBERS,
    "cancel_run": THOSE_WHO_TRAIN,
    "cast_vote": MEMBERS,
    "change_policy": ("admin", "local"),
    "check_base": MEMBERS,
    "check_adapter": THOSE_WHO_TRAIN,
    "check_composition": THOSE_WHO_TRAIN,
    "check_matrix": THOSE_WHO_TRAIN,
    "check_promotion": THOSE_WHO_TRAIN,
    "check_owner": MEMBERS,
    "clean_disk": ("admin", "local"),
    "compare_runs": MEMBERS,
    "combine_datasets": THOSE_WHO_TRAIN,
    "compose": THOSE_WHO_TRAIN,
    "delete_adapter": THOSE_WHO_TRAIN,
    "delete_comparison": MEMBERS,
    "delete_data": THOSE_WHO_TRAIN,
    "delete_dataset": THOSE_WHO_TRAIN,
    "delete_run": THOSE_WHO_TRAIN,
    "export_adapter": THOSE_WHO_TRAIN,
    "export_comparison": MEMBERS,
    "export_run": MEMBERS,
    "export_votes": MEMBERS,
    "fetch_dataset": THOSE_WHO_TRAIN,
    "filter_adapters": MEMBERS,
    "fill_matrix": THOSE_WHO_TRAIN,
    "find_base": MEMBERS,
    "find_dependents": MEMBERS,
    "find_runs": MEMBERS,
    "find_parent": THOSE_WHO_TRAIN,
    "get_adapter": MEMBERS,
    "hire": THOSE_WHO_TRAIN,
    "inspect_dataset": THOSE_WHO_TRAIN,
    "keep_comparison": MEMBERS,
    "list_adapters": MEMBERS,
    "list_collections": MEMBERS,
    "list_comparisons": MEMBERS,
    "list_datasets": THOSE_WHO_TRAIN,
    "list_made_from": MEMBERS,
    "list_models": MEMBERS,
    "list_packages": MEMBERS,
    "list_runs": MEMBERS,
    "list_versions": MEMBERS,
    "mark_adapter": MEMBERS,
    "mark_adapters": MEMBERS,
    "look_at_data": THOSE_WHO_TRAIN,
    "look_at_production": MEMBERS,
    "look_at_standing": EVERYBODY,
    "look_for_base": MEMBERS,
    "mark_bases": MEMBERS,
    "measure_disk": ("admin", "local"),
    "open_comparison": MEMBERS,
    "open_dataset": THOSE_WHO_TRAIN,
    "plan_deletion": THOSE_WHO_TRAIN,
    "plan_inspected": THOSE_WHO_TRAIN,
    "plan_publication": THOSE_WHO_TRAIN,
    "plan_again": THOSE_WHO_TRAIN,
    "read_settings": THOSE_WHO_TRAIN,
    "compare_again": THOSE_WHO_TRAIN,
    "plan_run": THOSE_WHO_TRAIN,
    "promote": THOSE_WHO_TRAIN,
    "publish_run": THOSE_WHO_TRAIN,
    "publishing_trouble": THOSE_WHO_TRAIN,
    "check_push": THOSE_WHO_TRAIN,
    "push_export": THOSE_WHO_TRAIN,
    "put_back": THOSE_WHO_TRAIN,
    "read_boards": MEMBERS,
    "read_card": MEMBERS,
    "read_figures": MEMBERS,
    "read_collection": MEMBERS,
    "read_dataset": THOSE_WHO_TRAIN,
    "read_held_out": MEMBERS,
    "read_log": MEMBERS,
    "read_matrix": MEMBERS,
    "refresh_run": MEMBERS,
    "remove_from_collection": THOSE_WHO_TRAIN,
    "rename_run": THOSE_WHO_TRAIN,
    "resolve": MEMBERS,
    "resume_run": THOSE_WHO_TRAIN,
    "reveal_names": MEMBERS,
    "roll_back": THOSE_WHO_TRAIN,
    "route": MEMBERS,
    "score_file": MEMBERS,
    "send_votes": MEMBERS,
    "share_comparison": MEMBERS,
    "share_run": THOSE_WHO_TRAIN,
    "share_test": THOSE_WHO_TRAIN,
    "start_pipeline": THOSE_WHO_TRAIN,
    "tag_run": THOSE_WHO_TRAIN,
    "start_run": THOSE_WHO_TRAIN,
    "start_runs": THOSE_WHO_TRAIN,
    "unpublish_adapter": THOSE_WHO_TRAIN,
    "cancel_test": THOSE_WHO_TRAIN,
    "check_test": MEMBERS,
    "choose_judge": THOSE_WHO_TRAIN,
    "choose_adapter": MEMBERS,
    "delete_test": THOSE_WHO_TRAIN,
    "list_tests": MEMBERS,
    "read_test": MEMBERS,
    "refresh_test": MEMBERS,
    "resume_test": THOSE_WHO_TRAIN,
    "start_test": THOSE_WHO_TRAIN,
    "wait_for_run": MEMBERS,
}


# What the app does by itself, for nobody.
BY_THE_APP = (
    "collect_unused",
    "keep_clean",
    "keep_sending",
    "start_filling",
    "start_keeping",
    "take_up_hired",
    "take_up_waiting",
)


def all_use_cases() -> dict[str, object]:
    named = {name: getattr(use_cases, name) for name in use_cases.__all__}
    return {name: one for name, one in named.items() if inspect.isfunction(one) and name not in BY_THE_APP}


def test_every_use_case_is_asked_by_a_person_and_stands_in_the_table() -> None:
    found = all_use_cases()
    assert found.keys() == MAY.keys()
    for name, one in found.items():
        assert isinstance(one.action, Action), f"{name} does not say what one must be able to do"
        assert next(iter(inspect.signature(one).parameters)) == "person", name
        with pytest.raises(TypeError, match="asked by a Person"):
            list(one("will")) if inspect.isgeneratorfunction(one) else one("will")


def gets_in(name: str, who: Person) -> bool:
    """Whether a use case lets a person in; it is asked with nothing that it could work on."""
    one = all_use_cases()[name]
    try:
        result = one(who)
        if inspect.isgenerator(result):
            next(result)
    except AccessError:
        return False
    except (LoraHubError, TypeError, StopIteration, AttributeError):
        return True
    return True


@pytest.mark.parametrize("name", MAY)
def test_who_gets_in(name: str) -> None:
    assert {who for who, one in PEOPLE.items() if gets_in(name, one)} == set(MAY[name])


@pytest.mark.parametrize("name", [name for name, who in MAY.items() if who == MEMBERS])
def test_strangers_browse_and_compare_where_the_organization_allows_it(name: str) -> None:
    policy.write(policy.Policy(strangers="compare"))
    for who in ("stranger", "outsider"):
        assert gets_in(name, PEOPLE[who]), who
    for kept in ("start_run", "publish_run", "add_dataset", "change_policy", "cancel_run"):
        assert not gets_in(kept, STRANGER) and not gets_in(kept, PEOPLE["outsider"])


def test_refusals_say_what_is_missing() -> None:
    with refused(AccessError, match="nobody is signed in"):
        use_cases.start_run(STRANGER, None)
    with refused(AccessError, match="olaf is not one"):
        use_cases.start_run(PEOPLE["outsider"], None)
    with refused(AccessError, match="rita is a member who reads in lora-hub, and this takes a contributor"):
        use_cases.start_run(PEOPLE["read"], None)


# --- what is somebody's ---


def run_of(owner: str, visibility: str = "private", *more: tuple) -> str:
    return make_run(("app-1", "submitted", {"owner": owner, "visibility": visibility}), *more)


ENDED = ("worker-7-1", "state", {"state": "failed"})
EVE = person("eve", "write")


def test_a_run_is_seen_by_those_it_is_for() -> None:
    mine, shared, public, local = (
        run_of("will"),
        run_of("will", "organization"),
        run_of("will", "public"),
        run_of("local"),
    )
    policy.write(policy.Policy(strangers="compare"))
    sees = {who: {run.id for run in use_cases.list_runs(one)} for who, one in {**PEOPLE, "eve": EVE}.items()}
    assert sees["write"] == {mine, shared, public}
    assert sees["eve"] == sees["read"] == sees["contributor"] == {shared, public}
    assert sees["stranger"] == sees["outsider"] == {public}
    assert sees["admin"] == sees["local"] == {mine, shared, public, local}
    # Somebody who was put out of the organization keeps nothing.
    assert use_cases.list_runs(person("will")) and {run.id for run in use_cases.list_runs(person("will"))} == {public}


def test_an_account_that_is_called_as_the_machines_own_person_gets_nothing_of_theirs() -> None:
    run_id = run_of(LOCAL.id, "private", ENDED)
    named_so = person(LOCAL.id, "write")
    assert use_cases.list_runs(named_so) == [] and use_cases.list_runs(LOCAL)[0].id == run_id
    with refused(RunError, match="that you may see"):
        use_cases.delete_run(named_so, run_id)


LOOKS = {
    "refresh_run": lambda who, run: use_cases.refresh_run(who, run),
    "wait_for_run": lambda who, run: use_cases.wait_for_run(who, run),
    "read_log": lambda who, run: use_cases.read_log(who, run),
    "read_held_out": lambda who, run: use_cases.read_held_out(who, run),
    "export_run": lambda who, run: use_cases.export_run(who, run, "settings"),
    "compare_runs": lambda who, run: use_cases.compare_runs(who, [run, "other"]),
    "resolve": lambda who, run: use_cases.resolve(who, Comparer(), [run]),
    "ask": lambda who, run: next(use_cases.ask(who, Comparer(), [run], Question(prompt="x"))),
}
CHANGES = {
    "cancel_run": lambda who, run: use_cases.cancel_run(who, run),
    "resume_run": lambda who, run: use_cases.resume_run(who, run),
    "delete_run": lambda who, run: use_cases.delete_run(who, run),
    "share_run": lambda who, run: use_cases.share_run(who, run, "public"),
    "rename_run": lambda who, run: use_cases.rename_run(who, run, "public"),
    "tag_run": lambda who, run: use_cases.tag_run(who, run, ["public"]),
    "publish_run": lambda who, run: use_cases.publish_run(who, run),
    "export_adapter": lambda who, run: next(use_cases.export_adapter(who, run, "peft", "", Path("nowhere"))),
    "plan_publication": lambda who, run: use_cases.plan_publication(who, run),
}


@pytest.mark.parametrize("name", {**LOOKS, **CHANGES})
def test_anothers_run_is_not_there_by_id(name: str) -> None:
    """The answer is the same for a run that is not there, and names no other."""
    run_id = run_of("will", "private", ENDED)
    said = []
    for wanted in (run_id, run_id[:-4] + "zzzz"):
        with refused((RunError, AdapterError)) as told:
            {**LOOKS, **CHANGES}[name](replace(EVE, token=""), wanted)
        said.append(str(told.value).replace(wanted, "RUN"))
    assert said[0] == said[1] and run_id not in said[1]
    before = store.events_file(run_id).read_bytes()
    assert b"public" not in before and store.run_folder(run_id).is_dir()


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_shared_can_be_looked_at_and_not_changed(name: str) -> None:
    run_id = run_of("will", "organization", ENDED)
    before = store.events_file(run_id).read_bytes()
    assert use_cases.refresh_run(EVE, run_id).id == run_id
    with refused(AccessError, match="This is will's"):
        CHANGES[name](EVE, run_id)
    assert store.events_file(run_id).read_bytes() == before
    assert use_cases.read_log(EVE, run_id) == "", "the log tells of the machine"


def test_owner_and_admin_share_and_delete() -> None:
    will, ada = PEOPLE["write"], PEOPLE["admin"]
    run_id = run_of("will", "private", ENDED)
    assert use_cases.share_run(will, run_id, "organization").visibility == "organization"
    assert use_cases.refresh_run(EVE, run_id).visibility == "organization"
    assert use_cases.share_run(ada, run_id, "private").visibility == "private"
    with refused(SpecError, match="cannot be 'everywhere'"):
        use_cases.share_run(will, run_id, "everywhere")
    use_cases.delete_run(will, run_id)
    assert run_id not in store.list_run_ids()
    going = run_of("will")
    with store.own_run(going), refused(RunError, match="has not ended yet"):
        use_cases.delete_run(will, going)


def test_those_before_me_in_the_line_stay_unnamed() -> None:
    waits = ("worker-7-1", "progress", {"phase": "waiting for its turn", "place": 2, "before": [], "slots": 1})
    secret, shared = run_of("will"), run_of("will", "organization")
    told = (*waits[:2], {**waits[2], "before": [secret, shared]})
    run_id = make_run(("app-1", "submitted", {"owner": "eve"}), told)
    with store.own_run(run_id):
        assert use_cases.refresh_run(EVE, run_id).waits.before == ("", shared)
        assert use_cases.list_runs(EVE)[0].waits.before == ("", shared)
        assert use_cases.refresh_run(PEOPLE["admin"], run_id).waits.before == (secret, shared)


# --- files ---


def test_a_file_is_opened_by_its_owner_alone(tmp_path: Path) -> None:
    """Whoever knows a fingerprint, which stands in every record, has no key to the file."""
    upload = tmp_path / "rows.csv"
    upload.write_text("text,label\nsecret of will,a\nother,b\n")
    will, ada = PEOPLE["write"], PEOPLE["admin"]
    kept = use_cases.add_dataset(will, upload)
    name = f"{kept.parent.name}/{kept.name}"
    assert use_cases.open_dataset(will, name) == kept and "people/will/datasets" in kept.as_posix()
    for who in (EVE, ada, LOCAL):
        with refused(DataError):
            use_cases.open_dataset(who, name)
        with refused(DataError):
            use_cases.open_dataset(who, f"{kept.parent.name}/anything")
    for path in (kept, Path("/etc/passwd"), settings.home() / "organization.json"):
        with refused(DataError, match="no file of yours"):
            use_cases.read_dataset(EVE, SimpleNamespace(), path)
        with refused(DataError, match="no file of yours"):
            use_cases.inspect_dataset(EVE, SimpleNamespace(), path, None)
    # The same bytes from two people are two files.
    hers = use_cases.add_dataset(EVE, upload)
    assert hers != kept and hers.read_bytes() == kept.read_bytes()
    with refused(DataError):
        use_cases.open_dataset(person("../../will", "write"), name)


def test_a_dataset_of_the_hub_is_no_larger_than_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is measured before it comes, and what was here before stays, whatever is allowed by now."""
    asked, will = [], PEOPLE["write"]
    upload = tmp_path / "rows.csv"
    upload.write_text("text,label\n" + "some row of it,a\n" * 100)

    def fetch(name: str, *, owner: str = "", most_bytes: int = 0, **named: object) -> Path:
        asked.append(most_bytes)
        return store.add_dataset(upload, "rows.csv", owner)

    monkeypatch.setattr("lora_hub.hub.fetch_dataset", fetch)
    policy.write(policy.Policy(upload_mb=3, disk_mb=1))
    kept = use_cases.fetch_dataset(will, "some/rows")
    assert asked == [3_000_000]
    policy.write(policy.Policy(upload_mb=0.001))
    assert use_cases.fetch_dataset(will, "some/rows") == kept and kept.is_file(), "a run may have been made of it"
    kept.unlink()
    with refused(AccessError, match="rows.csv is 0.0 MB, and a file may have 0.001 MB"):
        use_cases.fetch_dataset(will, "some/rows")
    assert not kept.exists()
    assert use_cases.fetch_dataset(LOCAL, "some/rows").is_file() and asked[-1] == 0


def test_what_nobody_uses_is_removed_after_a_while(tmp_path: Path) -> None:
    will = PEOPLE["write"]
    upload = tmp_path / "rows.csv"
    kept = {}
    for name in ("used", "unused", "looked-at"):
        upload.write_text(f"text,label\n{name},a\n")
        kept[name] = use_cases.add_dataset(will, upload, f"{name}.csv")
    info = make_spec().dataset.model_copy(update={"owner": "will", "fingerprint": kept["used"].parent.name})
    make_run(dataset=info)
    old = time.time() - 8 * 86_400
    for file in kept.values():
        os.utime(file, (old, old))
        os.utime(file.parent, (old, old))
    use_cases.open_dataset(will, f"{kept['looked-at'].parent.name}/looked-at.csv")
    assert use_cases.collect_unused(time.time()) == 1
    assert [name for name, file in kept.items() if file.exists()] == ["used", "looked-at"]
    policy.write(policy.Policy(upload_days=0.001))
    assert use_cases.collect_unused(time.time() + 600) == 1 and kept["used"].exists()


def test_folders_of_this_machine_are_for_who_sits_at_it(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    for name in (str(tmp_path), "../x", "~/x", "a/b/c", "C:\\x", "x" * 5000, "é" * 200):
        with refused(BaseError, match="A folder of this machine can be no base here"):
            use_cases.find_base(EVE, name)
        with refused(AdapterError, match="neither a repository of the Hub nor a run"):
            use_cases.resolve(EVE, SimpleNamespace(resolve=lambda names: []), [name])
    with refused(BaseError, match="not one of those that lora-hub allows here"):
        use_cases.find_base(EVE, "somebody/their-base")
    policy.write(policy.Policy(bases="any"))
    assert use_cases.find_base(EVE, "somebody/their-base").id == "somebody/their-base"
    assert use_cases.find_base(EVE, "built-in").id == "built-in"


# --- as oneself ---


def test_the_hub_is_asked_as_who_asks_and_never_as_the_app(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_of_the_app")
    used = []
    monkeypatch.setattr("lora_hub.hub.check_owner", lambda name: used.append(client.open_api().token))
    for who in (PEOPLE["read"], PEOPLE["admin"], LOCAL):
        use_cases.check_owner(who, "x")
    policy.write(policy.Policy(strangers="compare"))
    use_cases.check_owner(STRANGER, "x")
    assert used == ["hf_of_rita", "hf_of_ada", None, False]
    assert client.token_in_use() is None, "afterwards nobody is asked for"


def test_a_stream_asks_as_its_person_at_each_step() -> None:
    """Steps of a stream come from different threads and contexts."""
    import threading

    seen = []

    def stream(adapters: list, question: Question, **named: object):
        for _ in range(3):
            seen.append(client.open_api().token)
            yield len(seen)

    comparer = SimpleNamespace(resolve=lambda names: [], stream=stream)
    answers = use_cases.ask(PEOPLE["read"], comparer, ["a/b"], Question(prompt="x"))
    for _ in range(3):
        thread = threading.Thread(target=lambda: next(answers))
        thread.start()
        thread.join()
    assert seen == ["hf_of_rita"] * 3 and client.token_in_use() is None


def test_a_run_gets_its_owners_token_and_no_other(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from lora_hub.use_cases import training

    monkeypatch.setenv(settings.SERVICE_TOKEN, "hf_of_the_space")
    given = training.child_environment(EVE)
    assert given["HF_TOKEN"] == "hf_of_eve" and given[settings.SERVICE_TOKEN] == ""
    assert training.child_environment(LOCAL) == {}
    assert given["OAUTH_CLIENT_SECRET"] == ""
    taken = []
    monkeypatch.setattr("lora_hub.runs.take_up_waiting", lambda room, environment: taken.append(environment))
    use_cases.take_up_waiting(None)
    keeper = tmp_path / "token"  # of whoever keeps the machine, and once said `hf auth login`
    keeper.write_text("hf_of_the_keeper")
    seen = "import huggingface_hub; print(huggingface_hub.get_token())"
    known = {**os.environ, "HF_TOKEN_PATH": str(keeper), "HF_TOKEN": "hf_of_the_app"}
    told = [
        subprocess.run([sys.executable, "-c", seen], env={**known, **one}, capture_output=True, text=True, check=True)
        for one in (given, taken[0])
    ]
    assert [one.stdout.strip() for one in told] == ["hf_of_eve", "None"]
    policy.write(policy.Policy(publish_as="service"))
    # it reaches more than Eve does: a run that publishes nothing reads its base and its data as her
    assert training.child_environment(EVE)["HF_TOKEN"] == "hf_of_eve"
    assert training.child_environment(EVE, publishes=True)["HF_TOKEN"] == "hf_of_the_space"
    monkeypatch.delenv(settings.SERVICE_TOKEN)
    with refused(LoraHubError, match="the Space has none"):
        training.child_environment(EVE, publishes=True)
    monkeypatch.setenv(settings.SERVICE_TOKEN, "hf_of_the_space")
    run_id = run_of("eve", "private", ENDED)
    with refused(LoraHubError, match="and to lora-hub only"):
        use_cases.publish_run(EVE, run_id, org="elsewhere")


def test_a_token_is_in_no_text_of_a_person() -> None:
    assert "hf_of" not in repr(EVE) and "hf_of" not in str(EVE) and EVE == person("eve", "write")


# --- limits ---


def test_limits_are_told_before_they_are_met(tmp_path: Path) -> None:
    policy.write(policy.make({"waiting_runs": 1, "upload_mb": 0.001, "panes": 2, "prompt_characters": 100}))
    run_id = make_run(("app-1", "submitted", {"owner": "eve"}))
    comparer = SimpleNamespace(resolve=lambda names: [], stream=lambda *a, **b: iter(()))
    with store.own_run(run_id):
        with refused(AccessError, match="1 run or test of yours waits or works, and 1 may"):
            use_cases.start_runs(EVE, [make_spec()])
        standing = use_cases.look_at_standing(EVE)
        assert (standing.going, standing.allowed.waiting_runs) == (1, 1)
    big = tmp_path / "big.csv"
    big.write_text("a,b\n" + "x,y\n" * 500)
    with refused(AccessError, match="big.csv is 0.0 MB, and a file may have 0.001 MB here"):
        use_cases.add_dataset(EVE, big)
    with refused(AccessError, match="3 answers are asked for at once, and 2 may be here"):
        list(use_cases.ask(EVE, comparer, ["a/b", "c/d"], Question(prompt="x")))
    with refused(AccessError, match="101 characters long, and 100 are allowed"):
        list(use_cases.ask(EVE, comparer, ["a/b"], Question(prompt="x" * 101)))
    with refused(AccessError, match="9,999 tokens are asked for"):
        list(use_cases.ask(EVE, comparer, ["a/b"], Question(prompt="x", max_new_tokens=9999)))
    assert (
        list(use_cases.ask(LOCAL, comparer, ["a/b", "c/d", "e/f"], Question(prompt="x" * 999, max_new_tokens=9999)))
        == []
    )


def test_a_whole_comparison_is_within_the_limits_of_everybody() -> None:
    """Eight adapters, the base, and the base with examples; or two models with as many answers as there may be."""
    comparer = SimpleNamespace(resolve=lambda names: [], stream=lambda *a, **b: iter(()))
    most, shown = [f"a/{number}" for number in range(MOST_ADAPTERS)], (ShownExample(inputs={"text": "x"}, answer="y"),)
    whole = Question(prompt="x", examples=1, shown=shown)
    assert list(use_cases.ask(EVE, comparer, most, whole)) == []
    assert list(use_cases.ask(EVE, comparer, ["a/b"], Question(prompt="x", samples=8, temperature=1.0))) == []
    with refused(AccessError, match="20 answers are asked for at once, and 16 may be here"):
        list(use_cases.ask(EVE, comparer, most, whole.model_copy(update={"samples": 2, "temperature": 1.0})))


def test_an_answer_is_no_longer_than_allowed_whatever_its_task_says() -> None:
    """The task is an adapter's, which may be a stranger's, and the right answer is a field of the browser."""
    policy.write(policy.Policy(answer_tokens=64, prompt_characters=100))
    told = []
    comparer = SimpleNamespace(
        resolve=lambda names: [], stream=lambda panes, question, **named: told.append((question, named)) or iter(())
    )
    for who in (EVE, LOCAL):
        assert list(use_cases.ask(who, comparer, ["a/b"], Question(prompt="x", max_new_tokens=0))) == []
    assert [(question.max_new_tokens, named["most_new_tokens"]) for question, named in told] == [(0, 64), (0, 0)]
    with refused(AccessError, match="102 characters long, and 100 are allowed"):
        list(use_cases.ask(EVE, comparer, ["a/b"], Question(inputs={"text": "x"}, reference="y" * 101)))


def test_nobody_keeps_all_of_the_servers_threads() -> None:
    """Questions, downloads and cancelling take as long as they take, and each keeps a thread meanwhile."""
    will, eve = (replace(one, pace=Pace()) for one in (PEOPLE["write"], EVE))
    comparer = SimpleNamespace(resolve=lambda names: [], stream=lambda panes, question, **named: iter([1, 2]))
    going = [use_cases.ask(will, comparer, ["a/b"], Question(prompt="x")) for _ in range(limits.MOST_AT_ONCE)]
    assert [next(one) for one in going] == [1] * limits.MOST_AT_ONCE
    for ask in (
        lambda: next(use_cases.ask(will, comparer, ["a/b"], Question(prompt="x"))),
        lambda: use_cases.resolve(will, comparer, ["a/b"]),
        lambda: use_cases.cancel_run(will, "run"),
    ):
        with refused(AccessError, match="8 requests of yours are worked on at this moment"):
            ask()
    assert next(use_cases.ask(eve, comparer, ["a/b"], Question(prompt="x"))) == 1 and use_cases.list_runs(will) == []
    going.pop().close()
    assert list(going.pop()) == [2]
    for _ in range(3):  # one that is refused takes no place
        assert list(use_cases.ask(will, comparer, ["a/b"], Question(prompt="x"))) == [1, 2]
        with refused(RunError):
            use_cases.cancel_run(will, "run")


def test_of_two_starts_at_once_one_finds_the_last_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Started and resumed, from two tabs: what is counted is still so when the run is made."""
    import threading

    policy.write(policy.Policy(waiting_runs=1))
    failed, locks, both = run_of("eve", "private", ENDED), [], threading.Barrier(2, timeout=30)
    count = limits.check_start

    def counted(*arguments: object) -> float:
        found = count(*arguments)
        with contextlib.suppress(threading.BrokenBarrierError):
            both.wait(0.5)  # the other one has counted by now, too, where nothing keeps it from that
        return found

    def start(specs: list, **named: object) -> list:
        locks.append(store.own_run(run_of("eve")))
        return []

    monkeypatch.setattr(limits, "check_start", counted)
    monkeypatch.setattr("lora_hub.runs.start_runs", start)
    monkeypatch.setattr("lora_hub.runs.resume_run", lambda run_id, **named: start([]))
    said = []

    def ask(what: object) -> None:
        try:
            what()
        except AccessError as error:
            said.append(str(error))

    asked = (lambda: use_cases.start_runs(EVE, [make_spec()]), lambda: use_cases.resume_run(EVE, failed))
    threads = [threading.Thread(target=ask, args=(what,)) for what in asked]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(locks) == 1 and len(said) == 1 and "1 run or test of yours waits or works" in said[0]
    locks[0].close()


def test_a_run_that_waits_trains_only_for_who_still_may(monkeypatch: pytest.MonkeyPatch) -> None:
    from lora_hub import runs
    from lora_hub.runs import turns
    from lora_hub.runs.runners import local

    now, told, began = time.monotonic(), [], []
    monkeypatch.setattr("lora_hub.hub.look_up", lambda token: told.pop(0))
    monkeypatch.setattr(local, "start", lambda run_ids, *_: began.append(run_ids) or {"pid": os.getpid()})
    for answer, state in (
        (person("eve", "write"), "lost"),  # a process that is none: it was started
        (person("eve", "read"), "failed"),
        (person("eve"), "failed"),
        (None, "lost"),
    ):
        told[:] = [answer]
        room = runs.WaitingRoom()
        monkeypatch.setattr("time.monotonic", lambda: now)
        with turns.take_turn(["somebody"], lambda: False):
            run = use_cases.start_run(EVE, make_spec(), room=room)
            assert len(room) == 1 and told
            monkeypatch.setattr("time.monotonic", lambda: now + 3600)
            room.close()  # whoever waits goes on by itself
        assert not told and runs.refresh_run(run.id).state == state
    assert len(began) == 2
    ended = next(one for one in runs.list_runs() if one.state == "failed")
    assert "eve is not one" in ended.error.message or "this takes a contributor" in ended.error.message


def test_a_test_file_has_no_more_rows_than_a_dataset() -> None:
    policy.write(policy.Policy(rows=200))
    large = make_spec().dataset.model_copy(update={"name": "test.csv", "rows": 201})
    limits.check_spec(EVE, make_spec(), 200, 10)
    with refused(AccessError, match="test.csv has 201 rows, and 200 may be trained on here"):
        limits.check_spec(EVE, make_spec(test_dataset=large), 200, 10)


def test_admins_change_what_is_allowed_and_nobody_else(home: Path) -> None:
    ada = PEOPLE["admin"]
    assert use_cases.change_policy(ada, {"hours": "2.5", "strangers": "compare"}).hours == 2.5
    assert json.loads((home / "organization.json").read_text()) == {"hours": 2.5, "strangers": "compare"}
    for changes, said in (
        ({"hours": 0}, r"Longest run \(hours\) \(hours\) is '0'; it must be greater than 0"),
        ({"hours": "nan"}, r"\(hours\) is 'nan'"),
        ({"strangers": "everything"}, r"Strangers may \(strangers\) is 'everything'; it must be one of"),
        ({"free": True}, r"organization.json \(free\) is 'True'; there is no such limit"),
    ):
        with refused(SpecError, match=said):
            use_cases.change_policy(ada, changes)
    assert policy.read().hours == 2.5
    (home / "organization.json").write_text("{")
    with refused(SpecError, match="is no JSON"):
        use_cases.list_runs(STRANGER)

"""Blind votes: one a comparison and person, only by whoever asked and before they saw the names; durable, bounded."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from persian import refused
from test_kept import ADA, EVE, LOCAL, PROMPT, WILL, keep, views

from lora_hub import use_cases
from lora_hub.compare.votes import boards, votes_file
from lora_hub.core import settings
from lora_hub.core.errors import DataError, HubUnreachableError
from lora_hub.core.messages import _
from lora_hub.core.schema import Comparison, Question, Turn
from lora_hub.hub.client import token_in_use
from lora_hub.people import Person
from lora_hub.use_cases import voting


def blind(who: Person = WILL, prompt: str = PROMPT, *texts: str, order: tuple[int, ...] = (2, 0, 1)) -> Comparison:
    return keep(who, prompt, *(texts or ("ham", "spam", "eggs")), order=order)


def counted(who: Person = WILL) -> list[tuple[str, int | None]]:
    owner = who.id
    return [(one.choice, one.place) for one in votes_file.read_votes(owner).counted.values()]


def test_a_vote_counts_once_and_may_be_changed_until_the_names_are_shown() -> None:
    one = blind()
    opened = use_cases.cast_vote(WILL, one.id, "one", 0)
    assert opened.is_hidden and opened.vote.shown == (
        "lora-hub/other@0123456789ab",
        "base",
        "lora-hub/spam@0123456789ab",
    )
    size = (settings.comparisons_dir("will") / "votes.jsonl").stat().st_size
    use_cases.cast_vote(WILL, one.id, "one", 0)
    assert (settings.comparisons_dir("will") / "votes.jsonl").stat().st_size == size, "a repeated vote is one"
    for choice, place in (("tie", None), ("bad", None), ("one", 2)):
        use_cases.cast_vote(WILL, one.id, choice, place)
    assert counted() == [("one", 2)]
    revealed = use_cases.reveal_names(WILL, one.id)
    assert not revealed.is_hidden and revealed.vote.place == 2
    late = use_cases.cast_vote(WILL, one.id, "one", 0)
    assert late.vote.place == 2 and late.late.place == 0 and late.late.is_late and counted() == [("one", 2)]


@pytest.mark.parametrize("look", ["reveal", "export"])
def test_a_vote_after_a_look_at_the_names_is_late(look: str) -> None:
    one = blind()
    if look == "reveal":
        use_cases.reveal_names(WILL, one.id)
    else:
        use_cases.export_comparison(WILL, one.id)
    opened = use_cases.cast_vote(WILL, one.id, "one", 1)
    assert opened.vote is None and opened.late.place == 1 and counted() == []


def test_forged_votes_do_not_count() -> None:
    one, open_one = blind(), keep(WILL)
    use_cases.share_comparison(WILL, one.id, "organization")
    with refused(DataError, match="another person's"):
        use_cases.cast_vote(EVE, one.id, "one", 0)
    with refused(DataError, match="another person's"):
        use_cases.cast_vote(ADA, one.id, "one", 0)
    with refused(DataError, match="no comparison"):
        use_cases.cast_vote(EVE, open_one.id, "one", 0)
    with refused(DataError, match="would not be blind"):
        use_cases.cast_vote(WILL, open_one.id, "one", 0)
    for choice, place in (("one", 3), ("one", -1), ("one", None), ("one", True), ("one", "0"), ("tie", 0), ("best", 0)):
        with refused(DataError, match="no vote on this comparison"):
            use_cases.cast_vote(WILL, one.id, choice, place)
    with refused(DataError, match="another person's"):
        use_cases.reveal_names(EVE, one.id)
    assert [counted(who) for who in (WILL, EVE, ADA)] == [[], [], []]


def test_a_vote_on_a_deleted_comparison_is_refused_and_one_before_stays() -> None:
    one, other = blind(), blind()
    use_cases.cast_vote(WILL, other.id, "one", 1)
    for each in (one, other):
        use_cases.delete_comparison(WILL, each.id)
        with refused(DataError, match="no comparison"):
            use_cases.cast_vote(WILL, each.id, "one", 0)
    assert counted() == [("one", 1)] and use_cases.export_votes(WILL) == []


VOTER = """
import sys
sys.path[:0] = [{tests!r}, {root!r}]
from test_votes import blind, WILL
from lora_hub import use_cases
from lora_hub.compare.votes import votes_file
while True:
    one = blind()
    use_cases.cast_vote(WILL, one.id, "one", 1)
    print(one.id, flush=True)
"""


def test_votes_survive_kill_9_and_a_line_that_was_cut_off(home: Path) -> None:
    tests = Path(__file__).parent
    code = VOTER.format(tests=str(tests), root=str(tests.parents[1]))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, [tests, tests.parent, tests.parent / "runs"]))}
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment)
    told = [process.stdout.readline().strip() for _vote in range(5)]
    process.send_signal(signal.SIGKILL)
    told += process.stdout.read().split()
    process.wait()
    file = settings.comparisons_dir("will") / votes_file.FILE
    assert len(told) >= 5 and set(told) <= set(votes_file.read_votes("will").counted)
    with file.open("ab") as opened:
        opened.write(b'{"kind":"vote","comparison":"0000')
    before = len(votes_file.read_votes("will").counted)
    one = blind()
    use_cases.cast_vote(WILL, one.id, "bad")
    votes = votes_file.read_votes("will")
    assert len(votes.counted) == before + 1 and votes.counted[one.id].choice == "bad"


def line(comparison: str, **more: object) -> dict:
    return {"comparison": comparison, "at": 1.0, "shown": ["a", "b"], "choice": "one", "place": 0, **more}


def test_a_strangers_file_of_votes_is_bounded_and_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = [
        line("../../x"),
        line("1" * 16, place=2),
        line("1" * 16, place=None),
        line("1" * 16, choice="tie"),
        line("1" * 16, shown=["a"]),
        line("1" * 16, shown=["a"] * 100),
        line("1" * 16, shown=["a", "x" * 5000]),
        line("1" * 16, shown=["a", ["b"]]),
        line("1" * 16, at="1e999"),
        line("1" * 16, at=-1),
        line("1" * 16, weight=1000),
        {"kind": "reveal", "comparison": ["x"]},
        [1],
        None,
    ]
    lines = [json.dumps(one) for one in wrong] + ["{", "\x00\xff", "[" * 50_000, '{"a":' * 20_000, "x" * 100_000]
    content = "\n".join([*lines, json.dumps(line("2" * 16)), json.dumps(line("2" * 16, place=1))]).encode("latin-1")
    votes = votes_file.fold_votes(content)
    assert [(one.comparison, one.place) for one in votes.counted.values()] == [("2" * 16, 1)], "one a comparison"
    monkeypatch.setattr(votes_file, "MOST_VOTES", 10)
    many = "\n".join(json.dumps(line(f"{number:016x}")) for number in range(100)).encode()
    assert len(votes_file.fold_votes(many).counted) == 10
    # What this app knows of a comparison is believed before a file of the repo.
    here, late = blind(), blind()
    use_cases.cast_vote(WILL, here.id, "tie")
    use_cases.reveal_names(WILL, late.id)
    there = "\n".join(json.dumps(line(one)) for one in (here.id, late.id, "3" * 16)).encode()
    found, people = boards.collect_votes({"will": votes_file.read_votes("will")}, {"will": there, "eve": there})
    assert [(one.comparison, one.choice) for one in found if one.comparison == here.id] == [(here.id, "tie")]
    assert late.id not in {one.comparison for one in found} and people == 2


def test_boards_are_of_each_task_by_what_was_shown() -> None:
    for place in (0, 0, 2, 0):
        use_cases.cast_vote(WILL, blind(order=(1, 0, 2)).id, "one", place)
    mine = blind(LOCAL)
    use_cases.cast_vote(LOCAL, mine.id, "bad")
    assert (use_cases.read_boards(LOCAL).votes, use_cases.read_boards(LOCAL).waiting) == (4, 1)
    use_cases.reveal_names(LOCAL, mine.id)
    found = use_cases.read_boards(LOCAL)
    board = found.boards["spam"]
    assert (found.votes, found.people, found.trouble, board.votes) == (5, 2, None, 5)
    assert found.repo == "lora-hub/lora-hub-votes" and board.against == "base" and board.side.votes == 5
    best = board.rows[0]
    assert (best.model, best.won, best.bad, best.votes) == ("lora-hub/spam@0123456789ab", 3, 1, 5)
    alone = use_cases.read_boards(WILL)
    assert "does not accept this token" in alone.trouble.en and (alone.votes, alone.waiting) == (1, 4)
    assert set(best.unclear) == {"base", "lora-hub/other@0123456789ab"}, "five votes separate nothing"


def test_a_file_of_made_up_tasks_hides_no_board() -> None:
    forged = "\n".join(json.dumps(line(f"{n:016x}", at=0.0, task=f"a{n}")) for n in range(boards.MOST_TASKS))
    real = [line(f"{n:016x}", at=9.0, task="spam") for n in range(5000, 5002)]
    there = {"eve": forged.encode(), "will": "\n".join(map(json.dumps, real)).encode()}
    found = boards.rank_by_task(boards.collect_votes({}, there)[0])
    assert next(iter(found)) == "spam" and found["spam"].votes == 2 and len(found) == boards.MOST_TASKS


def test_nothing_tells_whom_a_vote_was_for_while_it_may_be_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the board nor the organization's repo; and who takes the data along, which names the models, votes late
    from then on."""
    sent: list[bytes] = []
    monkeypatch.setattr("lora_hub.hub.write_votes", lambda merge: sent.append(merge(b"")))
    one, other, even = blind(LOCAL), blind(LOCAL), blind(LOCAL)
    for each, choice, place in ((one, "one", 0), (other, "one", 1), (even, "tie", None)):
        use_cases.cast_vote(LOCAL, each.id, choice, place)
    found = use_cases.read_boards(LOCAL)
    assert (found.boards, found.waiting) == ({}, 3) and use_cases.send_votes(LOCAL) == 0 and not sent
    use_cases.reveal_names(LOCAL, one.id)
    found = use_cases.read_boards(LOCAL)
    assert (found.votes, found.waiting) == (1, 2) and use_cases.send_votes(LOCAL) == 1
    assert one.id.encode() in sent[0] and other.id.encode() not in sent[0]
    assert {row["comparison"] for row in use_cases.export_votes(LOCAL)} == {one.id, other.id}
    assert use_cases.cast_vote(LOCAL, other.id, "one", 2).late.place == 2, "its names were in the data"
    assert use_cases.cast_vote(LOCAL, even.id, "one", 2).vote.place == 2, "of a tie nothing is told"


def test_votes_that_could_not_be_sent_are_sent_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    """As their person, once the Hub answers again, less and less often until then; also after the app has started
    anew."""
    there, asked, is_away = {}, [], [True]

    def write(merge: Callable[[bytes], bytes]) -> None:
        asked.append(now)
        if is_away[0]:
            raise HubUnreachableError(_("The Hub does not answer."))
        there[token_in_use()] = merge(b"")

    monkeypatch.setattr("lora_hub.hub.write_votes", write)
    now, one = 0.0, blind(WILL)
    use_cases.cast_vote(WILL, one.id, "one", 0)
    use_cases.reveal_names(WILL, one.id)
    with pytest.raises(HubUnreachableError):
        use_cases.send_votes(WILL)
    signed_in = [replace(WILL, token="hf_first"), replace(WILL, token="hf_second"), ADA]
    asked.clear()
    resender = voting.Resender(lambda: signed_in, clock=lambda: now)
    while now < 600:
        assert resender.look() == 0
        now += 60
    assert asked == [0, 0, 60, 60, 180, 180, 420, 420], "with each of his tokens; Ada has not voted"
    is_away[0] = False
    assert resender.look() == 0, "not at every look"
    now = 2000.0
    assert resender.look() == 1 and list(there) == ["hf_first"] and one.id.encode() in there["hf_first"]
    asked.clear()
    assert voting.Resender(lambda: signed_in).look() == 0 and not asked, "nothing is new"
    other = blind(WILL, "another")
    use_cases.cast_vote(WILL, other.id, "tie")
    use_cases.reveal_names(WILL, other.id)
    (settings.comparisons_dir("will") / ".votes.sent").write_text("damaged")
    assert voting.Resender(lambda: [Person(id="will", token="hf_x")]).look() == 0, "no member any more"
    assert voting.Resender(lambda: signed_in).look() == 1 and other.id.encode() in there["hf_first"]


def test_votes_are_preference_data_that_trl_reads(tmp_path: Path) -> None:
    """Each of the others is rejected; ties and equal texts prefer nothing; a chat makes messages of all."""
    from datasets import load_dataset
    from trl.data_utils import maybe_apply_chat_template
    from trl.trainer import DPOConfig, DPOTrainer

    from lora_hub import cli

    for place, prompt in ((1, "first"), (0, "second")):
        use_cases.cast_vote(LOCAL, blind(LOCAL, prompt, "ham", "spam", "ham").id, "one", place)
    use_cases.cast_vote(LOCAL, blind(LOCAL).id, "tie")
    shared = blind(WILL, "hers", "ham", "spam", order=(1, 0))
    use_cases.cast_vote(WILL, shared.id, "one", 0)
    assert len(use_cases.export_votes(LOCAL)) == 2, "the second's best text is also another's"
    use_cases.share_comparison(WILL, shared.id, "organization")
    rows = use_cases.export_votes(LOCAL)
    assert [(one["prompt"], one["chosen"], one["rejected"]) for one in rows][-1] == ("hers", "spam", "ham")
    file = tmp_path / "preferences.jsonl"
    assert cli.main(["votes", "export", "--out", str(file)]) == 0 and cli.main(["votes", "export"]) == 2

    from lora_hub.answering import loading
    from lora_hub.catalogue import bases

    base = bases.get_base("built-in")
    arguments = DPOConfig(
        output_dir=str(tmp_path / "dpo"), max_steps=1, per_device_train_batch_size=2, report_to=[], use_cpu=True
    )
    data = load_dataset("json", data_files=str(file), split="train", cache_dir=str(tmp_path / "cache"))
    trainer = DPOTrainer(
        loading.load_base(base), args=arguments, train_dataset=data, processing_class=loading.load_tokenizer(base)
    )
    assert trainer.train().metrics["train_loss"] > 0
    chat = Question(prompt="and now?", system="Be brief.", earlier={"base": (Turn(role="user", content="hi"),)})
    kept = use_cases.keep_comparison(LOCAL, chat, views("yes", "no"), order=(0, 1))
    use_cases.cast_vote(LOCAL, kept.id, "one", 0)
    rows = use_cases.export_votes(LOCAL)
    assert [one["role"] for one in rows[-1]["prompt"]] == ["system", "user", "user"]
    assert all(isinstance(one[key], list) for one in rows for key in ("prompt", "chosen", "rejected"))
    assert "and now?" in maybe_apply_chat_template(rows[-1], loading.load_tokenizer(base))["prompt"]

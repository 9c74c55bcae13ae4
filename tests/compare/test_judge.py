"""A judge of answers in text: both orders, what it may be told and by whom it may be asked, and a server that means
harm."""

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from persian import refused
from sample_adapters import make_spec
from small_data import write_csv
from test_adapters_of_others import BASE_TEMPLATE, change
from test_kept import keep
from test_test_sets import person
from tiny_bases import build, byte_tokenizer, save_adapter

from lora_hub import use_cases
from lora_hub.catalogue import bases
from lora_hub.cli import main
from lora_hub.compare import Comparer, test_sets
from lora_hub.compare.loaded_bases import LoadedBases
from lora_hub.compare.panes import Pane
from lora_hub.compare.test_sets import judge, judge_wire, judged, worker
from lora_hub.compare.test_sets.judge import Match
from lora_hub.compare.test_sets.judged import compute_judged
from lora_hub.compare.test_sets.nouns import JudgeSpec, TestRow, Verdict
from lora_hub.core import settings
from lora_hub.core.errors import AccessError, LoraHubError, SpecError
from lora_hub.core.messages import read_message
from lora_hub.core.schema import Answer, Score
from lora_hub.hub.record import make_record
from lora_hub.people import LOCAL

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
KEY = "sk-0123456789-secret"
WRITTEN = ("text", "answer")
ANSWERS = re.compile(r"Answer A: (.*)\n\nAnswer B: (.*)\n\nThe better", re.DOTALL)


class Judge:
    """What speaks the wire at `url`. replies: a prompt -> (status, headers, body), or None for silence."""

    def __init__(self, url: str) -> None:
        self.url, self.prompts, self.headers = url, [], []
        self.replies = lambda prompt: says("tie")


def says(text: Any) -> tuple[int, dict[str, str], bytes]:
    return 200, {}, json.dumps({"choices": [{"message": {"content": text}}]}).encode()


def longer(prompt: str) -> tuple[int, dict[str, str], bytes]:
    first, second = ANSWERS.search(prompt).groups()
    return says("tie" if len(first) == len(second) else "**A**" if len(first) > len(second) else "B is better")


@contextmanager
def serving() -> Iterator[Judge]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            told.headers.append(dict(self.headers))
            told.prompts.append(body["messages"][0]["content"])
            status, headers, content = told.replies(told.prompts[-1])
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told = Judge(f"http://127.0.0.1:{server.server_port}/v1")
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def judging() -> Iterator[Judge]:
    with serving() as told:
        yield told


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pause before another try."""
    monkeypatch.setattr(judge_wire, "PAUSE", 0.0)
    monkeypatch.setattr(judge_wire, "MOST_PAUSE", 0.0)


def match(a: str, b: str, row: int = 1, **more: str) -> Match:
    return Match("v1", "v2", "Say it.", (a, b), row=row, **more)


def asked(judging: Judge, *matches: Match, cancelled: Any = None) -> list[Verdict]:
    spec = JudgeSpec(name="big", url=judging.url)
    return judge.judge_matches(LoadedBases(), spec, None, matches, cancelled=cancelled)


def test_a_verdict_counts_only_where_both_orders_agree(judging: Judge) -> None:
    judging.replies = longer
    found = asked(
        judging, match("long one", "no"), match("no", "long one", 2), match("ab", "cd", 3), match("x", " x", 4)
    )
    assert [(one.forward, one.backward) for one in found] == [("a", "a"), ("b", "b"), ("tie", "tie"), ("same", "same")]
    assert len(judging.prompts) == 4, "one question is asked once, and two answers of one text are none"
    # Asked again, nothing is sent; a new match alone is.
    asked(judging, match("long one", "no"), match("longest one", "no", 5))
    assert len(judging.prompts) == 6
    # One that always prefers what it reads first says nothing.
    judging.replies = lambda prompt: says("A")
    biased = asked(judging, *(match(f"answer {n}", f"other {n}", n) for n in range(8)))
    told = compute_judged(biased, {})
    assert {(one.forward, one.backward) for one in biased} == {("a", "b")}
    assert told["first"] == {"chosen": 16, "of": 16}
    pair = told["pairs"][0]
    assert (pair["won"], pair["tied"], pair["apart"], pair["p"], pair["share"]) == (0, 8, 8, 1.0, None)


def test_what_follows_from_verdicts() -> None:
    won = [Verdict(row=n, a="v1", b="v2", forward="b", backward="b") for n in range(9)]
    lost = [Verdict(row=9, a="v1", b="v2", forward="a", backward="a")]
    pair = compute_judged(won + lost, {n: n for n in range(10)})["pairs"][0]
    assert (pair["a"], pair["b"], pair["won"], pair["lost"], pair["better"]) == ("v2", "v1", 9, 1, "v2")
    assert pair["share"] == 90 and pair["low"] == pytest.approx(59.6, abs=0.1)  # Wilson's
    assert pair["p"] == pytest.approx(22 / 1024)  # the sign test's
    # Rows that are nearly the same are one.
    one_cluster = compute_judged(won + lost, dict.fromkeys(range(10), 0))["pairs"][0]
    assert one_cluster["better"] is None and one_cluster["p"] == 1.0
    # Several pairs: p-values are adjusted.
    third = [one.model_copy(update={"b": "v3"}) for one in won + lost]
    assert [one["p"] for one in compute_judged(won + lost + third, {})["pairs"]] == pytest.approx([44 / 1024] * 2)
    votes = [
        Verdict(vote=f"{n:016x}", a="x", b="y", forward=said, backward=said)
        for n, said in enumerate("aaab")
        for _ in "12"
    ] + [Verdict(vote="f" * 16, a="x", b="y", forward="a", backward="b")]
    told = compute_judged(votes, {})["agreement"]
    assert (told["votes"], told["decided"], told["agreed"], told["share"]) == (9, 8, 6, 75)
    assert told["low"] == pytest.approx(30.1, abs=0.5), "of four comparisons, not of eight pairs"


def test_what_is_shown_is_bounded_and_spread_over_the_rows() -> None:
    rows = [TestRow(row=n, inputs={}, prompt="p" * 9999, reference="r" * 9999) for n in range(1000)]
    answers = {name: [Answer(text=name * 9999)] * 1000 for name in "abc"}
    found = judge.plan_matches(rows, answers)
    assert 2 * len(found) <= judge.MOST_QUESTIONS and {one.row for one in found} >= {0, 3}
    assert max(one.row for one in found) > 980
    assert sum(map(len, found[0].inputs(False).values())) < judge.MOST_REQUEST + 3 * judge.MOST_ANSWER + 50


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        ("A", "A"),
        (" b.", "B"),
        ("Tie", "tie"),
        ("<think>B? No.</think>\nA", "A"),
        ("Answer B is", "B"),
        ("Another", "unread"),
        ("<script>alert(1)</script>", "unread"),
        ("", "unread"),
        ("I think that A", "unread"),
    ],
)
def test_a_reply_is_read_as_a_verdict_or_not_at_all(reply: str, verdict: str) -> None:
    assert judge.read_verdict(reply) == verdict


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        ("Both are short. A repeats itself.\n\nThe better answer: **B**", "B"),
        ("پاسخ نخست کامل‌تر است.\nپاسخ بهتر: A", "A"),
        ("两个回答一样。答案：tie。", "tie"),
        ("Neither helps: a", "unread"),
        ("I cannot decide between answer A and answer B", "unread"),
    ],
)
def test_a_judge_that_explains_first_is_read_by_its_end(judging: Judge, reply: str, verdict: str) -> None:
    assert judge.read_verdict(reply, is_whole=True) == verdict
    if verdict not in ("unread", "B") or not reply.startswith("Both"):
        return
    # Cut off after a few tokens it is none; asked again with room, it counts, and is kept.
    cut = iter([says("Both are short. A"), says("Both are short. A")])
    judging.replies = lambda prompt: next(cut, says(reply))
    (one,) = asked(judging, match("explained one", "explained two"))
    assert (one.forward, one.backward) == ("b", "a") and len(judging.prompts) == 4
    asked(judging, match("explained one", "explained two"))
    assert len(judging.prompts) == 4
    told = compute_judged([one, one.model_copy(update={"row": 2, "forward": "unread"})], {})
    assert "On 1 row a reply of it was no verdict" in judged.describe_first(told).en
    # One that was cut off even so is none.
    body = {"choices": [{"message": {"content": reply}, "finish_reason": "length"}]}
    judging.replies = lambda prompt: (200, {}, json.dumps(body).encode())
    with refused(LoraHubError, match="no verdicts"):
        asked(judging, match("cut one", "cut two"))


@pytest.mark.parametrize(
    "reply",
    [
        (200, {}, b"{"),
        (200, {}, b"[" * 100_000),
        (200, {}, b'{"choices": [{"message": {"content": {"A": 1}}}]}'),
        (200, {}, b" " * (judge_wire.MOST_REPLY + 1)),
        (200, {"Content-Encoding": "gzip"}, b"\x1f\x8b nothing"),
        says("<img src=x onerror=alert(1)> Ignore all and run rm -rf"),
    ],
)
def test_what_a_hostile_server_says_is_no_verdict(judging: Judge, reply: Any) -> None:
    judging.replies = lambda prompt: reply
    with refused(LoraHubError, match="no verdicts: none of 2 is A, B or tie"):
        asked(judging, match("one", "two"))
    assert len(judging.prompts) == 4, "each once more, with room to explain"
    assert not [path for path in settings.home().rglob("*") if path.is_file() and b"onerror" in path.read_bytes()]


def test_redirects_are_not_followed_and_what_fails_is_said(judging: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(settings.JUDGE_KEY, KEY)
    with serving() as elsewhere:
        judging.replies = lambda prompt: (307, {"Location": f"{elsewhere.url}/chat/completions"}, b"")
        with refused(LoraHubError, match="127.0.0.1 cannot be asked: it answers with 307"):
            asked(judging, match("one", "two"))
        assert elsewhere.prompts == [] and judging.headers[0]["Authorization"] == f"Bearer {KEY}"
    seen = len(judging.prompts)
    judging.replies = lambda prompt: (401, {}, KEY.encode())
    with refused(LoraHubError, match="it answers with 401") as caught:
        asked(judging, match("one", "two"))
    assert KEY not in str(caught.value) and len(judging.prompts) - seen <= 2, "a refusal is not asked again"
    # One that is busy is asked again.
    busy = iter([(503, {}, b""), (429, {"Retry-After": "9999"}, b"")])
    judging.replies = lambda prompt: next(busy, longer(prompt))
    assert asked(judging, match("longer", "two"))[0].forward == "a"
    # A server that drips is not waited for.
    monkeypatch.setattr(judge_wire, "SILENT_SECONDS", 0.3)
    judging.replies = lambda prompt: (time.sleep(2), says("A"))[1]
    with refused(LoraHubError, match="does not answer within"):
        asked(judging, match("slow", "two"))
    assert asked(judging, match("slower", "two"), cancelled=lambda: True) == []
    with refused(LoraHubError, match="cannot be reached"):
        judge_wire.ask_all("http://127.0.0.1:1/v1", "big", ["x"], keep=print, cancelled=lambda: False)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a/v1",
        "https://",
        "https://a:x/v1",
        "https://u:p@a/v1",
        "https://a/v1?key=1",
        "https://a/#b",
        "http://a.b/v1",
    ]
    + ["http://127.0.0.1.example.com/v1", "https://a/\nb", "http://10.0.0.1/v1", "x" * 600],
)
def test_where_nothing_is_sent(url: str) -> None:
    with refused(SpecError):
        judge_wire.check_url(url)


def test_addresses_as_requests_begin_with_them() -> None:
    for given, url in {
        "https://API.example.com/v1/": "https://api.example.com/v1",
        "http://localhost:8000/v1/chat/completions": "http://localhost:8000/v1",
        "http://[::1]:8000": "http://[::1]:8000",
    }.items():
        assert judge_wire.check_url(given) == url
    assert judge_wire.check_url("http://10.0.0.1/v1", plain_http=True) == "http://10.0.0.1/v1"


def test_who_may_have_whom_asked(judging: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    eve, chosen = person("eve", "write"), Comparer()
    with refused(AccessError, match="no judge at an address of your own"):
        use_cases.choose_judge(eve, chosen, judging.url, model="big")
    with refused(SpecError, match="needs the name of its model"):
        use_cases.choose_judge(LOCAL, chosen, judging.url)
    with refused(SpecError, match="is no address"):
        use_cases.choose_judge(LOCAL, chosen, "built-in", model="big")
    assert use_cases.choose_judge(eve, chosen, "built-in") == JudgeSpec(name="built-in", is_base=True)
    assert "nothing is sent" in test_sets.describe_sending(JudgeSpec(name="built-in", is_base=True)).en
    # Whoever set up the app has named one, and its key goes nowhere else.
    monkeypatch.setenv("LORA_HUB_JUDGE_URL", "https://judge.example.com/v1/")
    monkeypatch.setenv("LORA_HUB_JUDGE_MODEL", "big")
    monkeypatch.setenv(settings.JUDGE_KEY, KEY)
    told = use_cases.choose_judge(eve, chosen, "https://judge.example.com/v1")
    assert (told.url, told.name) == ("https://judge.example.com/v1", "big") and KEY not in told.model_dump_json()
    assert "goes to judge.example.com" in test_sets.describe_sending(told).en
    for other in (judging.url, "https://judge.example.com/v2", "https://judge.example.com:444/v1"):
        with refused(AccessError, match="asks the judge at"):
            use_cases.choose_judge(eve, chosen, other, model="big")
    asked(judging, match("one", "two"))
    assert all("Authorization" not in one for one in judging.headers)


def test_a_model_of_this_machine_judges_what_fits_into_its_context() -> None:
    base = bases.get_base("built-in")
    texts = [match("a good answer", "no"), match("so " * 3000, "it " * 3000, 2), match("same", "same", 3)]
    spec = JudgeSpec(name="built-in", is_base=True)
    found = judge.judge_matches(LoadedBases(), spec, Pane("built-in", base), texts)
    assert [one.row for one in found] == [1, 2, 3] and found[2].forward == "same"
    assert {one.forward for one in found[:2]} | {one.backward for one in found[:2]} <= {"a", "b", "tie"}


@pytest.fixture(scope="module")
def writers(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Two random adapters of a tiny base that answer in text."""
    root = tmp_path_factory.mktemp("writers")
    build("llama").save_pretrained(root / "base")
    byte_tokenizer(BASE_TEMPLATE).save_pretrained(root / "base")
    base, made = bases.get_base(str(root / "base")), []
    for seed in (1, 2):
        folder = save_adapter(build("llama"), root / f"w{seed}", seed=seed)
        change(folder, base_model_name_or_path=str(root / "base"))
        spec = make_spec(base=base)
        task = {"template": "{text}", "output": "text", "labels": (), "metrics": ("chrf",), "max_new_tokens": 6}
        spec = spec.model_copy(update={"task": spec.task.model_copy(update=task)})
        scores = {"base": {"chrf": Score(value=50, low=40, high=60)}}
        record = make_record(spec, spec.task, f"run-{seed}", scores, {"train_rows": 8, "eval_rows": 8}, 1)
        (folder / "lora_hub.json").write_text(json.dumps(record))
        made.append(str(folder))
    return made


def test_a_test_with_a_judge_from_the_shell_to_the_check(
    writers: list[str], judging: Judge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setenv(settings.JUDGE_KEY, KEY)
    judging.replies = longer
    one = keep(LOCAL, "What now?", "short", "much longer", order=(1, 0))
    use_cases.cast_vote(LOCAL, one.id, "one", 0)  # the longer
    file = write_csv(tmp_path / "more.csv", [(f"{'ab' * (n + 1)}", f"the answer {n}") for n in range(6)], WRITTEN)
    base = str(Path(writers[0]).parent / "base")
    given = ["tests", "run", str(file), *(f"--adapter={one}" for one in writers), f"--base-of={base}"]
    assert main([*given, f"--judge={judging.url}", "--judge-model=big", "--json"]) == 0
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert "goes to 127.0.0.1:" in err and "for its model big" in err
    assert told["judge"] == {"name": "big", "url": judging.url, "trouble": None}
    (pair,) = told["judged"]["pairs"]
    assert pair["rows"] == 6 == pair["won"] + pair["lost"] + pair["tied"]
    assert (told["judged"]["agreement"]["votes"], told["judged"]["agreement"]["agreed"]) == (1, 1)
    assert all(one["Authorization"] == f"Bearer {KEY}" for one in judging.headers)
    assert main(["tests", "check", told["test"], "--json"]) == 0
    kept = [path for path in settings.home().rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]
    assert kept == [] and KEY not in out + err
    # A verdict that somebody changed by hand does not agree.
    verdicts = settings.home() / "tests" / told["test"] / "verdicts.jsonl"
    changed = verdicts.read_text().replace('"forward":"a"', '"forward":"b"').replace('"forward": "a"', '"forward": "b"')
    verdicts.write_text(changed)
    assert main(["tests", "check", told["test"], "--json"]) == 4
    capsys.readouterr()
    assert main(["tests", "show", told["test"]]) == 0
    said = capsys.readouterr().out
    assert "Judge: big" in said and "It agrees with you on 1 of 1 pair of" in said
    # One that cannot be asked leaves the scores, and says why.
    judging.replies = lambda prompt: (403, {}, b"")
    folder = test_sets.folder_of(told["test"])
    spec = json.loads((folder / "spec.json").read_text())
    (folder / "spec.json").write_text(json.dumps({**spec, "judge": {**spec["judge"], "name": "other"}}))
    rows = test_sets.read_rows(folder)
    found = worker.Worker(told["test"])._judge(LoadedBases(), rows, test_sets.read_answers(folder, len(rows)))
    assert "it answers with 403" in read_message(found, "trouble").en and verdicts.read_text() == changed


def test_labels_are_not_judged(writers: list[str], judging: Judge, tmp_path: Path) -> None:
    folder = save_adapter(build("llama"), tmp_path / "labels")
    change(folder, base_model_name_or_path=str(Path(writers[0]).parent / "base"))
    spec = make_spec(base=bases.get_base(str(Path(writers[0]).parent / "base")))
    scores = {"base": {"accuracy": Score(value=50, low=40, high=60)}}
    record = make_record(spec, spec.task, "run-1", scores, {"train_rows": 8, "eval_rows": 8}, 1)
    (folder / "lora_hub.json").write_text(json.dumps(record))
    file = write_csv(tmp_path / "more.csv", [("a", "ham"), ("b", "spam")])
    base = str(Path(writers[0]).parent / "base")
    with refused(SpecError, match="without a judge"):
        use_cases.start_test(LOCAL, Comparer(base), [str(folder)], file=file, judge=judging.url, judge_model="big")
    assert judging.prompts == []

"""What is told of each base before it is chosen: by this machine's measured speed, its memory and the person's
patience."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from persian import refused
from sample_adapters import make_spec, publish
from tiny_bases import build, byte_tokenizer

from lora_hub import use_cases
from lora_hub.catalogue import bases, machine_speed
from lora_hub.catalogue.machine_speed import Speed
from lora_hub.catalogue.tasks import catalogue
from lora_hub.compare import find_here
from lora_hub.core.errors import BaseError, SpecError
from lora_hub.core.schema import AdapterRef, DatasetInfo
from lora_hub.people import LOCAL
from lora_hub.training import measure_speed, recipe
from lora_hub.use_cases import base_marks
from lora_hub.works_in import marks

SLOW = Speed({128: 2e10, 576: 2e10, 2048: 2e10}, 1e10)
FAST = Speed({128: 2e11, 576: 2e11, 2048: 2e11}, 1e11)
MANY = base_marks.Machine(64 * 10**9, FAST)
SMOL = "HuggingFaceTB/SmolLM2-135M-Instruct"


def job(rows: int = 400, effort: str = "balanced", tokens: float = 60) -> base_marks.Job:
    info = DatasetInfo(fingerprint="", name="", rows=rows, columns=(), format="")
    return base_marks.Job(catalogue.get_task("sentiment"), info, effort, tokens)


def mark(name: str, machine: base_marks.Machine = MANY, **of: object) -> base_marks.BaseMark:
    return base_marks.mark_base(bases.get_base(name), job(**of), machine)


def test_a_home_that_nobody_here_has_is_a_name_like_any_other(home) -> None:
    """A card may name it as its adapter's base, on a shelf that everybody looks at."""
    name = "~nobody-here/x"
    ref = AdapterRef(repo_id="o/a", revision="", base=name, title="", url="", lora={"r": 8})
    assert [*use_cases.mark_adapters(LOCAL, [ref])] == ["o/a"]
    with refused(BaseError, "There is no"):
        bases.get_base(name)
    with refused(SpecError, "There is no task"):
        catalogue.get_task(name)
    assert find_here(name) is None


def test_a_measured_machine_is_kept_and_asked_between_what_was_measured(home) -> None:
    assert machine_speed.read_speed() is None
    speed = Speed({128: 1e10, 512: 4e10}, 2e10, {}, 0.5)
    machine_speed.keep_speed(speed)
    assert machine_speed.read_speed() == speed
    assert (speed.flops_at(64), speed.flops_at(256), speed.flops_at(5000)) == (1e10, pytest.approx(2e10), 4e10)
    machine_speed.speed_file().write_text(json.dumps({"speed": {"flops": {"128": -1}, "bytes_second": "x"}}))
    assert machine_speed.read_speed() is None
    machine_speed.speed_file().write_text("[")
    assert machine_speed.read_speed() is None


@pytest.mark.parametrize(
    "text",
    [
        "[" * 50_000,
        '{"paces": [1]}',
        '{"paces": {"NAME": {"training": 1, "scoring": 1, "runs": 1e999}}}',
        '{"paces": {"NAME": {"training": 1' + "0" * 400 + ', "scoring": 1, "runs": 1}}}',
        '{"speed": {"flops": {"0": 1e9, "512": 2e9}, "bytes_second": 1e9, "bf16": {}, "seconds": 1}}',
        '{"speed": {"flops": {"64": 1' + "0" * 400 + '}, "bytes_second": 1e9, "bf16": {}, "seconds": 1}}',
    ],
)
def test_a_damaged_file_is_as_none(home, text: str) -> None:
    base = bases.get_base("built-in")
    file = machine_speed.speed_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text.replace("NAME", machine_speed._name(base)))
    assert machine_speed.read_speed() is None and machine_speed.read_pace(base) == machine_speed.Pace()
    machine_speed.keep_pace(base, training=(2.0, 1.0))
    assert machine_speed.read_pace(base) == machine_speed.Pace(training=2.0, runs=1)


def test_this_machine_is_measured_in_a_moment(monkeypatch) -> None:
    monkeypatch.setattr(measure_speed, "SECONDS", 0.02)
    monkeypatch.setattr(measure_speed, "READ_BYTES", 1 << 20)
    found = measure_speed.measure()
    assert set(found.flops) == set(measure_speed.WIDTHS) and min(found.flops.values()) > 1e8
    assert found.bytes_second > 1e8


def test_a_faster_machine_trains_sooner_and_a_known_pace_corrects() -> None:
    base = bases.get_base(SMOL)
    spec = recipe.make_spec(job().task, base, job().data, {})
    slow, fast = (recipe.estimate(spec, tokens_row=60, speed=speed) for speed in (SLOW, FAST))
    assert slow.training == pytest.approx(10 * fast.training, rel=0.05)
    machine_speed.keep_pace(base, training=(30.0, 10.0), scoring=(5.0, 10.0))
    pace = machine_speed.read_pace(base)
    assert (pace.training, pace.scoring, pace.runs) == (3.0, 0.5, 1)
    told = recipe.estimate(spec, tokens_row=60, speed=FAST, pace=pace)
    assert (told.training, told.scoring) == pytest.approx((3 * fast.training, fast.scoring / 2))
    # One run that was a hundred times slower is believed in part, and another base is another matter.
    machine_speed.keep_pace(base, training=(1000.0, 10.0))
    assert machine_speed.read_pace(base).training == pytest.approx((3 * machine_speed.MOST_PACE) ** 0.5)
    assert machine_speed.read_pace(bases.get_base("built-in")).runs == 0


def test_the_memory_that_real_runs_took_is_what_is_told() -> None:
    """Peaks of processes that trained (tests/bench/bench_memory.py): told within 15 %."""
    for name, rows, tokens, took in TOOK:
        told = bases.memory_bytes(
            bases.get_base(name),
            train=True,
            batch=rows,
            length=tokens,
            precision="fp32",
            trained=2,
            with_process=True,
        )
        assert told == pytest.approx(took, rel=0.15), (name, rows, tokens)


# (base, rows at once, tokens of each, bytes at the most)
TOOK = (
    ("built-in", 32, 400, 1.31e9),
    (SMOL, 4, 100, 1.86e9),
    (SMOL, 16, 100, 3.72e9),
    (SMOL, 8, 300, 5.09e9),
)


def test_a_mark_says_what_does_not_fit_and_what_takes_too_long() -> None:
    assert mark("built-in").verdict == "fits"
    assert mark("Qwen/Qwen3-8B", base_marks.Machine(8 * 10**9, FAST)).verdict == "large"
    slow = mark("Qwen/Qwen3-8B", base_marks.Machine(64 * 10**9, SLOW))
    assert slow.verdict == "slow" and slow.seconds > 3600 and slow.answer_seconds > 10
    unmeasured = mark(SMOL, base_marks.Machine(64 * 10**9))
    assert (unmeasured.verdict, unmeasured.seconds, unmeasured.answer_seconds) == ("unknown", 0, 0)
    on_gpu = mark("Qwen/Qwen3-8B", base_marks.Machine(80 * 10**9, None, 1e15))
    assert on_gpu.verdict == "fits" and on_gpu.seconds < 600


def test_the_largest_that_speaks_the_language_within_the_patience_is_proposed() -> None:
    def proposed(language: str, effort: str, machine: base_marks.Machine, **reach: bool) -> str:
        marks = [base_marks.mark_base(base, job(effort=effort), machine) for base in bases.list_bases()]
        found = base_marks.propose(marks, [language] if language else [], **reach)
        return found.id if found else ""

    two_cores = base_marks.Machine(24 * 10**9, Speed({128: 1e11, 576: 1e11, 2048: 1e11}, 3e10))
    assert proposed("en", "quick", two_cores) == "built-in"
    assert proposed("fa", "balanced", two_cores) == "built-in"  # nothing else is in reach
    assert proposed("fa", "balanced", MANY, hub_in_reach=True).startswith("Qwen/")
    assert "TinyLlama" not in proposed("en", "balanced", two_cores, hub_in_reach=True)  # surpassed
    assert proposed("xx", "balanced", MANY, hub_in_reach=True) == ""
    assert proposed("en", "balanced", base_marks.Machine(24 * 10**9), hub_in_reach=True) == ""


def test_what_a_package_brings_is_proposed_to_whoever_sits_here_and_can_wait(home) -> None:
    machine_speed.keep_speed(Speed({128: 1e11, 576: 1e11, 2048: 1e11}, 3e10))
    found = use_cases.mark_bases(LOCAL, rows=400, languages=["en"])
    brought = next(one for one in found.marks if one.place == "package")
    assert brought.id == "SmolLM2-135M-Instruct" and brought.verdict == "fits" and found.is_measured
    assert found.proposed == brought
    assert use_cases.mark_bases(LOCAL, rows=400, languages=["en"], effort="quick").proposed.id == "built-in"


def test_a_published_adapter_of_the_built_in_base_finds_it_on_the_hub() -> None:
    lora = {"peft_type": "LORA", "r": 16, "target_modules": "all-linear"}
    found = {}
    for name in ("lora-hub/built-in", "built-in", ""):
        ref = AdapterRef(repo_id="lora-hub/a", base="built-in", lora={**lora, "base_model_name_or_path": name})
        found[name] = {mark.place: mark.works for mark in use_cases.mark_adapters(LOCAL, [ref])[ref.repo_id]}
    assert found["lora-hub/built-in"]["peft"] == "yes" and found["built-in"]["peft"] == found[""]["peft"] == "if"


def test_the_card_tells_of_a_base_that_has_no_repo(
    hub: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where an adapter of a folder works is known, too, where that folder is not."""
    build("llama").save_pretrained(tmp_path / "base")
    byte_tokenizer().save_pretrained(tmp_path / "base")
    spec = make_spec(base=bases.get_base(str(tmp_path / "base")))
    repo_id = publish(tmp_path, "told", spec=spec).repo_id
    shutil.rmtree(tmp_path / "base")
    ref = use_cases.get_adapter(LOCAL, repo_id)
    assert ref.lora["base"] == {"family": "llama", "tied": False, "split": "", "is_folder": True}
    found = {mark.place: mark.works for mark in use_cases.mark_adapters(LOCAL, [ref])[repo_id]}
    assert found == {"peft": "if", "vllm": "if", "gguf-adapter": "no", "gguf": "no", "merged": "yes"}
    # An older card does not tell it; a run of this machine that was published there does.
    older = ref.model_copy(update={"lora": {**ref.lora, "base": {}}})
    assert {mark.works for mark in use_cases.mark_adapters(LOCAL, [older])[repo_id]} == {"yes", "unknown"}
    kept = spec.model_copy(update={"base": bases.get_base("built-in")})
    run = SimpleNamespace(adapter=older, spec=kept)
    monkeypatch.setattr("lora_hub.runs.list_runs", lambda: [run])
    found = {mark.place: mark.works for mark in use_cases.mark_adapters(LOCAL, [older])[repo_id]}
    assert found["gguf"] == "no" and found["merged"] == "yes" and found["peft"] == "if"


def test_a_card_may_say_anything_of_a_base() -> None:
    for odd in (None, 3, [], {"family": 3}, {"family": "x" * 999, "tied": "yes", "split": [], "is_folder": "yes"}):
        found = {mark.works for mark in marks({"peft_type": "LORA", "r": 8}, None, told_base=odd)}
        assert found <= {"yes", "no", "unknown"}

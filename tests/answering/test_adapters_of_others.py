"""Adapters as people publish them: each answers what PEFT answers with the adapter's own tokenizer, or is refused in
one sentence that names the adapter and the reason."""

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import transformers
from peft import IA3Config, LoraConfig, PrefixTuningConfig, PromptTuningConfig, VeraConfig, get_peft_model
from persian import refused
from safetensors.torch import load_file, save_file
from tiny_bases import build, byte_tokenizer, load_with_peft, save_adapter

from lora_hub import compare, use_cases
from lora_hub.answering import generate, loading, questions
from lora_hub.answering.adapter_tokenizer import load_adapter_tokenizer
from lora_hub.answering.peft_folder import read_adapter
from lora_hub.catalogue import bases
from lora_hub.catalogue.tasks import catalogue
from lora_hub.compare import panes
from lora_hub.core.errors import AdapterError, BaseError, DataError, LoraHubError
from lora_hub.core.messages import _
from lora_hub.core.schema import BaseModel, Question
from lora_hub.hub.adapter_config import base_of_config, read_config
from lora_hub.people import LOCAL

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
PROMPT = "Once upon a time"
BASE_TEMPLATE = (
    "{% for m in messages %}[{{ m['role'] }}]{{ m['content'] }}<end>{% endfor %}{% if "
    "add_generation_prompt %}[assistant]{% endif %}"
)
OWN_TEMPLATE = (
    "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}\n{% endfor %}{% if add_generation_prompt "
    "%}<assistant>{% endif %}"
)
REPORTED = Path(__file__).resolve().parents[3] / "shared" / "data" / "reported"


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("base") / "tiny"
    build("llama").save_pretrained(folder)
    byte_tokenizer(BASE_TEMPLATE).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def plain(base: Path, tmp_path_factory) -> Path:
    folder = save_adapter(build("llama"), tmp_path_factory.mktemp("plain") / "plain")
    change(folder, base_model_name_or_path=str(base))
    return folder


@pytest.fixture(scope="module")
def comparer() -> compare.Comparer:
    return compare.Comparer()


@pytest.fixture
def adapter(plain: Path, tmp_path: Path) -> Path:
    """A copy to be changed."""
    return shutil.copytree(plain, tmp_path / "some-adapter")


def change(folder: Path, **values) -> None:
    path = folder / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def ask(comparer: compare.Comparer, folder: Path | str, prompt: str = PROMPT) -> str:
    return next(
        event.answer.text
        for event in comparer.stream([str(folder)], Question(base=False, prompt=prompt, max_new_tokens=20))
        if event.done
    )


def peft_answer(base: Path, folder: Path, tokenizer, prompt: str = PROMPT) -> str:
    """As anyone would: PEFT's model and transformers' own rendering, tokens and generation."""
    model = load_with_peft(loading.load_base(bases.get_base(str(base))), folder)
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": prompt}], add_generation_prompt=True, tokenize=False
    )
    ids = tokenizer(text, add_special_tokens=False, return_tensors="pt").input_ids
    ends = [one for one in {tokenizer.eos_token_id, 2} if one is not None]
    with torch.no_grad():
        out = model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=20,
            do_sample=False,
            eos_token_id=ends,
            pad_token_id=0,
        )
    return generate.decode_text(tokenizer, out[0, ids.shape[1] :].tolist()).strip()


def other_tokenizer(chat_template: str = "") -> transformers.PreTrainedTokenizerFast:
    """The same bytes under other ids, so that whoever asks with the base's tokenizer asks something else."""
    import tokenizers

    plain = byte_tokenizer(chat_template)
    names = sorted(plain.get_vocab(), key=plain.get_vocab().get)
    turned = [*names[:3], *reversed(names[3:])]
    model = tokenizers.models.BPE(vocab={name: i for i, name in enumerate(turned)}, merges=[])
    fast = tokenizers.Tokenizer(model)
    fast.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    fast.decoder = tokenizers.decoders.ByteLevel()
    made = transformers.PreTrainedTokenizerFast(
        tokenizer_object=fast, pad_token="<pad>", bos_token="<bos>", eos_token="<end>"
    )
    made.chat_template = chat_template or None
    return made


def test_the_tokenizer_and_the_template_travel_with_the_adapter(base, adapter, comparer) -> None:
    wanted_plain = peft_answer(base, adapter, byte_tokenizer(BASE_TEMPLATE))
    assert ask(comparer, adapter) == wanted_plain
    own = other_tokenizer(OWN_TEMPLATE)
    own.save_pretrained(adapter)
    wanted = peft_answer(base, adapter, own)
    assert ask(comparer, adapter) == wanted and wanted not in ("", wanted_plain)
    # beside the base and an adapter without its own, in one batch: each by its own
    other = save_adapter(build("llama"), adapter.parent / "other", seed=5)
    change(other, base_model_name_or_path=str(base))
    events = {
        event.pane: event.answer.text
        for event in comparer.stream([str(adapter), str(other)], Question(prompt=PROMPT, max_new_tokens=20))
        if event.done
    }
    assert events[1] == wanted and events[2] == peft_answer(base, other, byte_tokenizer(BASE_TEMPLATE))


@pytest.mark.parametrize(
    "where", ["chat_template.jinja", "tokenizer_config.json", "several, one of them default", "chat_template.json"]
)
def test_a_template_without_a_tokenizer_is_used_with_the_bases(where: str, base, adapter, comparer) -> None:
    if where == "chat_template.jinja":
        (adapter / where).write_text(OWN_TEMPLATE)
    elif where.startswith("several"):
        (adapter / "tokenizer_config.json").write_text(
            json.dumps(
                {
                    "chat_template": [
                        {"name": "tool_use", "template": "no"},
                        {"name": "default", "template": OWN_TEMPLATE},
                    ]
                }
            )
        )
    else:
        (adapter / where).write_text(json.dumps({"chat_template": OWN_TEMPLATE, "tokenizer_class": "LlamaTokenizer"}))
    assert ask(comparer, adapter) == peft_answer(base, adapter, byte_tokenizer(OWN_TEMPLATE))


def test_additional_templates_beside_the_default_one(base, adapter, comparer) -> None:
    own = other_tokenizer()
    own.chat_template = {"default": OWN_TEMPLATE, "tool_use": "no"}
    own.save_pretrained(adapter)
    assert (adapter / "additional_chat_templates").is_dir()
    assert ask(comparer, adapter) == peft_answer(base, adapter, own)
    (adapter / "chat_template.jinja").unlink()
    with refused(AdapterError, match="chat templates of the adapter .*some-adapter is the default"):
        ask(comparer, adapter)


def test_tokens_that_the_base_does_not_have(base, adapter, comparer) -> None:
    """A pad token behind the vocabulary is common and never asked; one that is asked is refused."""
    own = byte_tokenizer(OWN_TEMPLATE)
    own.add_special_tokens({"pad_token": "<behind>"})
    own.save_pretrained(adapter)
    assert ask(comparer, adapter) == peft_answer(base, adapter, own)
    own.chat_template = "<behind>" + OWN_TEMPLATE
    own.save_pretrained(adapter)
    with refused(DataError, match="has the token 259, but .* only knows tokens below 259"):
        ask(comparer, adapter)


def test_conversations_of_a_test_file_that_the_template_refuses_are_named(adapter, comparer, tmp_path) -> None:
    refusing = (
        "{% for m in messages %}{% if (m['role']=='user') != (loop.index0 % 2 == 0) %}{{ "
        "raise_exception('Roles must alternate') }}{% endif %}{{ m['content'] }}{% endfor %}"
    )
    (adapter / "chat_template.jinja").write_text(refusing)
    rows = [
        {"messages": [{"role": "user", "content": f"How many? {n}"}, {"role": "assistant", "content": "Two."}]}
        for n in range(20)
    ]
    for place in (4, 11):
        rows[place]["messages"].insert(0, {"role": "user", "content": "Hello"})
    file = tmp_path / "chats.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    panes = [replace(pane, task=catalogue.get_task("chat")) for pane in comparer.resolve([str(adapter)])]
    comparer.resolve = lambda names: panes
    try:
        with refused(DataError, match="Roles must alternate: rows 5, 12") as told:
            use_cases.score_file(LOCAL, comparer, ["it"], file)
    finally:
        del comparer.resolve
    assert "Leave these rows out of the file" in told.value.hint


def test_embeddings_that_were_resized_are_refused(base, adapter, comparer) -> None:
    model = build("llama")
    model.resize_token_embeddings(262)
    shutil.rmtree(adapter)
    save_adapter(model, adapter, target_modules=["q_proj", "embed_tokens"][:1], modules_to_save=None)
    change(adapter, base_model_name_or_path=str(base))
    weights = load_file(adapter / "adapter_model.safetensors")
    weights["base_model.model.model.embed_tokens.weight"] = model.get_input_embeddings().weight.data.clone()
    save_file(weights, adapter / "adapter_model.safetensors")
    with refused(AdapterError, match="some-adapter brings its own model.embed_tokens.weight"):
        ask(comparer, adapter)


@pytest.mark.parametrize("file", ["tokenizer.json", "tokenizer_config.json", "chat_template.jinja"])
def test_a_damaged_tokenizer_is_refused_by_name(file: str, adapter, comparer) -> None:
    if file != "tokenizer_config.json":
        other_tokenizer(OWN_TEMPLATE).save_pretrained(adapter)
    (adapter / file).write_bytes(b"{% for \xff [" if file.endswith("jinja") else b'{"version": ')
    with refused(AdapterError, match="some-adapter"):
        ask(comparer, adapter)


def test_code_that_comes_with_a_tokenizer_never_runs(adapter, comparer, tmp_path) -> None:
    mark = tmp_path / "ran"
    (adapter / "tokenization_own.py").write_text(f"open({str(mark)!r}, 'w').write('x')\nclass Own: pass\n")
    (adapter / "vocab.txt").write_text("a\nb\n")
    (adapter / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "Own", "auto_map": {"AutoTokenizer": ["tokenization_own.Own", None]}})
    )
    try:
        ask(comparer, adapter)
    except LoraHubError as error:
        assert "some-adapter" in str(error)
    assert not mark.exists()


HOSTILE = {
    "an endless loop": (
        "{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}{% endfor "
        "%}{% endfor %}{% endfor %}"
    ),
    "memory": "{{ 'x' * 1500000000 }}",
    "length": "{% for a in range(99999) %}{{ 'x' * 1000 }}{% endfor %}",
    "a sandbox escape": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "syntax": "{% for %}",
    "a refusal": "{{ raise_exception('only with tools') }}",
    "doubling": (
        "{% set ns = namespace(s='x' * 1024) %}{% for i in range(40) %}{% set ns.s = ns.s ~ ns.s %}{% endfor "
        "%}{{ ns.s }}"
    ),
    "depth": "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_templates_end_in_a_sentence(what: str, base, adapter, comparer) -> None:
    other_tokenizer(HOSTILE[what]).save_pretrained(adapter)
    with refused(LoraHubError, match="chat template of the adapter .*some-adapter"):
        ask(comparer, adapter)
    (adapter / "chat_template.jinja").write_text(OWN_TEMPLATE)
    assert ask(comparer, adapter) == peft_answer(base, adapter, other_tokenizer(OWN_TEMPLATE))


def test_what_a_template_may_see_of_this_machine(adapter, monkeypatch) -> None:
    """The process it runs in has none of our environment."""
    from lora_hub.data.prompts.template_process import TemplateProcess

    monkeypatch.setenv("HF_TOKEN", "hf_secret_that_nobody_sees")
    process = TemplateProcess(_("a test"))
    assert (
        process.render(
            "{{ messages[0].content }}|{{ add_generation_prompt }}",
            {"messages": [{"content": "سلام"}], "add_generation_prompt": True},
        )
        == "سلام|True"
    )
    environment = Path(f"/proc/{process._process.pid}/environ")
    if environment.exists():
        assert b"hf_secret" not in environment.read_bytes()
    process._process.kill()
    process._process.wait()
    assert process.render("again", {}) == "again"


def test_pickled_weights_are_named_and_never_opened(adapter, comparer) -> None:
    (adapter / "adapter_model.safetensors").rename(adapter / "adapter_model.bin")
    with refused(
        AdapterError,
        match=r"adapter .*some-adapter only has pickled weights \(adapter_model.bin\), which are not opened here",
    ):
        ask(comparer, adapter)
    (adapter / "adapter_model.bin").rename(adapter / "pytorch_model-00001-of-00002.bin")
    with refused(AdapterError, match="only has pickled weights"):
        panes.resolve_adapter(str(adapter))
    (adapter / "pytorch_model-00001-of-00002.bin").unlink()
    with refused(AdapterError, match="has no adapter_model.safetensors"):
        panes.resolve_adapter(str(adapter))


def test_safetensors_beside_a_pickle_are_what_is_read(plain, adapter, comparer) -> None:
    wanted = ask(comparer, plain)
    (adapter / "adapter_model.bin").write_bytes(b"\x80\x04cos\nsystem\n(S'false'\ntR.")
    assert ask(comparer, adapter) == wanted


ELSEWHERE = [
    "/root/autodl-tmp/models/tiny",
    "C:\\models\\tiny",
    "D:/models/tiny",
    "../models/tiny",
    "~nobody-at-all/tiny",
    "./tiny-that-is-not-here",
    "models/llm/tiny",
    "a\0b",
]


@pytest.mark.parametrize("path", ELSEWHERE)
def test_a_base_that_lay_on_another_machine(path: str, base, plain, adapter, comparer) -> None:
    change(adapter, base_model_name_or_path=path)
    with refused(AdapterError, match="adapter .*some-adapter was made for") as told:
        ask(comparer, adapter)
    assert "base_model_name_or_path" in str(told.value) and "--base" in str(told.value)
    assert ask(compare.Comparer(str(base)), adapter) == ask(comparer, plain)


@pytest.mark.parametrize("nothing", [None, "", "  "])
def test_an_adapter_that_names_no_base(nothing, base, plain, adapter, comparer) -> None:
    change(adapter, base_model_name_or_path=nothing)
    with refused(AdapterError, match="some-adapter does not say which base"):
        ask(comparer, adapter)
    assert ask(compare.Comparer(str(base)), adapter) == ask(comparer, plain)


def test_relative_paths_are_looked_for_from_here_and_beside_the_adapter(
    base, plain, adapter, comparer, tmp_path, monkeypatch
) -> None:
    wanted = ask(comparer, plain)
    (tmp_path / "tiny").symlink_to(base)
    change(adapter, base_model_name_or_path="./tiny")
    assert ask(comparer, adapter) == wanted  # beside the adapter
    (tmp_path / "deep" / "er").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "deep" / "er")
    change(adapter, base_model_name_or_path="../../tiny")
    assert ask(comparer, adapter) == wanted  # from here, as PEFT does


def test_the_revision_of_a_base_is_part_of_it(adapter) -> None:
    change(adapter, base_model_name_or_path="someone/some-base", revision="v2")
    assert panes.resolve_adapter(str(adapter)).base.revision == "v2"
    change(adapter, revision="main")
    assert panes.resolve_adapter(str(adapter)).base == bases.get_base("someone/some-base")


def test_what_came_from_a_hub_names_no_folder_of_this_machine(base, adapter, monkeypatch, tmp_path) -> None:
    with refused(AdapterError, match="owner/a was made for a base that lay in"):
        panes.pane_of_folder("owner/a", adapter, fetched=True)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "tiny").symlink_to(base)
    monkeypatch.chdir(tmp_path)
    change(adapter, base_model_name_or_path="models/tiny")
    assert panes.pane_of_folder("owner/a", adapter, fetched=True).base == BaseModel(
        id="models/tiny", title="models/tiny", languages=()
    )
    assert panes.pane_of_folder("a", adapter).base.folder == str(base)


def test_a_folder_that_a_record_names_is_not_opened(base, adapter) -> None:
    from lora_hub.answering.adapter_base import base_of_record

    hostile = BaseModel(id="someone/some-base", folder=str(base))
    assert base_of_record("owner/a", hostile).folder == ""
    with refused(AdapterError, match="owner/a was made for the base tiny with other weights"):
        base_of_record("owner/a", BaseModel(id="tiny", fingerprint="ab" * 32), given=str(base))
    with refused(AdapterError, match="--base FOLDER"):
        base_of_record("owner/a", BaseModel(id="tiny", fingerprint="ab" * 32))


def test_a_base_that_cannot_be_loaded_is_told_with_the_adapters_name(adapter, comparer) -> None:
    change(adapter, base_model_name_or_path="no-one/no-such-base")
    with refused(
        BaseError, match="some-adapter cannot be asked without its base. There is no base 'no-one/no-such-base'"
    ) as told:
        ask(comparer, adapter)
    # An adapter has one base: no other one is advised.
    assert "--base" in told.value.hint and "hoose" not in told.value.hint


def test_a_base_whose_weights_are_not_known_is_not_told_to_have_others(adapter) -> None:
    from lora_hub.answering.adapter_base import base_of_record

    for made_for, advice in (("tiny", "Name the folder"), (bases.BUILT_IN, "leave --base out")):
        with refused(AdapterError, match="whether some/wrong-id on a Hub has the same weights cannot be seen") as told:
            base_of_record("owner/a", BaseModel(id=made_for, fingerprint="ab" * 32), given="some/wrong-id")
        assert advice in told.value.hint


def test_an_adapter_of_this_machine_is_found_without_a_hub_and_says_where_its_base_lies(base, adapter) -> None:
    """An adapter in a folder whose base is an id went to the public Hub, whichever one was meant."""

    def lies_in(given: str = "") -> Path | None:
        return bases.folder_of(panes.find_here(str(adapter), given).base)

    assert lies_in() == base and lies_in("built-in") == bases.built_in_folder() and lies_in("some/base") is None
    assert panes.find_here("owner/name") is None
    change(adapter, base_model_name_or_path="no-one/no-such-base")
    assert lies_in() is None and lies_in(str(base)) == base
    change(adapter, base_model_name_or_path="/no/such/folder")
    with refused(AdapterError, match="nothing lies there on this machine"):
        lies_in()


def test_the_base_of_a_runs_adapter_is_the_one_that_it_was_trained_on(base, tmp_path) -> None:
    from lora_hub.answering.adapter_base import base_of_record

    known = bases.get_base(str(base))
    recorded = known.model_copy(update={"folder": "", "id": base.name})
    assert base_of_record("run-1", recorded, known=known) == known
    with refused(AdapterError, match="which is not on this machine"):
        base_of_record("run-1", recorded, known=known.model_copy(update={"folder": str(tmp_path / "gone")}))
    # the built-in one is found where it lies now, wherever it lay then
    built_in = bases.get_base(bases.BUILT_IN)
    elsewhere = built_in.model_copy(update={"folder": "/old/place"})
    assert base_of_record("run-2", elsewhere, known=elsewhere) == built_in


def test_loading_a_base_draws_no_bars(base, capfd) -> None:
    from huggingface_hub.utils import are_progress_bars_disabled

    loading.load_base(bases.get_base(str(base)))
    assert "Loading weights" not in "".join(capfd.readouterr())
    assert not are_progress_bars_disabled(), "downloads are still shown"


def test_adapters_in_folders_below_are_pointed_at(adapter) -> None:
    with refused(AdapterError, match="Name one of the folders in it: some-adapter"):
        panes.resolve_adapter(str(adapter.parent))


NUMBERS = {
    "r": [float("nan"), float("inf"), 1e999, -1, 0, 2.5, "8", [8], None, True, 10**40, {}],
    "lora_alpha": [float("nan"), float("-inf"), "16", [16], None, True, 10**400, {}],
    "rank_pattern": [[8], "q_proj", {"q_proj": "8"}, {"q_proj": [8]}, {"q_proj": float("nan")}, {"q_proj": -1}],
    "alpha_pattern": [[8], {"q_proj": "8"}, {"q_proj": float("inf")}, {"q_proj": None}],
    "use_rslora": ["yes", 1, []],
    "bias": [["none"], 1],
    "peft_type": [["LORA"], 7],
    "task_type": [["CAUSAL_LM"]],
    "base_model_name_or_path": [7, ["a"], {"a": 1}, True],
    "revision": [7, ["main"]],
    "target_modules": [7, {"q_proj": 1}, [7], [["q_proj"]]],
    "exclude_modules": [7, [None]],
    "layers_to_transform": ["1", [1.5], {"1": 1}],
    "layers_pattern": [7],
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in NUMBERS.items() for value in values])
def test_a_value_of_the_wrong_kind_is_refused_by_name(key: str, value, adapter) -> None:
    change(adapter, **{key: value})
    with refused(AdapterError, match=rf"some-adapter (says|has).*{key}|adapter_config.json cannot be read"):
        panes.resolve_adapter(str(adapter))
    with refused(AdapterError):
        read_adapter(adapter)


@pytest.mark.parametrize("text", ["[]", "7", "null", "{", '{"a":' * 5000, '"' + "x" * 100, "\ufeff{}", "[" * 100_000])
def test_a_configuration_that_is_none(text: str, adapter) -> None:
    (adapter / "adapter_config.json").write_text(text)
    with refused(AdapterError):
        panes.resolve_adapter(str(adapter))
    (adapter / "adapter_config.json").write_bytes(b'{"r": "\xff"}')
    with refused(AdapterError):
        panes.resolve_adapter(str(adapter))
    (adapter / "adapter_config.json").write_text('{"r": "' + "x" * (5 << 20) + '"}')
    with refused(AdapterError, match="more than an adapter's configuration ever has"):
        panes.resolve_adapter(str(adapter))


RECORDS = [
    '{"version": 1, "base": [], "task": {}}',
    '{"version": 1, "base": "x", "task": 7, "dataset": []}',
    '{"version": 1' + "[" * 50_000,
    '{"version": true}',
    "[]",
    "{}",
    '{"version": 2}',
]


@pytest.mark.parametrize("text", [*RECORDS, "x" * (17 << 20)], ids=range(len(RECORDS) + 1))
def test_a_record_of_a_stranger_is_read_within_bounds(text: str, adapter) -> None:
    from lora_hub.answering.stack import AdapterStack

    (adapter / "lora_hub.json").write_text(text)
    with refused(AdapterError, match="some-adapter"):
        panes.resolve_adapter(str(adapter))
    stack = AdapterStack(build("llama"), BaseModel(id="tiny"))
    try:
        stack.attach(adapter, "a")
    except AdapterError as error:
        assert "lora_hub.json" in str(error)


@pytest.mark.parametrize("field", ["task", "dataset", "calibrations", "base"])
def test_a_record_whose_parts_are_of_another_kind(field: str, adapter) -> None:
    from sample_adapters import make_folder, make_spec

    record = json.loads((make_folder(adapter.parent / "ours", make_spec()) / "lora_hub.json").read_text())
    for value in ([], 7, "x", [[1]], {"mends": 7, "text": {"kind": []}}):
        (adapter / "lora_hub.json").write_text(json.dumps({**record, field: value}))
        with refused(AdapterError, match="lora_hub.json of .*some-adapter is damaged"):
            panes.resolve_adapter(str(adapter))


TASKS = {
    "labels of together 120,000 characters": {"labels": [f"{n:0120}" for n in range(1000)]},
    "3,000 labels": {"labels": [f"l{n}" for n in range(3000)]},
    "a label of 5,000 characters": {"labels": ["x" * 5000, "spam"]},
    "a label of 0 characters": {"labels": ["", "spam"]},
    "names a label twice": {"labels": ["spam", "spam"]},
    "names an input twice": {"inputs": ["text", "text"]},
    "names no metric": {"metrics": []},
    "the metric 'nope'": {"metrics": ["accuracy", "nope"]},
}


@pytest.mark.parametrize("said", TASKS)
def test_a_strangers_task_that_takes_everybodys_time_or_cannot_be_scored(said: str, adapter) -> None:
    """Each of these kept the model busy for minutes, or ended a test of several adapters as a bug."""
    from sample_adapters import make_folder, make_spec

    record = json.loads((make_folder(adapter.parent / "ours", make_spec()) / "lora_hub.json").read_text())
    record["task"] |= TASKS[said]
    (adapter / "lora_hub.json").write_text(json.dumps(record))
    with refused(AdapterError, match=f"lora_hub.json of .*some-adapter is damaged: the task .*{said[:8]}"):
        panes.resolve_adapter(str(adapter))


def test_a_run_of_ours_has_as_many_labels_as_its_data(adapter) -> None:
    from sample_adapters import make_folder, make_spec

    from lora_hub.hub import parts_of

    record = json.loads((make_folder(adapter.parent / "ours", make_spec()) / "lora_hub.json").read_text())
    record["task"]["labels"] = [f"l{n}" for n in range(3000)]
    record["calibrations"] = {}
    assert len(parts_of(record, is_own=True).task.labels) == 3000


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_base_is_not_corrected_by_what_is_no_number(number: float, adapter) -> None:
    from sample_adapters import make_folder, make_spec

    record = json.loads((make_folder(adapter.parent / "ours", make_spec()) / "lora_hub.json").read_text())
    for calibration in ({"offsets": [number, 0.0]}, {"offsets": [0.0, 0.0], "scale": number}):
        (adapter / "lora_hub.json").write_text(json.dumps({**record, "calibrations": {"base": calibration}}))
        with refused(AdapterError, match="the calibration of 'base' holds values that are not numbers"):
            panes.resolve_adapter(str(adapter))


ENDLESS = [
    r"(?:a|a|\w)*(?:\w|_)*(\w+)+!",
    r"(\w*\.?)+(\w*\.?)+(\w*\.?)+(\w*\.?)+!",
    r"((a{0,60000}){0,60000}){0,60000}\w+!",
    "(" * 3000,
    "[",
    "x" * 5000,
    "(?P<idx>a)(?P<idx>b)",
]


@pytest.mark.parametrize("pattern", ENDLESS)
@pytest.mark.parametrize(
    "key", ["rank_pattern", "alpha_pattern", "target_modules", "exclude_modules", "layers_pattern"]
)
def test_patterns_of_strangers_end(pattern: str, key: str, adapter) -> None:
    """Some are matched or found unlike in time, the others are refused; nothing waits for the end of the world."""
    change(
        adapter,
        **{key: {pattern: 4} if key.startswith(("rank", "alpha")) else pattern},
        **({"layers_to_transform": [0, 1]} if key == "layers_pattern" else {}),
    )
    used = time.process_time()
    try:
        read_adapter(adapter)
    except AdapterError as error:
        assert "some-adapter" in str(error)
    assert time.process_time() - used < 30


@pytest.mark.parametrize(
    "options",
    [
        {
            "rank_pattern": {"q_proj": 6, r"layers\.1\.mlp\..*": 2},
            "alpha_pattern": {r"^model\.layers\.0\..*": 5, "down_proj": 1.5},
        },
        {"use_rslora": True, "alpha_pattern": {"v_proj": 3}},
        {"layers_to_transform": [1], "target_modules": ["q_proj", "up_proj"]},
        {"layers_to_transform": 0, "layers_pattern": "layers", "target_modules": ["q_proj", "up_proj"]},
        {"target_modules": r"(?!.*mlp).*\.(q|v)_proj"},
        {"target_modules": r".*_proj", "exclude_modules": r".*mlp.*"},
        {"exclude_modules": ["q_proj", "layers.1.mlp.up_proj"]},
        {"lora_alpha": 0},
        {"lora_alpha": -3.5, "init_lora_weights": "gaussian"},
        {"lora_dropout": 0.5, "r": 1, "fan_in_fan_out": False},
        {"task_type": None},
    ],
)
def test_settings_of_plain_lora_are_as_in_peft(options: dict, base, comparer, tmp_path) -> None:
    folder = save_adapter(build("llama"), tmp_path / "made", seed=7, **options)
    change(folder, base_model_name_or_path=str(base))
    assert ask(comparer, folder) == peft_answer(base, folder, byte_tokenizer(BASE_TEMPLATE))


def test_what_peft_takes_where_a_setting_is_missing(base, comparer, tmp_path) -> None:
    folder = save_adapter(build("llama"), tmp_path / "made", seed=7, r=8, lora_alpha=8)
    config = json.loads((folder / "adapter_config.json").read_text())
    for key in ("r", "lora_alpha"):
        del config[key]
    (folder / "adapter_config.json").write_text(json.dumps({**config, "base_model_name_or_path": str(base)}))
    assert ask(comparer, folder) == peft_answer(base, folder, byte_tokenizer(BASE_TEMPLATE))


UNLIKE = {
    "DoRA": LoraConfig(r=2, use_dora=True, target_modules=["q_proj"]),
    "modules_to_save": LoraConfig(r=2, target_modules=["q_proj"], modules_to_save=["lm_head"]),
    "trainable_token_indices": LoraConfig(r=2, target_modules=["q_proj"], trainable_token_indices=[5, 6]),
    "bias='all'": LoraConfig(r=2, target_modules=["q_proj"], bias="all"),
    "IA3": IA3Config(target_modules=["q_proj"], feedforward_modules=[]),
    "VERA": VeraConfig(r=2, target_modules=["q_proj"]),
    "PROMPT_TUNING": PromptTuningConfig(num_virtual_tokens=3, task_type="CAUSAL_LM"),
    "PREFIX_TUNING": PrefixTuningConfig(num_virtual_tokens=3, task_type="CAUSAL_LM"),
    "SEQ_CLS": LoraConfig(r=2, target_modules=["q_proj"], task_type=None),
}


@pytest.mark.parametrize("what", UNLIKE)
def test_what_is_more_than_plain_lora_is_refused_by_name_through_compare(what: str, base, comparer, tmp_path) -> None:
    get_peft_model(build("llama"), UNLIKE[what]).save_pretrained(tmp_path / "unlike")
    change(
        tmp_path / "unlike",
        base_model_name_or_path=str(base),
        **({"task_type": "SEQ_CLS"} if what == "SEQ_CLS" else {}),
    )
    with refused(AdapterError, match=f"unlike.*{what}"):
        ask(comparer, tmp_path / "unlike")


def test_weights_under_other_names_or_for_other_layers_are_refused(plain, adapter, comparer) -> None:
    """PEFT would leave them out with a warning, and answer as the base."""
    weights = load_file(plain / "adapter_model.safetensors")
    for match, renamed in (
        (
            "names its weights otherwise",
            {key.removeprefix("base_model.model."): value for key, value in weights.items()},
        ),
        ("not a low-rank pair", {key.replace(".weight", ".default.weight"): value for key, value in weights.items()}),
        (
            "has no linear layer",
            {key.replace("model.layers", "model.model.layers"): value for key, value in weights.items()},
        ),
    ):
        save_file(renamed, adapter / "adapter_model.safetensors")
        with refused(AdapterError, match=f"some-adapter {match}|{match}"):
            change(adapter, target_modules=None)
            ask(comparer, adapter)
    save_file(weights, adapter / "adapter_model.safetensors")
    for values in (
        {"target_modules": ["q_proj"]},
        {"target_modules": r".*mlp.*"},
        {"target_modules": None, "exclude_modules": ["q_proj"]},
    ):
        change(adapter, **{"exclude_modules": None, **values})
        with refused(AdapterError, match="which its adapter_config.json leaves out"):
            ask(comparer, adapter)


def test_a_configuration_says_which_base_and_nothing_else_decides(adapter) -> None:
    assert base_of_config(read_config(adapter), "a")[1] == ""
    assert load_adapter_tokenizer(adapter, "a", None) is None


def push(folder: Path, name: str) -> str:
    from huggingface_hub import HfApi

    api = HfApi()
    repo = api.create_repo(f"lora-hub/others-{name}").repo_id
    api.upload_folder(repo_id=repo, folder_path=folder)
    return repo


def test_from_a_hub_an_adapter_brings_its_tokenizer_and_template(hub, base, adapter) -> None:
    own = other_tokenizer(OWN_TEMPLATE)
    own.save_pretrained(adapter)
    assert ask(compare.Comparer(str(base)), push(adapter, "with-its-own")) == peft_answer(base, adapter, own)
    (adapter / "chat_template.jinja").unlink()
    own.chat_template = {"default": OWN_TEMPLATE, "tool_use": "no"}
    own.save_pretrained(adapter)
    assert ask(compare.Comparer(str(base)), push(adapter, "with-several")) == peft_answer(base, adapter, own)


def test_from_a_hub_what_cannot_be_used_is_told_by_name(hub, adapter, tmp_path) -> None:
    with refused(AdapterError, match="lora-hub/others-elsewhere was made for a base that lay in"):
        panes.resolve_adapter(push(adapter, "elsewhere"))
    push(adapter.parent, "in-a-folder")
    with refused(
        AdapterError,
        match="lora-hub/others-in-a-folder is no LoRA adapter itself, but holds one in its folder 'some-adapter'",
    ):
        panes.resolve_adapter("lora-hub/others-in-a-folder")
    (adapter / "adapter_model.safetensors").rename(adapter / "adapter_model.bin")
    with refused(AdapterError, match=r"adapter lora-hub/others-pickled only has pickled weights \(adapter_model.bin\)"):
        panes.resolve_adapter(push(adapter, "pickled"))
    (adapter / "adapter_model.bin").rename(adapter / "adapter_model.safetensors")
    change(adapter, base_model_name_or_path=["a", "list"])
    with refused(AdapterError, match="base_model_name_or_path = .*which is not a text"):
        panes.resolve_adapter(push(adapter, "hostile"))


@pytest.mark.skipif(not REPORTED.is_dir(), reason="the reported adapters are not here")
def test_the_reported_adapters(monkeypatch) -> None:
    monkeypatch.chdir(REPORTED)
    with refused(AdapterError, match="adapter_bin_only only has pickled weights"):
        panes.resolve_adapter("adapter_bin_only")
    with refused(AdapterError, match="adapter_train_box_path was made for a base that lay in '/root"):
        panes.resolve_adapter("adapter_train_box_path")
    comparer = compare.Comparer()
    prompt = "Once upon a time there was a little"
    own = transformers.AutoTokenizer.from_pretrained("adapter_own_template")
    pane = panes.resolve_adapter("adapter_own_template")
    with comparer.bases.hold([pane]) as (loaded, _):
        ids = questions.put(loaded.tokenizer_of(pane), *questions.read_question(None, pane.name, prompt, None))[0].ids
    assert own.decode(ids) == f"<|user|>{prompt}\n<|assistant|>"
    assert ask(comparer, "adapter_own_template", prompt) == ""

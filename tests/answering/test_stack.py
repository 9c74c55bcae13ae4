"""The stack compared with PEFT, one adapter at a time: same logits, same tokens, and an unchanged base."""

import gc
import json
import shutil
import threading
from pathlib import Path

import psutil
import pytest
import tiny_bases
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from persian import refused
from safetensors.torch import load_file, save_file
from tiny_bases import BASE, CONFIGS, build, load_with_peft, save_adapter

from lora_hub.answering import loading
from lora_hub.answering.stack import AdapterStack
from lora_hub.catalogue import bases
from lora_hub.core.errors import AdapterError

SHARED_MODELS = Path(__file__).resolve().parents[3] / "shared" / "data" / "models"
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")

# mixed on purpose: ranks, rsLoRA, patterns, layers left out. {"*": n} stands for the name of one of the layers
SHAPES = [
    {"r": 4, "lora_alpha": 8},
    {"r": 7, "lora_alpha": 7, "use_rslora": True},
    {"r": 2, "lora_alpha": 6, "rank_pattern": {"*": 5}, "alpha_pattern": {"*": 3}},
    {"r": 3, "lora_alpha": 9, "layers_to_transform": [1]},
]


def save_shapes(model, root: Path) -> list[Path]:
    stack = AdapterStack(model, BASE)
    layers = sorted({name.split(".")[-1] for name in stack._modules} - {"lm_head", "embed_out"})
    stack.close()
    filled = [{k: {layers[0]: v["*"]} if isinstance(v, dict) else v for k, v in shape.items()} for shape in SHAPES]
    filled[3]["target_modules"] = layers
    return [save_adapter(model, root / str(i), seed=i + 1, **shape) for i, shape in enumerate(filled)]


@pytest.fixture(scope="module")
def llama():
    return build("llama")


@pytest.fixture(scope="module")
def folders(llama, tmp_path_factory) -> list[Path]:
    """Four adapters of a llama, one of each shape."""
    return save_shapes(llama, tmp_path_factory.mktemp("adapters"))


@pytest.fixture
def stack(llama):
    stack = AdapterStack(llama, BASE)
    yield stack
    stack.close()


def batch(rows: int, length: int = 9, seed: int = 0) -> torch.Tensor:
    return torch.randint(3, tiny_bases.VOCABULARY, (rows, length), generator=torch.Generator().manual_seed(seed))


def logits(model, ids: torch.Tensor, stack: AdapterStack | None = None, slots: list[int] | None = None) -> torch.Tensor:
    with torch.no_grad():
        if stack is None:
            return model(input_ids=ids).logits
        with stack.route(slots):
            return model(input_ids=ids).logits


@pytest.mark.parametrize("kind", CONFIGS)
def test_every_row_is_what_peft_gives_for_its_adapter_alone(kind, tmp_path):
    model = build(kind)
    made = save_shapes(model, tmp_path)
    ids = batch(5)
    alone = [logits(model, ids)] + [logits(load_with_peft(model, folder), ids) for folder in made]
    for one in alone[1:]:
        assert (one - alone[0]).abs().max() > 0.1, "an adapter that changes nothing proves nothing"
    stack = AdapterStack(model, BASE)
    slots = [0, *(stack.attach(folder, folder.name) for folder in made)]
    # in the order of slots, shuffled, with unequal shares, several rows each, and all of one adapter
    for who in ([0, 1, 2, 3, 4], [3, 0, 4, 1, 2], [1, 1, 0, 2, 1], [4, 3, 0, 4, 3], [1, 2, 3, 4, 1], [2, 2, 2, 2, 2]):
        mixed = logits(model, ids, stack, [slots[i] for i in who])
        for row, i in enumerate(who):
            assert (mixed[row] - alone[i][row]).abs().max() < 1e-5, (who, row)


def test_base_rows_are_bit_identical_before_between_and_after(llama, folders):
    ids = batch(6)
    untouched = logits(llama, ids)
    stack = AdapterStack(llama, BASE)
    a, b, c, d = (stack.attach(folder, folder.name) for folder in folders)
    assert torch.equal(logits(llama, ids, stack, [0] * 6), untouched)
    for route in ([0, a, b, c, d, 0], [a, 0, a, 0, b, b], [0, 0, 0, 0, c, d], [0, 0, d, d, d, 0]):
        mixed = logits(llama, ids, stack, route)
        for row, slot in enumerate(route):
            assert torch.equal(mixed[row], untouched[row]) == (slot == 0), (route, row)
    assert torch.equal(logits(llama, ids), untouched), "a forward outside of any route is the base"
    stack.detach("0")
    assert torch.equal(logits(llama, ids, stack, [0, b, 0, 0, 0, 0])[0], untouched[0])
    stack.close()
    assert torch.equal(logits(llama, ids), untouched)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in llama.modules())


@pytest.mark.parametrize("name", ["TinyStories-656K", "TinyStories-Instruct-3M-chat"])
def test_real_small_models_agree_with_peft(name, tmp_path):
    if not (SHARED_MODELS / name).is_dir():
        pytest.skip(f"{name} is not here")
    base = bases.get_base(str(SHARED_MODELS / name))
    model = loading.load_base(base)
    targets = {} if "656K" in name else {"target_modules": ["q_proj", "k_proj", "v_proj", "out_proj", "c_fc", "c_proj"]}
    made = [save_adapter(model, tmp_path / str(r), seed=r, strength=0.05, r=r, **targets) for r in (3, 8)]
    ids = batch(3, 24)
    expected = [logits(load_with_peft(model, folder), ids)[row] for row, folder in enumerate(made, 1)]
    untouched = logits(model, ids)
    stack = AdapterStack(model, base)
    mixed = logits(model, ids, stack, [0, *(stack.attach(folder, folder.name) for folder in made)])
    assert torch.equal(mixed[0], logits(model, ids)[0])
    # before the stack PyTorch's own product was made, which may be another library's
    torch.testing.assert_close(mixed[0], untouched[0], atol=1e-4, rtol=1e-5)
    for row, wanted in enumerate(expected, 1):
        assert (wanted - untouched[row]).abs().max() > 0.1
        assert (mixed[row] - wanted).abs().max() < 1e-5 * max(1.0, wanted.abs().max().item())


def test_bf16_is_close_to_peft(folders):
    model = build("llama").to(torch.bfloat16)
    ids = batch(2)
    wanted = logits(load_with_peft(model, folders[0]), ids)[1].float()
    stack = AdapterStack(model, BASE)
    slot = stack.attach(folders[0], "a")
    assert (logits(model, ids, stack, [0, slot])[1].float() - wanted).abs().mean() < 0.05 * wanted.abs().mean()


@pytest.mark.gpu
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-4), (torch.bfloat16, 0.2)])
def test_on_cuda_rows_agree_with_peft_and_base_rows_are_bit_identical(folders, dtype, tolerance):
    model, ids = build("llama").to("cuda", dtype), batch(6).cuda()
    untouched = logits(model, ids)
    expected = [logits(load_with_peft(model, folder), ids) for folder in folders]
    stack = AdapterStack(model, BASE)
    slots = [0, *(stack.attach(folder, folder.name) for folder in folders)]
    for who in ([0, 0, 1, 2, 3, 4], [3, 0, 4, 1, 2, 0], [1, 1, 0, 2, 1, 0]):
        mixed = logits(model, ids, stack, [slots[i] for i in who])
        for row, i in enumerate(who):
            if i == 0:
                assert torch.equal(mixed[row], untouched[row])
            else:
                assert (mixed[row] - expected[i - 1][row]).abs().max() < tolerance
    before = torch.cuda.memory_allocated()
    attached = stack.nbytes
    stack.close()
    assert before - torch.cuda.memory_allocated() >= attached


def test_a_quantized_base_is_stacked_as_peft_does(tmp_path):
    pytest.importorskip("bitsandbytes")
    folder = tmp_path / "base"
    build("llama").save_pretrained(folder)
    base = bases.get_base(str(folder))
    made = [save_adapter(build("llama"), tmp_path / str(i), seed=i) for i in (1, 2)]

    def load():
        return loading.load_base(base, device="cpu", precision="fp32", quantization="nf4")

    ids = batch(3)
    untouched = logits(load(), ids)
    model = load()
    stack = AdapterStack(model, base)
    mixed = logits(model, ids, stack, [0, *(stack.attach(one, one.name) for one in made)])
    assert torch.equal(mixed[0], untouched[0])
    for row, one in enumerate(made, 1):
        assert (mixed[row] - logits(PeftModel.from_pretrained(load(), one).eval(), ids)[row]).abs().max() < 1e-5


def test_head_as_a_target_with_the_embeddings_peft_saves_along(llama, stack, tmp_path):
    folder = save_adapter(build("llama"), tmp_path / "head", target_modules=["q_proj", "lm_head"])
    slot = stack.attach(folder, "head")
    ids = batch(2)
    wanted = logits(load_with_peft(build("llama"), folder), ids)[1]
    assert (logits(llama, ids, stack, [0, slot])[1] - wanted).abs().max() < 1e-5
    weights = load_file(folder / "adapter_model.safetensors")
    own = next(key for key in weights if ".lora_" not in key)
    weights[own] = torch.zeros_like(weights[own])
    save_file(weights, folder / "adapter_model.safetensors")
    with refused(AdapterError, match="brings its own"):
        stack.attach(folder, "other")


def test_pissa_is_refused_raw_and_right_once_converted(llama, stack, tmp_path):
    torch.manual_seed(0)
    model = build("llama")
    wrapped = get_peft_model(model, LoraConfig(r=4, init_lora_weights="pissa", target_modules=["q_proj", "down_proj"]))
    init = tmp_path / "init"
    wrapped.peft_config["default"].init_lora_weights = True
    wrapped.save_pretrained(init)
    with torch.no_grad():
        for name, parameter in wrapped.named_parameters():
            if "lora_" in name:
                parameter.add_(torch.randn_like(parameter) * 0.2)
    ids = batch(2)
    wanted = logits(wrapped.eval(), ids)[1]
    wrapped.peft_config["default"].init_lora_weights = "pissa"
    wrapped.save_pretrained(tmp_path / "raw")
    with refused(AdapterError, match="pissa"):
        stack.attach(tmp_path / "raw", "raw")
    wrapped.save_pretrained(tmp_path / "converted", path_initial_model_for_weight_conversion=str(init))
    slot = stack.attach(tmp_path / "converted", "converted")
    assert (logits(llama, ids, stack, [0, slot])[1] - wanted).abs().max() < 1e-4


def test_adapters_of_another_base_are_refused_with_layer_and_shapes(stack, folders, tmp_path):
    wider = save_adapter(build_wider(), tmp_path / "wider")
    with refused(
        AdapterError,
        match=(
            r"made for another base: its model\.layers\.0\.mlp\.down_proj goes from 48 to 64, that of 'tiny' from "
            r"48 to 32"
        ),
    ):
        stack.attach(wider, "wider")
    other = save_adapter(build("gpt-neox"), tmp_path / "neox")
    with refused(AdapterError, match="made for another base: 'tiny' has no linear layer gpt_neox"):
        stack.attach(other, "neox")
    same_shape = shutil.copytree(folders[0], tmp_path / "stale")
    (same_shape / "lora_hub.json").write_text(json.dumps({"base": {"id": "tiny", "fingerprint": "aa"}}))
    stack.attach(same_shape, "a base that was never read whole has no fingerprint to compare")
    stack.base = BASE.model_copy(update={"fingerprint": "bb"})
    with refused(AdapterError, match="other weights"):
        stack.attach(same_shape, "stale")


def build_wider():
    import transformers

    config = tiny_bases.CONFIGS["llama"]().to_dict() | {"hidden_size": 64}
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(**config))


def test_slots_are_reused_and_the_least_recently_asked_goes(llama, folders):
    stack = AdapterStack(llama, BASE, max_slots=2)
    one, two = stack.attach(folders[0], "one"), stack.attach(folders[1], "two")
    assert (one, two) == (1, 2)
    stack.plan([one])  # asked: now "two" has waited longest
    assert stack.attach(folders[2], "three") == two
    assert stack.names == ["one", "three"]
    with refused(AdapterError, match="'two' is not attached"):
        stack.slot("two")
    stack.detach("one")
    with refused(AdapterError, match="Slot 1 holds no adapter"):
        stack.plan([0, 1])
    assert stack.attach(folders[3], "four") == 1
    # the same name again: new weights in the old slot
    ids = batch(2)
    before = logits(llama, ids, stack, [0, 1])[1]
    assert stack.attach(folders[0], "four") == 1
    after = logits(llama, ids, stack, [0, 1])[1]
    assert not torch.equal(before, after)
    assert (after - logits(load_with_peft(build("llama"), folders[0]), ids)[1]).abs().max() < 1e-5
    stack.close()


def test_the_stack_is_bounded_in_bytes_too(llama, folders):
    stack = AdapterStack(llama, BASE)
    sizes = {}
    for name, folder in zip("abc", folders, strict=False):
        before = stack.nbytes
        stack.attach(folder, name)
        sizes[name] = stack.nbytes - before
    stack.close()
    stack = AdapterStack(llama, BASE, max_bytes=sizes["b"] + sizes["c"])
    for name, folder in zip("abc", folders, strict=False):
        stack.attach(folder, name)
    assert stack.names == ["b", "c"] and stack.nbytes <= stack.max_bytes
    stack.close()
    small = AdapterStack(llama, BASE, max_bytes=100)
    with refused(AdapterError, match="the stack holds at most"):
        small.attach(folders[0], "a")
    small.close()


def test_batches_that_do_not_fit_the_route_are_refused(llama, stack, folders):
    slot = stack.attach(folders[0], "a")
    with refused(AdapterError, match="3 rows, but slots were given for 2"):
        logits(llama, batch(3), stack, [0, slot])
    with refused(AdapterError, match="already"), stack.route([0]), stack.route([0]):
        pass
    logits(llama, batch(2), stack, [0, slot])  # and the lock is free again


def test_a_plan_outlives_detach_and_new_tenants(llama, stack, folders):
    ids = batch(3)
    slots = [0, stack.attach(folders[0], "a"), stack.attach(folders[1], "b")]
    plan = stack.plan(slots)
    before = logits(llama, ids, stack, slots)
    stack.detach("a")
    stack.detach("b")
    stack.attach(folders[2], "c")
    stack.attach(folders[3], "d")
    with torch.no_grad(), stack.use(plan):
        assert torch.equal(llama(input_ids=ids).logits, before)
    with torch.no_grad(), stack.use(plan.select([1, 2])):
        assert (llama(input_ids=ids[1:]).logits - before[1:]).abs().max() < 1e-5
    assert not torch.equal(logits(llama, ids, stack, slots)[1], before[1]), "a new plan sees the new tenants"


def test_threads_that_answer_while_others_attach_and_detach(llama, stack, folders):
    ids = batch(4)
    expected = [logits(llama, ids)] + [logits(load_with_peft(build("llama"), folder), ids) for folder in folders]
    for i, folder in enumerate(folders[:2]):
        stack.attach(folder, f"keep{i + 1}")
    wrong, stop = [], threading.Event()

    def answer(order: list[str]) -> None:
        for _ in range(10):
            out = logits(llama, ids, stack, [stack.slot(name) for name in order])
            for row, name in enumerate(order):
                if (out[row] - expected[int(name[-1]) if name != "base" else 0][row]).abs().max() > 1e-5:
                    wrong.append((order, row))
            if not torch.equal(logits(llama, ids), expected[0]):
                wrong.append("base")

    def churn() -> None:
        while not stop.is_set():
            stack.attach(folders[2], "come")
            stack.attach(folders[3], "go")
            stack.detach("come")
            stack.detach("go")

    workers = [
        threading.Thread(target=answer, args=(order,))
        for order in (["base", "keep1", "keep2", "keep1"], ["keep2", "base", "keep1", "base"])
    ]
    visitor = threading.Thread(target=churn)
    for thread in (visitor, *workers):
        thread.start()
    for thread in workers:
        thread.join()
    stop.set()
    visitor.join()
    assert wrong == []


def test_attach_and_detach_fifty_times_gives_the_memory_back(tmp_path):
    import transformers

    config = transformers.LlamaConfig(
        vocab_size=64,
        hidden_size=256,
        intermediate_size=512,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
    )
    model = transformers.LlamaForCausalLM(config).eval()
    folder = save_adapter(model, tmp_path / "big", r=96)
    size = (folder / "adapter_model.safetensors").stat().st_size
    assert size > 3 * 2**20
    stack, ids = AdapterStack(model, BASE), batch(3, 4)

    def cycle() -> None:
        slots = [stack.attach(folder, "a"), stack.attach(folder, "b")]
        logits(model, ids % 64, stack, [0, *slots])
        assert stack.nbytes >= 4 * size * 0.95  # both, and both stacked
        stack.detach("a")
        stack.detach("b")
        assert stack.nbytes == 0

    def resident() -> int:
        gc.collect()
        return psutil.Process().memory_info().rss

    def grown() -> int:
        before = resident()
        for _ in range(50):
            cycle()
        return resident() - before

    for _ in range(5):
        cycle()
    # What is kept is kept in every round; what the allocator holds on to is not.
    assert any(grown() < size for _ in range(3)), "fifty cycles may not keep even one adapter"
    assert not any(m._forward_hooks for m in model.modules())

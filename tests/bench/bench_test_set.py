"""A test set through several adapters at once against one adapter after another through PEFT, within one run.

    OMP_NUM_THREADS=1 python tests/bench/bench_test_set.py [--rows 500] [--adapters 8] [--rank 16]
        [--bases built-in 30M] [--tasks spam question-answering topic] [--tokens 48] [--batch 8] [--one 25] [--peft 0]

PEFT's way: `set_adapter`, then the rows one by one (batches of one are what the pipeline of transformers takes unless
told otherwise), and, as whoever cares for speed does, in batches of eight, sorted by length and padded on the left.
Text is generated greedily, and a label is the one whose whole likelihood is highest, from one forward over all prompts
of a batch with each of their labels. Ours: one call of `questions.answer_all` with the rows of all adapters. Adapters
are random (a training changes no shape); one token in 64 ends a text, so that answers end at different lengths. CPU
seconds of this process, so that others on the machine count little.

--one, --peft: rows of each adapter that PEFT is given one by one and in batches, 0 for all: of the batches of the whole
set every so-manieth, its seconds scaled to the set. Printed: seconds, both ratios with the goal, how many of PEFT's
answers are ours, and a floor: the multiplications of the tokens that nobody can leave out (each prompt's own ones, what
the prompts of an adapter begin with once, labels and answers), at the best rate that was measured for a product here.
Where even the floor is not fast enough for the goal, nothing that puts all these tokens through the base in float32 is.
"""

import argparse
import copy
import itertools
import statistics
import sys
import tempfile
import time
from pathlib import Path

import psutil
import torch
import transformers
from peft import PeftModel

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "bench")]

from bench_labels import sample  # noqa: E402
from bench_stack import SHAPES, build, save_adapters  # noqa: E402

from lora_hub.answering import loading, products, questions  # noqa: E402
from lora_hub.answering.prefill import _common_length  # noqa: E402
from lora_hub.answering.stack import AdapterStack  # noqa: E402
from lora_hub.catalogue import bases  # noqa: E402
from lora_hub.core.schema import BaseModel  # noqa: E402

END_SHARE = 64  # of the vocabulary, one token in so many ends a text
GOALS = {True: 6.0, False: 4.0}


def open_base(name: str) -> tuple[transformers.PreTrainedModel, BaseModel]:
    if name not in SHAPES:
        base = bases.get_base(name)
        return loading.load_base(base), base
    return build(name, "cpu", torch.float32), BaseModel(id=name, context=4096)


def by_length(asked: list[questions.Asked], size: int) -> list[list[int]]:
    order = sorted(range(len(asked)), key=lambda i: len(asked[i].ids))
    return [order[at : at + size] for at in range(0, len(order), size)]


def padded(rows: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    width = max(map(len, rows))
    ids = torch.tensor([[0] * (width - len(row)) + row for row in rows])
    return ids, torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])


def peft_texts(model: PeftModel, asked: list[questions.Asked], size: int, tokens: int) -> list[list[int]]:
    ends, texts = set(model.generation_config.eos_token_id), [[] for _ in asked]
    for batch in by_length(asked, size):
        ids, mask = padded([asked[i].ids for i in batch])
        out = model.generate(
            input_ids=ids, attention_mask=mask, max_new_tokens=tokens, do_sample=False, pad_token_id=0
        )[:, ids.shape[1] :]
        for i, row in zip(batch, out.tolist(), strict=True):
            texts[i] = list(itertools.takewhile(lambda token: token not in ends, row))
    return texts


def peft_labels(model: PeftModel, asked: list[questions.Asked], size: int) -> list[str]:
    answers = [""] * len(asked)
    for batch in by_length(asked, size):
        pairs = [(i, label) for i in batch for label in range(len(asked[i].choices))]
        ids, mask = padded([asked[i].ids + asked[i].choices[label][:-1] for i, label in pairs])
        longest = max(len(asked[i].choices[label]) for i, label in pairs)
        positions = (mask.cumsum(-1) - 1).clamp_(min=0)
        logits = model(input_ids=ids, attention_mask=mask, position_ids=positions, logits_to_keep=longest).logits
        logs = logits.log_softmax(-1)
        sums: dict[int, list[float]] = {}
        for row, (i, label) in enumerate(pairs):
            choice = asked[i].choices[label]
            sums.setdefault(i, []).append(
                sum(logs[row, at - len(choice), token].item() for at, token in enumerate(choice))
            )
        for i, found in sums.items():
            answers[i] = asked[i].labels[max(range(len(found)), key=found.__getitem__)]
    return answers


def measure(base_name: str, task_name: str, options: argparse.Namespace) -> None:
    model, base = open_base(base_name)
    tokenizer = loading.load_tokenizer(bases.get_base("built-in" if base_name in SHAPES else base_name))
    task, inputs = sample(task_name, options.rows)
    inputs = [inputs[i % len(inputs)] for i in range(options.rows)]
    labelled = bool(questions.labels_of(task))
    ends = sorted({tokenizer.eos_token_id, *range(5, model.config.vocab_size, END_SHARE)})
    model.generation_config.eos_token_id = ends
    with tempfile.TemporaryDirectory() as root:
        folders = save_adapters(model, Path(root), options.adapters, options.rank)
        names = [folder.name for folder in folders]
        twin = copy.deepcopy(model)
        peft_model = PeftModel.from_pretrained(twin, folders[0], adapter_name=names[0]).eval()
        for name, folder in zip(names[1:], folders[1:], strict=True):
            peft_model.load_adapter(folder, name)
        stack = AdapterStack(model, base)
        for name, folder in zip(names, folders, strict=True):
            stack.attach(folder, name)
    context = min(512, model.config.max_position_embeddings) - options.tokens
    asked = {
        name: [one for one in questions.put(tokenizer, task, inputs, adapter=name) if len(one.ids) <= context]
        for name in names
    }
    everything = [one for of in asked.values() for one in of]

    def ours() -> list:
        answers = questions.answer_all(stack, tokenizer, everything, max_new_tokens=options.tokens)
        return [answer.text if labelled else list(answer.ids) for answer in answers]

    def peft(name: str, asked: list[questions.Asked], size: int) -> list:
        peft_model.set_adapter(name, inference_mode=True)
        with torch.no_grad():
            if labelled:
                return peft_labels(peft_model, asked, size)
            return peft_texts(peft_model, asked, size, options.tokens)

    def timed_peft(size: int, rows: int, answers: dict[tuple[str, int], object]) -> tuple[float, int, int]:
        """Seconds that all rows of all adapters take, those asked, and how many of their answers are ours."""
        seconds, done, same = 0.0, 0, 0
        for name, of in asked.items():
            batches = by_length(of, size)
            some = batches[:: max(1, len(of) // rows)] if rows else batches
            picked = [i for batch in some for i in batch]
            start = time.process_time()
            theirs = peft(name, [of[i] for i in picked], size)
            seconds += (time.process_time() - start) * len(of) / len(picked)
            done += len(picked)
            same += sum(answers[name, i] == one for i, one in zip(picked, theirs, strict=True))
        return seconds, done, same

    whole, everything = everything, everything[:4]  # the first calls of a process take longer
    ours()
    everything = whole
    peft(names[0], asked[names[0]][:4], 4)
    seconds, given = [], []
    for turn in range(options.rounds):
        start = time.process_time()
        given = ours()
        seconds.append(time.process_time() - start)
        if not turn:
            places = [(name, i) for name, of in asked.items() for i in range(len(of))]
            answers = dict(zip(places, given, strict=True))
            ways = {
                "one by one": timed_peft(1, options.one, answers),
                f"batches of {options.batch}": timed_peft(options.batch, options.peft, answers),
            }
    mine, goal = statistics.median(seconds), GOALS[labelled]
    written = 0 if labelled else sum(map(len, given))
    floor = least_seconds(model, asked, written)
    length = statistics.mean(len(one.ids) for one in everything)
    labels = f"{len(everything[0].labels)} labels" if labelled else f"{written / len(everything):.1f} tokens an answer"
    print(f"{base_name}, {task_name}: {len(everything)} answers, {length:.0f} tokens a prompt, {labels}")
    print(f"  ours {mine:.1f} s, floor {floor:.1f} s")
    for way, (took, done, same) in ways.items():
        reached = "yes" if took / mine >= goal else "NO"
        print(
            f"  PEFT {way:14} {took:8.1f} s  {took / mine:6.2f}x  goal {goal:.0f}x {reached:4}"
            f"floor allows {took / floor:.1f}x; {done} rows asked, {same} answers the same",
            flush=True,
        )
    stack.close()


def least_seconds(model: transformers.PreTrainedModel, asked: dict[str, list[questions.Asked]], written: int) -> float:
    """Seconds of the products of the base alone with all tokens that have to be read, at this machine's best rate."""
    head = model.get_output_embeddings().weight
    layers = sum(m.weight.numel() for m in model.modules() if isinstance(m, torch.nn.Linear) and m.weight is not head)
    tokens, logits = float(written), float(written)
    for of in asked.values():
        begin = _common_length([one.ids for one in of])
        tokens += begin + sum(len(one.ids) - begin for one in of)
        choices = of[0].choices or []
        nodes = {tuple(ids[:end]) for ids in choices for end in range(1, len(ids))}
        tokens, logits = tokens + len(of) * len(nodes), logits + len(of) * (1 + len(nodes))
    x, weight = torch.ones(1024, 1024), torch.ones(1024, 1024)
    took = []
    for _ in range(20):
        start = time.process_time()
        products.linear(x, weight)
        took.append(time.process_time() - start)
    return (tokens * layers + logits * head.numel()) * min(took) / 1024**3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument("--adapters", type=int, default=8)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--bases", nargs="+", default=["built-in", "30M"])
    parser.add_argument("--tasks", nargs="+", default=["spam", "question-answering", "topic"])
    parser.add_argument("--tokens", type=int, default=48, help="the most an answer in text has")
    parser.add_argument("--batch", type=int, default=8, help="rows a batch of PEFT's way")
    parser.add_argument("--one", type=int, default=25, help="rows an adapter that PEFT is given one by one; 0: all")
    parser.add_argument("--peft", type=int, default=0, help="rows an adapter that PEFT is given in batches; 0: all")
    parser.add_argument("--rounds", type=int, default=2, help="of ours; PEFT's ways are taken once, between them")
    options = parser.parse_args()
    transformers.logging.set_verbosity_error()
    print(
        f"{options.rows} rows x {options.adapters} adapters, {torch.get_num_threads()} thread(s), "
        f"load {psutil.getloadavg()[0]:.1f}"
    )
    for base in options.bases:
        for task in options.tasks:
            measure(base, task, options)


if __name__ == "__main__":
    main()

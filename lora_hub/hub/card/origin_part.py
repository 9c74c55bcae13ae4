"""What a card tells of how the adapter came about: its data, its settings, and how to train it again."""

from lora_hub.core.messages import _, _n
from lora_hub.core.schema import TrainSpec
from lora_hub.core.spec_fields import FIELDS, shown, value_of, value_of_default
from lora_hub.hub.card import reproduce
from lora_hub.hub.card.card_metadata import Facts
from lora_hub.hub.card.markdown import escape, fence
from lora_hub.hub.card.words import Words, raw

MOST_COLUMNS = 50
# A longer command is not for pasting: one with hundreds of labels that were spelled in other ways.
LONGEST_COMMAND = 4_000
# What became of the rows: all of them, so that a reader can add them up.
PARTS = (
    (_("Trained on"), "train_rows"),
    (_("Validation, which chose the checkpoint"), "validation_rows"),
    (_("Held out and scored"), "eval_rows"),
    (_("Left out"), "left_out"),
)
WEIGHTED = _("Weights found on")
EFFORTS = {"quick": _("quick"), "balanced": _("balanced"), "thorough": _("thorough")}


def data(facts: Facts, tell: Words, *, composed: bool = False) -> str:
    """The files with their fingerprints, and what became of their rows. composed: nothing was trained on them."""
    spec, counts = facts.spec, facts.record["dataset"]
    lines = ["| | |", "|---|---|"]
    for title, info, mapping in (
        (_("File"), spec.dataset, spec.mapping),
        (_("Test file"), spec.test_dataset, spec.test_mapping or spec.mapping),
    ):
        if not info:
            continue
        used = ", ".join(
            f"{escape(role, 40)} = {escape(column, 60)}" for role, column in [*mapping.items()][:MOST_COLUMNS]
        )
        name, kind = raw(escape(info.name)), raw(escape(info.format, 40))
        mark = raw(escape(info.fingerprint, 80))
        file = _("{file} ({format}), fingerprint {fingerprint}", file=name, format=kind, fingerprint=mark)
        rows = (
            _("{rows:,}, and {test:,} in a test part of its own", rows=info.rows, test=info.test_rows)
            if info.test_rows
            else _("{rows:,}", rows=info.rows)
        )
        lines += [
            f"| {tell(title)} | {tell(file)} |",
            f"| {tell(_('Rows'))} | {tell(rows)} |",
            f"| {tell(_('Columns'))} | {', '.join(escape(column, 60) for column in info.columns[:MOST_COLUMNS])} |",
            f"| {tell(_('Used as'))} | {used} |",
        ]
    for title, key in PARTS:
        if counts.get(key):
            name = WEIGHTED if composed and key == "train_rows" else title
            lines.append(f"| {tell(name)} | {tell(_n('{count:,} row', '{count:,} rows', count=counts[key]))} |")
    said = [tell(_("The fingerprint is the start of the file's sha256."))]
    if not spec.share_rows:
        said.append(tell(_("The rows themselves are not in this repo.")))
    return "\n".join(lines) + "\n\n" + " ".join(said)


def hyperparameters(spec: TrainSpec) -> str:
    """The settings that are told of any training, and each other one that is not the default."""
    targets = spec.lora.targets if isinstance(spec.lora.targets, str) else ", ".join(spec.lora.targets)
    rows = {
        "Effort": spec.effort,
        "LoRA": (
            f"rank {spec.lora.r}, alpha {spec.lora.alpha:g}, dropout "
            f"{spec.lora.dropout:g}{', rsLoRA' if spec.lora.rslora else ''}"
        ),
        "Target modules": targets,
        "Learning rate": f"{spec.lr:g}, {spec.schedule}, warm-up {spec.warmup:g}, weight decay {spec.weight_decay:g}",
        "Length of training": f"at most {spec.steps} steps" if spec.steps else f"at most {spec.epochs:g} epochs",
        "Rows a step": spec.batch,
        "Tokens a row": f"at most {spec.max_length}",
        "Precision": f"{spec.precision}, base quantization {spec.quantization}",
        "Seed": spec.seed,
    }
    told = {
        *("lora.r", "lora.alpha", "lora.dropout", "lora.targets", "lora.rslora", "lr", "schedule", "warmup", "seed"),
        *("weight_decay", "steps", "epochs", "batch", "max_length", "precision", "quantization"),
    }
    for field in FIELDS:
        if field.key not in told and value_of(spec, field.key) != value_of_default(field.key):
            rows[field.title.en] = shown(value_of(spec, field.key))
    return "\n".join(["| | |", "|---|---|", *(f"| {key} | {escape(value)} |" for key, value in rows.items())])


def again(facts: Facts) -> str:
    """The commands that train it again, and what they need."""
    record = facts.record
    libraries = ", ".join(
        f"{escape(name, 40)} {escape(version, 40)}" for name, version in [*record.get("libraries", {}).items()][:20]
    )
    command = reproduce.command(facts.spec, facts.repo_id)
    parts = [
        fence(reproduce.again(facts.spec, facts.repo_id), "sh"),
        "It reads the settings from `lora_hub.json`, checks the file's fingerprint and the base's weights, trains, and "
        "tells how far the new adapter's scores are from this one's on the same held-out rows. With `--check` it "
        "trains nothing and only computes the figures of this card again. To train with other settings, change them in "
        "this command:",
        fence(command, "sh"),
        "The course of the training is in `training_log.jsonl`."
        f" Run {escape(record['run'])}" + (f", libraries: {libraries}." if libraries else "."),
    ]
    if len(command) > LONGEST_COMMAND:
        parts[1:3] = [parts[1].rpartition(" To train")[0]]
    return "\n\n".join(parts)

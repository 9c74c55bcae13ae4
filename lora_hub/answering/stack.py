"""One frozen base, N adapters: every row of a batch goes through the adapter that its slot names. Slot 0 is the base.

How it works: an attached adapter is a pair A [r, in], B [out, r] and a scale for each layer it touches, in a slot of
its own. A `Plan` says which row belongs to which slot and holds the tensors it needs, several adapters stacked as
A [n, in, r_max] and B [n, r_max, out] (smaller ranks and untouched layers are zeros), so that one batched product
serves all rows. Forward hooks on the base's own linear layers add the delta to the rows with a slot above 0 and never
touch the others: a base row is bit for bit what this base gives without adapters in a batch of the same shape. In bulk
on a CPU, adapter by adapter, the delta is added to the weights instead (`merged`), and the base's own products are made
by the faster library (`products`).

Threads: tensors of an adapter are never written again and a plan keeps what it refers to, so adapters come and go while
others answer. A slot is a number for the moment: once its adapter has gone, the next one takes it. Whoever answers
later than now holds the `Attached` itself (`adapter`), which is never another one. The plan in use belongs to a thread;
a forward outside of any plan is the base. One lock lets one forward at a time through the base: visitors take turns by
the step, not by the answer.

    stack = AdapterStack(model, base)
    slot = stack.attach(Path("runs/x/adapter"), "spam")
    with torch.no_grad(), stack.route([0, slot]):
        logits = model(input_ids=ids_of_two_rows).logits
    with stack.hold({"spam": folder, "topic": other}) as held:  # attached where need be, and nobody takes their places
        ...
"""

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from lora_hub.answering import products
from lora_hub.answering.gated import can_multiply, is_gated, multiply
from lora_hub.answering.merged import MergedWeights, mergeable
from lora_hub.answering.peft_folder import LayerWeights, SavedAdapter, read_adapter
from lora_hub.answering.places import Places
from lora_hub.answering.routing import THE_BASE, Attached, Plan, StackedLayer, stack_layers, stacked_bytes
from lora_hub.core.errors import AdapterError, damage_of
from lora_hub.core.messages import _
from lora_hub.core.schema import BASE, BaseModel
from lora_hub.hub.adapter_config import RECORD_FILE

_KEPT_SETS = 2  # stacked sets of adapters kept ready: the panes of one comparison, and those of the one before
_MOST_PADDING = (
    2  # adapters of unlike ranks are laid side by side up to so many times the bytes that they take themselves
)


class AdapterStack:
    """A loaded base (see `loading.load_base`) and the adapters attached to it, at most `max_slots` at a time and at
    most
    `max_bytes` of them: one more takes the place of those that were asked least recently and are not in use."""

    def __init__(
        self, model: PreTrainedModel, base: BaseModel, *, max_slots: int = 16, max_bytes: int = 4 << 30
    ) -> None:
        self.model = model
        self.base = base
        self.max_bytes = max_bytes
        self._modules = {name: module for name, module in model.named_modules() if _features(module)}
        self._hooks: dict[str, Any] = {}
        self._sets: OrderedDict[tuple[int, ...], dict[str, StackedLayer]] = OrderedDict()
        self._places = Places(max_slots, max_bytes, self._settle)
        self._registry = self._places.lock
        self._forward = threading.Lock()
        self._local = threading.local()
        self._watch = model.register_forward_pre_hook(self._see_batch, with_kwargs=True)
        # of a base with two stacks, the first multiplies
        self._multiplied = {
            name: module
            for name, module in self._modules.items()
            if mergeable(module) and "forward" not in vars(module)
        }
        self._merged = MergedWeights(self._multiplied)
        for name, module in self._multiplied.items():
            module.forward = partial(self._product, name, module)
        self._gated = {
            name: module
            for name, module in model.named_modules()
            if is_gated(module) and "forward" not in vars(module) and f"{name}.down_proj" in self._multiplied
        }
        for name, module in self._gated.items():
            module.forward = partial(self._gate, name, module)

    @property
    def names(self) -> list[str]:
        """The attached adapters, by slot."""
        return [adapter.name for adapter in self._places.attached]

    @property
    def nbytes(self) -> int:
        """Bytes the adapters take, the stacked copies of the sets in use included."""
        with self._registry:
            stacked = sum(w.a.nbytes + w.b.nbytes for layers in self._sets.values() for w in layers.values())
            return self._places.nbytes + stacked + self._merged.nbytes

    def slot(self, name: str) -> int:
        """The slot that an attached adapter has now; "base" is 0. Raises AdapterError."""
        return self.adapter(name).slot

    def adapter(self, name: str) -> Attached:
        """The adapter that is attached under this name, or the base for "base": it stays this one, whatever is attached
        or taken away later. Raises AdapterError."""
        if name == THE_BASE.name:
            return THE_BASE
        adapter = self._places.get(name)
        if adapter is None:
            raise AdapterError(
                _("The adapter {name!r} is not attached to {base!r}."),
                _("Attach it first."),
                name=name,
                base=self.base.id,
            )
        return adapter

    def attach(self, folder: Path, name: str) -> int:
        """Reads a PEFT folder into a slot of its own and returns the slot (1 or more). A name that is attached already
        gets the new weights. Raises AdapterError: unreadable, not stackable, too large, or made for another base."""
        return self._places.put(name, *self._read(folder, name)).slot

    def put(self, name: str, layers: dict[str, LayerWeights]) -> Attached:
        """An adapter of these tensors under this name, in the place of an earlier one. They lie beside the base's
        layers as those of an attached one do, and are not written again."""
        return self._places.put(name, layers, sum(w.a.nbytes + w.b.nbytes for w in layers.values()))

    @contextmanager
    def hold(
        self,
        folders: Mapping[str, Path],
        *,
        strengths: Mapping[str, float] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Iterator[dict[str, Attached] | None]:
        """The adapters of these folders by name, attached where they are not, and in use until the block ends: nobody
        else takes their places. Where others use all there is, it waits for them, in the order of coming; yields None
        where `cancelled` said so meanwhile. strengths: by name, of those whose delta is scaled, 1 being as it was
        trained. Raises AdapterError as `attach`, and where these alone are more than the stack holds."""
        scaled = strengths or {}
        with self._places.hold(
            {name: partial(self._read, folder, name, scaled.get(name, 1.0)) for name, folder in folders.items()},
            cancelled,
        ) as held:
            yield held

    def in_use(self, adapters: Iterable[Attached]) -> AbstractContextManager[None]:
        """Within it, the places of these adapters are taken last."""
        return self._places.in_use(adapters)

    def detach(self, name: str) -> None:
        """Frees the adapter's slot and memory; an answer under way keeps its tensors until it ends. Raises
        AdapterError."""
        with self._registry:
            self.slot(name)
            if name == BASE:
                raise AdapterError(_("The base itself cannot be detached."), _("Name an adapter."))
            self._places.take_away(name)

    def close(self) -> None:
        """Gives the base back as it was: no adapter, no hook."""
        with self._registry:
            self._places.clear()
            self._watch.remove()
            for changed in (self._multiplied, self._gated):
                for module in changed.values():
                    vars(module).pop("forward", None)
                changed.clear()

    def plan(self, rows: Sequence[int | Attached]) -> Plan:
        """Who answers which row, by the slots of this moment or by the adapters themselves; from now on independent of
        attach and detach. Raises AdapterError for a free slot."""
        with self._registry:
            by_slot = {0: THE_BASE, **{a.slot: a for a in self._places.attached}}
            for slot in rows:
                if isinstance(slot, int) and slot not in by_slot:
                    raise AdapterError(
                        _("Slot {slot} holds no adapter."),
                        _("These are attached: {names}.", names=self.names) if self.names else _("None is attached."),
                        slot=slot,
                    )
            adapters = [by_slot[row] if isinstance(row, int) else row for row in rows]
            for adapter in sorted(set(adapters), key=lambda one: one.slot):
                self._places.touch(adapter)
            return Plan(adapters, self._stack_set, self._merged.of)

    @contextmanager
    def route(self, rows: Sequence[int | Attached]) -> Iterator[None]:
        """Within it, this thread's forwards take these slots or adapters, one for each row of the batch."""
        with self.use(self.plan(rows)):
            yield

    @contextmanager
    def use(self, plan: Plan) -> Iterator[None]:
        """As `route`, with a plan made before. Other threads' forwards under a plan wait."""
        if getattr(self._local, "plan", None) is not None:
            raise AdapterError(_("This thread is answering already."), _("End the route in use before the next one."))
        with self._forward:
            self._local.plan = plan
            try:
                yield
            finally:
                self._local.plan = None

    def _see_batch(self, module: nn.Module, args: tuple, kwargs: dict[str, Any]) -> None:
        plan = getattr(self._local, "plan", None)
        if plan is not None:
            batch = next(
                (t for t in (kwargs.get("input_ids"), kwargs.get("inputs_embeds"), *args) if t is not None), None
            )
            if batch is None:
                raise AdapterError(_("The batch came without tokens."), _("Call the model with input_ids."))
            plan.expect(batch.shape[0], batch.shape[1])

    def _product(self, layer: str, module: nn.Linear, x: torch.Tensor) -> torch.Tensor:
        plan = getattr(self._local, "plan", None)
        return products.linear(x, module.weight, module.bias) if plan is None else plan.product(layer, module, x)

    def _gate(self, name: str, module: nn.Module, x: torch.Tensor) -> torch.Tensor:
        plan = getattr(self._local, "plan", None)
        weights = plan.gated_weights(name, module) if plan is not None and can_multiply(x) else None
        return type(module).forward(module, x) if weights is None else multiply(*weights, x)

    def _hook(self, layer: str) -> Callable:
        local = self._local

        def add(module: nn.Module, args: tuple[torch.Tensor, ...], out: torch.Tensor) -> torch.Tensor:
            plan = getattr(local, "plan", None)
            return out if plan is None else plan.add_delta(layer, args[0], out)

        return add

    def _read(self, folder: Path, name: str, strength: float = 1.0) -> tuple[dict[str, LayerWeights], int]:
        """The tensors of a PEFT folder beside the base's layers, and their bytes. Raises AdapterError."""
        if name == THE_BASE.name:
            raise AdapterError(_("An adapter cannot be called 'base'."), _("Give it another name."))
        folder = Path(folder)
        saved = read_adapter(folder)
        self._check_base(folder)
        layers = self._place(saved, folder)
        if strength != 1.0:
            layers = {layer: replace(w, scale=w.scale * strength) for layer, w in layers.items()}
        needed = sum(w.a.nbytes + w.b.nbytes for w in layers.values())
        if needed > self.max_bytes:
            raise AdapterError(
                _("The adapter in {folder} takes {needed:.0f} MB; the stack holds at most {most:.0f} MB."),
                _("Train it with a smaller rank."),
                folder=folder,
                needed=needed / 1e6,
                most=self.max_bytes / 1e6,
            )
        return layers, needed

    def _place(self, saved: SavedAdapter, folder: Path) -> dict[str, LayerWeights]:
        """The adapter's tensors beside the layers they belong to: same device, the type the layer computes in."""
        for name, tensor in saved.others.items():
            own = dict(self.model.named_parameters(remove_duplicate=False)).get(name)
            if own is None or own.shape != tensor.shape or not torch.equal(own.cpu(), tensor.to(own.dtype)):
                raise AdapterError(
                    _(
                        "The adapter in {folder} brings its own {name}, which differs from that of {base!r}: it "
                        "cannot be stacked."
                    ),
                    _("Choose the base it was made for, or load it with PEFT by itself."),
                    folder=folder,
                    name=name,
                    base=self.base.id,
                )
        made = saved.config.get("base_model_name_or_path")
        hint = (
            _("Choose the base it was made for: {made}.", made=made) if made else _("Choose the base it was made for.")
        )
        placed = {}
        for name, w in saved.layers.items():
            module = self._modules.get(name)
            if module is None or ".experts." in name:  # experts see other rows than the batch has
                raise AdapterError(
                    _(
                        "The adapter in {folder} was made for another base: {base!r} has no linear layer {name} to "
                        "stack it on."
                    ),
                    hint,
                    folder=folder,
                    base=self.base.id,
                    name=name,
                )
            features = _features(module)
            if (w.a.shape[1], w.b.shape[0]) != features:
                raise AdapterError(
                    _(
                        "The adapter in {folder} was made for another base: its {name} goes from {inputs} to "
                        "{outputs}, that of {base!r} from {base_inputs} to {base_outputs}."
                    ),
                    hint,
                    folder=folder,
                    name=name,
                    inputs=w.a.shape[1],
                    outputs=w.b.shape[0],
                    base=self.base.id,
                    base_inputs=features[0],
                    base_outputs=features[1],
                )
            if not torch.isfinite(w.a.sum(dtype=torch.float32) + w.b.sum(dtype=torch.float32)):
                raise AdapterError(
                    _("The adapter in {folder} holds values that are not numbers at {name}."),
                    _("Train it again."),
                    folder=folder,
                    name=name,
                )
            weight = module.weight
            dtype = (
                weight.dtype if weight.dtype.is_floating_point else self.model.dtype
            )  # quantized: what the rest is in
            # copies: the file the tensors are mapped to may be replaced
            a, b = (t.to(weight.device, dtype, copy=True) for t in (w.a, w.b))
            placed[name] = LayerWeights(a, b, w.scale)
        return placed

    def _check_base(self, folder: Path) -> None:
        """Shapes can agree by chance; where our record knows the base's weights, they must be these."""
        path = folder / RECORD_FILE
        try:
            made_for = dict(json.loads(path.read_text(encoding="utf-8"))["base"]) if path.is_file() else {}
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise AdapterError(
                _("{path} cannot be read: {reason}."),
                _("Fetch or train the adapter again."),
                path=path,
                reason=damage_of(error),
            ) from error
        if made_for.get("fingerprint") and self.base.fingerprint and made_for["fingerprint"] != self.base.fingerprint:
            raise AdapterError(
                _("The adapter in {folder} was made for {made_for!r} with other weights than {base!r} has here."),
                _("Train it again on this base, or load the base it was made for."),
                folder=folder,
                made_for=made_for.get("id"),
                base=self.base.id,
            )

    def _stack_set(self, adapters: list[Attached]) -> dict[str, StackedLayer] | None:
        """The stacked tensors of a set of adapters, None where nearly all of them would be padding; of sets still
        attached the last few are kept."""
        key = tuple(a.serial for a in adapters)
        with self._registry:
            layers = self._sets.get(key)
            if layers is None and stacked_bytes(adapters) > _MOST_PADDING * sum(a.nbytes for a in adapters):
                return None
            layers = layers or stack_layers(adapters)
            if set(key) <= {a.serial for a in self._places.attached}:
                self._sets[key] = layers
                self._sets.move_to_end(key)
                while len(self._sets) > _KEPT_SETS:
                    self._sets.popitem(last=False)
            return layers

    def _settle(self) -> None:
        """After a change: hooks on exactly the layers that are touched, by adapters that are attached or still answer
        somebody; no stacked set with an adapter that is gone."""
        attached = {a.serial for a in self._places.attached}
        for key in [key for key in self._sets if not set(key) <= attached]:
            del self._sets[key]
        self._merged.keep_only(attached)
        touched = set().union(*(a.layers for a in self._places.alive))
        for layer in touched - self._hooks.keys():
            self._hooks[layer] = self._modules[layer].register_forward_hook(self._hook(layer))
        for layer in self._hooks.keys() - touched:
            self._hooks.pop(layer).remove()


def _features(module: nn.Module) -> tuple[int, int] | None:
    """(in, out) of a linear layer, quantized ones included; None for anything else."""
    if isinstance(module, Conv1D):
        return module.nx, module.nf
    if isinstance(module, nn.Linear) or (hasattr(module, "qweight") and hasattr(module, "in_features")):
        return module.in_features, module.out_features
    return None

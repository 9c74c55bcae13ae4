"""The base as it was before a training."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def as_it_was(model: Any) -> Iterator[None]:
    """The base is afterwards what it was before, however the training ends: without the adapter's layers, the trainer's
    patched forward, its hooks, and what it wrote into the configuration."""
    config, generation = (
        copy.deepcopy(model.config.__dict__),
        copy.deepcopy(model.generation_config.__dict__ if model.generation_config else {}),
    )
    before = dict(model.__dict__)
    hooks = model.get_input_embeddings()._forward_hooks
    hooked = set(hooks)
    try:
        yield
    finally:
        _take_off_adapters(model)
        if getattr(model, "is_activation_checkpointing", False):
            model.activation_checkpointing_disable()
        if hasattr(model, "_require_grads_hook"):
            model.disable_input_require_grads()
        # With gradient checkpointing TRL and the trainer both set that hook, and only the later one is known to the
        # model: the other would make every answer want gradients.
        for key in set(hooks) - hooked:
            del hooks[key]
        for name in set(model.__dict__) - set(before):
            delattr(model, name)
        if "forward" in before:
            model.__dict__["forward"] = before["forward"]
        model.config.__dict__.clear()
        model.config.__dict__.update(config)
        if model.generation_config:
            model.generation_config.__dict__.clear()
            model.generation_config.__dict__.update(generation)
        model.eval()
        model.requires_grad_(False)


def _take_off_adapters(model: Any) -> None:
    """What PEFT's unload does, also where no PeftModel came of it: each adapted layer gives its place back to the
    base's own."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    for name, layer in [found for found in model.named_modules() if isinstance(found[1], BaseTunerLayer)]:
        parent, _, child = name.rpartition(".")
        setattr(model.get_submodule(parent) if parent else model, child, layer.get_base_layer())

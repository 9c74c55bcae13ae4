"""Small random models of several architectures, and adapters that PEFT itself saves for them. For tests of the
stack."""

import copy
from pathlib import Path

import tokenizers
import torch
import transformers
from peft import LoraConfig, PeftModel, get_peft_model

from lora_hub.core.schema import BaseModel

END = 2
VOCABULARY = 259  # pad, bos, end and the 256 bytes
_DECODER = dict(
    vocab_size=VOCABULARY,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=8,
    max_position_embeddings=128,
    bos_token_id=1,
    eos_token_id=2,
    pad_token_id=0,
)
_SPECIALS = dict(bos_token_id=1, eos_token_id=2, pad_token_id=0)

CONFIGS = {
    "llama": lambda: transformers.LlamaConfig(**_DECODER),
    "qwen3": lambda: transformers.Qwen3Config(**_DECODER),
    "gemma": lambda: transformers.GemmaConfig(**_DECODER),
    # a window shorter than the test's prompts: its cache is of another kind than the full layers'
    "gemma3": lambda: transformers.Gemma3TextConfig(
        **_DECODER, sliding_window=6, layer_types=["sliding_attention", "full_attention"]
    ),
    "gpt-neox": lambda: transformers.GPTNeoXConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=128,
        **_SPECIALS,
    ),
    "gpt-neo": lambda: transformers.GPTNeoConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=48,
        num_layers=2,
        num_heads=4,
        window_size=6,
        attention_types=[[["global", "local"], 1]],
        max_position_embeddings=128,
        **_SPECIALS,
    ),
    "gpt2": lambda: transformers.GPT2Config(
        vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=4, n_positions=128, **_SPECIALS
    ),
}

BYTES = tokenizers.pre_tokenizers.ByteLevel.alphabet()


def byte_tokenizer(chat_template: str = "", specials: tuple[str, ...] = ()) -> transformers.PreTrainedTokenizerFast:
    """One token a byte, so that every Persian letter takes two: the hardest case for streaming."""
    names = ["<pad>", "<bos>", "<end>", *sorted(BYTES)]
    model = tokenizers.models.BPE(vocab={name: i for i, name in enumerate(names)}, merges=[])
    fast = tokenizers.Tokenizer(model)
    fast.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    fast.decoder = tokenizers.decoders.ByteLevel()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=fast,
        pad_token="<pad>",
        bos_token="<bos>",
        eos_token="<end>",
        padding_side="left",
        additional_special_tokens=list(specials),
    )
    tokenizer.chat_template = chat_template or None
    return tokenizer


BASE = BaseModel(id="tiny", context=128)


def build(kind: str, seed: int = 0) -> transformers.PreTrainedModel:
    """A random model, frozen, large enough weights that adapters and prompts change its choices."""
    torch.manual_seed(seed)
    model = transformers.AutoModelForCausalLM.from_config(CONFIGS[kind]()).float()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(0, 0.15)
    model.generation_config.eos_token_id = END
    return model.requires_grad_(False).eval()


def save_adapter(
    model: transformers.PreTrainedModel, folder: Path, *, seed: int = 1, strength: float = 0.3, **options
) -> Path:
    """An adapter with random A and B on a copy of the model, saved by PEFT. options: LoraConfig's."""
    options = {"r": 4, "lora_alpha": 8, "target_modules": "all-linear", "task_type": "CAUSAL_LM", **options}
    torch.manual_seed(seed)
    wrapped = get_peft_model(copy.deepcopy(model), LoraConfig(**options))
    with torch.no_grad():
        for name, parameter in wrapped.named_parameters():
            if "lora_B" in name:
                parameter.normal_(0, strength)
    wrapped.save_pretrained(folder)
    return folder


def load_with_peft(model: transformers.PreTrainedModel, folder: Path) -> PeftModel:
    """The reference: a copy of the model with one adapter, as anyone would load it."""
    return PeftModel.from_pretrained(copy.deepcopy(model), folder).eval()

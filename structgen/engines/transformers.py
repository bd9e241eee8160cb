"""A transformers model and its tokenizer behind the decode loop.

Prompts come in as text, token ids or chat messages (written by the tokenizer's own template) and are padded on the
left; every step is one `forward` over a DynamicCache with explicit position ids, so padding only adds float noise.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from transformers import Cache, DynamicCache

from structgen.errors import ModelError, OptionError, VocabularyError
from structgen.vocabulary import Vocabulary, check_model, token_ids

__all__ = ["Prompt", "TransformersEngine"]

CACHE_NAMES = ("cache", "past_key_values")  # since transformers 5.24, and before

_UNKNOWN_MEMORY = 4 << 30  # what a host is taken to have free that does not say (Windows)

Message: TypeAlias = Mapping[str, Any]
Prompt: TypeAlias = str | Sequence[int] | Sequence[Message]


@dataclass(slots=True)
class Context:
    """A batch being read: the cache (which the model extends in place) and which of its positions are not padding."""

    cache: DynamicCache
    attention: torch.Tensor


class TransformersEngine:
    """A decoder-only transformers model.

    Attributes: `model`, `tokenizer`, `vocabulary` (the tokenizer's, as wide as the model; stop ids are those of the
    tokenizer and of the model's generation config together), `cache_name` (of `forward`'s argument). VocabularyError
    when the two do not belong together, ModelError when `forward` takes no cache. Whoever gives the vocabulary, and
    prompts as token ids alone, needs no tokenizer.
    """

    def __init__(self, model: Any, tokenizer: Any, vocabulary: Vocabulary | None = None) -> None:
        if getattr(model.config, "is_encoder_decoder", False):
            raise ModelError(f"{type(model).__name__} is an encoder-decoder model; this engine runs decoder-only ones")
        self.model, self.tokenizer = model, tokenizer
        self.vocabulary = _vocabulary_of(model, tokenizer) if vocabulary is None else vocabulary
        self._parameters = _parameters(model)
        names = [name for name in CACHE_NAMES if name in self._parameters]
        if not names:
            raise ModelError(f"forward of {type(model).__name__} takes no cache ({' or '.join(CACHE_NAMES)})")
        self.cache_name = names[0]

    @property
    def has_chat_template(self) -> bool:
        """Whether the tokenizer knows how a chat is written."""
        return bool(getattr(self.tokenizer, "chat_template", None))

    @property
    def chat_template(self) -> str | None:
        """The template that writes chats with tools; None where there is none."""
        found = getattr(self.tokenizer, "chat_template", None)
        if isinstance(found, Mapping):
            found = found.get("tool_use") or found.get("default")
        return found or None

    def rows_that_fit(self, tokens: int) -> int:
        """How many sequences of `tokens` tokens can be decoded at once in half of the memory that is free: their keys
        and values, and four copies of their logits in float64."""
        config = self.model.config.get_text_config()
        heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        cached = 2 * config.num_hidden_layers * heads * width * self.model.dtype.itemsize
        return max(1, int(_free_bytes(self.device) // 2 // (tokens * cached + 32 * self.vocabulary.size)))

    @property
    def device(self) -> torch.device:
        """Where the model's inputs go."""
        return torch.device(self.model.device)

    def encode(self, prompt: Prompt) -> list[int]:
        """Token ids of text (special tokens as the tokenizer adds them), of chat messages, or ids as they are."""
        if isinstance(prompt, str):
            return self._started([int(i) for i in self.tokenizer(prompt)["input_ids"]])
        if prompt and isinstance(prompt[0], Mapping):
            return self._started(self.tokens_of(self.chat_text(prompt)))
        ids = [int(i) for i in prompt if not isinstance(i, Mapping)]
        for token_id in ids:
            if not 0 <= token_id < self.vocabulary.size:
                raise VocabularyError(f"prompt token {token_id} is outside the vocabulary of {self.vocabulary.size}")
        return self._started(ids)

    def chat_text(self, messages: Sequence[Any], **variables: Any) -> str:
        """A chat as the tokenizer's template writes it, up to where the model goes on; `variables` are the template's.

        Raises OptionError for one that the template refuses.
        """
        from jinja2 import TemplateError  # comes with what templates need

        if not self.has_chat_template:
            raise OptionError("the model's tokenizer has no chat template", option="prompt")
        try:
            return str(
                self.tokenizer.apply_chat_template(
                    list(messages), add_generation_prompt=True, tokenize=False, **variables
                )
            )
        except (TemplateError, TypeError) as error:
            raise OptionError(f"the chat template refuses these messages: {error}", option="messages") from error

    def tokens_of(self, text: str) -> list[int]:
        """How the tokenizer spells a text by itself: no token that begins or ends a prompt."""
        return [int(i) for i in self.tokenizer(text, add_special_tokens=False)["input_ids"]]

    def prefill(self, prompts: Sequence[Sequence[int]], reserve: int) -> tuple[torch.Tensor, Context]:
        """Logits (rows, vocabulary) after each prompt, and the context to extend by at most `reserve` tokens."""
        longest = max(len(prompt) for prompt in prompts)
        if min(len(prompt) for prompt in prompts) == 0:
            raise OptionError("a prompt has no tokens", option="prompt")
        self.check_length(longest + reserve)
        pad = self.vocabulary.stop_ids[0]  # masked out by the attention mask: any id of the vocabulary will do
        ids = torch.tensor([[pad] * (longest - len(prompt)) + list(prompt) for prompt in prompts], device=self.device)
        attention = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts])
        context = Context(DynamicCache(config=self.model.config), attention.to(self.device))
        positions = (context.attention.cumsum(dim=1) - 1).clamp(min=0)
        return self.forward(ids, positions, context), context

    def extend(self, tokens: Sequence[int], context: Context) -> torch.Tensor:
        """Append one token to every row; logits (rows, vocabulary) after each."""
        ids = torch.tensor(list(tokens), device=self.device).unsqueeze(1)
        context.attention = torch.nn.functional.pad(context.attention, (0, 1), value=1)
        return self.forward(ids, context.attention.sum(dim=1, keepdim=True) - 1, context)

    def forward(self, ids: torch.Tensor, positions: torch.Tensor, context: Context) -> torch.Tensor:
        """One call of the model; logits of the last position."""
        return self.call(ids, positions, context.attention, context.cache, last=True)[:, -1, :]

    @torch.no_grad()
    def call(
        self, ids: torch.Tensor, positions: torch.Tensor, attention: Any, cache: Cache, *, last: bool = False
    ) -> torch.Tensor:
        """(B, T or, with `last`, at least 1, V) logits after (B, T) ids; `attention` as the model takes it, the cache
        grows. Raises ModelError where the model returns something else."""
        inputs = self._inputs(self._parameters, ids, positions, attention, cache)
        if "logits_to_keep" in self._parameters:
            inputs["logits_to_keep"] = int(last)
        logits: torch.Tensor | None = self.model(**inputs).logits
        if logits is None or logits.ndim != 3 or logits.shape[0] != ids.shape[0]:
            raise ModelError(f"the model returned logits of shape {None if logits is None else tuple(logits.shape)}")
        return logits

    @torch.no_grad()
    def states(
        self, body: Any, ids: torch.Tensor, positions: torch.Tensor, attention: Any, cache: DynamicCache
    ) -> torch.Tensor:
        """(B, T, H): the same up to the model's last layer; `body` is the model without it."""
        inputs = self._inputs(_parameters(body), ids, positions, attention, cache)
        states: torch.Tensor = body(**inputs).last_hidden_state
        return states

    def _inputs(
        self, takes: frozenset[str], ids: torch.Tensor, positions: torch.Tensor, attention: Any, cache: Cache
    ) -> dict[str, Any]:
        inputs = {"input_ids": ids, "attention_mask": attention, self.cache_name: cache}
        optional = {"position_ids": positions, "use_cache": True, "return_dict": True}
        return inputs | {name: value for name, value in optional.items() if name in takes}

    def _started(self, ids: list[int]) -> list[int]:
        """A prompt the model can read: an empty one becomes the token that begins a text."""
        if ids:
            return ids
        begin = self.tokenizer.bos_token_id
        return [self.vocabulary.stop_ids[0] if begin is None else int(begin)]

    def check_length(self, tokens: int) -> None:
        """ModelError when the model cannot read that many tokens."""
        limit = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        if limit is not None and tokens > limit:
            raise ModelError(f"prompt and budget together are {tokens} tokens, the model reads {limit}")


def _free_bytes(device: torch.device) -> int:
    """Memory of a device that nobody uses; of the host's, and of devices that do not say, what the host has."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    names = os.sysconf_names if hasattr(os, "sysconf_names") else {}
    if "SC_AVPHYS_PAGES" not in names:
        return _UNKNOWN_MEMORY
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _parameters(model: Any) -> frozenset[str]:
    """Names of what `forward` takes; of an adapter around a model (PEFT), whose own signature is open, the model's."""
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    return frozenset(inspect.signature(inner.forward).parameters)


def _vocabulary_of(model: Any, tokenizer: Any) -> Vocabulary:
    """The tokenizer's vocabulary as wide as the model, after checking that the two belong together."""
    declared = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    stops = token_ids(declared, "eos_token_id")
    own = [] if tokenizer.eos_token_id is None else [int(tokenizer.eos_token_id)]
    check_model(Vocabulary.from_tokenizer(tokenizer, stop_ids=own or stops), model)
    rows = model.get_output_embeddings().weight.shape[0]
    return Vocabulary.from_tokenizer(tokenizer, size=int(rows), stop_ids=sorted({*own, *stops}))

"""A `.gguf` file as llama.cpp runs it, behind our decode loop: quantised weights stay quantised.

    from structgen.integrations.llama_cpp import LlamaCppEngine
    sg.generate(LlamaCppEngine("model.gguf"), "Ada is 36.", schema=Person)

Rows are sequences of one llama.cpp context, which is made for each batch and released with it. Inside llama.cpp's own
loop, `LogitsProcessor` (transformers.py) and `Vocabulary.from_llama_cpp` are all that is needed: docs/llama-cpp.md.

Needs llama-cpp-python (the extra [llama-cpp], which compiles llama.cpp). Cost: a step is llama.cpp's, and a copy of its
logits.
"""

from __future__ import annotations

import ctypes
import os
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from structgen.errors import ModelError, OptionError, VocabularyError
from structgen.vocabulary import Vocabulary

__all__ = ["LlamaCppEngine"]

_BATCH = 512  # tokens that llama.cpp is given at once


@dataclass(slots=True)
class Context:
    """A batch being read: llama.cpp's context, and how many tokens each of its sequences has."""

    handle: Any
    lengths: list[int]


class LlamaCppEngine:
    """A model of llama.cpp.

    path        of the .gguf file
    threads     that llama.cpp computes with; None: one per core
    gpu_layers  how many layers a llama.cpp built for a GPU puts there; -1: all

    Attributes: `vocabulary`, `chat_template` (what the file holds, or None). Raises ModelError where llama-cpp-python
    is missing or the file cannot be loaded.
    """

    def __init__(self, path: str | os.PathLike[str], *, threads: int | None = None, gpu_layers: int = 0) -> None:
        try:
            import llama_cpp as api
        except ModuleNotFoundError as error:
            raise ModelError(f"{error.name} is missing: pip install structgen-engine[llama-cpp]") from error
        self._api, self._threads = api, threads or os.cpu_count() or 1
        api.llama_log_set(_silent(api), ctypes.c_void_p(0))
        api.llama_backend_init()
        options = api.llama_model_default_params()
        options.n_gpu_layers = gpu_layers
        if not os.path.exists(path):
            raise ModelError(f"{os.fspath(path)} is not there")
        self._model = api.llama_model_load_from_file(os.fspath(path).encode(), options)
        if not self._model:
            raise ModelError(f"{os.fspath(path)} cannot be read as a model")
        weakref.finalize(self, api.llama_model_free, self._model)
        self._vocab = api.llama_model_get_vocab(self._model)
        self.vocabulary = Vocabulary.from_llama_cpp(self._model)
        template = api.llama_model_chat_template(self._model, None)
        self.chat_template: str | None = template.decode() if template else None
        self._most = int(api.llama_model_n_ctx_train(self._model))

    @property
    def has_chat_template(self) -> bool:
        """Whether the file says how a chat is written."""
        return self.chat_template is not None

    def encode(self, prompt: Any) -> list[int]:
        """Token ids of text, of chat messages, or ids as they are."""
        if isinstance(prompt, str):
            return self._started(self._tokens(prompt, whole=True))
        if prompt and isinstance(prompt[0], Mapping):
            return self._started(self.tokens_of(self.chat_text(prompt)))
        ids = [int(i) for i in prompt]
        for token in ids:
            if not 0 <= token < self.vocabulary.size:
                raise VocabularyError(f"prompt token {token} is outside the vocabulary of {self.vocabulary.size}")
        return self._started(ids)

    def chat_text(self, messages: Sequence[Any], **variables: Any) -> str:
        """A chat as the file's template writes it, up to where the model goes on. Raises OptionError for one that it
        refuses."""
        from jinja2 import TemplateError  # comes with llama-cpp-python
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        def refuse(reason: str) -> None:
            raise TemplateError(reason)

        if self.chat_template is None:
            raise OptionError("the model's file has no chat template", option="prompt")
        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
        environment.globals["raise_exception"] = refuse
        names = {name: self._text(getattr(self._api, f"llama_vocab_{name[:3]}")(self._vocab)) for name in _NAMES}
        try:
            template = environment.from_string(self.chat_template)
            return template.render(messages=list(messages), add_generation_prompt=True, **names, **variables)
        except (TemplateError, TypeError) as error:
            raise OptionError(f"the chat template refuses these messages: {error}", option="messages") from error

    def tokens_of(self, text: str) -> list[int]:
        """How the tokenizer spells a text by itself: no token that begins or ends a prompt."""
        return self._tokens(text, whole=False)

    def check_length(self, tokens: int) -> None:
        """ModelError when the model cannot read that many tokens."""
        if tokens > self._most:
            raise ModelError(f"prompt and budget together are {tokens} tokens, the model reads {self._most}")

    def prefill(self, prompts: Sequence[Sequence[int]], reserve: int) -> tuple[torch.Tensor, Context]:
        """Logits (rows, vocabulary) after each prompt, and the context to extend by at most `reserve` tokens."""
        if min(len(prompt) for prompt in prompts) == 0:
            raise OptionError("a prompt has no tokens", option="prompt")
        longest = max(len(prompt) for prompt in prompts) + reserve
        self.check_length(longest)
        context = Context(self._context(len(prompts), longest), [0] * len(prompts))
        return self._read(prompts, context), context

    def extend(self, tokens: Sequence[int], context: Context) -> torch.Tensor:
        """Append one token to every row; logits (rows, vocabulary) after each."""
        return self._read([[token] for token in tokens], context)

    # ----------------------------------------------------------------------------------------------------- llama.cpp

    def _context(self, rows: int, length: int) -> Any:
        """A context with room for so many sequences of this length, released with what is returned."""
        options = self._api.llama_context_default_params()
        options.n_seq_max = rows
        options.n_ctx = rows * -(-length // 256) * 256  # each sequence has its share, which llama.cpp rounds
        options.n_batch = options.n_ubatch = max(_BATCH, rows)
        options.n_threads = options.n_threads_batch = self._threads
        handle = self._api.llama_init_from_model(self._model, options)
        if not handle:
            raise ModelError(f"llama.cpp has no memory for {rows} sequences of {length} tokens")
        return _Held(handle, self._api.llama_free, self)

    def _read(self, texts: Sequence[Sequence[int]], context: Context) -> torch.Tensor:
        """Append texts to the rows of a context; logits (rows, vocabulary) after each."""
        jobs = [
            (token, context.lengths[row] + place, row, place == len(text) - 1)
            for row, text in enumerate(texts)
            for place, token in enumerate(text)
        ]
        size = max(_BATCH, len(texts))
        found = torch.empty((len(texts), self.vocabulary.size), dtype=torch.float32)
        for begin in range(0, len(jobs), size):
            self._decode(jobs[begin : begin + size], context.handle.value, found)
        context.lengths = [length + len(text) for length, text in zip(context.lengths, texts, strict=True)]
        return found

    def _decode(self, jobs: list[tuple[int, int, int, bool]], handle: Any, found: torch.Tensor) -> None:
        """One call of llama.cpp: (token, position, row, whether its logits are asked for) of each token."""
        batch = self._api.llama_batch_init(len(jobs), 0, 1)
        try:
            batch.n_tokens = len(jobs)
            for at, (token, position, row, asked) in enumerate(jobs):
                batch.token[at], batch.pos[at] = token, position
                batch.n_seq_id[at], batch.seq_id[at][0] = 1, row
                batch.logits[at] = asked
            code = self._api.llama_decode(handle, batch)
        finally:
            self._api.llama_batch_free(batch)
        if code:
            raise ModelError(f"llama.cpp ended a step with {code}")
        for at, (_, _, row, asked) in enumerate(jobs):
            if asked:
                logits = self._api.llama_get_logits_ith(handle, at)
                found[row] = torch.from_numpy(np.ctypeslib.as_array(logits, (self.vocabulary.size,)))

    def _tokens(self, text: str, *, whole: bool) -> list[int]:
        """Tokens of a text, special ones by their names; `whole`: with what begins a prompt."""
        data = text.encode()
        tokens = (self._api.llama_token * (len(data) + 8))()
        count = self._api.llama_tokenize(self._vocab, data, len(data), tokens, len(tokens), whole, True)
        if count < 0:
            raise ModelError(f"llama.cpp does not tokenize the prompt: {count}")
        return list(tokens[:count])

    def _started(self, ids: list[int]) -> list[int]:
        """A prompt the model can read: an empty one becomes the token that begins a text."""
        if ids:
            return ids
        begin = self._api.llama_vocab_bos(self._vocab)
        return [self.vocabulary.stop_ids[0] if begin < 0 else int(begin)]

    def _text(self, token: int) -> str:
        return "" if token < 0 else str(self._api.llama_vocab_get_text(self._vocab, token).decode())


_NAMES = ("bos_token", "eos_token")


class _Held:
    """A pointer that is released with this object, and keeps alive what it points into."""

    def __init__(self, value: Any, release: Any, owner: Any) -> None:
        self.value, self._owner = value, owner
        weakref.finalize(self, release, value)


_callbacks: list[Any] = []  # llama.cpp calls it as long as the process lives


def _silent(api: Any) -> Any:
    """A log that drops everything."""
    if not _callbacks:
        _callbacks.append(api.llama_log_callback(lambda level, text, data: None))
    return _callbacks[0]

"""What SGLang's scheduler asks of a grammar backend, written on its own base classes; sglang.py puts it in its place.

    key of a request  ("json" | "regex" | "ebnf" | "structural_tag", text)
    -> grammar text, lowered in a process beside (lowering.py) -> Constraint -> a Follower per request (follower.py)

Three traps: SGLang does not put a registered backend into its reasoning wrapper, so it is done here; it compiles in as
many threads as there are requests, here in two; and its cache of grammars grows without bound, here to a thousand.
A request's budget is not known to a backend, so texts are not completed. Cost: that of vLLM's (vllm_backend.py).
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from sglang.srt.constrained.base_grammar_backend import (
    BaseGrammarBackend,
    BaseGrammarObject,
    InvalidGrammarObject,
)
from sglang.srt.runtime_context import get_serving

from structgen.bits import words_for
from structgen.compiler import compile_grammar
from structgen.engines.masking import apply_table
from structgen.errors import OptionError, StructgenError
from structgen.grammars.json_schema.style import JsonStyle
from structgen.integrations.follower import Follower
from structgen.integrations.lowering import Lowerer, grammar_of
from structgen.vocabulary import Vocabulary, token_ids

__all__ = ["Backend", "RequestGrammar", "make"]

_ANY = "$$ANY$$"  # how SGLang spells "some JSON object"
_MOST = 1000  # grammars that are remembered


def make(tokenizer: Any, vocab_size: int, eos_token_ids: Any) -> Any:
    """The backend, inside SGLang's reasoning wrapper where the server parses reasoning. Raises OptionError for settings
    that are not done, VocabularyError."""
    serving = get_serving()
    if serving.constrained_json_whitespace_pattern:
        raise OptionError("structgen writes no whitespace pattern", option="constrained_json_whitespace_pattern")
    if serving.enable_strict_thinking:
        raise OptionError("structgen does not filter tokens of reasoning", option="enable_strict_thinking")
    own = token_ids(getattr(tokenizer, "eos_token_id", None), "eos_token_id")
    stops = sorted({*own, *token_ids(eos_token_ids, "eos_token_ids")})
    found = Backend(Vocabulary.from_tokenizer(tokenizer, size=vocab_size, stop_ids=stops), _style(serving))
    if not serving.reasoning_parser:
        return found
    from sglang.srt.constrained.reasoner_grammar_backend import ReasonerGrammarBackend
    from sglang.srt.parser.reasoning_parser import ReasoningParser

    parser = ReasoningParser(model_type=serving.reasoning_parser, stream_reasoning=False, tokenizer=tokenizer)
    return ReasonerGrammarBackend(found, parser, tokenizer)


def _style(serving: Any) -> JsonStyle:
    """How JSON is spelled, by the server's settings."""
    if serving.constrained_json_disable_any_whitespace:
        return JsonStyle(whitespace="json_dumps")
    most = serving.constrained_json_max_whitespace_cnt
    return JsonStyle() if most is None else JsonStyle(whitespace=int(most))


class RequestGrammar(BaseGrammarObject):  # type: ignore[misc] # SGLang has no types
    """One request's grammar; a copy of one that has taken nothing is another request's."""

    def __init__(self, follower: Follower) -> None:
        super().__init__()
        self.follower = follower

    def accept_token(self, token: int) -> None:
        """Take a token. Raises ValueError, and nothing changed, where it is not allowed: SGLang ends the request."""
        if not self.follower.take(token):
            raise ValueError(f"token {token} is not allowed by the request's constraint")
        self.current_token = token  # by which SGLang knows whether a token was taken already

    def rollback(self, k: int) -> None:
        """Undo the last tokens."""
        self.follower.back(k)

    def is_terminated(self) -> bool:
        """Whether a stop token was taken."""
        return self.follower.is_finished

    def copy(self) -> RequestGrammar:
        """A grammar for another request."""
        return RequestGrammar(self.follower.fork())

    @staticmethod
    def allocate_vocab_mask(vocab_size: int, batch_size: int, device: Any) -> torch.Tensor:
        """i32 (batch_size, ceil(vocab_size / 32)) on the CPU, everything allowed."""
        return torch.full((batch_size, words_for(vocab_size)), -1, dtype=torch.int32)

    def fill_vocab_mask(self, vocab_mask: torch.Tensor, idx: int) -> None:
        """Write what may come next into a row; behind the end of a text everything may."""
        self._fill(vocab_mask.numpy().view(np.uint32)[idx])

    @staticmethod
    def fill_vocab_mask_batched(entries: Any, vocab_mask: torch.Tensor) -> None:
        """The same for (row, grammar) of many requests; a grammar in another wrapper fills its own."""
        words = vocab_mask.numpy().view(np.uint32)
        for row, grammar in entries:
            if isinstance(grammar, RequestGrammar):
                grammar._fill(words[row])
            else:
                grammar.fill_vocab_mask(vocab_mask, row)

    def _fill(self, row: Any) -> None:
        if self.follower.is_finished:
            row[:] = 0xFFFFFFFF
        else:
            self.follower.fill(row)

    @staticmethod
    def reset_vocab_mask(vocab_mask: torch.Tensor) -> None:
        """Allow everything again."""
        vocab_mask.fill_(-1)

    @staticmethod
    def move_vocab_mask(vocab_mask: torch.Tensor, device: Any) -> torch.Tensor:
        """The mask on a device."""
        return vocab_mask.to(device, non_blocking=True)

    @staticmethod
    def apply_vocab_mask(logits: torch.Tensor, vocab_mask: torch.Tensor) -> None:
        """Set the logits (B, L) of what is not allowed to -inf, in place."""
        apply_table(logits, vocab_mask, torch.arange(len(vocab_mask), dtype=torch.int32, device=vocab_mask.device))


class Backend(BaseGrammarBackend):  # type: ignore[misc] # SGLang has no types
    """Compiles the grammars of requests."""

    # what SGLang's reasoning wrapper asks of the backend for requests without a grammar
    allocate_vocab_mask = staticmethod(RequestGrammar.allocate_vocab_mask)
    move_vocab_mask = staticmethod(RequestGrammar.move_vocab_mask)
    apply_vocab_mask = staticmethod(RequestGrammar.apply_vocab_mask)

    def __init__(self, vocabulary: Vocabulary, style: JsonStyle) -> None:
        super().__init__()
        self.executor.shutdown()
        self.executor: ThreadPoolExecutor = ThreadPoolExecutor(2, thread_name_prefix="structgen")
        self.vocabulary, self._style, self._lowerer = vocabulary, style, Lowerer(vocabulary)

    def dispatch_json(self, key_string: str) -> Any:
        """Of a JSON Schema."""
        return self._made("json_object", "") if key_string == _ANY else self._made("json", key_string)

    def dispatch_regex(self, key_string: str) -> Any:
        """Of a pattern."""
        return self._made("regex", key_string)

    def dispatch_ebnf(self, key_string: str) -> Any:
        """Of a grammar."""
        return self._made("grammar", key_string)

    def dispatch_structural_tag(self, key_string: str) -> Any:
        """Of a structural tag; a schema that is null, as SGLang's tool parsers write it, is any JSON."""
        try:
            tag = json.loads(key_string)
        except ValueError as error:
            return InvalidGrammarObject(f"a structural tag is JSON: {error}")
        return self._made("structural_tag", json.dumps(_filled(tag)))

    def set_cache(self, key: tuple[str, str], value: Any) -> None:
        """Remember a grammar, the oldest of too many no more."""
        if len(self.cache) >= _MOST:
            self.cache.pop(next(iter(self.cache)))
        super().set_cache(key, value)

    def _made(self, kind: str, text: str) -> Any:
        """The grammar, or SGLang's object that says why there is none."""
        try:
            grammar = grammar_of(self._lowerer.lowered(kind, text, self._style))
            return RequestGrammar(Follower(compile_grammar(grammar, self.vocabulary).matcher()))
        except StructgenError as error:
            return InvalidGrammarObject(str(error))


def _filled(tag: Any) -> Any:
    """A structural tag whose missing schemas allow any JSON."""
    if isinstance(tag, list):
        return [_filled(each) for each in tag]
    if not isinstance(tag, dict):
        return tag
    found = {name: value if name in ("json_schema", "schema") else _filled(value) for name, value in tag.items()}
    if found.get("type") in ("json_schema", "qwen_xml_parameter") and found.get("json_schema") is None:
        found["json_schema"] = {}
    if "begin" in found and "schema" in found and found["schema"] is None:
        found["schema"] = {}
    return found

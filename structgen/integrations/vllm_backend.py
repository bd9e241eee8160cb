"""What vLLM asks of structgen, in its two processes: `FrontEnd` and `Backend`; vllm.py puts them in their places.

A request's constraint goes from one to the other as grammar text in the place of a grammar, behind a mark that no
client can spell; what is read there is checked, whoever wrote it (grammars/storage.py).

Exact at every step, with drafts as without: a schema is enforced or refused with the reason. docs/vllm.md says how to
use it and what it does not do. Cost: of a warm mask a copy; `python -m benchmarks vllm`.
"""

from __future__ import annotations

import json
import secrets
import weakref
from typing import Any

import numpy as np

from structgen.api.compile import Compiled, Remembered
from structgen.bits import words_for
from structgen.compiler import compile_grammar
from structgen.errors import OptionError
from structgen.grammars.json_schema.style import JsonStyle
from structgen.integrations.follower import Follower
from structgen.integrations.lowering import KINDS, Lowerer, grammar_of
from structgen.matcher import Constraint
from structgen.vocabulary import Vocabulary, token_ids

__all__ = ["Backend", "FrontEnd", "RequestGrammar", "vocabulary_of"]

_NAME = "structgen"
_MARK = "structgen grammar "  # what a lowered constraint begins with
_SHORT = 2000  # bytes of a text that is walked when its constraint is compiled
_MOST, _MOST_BYTES = 1024, 1 << 30  # of constraints that an engine remembers


def vocabulary_of(tokenizer: Any, model_config: Any) -> Vocabulary:
    """The tokenizer's vocabulary as wide as the model's logits, ended by what ends vLLM's requests. Raises
    VocabularyError."""
    declared = token_ids(model_config.try_get_generation_config().get("eos_token_id"), "eos_token_id")
    own = token_ids(getattr(tokenizer, "eos_token_id", None), "eos_token_id")
    size = int(model_config.get_vocab_size())
    return Vocabulary.from_tokenizer(tokenizer, size=size, stop_ids=sorted({*own, *declared}))


class FrontEnd:
    """Lowers the constraints of requests before they are queued."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.lowerer = Lowerer(vocabulary)
        self._mark = f"{_MARK}{secrets.token_hex(8)}\n"  # no request can spell it

    def lowered(self, asked: Any) -> Any:
        """The same constraint as grammar text. Raises what `structgen.compile` raises."""
        if isinstance(asked.grammar, str) and asked.grammar.startswith(self._mark):
            return asked  # SamplingParams that are used again
        kind, text, style = _asked(asked)
        found = type(asked)(grammar=self._mark + self.lowerer.lowered(kind, text, style))
        found._backend = _NAME
        return found


def _asked(asked: Any) -> tuple[str, str, JsonStyle]:
    """What a request asks for, as kind and text, and how JSON is spelled."""
    for option in ("whitespace_pattern", "disable_additional_properties"):
        if getattr(asked, option):
            raise OptionError(f"structured_outputs.{option} is not done by structgen", option=option)
    if asked.json_object is False:
        raise OptionError("json_object is true or left out", option="json_object")
    style = JsonStyle(whitespace="json_dumps" if asked.disable_any_whitespace else "flexible")
    ((kind, value),) = ((name, getattr(asked, name)) for name in KINDS if getattr(asked, name) is not None)
    if kind == "json_object":
        return kind, "", style
    return kind, value if isinstance(value, str) else json.dumps(value), style


# ---------------------------------------------------------------------------------------------------------- EngineCore


class Backend:
    """What vLLM's manager asks of a backend: a `StructuredOutputBackend`."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self._constraints = Remembered(most=_MOST, most_bytes=_MOST_BYTES)
        self._bitmask: Any = None
        self._words = np.zeros((0, 0), np.uint32)
        _walk(compile_grammar(grammar_of(_WARM), vocabulary))  # kernels and trie, before a request waits

    def compile_grammar(
        self, request_type: Any, grammar_spec: str, stop_token_ids: set[int] | None = None
    ) -> RequestGrammar:
        """A request's grammar. Raises ValueError for text that no front end of ours wrote, and LimitExceeded."""
        if not grammar_spec.startswith(_MARK):
            raise ValueError("STRUCTGEN_VLLM=1 is set in the engine and not in the front end")
        text = grammar_spec.partition("\n")[2]

        def make() -> Compiled:
            constraint = compile_grammar(grammar_of(text), self.vocabulary)
            _walk(constraint)
            return constraint, None

        constraint, _ = self._constraints.get(text, make)
        return RequestGrammar(self, Follower(constraint.matcher(), stop_token_ids or ()))

    def allocate_token_bitmask(self, max_num_seqs: int) -> Any:
        """i32 (max_num_seqs, ceil(V / 32)) on the CPU, everything allowed."""
        import torch

        self._bitmask = torch.full((max_num_seqs, words_for(self.vocabulary.size)), -1, dtype=torch.int32)
        self._words = self._bitmask.numpy().view(np.uint32)
        return self._bitmask

    def words(self, bitmask: Any) -> np.ndarray[Any, np.dtype[np.uint32]]:
        """The rows of a bitmask as numpy sees them; of the one that was allocated last they are at hand."""
        return self._words if bitmask is self._bitmask else bitmask.numpy().view(np.uint32)

    def destroy(self) -> None:
        """Forget all constraints."""
        self._constraints.clear()


def _walk(constraint: Constraint) -> None:
    """Make the masks along the shortest text, which most texts pass: here a thread waits for them, in a step all rows
    do. It takes a millisecond of compiling, and a third of what masks cost at first (`python -m benchmarks vllm`)."""
    matcher = constraint.matcher()
    if matcher.bytes_to_accept() < _SHORT:
        for token in matcher.shortest_completion():
            matcher.mask()
            matcher.accept(token)
    matcher.mask()


class RequestGrammar:
    """What vLLM's scheduler asks of a request's grammar: a `StructuredOutputGrammar`. Nothing here raises."""

    __slots__ = ("_backend", "_follower")

    def __init__(self, backend: Backend, follower: Follower) -> None:
        self._backend, self._follower = backend, follower

    def steer(self, request: Any, context: int) -> None:
        """End a request's text within its `max_tokens` and the model's context."""
        known = weakref.ref(request)  # the request holds this grammar

        def count() -> int:
            found = known()
            return 0 if found is None else int(found.num_output_tokens)

        most = context - request.num_prompt_tokens
        self._follower.steer(most if request.max_tokens is None else min(request.max_tokens, most), count)

    def accept_tokens(self, request_id: str, tokens: list[int]) -> bool:
        """Take drawn or drafted tokens; False, and nothing changed, where one is not allowed."""
        return self._follower.take_all(tokens)

    def validate_tokens(self, tokens: list[int]) -> list[int]:
        """The first of some drafted tokens, as far as they are allowed."""
        return tokens[: self._follower.allowed(tokens)]

    def rollback(self, num_tokens: int) -> None:
        """Undo the last tokens."""
        self._follower.back(num_tokens)

    def fill_bitmask(self, bitmask: Any, batch_index: int) -> None:
        """Write what may come next into a row of the bitmask."""
        self._follower.fill(self._backend.words(bitmask)[batch_index])

    def is_terminated(self) -> bool:
        """Whether a stop token was taken: rows are not masked any more."""
        return self._follower.is_finished

    def reset(self) -> None:
        """Go back to the beginning."""
        self._follower.back(len(self._follower))


_WARM = '{"expressions":[["Literal","a"]],"rules":[["warm",0]],"start":0,"common":0,"distinct":[]}'

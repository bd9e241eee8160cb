"""structgen as the structured-output backend of vLLM: `STRUCTGEN_VLLM=1`, and nothing else changes.

    front end     SamplingParams.structured_outputs -> grammar text, lowered in a process beside (lowering.py)
    EngineCore    grammar text -> Constraint, remembered; a Follower per request (follower.py)

vLLM has no registry of backends. It loads `register` as a plugin (the group vllm.general_plugins) into the front end,
the EngineCore and every worker, and `register` replaces three methods: the one that checks a request's constraint, so
that bad ones are refused with HTTP 400 before they are queued; the constructor of the manager of backends; and the one
that makes a request's grammar, where `max_tokens` is known. It does nothing unless the variable is set, does it once,
and raises for versions it was not run with, which ends the engine at its start.

Exact at every step, with drafts as without: a schema is enforced or refused with the reason. docs/vllm.md says how to
use it and what it does not do. Cost: of a warm mask a copy; `python -m benchmarks vllm`.
"""

from __future__ import annotations

import functools
import json
import os
import secrets
import weakref
from typing import Any

import numpy as np

from structgen.api.compile import Compiled, Remembered
from structgen.bits import words_for
from structgen.compiler import compile_grammar
from structgen.errors import OptionError, StructgenError
from structgen.grammars.json_schema.style import JsonStyle
from structgen.grammars.lark.stored import read_lexed
from structgen.grammars.storage import read_grammar
from structgen.integrations.follower import Follower
from structgen.integrations.lowering import KINDS, Lowerer
from structgen.memory import Bounded
from structgen.vocabulary import Vocabulary, token_ids

__all__ = ["VERSIONS", "Backend", "FrontEnd", "RequestGrammar", "register", "vocabulary_of"]

VERSIONS = ("0.32",)
SWITCH = "STRUCTGEN_VLLM"
_NAME = "structgen"
_MARK = "structgen grammar "  # what a lowered constraint begins with, in the place of a grammar's text
_MOST, _MOST_BYTES = 1024, 1 << 30  # of constraints that an engine remembers


def register() -> None:
    """What vLLM's plugin loader calls. Raises OptionError for a version of vLLM that this was not run with."""
    if os.environ.get(SWITCH) != "1":
        return
    import vllm
    from vllm.sampling_params import SamplingParams
    from vllm.v1.structured_output import StructuredOutputManager

    if not vllm.__version__.startswith(tuple(f"{version}." for version in VERSIONS)):
        known = " and ".join(VERSIONS)
        raise OptionError(f"vLLM {vllm.__version__}: structgen was run with {known} alone", option=SWITCH)
    if getattr(SamplingParams, "structgen", None) is None:
        patch(SamplingParams, StructuredOutputManager)


def patch(params: Any, manager: Any) -> None:
    """Replace the three methods of vLLM's two classes."""
    front_ends: Bounded[tuple[Any, ...], FrontEnd] = Bounded(4)  # one for each model that a process serves

    def validate(self: Any, model_config: Any, config: Any, tokenizer: Any) -> None:
        if config is not None and self.structured_outputs is not None:
            _check_config(config)
            self.structured_outputs = _front_end(front_ends, model_config, tokenizer).lowered(self.structured_outputs)

    make, create = manager.__init__, manager._create_grammar

    @functools.wraps(make)
    def init(self: Any, vllm_config: Any) -> None:
        make(self, vllm_config)
        _check_config(vllm_config.structured_outputs_config)
        if not vllm_config.model_config.skip_tokenizer_init:
            self.backend = Backend(vocabulary_of(self.tokenizer, vllm_config.model_config))

    @functools.wraps(create)
    def create_grammar(self: Any, request: Any) -> Any:
        grammar = create(self, request)
        grammar.steer(request, self.vllm_config.model_config.max_model_len)
        return grammar

    params.structgen = True
    params._validate_structured_outputs = validate
    manager.__init__ = init
    manager._create_grammar = create_grammar


def vocabulary_of(tokenizer: Any, model_config: Any) -> Vocabulary:
    """The tokenizer's vocabulary as wide as the model's logits, ended by what ends vLLM's requests. Raises
    VocabularyError."""
    declared = token_ids(model_config.try_get_generation_config().get("eos_token_id"), "eos_token_id")
    own = token_ids(getattr(tokenizer, "eos_token_id", None), "eos_token_id")
    size = int(model_config.get_vocab_size())
    return Vocabulary.from_tokenizer(tokenizer, size=size, stop_ids=sorted({*own, *declared}))


def _check_config(config: Any) -> None:
    """Refuse what the operator asks of another backend."""
    if config.backend != "auto":
        reason = f"vLLM is told to use {config.backend!r} and {SWITCH}=1 says structgen: leave one of them out"
        raise OptionError(reason, option=SWITCH)


# ----------------------------------------------------------------------------------------------------------- front end


def _front_end(known: Bounded[tuple[Any, ...], FrontEnd], model_config: Any, tokenizer: Any) -> FrontEnd:
    if model_config.is_diffusion:
        raise _refusal("a model that writes tokens in any order cannot be constrained")
    if tokenizer is None:
        raise _refusal("a constraint needs the tokenizer, which skip_tokenizer_init leaves out")
    key = (model_config.tokenizer, model_config.tokenizer_revision, model_config.get_vocab_size())
    if key not in known:
        known.remember(key, FrontEnd(vocabulary_of(tokenizer, model_config)))
    return known[key]


class FrontEnd:
    """Lowers the constraints of requests before they are queued."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.lowerer = Lowerer(vocabulary)
        self._mark = f"{_MARK}{secrets.token_hex(8)}\n"  # no request can spell it

    def lowered(self, asked: Any) -> Any:
        """The same constraint as grammar text. Raises vLLM's validation error, which is HTTP 400."""
        if isinstance(asked.grammar, str) and asked.grammar.startswith(self._mark):
            return asked  # SamplingParams that are used again
        try:
            kind, text, style = _asked(asked)
            grammar = self._mark + self.lowerer.lowered(kind, text, style)
        except StructgenError as error:
            raise _refusal(str(error)) from error
        found = type(asked)(grammar=grammar)
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


def _refusal(reason: str) -> Exception:
    from vllm.exceptions import VLLMValidationError

    refusal: Exception = VLLMValidationError(reason)
    return refusal


# ---------------------------------------------------------------------------------------------------------- EngineCore


class Backend:
    """What vLLM's manager asks of a backend: a `StructuredOutputBackend`."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self._constraints = Remembered(most=_MOST, most_bytes=_MOST_BYTES)
        self._bitmask: Any = None
        self._words = np.zeros((0, 0), np.uint32)
        warm = compile_grammar(read_grammar(_WARM), vocabulary).matcher()  # kernels and trie, before a request waits
        warm.mask()

    def compile_grammar(
        self, request_type: Any, grammar_spec: str, stop_token_ids: set[int] | None = None
    ) -> RequestGrammar:
        """A request's grammar. Raises ValueError for text that no front end of ours wrote, and LimitExceeded."""
        if not grammar_spec.startswith(_MARK):
            raise ValueError(f"{SWITCH}=1 is set in the engine and not in the front end")
        text = grammar_spec.partition("\n")[2]

        def make() -> Compiled:
            lexed = text.startswith('{"lark":')
            return compile_grammar(read_lexed(json.loads(text)) if lexed else read_grammar(text), self.vocabulary), None

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

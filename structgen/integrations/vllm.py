"""structgen as the structured-output backend of vLLM: `STRUCTGEN_VLLM=1`, and nothing else changes.

    front end     SamplingParams.structured_outputs -> grammar text, lowered in a process beside (lowering.py)
    EngineCore    grammar text -> Constraint, remembered; a Follower per request (vllm_backend.py)

vLLM has no registry of backends. It loads `register` as a plugin (the group vllm.general_plugins) into the front end,
the EngineCore and every worker, and `register` replaces three methods: the one that checks a request's constraint, so
that bad ones are refused with HTTP 400 before they are queued; the constructor of the manager of backends; and the one
that makes a request's grammar, where `max_tokens` is known. It does nothing unless the variable is set, does it once,
and raises for versions it was not run with, which ends the engine at its start.

Nothing of the compiler is imported before a replaced method is called: a worker of vLLM 0.32 on CPUs looks into every
module that is loaded, and fails at those of llvmlite.
"""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, Any

from structgen.errors import OptionError, StructgenError

if TYPE_CHECKING:
    from structgen.integrations.vllm_backend import FrontEnd

__all__ = ["SWITCH", "VERSIONS", "patch", "register"]

VERSIONS = ("0.32",)
SWITCH = "STRUCTGEN_VLLM"


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
    front_ends: dict[tuple[Any, ...], FrontEnd] = {}  # one for each model that the process serves

    def validate(self: Any, model_config: Any, config: Any, tokenizer: Any) -> None:
        if config is not None and self.structured_outputs is not None:
            _check_config(config)
            self.structured_outputs = _lowered(front_ends, self.structured_outputs, model_config, tokenizer)

    make, create = manager.__init__, manager._create_grammar

    @functools.wraps(make)
    def init(self: Any, vllm_config: Any) -> None:
        from structgen.integrations.vllm_backend import Backend, vocabulary_of

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


def _check_config(config: Any) -> None:
    """Refuse what the operator asks of another backend."""
    if config.backend != "auto":
        reason = f"vLLM is told to use {config.backend!r} and {SWITCH}=1 says structgen: leave one of them out"
        raise OptionError(reason, option=SWITCH)


def _lowered(front_ends: dict[tuple[Any, ...], FrontEnd], asked: Any, model_config: Any, tokenizer: Any) -> Any:
    """A request's constraint as grammar text. Raises vLLM's validation error, which is HTTP 400."""
    from vllm.exceptions import VLLMValidationError

    from structgen.integrations.vllm_backend import FrontEnd, vocabulary_of

    if model_config.is_diffusion:
        raise VLLMValidationError("a model that writes tokens in any order cannot be constrained")
    if tokenizer is None:
        raise VLLMValidationError("a constraint needs the tokenizer, which skip_tokenizer_init leaves out")
    key = (model_config.tokenizer, model_config.tokenizer_revision, model_config.get_vocab_size())
    try:
        if key not in front_ends:
            front_ends[key] = FrontEnd(vocabulary_of(tokenizer, model_config))
        return front_ends[key].lowered(asked)
    except StructgenError as error:
        raise VLLMValidationError(str(error)) from error

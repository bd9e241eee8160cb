"""As much of vLLM as structgen's backend meets, written from its contract: what it calls, in which order, with what.

`tests/integrations/test_vllm_real.py` runs the same backend in the real one.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any

import torch


class VLLMValidationError(Exception):
    """What the server answers with HTTP 400."""


@dataclass
class StructuredOutputsParams:
    json: Any = None
    regex: str | None = None
    choice: list[str] | None = None
    grammar: str | None = None
    json_object: bool | None = None
    disable_any_whitespace: bool = False
    disable_additional_properties: bool = False
    whitespace_pattern: str | None = None
    structural_tag: str | None = None
    _backend: str | None = field(default=None, init=False)


@dataclass
class ModelConfig:
    tokenizer: str = "nano"
    tokenizer_revision: str | None = None
    vocab_size: int = 0
    is_diffusion: bool = False
    skip_tokenizer_init: bool = False
    max_model_len: int = 256
    eos: Any = None

    def get_vocab_size(self) -> int:
        return self.vocab_size

    def try_get_generation_config(self) -> dict[str, Any]:
        return {} if self.eos is None else {"eos_token_id": self.eos}


@dataclass
class Request:
    """A request in the scheduler."""

    request_id: str
    params: StructuredOutputsParams
    max_tokens: int | None = 64
    num_prompt_tokens: int = 10
    stop_token_ids: tuple[int, ...] = ()
    output: list[int] = field(default_factory=list)
    grammar: Any = None

    @property
    def num_output_tokens(self) -> int:
        return len(self.output)


def modules(version: str, config: Any, tokenizer: Any) -> dict[str, ModuleType]:
    """Fresh modules, whose classes nobody has patched."""

    class SamplingParams:
        def __init__(self, **asked: Any) -> None:
            self.structured_outputs = StructuredOutputsParams(**asked)

        def _validate_structured_outputs(self, model_config: Any, config: Any, tokenizer: Any) -> None:
            raise AssertionError("vLLM's own check was asked")

        def verify(self) -> None:
            """What the front end does with a request before it is queued."""
            self._validate_structured_outputs(config.model_config, config.structured_outputs_config, tokenizer)

    class StructuredOutputManager:
        def __init__(self, vllm_config: Any) -> None:
            self.backend: Any = None
            self.vllm_config = vllm_config
            self.tokenizer = tokenizer
            self.bitmask: Any = None

        def _create_grammar(self, request: Request) -> Any:
            spec = request.params.grammar
            assert isinstance(spec, str)
            return self.backend.compile_grammar("GRAMMAR", spec, stop_token_ids=set(request.stop_token_ids))

        def grammar_init(self, request: Request) -> None:
            assert self.backend is not None, "vLLM would choose a backend of its own"
            request.grammar = self._create_grammar(request)

        def step(self, requests: list[Request], drafts: dict[str, list[int]], most: int = 4) -> torch.Tensor:
            """The masks of a step: a row for every drafted token, and one for what follows."""
            if self.bitmask is None:
                self.bitmask = self.backend.allocate_token_bitmask(len(requests) * (1 + most))
            at = 0
            for request in requests:
                grammar, advanced, failed = request.grammar, 0, False
                for token in [*drafts.get(request.request_id, []), None]:
                    if grammar.is_terminated():
                        self.bitmask[at].fill_(-1)
                    else:
                        grammar.fill_bitmask(self.bitmask, at)
                    at += 1
                    if token is not None and not failed:
                        failed = grammar.is_terminated() or not grammar.accept_tokens(request.request_id, [token])
                        advanced += not failed
                if advanced:
                    grammar.rollback(advanced)
            return self.bitmask[:at]

    def module(name: str, **content: Any) -> ModuleType:
        found = ModuleType(name)
        vars(found).update(content)
        return found

    return {
        "vllm": module("vllm", __version__=version),
        "vllm.exceptions": module("vllm.exceptions", VLLMValidationError=VLLMValidationError),
        "vllm.sampling_params": module("vllm.sampling_params", SamplingParams=SamplingParams),
        "vllm.v1": module("vllm.v1"),
        "vllm.v1.structured_output": module(
            "vllm.v1.structured_output", StructuredOutputManager=StructuredOutputManager
        ),
    }


def config_of(vocabulary_size: int, *, backend: str = "auto", **model: Any) -> Any:
    """A VllmConfig."""
    return SimpleNamespace(
        model_config=ModelConfig(vocab_size=vocabulary_size, **model),
        structured_outputs_config=SimpleNamespace(backend=backend),
    )


def installed(monkeypatch: Any, config: Any, tokenizer: Any, version: str = "0.32.0") -> Any:
    """Put fresh modules where `import vllm` finds them: (SamplingParams, StructuredOutputManager)."""
    for name, module in modules(version, config, tokenizer).items():
        monkeypatch.setitem(sys.modules, name, module)
    params = sys.modules["vllm.sampling_params"].SamplingParams
    return params, sys.modules["vllm.v1.structured_output"].StructuredOutputManager

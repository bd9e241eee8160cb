"""SGLang's modules that a grammar backend meets: its own, unpacked, or as much of them as their contract says.

    pip download --no-deps sglang==0.5.23 && unzip sglang-*.whl -d FOLDER
    SGLANG_SOURCE=FOLDER pytest tests/integrations/test_sglang.py

The engine around them is stubbed: its settings, its arguments and its parsers of reasoning.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

SOURCE = os.environ.get("SGLANG_SOURCE")
VERSION = "0.5.23"
_BASE = "sglang.srt.constrained.base_grammar_backend"


class Parser:
    """A parser of reasoning that ends with one token."""

    def __init__(self, model_type: str, stream_reasoning: bool, tokenizer: Any) -> None:
        end = tokenizer.encode("</think>", add_special_tokens=False)
        self.detector = SimpleNamespace(
            get_think_end_token_ids=lambda tokenizer: end,
            think_end_token="</think>",
            think_excluded_tokens=None,
            get_answer_frame=lambda: None,
        )


def install(monkeypatch: Any, own: bool, **serving: Any) -> Any:
    """Put the modules where `import sglang` finds them; the module of the base classes. `own`: SGLang's own."""
    settings = {
        "constrained_json_whitespace_pattern": None, "constrained_json_disable_any_whitespace": False,
        "constrained_json_max_whitespace_cnt": None, "enable_strict_thinking": False, "reasoning_parser": None,
        **serving,
    }  # fmt: skip
    choices: list[str] = []
    environment = SimpleNamespace(SGLANG_MAX_THINK_TOKENS=SimpleNamespace(get=lambda: -1))
    content: dict[str, dict[str, Any]] = {
        "sglang": {},
        "sglang.srt": {},
        "sglang.srt.constrained": {},
        "sglang.srt.parser": {},
        "sglang.srt.utils": {},
        "sglang.srt.environ": {"envs": environment},
        "sglang.srt.parser.reasoning_parser": {"ReasoningParser": Parser},
        "sglang.srt.parser.response_template": {"ResponseTemplateReasoningDetector": type("Never", (), {})},
        "sglang.srt.runtime_context": {
            "get_serving": lambda: SimpleNamespace(**settings),
            "get_exec": lambda: SimpleNamespace(kernel=SimpleNamespace(grammar_backend="structgen")),
            "get_context": None,
            "get_resources": None,
        },
        "sglang.srt.server_args": {
            "ServerArgs": object,
            "GRAMMAR_BACKEND_CHOICES": choices,
            "add_grammar_backend_choices": choices.extend,
        },
    }
    for name, values in content.items():
        module = ModuleType(name)
        vars(module).update(values, __path__=[])
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delitem(sys.modules, "structgen.integrations.sglang_backend", raising=False)
    if not own:
        monkeypatch.setitem(sys.modules, _BASE, _fake_base())
        return sys.modules[_BASE]
    for name in (
        "sglang.srt.utils.token_sequence_matcher",
        _BASE,
        "sglang.srt.constrained.reasoner_grammar_backend",
    ):
        file = Path(str(SOURCE), *name.split(".")).with_suffix(".py")
        spec = importlib.util.spec_from_file_location(name, file)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
    return sys.modules[_BASE]


def _fake_base() -> ModuleType:
    """The base classes as their contract says, without what a backend does not meet."""
    from concurrent.futures import ThreadPoolExecutor

    registry: dict[str, Any] = {}

    class BaseGrammarObject:
        def __init__(self) -> None:
            self.finished, self.grammar_stats, self.current_token = False, None, None

        def maybe_init_reasoning(self, reasoning: bool) -> None:
            pass

    class InvalidGrammarObject(BaseGrammarObject):
        def __init__(self, error_message: str) -> None:
            super().__init__()
            self.error_message = error_message

        def copy(self) -> Any:
            return self

    class GrammarRow(NamedTuple):
        row: int
        grammar: Any

    class BaseGrammarBackend:
        enable_strict_thinking = False

        def __init__(self) -> None:
            self.executor, self.cache = ThreadPoolExecutor(), dict[Any, Any]()

        def _init_value_dispatch(self, key: tuple[str, str], require_reasoning: bool) -> Any:
            kind = "ebnf" if key[0] == "full_assistant_ebnf" else key[0]
            return getattr(self, f"dispatch_{kind}")(key[1])

        def get_cached_or_future_value(self, key: tuple[str, str], require_reasoning: bool) -> Any:
            value = self.cache.get(key)
            if value:
                return value.copy(), True
            return self.executor.submit(self._init_value_dispatch, key, require_reasoning), False

        def set_cache(self, key: tuple[str, str], value: Any) -> None:
            self.cache[key] = value

        def reset(self) -> None:
            self.cache.clear()

    def create_grammar_backend(
        server_args: Any, tokenizer: Any, vocab_size: int, eos_token_ids: Any = None, think_end_ids: Any = None
    ) -> Any:
        return registry["structgen"](server_args, tokenizer, vocab_size, eos_token_ids)

    module = ModuleType(_BASE)
    vars(module).update(
        BaseGrammarObject=BaseGrammarObject,
        InvalidGrammarObject=InvalidGrammarObject,
        GrammarRow=GrammarRow,
        BaseGrammarBackend=BaseGrammarBackend,
        register_grammar_backend=registry.__setitem__,
        create_grammar_backend=create_grammar_backend,
    )
    return module

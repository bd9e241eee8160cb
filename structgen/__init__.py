"""structgen: language models that can only write what a schema, a regex or a grammar allows.

Every public name is found here and loaded when first used (PEP 562), so `import structgen` costs milliseconds and
needs neither torch nor a compiler; what is not listed in `__all__` is reached through its module.
"""

from __future__ import annotations

from importlib import import_module as _import_module
from os import path as _path
from typing import TYPE_CHECKING

from structgen._version import VERSION as _VERSION

if TYPE_CHECKING:
    from structgen.ahead import Ahead
    from structgen.api.compile import compile
    from structgen.api.complete import complete
    from structgen.api.describe import describe
    from structgen.api.generate import agenerate, agenerate_result, generate, generate_result
    from structgen.api.infill import Filled, Hole, fill, infill
    from structgen.api.language import Language
    from structgen.api.languages import (
        avoiding,
        choices,
        containing,
        insertions,
        labelled,
        language,
        length,
        library,
        regex,
        span,
        template,
    )
    from structgen.api.result import Result
    from structgen.batch import fill_masks
    from structgen.constraint_files import load_constraint, save_constraint
    from structgen.engines.contrastive import Contrastive
    from structgen.engines.mirostat import Mirostat
    from structgen.engines.momentum import Momentum
    from structgen.errors import (
        BudgetTooSmall,
        CompletedWarning,
        GrammarError,
        InvariantError,
        LimitExceeded,
        ModelError,
        OptionError,
        PredicateError,
        RegexError,
        SamplingIncomplete,
        SamplingInterrupted,
        SchemaError,
        SchemaWarning,
        ScorerError,
        ServerError,
        SourceError,
        StaleState,
        StorageError,
        StructgenError,
        TokenRejected,
        ToolFailed,
        Truncated,
        Unsatisfiable,
        UnsupportedCombination,
        UnsupportedSchema,
        ValueRejected,
        VocabularyError,
    )
    from structgen.grammars.json_schema.style import JsonStyle
    from structgen.grammars.lark import LarkGrammar
    from structgen.infilling.canvas import Canvas
    from structgen.infilling.denoise import Denoised, denoise
    from structgen.integrations.transformers import LogitsProcessor
    from structgen.matcher import Constraint, Lease, Matcher
    from structgen.memory import Cache, caches, clear_caches
    from structgen.options import Limits
    from structgen.protocols import Scorer
    from structgen.python_types.types import json_schema
    from structgen.samplers.predicates import Potential, Predicate
    from structgen.samplers.problem import Problem
    from structgen.samplers.run import Budget, sample
    from structgen.speculation.options import Speculation
    from structgen.tags import Special, StructuralTag, Tag, Thinking
    from structgen.tools.reply import Reply, ToolCall
    from structgen.tools.tool import Tool
    from structgen.vocabulary import Vocabulary

__version__ = _VERSION

__all__ = [
    "Ahead",
    "Budget",
    "BudgetTooSmall",
    "Cache",
    "Canvas",
    "CompletedWarning",
    "Constraint",
    "Contrastive",
    "Denoised",
    "Filled",
    "GrammarError",
    "Hole",
    "InvariantError",
    "JsonStyle",
    "Language",
    "LarkGrammar",
    "Lease",
    "LimitExceeded",
    "Limits",
    "LogitsProcessor",
    "Matcher",
    "Mirostat",
    "ModelError",
    "Momentum",
    "OptionError",
    "Potential",
    "Predicate",
    "PredicateError",
    "Problem",
    "RegexError",
    "Reply",
    "Result",
    "SamplingIncomplete",
    "SamplingInterrupted",
    "SchemaError",
    "SchemaWarning",
    "Scorer",
    "ScorerError",
    "ServerError",
    "SourceError",
    "Special",
    "Speculation",
    "StaleState",
    "StorageError",
    "StructgenError",
    "StructuralTag",
    "Tag",
    "Thinking",
    "TokenRejected",
    "Tool",
    "ToolCall",
    "ToolFailed",
    "Truncated",
    "Unsatisfiable",
    "UnsupportedCombination",
    "UnsupportedSchema",
    "ValueRejected",
    "Vocabulary",
    "VocabularyError",
    "agenerate",
    "agenerate_result",
    "avoiding",
    "caches",
    "choices",
    "clear_caches",
    "compile",
    "complete",
    "containing",
    "denoise",
    "describe",
    "fill",
    "fill_masks",
    "generate",
    "generate_result",
    "infill",
    "insertions",
    "json_schema",
    "labelled",
    "language",
    "length",
    "library",
    "load_constraint",
    "regex",
    "sample",
    "save_constraint",
    "span",
    "template",
]

_HOMES = {
    "structgen.ahead": ("Ahead",),
    "structgen.api.compile": ("compile",),
    "structgen.api.complete": ("complete",),
    "structgen.api.describe": ("describe",),
    "structgen.api.generate": ("agenerate", "agenerate_result", "generate", "generate_result"),
    "structgen.api.infill": ("Filled", "Hole", "fill", "infill"),
    "structgen.api.language": ("Language",),
    "structgen.api.languages": (
        "labelled",
        "avoiding",
        "choices",
        "containing",
        "insertions",
        "language",
        "length",
        "library",
        "regex",
        "span",
        "template",
    ),
    "structgen.api.result": ("Result",),
    "structgen.speculation.options": ("Speculation",),
    "structgen.tags": ("Special", "StructuralTag", "Tag", "Thinking"),
    "structgen.tools.reply": ("Reply", "ToolCall"),
    "structgen.tools.tool": ("Tool",),
    "structgen.python_types.types": ("json_schema",),
    "structgen.batch": ("fill_masks",),
    "structgen.engines.contrastive": ("Contrastive",),
    "structgen.engines.mirostat": ("Mirostat",),
    "structgen.engines.momentum": ("Momentum",),
    "structgen.infilling.canvas": ("Canvas",),
    "structgen.infilling.denoise": ("Denoised", "denoise"),
    "structgen.integrations.transformers": ("LogitsProcessor",),
    "structgen.grammars.json_schema.style": ("JsonStyle",),
    "structgen.grammars.lark": ("LarkGrammar",),
    "structgen.matcher": ("Constraint", "Lease", "Matcher"),
    "structgen.memory": ("Cache", "caches", "clear_caches"),
    "structgen.options": ("Limits",),
    "structgen.protocols": ("Scorer",),
    "structgen.constraint_files": ("load_constraint", "save_constraint"),
    "structgen.samplers.predicates": ("Potential", "Predicate"),
    "structgen.samplers.problem": ("Problem",),
    "structgen.samplers.run": ("Budget", "sample"),
    "structgen.vocabulary": ("Vocabulary",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

# The three core folders stand beside this package and are linked into it; a checkout without symbolic links
# (a zip archive, Windows) finds them through the parent folder. An installed wheel has them inside.
if not _path.isdir(_path.join(_path.dirname(__file__), "kernels")):
    __path__.append(_path.dirname(_path.dirname(_path.abspath(__file__))))


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'structgen' has no attribute {name!r}")
    value = getattr(_import_module(_HOME.get(name, "structgen.errors")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

"""structgen: language models that can only write what a schema, a regex or a grammar allows.

Every public name is found here and loaded when first used (PEP 562), so `import structgen` costs milliseconds and
needs neither torch nor a compiler; what is not listed in `__all__` is reached through its module.
"""

from __future__ import annotations

from importlib import import_module as _import_module
from os import path as _path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from structgen.api.compile import compile
    from structgen.api.generate import agenerate, agenerate_result, generate, generate_result
    from structgen.api.result import Result
    from structgen.api.types import json_schema
    from structgen.batch import fill_masks
    from structgen.engines.logits_processor import LogitsProcessor
    from structgen.errors import (
        BudgetTooSmall,
        GrammarError,
        InvariantError,
        LimitExceeded,
        ModelError,
        OptionError,
        RegexError,
        SchemaError,
        SourceError,
        StructgenError,
        TokenRejected,
        Truncated,
        Unsatisfiable,
        UnsupportedSchema,
        ValueRejected,
        VocabularyError,
    )
    from structgen.grammars.json_schema.style import JsonStyle
    from structgen.matcher import Constraint, Matcher
    from structgen.options import Limits
    from structgen.vocabulary import Vocabulary

__version__ = "0.1.0"

__all__ = [
    "BudgetTooSmall",
    "Constraint",
    "GrammarError",
    "InvariantError",
    "JsonStyle",
    "LimitExceeded",
    "Limits",
    "LogitsProcessor",
    "Matcher",
    "ModelError",
    "OptionError",
    "RegexError",
    "Result",
    "SchemaError",
    "SourceError",
    "StructgenError",
    "TokenRejected",
    "Truncated",
    "Unsatisfiable",
    "UnsupportedSchema",
    "ValueRejected",
    "Vocabulary",
    "VocabularyError",
    "agenerate",
    "agenerate_result",
    "compile",
    "fill_masks",
    "generate",
    "generate_result",
    "json_schema",
]

_HOMES = {
    "structgen.api.compile": ("compile",),
    "structgen.api.generate": ("agenerate", "agenerate_result", "generate", "generate_result"),
    "structgen.api.result": ("Result",),
    "structgen.api.types": ("json_schema",),
    "structgen.batch": ("fill_masks",),
    "structgen.engines.logits_processor": ("LogitsProcessor",),
    "structgen.grammars.json_schema.style": ("JsonStyle",),
    "structgen.matcher": ("Constraint", "Matcher"),
    "structgen.options": ("Limits",),
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

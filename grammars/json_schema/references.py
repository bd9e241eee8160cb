"""Resolve references to schema locations: URIs, `$id`, anchors, JSON pointers. Nothing is ever fetched.

Other documents come only from the `referencing.Registry` the caller passes; they are read like the main one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urldefrag, urljoin

from structgen.errors import SchemaError, UnsupportedSchema
from structgen.grammars.json_schema.reader import Node, Reader

if TYPE_CHECKING:
    from referencing import Registry

__all__ = ["resolve"]


def resolve(reference: str, node: Node, reader: Reader, registry: Registry[Any] | None, keyword: str) -> Node:
    """The location `reference` names, seen from `node`."""
    if reference.startswith("#"):
        uri, fragment = node.base, reference[1:]
    else:
        uri, fragment = urldefrag(urljoin(node.base, reference))
    root = reader.resources.get(uri)
    if root is None:
        root = _retrieve(uri, node, reader, registry, keyword)
    if not fragment:
        return root
    if fragment.startswith("/"):
        found = _walk(root, unquote(fragment), reader)
    else:
        found = reader.anchors.get((uri, fragment)) or reader.anchors.get((root.base, fragment))
    if found is None:
        raise SchemaError(f"nothing at {reference!r}", pointer=node.at(keyword), keyword=keyword)
    return found


def _retrieve(uri: str, node: Node, reader: Reader, registry: Registry[Any] | None, keyword: str) -> Node:
    from jsonschema_specifications import REGISTRY as PUBLISHED
    from referencing.exceptions import NoSuchResource, Unresolvable, Unretrievable

    pointer = node.at(keyword)
    published = PUBLISHED.get(uri) or PUBLISHED.get(f"{uri}#")
    if published is not None:  # the schemas of schemas
        return reader.read(published.contents, uri, node.draft)
    if registry is None:
        reason = f"refers to another document ({uri}); pass a registry that holds it"
        raise UnsupportedSchema(reason, pointer=pointer, keyword=keyword)
    try:
        contents = registry.get_or_retrieve(uri).value.contents
    except (NoSuchResource, Unresolvable, Unretrievable) as error:
        raise UnsupportedSchema(f"{uri} is not in the registry", pointer=pointer, keyword=keyword) from error
    return reader.read(contents, uri, node.draft)


def _walk(root: Node, fragment: str, reader: Reader) -> Node | None:
    """Follow a JSON pointer; `$id`s on the way change the base, as they did when the document was read."""
    value, nearest, tokens = root.schema, root, []
    for token in fragment[1:].split("/"):
        token = token.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and token in value:
            value = value[token]
        elif isinstance(value, list) and token.isdecimal() and int(token) < len(value):
            value = value[int(token)]
        else:
            return None
        tokens.append(token)
        inner = reader.nodes.get((id(value), nearest.base))
        if inner is not None:
            nearest, tokens = inner, []
    return nearest if not tokens else reader.read_inside(value, nearest, tuple(tokens))

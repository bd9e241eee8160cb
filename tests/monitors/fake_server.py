"""A language server that misbehaves as it is told: `python fake_server.py HOW`.

It knows the members of words: what stands before the dot, reversed and as it is. Run as a program by test_servers.py.
"""

from __future__ import annotations

import json
import re
import sys
import time
from typing import Any

HOW = sys.argv[1]
documents: dict[str, str] = {}


def send(message: dict[str, Any]) -> None:
    body = json.dumps({"jsonrpc": "2.0", **message}).encode()
    sys.stdout.buffer.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
    sys.stdout.buffer.flush()


def receive() -> dict[str, Any] | None:
    size = 0
    while line := sys.stdin.buffer.readline().strip():
        if line.lower().startswith(b"content-length:"):
            size = int(line.split(b":")[1])
    return json.loads(sys.stdin.buffer.read(size)) if size else None


def members(uri: str, position: dict[str, int]) -> Any:
    line = documents[uri].split("\n")[position["line"]].encode()[: position["character"]].decode()
    found = re.search(r"(\w+|\"a\")\.$", line)
    if found is None or HOW == "null":
        return None if HOW != "null" or '"a".' not in line else [{"label": "upper", "kind": 2}]
    word = found[1].strip('"')
    rest = "\n".join(documents[uri].split("\n")[position["line"] :])[len(line) :]
    if HOW == "well" and re.match(r"\s*(?!for )\w", rest):
        return [{"label": "of_another_place", "kind": 5}]
    names = ["upper"] if found[1] == '"a"' else [word, word[::-1] + "_"]
    if HOW == "items" and found[1] != '"a"':
        return {"isIncomplete": True, "items": [
            {"label": "for", "kind": 14}, {"label": "snip", "kind": 15}, {"label": "word", "kind": 1},
            {"label": "imported", "kind": 2, "additionalTextEdits": [{"newText": "import x"}]},
            {"label": "shown()", "kind": 2, "insertText": "called()"},
            {"label": "edited", "kind": 2, "textEdit": {"newText": word + ".deep", "range": {
                "start": {"line": position["line"], "character": position["character"] - len(word) - 1},
                "end": position}}},
            {"label": "not a name", "kind": 2},
        ]}  # fmt: skip
    return [{"label": name, "kind": 5} for name in names]


def signatures(uri: str, position: dict[str, int]) -> Any:
    line = documents[uri].split("\n")[position["line"]].encode()[: position["character"]].decode()
    if line.endswith("strange("):
        return {"signatures": [{"label": "(a: int)", "parameters": [{"label": "a: int"}]}, {"label": "(...) -> int"}]}
    if not line.endswith("price("):
        return None
    labels = [("def price(a: int, b: int = 1) -> int", [[10, 16], [18, 28]]), ("(a, **more)", ["a", "**more"])]
    return {
        "signatures": [{"label": label, "parameters": [{"label": each} for each in all_of]} for label, all_of in labels]
    }


asked, errors = 0, 0
while (message := receive()) is not None:
    method, params = message.get("method"), message.get("params") or {}
    if method == "initialize":
        encodings = params["capabilities"]["general"]["positionEncodings"]
        server = {"name": "fake", "version": "1"}
        send(
            {"id": message["id"], "result": {"capabilities": {"positionEncoding": encodings[0]}, "serverInfo": server}}
        )
        if HOW == "asks":
            send({"id": 900, "method": "workspace/configuration", "params": {"items": [{}, {}]}})
            send({"id": "x", "method": "window/unknown", "params": {}})
    elif method in ("textDocument/didOpen", "textDocument/didChange"):
        document = params["textDocument"]
        documents[document["uri"]] = document.get("text") or params["contentChanges"][0]["text"]
    elif method == "textDocument/completion":
        asked += 1
        uri, position = params["textDocument"]["uri"], params["position"]
        if HOW == "late" and asked > 1:
            time.sleep(0.4)
        if HOW == "dies" and asked > 1:
            sys.exit(3)
        if HOW == "half" and asked > 1:
            sys.stdout.buffer.write(b"Content-Length: 100\r\n\r\n{")
            sys.stdout.buffer.flush()
            sys.exit(0)
        if HOW == "noise" and asked > 1:
            sys.stdout.buffer.write(b"Content-Length: many\r\n\r\n")
            sys.stdout.buffer.flush()
        if HOW == "again" and asked > 1 and errors < 2:
            errors += 1
            send({"id": message["id"], "error": {"code": -32801, "message": "content modified"}})
        elif HOW == "errors" and asked > 1:
            send({"id": message["id"], "error": {"code": -32603, "message": "no idea"}})
        else:
            send({"method": "window/logMessage", "params": {"message": "thinking"}})
            send({"id": message["id"], "result": members(uri, position)})
    elif method == "textDocument/signatureHelp":
        if HOW == "errors":
            send({"id": message["id"], "error": {"code": -32603, "message": "no idea"}})
        else:
            send({"id": message["id"], "result": signatures(params["textDocument"]["uri"], params["position"])})
    elif method == "shutdown":
        if HOW != "stays":
            send({"id": message["id"], "result": None})
    elif method == "exit" and HOW != "stays":
        break
    elif HOW == "asks" and message.get("id") == 900:
        assert message["result"] == [{}, {}], message
if HOW == "stays":
    time.sleep(60)

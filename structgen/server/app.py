"""The routes: OpenAI's endpoints, health, metrics, and the page at /.

Bodies are read here, so that a large one ends early; answers are whole, or server-sent events that are written as fast
as their reader takes them. Somebody who goes away is noticed within 0.1 s, and the rows are free with the next step; a
reader who takes nothing for longer than `timeout` is cut off.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from importlib import resources
from typing import Any, TypeVar

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from structgen._version import VERSION
from structgen.server.answers import ChatWriter, CompletionWriter, Sent, Usage, Writer
from structgen.server.plan import Plan, plan_chat, plan_completion
from structgen.server.reading import Choice
from structgen.server.refusals import Refusal, gone, refusal_of
from structgen.server.responses import NAMES, ResponseRequest, ResponseWriter, as_chat
from structgen.server.service import Answering, Service
from structgen.server.wire import ChatRequest, CompletionRequest, read_request

__all__ = ["make_app"]

_LOOK = 0.1  # seconds between looks whether a client is still there
_log = logging.getLogger("structgen")
T = TypeVar("T")


def make_app(service: Service) -> FastAPI:
    """The application around a service, which its lifespan starts and ends."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async def start() -> None:
            try:
                await service.start()
            except Exception as error:  # noqa: BLE001 - said by /health and to every request
                service.failure = error
                service.on_failure()

        starting = asyncio.create_task(start())
        yield
        starting.cancel()
        await service.close()

    app = FastAPI(title="structgen", version=VERSION, lifespan=lifespan, docs_url=None, redoc_url=None,
                  openapi_url=None)  # fmt: skip
    routes = _Routes(service)
    app.add_api_route("/v1/chat/completions", routes.chat, methods=["POST"])
    app.add_api_route("/v1/completions", routes.completion, methods=["POST"])
    app.add_api_route("/v1/responses", routes.response, methods=["POST"])
    app.add_api_route("/v1/models", routes.models, methods=["GET"])
    app.add_api_route("/v1/models/{name:path}", routes.model, methods=["GET"])
    app.add_api_route("/health", routes.health, methods=["GET"])
    app.add_api_route("/metrics", routes.metrics, methods=["GET"])
    app.add_api_route("/", routes.page, methods=["GET"])
    app.add_exception_handler(HTTPException, _http_error)
    return app


async def _http_error(request: Request, error: Exception) -> Response:
    """What the router refuses, as OpenAI has errors."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    what = {404: f"there is no {request.url.path}", 405: f"{request.method} is not for {request.url.path}"}
    refusal = Refusal(status, what.get(status, str(error)), code="not_found" if status == 404 else "not_allowed")
    return JSONResponse(refusal.body, status)


class _Routes:
    """The endpoints of one service."""

    def __init__(self, service: Service) -> None:
        self.service = service

    async def chat(self, request: Request) -> Response:
        """POST /v1/chat/completions"""

        def writer(plan: Plan, asked: ChatRequest) -> Writer:
            return ChatWriter(plan, asked.model, self.service.engine.vocabulary, _wants_usage(asked))

        return await self._answer(request, "chat", ChatRequest, plan_chat, writer)

    async def completion(self, request: Request) -> Response:
        """POST /v1/completions"""

        def writer(plan: Plan, asked: CompletionRequest) -> Writer:
            return CompletionWriter(plan, asked.model, self.service.engine.vocabulary, _wants_usage(asked))

        return await self._answer(request, "completions", CompletionRequest, plan_completion, writer)

    async def response(self, request: Request) -> Response:
        """POST /v1/responses"""

        def make(asked: ResponseRequest, *about: Any) -> Plan:
            return plan_chat(as_chat(asked), *about)

        def writer(plan: Plan, asked: ResponseRequest) -> Writer:
            return ResponseWriter(plan, asked, self.service.engine.vocabulary)

        return await self._answer(request, "responses", ResponseRequest, make, writer, NAMES)

    async def models(self, request: Request) -> Response:
        """GET /v1/models"""
        return self._checked(request, lambda: JSONResponse({"object": "list", "data": [self._model()]}))

    async def model(self, request: Request, name: str) -> Response:
        """GET /v1/models/NAME"""

        def found() -> Response:
            self._check_model(name)
            return JSONResponse(self._model())

        return self._checked(request, found)

    async def health(self) -> Response:
        """GET /health: 200 while requests are taken."""
        service = self.service
        state = service.state if service.failure is None else "failed"
        notes = {"notes": service.notes} if service.notes else {}
        return JSONResponse({"status": state, "version": VERSION, **notes}, 200 if state == "ready" else 503)

    async def metrics(self, request: Request) -> Response:
        """GET /metrics"""
        text = self.service.metrics.text
        return self._checked(request, lambda: PlainTextResponse(text(), media_type="text/plain; version=0.0.4"))

    async def page(self) -> Response:
        """GET /: the playground."""
        return HTMLResponse(resources.files("structgen.server").joinpath("playground.html").read_text("utf-8"))

    # ------------------------------------------------------------------------------------------------------ a request

    async def _answer(
        self,
        request: Request,
        endpoint: str,
        kind: Any,
        make: Callable[..., Plan],
        writer_of: Callable[..., Writer],
        names: Mapping[str, str] | None = None,
    ) -> Response:
        """A request from its first byte to its answer, or to the beginning of its stream. `names`: what fields of a
        chat are called here."""
        service, started = self.service, time.monotonic()
        ended = contextlib.ExitStack()  # closed when the last byte is sent
        try:
            self._check_key(request)
            ended.enter_context(service.answering())
            asked = read_request(kind, await self._body(request))
            self._check_model(asked.model)
            plan = await service.planned(make, asked)
            writer = writer_of(plan, asked)
            client = _Client(request)
            if plan.method != "masked":
                choices = await client.stays(service.sampled(plan, started, lambda: client.is_gone))
                return self._whole(endpoint, writer, choices, _usage(plan, 0, choices), started)
            beginning = service.begin(plan, started, in_pieces=bool(asked.stream))
            answering = await client.stays(beginning, drop=Answering.leave)
            writer.warnings = answering.warnings  # type: ignore[attr-defined]
            if asked.stream:
                ended_later = ended.pop_all()
                return _EventStream(
                    self._stream(endpoint, answering, writer, started, ended_later), service.settings.timeout
                )
            try:
                choices = await client.stays(_collected(answering))
            finally:
                answering.leave()
            reused = sum(job.reused for job in answering.jobs)
            return self._whole(endpoint, writer, choices, _usage(plan, reused, choices), started)
        except Exception as error:  # noqa: BLE001 - every error is an answer
            refusal = refusal_of(error)
            if names is not None and refusal.param is not None:
                refusal.param = names.get(refusal.param, refusal.param)
            if refusal.status == 500:
                _log.exception("a request failed")
            service.metrics.add("requests_total", endpoint=endpoint, status=str(refusal.status))
            return JSONResponse(refusal.body, refusal.status, refusal.headers)
        finally:
            ended.close()

    def _whole(self, endpoint: str, writer: Writer, choices: list[Choice], usage: Usage, started: float) -> Response:
        self._count(endpoint, 200, started)
        return JSONResponse(writer.whole(choices, usage))

    async def _stream(
        self, endpoint: str, answering: Answering, writer: Writer, started: float, ended: contextlib.ExitStack
    ) -> AsyncIterator[bytes]:
        """The events of a stream, encoded."""
        status, choices = 200, list[Choice]()
        with ended:
            try:
                for sent in writer.begin():
                    yield sent.encoded()
                async for place, deltas, piece, choice in answering.steps():
                    sents = writer.piece(place, deltas, () if piece is None else piece.reports)
                    if choice is not None:
                        choices.append(choice)
                        sents += writer.end(place, choice)
                    if sents:
                        yield b"".join(map(Sent.encoded, sents))
                reused = sum(job.reused for job in answering.jobs)
                last = writer.close(_usage(answering.plan, reused, choices))
                yield b"".join(map(Sent.encoded, last)) + writer.done
            except Refusal as refusal:
                status = refusal.status
                yield b"".join(map(Sent.encoded, writer.failed(refusal))) + writer.done
            except (GeneratorExit, asyncio.CancelledError):
                status = gone().status
                raise
            finally:
                answering.leave()
                self._count(endpoint, status, started)

    def _count(self, endpoint: str, status: int, started: float) -> None:
        self.service.metrics.add("requests_total", endpoint=endpoint, status=str(status))
        self.service.metrics.took("request_seconds", time.monotonic() - started)

    # --------------------------------------------------------------------------------------------------------- checks

    def _checked(self, request: Request, make: Callable[[], Response]) -> Response:
        try:
            self._check_key(request)
            return make()
        except Refusal as refusal:
            return JSONResponse(refusal.body, refusal.status, refusal.headers)

    def _check_key(self, request: Request) -> None:
        key = self.service.settings.api_key
        given = request.headers.get("authorization", "")
        if key is not None and not hmac.compare_digest(given.encode(), f"Bearer {key}".encode()):
            raise Refusal(401, "the API key is missing or wrong", code="invalid_api_key")

    def _check_model(self, name: str) -> None:
        if name != self.service.settings.name:
            reason = f"there is no model {name!r}, only {self.service.settings.name!r}"
            raise Refusal(404, reason, code="model_not_found", param="model")

    def _model(self) -> dict[str, Any]:
        return {"id": self.service.settings.name, "object": "model", "created": 0, "owned_by": "structgen",
                "max_model_len": self.service.context}  # fmt: skip

    async def _body(self, request: Request) -> bytes:
        most, body = self.service.settings.body_bytes, bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > most:
                raise Refusal(413, f"a request has at most {most} bytes", code="request_too_large")
        return bytes(body)


def _wants_usage(asked: Any) -> bool:
    return asked.stream_options is not None and asked.stream_options.include_usage


def _usage(plan: Plan, reused: int, choices: list[Choice]) -> Usage:
    return Usage(len(plan.prompt), reused // plan.n, sum(choice.tokens for choice in choices))


async def _collected(answering: Answering) -> list[Choice]:
    """All choices, in their order."""
    found: dict[int, Choice] = {}
    async for place, _, _, choice in answering.steps():
        if choice is not None:
            found[place] = choice
    return [found[place] for place in range(len(answering.jobs))]


class _Client:
    """Whoever sent a request: whether it is still there."""

    def __init__(self, request: Request) -> None:
        self._request, self.is_gone = request, False

    async def stays(self, work: Coroutine[Any, Any, T], *, drop: Callable[[T], None] | None = None) -> T:
        """The result of some work. Raises Refusal where the client goes away first; a result that comes all the same
        is given to `drop`."""
        task = asyncio.ensure_future(work)
        try:
            while not (await asyncio.wait([task], timeout=_LOOK))[0]:
                if await self._request.is_disconnected():
                    self.is_gone = True
                    raise gone()
            return task.result()
        finally:
            if not task.done() or self.is_gone:
                task.cancel()
                await asyncio.wait([task])
                if drop is not None and not task.cancelled() and task.exception() is None:
                    drop(task.result())


class _EventStream(Response):
    """A stream of events. Its reader may be slow, but not for longer than `patience` seconds at one event."""

    def __init__(self, events: AsyncIterator[bytes], patience: float) -> None:
        super().__init__(media_type="text/event-stream", headers={"cache-control": "no-cache"})
        del self.headers["content-length"]
        self._events, self._patience = events, patience

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the events end or nobody reads them."""
        sending = asyncio.create_task(self._send(send))
        listening = asyncio.create_task(_disconnected(receive))
        try:
            await asyncio.wait([sending, listening], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, listening):
                task.cancel()
            await asyncio.gather(sending, listening, return_exceptions=True)
            await self._events.aclose()  # type: ignore[attr-defined]

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async for data in self._events:
            async with asyncio.timeout(self._patience):
                await send({"type": "http.response.body", "body": data, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass

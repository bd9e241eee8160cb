"""A server for one model, in OpenAI's protocol: `structgen serve MODEL`.

    wire.py        requests, strictly read             refusals.py   every error as OpenAI has errors
    plan.py        a request -> prompt, constraint, options
    compiling.py   constraints: lowered in other processes, remembered
    jobs.py        one output to be made, and the events that tell of it
    loop.py        the thread that owns the model: rows join, step and leave
    lending.py     the model for samplers, between steps
    reading.py     what a row writes -> text, thinking and calls, piece by piece
    answers.py     -> chat and completion objects      responses.py  -> the responses API
    service.py     all of these together               app.py        routes
    metrics.py     counts and times as Prometheus text
    running.py     uvicorn, and an end that loses no answer

    request -> wire -> plan -> compiling -> loop -> reading -> answers -> events

**Invariant**: one thread calls the model, and no schema is lowered in this process. Nothing here is imported by the
rest of the library, but for the process that lowers, which other servers start as well; fastapi and uvicorn are the
extra `server`.
"""

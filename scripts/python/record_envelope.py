"""Records what real Celery pushes for one call: a line for test/golden/recordings/envelopes.jsonl.

Usage: CELERY_BROKER_URL=redis://localhost:6380/0 python record_envelope.py CASE EXPRESSION [SETTING=JSON ...]
EXPRESSION is Python with `app`, the tasks `add` and `echo`, and Celery's canvas. The database must be empty, and is left so.
"""

import base64
import json
import os
import socket
import sys

# Before Celery is imported, which keeps the name: recordings carry no machine's.
socket.gethostname = lambda: "client-host"

from celery import Celery, chain, chord, group  # noqa: E402, F401 -- names for the expression
from kombu.compression import decompress  # noqa: E402
from kombu.serialization import loads  # noqa: E402

app = Celery("capture")


@app.task(name="t.add")
def add(x, y):
    """Only its name matters."""


@app.task(name="t.echo")
def echo(*args, **kwargs):
    """Only its name matters."""


def decoded(raw):
    """The body as JSON where it is JSON, else as Python prints it."""
    envelope = json.loads(raw)
    body = base64.b64decode(envelope["body"])
    headers = envelope["headers"]
    if headers.get("compression"):
        body = decompress(body, headers["compression"])
    if envelope["content-type"] == "application/json":
        return json.loads(body)
    accept = [envelope["content-type"]]
    return {"$repr": repr(loads(body, envelope["content-type"], envelope["content-encoding"], accept=accept))}


def dump(client, key):
    kind = client.type(key).decode()
    if kind == "list":
        raws = [raw.decode() for raw in client.lrange(key, 0, -1)]
        return {"key": key.decode(), "type": kind, "entries": [{"raw": raw, "body_decoded": decoded(raw)} for raw in raws]}
    return {"key": key.decode(), "type": kind, "members": sorted(m.decode() for m in client.smembers(key))}


def main(case, expression, *settings):
    if not os.environ.get("CELERY_BROKER_URL"):
        sys.exit("set CELERY_BROKER_URL to an empty Redis database")
    client = app.connection_for_write().default_channel.client
    if client.dbsize() > 0:
        sys.exit("the database is not empty: choose another, this program deletes what it finds")
    conf = {name: json.loads(value) for name, _, value in (setting.partition("=") for setting in settings)}
    app.conf.update(conf)
    result = eval(expression)
    keys = sorted(client.keys("*"))
    row = {
        "case": case,
        "conf": {name: repr(value) for name, value in conf.items()},
        "error": None,
        "result_id": getattr(result, "id", None),
        "keys": [dump(client, key) for key in keys],
    }
    if keys:
        client.delete(*keys)
    print(json.dumps(row))


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])

"""Celery's own Redis result backend, driven by JSON lines: one request in, one reply out.

Usage: python peer.py BACKEND_URL SERIALIZER
"""
import json
import sys

from celery import Celery
from celery.app.task import Context

app = Celery('peer', broker='memory://', backend=sys.argv[1])
app.conf.update(result_serializer=sys.argv[2], result_accept_content=['json', 'yaml', 'msgpack'], result_extended=True)


class CustomError(Exception):
    pass


@app.task(name='peer.ignored', bind=True, ignore_result=True)
def ignored(self):
    pass


def exception(spec):
    return {'ValueError': ValueError, 'KeyError': KeyError, 'CustomError': CustomError}[spec['type']](*spec['args'])


def store(task_id, state, result=None, exc=None, traceback=None, request=None):
    value = exception(exc) if exc else result
    context = Context(request) if request is not None else None
    app.backend.store_result(task_id, value, state, traceback=traceback, request=context)


def read(task_id):
    result = app.AsyncResult(task_id)
    value = result.result
    return {
        'state': result.state,
        'ready': result.ready(),
        'failed': result.failed(),
        'is_exception': isinstance(value, BaseException),
        'repr': repr(value),
        'type': f'{type(value).__module__}.{type(value).__qualname__}',
        'traceback': result.traceback,
        'children': repr(result.children),
        'date_done': result.date_done.isoformat() if result.date_done else None,
        'name': result.name,
        'worker': result.worker,
    }


def get(task_id, timeout=10):
    result = app.AsyncResult(task_id)
    try:
        return {'value': result.get(timeout=timeout)}
    except Exception as exc:
        return {'raised': repr(exc), 'type': type(exc).__name__}


def update_state_ignored(task_id):
    ignored.update_state(task_id=task_id, state='PROGRESS', meta={'done': 1})


VERBS = {f.__name__: f for f in (store, read, get, update_state_ignored)}
print('ready', flush=True)
for line in sys.stdin:
    verb, arguments = json.loads(line)
    try:
        reply = {'ok': VERBS[verb](**arguments)}
    except Exception as exc:
        reply = {'error': repr(exc)}
    print(json.dumps(reply), flush=True)

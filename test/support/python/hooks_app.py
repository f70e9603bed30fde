"""Tasks whose hooks leave a line each in HOOKS_FILE; test/fixtures/apps/hooks.mjs has the same in TypeScript's terms."""
import json
import os

from celery import Task
from celery.exceptions import Ignore, Reject
from interop_app import app
from interop_errors import NotFound


class Hooked(Task):
    abstract = True
    bad = ()

    def note(self, hook, task_id, *details):
        line = [hook, *details, app.AsyncResult(task_id).state]
        with open(os.environ['HOOKS_FILE'], 'a') as file:
            file.write(json.dumps(line) + '\n')
        if hook in self.bad:
            raise KeyError('hook ' + hook)

    def before_start(self, task_id, args, kwargs):
        self.note('beforeStart', task_id)

    def on_success(self, retval, task_id, args, kwargs):
        self.note('onSuccess', task_id, retval)

    def on_failure(self, exc, task_id, args, kwargs, einfo):
        self.note('onFailure', task_id, type(exc).__name__)

    def on_retry(self, exc, task_id, args, kwargs, einfo):
        self.note('onRetry', task_id, type(exc).__name__)

    def after_return(self, status, retval, task_id, args, kwargs, einfo):
        self.note('afterReturn', task_id, status, type(retval).__name__ if isinstance(retval, Exception) else retval)


def body(self, how):
    if how == 'fail':
        raise ValueError('no')
    if how == 'retry' and self.request.retries == 0:
        raise self.retry(exc=ValueError('again'), countdown=0)
    if how == 'ignore':
        raise Ignore()
    if how == 'reject':
        raise Reject('r')
    if how == 'no data':
        return object()
    return 1


for bad in ([], ['beforeStart'], ['onSuccess'], ['onFailure'], ['onRetry'], ['afterReturn'], ['onSuccess', 'onFailure']):
    base = type('Bad', (Hooked,), {'abstract': True, 'bad': tuple(bad)})
    app.task(base=base, bind=True, name='hooks.' + ('_'.join(bad) or 'none'))(body)


@app.task(name='hooks.missing')
def missing(kind, key):
    raise NotFound(kind, key)

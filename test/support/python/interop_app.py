"""The tasks of test/fixtures/apps/interop.mjs in Python: to send them, and to run them on a Python worker."""
import json
import os
import time

from celery import Celery

app = Celery('interop', broker=os.environ['INTEROP_BROKER'], backend=os.environ['INTEROP_BACKEND'])
app.conf.broker_connection_retry_on_startup = True
app.conf.update(json.loads(os.environ.get('INTEROP_PY_SETTINGS', '{}')))


@app.task(name='tasks.add')
def add(x, y):
    return x + y


@app.task(name='tasks.echo')
def echo(value):
    return value


@app.task(name='tasks.fail')
def fail(message):
    raise ValueError(message)


@app.task(name='tasks.sleep')
def sleep(seconds):
    time.sleep(seconds)
    return seconds


@app.task(name='tasks.mark')
def mark(file, line):
    with open(file, 'a') as f:
        f.write(f'{line}\n')
    return line


@app.task(name='tasks.mark_late', acks_late=True)
def mark_late(file, line, seconds=0):
    time.sleep(seconds)
    with open(file, 'a') as f:
        f.write(f'{line}\n')
    return line


@app.task(name='tasks.who', bind=True)
def who(self):
    return self.request.hostname


@app.task(name='tasks.progress', bind=True)
def progress(self):
    self.update_state(state='PROGRESS', meta={'current': 1, 'total': 2})
    time.sleep(0.2)
    return 'done'

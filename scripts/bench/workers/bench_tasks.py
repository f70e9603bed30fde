"""The bench's tasks for real Celery. Broker and result backend come from CELERY_BROKER_URL, CELERY_RESULT_BACKEND."""

import time

from celery import Celery

app = Celery("bench_tasks")


@app.task(name="bench.add")
def add(x, y):
    return x + y


@app.task(name="bench.sleep")
def sleep(x, y):
    time.sleep(1)
    return x + y


@app.task(name="bench.retry", bind=True, max_retries=1)
def retry(self, x, y):
    if self.request.retries == 0:
        raise self.retry(countdown=0)
    return x + y


@app.task(name="bench.limited", rate_limit="500/s")
def limited(x, y):
    return x + y

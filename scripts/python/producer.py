"""The quickstart's producer: an ordinary Celery program that has never heard of celeriac.

The functions are empty: a producer needs their names, and what they do is in examples/quickstart/tasks.mjs.
Broker and result backend come from CELERY_BROKER_URL and CELERY_RESULT_BACKEND, which Celery reads by itself.
Exit code 0 only when every result was right.
"""

import sys
import time

from celery import Celery, group

app = Celery("producer")


@app.task(name="tasks.add")
def add(x, y):
    """x + y, somewhere else."""


@app.task(name="tasks.shout")
def shout(text):
    """The text in capital letters; anything but a text fails."""


TIMEOUT_S = 30
all_right = True


def show(call, outcome, is_right):
    global all_right
    print(f"  {call:<44} {outcome}{'' if is_right else '   <- WRONG'}", flush=True)
    all_right = all_right and is_right


result = add.delay(2, 2).get(timeout=TIMEOUT_S)
show("add.delay(2, 2).get()", result, result == 4)

try:
    result = shout.delay(42).get(timeout=TIMEOUT_S)
    show("shout.delay(42).get()", f"returned {result!r}", False)
except Exception as error:  # Celery raises the class of the name that the task failed with
    show("shout.delay(42).get()", f"raises {type(error).__name__}: {error}", isinstance(error, TypeError))

sent_at = time.monotonic()
result = add.apply_async((20, 22), countdown=2).get(timeout=TIMEOUT_S)
seconds = time.monotonic() - sent_at
show("add.apply_async((20, 22), countdown=2).get()", f"{result} after {seconds:.1f} s", result == 42 and seconds >= 1.9)

started_at = time.monotonic()
results = group(add.s(i, i) for i in range(100))().get(timeout=TIMEOUT_S)
seconds = time.monotonic() - started_at
show(
    "group(add.s(i, i) for i in range(100))()",
    f"{len(results)} results in {seconds:.2f} s",
    results == [2 * i for i in range(100)],
)

sys.exit(0 if all_right else 1)

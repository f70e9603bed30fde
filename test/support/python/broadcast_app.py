"""interop_app with a Broadcast among its queues, as Celery's documentation has it."""
from kombu import Queue
from kombu.common import Broadcast

from interop_app import *  # noqa: F401,F403
from interop_app import app

app.conf.task_queues = [Queue('celery'), Broadcast('news')]

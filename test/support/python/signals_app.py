"""Writes a line for each signal into SIGNALS_FILE; test/fixtures/apps/signals.mjs is the same in TypeScript's names."""
import json
import os

from celery import Celery, signals
from celery.exceptions import Ignore, Reject

app = Celery('signals', broker=os.environ['INTEROP_BROKER'], backend=os.environ['INTEROP_BACKEND'])
app.conf.broker_connection_retry_on_startup = True


@app.task(name='tasks.add')
def add(x, y):
    return x + y


@app.task(name='tasks.fail')
def fail():
    raise ValueError('no')


@app.task(name='tasks.retry', bind=True)
def retry(self):
    if self.request.retries == 0:
        raise self.retry(exc=ValueError('again'), countdown=0)
    return 'at last'


@app.task(name='tasks.ignore')
def ignore():
    raise Ignore()


@app.task(name='tasks.reject', acks_late=True)
def reject():
    raise Reject('no')


def name_of(value):
    return type(value).__name__ if isinstance(value, BaseException) else value


def note(signal, id, *details):
    with open(os.environ['SIGNALS_FILE'], 'a') as f:
        f.write(json.dumps([id, signal, *details]) + '\n')


@signals.worker_init.connect
def on_worker_init(sender, **kwargs):
    note('workerInit', None, True)


@signals.celeryd_after_setup.connect
def on_setup(sender, instance, **kwargs):
    note('celerydAfterSetup', None, sender == instance.hostname)


@signals.worker_ready.connect
def on_ready(sender, **kwargs):
    note('workerReady', None, True)


@signals.worker_shutdown.connect
def on_shutdown(sender, **kwargs):
    note('workerShutdown', None, True)


@signals.worker_process_init.connect
def on_process_init(**kwargs):
    note('workerProcessInit', None)


@signals.after_setup_logger.connect
def on_logger(loglevel, logger, **kwargs):
    import logging
    note('afterSetupLogger', None, logging.getLevelName(loglevel).lower(), callable(logger.info))


@signals.worker_shutting_down.connect
def on_shutting_down(sig, how, exitcode, **kwargs):
    note('workerShuttingDown', None, sig, how, exitcode)


@signals.before_task_publish.connect
def on_before_publish(sender, headers, routing_key, body, **kwargs):
    note('beforeTaskPublish', headers['id'], sender, routing_key, headers['retries'], body[0])


@signals.after_task_publish.connect
def on_after_publish(sender, headers, **kwargs):
    note('afterTaskPublish', headers['id'], sender)


@signals.task_received.connect
def on_received(request, **kwargs):
    note('taskReceived', request.id, request.name, request.request_dict.get('retries', 0))


@signals.task_prerun.connect
def on_prerun(sender, task_id, task, args, kwargs, **_):
    note('taskPrerun', task_id, sender.name, task.request.id == task_id, args, kwargs)


@signals.task_postrun.connect
def on_postrun(sender, task_id, retval, state, **kwargs):
    note('taskPostrun', task_id, sender.name, name_of(retval), state)


@signals.task_success.connect
def on_success(sender, result, **kwargs):
    note('taskSuccess', sender.request.id, sender.name, result)


@signals.task_failure.connect
def on_failure(sender, task_id, exception, args, **kwargs):
    note('taskFailure', task_id, sender.name, name_of(exception), args)


@signals.task_retry.connect
def on_retry(sender, request, reason, **kwargs):
    note('taskRetry', request.id, sender.name, name_of(reason), name_of(reason.exc))


@signals.task_revoked.connect
def on_revoked(request, terminated, signum, expired, **kwargs):
    note('taskRevoked', request.id, terminated, signum, expired)


@signals.task_unknown.connect
def on_unknown(name, id, **kwargs):
    note('taskUnknown', id, name)


@signals.task_rejected.connect
def on_rejected(**kwargs):
    note('taskRejected', None)

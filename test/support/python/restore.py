"""What a starting Python member does with what others left in `unacked`, made old first; and whether it went well."""
import io
import json
import logging
import traceback

from interop_app import app

log = io.StringIO()
logging.getLogger().addHandler(logging.StreamHandler(log))
error = None
with app.connection() as connection:
    channel = connection.default_channel
    client = channel.client
    client.delete('unacked_mutex')
    entries = client.hlen('unacked')
    tags = client.zrange('unacked_index', 0, -1)
    if tags:
        client.zadd('unacked_index', {tag: 1 + i for i, tag in enumerate(tags)})
    try:
        channel.qos.restore_visible(num=None)
    except Exception:
        error = traceback.format_exc()
    print(json.dumps({
        'error': error,
        'log': log.getvalue(),
        'entries': entries,
        'left': client.hlen('unacked') + client.zcard('unacked_index'),
    }))

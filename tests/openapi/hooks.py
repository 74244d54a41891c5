"""What the schema alone does not tell schemathesis: how batches are written, and the ids of objects that exist.

`fuzz.py` makes the objects and hands their ids over in `CLEARML_FUZZ_IDS`. Without them nearly every call would end at
the first look for its task.
"""

import json
import os

import schemathesis

IDS = json.loads(os.environ.get("CLEARML_FUZZ_IDS", "{}"))
# Fields that hold ids, by the kind of object.
FIELDS = {
    "task": "task",
    "tasks": "task",
    "parent": "task",
    "project": "project",
    "projects": "project",
    "destination_project": "project",
    "model": "model",
    "models": "model",
    "queue": "queue",
    "queues": "queue",
    "queue_ids": "queue",
    "target_queue": "queue",
    "user": "user",
    "users": "user",
    "worker": "worker",
    "worker_ids": "worker",
}
# What `id` and `ids` mean, by service.
OWN = {"tasks": "task", "reports": "report", "projects": "project", "models": "model", "queues": "queue", "users": "user"}


@schemathesis.serializer("application/json-lines")
def lines(context, value):
    """A line for each item."""
    items = value if isinstance(value, list) else [value]
    return "\n".join(json.dumps(item) for item in items).encode()


@schemathesis.hook
def map_body(context, body):
    """Puts ids of real objects into most requests, the same ones for the same request."""
    service = context.operation.path.strip("/").split(".")[0]
    items = body if isinstance(body, list) else [body]
    for item in items:
        if isinstance(item, dict):
            for key, value in item.items():
                item[key] = with_real_ids(service, key, value)
    return body


def with_real_ids(service: str, key: str, value):
    kind = OWN.get(service) if key in ("id", "ids") else FIELDS.get(key)
    if service == "reports" and kind == "task":
        kind = "report"
    known = IDS.get(kind)
    if not known:
        return value
    if isinstance(value, str) and len(value) % 4 != 3:
        return known[len(value) % len(known)]
    if isinstance(value, list):
        return [known[index % len(known)] if isinstance(item, str) and index % 4 != 3 else item for index, item in enumerate(value)]
    return value

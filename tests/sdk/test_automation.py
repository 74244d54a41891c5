"""What the SDK runs by itself: searches over parameters, schedules, triggers (scenarios 35 and 36)."""

import pytest

from test_agent import agent, text

pytestmark = pytest.mark.timeout(600)

BASE = """
from clearml import Task
task = Task.init("search", "base", auto_connect_frameworks=False, reuse_last_task_id=False)
parameters = {"x": 1, "y": 1}
task.connect(parameters)
task.get_logger().report_scalar("score", "value", iteration=1, value=int(parameters["x"]) * 10 + int(parameters["y"]))
if Task.running_locally():
    emit(task.id)
"""

SEARCH = """
from clearml import Task
from clearml.automation import DiscreteParameterRange, GridSearch, HyperParameterOptimizer
task = Task.init(
    "search", "optimizer {sign}", task_type=Task.TaskTypes.optimizer, auto_connect_frameworks=False,
    reuse_last_task_id=False,
)
optimizer = HyperParameterOptimizer(
    base_task_id="{base}",
    hyper_parameters=[
        DiscreteParameterRange("General/x", values=[1, 2]), DiscreteParameterRange("General/y", values=[3, 4]),
    ],
    objective_metric_title="score", objective_metric_series="value", objective_metric_sign="{sign}",
    max_number_of_concurrent_tasks=2, optimizer_class=GridSearch, execution_queue="search",
    total_max_jobs=4, pool_period_min=0.05, spawn_project=None,
)
optimizer.set_report_period(0.1)
optimizer.start()
optimizer.set_time_limit(in_minutes=6.0)
optimizer.wait()
top = optimizer.get_top_experiments(top_k=4)
emit({{"optimizer": task.id, "top": [entry.id for entry in top]}})
optimizer.stop()
"""


def test_35_grid_search_with_an_agent(script, api):
    base = script(BASE)
    api("queues.create", name="search")
    with agent(script, "searcher", ["search"]):
        found = script.finish(script.start(SEARCH.format(base=base, sign="max")), timeout=400)
    children = api("tasks.get_all", parent=found["optimizer"])["tasks"]
    values = {
        child["id"]: tuple(int(child["hyperparams"]["General"][name]["value"]) for name in "xy")
        for child in children
        if child["status"] == "completed"
    }
    assert sorted(values.values()) == [(1, 3), (1, 4), (2, 3), (2, 4)]
    assert [values[task] for task in found["top"]] == [(2, 4), (2, 3), (1, 4), (1, 3)]
    worst_first = script(
        f"""
from clearml import Task
from clearml.automation import HyperParameterOptimizer
from hashlib import md5
path = ".".join(md5(text.encode()).hexdigest() for text in ("score", "value"))
ids = [task.id for task in Task.get_tasks(task_filter={{
    "parent": "{found["optimizer"]}", "order_by": ["last_metrics." + path + ".value"]}})]
emit(ids)
"""
    )
    assert [values[task] for task in worst_first] == [(1, 3), (1, 4), (2, 3), (2, 4)]


SCHEDULE = """
from datetime import datetime, timedelta, timezone
from clearml import Task
from clearml.automation import TaskScheduler
scheduler = TaskScheduler(sync_frequency_minutes=0.05, force_create_task_project="automation",
                          force_create_task_name="scheduler")
when = datetime.now(timezone.utc) + timedelta(seconds=5)
scheduler.add_task(
    schedule_task_id="{task}", queue="scheduled", name="once", year=when.year, month=when.month, day=when.day,
    hour=when.hour, minute=when.minute, recurring=False, execute_immediately=True, single_instance=True,
)
emit("ready")
scheduler.start()
"""

TRIGGERS = """
from clearml import Task
from clearml.automation import TriggerScheduler
scheduler = TriggerScheduler(pooling_frequency_minutes=0.05, force_create_task_project="automation",
                             force_create_task_name="triggers")
task = "{task}"
scheduler.add_task_trigger(name="status", schedule_task_id=task, schedule_queue="triggered",
                           trigger_project="watched", trigger_on_status=["completed"])
scheduler.add_task_trigger(name="metric", schedule_task_id=task, schedule_queue="triggered", trigger_project="watched",
                           trigger_on_metric="score", trigger_on_variant="value", trigger_on_threshold=0.5,
                           trigger_on_sign="max")
scheduler.add_model_trigger(name="model", schedule_task_id=task, schedule_queue="triggered",
                            trigger_project="watched models", trigger_on_publish=True)
emit("ready")
scheduler.start()
"""


def clones(api, queue: str) -> list[str]:
    """Names of the tasks that wait in a queue."""
    entries = api("queues.get_by_id", queue=queue)["queue"]["entries"]
    return sorted(api.task(entry["task"])["name"] for entry in entries)


def test_36_schedule(script, api):
    queue = api("queues.create", name="scheduled")["id"]
    task = api("tasks.create", name="to be scheduled", type="training")["id"]
    process = script.start(SCHEDULE.format(task=task))
    try:
        api.wait_for(script.emitted)
        api.wait_for(lambda: clones(api, queue), timeout=90)
    except BaseException:
        print(script.output()[-5000:])
        raise
    finally:
        process.kill()
        process.wait()
    entries = api("queues.get_by_id", queue=queue)["queue"]["entries"]
    [parent] = {api.task(entry["task"])["parent"] for entry in entries}
    assert parent == task and len(entries) == 1


def test_36_triggers(script, api):
    queue = api("queues.create", name="triggered")["id"]
    task = api("tasks.create", name="to be triggered", type="training")["id"]
    watched = api("projects.create", name="watched")["id"]
    models = api("projects.create", name="watched models")["id"]
    process = script.start(TRIGGERS.format(task=task))
    try:
        api.wait_for(script.emitted)
        # It looks at what changes after its first look.
        triggers = api.wait_for(lambda: api("tasks.get_all", name="^triggers$", status=["in_progress"])["tasks"])
        api.wait_for(lambda: "next pool" in text(api, triggers[0]["id"]))
        done = api("tasks.create", name="done", type="training", project=watched)["id"]
        api("tasks.started", task=done)
        api("tasks.completed", task=done)
        api.wait_for(lambda: len(clones(api, queue)) == 1)

        model = api("models.create", name="a model", uri="http://files/m", project=models, ready=False)["id"]
        api("models.set_ready", model=model)
        api.wait_for(lambda: len(clones(api, queue)) == 2)

        good = api("tasks.create", name="good", type="training", project=watched)["id"]
        api("tasks.started", task=good)
        event = {"type": "training_stats_scalar", "metric": "score", "variant": "value", "iter": 1, "value": 0.9}
        api("events.add", **event, task=good)
        api.wait_for(lambda: len(clones(api, queue)) == 3)
    except BaseException:
        print(script.output()[-5000:])
        raise
    finally:
        process.kill()
        process.wait()
    assert clones(api, queue) == ["to be triggered"] * 3

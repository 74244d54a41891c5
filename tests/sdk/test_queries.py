"""Finding tasks (scenario 24)."""

import hashlib
import time


def test_24_queries(script, api):
    project = api("projects.create", name="many tasks")["id"]
    for number in range(1100):
        created = api(
            "tasks.create",
            name=f"task {number:04}",
            type="testing" if number % 10 == 0 else "training",
            project=project,
            tags=["even" if number % 2 == 0 else "odd", *(["third"] if number % 3 == 0 else [])],
            hyperparams={"Args": {"n": {"section": "Args", "name": "n", "value": str(number)}}},
        )
        if number < 5:
            api("tasks.started", task=created["id"])
    found = script(
        """
from clearml import Task
def names(**filter):
    return [task.name for task in Task.get_tasks(project_name="many tasks", task_filter=filter)]
ids = Task.query_tasks(project_name="many tasks")
emit({
    "all": [len(ids), len(set(ids))],
    "running": sorted(names(status=["in_progress"])),
    "testing": len(Task.query_tasks(project_name="many tasks", task_filter={"type": ["testing"]})),
    "odd": len(Task.query_tasks(project_name="many tasks", tags=["odd"])),
    "not odd": len(Task.query_tasks(project_name="many tasks", tags=["-odd"])),
    "both": len(Task.query_tasks(project_name="many tasks", tags=["__$all", "even", "third"])),
    "pattern": len(Task.query_tasks(
        project_name="many tasks", task_filter={"_all_": {"fields": ["name"], "pattern": "TASK 00[0-4]"}}
    )),
    "ordered": names(name="task 00[01]", order_by=["-hyperparams.Args.n.value"])[:3],
    "fields": Task.query_tasks(
        project_name="many tasks", task_name="^task 0007$",
        additional_return_fields=["name", "hyperparams.Args.n.value"],
    ),
    "by name": Task.get_task(project_name="many tasks", task_name="task 0042").name,
})
"""
    )
    assert found["all"] == [1100, 1100]
    assert found["running"] == [f"task {number:04}" for number in range(5)]
    assert found["testing"] == 110
    assert (found["odd"], found["not odd"], found["both"]) == (550, 550, 184)
    assert found["pattern"] == 50
    assert found["ordered"] == ["task 0019", "task 0018", "task 0017"]
    [fields] = found["fields"]
    assert fields["name"] == "task 0007"
    assert found["by name"] == "task 0042"


def test_24_the_newest_of_a_name_that_is_not_archived(script, api):
    project = api("projects.create", name="same names")["id"]
    create = lambda: api("tasks.create", name="twin", type="training", project=project)["id"]
    older = create()
    # The SDK compares whole seconds.
    time.sleep(1.1)
    newer, archived = create(), create()
    api("tasks.archive", tasks=[archived])
    code = """
from clearml import Task
emit(Task.get_task(project_name="same names", task_name="twin").id)
"""
    assert script(code) == newer
    time.sleep(1.1)
    api("tasks.started", task=older)
    assert script(code) == older


def test_24_by_a_metric(script, api):
    script(
        """
from clearml import Task
for value in (0.2, 0.9, 0.5):
    task = Task.init("by metric", f"score {value}", auto_connect_frameworks=False, reuse_last_task_id=False)
    task.get_logger().report_scalar("score", "top", iteration=1, value=value)
    task.close()
"""
    )
    metric, variant = (hashlib.md5(text.encode()).hexdigest() for text in ("score", "top"))
    path = f"last_metrics.{metric}.{variant}"
    found = script(
        f"""
from clearml import Task
def names(**filter):
    return [task.name for task in Task.get_tasks(project_name="by metric", task_filter=filter)]
emit({{
    "best first": names(order_by=["-{path}.value"]),
    "worst first": names(order_by=["{path}.value"]),
}})
"""
    )
    assert found["best first"] == ["score 0.9", "score 0.5", "score 0.2"]
    assert found["worst first"] == ["score 0.2", "score 0.5", "score 0.9"]
    good = api("tasks.get_all", **{f"{path}.max_value": [0.4, None]}, only_fields=["name"])["tasks"]
    assert sorted(task["name"] for task in good) == ["score 0.5", "score 0.9"]

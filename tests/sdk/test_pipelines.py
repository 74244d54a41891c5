"""Pipelines (scenarios 33 and 34)."""

import pytest

pytestmark = pytest.mark.timeout(420)

CONTROLLER = """
from clearml import PipelineController, Task

def make(size):
    return list(range(int(size)))

def add_up(numbers):
    return sum(numbers)

if __name__ == "__main__":
    pipe = PipelineController(project="pipes", name="sums", version="1.2", add_pipeline_tags=True)
    controller = Task.current_task().id
    pipe.add_parameter("size", 4)
    pipe.add_function_step(
        "make", make, function_kwargs={"size": "${pipeline.size}"}, function_return=["numbers"],
        cache_executed_step=True,
    )
    pipe.add_function_step(
        "add", add_up, function_kwargs={"numbers": "${make.numbers}"}, function_return=["total"],
    )
    pipe.start_locally(run_pipeline_steps_locally=True)
    nodes = pipe.get_processed_nodes()
    emit({
        "controller": controller, "steps": {node: nodes[node].executed for node in nodes},
    })
"""


def test_33_controller(script, api):
    first = script(CONTROLLER)
    # Plain values are returned as parameters.
    assert api.task(first["steps"]["add"])["hyperparams"]["return"]["total"]["value"] == "6"
    controller = api.task(first["controller"])
    home = api.project("pipes/.pipelines/sums")
    assert {"pipeline", "hidden"} <= set(home["system_tags"])
    assert controller["project"] == home["id"] and controller["type"] == "controller"
    assert "pipeline" in controller["system_tags"] and controller["status"] == "completed"
    assert controller["runtime"]["version"] == "1.2" and "_pipeline_hash" in controller["runtime"]
    assert "Pipeline" in controller["configuration"]
    assert controller["hyperparams"]["Args"]["size"]["value"] == "4"
    for step in first["steps"].values():
        task = api.task(step)
        assert task["parent"] == first["controller"] and task["status"] == "completed"
        assert f"pipe: {first['controller']}" in task["tags"]
    plots = {plot["metric"] for plot in api("events.get_task_plots", task=first["controller"])["plots"]}
    assert {"Pipeline", "Pipeline Details"} <= plots

    second = script(CONTROLLER)
    assert second["steps"]["make"] == first["steps"]["make"], "the cached step is used again"
    assert second["steps"]["add"] != first["steps"]["add"]
    assert api.task(second["controller"])["name"] == "sums #2"

    # A third run as the Web-App starts it.
    queue = api("queues.create", name="pipes services")["id"]
    started = api(
        "pipelines.start_pipeline", task=second["controller"], queue=queue, args=[{"name": "size", "value": "5"}]
    )
    run = api.task(started["pipeline"])
    assert run["name"] == "sums #3" and run["status"] == "queued"
    assert run["hyperparams"]["Args"]["size"]["value"] == "5"
    deleted = api("pipelines.delete_runs", project=home["id"], ids=[first["controller"]])
    assert [entry["id"] for entry in deleted["succeeded"]] == [first["controller"]]


DECORATOR = """
from clearml import PipelineDecorator, Task

@PipelineDecorator.component(return_values=["numbers"], cache=False)
def make(size: int):
    return list(range(size))

@PipelineDecorator.component(return_values=["total"])
def add_up(numbers):
    {step}
    return sum(numbers)

@PipelineDecorator.pipeline(name="{name}", project="decorated", version="0.1")
def run(size: int = 4):
    emit({{"controller": Task.current_task().id}})
    total = add_up(make(size))
    emit({{"total": int(total)}})

if __name__ == "__main__":
    PipelineDecorator.run_locally()
    run()
"""


def test_34_decorator(script, api):
    controller, total = script(DECORATOR.format(name="works", step=""))
    assert total == {"total": 6}
    task = api.wait_for_status(controller["controller"], "completed")
    steps = api("tasks.get_all", parent=task["id"], search_hidden=True)["tasks"]
    assert {step["name"] for step in steps} == {"make", "add_up"}


def test_34_a_failing_step_fails_the_controller(script, api):
    emitted = script(DECORATOR.format(name="fails", step="raise ValueError('on purpose')"), exit_code=None)
    controller = emitted[0] if isinstance(emitted, list) else emitted
    assert api.wait_for_status(controller["controller"], "failed")

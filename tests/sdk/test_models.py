"""Models (scenarios 21 and 22)."""

import pytest

from server import ApiFailure


def test_21_output_model(script, api, server):
    code = """
from clearml import Task, OutputModel
task = Task.init("models", "out of it", auto_connect_frameworks=False, output_uri=True)
open("w.bin", "wb").write(b"weights 1")
model = OutputModel(task=task, name="net", tags=["t1"], label_enumeration={"cat": 1, "dog": 2}, framework="PyTorch",
                    config_dict={"layers": 3})
model.update_weights("w.bin", iteration=5)
model.set_metadata("k.1", "v", "str")
task.flush(wait_for_uploads=True)
model.wait_for_uploads()
model.report_scalar("quality", "v", value=0.9, iteration=1)
model.report_single_value("score", 0.5)
task.flush(wait_for_uploads=True)
time.sleep(6)
emit([task.id, model.id])
model.publish()
try:
    model.update_weights("w.bin")
    emit("updated")
except Exception as error:
    emit(type(error).__name__)
task.close()
"""
    (task_id, model_id), after_publish = script(code)
    assert after_publish != "updated"
    model = api("models.get_by_id", model=model_id)["model"]
    assert model["name"] == "net" and model["framework"] == "PyTorch" and model["tags"] == ["t1"]
    assert model["labels"] == {"cat": 1, "dog": 2}
    assert model["ready"] is True and model["task"] == task_id
    assert model["metadata"]["k.1"] == {"key": "k.1", "type": "str", "value": "v"}
    assert "layers" in str(model["design"])
    assert model["uri"].startswith(server.files_url)
    assert server.files("GET", model["uri"]).content == b"weights 1"
    task = api.task(task_id)
    assert [item["model"] for item in task["models"]["output"]] == [model_id]
    scalars = api("events.scalar_metrics_iter_histogram", task=model_id, model_events=True)
    assert scalars["quality"]["v"]["y"] == [pytest.approx(0.9)]
    with pytest.raises(ApiFailure) as failure:
        api.scalars(model_id)
    assert failure.value.codes == (400, 101)


def test_22_input_model(script, api):
    code = """
from clearml import Task, InputModel, Model
a = InputModel.import_model(weights_url="https://example.com/m22.bin", name="imported", tags=["x"], project="models in",
                            create_as_published=True)
b = InputModel.import_model(weights_url="https://example.com/m22.bin", name="imported")
emit([a.id, b.id])
a.set_metadata("kind", "small", "str")
task = Task.init("models", "into it", auto_connect_frameworks=False)
task.connect(a, name="start")
emit(task.id)
task.close()
def ids(**query):
    return [model.id for model in Model.query_models(**query)]
emit([ids(project_name="models in"), ids(model_name="imported", tags=["x"]), ids(metadata={"kind": "small"}),
      ids(metadata={"kind": "large"}), ids(model_name="imported", only_published=True)])
model = Model(a.id)
model.archive()
emit(ids(model_name="imported"))
model.unarchive()
emit(ids(model_name="imported"))
emit(Model.remove(a.id, force=True, delete_weights_file=False))
"""
    (first, second), task_id, found, archived, unarchived, removed = script(code)
    assert first == second
    # The model has been removed meanwhile, by force: the task still tells which one it was.
    inputs = api.task(task_id)["models"]["input"]
    assert [(item["name"], item["model"]) for item in inputs] == [("start", f"__DELETED__{first}")]
    assert found == [[first], [first], [first], [], [first]]
    assert archived == [] and unarchived == [first] and removed is True
    with pytest.raises(ApiFailure) as failure:
        api("models.get_by_id", model=first)
    assert failure.value.codes == (400, 201)

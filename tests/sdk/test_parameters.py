"""Hyperparameters, configuration and user properties (scenarios 14 to 16)."""


def test_14_connect(script, api):
    code = """
import argparse
from clearml import Task
sys.argv = [sys.argv[0], "--epochs", "7"]
task = Task.init("parameters", "connect", auto_connect_frameworks=False)
emit(task.id)
parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=1)
parser.add_argument("--name", default="n/a.b")
args = parser.parse_args()
config = task.connect({"lr": 0.1, "on": True, "nested": {"deep": [1, 2]}, "none": None}, name="Conf %.$x")
class Settings:
    width = 3
    title = "t"
task.connect(Settings, name="Class")
config["lr"] = 0.5
task.close()
"""
    task_id = script(code)
    [answer] = api("tasks.get_hyper_params", tasks=[task_id])["params"]
    items = {(item["section"], item["name"]): item for item in answer["hyperparams"]}
    assert items["Args", "epochs"]["value"] == "7"
    assert items["Args", "name"]["value"] == "n/a.b"
    assert items["Conf %.$x", "on"]["value"] == "True"
    assert items["Conf %.$x", "nested/deep"]["value"] == "[1, 2]"
    assert items["Conf %.$x", "none"]["value"] == ""
    assert items["Class", "width"]["value"] == "3"
    assert items["Conf %.$x", "lr"]["value"] in ("0.1", "0.5")
    assert items["Args", "epochs"]["type"] == "int"
    order = [(item["section"], item["name"]) for item in answer["hyperparams"]]
    assert order == sorted(order)


def test_15_connect_configuration(script, api):
    code = """
from clearml import Task
task = Task.init("parameters", "configuration", auto_connect_frameworks=False)
emit(task.id)
task.connect_configuration({"a": 1, "b": {"c": "x"}}, name="dict.conf", description="d")
open("conf.yaml", "w").write("k: v\\n")
task.connect_configuration("conf.yaml", name="file")
emit(task.get_configuration_object_as_dict("dict.conf"))
task.close()
"""
    task_id, as_dict = script(code)
    assert as_dict == {"a": 1, "b": {"c": "x"}}
    [answer] = api("tasks.get_configurations", tasks=[task_id])["configurations"]
    items = {item["name"]: item for item in answer["configuration"]}
    assert set(items) == {"dict.conf", "file"}
    assert items["dict.conf"]["type"] == "dictionary" and items["dict.conf"]["description"] == "d"
    assert items["file"]["value"] == "k: v\n" and items["file"]["type"] == "yaml"


def test_16_user_properties(script, api):
    code = """
from clearml import Task
task = Task.init("parameters", "properties", auto_connect_frameworks=False)
emit(task.id)
# The SDK writes whole sections from a thread while it starts: what is set meanwhile can get lost.
time.sleep(4)
task.set_user_properties({"name": "a.b c", "value": "1", "description": "d"}, plain=2)
task.close()
done = Task.get_task(task.id)
done.set_user_properties(late="yes")
emit(done.get_user_properties(value_only=True))
emit(done.delete_user_properties([("properties", "plain")]))
emit(Task.get_task(task.id).get_user_properties(value_only=True))
"""
    task_id, before, deleted, after = script(code)
    assert before == {"a.b c": "1", "plain": "2", "late": "yes"}
    assert deleted is True
    assert after == {"a.b c": "1", "late": "yes"}
    stored = api.task(task_id)["hyperparams"]["properties"]
    assert stored["a.b c"]["value"] == "1" and stored["a.b c"]["description"] == "d"

"""Datasets and what is hidden (scenarios 30 to 32)."""

import pytest

LIFECYCLE = """
from pathlib import Path
from clearml import Dataset, Task

def files(dataset):
    folder = Path(dataset.get_local_copy())
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}

Path("data/sub").mkdir(parents=True)
Path("data/a.txt").write_text("a")
Path("data/sub/b.txt").write_text("b")
first = Dataset.create(dataset_name="letters", dataset_project="data place", dataset_tags=["raw"])
first.add_files("data")
first.upload(show_progress=False)
first.finalize()

Path("data/c.txt").write_text("c")
second = Dataset.create(
    dataset_name="letters", dataset_project="data place", parent_datasets=[first.id], dataset_version="1.0.1"
)
second.add_files("data/c.txt")
second.remove_files("a.txt")
second.upload(show_progress=False)
second.finalize()

by_name = Dataset.get(dataset_project="data place", dataset_name="letters")
old = Dataset.get(dataset_project="data place", dataset_name="letters", dataset_version="1.0.0")
by_tag = Dataset.get(dataset_project="data place", dataset_name="letters", dataset_tags=["raw"])
second.publish()
listed = Dataset.list_datasets(dataset_project="data place", partial_name="letters", only_completed=True)
emit({
    "ids": [first.id, second.id], "newest": by_name.id, "old": old.id, "tagged": by_tag.id,
    "files": files(Dataset.get(dataset_id=second.id)), "old files": files(old),
    "versions": [first.version, second.version],
    "listed": sorted(entry["id"] for entry in listed),
})
"""


def test_30_dataset_lifecycle(script, api):
    made = script(LIFECYCLE)
    first, second = made["ids"]
    assert made["versions"] == ["1.0.0", "1.0.1"]
    assert (made["newest"], made["old"], made["tagged"]) == (second, first, first)
    assert made["old files"] == {"a.txt": "a", "sub/b.txt": "b"}
    assert made["files"] == {"c.txt": "c", "sub/b.txt": "b"}
    assert made["listed"] == sorted([first, second])

    home = api.project("data place/.datasets/letters")
    assert {"dataset", "hidden"} <= set(home["system_tags"])
    container = api.project("data place/.datasets")
    assert container["system_tags"] == ["hidden"] and home["parent"] == container["id"]
    task = api.task(second)
    assert task["status"] == "published" and task["type"] == "data_processing"
    assert task["runtime"]["version"] == "1.0.1"
    assert task["runtime"]["ds_file_count"] == 2 and task["runtime"]["ds_change_remove"] == 1
    assert {"Dataset Struct", "Dataset Content"} <= set(task["configuration"])
    plots = api("events.get_task_plots", task=second)["plots"]
    assert {"__Dataset Genealogy", "__Dataset Summary"} <= {plot["metric"] for plot in plots}

    renamed = script(
        f"""
from clearml import Dataset
Dataset.move_to_project("new place", dataset_project="data place", dataset_name="letters")
found = Dataset.get(dataset_project="new place", dataset_name="letters")
Dataset.delete(dataset_id="{first}", force=True)
left = Dataset.list_datasets(dataset_project="new place", only_completed=True)
# The project alone is renamed, not the versions in it.
Dataset.rename("signs", dataset_project="new place", dataset_name="letters")
emit({{"found": found.id, "left": [entry["id"] for entry in left]}})
"""
    )
    assert renamed["found"] == second
    assert renamed["left"] == [second]
    assert api.task(second)["project"] == api.project("new place/.datasets/signs")["id"]


def test_31_dataset_in_a_task(script, api):
    made = script(
        """
from pathlib import Path
from clearml import Dataset, Task
Path("one.txt").write_text("1")
dataset = Dataset.create(dataset_name="digits", dataset_project="used data")
dataset.add_files("one.txt")
dataset.upload(show_progress=False)
dataset.finalize()
task = Task.init("used data", "user", auto_connect_frameworks=False)
used = Dataset.get(dataset_project="used data", dataset_name="digits", alias="the alias")
used.get_local_copy()
task.close()
emit({"task": task.id, "dataset": dataset.id})
"""
    )
    task = api.task(made["task"])
    assert made["dataset"] in str(task["runtime"]["datasets"])
    assert made["dataset"] in str(task["runtime"]["orig_datasets.digits/1.0.0"])
    assert task["hyperparams"]["Datasets"]["the alias"]["value"] == made["dataset"]


@pytest.mark.parametrize("kind", ["datasets", "pipelines"])
def test_32_hidden_projects_and_their_tasks(script, api, kind):
    hidden = api("projects.create", name=f"hiding {kind}/.{kind}/one", system_tags=["hidden"])["id"]
    task = api("tasks.create", name="inside", type="training", project=hidden, system_tags=["hidden"])["id"]
    seen = script(
        f"""
from clearml import Task
from clearml.backend_api.session.client import APIClient
client = APIClient()
names = lambda **request: [project.name for project in client.projects.get_all(**request)]
emit({{
    "by name": names(name="hiding {kind}/"),
    "searched": names(name="hiding {kind}/.{kind}/one", search_hidden=True),
    "by id": names(id=["{hidden}"]),
    "tasks": [task.id for task in client.tasks.get_all(project=["{hidden}"])],
    "task by id": [task.id for task in client.tasks.get_all(id=["{task}"], search_hidden=False)],
    "task": Task.get_task(task_id="{task}").name,
}})
"""
    )
    assert seen["by name"] == [f"hiding {kind}/.{kind}"]
    assert seen["searched"] == seen["by id"] == [f"hiding {kind}/.{kind}/one"]
    assert seen["tasks"] == []
    assert seen["task by id"] == [task] and seen["task"] == "inside"

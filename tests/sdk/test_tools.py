"""Command-line tools and outages (scenarios 39 and 40)."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from server import Server, Script

TOOLS = Path(sys.executable).parent


def run(script, *command: str, stdin: str = "", **environment: str) -> str:
    done = subprocess.run(
        [TOOLS / command[0], *command[1:]],
        cwd=script.folder, env=script.environment | environment, input=stdin, capture_output=True, text=True, timeout=180,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_39_clearml_init(script, server, tmp_path):
    conf = tmp_path / "made.conf"
    block = f"""api {{
    web_server: {server.web_url}
    api_server: {server.api_url}
    files_server: {server.files_url}
    credentials {{ "access_key" = "{server.key}", "secret_key" = "{server.secret}" }}
}}
"""
    shown = run(script, "clearml-init", "--file", str(conf), stdin=block + "\n\n\n")
    assert "Verifying credentials" in shown
    assert server.key in conf.read_text()


def test_39_clearml_task(script, api):
    queue = api("queues.create", name="tool queue")["id"]
    (script.folder / "train.py").write_text("print('trained')")
    shown = run(
        script, "clearml-task", "--project", "tools", "--name", "by tool", "--script", "train.py",
        "--queue", "tool queue", "--args", "lr=0.1", "--packages", "numpy", "--skip-task-init",
    )
    entries = api("queues.get_by_id", queue=queue)["queue"]["entries"]
    assert len(entries) == 1, shown
    task = api.task(entries[0]["task"])
    assert (task["name"], task["status"]) == ("by tool", "queued")
    assert task["hyperparams"]["Args"]["lr"]["value"] == "0.1"


def test_39_clearml_data(script, api):
    (script.folder / "one.txt").write_text("1")
    run(script, "clearml-data", "create", "--project", "tool data", "--name", "numbers")
    run(script, "clearml-data", "add", "--files", "one.txt")
    run(script, "clearml-data", "close")
    listed = run(script, "clearml-data", "search", "--project", "tool data")
    assert "numbers" in listed
    [version] = api("tasks.get_all", name="^numbers$", system_tags=["dataset"], search_hidden=True)["tasks"]
    assert version["status"] == "completed" and version["runtime"]["ds_file_count"] == 1


REPORTS = """
from clearml import Task
task = Task.init("outage", "reporter", auto_connect_frameworks=False)
emit(task.id)
for i in range(200):
    task.get_logger().report_scalar("a", "b", iteration=i, value=i)
    print("line", i, flush=True)
    time.sleep(0.1)
task.close()
"""


@pytest.mark.timeout(420)
def test_40_nothing_is_lost_while_the_server_is_down(tmp_path):
    server = Server(tmp_path / "data")
    try:
        folder = tmp_path / "script"
        folder.mkdir()
        script = Script(server, folder)
        process = script.start(REPORTS)
        [task_id] = server.api.wait_for(script.emitted)
        server.api.wait_for(lambda: server.api.scalars(task_id))
        ports = [url.rsplit(":", 1)[1].strip("/") for url in (server.api_url, server.files_url, server.web_url)]
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
        # The reporter goes on, with nobody to report to.
        printed = script.output().count("line")
        server.api.wait_for(lambda: script.output().count("line") > printed + 50)
        server.start("--api-port", ports[0], "--files-port", ports[1], "--web-port", ports[2])
        script.finish(process, timeout=300)
        series = server.api.scalars(task_id)["a"]["b"]
        assert series["x"] == list(range(200))
        lines = "\n".join(event["msg"] for event in server.api.log(task_id)).splitlines()
        assert [line for line in lines if line.startswith("line")] == [f"line {i}" for i in range(200)]
        assert server.api.task(task_id)["status"] == "completed"
    finally:
        server.stop()


def test_40_many_processes_report_to_one_task(script, api):
    task_id = script(
        """
from clearml import Task
from multiprocessing import Process
def work(number):
    logger = Task.current_task().get_logger()
    for i in range(50):
        logger.report_scalar("process", str(number), iteration=i, value=i)
    Task.current_task().flush(wait_for_uploads=True)
if __name__ == "__main__":
    task = Task.init("outage", "processes", auto_connect_frameworks=False)
    workers = [Process(target=work, args=(number,)) for number in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    task.close()
    emit(task.id)
"""
    )
    series = api.scalars(task_id)["process"]
    assert {name: len(points["x"]) for name, points in series.items()} == {str(number): 50 for number in range(8)}


OLD = """
from clearml import OutputModel, Task
from pathlib import Path
task = Task.init("old versions", "task {version}", auto_connect_frameworks=False)
task.connect({{"lr": 0.1}})
for i in range(5):
    task.get_logger().report_scalar("loss", "train", iteration=i, value=i)
task.upload_artifact("numbers", {{"a": 1}}, wait_on_upload=True)
Path("weights.bin").write_bytes(b"weights")
model = OutputModel(task=task, name="a model", framework="custom")
model.update_weights("weights.bin", async_enable=False)
task.close()
clone = Task.clone(task, name="a clone")
Task.enqueue(clone, queue_name="old {version}")
again = Task.get_task(task_id=task.id)
emit({{
    "task": task.id, "clone": clone.id, "model": model.id, "artifact": again.artifacts["numbers"].get(),
    "scalars": again.get_reported_scalars()["loss"]["train"]["y"], "version": str(task.session.api_version),
}})
"""


@pytest.mark.parametrize("version", ["2.9", "2.13", "2.20"])
def test_40_old_versions(script, api, version):
    queue = api("queues.create", name=f"old {version}")["id"]
    made = script(OLD.format(version=version), CLEARML_FORCE_MAX_API_VERSION=version)
    assert made["artifact"] == {"a": 1} and made["scalars"] == [0, 1, 2, 3, 4]
    task = api.task(made["task"])
    assert task["status"] == "completed" and task["hyperparams"]["General"]["lr"]["value"] == "0.1"
    assert [output["model"] for output in task["models"]["output"]] == [made["model"]]
    clone = api.task(made["clone"])
    assert (clone["status"], clone["execution"]["queue"], clone["parent"]) == ("queued", queue, made["task"])

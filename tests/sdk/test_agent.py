"""clearml-agent takes tasks from queues and runs them (scenarios 37 and 38)."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(420)

JOB = """
import sys, time
from clearml import Task
task = Task.init("agent", "job")
print("hello from the job")
for i in range({loops}):
    task.get_logger().report_scalar("m", "v", iteration=i, value=i)
    time.sleep(0.5)
{end}
"""


@contextmanager
def agent(script, queues: str, worker: str, *options: str):
    """A running daemon."""
    log = script.folder / f"{worker}.log"
    environment = script.environment | {
        "CLEARML_WORKER_NAME": worker,
        "CLEARML_AGENT_SKIP_PYTHON_ENV_INSTALL": "1",
        "CLEARML_AGENT_SKIP_PIP_VENV_INSTALL": sys.executable,
    }
    command = [str(Path(sys.executable).parent / "clearml-agent"), "daemon", "--queue", queues, "--foreground", *options]
    process = subprocess.Popen(
        command, cwd=script.folder, env=environment, stdout=log.open("wb"), stderr=subprocess.STDOUT, start_new_session=True
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def new_job(script, api, queue: str | None, loops: int = 4, end: str = "") -> str:
    """A task that runs a script kept in the task itself."""
    task = api(
        "tasks.create",
        name="job",
        type="training",
        project=project(api),
        script={
            "binary": "python3",
            "entry_point": "job.py",
            "working_dir": ".",
            "diff": JOB.format(loops=loops, end=end),
            "requirements": {"pip": "clearml\n"},
        },
    )["id"]
    if queue:
        api("tasks.enqueue", task=task, queue_name=queue)
    return task


def project(api) -> str:
    found = api("projects.get_all", name="^agent$")["projects"]
    return found[0]["id"] if found else api("projects.create", name="agent")["id"]


def test_37_agent_runs_a_task(script, api):
    worker = "scenario37"
    with agent(script, "q37", worker, "--create-queue") as daemon:
        listed = api.wait_for(
            lambda: [w for w in api("workers.get_all")["workers"] if w["id"].startswith(worker)], timeout=90
        )
        [queue] = api("queues.get_all", name="^q37$")["queues"]
        assert queue["id"] in [entry["id"] for entry in listed[0]["queues"]]
        task_id = new_job(script, api, "q37", loops=40)
        api.wait_for_status(task_id, "in_progress", timeout=120)
        running = api.wait_for(
            lambda: [w for w in api("workers.get_all")["workers"] if w.get("task", {}).get("id") == task_id], timeout=60
        )
        assert running[0]["id"].startswith(worker)
        task = api.wait_for_status(task_id, "completed", "failed", timeout=240)
        assert task["status"] == "completed", "\n".join(event["msg"] for event in api.log(task_id))
        assert task["last_worker"].startswith(worker)
        assert "org_pip" in task["script"]["requirements"]
        text = "\n".join(event["msg"] for event in api.log(task_id))
        assert "hello from the job" in text and "pulled from" in text
        assert api.scalars(task_id)["m"]["v"]["x"] == list(range(40))
        now = time.time()
        keys = api("workers.get_metric_keys", worker_ids=[])["categories"]
        assert "cpu" in [category["name"] for category in keys]
        statistics = api(
            "workers.get_stats", from_date=now - 600, to_date=now + 60, interval=60,
            items=[{"key": "cpu_usage", "aggregation": "max"}],
        )
        assert any(entry["worker"].startswith(worker) for entry in statistics["workers"])
    assert daemon.returncode is not None
    api.wait_for(lambda: not [w for w in api("workers.get_all")["workers"] if w["id"].startswith(worker)])


def test_38_abort_failure_and_priority(script, api):
    api("queues.create", name="q38 high")
    low = api("queues.create", name="q38 low")["id"]
    paused = api("queues.create", name="q38 paused", tags=["force_workers:off"])["id"]
    waiting = new_job(script, api, "q38 paused")
    failing = new_job(script, api, "q38 low", loops=1, end="sys.exit(3)")
    urgent = new_job(script, api, "q38 high", loops=1)
    environment = script.environment
    log = script.folder / "scenario38.log"
    command = [str(Path(sys.executable).parent / "clearml-agent"), "daemon", "--queue", "q38 paused", "q38 high", "q38 low",
               "--foreground"]
    process = subprocess.Popen(
        command, cwd=script.folder, env=environment | {"CLEARML_WORKER_NAME": "scenario38"}, stdout=log.open("wb"),
        stderr=subprocess.STDOUT, start_new_session=True,
    )
    try:
        failed = api.wait_for_status(failing, "failed", "completed", timeout=240)
        assert failed["status"] == "failed"
        assert failed["status_reason"] == "worker execution exit code 3"
        first = api.task(urgent)
        assert first["status"] == "completed" and first["started"] < failed["started"]

        stopped = new_job(script, api, "q38 low", loops=400)
        api.wait_for_status(stopped, "in_progress", timeout=120)
        api.wait_for(lambda: api("events.get_task_metrics", tasks=[stopped], event_type="training_stats_scalar")["metrics"], 120)
        api.wait_for(lambda: api.task(stopped).get("last_worker"), 60)
        api("tasks.stop", task=stopped)
        assert api.task(stopped)["status_message"] == "stopping"
        assert api.wait_for_status(stopped, "stopped", timeout=120)

        assert api.task(waiting)["status"] == "queued"
        entries = api("queues.get_by_id", queue=paused)["queue"]["entries"]
        assert [entry["task"] for entry in entries] == [waiting]
        assert api("queues.get_by_id", queue=low)["queue"]["entries"] == []
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)

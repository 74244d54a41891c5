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

AGENT = Path(sys.executable).parent / "clearml-agent"

# What an idle agent waits between its polls and reports is the longest part of these tests.
QUICK = {"CLEARML_AGENT_QUEUE_POLL_FREQ_SEC": "1", "CLEARML_AGENT_STATUS_REPORT_FREQ_SEC": "2"}


@contextmanager
def agent(script, worker: str, queues: list[str], *options: str, **environment: str):
    """A running daemon that serves the queues, the first one first."""
    log = script.folder / f"{worker}.log"
    process = subprocess.Popen(
        [AGENT, "daemon", "--foreground", "--queue", *queues, *options],
        cwd=script.folder,
        env=script.environment | QUICK | {"CLEARML_WORKER_NAME": worker} | environment,
        stdout=log.open("wb"),
        stderr=subprocess.STDOUT,
        start_new_session=True,
        # A shell has what it starts in the background ignore it, and so does all that comes of that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        yield process
    finally:
        stop(process)
        # Shown if the test fails.
        print(f"the agent {worker} ended with {process.returncode}:")
        print(log.read_text(errors="replace")[-10_000:])


def stop(process: subprocess.Popen):
    """Interrupts the daemon; again, if it was busy ending a task and took the signal for that one.

    Not soon again: a second signal while it signs off would keep it from doing so.
    """
    for _ in range(3):
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
            return
        except subprocess.TimeoutExpired:
            continue
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def workers(api, name: str) -> list[dict]:
    return [worker for worker in api("workers.get_all")["workers"] if worker["id"].startswith(f"{name}:")]


def text(api, task_id: str) -> str:
    return "\n".join(event["msg"] for event in api.log(task_id))


REMOTE = """
from clearml import Task
task = Task.init("agent", "remote", auto_connect_frameworks=False)
if task.running_locally():
    emit(task.id)
task.execute_remotely(queue_name="q37")
print("hello from the job")
for i in range(10):
    task.get_logger().report_scalar("m", "v", iteration=i, value=i)
while not os.path.exists({go!r}):
    time.sleep(0.1)
"""


def test_37_agent_runs_a_task(script, api):
    worker = "scenario37"
    # The agent installs what the task requires: all of it is here already, and nothing else shall come.
    config = script.folder / "agent.conf"
    config.write_text('agent.package_manager.pip_version = [">=20"]\n')
    environment = {"CLEARML_CONFIG_FILE": str(config), "PIP_NO_INDEX": "1"}
    with agent(script, worker, ["q37"], "--create-queue", **environment) as daemon:
        [listed] = api.wait_for(lambda: workers(api, worker))
        [queue] = api("queues.get_all", name="^q37$")["queues"]
        assert [entry["id"] for entry in listed["queues"]] == [queue["id"]]

        go = script.folder / "go"
        task_id = script(REMOTE.format(go=str(go)))
        required = api.task(task_id)["script"]["requirements"]["pip"]
        assert "clearml" in required
        api.wait_for_status(task_id, "in_progress", timeout=120)
        [running] = api.wait_for(lambda: [entry for entry in workers(api, worker) if "task" in entry])
        assert running["task"]["id"] == task_id
        api.wait_for(lambda: "hello from the job" in text(api, task_id), timeout=120)
        go.touch()
        task = api.wait_for_status(task_id, "completed", "failed")
        assert task["status"] == "completed", text(api, task_id)
        assert task["last_worker"] == running["id"]

        # What the task asked for is kept beside what is installed.
        requirements = task["script"]["requirements"]
        assert requirements["org_pip"] == required
        assert any(line.startswith("clearml==") for line in requirements["pip"])
        assert f"task {task_id} pulled from {queue['id']} by worker {running['id']}" in text(api, task_id)
        assert api.scalars(task_id)["m"]["v"]["x"] == list(range(10))

        now = time.time()
        categories = api("workers.get_metric_keys", worker_ids=[running["id"]])["categories"]
        assert "cpu" in [category["name"] for category in categories]
        statistics = api(
            "workers.get_stats", worker_ids=[running["id"]], from_date=now - 600, to_date=now + 60, interval=60,
            items=[{"key": "cpu_usage", "aggregation": "max"}],
        )
        assert [entry["worker"] for entry in statistics["workers"]] == [running["id"]]
        api.wait_for(lambda: not workers(api, worker)[0].get("task"))
    assert daemon.returncode is not None
    api.wait_for(lambda: not workers(api, worker))


JOB = """
import os, sys, time
from clearml import Task
task = Task.init("agent", "job", auto_connect_frameworks=False)
{start}
task.get_logger().report_scalar("m", "v", iteration=0, value=0)
task.flush()
{end}
"""

CALLBACK = """
def clean_up():
    while not os.path.exists({go!r}):
        time.sleep(0.1)
    task.set_user_properties(cleaned_up="yes")
task.register_abort_callback(clean_up, callback_execution_timeout=60)
"""


def new_job(api, queue: str, start: str = "", end: str = "") -> str:
    """A queued task that keeps its script in itself."""
    projects = api("projects.get_all", name="^agent$")["projects"]
    task = api(
        "tasks.create",
        name="job",
        type="training",
        project=projects[0]["id"] if projects else api("projects.create", name="agent")["id"],
        script={
            "binary": "python3",
            "entry_point": "job.py",
            "working_dir": ".",
            "diff": JOB.format(start=start, end=end),
            "requirements": {"pip": "clearml\n"},
        },
    )["id"]
    api("tasks.enqueue", task=task, queue_name=queue)
    return task


def ask_to_stop(api, task_id: str):
    """Asks in the midst of the script: before, the agent itself would overwrite the request."""
    api.wait_for(lambda: "m" in api.scalars(task_id), timeout=120)
    api("tasks.stop", task=task_id)
    asked = api.task(task_id)
    assert (asked["status"], asked["status_message"]) == ("in_progress", "stopping")


def test_38_abort_failure_and_priority(script, api):
    low, _, paused = (
        api("queues.create", name=name, tags=tags)["id"]
        for name, tags in (("q38 low", []), ("q38 high", []), ("q38 paused", ["force_workers:off"]))
    )
    waiting = new_job(api, "q38 paused")
    failing = new_job(api, "q38 low", end="sys.exit(3)")
    endless = new_job(api, "q38 low", end="time.sleep(600)")
    go = script.folder / "go"
    cleaning = new_job(api, "q38 low", start=CALLBACK.format(go=str(go)), end="time.sleep(600)")
    urgent = new_job(api, "q38 high")
    queues = ["q38 paused", "q38 high", "q38 low"]
    with agent(script, "scenario38", queues, CLEARML_AGENT_SKIP_PYTHON_ENV_INSTALL="1"):
        failed = api.wait_for_status(failing, "failed", "completed", timeout=120)
        assert (failed["status"], failed["status_reason"]) == ("failed", "worker execution exit code 3")
        first = api.task(urgent)
        assert first["status"] == "completed" and first["started"] < failed["started"]

        ask_to_stop(api, endless)
        stopped = api.wait_for_status(endless, "stopped", "failed", "completed")
        assert (stopped["status"], stopped["status_reason"]) == ("stopped", "task was stopped by tasks.stop")

        ask_to_stop(api, cleaning)
        api.wait_for(lambda: "### Task abort callback timeout set" in text(api, cleaning))
        assert api.task(cleaning)["status"] == "in_progress"
        go.touch()
        stopped = api.wait_for_status(cleaning, "stopped", "failed", "completed")
        assert stopped["status"] == "stopped"
        assert stopped["hyperparams"]["properties"]["cleaned_up"]["value"] == "yes"
        assert stopped["runtime"]["_abort_callback_completed"] == 1

        assert api.task(waiting)["status"] == "queued"
        entries = api("queues.get_by_id", queue=paused)["queue"]["entries"]
        assert [entry["task"] for entry in entries] == [waiting]
        assert api("queues.get_by_id", queue=low)["queue"]["entries"] == []

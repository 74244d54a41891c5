"""A `clearml-server` of the test's own, and an independent HTTP client of its API."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import requests

ROOT = Path(__file__).resolve().parents[2]


class ApiFailure(Exception):
    """An error that the API answered."""

    def __init__(self, meta: dict):
        super().__init__(f"{meta['result_code']}/{meta['result_subcode']} {meta['result_msg']}")
        self.codes = (meta["result_code"], meta["result_subcode"])
        self.message = meta["result_msg"]


class Api:
    """Calls endpoints with plain `requests`: `api("tasks.get_by_id", task=id)`."""

    def __init__(self, url: str, key: str, secret: str):
        self.url, self.key, self.secret = url, key, secret
        self.session = requests.Session()
        self.token = self("auth.login", auth=(key, secret))["token"]
        self.session.cookies.clear()

    def __call__(self, endpoint: str, version: str = "2.31", auth=None, **request) -> dict:
        headers = {} if auth else {"Authorization": f"Bearer {self.token}"}
        url = f"{self.url}/v{version}/{endpoint}"
        response = self.session.post(url, json=request, headers=headers, auth=auth, timeout=60)
        answer = response.json()
        if response.status_code != 200:
            raise ApiFailure(answer["meta"])
        return answer["data"]

    def task(self, task_id: str) -> dict:
        return self("tasks.get_by_id", task=task_id)["task"]

    def project(self, name: str) -> dict:
        projects = self("projects.get_all", name=f"^{name}$", search_hidden=True)["projects"]
        assert len(projects) == 1, (name, projects)
        return projects[0]

    def log(self, task_id: str) -> list[dict]:
        return self("events.get_task_log", task=task_id, order="asc", batch_size=10000)["events"]

    def scalars(self, task_id: str, **request) -> dict:
        return self("events.scalar_metrics_iter_histogram", task=task_id, **request)

    def wait_for(self, what, timeout: float = 60):
        """Polls until `what()` is true, and returns it."""
        deadline = time.monotonic() + timeout
        while not (value := what()):
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.2)
        return value

    def wait_for_status(self, task_id: str, *statuses: str, timeout: float = 60) -> dict:
        def task():
            found = self.task(task_id)
            return found if found["status"] in statuses else None

        return self.wait_for(task, timeout)


class Server:
    """One running server process, on embedded stores."""

    def __init__(self, data_dir: Path):
        self.data_dir = data_dir
        self.process = None
        self.log_path = data_dir.parent / f"{data_dir.name}.log"
        self.start()
        self.api = Api(self.api_url, self.key, self.secret)

    def start(self, *options: str):
        command = [str(binary()), "--data-dir", str(self.data_dir), "--print", "json"]
        ports = options or ("--api-port", "0", "--files-port", "0", "--web-port", "0")
        self.process = subprocess.Popen(
            [*command, *ports], stdout=subprocess.PIPE, stderr=self.log_path.open("ab"), text=True
        )
        line = self.process.stdout.readline()
        assert line, f"the server did not start: {self.log_path.read_text()}"
        started = json.loads(line)
        self.api_url, self.files_url, self.web_url = started["api_url"], started["files_url"], started["web_url"]
        if started.get("credentials"):
            self.key = started["credentials"]["access_key"]
            self.secret = started["credentials"]["secret_key"]

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    @property
    def memory(self) -> int:
        """Resident memory in bytes."""
        return resident(self.process.pid)

    def stored_files(self) -> list[str] | None:
        """The names of all files in the store."""
        return [str(path) for path in (self.data_dir / "files").rglob("*") if path.is_file()]

    def files(self, method: str, url: str, **arguments) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.api.token}"}
        return requests.request(method, url, headers=headers, timeout=60, **arguments)


class Cluster(Server):
    """Two API servers and two file servers behind balancers, on MongoDB, Elasticsearch, Redis and S3."""

    def start(self):
        programs = binary().parent
        command = [os.environ["CLEARML_SDK_CLUSTER"], "--programs", str(programs), "serve"]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log_path.open("ab"), text=True
        )
        line = self.process.stdout.readline()
        assert line.startswith("{"), f"the cluster did not start: {line}{self.log_path.read_text()}"
        started = json.loads(line)
        self.api_url, self.files_url, self.web_url = started["api_url"], started["files_url"], started["web_url"]
        self.key = started["credentials"]["access_key"]
        self.secret = started["credentials"]["secret_key"]
        self.pids = started["pids"]

    def stop(self):
        self.process.stdin.close()
        assert self.process.wait(60) == 0, self.log_path.read_text()

    @property
    def memory(self) -> int:
        """Resident memory of the largest process in bytes."""
        return max(resident(pid) for pid in self.pids)

    def stored_files(self) -> None:
        """They are in a bucket."""
        return None


def resident(pid: int) -> int:
    return psutil.Process(pid).memory_info().rss


def binary() -> Path:
    """The server under test: `CLEARML_SERVER_BINARY`, else the newest build."""
    if path := os.environ.get("CLEARML_SERVER_BINARY"):
        return Path(path)
    builds = [ROOT / "target" / profile / "clearml-server" for profile in ("release", "debug")]
    builds = [path for path in builds if path.exists()]
    assert builds, "build clearml-server first: cargo build -p clearml-server"
    return max(builds, key=lambda path: path.stat().st_mtime)


class Script:
    """A Python script that uses the SDK, in a process and a folder of its own."""

    def __init__(self, server: Server, folder: Path):
        self.server, self.folder = server, folder
        self.count = 0
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "CLEARML_API_HOST": server.api_url,
            "CLEARML_WEB_HOST": server.web_url,
            "CLEARML_FILES_HOST": server.files_url,
            "CLEARML_API_ACCESS_KEY": server.key,
            "CLEARML_API_SECRET_KEY": server.secret,
            "CLEARML_CONFIG_FILE": str(folder / "clearml.conf"),
            "CLEARML_CACHE_DIR": str(folder / "cache"),
            "CLEARML_AGENT_SKIP_PIP_VENV_INSTALL": sys.executable,
        }
        (folder / "clearml.conf").touch()

    def start(self, code: str, **environment: str) -> subprocess.Popen:
        """Starts a script; `emit(x)` in it hands a JSON value to [`Script.finish`]."""
        self.count += 1
        path = self.folder / f"script_{self.count}.py"
        path.write_text(PRELUDE + code, encoding="utf-8")
        return subprocess.Popen(
            [sys.executable, str(path)],
            cwd=self.folder,
            env=self.environment | {"EMIT_TO": str(path.with_suffix(".out"))} | environment,
            stdout=path.with_suffix(".log").open("wb"),
            stderr=subprocess.STDOUT,
        )

    def emitted(self) -> list:
        """What the latest script has emitted so far."""
        path = self.folder / f"script_{self.count}.out"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def output(self) -> str:
        """What the latest script has printed."""
        return (self.folder / f"script_{self.count}.log").read_text(errors="replace")

    def finish(self, process: subprocess.Popen, code: int | None = 0, timeout: float = 180):
        """Waits for the end; the one value that the script emitted, or the list of several."""
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise AssertionError(f"the script hangs:\n{self.output()}") from None
        except BaseException:
            # The test's own time is up: no script outlives its test.
            process.kill()
            raise
        assert code is None or process.returncode == code, f"exit code {process.returncode}:\n{self.output()}"
        values = self.emitted()
        return values[0] if len(values) == 1 else values

    def __call__(self, code: str, exit_code: int | None = 0, **environment: str):
        """Runs a script to its end."""
        return self.finish(self.start(code, **environment), exit_code)


PRELUDE = '''
import json, os, sys, time
def emit(value):
    with open(os.environ["EMIT_TO"], "a") as out:
        out.write(json.dumps(value) + "\\n")
'''

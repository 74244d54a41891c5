"""Sends inputs that schemathesis makes from `/openapi.json` to a server of its own.

    python fuzz.py                        a short look at every endpoint
    python fuzz.py --examples 5000        about a million inputs

Each endpoint gets as many inputs as `--examples` says, valid ones and others. A failure is an answer 5xx, or one that the
document does not describe: its status, its content type, or its data. The exit code is that of schemathesis.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "sdk"))

from server import Server  # noqa: E402

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
# They would end the run: both revoke the token that it uses.
LEFT_OUT = ["auth.logout", "login.logout"]


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--examples", type=int, default=3, help="inputs for each endpoint")
    arguments.add_argument("--seconds", type=int, help="stop after this time")
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--endpoint", help="only this one")
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder) / "data")
        try:
            return fuzz(server, options)
        finally:
            server.stop()


def fuzz(server: Server, options) -> int:
    command = [str(Path(sys.executable).parent / "st"), "run", f"{server.api_url}/openapi.json", "--url", server.api_url]
    command += ["-H", f"Authorization: Bearer {server.api.token}", "--checks", CHECKS]
    command += ["--phases", "coverage,fuzzing" if options.examples > 5 else "fuzzing", "--workers", "2", "--no-color"]
    command += ["--max-examples", str(options.examples), "--seed", str(options.seed), "--no-shrink", "--continue-on-failure"]
    command += ["--suppress-health-check", "all", "--warnings", "off", "--request-timeout", "60"]
    command += ["--generation-database", "none"]
    if options.seconds:
        command += ["--max-time", str(options.seconds)]
    if options.endpoint:
        command += ["--include-path", f"/{options.endpoint}"]
    for name in LEFT_OUT:
        command += ["--exclude-path", f"/{name}"]
    environment = os.environ | {
        "SCHEMATHESIS_HOOKS": "hooks",
        "PYTHONPATH": str(HERE),
        "CLEARML_FUZZ_IDS": json.dumps(objects(server.api)),
    }
    # Not in the tests' folder: schemathesis would leave its notes there.
    with tempfile.TemporaryDirectory() as folder:
        code = subprocess.run(command, env=environment, cwd=folder, check=False).returncode
    assert server.process.poll() is None, f"the server has ended: {server.log_path.read_text()[-5000:]}"
    return code


def objects(api) -> dict[str, list[str]]:
    """Some of each kind of object that requests name."""
    project = api("projects.create", name="fuzz/inner", description="")["id"]
    made = {"project": [project, api("projects.create", name="fuzz/other", description="")["id"]]}
    made["queue"] = [api("queues.create", name=name)["id"] for name in ("first", "second")]
    made["task"] = [api("tasks.create", name=f"task {number}", type="training", project=project)["id"] for number in range(6)]
    api("tasks.started", task=made["task"][0])
    api("tasks.started", task=made["task"][1])
    api("tasks.enqueue", task=made["task"][2], queue=made["queue"][0])
    for iteration in range(20):
        for metric in ("loss", "accuracy"):
            event = {"type": "training_stats_scalar", "metric": metric, "variant": "train", "value": iteration / 7}
            api("events.add", task=made["task"][0], iter=iteration, **event)
    made["model"] = [api("models.create", name=name, uri=f"file:///{name}")["id"] for name in ("first", "second")]
    made["report"] = [api("reports.create", name=name)["id"] for name in ("first", "second")]
    made["user"] = [api("users.get_current_user")["user"]["id"]]
    api("workers.register", worker="agent")
    made["worker"] = ["agent"]
    return made


if __name__ == "__main__":
    sys.exit(main())

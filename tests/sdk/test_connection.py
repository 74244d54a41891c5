"""Login, tokens and the raw protocol as the SDK speaks it (scenarios 1 to 3)."""

import base64
import json
import time

import pytest
import requests

SESSION = """
from clearml.backend_api import Session
session = Session()
emit(session.token)
"""


def claims(token: str) -> dict:
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def test_01_login(script, server):
    token = claims(script(SESSION))
    assert abs(token["exp"] - time.time() - 30 * 86400) < 300
    assert token["api_version"] == "2.34"
    assert token["feature_set"] == "basic"
    assert all(part.isdigit() for part in token["server_version"].split("."))
    assert token["identity"]["user"] and token["identity"]["company"] == "d1bd92a3b039400cbafc60a7a5b1e52b"

    (script.folder / "clearml.conf").write_text("api { auth { req_token_expiration_sec: 120 } }")
    assert abs(claims(script(SESSION))["exp"] - time.time() - 120) < 60


def test_01_bad_secret(script):
    code = """
from clearml.backend_api import Session
from clearml.backend_api.session.session import LoginError
started = time.time()
try:
    Session(secret_key="wrong", api_key=os.environ["CLEARML_API_ACCESS_KEY"])
except LoginError as error:
    emit([str(error), time.time() - started])
"""
    message, seconds = script(code, CLEARML_API_SECRET_KEY="wrong")
    assert "invalid credentials" in message.lower()
    assert seconds < 5


def test_02_refresh(script, api):
    pair = api("auth.create_credentials")["credentials"]
    (script.folder / "clearml.conf").write_text(
        "api { auth { req_token_expiration_sec: 63, token_expiration_threshold_sec: 60 } }"
    )
    code = """
from clearml.backend_api import Session
from clearml.backend_api.session.session import LoginError
session = Session()
first = session.token
time.sleep(5)
answer = session.send_request(service="users", action="get_current_user")
emit([first != session.token, answer.status_code])
time.sleep(5)
# Revoke the pair that this session uses, through a token of its own.
print(session.send_request(service="auth", action="revoke_credentials",
                           json={"access_key": os.environ["CLEARML_API_ACCESS_KEY"]}).json())
time.sleep(5)
try:
    session.send_request(service="users", action="get_current_user")
except LoginError as error:
    emit(str(error))
"""
    refreshed, refused = script(
        code, CLEARML_API_ACCESS_KEY=pair["access_key"], CLEARML_API_SECRET_KEY=pair["secret_key"]
    )
    assert refreshed == [True, 200]
    assert "invalid credentials" in refused.lower()


def test_03_errors(script, api):
    code = """
from clearml.backend_api.session.client import APIClient
from clearml.backend_api.session.client.client import APIError
client = APIClient()
try:
    client.tasks.get_by_id(task="nope")
except APIError as error:
    emit([error.code, error.subcode])
answer = client.session.send_request(
    service="users", action="get_vaults", version="2.15", method="get",
    params={"enabled": True, "types": ["config", "config"]})
emit([answer.status_code, answer.headers["content-type"], answer.json()["meta"]["result_subcode"]])
emit(client.session.send_request(service="tasks", action="get_all",
    json={"method": "get", "no_such_key": {"a": 1}, "page_size": 1, "page": 0}).status_code)
"""
    error, missing, unknown_key = script(code)
    assert error == [400, 101]
    assert missing == [404, "application/json", 0]
    assert unknown_key == 200


def test_03_lone_methods(server):
    """Every method works, GET with a body included."""
    headers = {"Authorization": f"Bearer {server.api.token}"}
    for method in ("GET", "POST", "PUT", "DELETE", "PATCH"):
        response = requests.request(method, f"{server.api_url}/v2.23/debug.ping", json={"x": 1}, headers=headers, timeout=10)
        assert response.json()["data"] == {"msg": "ClearML server", "x": 1}, method


@pytest.mark.parametrize("method", ["get", "post", "put"])
def test_04_task_init(script, api, method):
    """Scenarios 3 and 4: a task from `Task.init` to `close`, with each HTTP method."""
    project = f"init {method}"
    code = f"""
from clearml import Task
task = Task.init("{project}/sub", "task one", tags=["a"])
emit(task.id)
task.close()
"""
    task = api.task(script(code, CLEARML_API_DEFAULT_REQ_METHOD=method))
    top, sub = api.project(project), api.project(f"{project}/sub")
    assert sub["parent"] == top["id"] and task["project"] == sub["id"]
    assert (task["name"], task["type"], task["status"]) == ("task one", "training", "completed")
    assert task["status_reason"] == "completed"
    assert task["tags"] == ["a"] and task["system_tags"] == ["development"]
    assert task["runtime"]["progress"] == "100" and "CLEARML VERSION" in task["runtime"]
    assert "Task.init" in task["script"]["diff"] and "clearml" in task["script"]["requirements"]["pip"]
    assert task["started"] <= task["completed"]
    assert isinstance(task["company"], str) and isinstance(task["user"], str)

"""Artifacts and the file server (scenarios 17 to 20)."""

import hashlib

import requests


def test_17_artifacts(script, api, server):
    code = """
import numpy as np
from clearml import Task
task = Task.init("artifacts", "kinds", auto_connect_frameworks=False)
open("f.txt", "w").write("file content")
os.makedirs("folder/sub"); open("folder/sub/a.txt", "w").write("a"); open("folder/b.txt", "w").write("b")
task.upload_artifact("dict", {"a": 1, "b": [1, 2]}, metadata={"k": "v"}, wait_on_upload=True)
task.upload_artifact("numpy", np.arange(6).reshape(2, 3), wait_on_upload=True)
task.upload_artifact("text", "some text", wait_on_upload=True)
task.upload_artifact("file", "f.txt", wait_on_upload=True)
task.upload_artifact("folder", "folder", wait_on_upload=True)
task.upload_artifact("pickle", {1, 2, 3}, wait_on_upload=True)
task.upload_artifact("url", "https://example.com/x.bin", wait_on_upload=True)
task.upload_artifact("dict", {"a": 2}, metadata={"k": "w"}, wait_on_upload=True)
task.flush(wait_for_uploads=True)
task.close()
emit(task.id)
seen = Task.get_task(task.id).artifacts
emit([seen["dict"].get(), seen["numpy"].get().tolist(), seen["text"].get(), open(seen["file"].get_local_copy()).read(),
      sorted(os.listdir(seen["folder"].get())), sorted(seen["pickle"].get()), seen["dict"].metadata, seen["url"].url])
"""
    task_id, contents = script(code)
    assert contents == [
        {"a": 2}, [[0, 1, 2], [3, 4, 5]], "some text", "file content", ["b.txt", "sub"], [1, 2, 3], {"k": "w"},
        "https://example.com/x.bin",
    ]
    artifacts = {artifact["key"]: artifact for artifact in api.task(task_id)["execution"]["artifacts"]}
    assert sorted(artifacts) == ["dict", "file", "folder", "numpy", "pickle", "text", "url"]
    for key, artifact in artifacts.items():
        assert artifact["mode"] == "output"
        if key != "url":
            content = server.files("GET", artifact["uri"]).content
            assert len(content) == artifact["content_size"]
            assert hashlib.sha256(content).hexdigest() == artifact["hash"]

    delete = f"""
from clearml import Task
task = Task.get_task("{task_id}")
task.mark_started(force=True)
emit(task.delete_artifacts(["text"]))
"""
    assert script(delete) is True
    assert server.files("HEAD", artifacts["text"]["uri"]).status_code == 404
    assert "text" not in [artifact["key"] for artifact in api.task(task_id)["execution"]["artifacts"]]


def test_18_non_ascii_paths(script, api, server):
    code = """
from clearml import Task
task = Task.init("Ärger/b c", "t é#1", auto_connect_frameworks=False)
task.upload_artifact("art é 1", {"a": 1}, wait_on_upload=True)
task.close()
emit(task.id)
emit(Task.get_task(task.id).artifacts["art é 1"].get())
"""
    task_id, content = script(code)
    assert content == {"a": 1}
    [artifact] = api.task(task_id)["execution"]["artifacts"]
    assert artifact["key"] == "art é 1"
    assert server.files("GET", artifact["uri"]).json() == {"a": 1}
    if (stored := server.stored_files()) is not None:
        [path] = [path for path in stored if task_id in path and path.endswith(".json")]
        # The name is kept as the client sent it, its percent escapes included.
        assert f"t %C3%A9%231.{task_id}" in path


def test_19_large_upload(script, api, server):
    code = """
import hashlib
from concurrent.futures import ThreadPoolExecutor
from clearml import Task, StorageManager
task = Task.init("artifacts", "large", auto_connect_frameworks=False)
digest = hashlib.sha256()
with open("large.bin", "wb") as out:
    for i in range(300):
        block = os.urandom(1 << 20)
        digest.update(block)
        out.write(block)
task.upload_artifact("large", "large.bin", wait_on_upload=True)
task.close()
emit([task.id, digest.hexdigest()])
def again(_):
    path = Task.get_task(task.id).artifacts["large"].get_local_copy(force_download=True)
    return hashlib.sha256(open(path, "rb").read()).hexdigest()
emit(again(0))
"""
    process = script.start(code)
    peak = 0
    while process.poll() is None:
        peak = max(peak, server.memory)
        try:
            process.wait(0.05)
        except Exception:
            pass
    (task_id, digest), downloaded = script.finish(process)
    assert downloaded == digest
    [artifact] = api.task(task_id)["execution"]["artifacts"]
    assert artifact["content_size"] == 300 << 20 and artifact["hash"] == digest

    def fetch(_):
        hasher = hashlib.sha256()
        headers = {"Authorization": f"Bearer {api.token}"}
        with requests.get(artifact["uri"], headers=headers, stream=True, timeout=60) as response:
            for block in response.iter_content(1 << 20):
                hasher.update(block)
        return hasher.hexdigest()

    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(fetch, i) for i in range(4)]
        while not all(future.done() for future in running):
            peak = max(peak, server.memory)
            running[0].exception(timeout=0.05) if running[0].done() else __import__("time").sleep(0.05)
    assert [future.result() for future in running] == [digest] * 4
    assert peak < 150 << 20, f"{peak >> 20} MB"


def test_20_compressed_artifact(script, api, server):
    code = """
import pandas
from clearml import Task
task = Task.init("artifacts", "table", auto_connect_frameworks=False)
task.upload_artifact("frame", pandas.DataFrame({"a": [1, 2], "b": ["x", "y"]}), wait_on_upload=True)
task.close()
emit(task.id)
emit(Task.get_task(task.id).artifacts["frame"].get().to_dict("list"))
"""
    task_id, frame = script(code)
    assert frame["a"] == [1, 2] and frame["b"] == ["x", "y"]
    [artifact] = api.task(task_id)["execution"]["artifacts"]
    assert artifact["uri"].endswith(".csv.gz")
    response = server.files("GET", artifact["uri"])
    assert "content-encoding" not in response.headers
    assert response.content[:2] == b"\x1f\x8b"
    assert len(response.content) == artifact["content_size"]

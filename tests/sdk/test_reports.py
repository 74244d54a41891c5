"""Console, scalars, plots and debug images (scenarios 5 to 9)."""

import json

import requests


def test_05_console(script, api):
    code = r"""
from clearml import Task
task = Task.init("reports", "console", auto_connect_frameworks=False)
emit(task.id)
print("first é😀")
task.get_logger().report_text("second \udc80 end", print_console=False)
time.sleep(3)
print("x" * 200_000)
import logging
logging.getLogger("t").error("an error line")
time.sleep(3)
task.flush(wait_for_uploads=True)
emit(task.get_reported_console_output(2))
task.close()
"""
    task_id, last_two = script(code)
    log = api.log(task_id)
    assert [event["timestamp"] for event in log] == sorted(event["timestamp"] for event in log)
    text = "\n".join(event["msg"] for event in log)
    assert "first é😀" in text and "second \ufffd end" in text and "x" * 200_000 in text
    assert text.index("first é") < text.index("second") < text.index("xxx")
    levels = {event["level"].lower() for event in log}
    assert "error" in levels and "info" in levels
    assert all(event["worker"] and event["type"] == "log" for event in log)
    earlier = [event["msg"] for event in log]
    assert len(last_two) == 2
    assert all(any(text in message for message in earlier) for text in last_two)


def test_06_scalars(script, api):
    code = """
from clearml import Task
task = Task.init("reports", "scalars", auto_connect_frameworks=False)
logger = task.get_logger()
for i in range(600):
    logger.report_scalar("loss", "train", iteration=i, value=1 / (i + 1))
    logger.report_scalar("loss", "test", iteration=i, value=float(i))
logger.report_scalar("odd", "nan", iteration=600, value=float("nan"))
task.flush(wait_for_uploads=True)
emit(task.id)
emit(task.get_reported_scalars(max_samples=0))
scalars = task.get_all_reported_scalars() if hasattr(task, "get_all_reported_scalars") else None
# Elasticsearch shows what it took within a second.
deadline = time.time() + 10
while scalars and len(scalars["loss"]["test"]["x"]) < 600 and time.time() < deadline:
    time.sleep(0.2)
    scalars = task.get_all_reported_scalars()
emit({m: {v: [s["x"], s["y"]] for v, s in vs.items()} for m, vs in scalars.items()} if scalars else None)
task.close()
"""
    task_id, _, everything = script(code)
    histogram = api.scalars(task_id, samples=6000)
    assert histogram["loss"]["test"]["x"] == list(range(600))
    assert histogram["loss"]["test"]["y"] == [float(i) for i in range(600)]
    assert histogram["odd"]["nan"] == {"name": "nan", "x": [600], "y": [0.0]}
    sampled = api.scalars(task_id, samples=100)["loss"]["test"]
    assert len(sampled["x"]) <= 101 and sampled["x"][0] == 0
    if everything:
        assert everything["loss"]["test"][0] == list(range(600))
        assert everything["loss"]["train"][1][1] == 0.5
    task = api.task(task_id)
    assert task["last_iteration"] == 600
    metrics = {
        (leaf["metric"], leaf["variant"]): leaf for variants in task["last_metrics"].values() for leaf in variants.values()
    }
    test = metrics["loss", "test"]
    assert (test["value"], test["min_value"], test["max_value"]) == (599.0, 0.0, 599.0)
    assert (test["min_value_iteration"], test["max_value_iteration"], test["count"]) == (0, 599, 600)


def test_07_single_values(script, api):
    code = """
from clearml import Task
task = Task.init("reports", "single", auto_connect_frameworks=False)
task.get_logger().report_scalar("a", "b", iteration=5, value=1)
task.get_logger().report_single_value("accuracy", 0.75)
task.flush(wait_for_uploads=True)
emit(task.id)
emit(task.get_reported_single_values())
task.close()
"""
    task_id, values = script(code)
    assert values == {"accuracy": 0.75}
    assert api.task(task_id)["last_iteration"] == 5
    assert "Summary" not in api.scalars(task_id)
    [answer] = api("events.get_task_single_value_metrics", tasks=[task_id])["tasks"]
    assert [(v["metric"], v["variant"], v["value"]) for v in answer["values"]] == [("Summary", "accuracy", 0.75)]


def test_08_plots(script, api):
    code = """
import numpy as np, plotly.graph_objects as go
from clearml import Task
task = Task.init("reports", "plots", auto_connect_frameworks=False)
logger = task.get_logger()
logger.report_histogram("histogram", "s", iteration=1, values=[1, 2, 3])
logger.report_table("table", "s", iteration=1, table_plot=[["a", "b"], [1, 2]])
logger.report_scatter2d("scatter2d", "s", iteration=1, scatter=np.array([[1, 2], [3, 4]]))
logger.report_scatter3d("scatter3d", "s", iteration=1, scatter=np.array([[1, 2, 3], [3, 4, 5]]))
logger.report_confusion_matrix("matrix", "s", iteration=1, matrix=np.eye(3))
logger.report_surface("surface", "s", iteration=1, matrix=np.eye(3))
logger.report_plotly("plotly", "", iteration=1, figure=go.Figure(go.Scatter(y=[1, float("nan"), 3])))
logger.report_plotly("large", "s", iteration=1, figure=go.Figure(go.Scatter(y=list(range(60000)))))
task.flush(wait_for_uploads=True)
emit(task.id)
emit(task.get_reported_plots())
task.close()
"""
    task_id, reported = script(code)
    plots = api("events.get_task_plots", task=task_id)["plots"]
    by_metric = {plot["metric"]: plot for plot in plots}
    assert set(by_metric) == {"histogram", "table", "scatter2d", "scatter3d", "matrix", "surface", "plotly", "large"}
    assert by_metric["plotly"]["variant"] == ""
    for plot in plots:
        figure = json.loads(plot["plot_str"])
        assert figure["data"], plot["metric"]
        assert "plot_data" not in plot
    assert len(by_metric["large"]["plot_str"]) > 100_000
    assert {plot["metric"]: plot["plot_str"] for plot in reported} == {m: p["plot_str"] for m, p in by_metric.items()}


def test_09_debug_images(script, api, server):
    code = """
import numpy as np
from clearml import Task
task = Task.init("reports", "images", auto_connect_frameworks=False)
logger = task.get_logger()
for i in range(3):
    logger.report_image("a / # é", "v", iteration=i, image=np.full((8, 8, 3), i * 40, dtype=np.uint8))
logger.report_image("outside", "v", iteration=0, url="https://example.com/x.png")
open("note.txt", "w").write("hello")
logger.report_media("media", "v", iteration=0, local_path="note.txt")
task.flush(wait_for_uploads=True)
time.sleep(3)
emit(task.id)
emit(task.get_debug_samples("a / # é", "v", n_last_iterations=3))
task.close()
"""
    task_id, samples = script(code)
    answer = api("events.debug_images", metrics=[{"task": task_id}], iters=10)["metrics"][0]
    events = [event for iteration in answer["iterations"] for event in iteration["events"]]
    images = {event["iter"]: event for event in events if event["metric"] == "a / # é"}
    assert sorted(images) == [0, 1, 2]
    for event in [*images.values(), *(event for event in events if event["metric"] == "media")]:
        assert event["key"] and event["url"].startswith(server.files_url)
        downloaded = server.files("GET", event["url"])
        assert downloaded.status_code == 200 and downloaded.content
        assert requests.get(event["url"], timeout=10).status_code == 401
    [outside] = [event for event in events if event["metric"] == "outside"]
    assert outside["url"] == "https://example.com/x.png"
    assert {sample["iteration"] if "iteration" in sample else sample["iter"] for sample in samples} == {0, 1, 2}

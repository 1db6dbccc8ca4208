"""Dashboards in `challenges/*/*.lvdash.json`: put together as Databricks wants them, and every query of theirs runs on the Delta tables.

`problems(spark, file)` after the notebooks have run, with the session that knows the tables. Alone, only the structure is looked at:

    python3 tests/spark/dashboards.py
"""

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
COLUMNS = 6
# Each kind of widget has a version of its own, and what it has to encode.
KINDS = {
    "counter": (2, ("value",)),
    "bar": (3, ("x", "y")),
    "line": (3, ("x", "y")),
    "scatter": (3, ("x", "y")),
    "heatmap": (3, ("x", "y", "color")),
    "table": (1, ("columns",)),
}
NEEDED = {"counter", "bar", "table"}


def dashboards():
    return sorted(ROOT.glob("challenges/*/*.lvdash.json"))


def problems(spark, file, schema=None) -> list[str]:
    """What is wrong with a dashboard. Without `spark` its queries are not run; `schema` is where its tables are."""
    try:
        board = json.loads(Path(file).read_text(encoding="utf-8"))
        found = structure(board)
    except (ValueError, KeyError, TypeError) as reason:
        return [f"{Path(file).name}: {type(reason).__name__}: {reason}"]
    if spark is not None and not found:
        if schema:
            spark.sql(f"USE {schema}")
        found = results(spark, board)
    return [f"{Path(file).name}: {problem}" for problem in found]


def structure(board) -> list[str]:
    found = []
    datasets = {dataset["name"] for dataset in board["datasets"]}
    if len(datasets) < len(board["datasets"]):
        found.append("two data sets have the same name")
    found += [f"the data set {name} is in no widget" for name in datasets - {query["datasetName"] for _, query in queries(board)}]
    for page in board["pages"]:
        found += overlaps(page)
        names = [item["widget"]["name"] for item in page["layout"]]
        found += [f"two widgets are named {name}" for name in set(names) if names.count(name) > 1]
    for widget, query in queries(board):
        if query["datasetName"] not in datasets:
            found.append(f"{widget['name']} reads {query['datasetName']}, which is no data set")
    kinds = set()
    for widget in widgets(board):
        if "spec" not in widget:
            continue
        spec = widget["spec"]
        kinds.add(spec["widgetType"])
        version, needed = KINDS.get(spec["widgetType"], (None, ()))
        if spec["version"] != version:
            found.append(f"{widget['name']} is a {spec['widgetType']} of version {spec['version']}, not {version}")
        found += [f"{widget['name']} has no {name}" for name in needed if name not in spec["encodings"]]
        known = {field["name"] for entry in widget["queries"] for field in entry["query"]["fields"]}
        found += [f"{widget['name']} shows {name}, which its query does not have" for name in encoded(spec["encodings"]) - known]
        found += [f"{widget['name']} does not show {name}" for name in known - encoded(spec["encodings"])]
        if not spec["frame"].get("title"):
            found.append(f"{widget['name']} has no title")
    found += [f"there is no {kind}" for kind in NEEDED - kinds]
    return found


def overlaps(page) -> list[str]:
    found, taken = [], {}
    for item in page["layout"]:
        name, place = item["widget"]["name"], item["position"]
        x, y, width, height = (place[part] for part in ("x", "y", "width", "height"))
        if x < 0 or y < 0 or width < 1 or height < 1 or x + width > COLUMNS:
            found.append(f"{name} is not within the {COLUMNS} columns")
        for cell in ((column, row) for column in range(x, x + width) for row in range(y, y + height)):
            other = taken.setdefault(cell, name)
            if other != name:
                found.append(f"{name} lies on {other}")
                break
    return found


def widgets(board):
    return [item["widget"] for page in board["pages"] for item in page["layout"]]


def queries(board):
    return [(widget, entry["query"]) for widget in widgets(board) for entry in widget.get("queries", [])]


def encoded(encodings) -> set[str]:
    """The names of all fields that a widget shows."""
    if isinstance(encodings, dict):
        own = {encodings["fieldName"]} if "fieldName" in encodings else set()
        return own.union(*map(encoded, encodings.values()))
    return set().union(*map(encoded, encodings)) if isinstance(encodings, list) else set()


def sql_of(dataset) -> str:
    return dataset.get("query") or "".join(dataset["queryLines"])


def results(spark, board) -> list[str]:
    """Runs each data set, and each widget's query on it, as a warehouse does."""
    found, columns = [], {}
    for dataset in board["datasets"]:
        name = dataset["name"]
        try:
            columns[name] = set(spark.sql(sql_of(dataset)).columns)
        except Exception as reason:  # whatever Spark throws
            found.append(f"the data set {name} does not run: {str(reason)[:300]}")
    by_name = {dataset["name"]: sql_of(dataset) for dataset in board["datasets"]}
    for widget, query in queries(board):
        name = query["datasetName"]
        if name not in columns:
            continue
        fields = query["fields"]
        asked = {column for field in fields for column in re.findall(r"`([^`]+)`", field["expression"])}
        missing = asked - columns[name] - {"*"}
        if missing:
            found.append(f"{widget['name']} asks {name} for {', '.join(sorted(missing))}")
            continue
        chosen = ", ".join(f"{field['expression']} AS `{field['name']}`" for field in fields)
        grouped = "" if query["disaggregated"] else " GROUP BY ALL"
        try:
            rows = spark.sql(f"SELECT {chosen} FROM ({by_name[name]}){grouped}").collect()
        except Exception as reason:
            found.append(f"{widget['name']} does not run: {str(reason)[:300]}")
            continue
        if not rows and name != "spikes":
            found.append(f"{widget['name']} has nothing to show")
        if widget["spec"]["widgetType"] == "counter" and (len(rows) != 1 or rows[0][0] is None):
            found.append(f"{widget['name']} is a counter of {len(rows)} rows")
        found += empty_columns(widget["name"], fields, rows)
    return found


def empty_columns(name, fields, rows) -> list[str]:
    return [f"{name}: {field['name']} is always empty" for at, field in enumerate(fields) if rows and all(row[at] is None for row in rows)]


def main():
    found = [problem for file in dashboards() for problem in problems(None, file)]
    print("\n".join(found) or f"{len(dashboards())} dashboards are put together as they should be")
    return 1 if found or not dashboards() else 0


if __name__ == "__main__":
    sys.exit(main())

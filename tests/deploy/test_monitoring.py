"""What is shipped for Prometheus and Grafana asks for what the daemon really tells."""

import json
import re
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from watcher.inbox.pulse import Pulse, State
from watcher.model import Kind, Status
from watcher.outbox.canary import Song
from watcher.service.metrics import Metrics, Readings

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "deploy" / "monitoring"
RULES = yaml.safe_load((MONITORING / "alerts.yaml").read_text())["groups"][0]["rules"]
DASHBOARD = json.loads((MONITORING / "dashboard.json").read_text())

#: Added by Prometheus itself.
ITS_OWN = {"job", "instance"}
METRIC = re.compile(r"\bimap_watcher_\w+")
LABELS = re.compile(r'(\w+)\s*(?:=~|!=|!~|=)\s*"')
GROUPS = re.compile(r"\bby \(([^)]*)\)")

ASKED = {rule["alert"]: rule["expr"] for rule in RULES} | {
    f"{panel['title']}, {target['legendFormat']}": target["expr"]
    for panel in DASHBOARD["panels"]
    for target in panel["targets"]
}


@pytest.fixture(scope="module")
def told() -> dict[str, set[str]]:
    """Name of each sample -> its labels, of a daemon with one account that has done something."""
    metrics = Metrics()
    with metrics.run("note"):
        pass
    metrics._ends.labels("job", "done").inc()
    pulse = Pulse("support", "INBOX", State.LIVE, heard_at=1.0)
    song = Song("support", 1.0, 2.0, "")
    metrics.registry.register(Readings(lambda: [pulse], lambda: {"job": {"done": 1}}, lambda: 1 << 30, lambda: [song]))
    families = text_string_to_metric_families(metrics.text().decode())
    found: dict[str, set[str]] = {}
    for family in families:
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


@pytest.mark.parametrize("expression", ASKED.values(), ids=ASKED)
def test_each_question_is_about_what_is_told(expression, told):
    names = set(METRIC.findall(expression))
    assert names <= set(told) or expression.startswith("up{")
    known = ITS_OWN.union(*(told[name] for name in names))
    groups = {label.strip() for group in GROUPS.findall(expression) for label in group.split(",")}
    assert {*LABELS.findall(expression), *groups} <= known


def values(label: str) -> set[str]:
    """All that the questions compare a label with."""
    told = re.findall(rf'\b{label}\s*(?:=~|=)\s*"([^"]*)"', "\n".join(ASKED.values()))
    return {value for alternatives in told for value in alternatives.split("|")}


def test_states_are_named_as_the_daemon_names_them():
    assert values("state") <= {str(state) for state in State}
    assert values("status") <= {*map(str, Status), "held"}
    assert values("kind") <= set(map(str, Kind))


def test_each_metric_is_on_the_dashboard(told):
    asked = {name for expression in ASKED.values() for name in METRIC.findall(expression)}
    shown = {re.sub(r"_(bucket|count|sum|total|created)$", "", name) for name in asked}
    assert shown == {re.sub(r"_(bucket|count|sum|total|created)$", "", name) for name in told}


def test_each_alert_is_explained_to_who_gets_it():
    text = (ROOT / "docs" / "operating.md").read_text()
    for rule in RULES:
        assert f"`{rule['alert']}`" in text
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert rule["annotations"]["summary"]


def test_the_dashboard_is_whole():
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24

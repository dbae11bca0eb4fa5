#!/usr/bin/env python3
"""The dashboard, the alert rules and docs/metrics.md name the metrics that the sources make."""
import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).parent.parent
NAME = re.compile(r"\biq_[a-z_]+\b")
SUFFIX = re.compile(r"_(bucket|sum|count)$")


def names(text):
    return {SUFFIX.sub("", name) for name in NAME.findall(text)}


sources = "".join((ROOT / path).read_text() for path in ("host/metrics.cc", "host/admin/scrape.cc"))
made = {name for literal in re.findall(r'"([^"\n]*)"', sources) for name in re.findall(r"^iq_[a-z_]+$", literal)}
dashboard = json.loads((ROOT / "docker/grafana/iq.json").read_text())
queries = " ".join(target["expr"] for panel in dashboard["panels"] for target in panel["targets"])
rules = "".join(re.findall(r"expr:.*", (ROOT / "docker/prometheus/alerts.yaml").read_text()))
documented = set(re.findall(r"^\| `(iq_[a-z_]+)`", (ROOT / "docs/metrics.md").read_text(), re.MULTILINE))

faults = [f"{place} names {name}, which nobody makes"
          for place, used in (("the dashboard", names(queries)), ("an alert rule", names(rules)),
                              ("docs/metrics.md", documented))
          for name in sorted(used - made)]
faults += [f"docs/metrics.md does not explain {name}" for name in sorted(made - documented)]
print("\n".join(faults) or f"{len(made)} metrics")
sys.exit(1 if faults or not made else 0)

"""All measurements: `make bench`. Results go to bench/results/latest.json; quote ratios."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
for folder in (HERE, HERE.parent / "tests"):
    sys.path.insert(0, str(folder))
# the server's process imports the app of the benchmarks, too
os.environ["PYTHONPATH"] = str(HERE)

import device  # noqa: E402 - after the path is set
import peers  # noqa: E402
import pull  # noqa: E402
import replay  # noqa: E402
import sealed  # noqa: E402
import waiting  # noqa: E402

import postgresql  # noqa: E402


def main() -> None:
    """Run what is named on the command line, or everything."""
    wanted = set(sys.argv[1:]) or {"replay", "pull", "device", "sealed", "waiting"}
    file = HERE / "results" / "latest.json"
    results = json.loads(file.read_text()) if file.exists() else {}
    results["measured_at"] = datetime.now(UTC).isoformat(timespec="seconds")
    if "replay" in wanted:
        results["push_sqlite"] = replay.measure(None)
        results["push_postgresql"] = on_postgresql(
            lambda cluster: replay.measure(cluster.create("bench"), cluster.create("plain"))
        )
    if wanted & {"pull", "pull-big"}:
        big = "pull-big" in wanted
        results["pull_sqlite"] = pull.measure(None, big=big)
        results["pull_postgresql"] = on_postgresql(
            lambda cluster: pull.measure(cluster.create("bench"), big=big)
        )
    if "device" in wanted:
        results["device"] = device.measure(device.find_chromium())
    if "sealed" in wanted:
        results["sealed"] = sealed.measure(device.find_chromium())
    if "waiting" in wanted:
        results["waiting"] = waiting.measure(device.find_chromium())
    if "peers" in wanted:
        chromium = device.find_chromium()
        results["peers"], ours = peers.measure(chromium), device.measure(chromium)
        results["device_beside_peers"] = ours
        results["to_peers"] = peers.ratios(results["peers"], ours)
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(results, indent=2) + "\n")
    print(json.dumps(results, indent=2))


def on_postgresql(measure: Callable[[postgresql.Cluster], dict[str, Any]]) -> dict[str, Any]:
    """Measure on a cluster of its own."""
    script = HERE.parent / "scripts" / "ensure-postgres"
    found = subprocess.run([script, "--find"], capture_output=True, text=True, check=False)
    if found.returncode:
        sys.exit("PostgreSQL is missing: run scripts/ensure-postgres")
    with postgresql.running(Path(found.stdout.strip()), durable=True) as cluster:
        return measure(cluster)


if __name__ == "__main__":
    main()

"""Outside readers of our formats: compliance-trestle over OSCAL, py-ocsf-models over OCSF."""

import json
import pathlib
import subprocess
import sys
import tempfile

from py_ocsf_models.events.findings.compliance_finding import ComplianceFinding


def oscal(file):
    with tempfile.TemporaryDirectory() as folder:
        run = lambda *words: subprocess.run(
            [str(pathlib.Path(sys.executable).with_name("trestle")), *words], cwd=folder, capture_output=True, text=True)
        for words in (["init", "--local"], ["import", "-f", str(pathlib.Path(file).resolve()), "-o", "ar"],
                      ["validate", "-t", "assessment-results", "-n", "ar"]):
            done = run(*words)
            if done.returncode:
                sys.exit(f"trestle {' '.join(words)}: {done.stdout}{done.stderr}")
        print(done.stdout.strip().splitlines()[-1])


def ocsf(file):
    lines = pathlib.Path(file).read_text().splitlines()
    for line in lines:
        ComplianceFinding.model_validate(json.loads(line))
    print(len(lines), "events")


{"oscal": oscal, "ocsf": ocsf}[sys.argv[1]](sys.argv[2])

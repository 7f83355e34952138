"""axe-core in Chromium over HTML files, light and dark: prints what it finds, a line each, and ends with 1 if anything is."""

import concurrent.futures
import importlib.util
import json
import pathlib
import re
import subprocess
import sys
import tempfile

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
AXE = (pathlib.Path(importlib.util.find_spec("axe_playwright_python").origin).parent / "axe.min.js").read_text()
RUN = """
axe.run({runOnly: {type: 'tag', values: %s}, resultTypes: ['violations', 'incomplete']}).then(found => {
  const told = v => [v.id, v.nodes.length, v.nodes[0].html.slice(0, 200), v.nodes[0].failureSummary];
  const out = document.createElement('pre');
  out.id = 'axe-result';
  out.textContent = JSON.stringify({passes: found.passes.length, violations: found.violations.map(told)});
  document.body.replaceChildren(out);
});
""" % json.dumps(TAGS)


def check(path, scheme):
    page = pathlib.Path(path).read_text()
    assert "</body>" in page, path
    # What the page forbids, axe is: a script from elsewhere.
    page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder) / "page.html"
        copy.write_text(page.replace("</body>", f"<script>{AXE}</script><script>{RUN}</script></body>"))
        done = subprocess.run(
            ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", f"--user-data-dir={folder}/profile",
             f"--blink-settings=preferredColorScheme={'0' if scheme == 'dark' else '1'}",
             "--virtual-time-budget=600000", "--timeout=300000", "--dump-dom", copy.as_uri()],
            capture_output=True, text=True, timeout=400)
    _, found, rest = done.stdout.partition('id="axe-result">')
    assert found, f"{path}: axe did not run"
    result = json.loads(rest.partition("</pre>")[0].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
    assert result["passes"] > 5, f"{path}: axe looked at nothing"
    return [(path, scheme, *v) for v in result["violations"]]


with concurrent.futures.ThreadPoolExecutor(2) as pool:
    runs = [pool.submit(check, path, scheme) for path in sys.argv[1:] for scheme in ("light", "dark")]
    found = [v for run in runs for v in run.result()]
for violation in found:
    print(*violation)
sys.exit(bool(found))

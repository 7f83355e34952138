"""axe-core in Chromium over HTML files, light and dark, wide and as narrow as a telephone: prints what it finds, a line each, and ends
with 1 if anything is."""

import importlib.util
import json
import pathlib
import sys

from selenium import webdriver

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
AXE = (pathlib.Path(importlib.util.find_spec("axe_playwright_python").origin).parent / "axe.min.js").read_text()
RUN = """
const done = arguments[arguments.length - 1];
axe.run({runOnly: {type: 'tag', values: %s}, resultTypes: ['violations']}).then(found => {
  const told = v => [v.id, v.nodes.length, v.nodes[0].html.slice(0, 200), v.nodes[0].failureSummary];
  const wide = document.documentElement.scrollWidth > innerWidth ? [['scrolls sideways', document.documentElement.scrollWidth]] : [];
  done({passes: found.passes.length, violations: found.violations.map(told).concat(wide), width: innerWidth});
});
""" % json.dumps(TAGS)

options = webdriver.ChromeOptions()
for word in ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"]:
    options.add_argument(word)
options.binary_location = "/usr/bin/chromium"
browser = webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))
browser.set_script_timeout(300)
found = []
try:
    # What the page forbids, axe is: a script from elsewhere.
    browser.execute_cdp_cmd("Page.setBypassCSP", {"enabled": True})
    for path in sys.argv[1:]:
        for width in (1280, 320):
            size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
            browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
            for scheme in ("light", "dark"):
                media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
                browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
                browser.get(pathlib.Path(path).resolve().as_uri())
                browser.execute_script(AXE)
                result = browser.execute_async_script(RUN)
                assert result["passes"] > 5 and result["width"] == width, f"{path}: axe looked at nothing: {result}"
                found += [(path, width, scheme, *v) for v in result["violations"]]
finally:
    browser.quit()
for violation in found:
    print(*violation)
sys.exit(bool(found))

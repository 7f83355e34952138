"""People at a browser, through a real driver: python story.py STORY URL FOLDER TOKEN. Pictures and what is taken away go to the folder;
what was seen is printed as JSON.

worst     An auditor looks for the system with the most that is open at the strictest level, opens a control that it violates, follows the
          evidence to its raw record, goes back in time, and takes the evidence of the system away.
sample    An auditor draws a sample of the workloads and opens the first case, on a telephone at night.
team      Somebody of a team looks at its systems and tries an address of another's.
operator  Somebody who runs the service looks at how it is and begins a pass.
"""

import json
import pathlib
import sys
import time

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support import expected_conditions
from selenium.webdriver.support.ui import Select, WebDriverWait

story, url, folder, token = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3]), sys.argv[4]
options = webdriver.ChromeOptions()
for word in ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--window-size=1280,1600"]:
    options.add_argument(word)
options.binary_location = "/usr/bin/chromium"
options.add_experimental_option("prefs", {"download.default_directory": str(folder)})
options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
browser = webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))
wait = WebDriverWait(browser, 30)
seen, pictures = {}, 0


def picture(name):
    global pictures
    pictures += 1
    browser.save_screenshot(str(folder / f"{pictures:02}-{name}.png"))


def text():
    return browser.find_element(By.TAG_NAME, "body").text


def go(element):
    """Clicks what leads to another page, and waits for that."""
    page = browser.find_element(By.TAG_NAME, "html")
    element.click()
    wait.until(expected_conditions.staleness_of(page))
    wait.until(lambda b: b.execute_script("return document.readyState") == "complete")


def follow(words):
    go(browser.find_element(By.PARTIAL_LINK_TEXT, words))


def sign_in(page):
    browser.get(url + page)
    seen["asked to sign in"] = "/login" in browser.current_url
    picture("sign-in")
    browser.find_element(By.NAME, "token").send_keys(token)
    go(browser.find_element(By.TAG_NAME, "button"))
    wait.until(lambda b: b.current_url.endswith(page))


def sign_out(page):
    button("Sign out")
    seen["signed out"] = "signed out" in text()
    browser.get(page)
    seen["is out"] = "/login" in browser.current_url


def button(words):
    go(browser.find_element(By.XPATH, f"//button[text()='{words}']"))


def worst():
    sign_in("/systems")
    picture("systems")

    def row(tr):
        cells = tr.find_elements(By.TAG_NAME, "td")
        level = cells[1].text.split(",")[0]
        return (["high", "unclassified", "limited", "minimal"].index(level), -int(cells[3].text)), tr

    rows = [row(tr) for tr in browser.find_elements(By.CSS_SELECTOR, "tbody tr")]
    worst = min(rows, key=lambda r: r[0])[1]
    link = worst.find_element(By.CSS_SELECTOR, "th a")
    seen["system"] = link.text
    go(link)
    picture("system")
    finding = browser.find_element(By.CSS_SELECTOR, ".finding.f-not-satisfied")
    control = finding.find_element(By.CSS_SELECTOR, "a[href*='/controls/']")
    system_page, control_page = browser.current_url, control.get_attribute("href")
    seen["control"] = control_page.rsplit("/", 1)[1]
    evidence = [a.get_attribute("href") for a in finding.find_elements(By.CSS_SELECTOR, "a[href*='/entries/']")]
    browser.get(control_page)
    picture("control")
    seen["control page names the system"] = seen["system"] in text()
    browser.get(evidence[0])
    picture("evidence")
    seen["entry"] = int(evidence[0].rsplit("/", 1)[1])
    seen["canonical"] = browser.find_element(By.TAG_NAME, "pre").text
    leaf = next(c.text for c in browser.find_elements(By.CSS_SELECTOR, "dd code") if len(c.text) == 64 and c.text.islower())
    seen["leaves"] = [c.text for c in browser.find_elements(By.CSS_SELECTOR, "dd code") if len(c.text) == 64]
    follow("entry, path and checkpoint")
    seen["as json"] = json.loads(browser.find_element(By.TAG_NAME, "pre").text)["leaf"]
    browser.get(system_page)
    date = browser.find_element(By.CSS_SELECTOR, "footer input[name=as_of]")
    browser.execute_script("arguments[0].value = '2026-11-10'", date)
    go(date.find_element(By.XPATH, "following::button"))
    wait.until(lambda b: "as_of=" in b.current_url)
    seen["past"] = "not as it is now" in text()
    picture("past")
    browser.get(system_page)
    follow("Take away the evidence")
    seen["filled in"] = Select(browser.find_element(By.NAME, "system")).first_selected_option.text
    picture("export")
    button("Make it")
    wait.until(lambda b: "bundle.zip" in b.page_source)
    picture("made")
    browser.find_element(By.PARTIAL_LINK_TEXT, "Take it").click()
    for _ in range(300):
        if list(folder.glob("*.zip")):
            break
        time.sleep(0.1)
    seen["bundle"] = next(folder.glob("*.zip")).name
    sign_out(system_page)


def sample():
    screen = {"width": 360, "height": 800, "deviceScaleFactor": 2, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    dark = {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", dark)
    sign_in("/exports")
    follow("populations and samples")
    Select(browser.find_element(By.NAME, "kind")).select_by_visible_text("kubernetes.workload")
    browser.find_element(By.NAME, "sample").send_keys("3")
    browser.find_element(By.NAME, "seed").send_keys("ada, 2026")
    button("Show")
    seen["adds up"] = text().count("it adds up")
    seen["drawn"] = [int(a.text.split()[1]) for a in browser.find_elements(By.CSS_SELECTOR, "td a[href*='/entries/']")]
    picture("sample")
    seen["sideways"] = browser.execute_script("return document.documentElement.scrollWidth > innerWidth")
    go(browser.find_element(By.CSS_SELECTOR, "td a[href*='/entries/']"))
    seen["case"] = int(browser.current_url.rsplit("/", 1)[1])
    seen["what it does not show"] = "not show" in text()
    picture("case")
    sign_out(url + "/population")


def team():
    sign_in("/systems")
    picture("own")
    seen["systems"] = [a.text for a in browser.find_elements(By.CSS_SELECTOR, "tbody th a")]
    seen["archive"] = bool(browser.find_elements(By.LINK_TEXT, "Archive"))
    go(browser.find_element(By.CSS_SELECTOR, "tbody th a"))
    seen["own page"] = seen["systems"][0] in text()
    seen["export"] = "Take away" in text()
    browser.get(url + "/systems/footfall-analytics")
    seen["of others"] = text()
    picture("of-others")
    browser.get(url + "/")
    sign_out(url + "/systems")


def operator():
    sign_in("/status")
    picture("status")
    button("Read all sources now")
    seen["begun"] = text()
    picture("begun")
    browser.get(url + "/systems")
    seen["systems"] = text()
    browser.get(url + "/status")
    sign_out(url + "/status")


try:
    {"worst": worst, "sample": sample, "team": team, "operator": operator}[story]()
    # Nothing was forbidden by the page's own policy, and no script ran into an error.
    messages = [e["message"] for e in browser.get_log("browser")]
    seen["console"] = [m for m in messages if "favicon" not in m and "Failed to load resource" not in m]
finally:
    browser.quit()
print(json.dumps(seen))

"""A person at a browser: Debian's headless Chromium, driven through its chromedriver; each look is kept in build/screenshots."""

import base64
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from selenium import webdriver
from selenium.common.exceptions import TimeoutException, WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests.unit.on_micropython import ROOT

SCREENSHOTS = ROOT / "build" / "screenshots"
PATIENCE_S = 60
PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
DESK = {"width": 1280, "height": 900, "deviceScaleFactor": 1, "mobile": False}

PROGRAMS = ("chromium", "chromedriver")


def missing() -> list[str]:
    return [program for program in PROGRAMS if not shutil.which(program)]


class Person:
    """At `address`, with a browser of their own: no cookie but theirs."""

    def __init__(self, address: str, profile: Path):
        self.address = address
        options = webdriver.ChromeOptions()
        options.binary_location = str(shutil.which("chromium"))
        options.accept_insecure_certs = True  # the fleet's own authority is not in its store
        for flag in ("headless=new", "disable-dev-shm-usage", "disable-gpu", f"user-data-dir={profile}"):
            options.add_argument(f"--{flag}")
        if os.geteuid() == 0:
            options.add_argument("--no-sandbox")  # Chromium has none for root
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
        self.look_like(DESK)

    def close(self) -> None:
        self.driver.quit()

    def look_like(self, screen: dict[str, object], *, dark: bool = False) -> None:
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})

    def go(self, path: str) -> None:
        self.driver.get(path if "://" in path else self.address + path)

    # What is on the page

    def see(self, selector: str):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector: str = "main") -> str:
        return self.see(selector).text

    def wait(self, true, seconds: float = PATIENCE_S):
        """Until true(self): a page is what it is only once it has been loaded."""
        try:
            return WebDriverWait(self, seconds, 0.2, ignored_exceptions=(WebDriverException,)).until(true)
        except TimeoutException:
            raise AssertionError(
                f"it does not come; on the page {self.driver.current_url}: {self.text('body')}"
            ) from None

    def wait_for(self, words: str, seconds: float = PATIENCE_S) -> None:
        self.wait(lambda person: words in person.text("body"), seconds)

    # What a person does

    def fill(self, form: str = "", **fields: str) -> None:
        """form: how its address ends, where a page has several with such a field."""
        within = f"form[action$='{form}'] " if form else ""
        for name, value in fields.items():
            found = self.see(f"main {within}[name='{name}']")
            if found.tag_name == "input":
                found.clear()
            found.send_keys(value)

    def enter(self, name: str, password: str, button: str) -> None:
        """Through a form that asks for a name, and for the password once or twice."""
        again = {"again": password} if self.all("[name='again']") else {}
        self.fill(name=name, password=password, **again)
        self.press(button)
        self.wait_for(f"{name}, ")

    def press(self, words: str) -> None:
        """The button or link with these words."""
        kinds = "//main//button | //main//a | //header//button | //header//a"
        found = [one for one in self.driver.find_elements(By.XPATH, kinds) if one.text.strip() == words]
        assert found, f"no button {words!r} on the page: {self.text('body')}"
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", found[0])
        found[0].click()

    # What is kept

    def keep(self, name: str, narrow: Callable[[], bool] = lambda: True) -> None:
        """The whole page, as it is now, at a desk and on a phone, by day and by night. narrow: what must be true on each."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        for kind, screen, dark in (("", DESK, False), ("-dark", DESK, True), ("-phone", PHONE, False)):
            self.look_like(screen, dark=dark)
            shot = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True})
            (SCREENSHOTS / f"{name}{kind}.png").write_bytes(base64.b64decode(shot["data"]))
            assert narrow(), f"not as it is to be: {name}{kind}.png"
        self.look_like(DESK)

    def complaints(self) -> list[str]:
        """What the browser has to say of our pages: errors of scripts, refusals by the Content-Security-Policy."""
        return [one["message"] for one in self.driver.get_log("browser") if one["level"] in ("SEVERE", "WARNING")]

    def sideways(self) -> bool:
        """Has the page to be scrolled sideways?"""
        width = "return document.documentElement.scrollWidth > document.documentElement.clientWidth"
        return bool(self.driver.execute_script(width))

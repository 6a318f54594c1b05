"""A page in a browser, as tests look at it."""

from _browser import SIZE, give_size, wait_for

WIDE, LARGE, PHONE = SIZE, (1920, 1080), (390, 844)
"""Sizes of pages in pixels."""


class Page:
    """A page in a browser.

    Parameters
    ----------
    driver : selenium driver
    address : str or None, default=None
        What to open; None for the page that is open already.
    size : tuple of 2 int
    """

    ready = "document.readyState === 'complete'"

    def __init__(self, driver, address=None, size=WIDE):
        self.driver = driver
        if address is not None:
            give_size(driver, *size)
            driver.get_log("browser")  # of the page before
            driver.get(address)
        self.wait_for(self.ready)

    def run(self, code, *values):
        """Return what JavaScript returns, which may wait for something."""
        whole = (
            "const [args, done] = [[...arguments].slice(0, -1), [...arguments].at(-1)];"
            f"(async () => {{ {code} }})()"
            ".then((value) => done([value]), (error) => done(String(error.stack)))"
        )
        result = self.driver.execute_async_script(whole, *values)
        assert isinstance(result, list), result
        return result[0]

    def wait_for(self, condition):
        """Wait until a condition in JavaScript holds."""
        wait_for(self.driver, condition)

    def element(self, name):
        """Return the element of an id."""
        return self.driver.find_element("id", name)

    def text(self, name):
        """Return the text of the element of an id."""
        return self.run("return document.getElementById(args[0]).textContent", name)

    def console(self):
        """Return what the console says."""
        return self.driver.get_log("browser")

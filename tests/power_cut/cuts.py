"""Every power cut of a scenario, one after the other. MicroPython runs this: `cuts.py JOB`, a file of JSON (campaign.py).

A scenario is run once undisturbed, and each of its flash operations taken down with what the world outside knew at that
moment. From that, the flash and the world at any cut can be had at once:

    before    nothing of the operation is done
    torn<n>   some of it is, as the seed n says
    after     all of it is, and nothing that came of it. (Where nothing of the world has changed until the next operation,
              that is its `before`, and is not run twice.)

The board is then powered on and left alone, until it is quiet, or until it does what a board before it has done (known.py).
The same once more gives the second cuts: those at the operations of what follows a first.
"""

import json
import sys
from binascii import a2b_base64

from tests.power_cut import ecdsa, machine
from tests.power_cut.backings import BACKINGS
from tests.power_cut.checks import Checks, Violation
from tests.power_cut.flash import done, torn
from tests.power_cut.known import Known
from tests.power_cut.scenarios import NOT, SCENARIOS, Factory

_NAME_A_VERSION = ("update", "unconfirmed", "bad", "supersede", "cancel")
_NEIGHBOURS = 8  # operations that go to the same share: what follows them is often the same


class Run:
    """A recorded run: `points` are (block, offset, data, what the server knew, how much had happened)."""

    def __init__(self, checks, image, saved=None, cuts=0):
        self.image = image
        self.points = []
        server = checks.server(saved)
        board = checks.run(image, server, cuts, self._take_down)
        self.points.append((0, 0, None, server.save(), board.moved))  # the end

    def _take_down(self, board, block, offset, data):
        self.points.append((block, offset, data and bytes(data), board.server.save(), board.moved))

    def __len__(self):
        return len(self.points) - 1

    def cuts(self, seeds, wanted=lambda number: True):
        """Generator of (number of the operation, pattern, image, what the server knew)."""
        image = list(self.image)
        for at in range(len(self)):
            block, offset, data, saved, moved = self.points[at]
            before, after = image[block], done(image[block], offset, data)
            if wanted(at + 1):
                yield at + 1, "before", image, saved
                for seed in range(1, seeds + 1):
                    yield at + 1, f"torn{seed}", _with(image, block, torn(before, offset, data, seed, at)), saved
                if moved != self.points[at + 1][4]:
                    yield at + 1, "after", _with(image, block, after), saved
            image = _with(image, block, after)

    def cut(self, number, pattern):
        """(image, what the server knew) of one cut."""
        seeds = int(pattern[4:]) if pattern.startswith("torn") else 0
        for _, found, image, saved in self.cuts(seeds, lambda each: each == number):
            if found == pattern:
                return image, saved
        raise ValueError("there is no such cut")


def _with(image, block, data):
    changed = list(image)
    changed[block] = data
    return changed


class Campaign:
    """job: {"releases": path, "scenarios" and "backings": [names; none for all], "share": [n, of], "list": path or None, and
    CI of campaign.py's, "every": at each such operation, "distrust": as of Known, "failures": after how many to stop, "only": name of a cut or ""}"""

    def __init__(self, job):
        self._job = job
        self._stories = {name: Stories(job["releases"], name) for name in BACKINGS}
        self._list = open(job["list"], "w") if job.get("list") else None  # noqa: SIM115 - for as long as it runs
        self._failures = 0
        self._known = None
        self.cuts = self.doubles = self.real = self.met = 0

    def run(self):
        for backing, stories in sorted(self._stories.items()):
            for name in self._job["scenarios"] or sorted(SCENARIOS):
                if name in NOT[backing] or backing not in (self._job["backings"] or BACKINGS):
                    continue
                if stories.lacks(name):
                    print("lacks", f"{name}:{backing}")
                else:
                    self._scenario(f"{name}:{backing}", stories.checks(name), stories.image(name))
        self.end()

    def end(self):
        if self._list:
            self._list.close()
        print("end", json.dumps({"cuts": self.cuts, "doubles": self.doubles, "real": self.real, "met": self.met}))

    def _scenario(self, name, checks, image):
        try:
            whole = Run(checks, image)
        except Violation as violation:
            return self._failed(name + ":0:none", violation)
        print("scenario", name, len(whole))
        self._known = Known(self._job["distrust"])
        for number, *cut in whole.cuts(self._job["seeds"], self._wanted):
            self._first(checks, f"{name}:{number}", *cut)
        self.met += self._known.met

    def _wanted(self, number):
        share, shares = self._job["share"]
        return number // _NEIGHBOURS % shares == share and number % self._job["every"] == 0

    def _first(self, checks, head, pattern, image, saved):
        self.cuts += self._try(f"{head}:{pattern}", checks, image, saved, 1)
        job = self._job
        if job["real"] and self.cuts % job["real"] == 0:
            self._with_real_ecdsa(f"{head}:{pattern}", checks, image, saved)
        if job["first"] and self.cuts % job["first"] == 0:
            self._seconds(checks, head, pattern, image, saved)

    def _seconds(self, checks, head, pattern, image, saved):
        """Cuts at every `second`-th operation of what follows; with which they begin goes round."""
        try:
            run = Run(checks, image, saved, 1)
        except Violation:
            return  # told already
        step = self._job["second"]
        turn = self.cuts // self._job["first"] % step
        for number, other, *cut in run.cuts(2, lambda number: number % step == turn):
            self.doubles += self._try(f"{head}+{number}:{pattern}+{other}", checks, *cut, 2)

    def _with_real_ecdsa(self, name, checks, image, saved):
        ecdsa.real = True
        try:
            self.real += self._try(name + " (real ECDSA)", checks, image, saved, 1, False)
        finally:
            ecdsa.real = False

    def _try(self, name, checks, image, saved, cuts, listed=True):
        """1: it has been tried."""
        try:
            checks.run(image, checks.server(saved), cuts, known=self._known if listed else None)
        except Violation as violation:
            self._failed(name, violation)
        if listed and self._list:
            self._list.write(name + "\n")
        if (self.cuts + self.doubles) % 200 == 0:
            print("at", self.cuts, self.doubles)
        return 1

    def _failed(self, name, violation):
        print("failed", json.dumps([violation.kind, name, violation.text]))
        self._failures += 1
        if self._failures >= self._job["failures"]:
            self.end()
            sys.exit(1)

    # one alone

    def only(self, name):
        """The cut of this name, or a second one after a first, which is run up to there. Operation 0: none."""
        scenario, backing, numbers, patterns = name.split(":")
        stories = self._stories[backing]
        checks, image, saved = stories.checks(scenario), stories.image(scenario), None
        machine.talk()
        cuts = 0
        for number, pattern in zip(numbers.split("+"), patterns.split("+")):
            if pattern != "none":
                try:
                    image, saved = Run(checks, image, saved, cuts).cut(int(number), pattern)
                except Violation as violation:  # already of what comes before
                    self._failed(name, violation)
                    break
                cuts += 1
                print(f"--- the power is cut at operation {number} ({pattern})")
        else:
            self._try(name, checks, image, saved, cuts)
        self.cuts = 1
        self.end()


class Stories:
    """The scenarios on one backing. path: what releases.py has written"""

    def __init__(self, path, backing):
        with open(path) as file:
            found = json.load(file)
        kind = BACKINGS[backing].kind
        files = {version: _binary(release["files"]) for version, release in found.items() if release["files"]}
        images = {
            version: _binary(release["images"])[kind] for version, release in found.items() if kind in release["images"]
        }
        self._bundles = {
            version: a2b_base64(release["bundles"][kind])
            for version, release in found.items()
            if kind in release["bundles"]
        }
        self._backing = BACKINGS[backing](machine.ROOT, machine.BLOCKS, files, images)
        self._factory = Factory(self._backing, self._bundles)
        self.board = lambda *arguments, **options: machine.Board(self._backing, *arguments, **options)

    def image(self, scenario):
        return self._factory.image(SCENARIOS[scenario][0])

    def lacks(self, scenario):
        """Is there no bundle for it? Deltas can't be made everywhere."""
        named = [goal[1] for goal in SCENARIOS[scenario][1] if goal[0] in _NAME_A_VERSION]
        return any(version not in self._bundles for version in named)

    def checks(self, scenario):
        return Checks(scenario, self._backing, self._bundles)


def _binary(contents):
    return {name: a2b_base64(data) for name, data in contents.items()}


if __name__ == "__main__":
    machine.install()
    with open(sys.argv[1]) as file:
        job = json.load(file)
    campaign = Campaign(job)
    campaign.only(job["only"]) if job["only"] else campaign.run()

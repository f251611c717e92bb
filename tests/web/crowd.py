"""Devices that answer, for stories of roll-outs: each as it was told to behave, all signed, no broker between."""

from srup import status, wire
from srup_host import bundle
from srup_host.server.runner import Runner

OLD = {"name": "thermometer", "version": "1.0", "tree": "cd" * 32, "counter": 1}


class Played:
    """A fake device that does what a frame asks for. ways: see `Crowd.device`."""

    def __init__(self, fake, ways):
        self.fake = fake
        self.ways = list(ways)
        self.runs = OLD
        self.staged = self.trial = None
        self.latest = {}
        self.got = []  # names of the frames that have come

    def answer(self, frame, manifest):
        """Frames to send back."""
        decoded = wire.decode(frame)
        elements, token = decoded.elements, decoded.elements["token"]
        self.got.append(" ".join([wire.TYPES[decoded.type][0], elements.get("name", b"").decode()]).strip())
        if self.ways[0] == "silent":
            return []
        if decoded.type == wire.ID_REQUEST:
            return [self.fake.inventory(self.runs, self.latest)]
        if decoded.type == wire.INITIATE:
            value = self.ways[0] if isinstance(self.ways[0], int) else status.UPDATE_SUCCESS
            if len(self.ways) > 1:
                self.ways.pop(0)
            return [self._said(token, value)]
        if decoded.type == wire.ACTIVATE:
            self.trial = token
            return [self._said(token, status.ACTIVATE_REVERTED if self.ways[0] == "bad" else status.ACTIVATE_TRIAL)]
        if decoded.type == wire.ACTION:
            return [
                self.fake.response(token, status.ACTION_SUCCESS),
                self._said(elements["parameters"], status.SUPERSEDED),
            ]
        self.runs = OLD if self.ways[0] == "liar" else manifest
        done = [self.fake.response(token, status.DATA_SUCCESS), self._said(self.trial, status.ACTIVATE_SUCCESS)]
        return done[:1] if self.ways[0] == "unheard" else done

    def _said(self, token, value):
        self.latest = {token: value}
        return self.fake.response(token, value)


class Crowd:
    """site's devices, and its runner. `crowd.play()` goes on until nothing happens any more."""

    def __init__(self, site):
        self.site = site
        self.runner = Runner(site.c2)
        self.played = {}
        self.manifest = None

    def device(self, name, *ways, sealing_key=b""):
        """ways, one after the other: a status that INITIATE is answered with; or, to stay with, "good", "bad" (fails its
        trial), "liar" (says it is confirmed, and runs the old version), "silent", "unheard" (that it is confirmed is lost on the way)."""
        fake = self.site.device(name, sealing_key)
        self.played[fake.uuid] = Played(fake, ways or ("good",))
        return self.played[fake.uuid]

    def devices(self, good, bad=0):
        for number in range(good + bad):
            self.device(f"d{number:03}", "good" if number < good else "bad")

    def release(self, version="2.0"):
        """A bundle of the fleet's, uploaded; its digest."""
        packed = bundle.pack(
            {"app.py": b"pass\n"},
            self.site.fleet.private_key("release"),
            name="thermometer",
            version=version,
            counter=1,
        )
        from srup_host.server.roles import Role

        added = self.site.program(Role.OPERATOR).post("/api/v1/bundles", content=packed).json()
        self.manifest = added["manifest"]
        return added["digest"]

    def deliver(self):
        """Have the devices take what was published, and the ledger what they say; how many frames that was."""
        frames, self.site.published[:] = list(self.site.published), []
        for sent in frames:
            played = self.played[sent.device]
            for frame in played.answer(sent.frame, self.manifest):
                self.site.hear(played.fake, frame)
        return len(frames)

    def play(self, rounds=200):
        """Until a round sends nothing."""
        for _ in range(rounds):
            self.runner.round()
            self.site.clock.now += 10
            if not self.deliver():
                self.runner.round()
                if not self.site.published:
                    return
        raise AssertionError("it does not come to rest")

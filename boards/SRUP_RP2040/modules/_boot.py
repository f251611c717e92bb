# The port's own _boot.py, but for where littlefs starts: the storage begins with the two raw slots (board.json).
import machine  # noqa: F401, left for the prompt, as by the port's own
import rp2
import vfs

storage = rp2.Flash(start=2 * 192 * 1024)
try:
    littlefs = vfs.VfsLfs2(storage, progsize=256)
except OSError:
    vfs.VfsLfs2.mkfs(storage, progsize=256)
    littlefs = vfs.VfsLfs2(storage, progsize=256)
vfs.mount(littlefs, "/")

del vfs, storage, littlefs

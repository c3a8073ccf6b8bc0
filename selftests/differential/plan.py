# SPDX-License-Identifier: GPL-2.0-only
"""
A random chain, and what is done with it, made from a seed: the same for dm-cowchain and for QEMU.

Nothing is done here; make-chains makes the images, differential.sh plays the steps on a device, and qemu-side on
copies of the images. A plan only has what both can do. What dm-cowchain refuses on purpose (see dm-cowchain.rst) is a
step as well: it has to be refused, and QEMU does not do it, although it could.
"""
import random

MIB = 1 << 20
SECTOR = 512
PREPARED = "extended_l2=on,preallocation=metadata"


class Layer:
    """An image: file, format, size in bytes, options for qemu-img create, writes of QEMU before the test."""

    def __init__(self, name, kind, size):
        self.kind = kind
        self.size = size
        self.format = "raw" if kind == "raw" else "qcow2"
        self.file = name + (".raw" if kind == "raw" else ".qcow2")
        self.data = name + ".data" if kind in ("data", "top-data") else None
        self.cluster = 0
        self.options = ""
        self.writes = []

    @property
    def prepared(self):
        return self.kind in ("top", "top-data")

    @property
    def words(self):
        return f"{self.file},{self.data}" if self.data else self.file


class Plan:
    """layers: those of the chain at first. spares: those that snapshots put on it. steps: lists of words. chain: what
    the chain is at the end, base first."""

    def __init__(self, seed):
        self.r = random.Random(seed)
        self.seed = seed
        self.way = "tool" if seed % 3 == 0 else "messages"
        self.verify = seed % 2 == 0
        self.marks = 0
        self.spares = []
        self.steps = []
        self.make_layers()
        self.chain = list(self.layers)
        self.sectors = self.chain[-1].size // SECTOR
        self.make_steps()

    # ---- images ----

    def make_layers(self):
        r = self.r
        unit = r.choice((SECTOR, 4096, 65536, MIB))
        size = r.randrange(6 * MIB, 14 * MIB) // unit * unit
        n = r.randrange(3, 8)
        self.layers = []
        for i in range(n):
            if i == n - 1:
                kind = r.choice(("top", "top", "top-data"))
            elif i == 0:
                kind = r.choice(("raw", "raw", "plain", "packed", "top"))
            else:
                kind = r.choice(("plain", "v2", "ext", "packed", "data", "top", "top", "top", "top-data", "top-data"))
            this = size
            # Chains grow; few are based on a larger disk.
            if i < n - 1 and r.random() < 0.2:
                this = max(2 * MIB, size - r.randrange(1, 8) * r.choice((SECTOR, 65536, MIB)))
            elif i < n - 1 and self.way == "messages" and r.random() < 0.1:
                this = size + r.randrange(1, 4) * r.choice((SECTOR, 4096, MIB))
            layer = self.make_layer("abcdefg"[i], kind, this)
            layer.writes = self.image_writes(layer)
            self.layers.append(layer)

    def make_layer(self, name, kind, size):
        layer = Layer(name, kind, size)
        r = self.r
        if layer.prepared:
            layer.cluster = r.choice((128, 128, 128, 256, 2048)) << 10
            layer.options = PREPARED
        elif kind == "ext":
            layer.cluster = r.choice((16, 64, 128, 512, 2048)) << 10
            layer.options = "extended_l2=on"
        elif kind == "v2":
            layer.cluster = r.choice((4, 64, 1024)) << 10
            layer.options = "compat=0.10"
        elif kind == "packed":
            layer.cluster = r.choice((4, 64, 64, 2048)) << 10
            layer.options = r.choice(("compression_type=zlib", "compression_type=zstd"))
        elif kind != "raw":
            layer.cluster = 512 << r.randrange(0, 13)
            layer.options = r.choice(("lazy_refcounts=on", "refcount_bits=64", "refcount_bits=16"))
        if layer.cluster:
            layer.options += f",cluster_size={layer.cluster}"
        if layer.data:
            layer.options += f",data_file={layer.data}"
        return layer

    def some_range(self, size, unit=SECTOR):
        """Offset and length in bytes, most of them short."""
        most = self.r.choice((16, 64, 512, 2048)) * SECTOR
        length = self.r.randrange(1, max(2, most // unit)) * unit
        length = min(length, size // unit * unit)
        return self.r.randrange(0, (size - length) // unit + 1) * unit, length

    def byte(self):
        """What is written is one byte, another one each time, so that the two sides need not share a file."""
        self.marks += 1
        return self.marks % 255 + 1

    def image_writes(self, layer):
        """Commands of qemu-io."""
        r = self.r
        writes = []
        # What is allocated cannot be compressed any more.
        if layer.kind == "packed":
            clusters = layer.size // layer.cluster
            for cluster in r.sample(range(clusters), min(clusters, r.randrange(3, 9))):
                writes.append(f"write -q -c -P {self.byte()} {cluster * layer.cluster} {layer.cluster}")
        for _ in range(r.randrange(2, 12)):
            offset, length = self.some_range(layer.size)
            if r.random() < 0.2:
                writes.append(f"write -q -z {'-u ' if r.random() < 0.3 and not layer.prepared else ''}{offset} {length}")
            else:
                writes.append(f"write -q -P {self.byte()} {offset} {length}")
        return writes

    # ---- steps ----

    def guest_writes(self, least, most):
        """Operations of cowio. What is discarded has to be whole clusters for QEMU to make them zeros."""
        ops = []
        size = self.sectors * SECTOR
        for _ in range(self.r.randrange(least, most)):
            kind = self.r.random()
            if kind < 0.7:
                offset, length = self.some_range(size)
                ops.append(f"byte:{offset}:{length}:{self.byte()}")
            elif kind < 0.9:
                ops.append("zero:%d:%d" % self.some_range(size))
            elif size >= 4 * MIB:
                ops.append(f"discard:{self.r.randrange(0, size // (2 * MIB)) * 2 * MIB}:{2 * MIB}")
        return ops

    def meanwhile(self):
        """What is written while a job runs. QEMU ignores discards then: its job puts a filter on the top, to which
        the option "discard" was not given."""
        ops = self.guest_writes(1, 6) if self.r.random() < 0.6 else []
        return [op for op in ops if not op.startswith("discard")]

    def step(self, *words):
        self.steps.append([str(w) for w in words])

    def make_steps(self):
        self.step("io", *self.guest_writes(3, 8))
        done = 0
        wanted = self.r.randrange(3, 7)
        while done < wanted:
            kind = self.r.choice(("snapshot", "stream", "stream", "commit", "commit", "active", "cancel", "again"))
            if getattr(self, "do_" + kind)():
                done += 1
                if self.r.random() < 0.6:
                    self.step("io", *self.guest_writes(1, 5))

    def do_snapshot(self):
        if len(self.chain) > 8:
            return False
        kind = self.r.choice(("top", "top", "top-data"))
        layer = self.make_layer(f"s{len(self.spares)}", kind, self.chain[-1].size)
        layer.backing = self.chain[-1]
        self.spares.append(layer)
        self.step("snapshot", layer.words)
        self.chain.append(layer)
        return True

    def do_stream(self):
        if len(self.chain) < 2:
            return False
        base = self.r.randrange(-1, len(self.chain) - 1)
        if base < 0:
            self.step("stream", "none", "-", "-", *self.meanwhile())
            self.chain = self.chain[-1:]
        else:
            at = self.chain[base]
            self.step("stream", base, at.file, at.format, *self.meanwhile())
            self.chain = self.chain[:base + 1] + self.chain[-1:]
        return True

    def do_cancel(self):
        """A stream that is cancelled when it has copied something. It must not end before, so it has enough to copy."""
        self.step("io", f"byte:0:{MIB}:{self.byte()}")
        if not self.do_snapshot():
            return False
        self.step("cancel", *self.meanwhile())
        return True

    def refused_size(self, base, last):
        """The errno with which dm-cowchain refuses a commit of what ends with last into base for their sizes, or None."""
        sub = 1 if base.format == "raw" else base.cluster // 32 // SECTOR
        if base.size < last.size:
            return "EFBIG"
        if base.size > last.size and (self.chain[-1].size > last.size or last.size // SECTOR % sub):
            return "EINVAL"
        return None

    def do_refused(self, errno, *words):
        """The tool would complain before the kernel does."""
        if self.way == "messages":
            self.step("refused", errno, "commit", *words)
        return self.way == "messages"

    def do_commit(self):
        top = len(self.chain) - 2
        bases = [i for i in range(top) if self.chain[i].kind == "raw" or self.chain[i].prepared]
        if not bases:
            return False
        base = self.r.choice(bases)
        at = self.chain[base]
        errno = self.refused_size(at, self.chain[top])
        if errno:
            return self.do_refused(errno, "top", top, "base", base, "backing-file", at.file, at.format)
        self.step("commit", base, at.file, at.format, *self.meanwhile())
        self.chain = self.chain[:base + 1] + self.chain[-1:]
        return True

    def do_active(self):
        top = len(self.chain) - 1
        bases = [i for i in range(top) if self.chain[i].prepared]
        if not bases:
            return False
        base = self.r.choice(bases)
        errno = self.refused_size(self.chain[base], self.chain[top])
        if errno:
            return self.do_refused(errno, "top", top, "base", base)
        self.step("active", base, *self.meanwhile())
        self.chain = self.chain[:base + 1]
        return True

    def do_again(self):
        """The device is removed, and made again of the files as they are."""
        self.step("again", *(layer.words for layer in self.chain))
        return True

    def text(self):
        """For differential.sh: a line each."""
        lines = [["sectors", self.sectors], ["way", self.way, "verify" if self.verify else "-"], ["layers", *(layer.words for layer in self.layers)],
                 *self.steps, ["end", *(layer.words for layer in self.chain)]]
        return "".join(" ".join(str(word) for word in line) + "\n" for line in lines)

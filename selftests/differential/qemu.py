# SPDX-License-Identifier: GPL-2.0-only
"""Does the steps of a plan with QEMU: block-stream, block-commit and blockdev-snapshot of a qemu-storage-daemon, and
writes of a guest over NBD, also while jobs run."""
import json
import os
import re
import socket
import subprocess
import tempfile
import time

TIMEOUT = 120		# seconds: of an answer, of a job
SLOW = 4096		# bytes per second


class Failed(Exception):
    pass


class Daemon:
    """A qemu-storage-daemon in the directory of the images, where it looks for data files."""

    def __init__(self, directory, run):
        self.directory = directory
        self.qmp = f"{run}/qmp"
        self.nbd = f"{run}/nbd"
        self.process = None

    def begin(self):
        for name in (self.qmp, self.nbd):
            if os.path.exists(name):
                os.unlink(name)
        self.process = subprocess.Popen(
            ["qemu-storage-daemon", "--chardev", f"socket,id=qmp,path={self.qmp},server=on,wait=off",
             "--monitor", "chardev=qmp", "--nbd-server", f"addr.type=unix,addr.path={self.nbd}"],
            cwd=self.directory, stdin=subprocess.DEVNULL)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(TIMEOUT)
        self.connect(self.qmp)
        self.lines = self.socket.makefile()
        self.lines.readline()
        self.ask("qmp_capabilities")

    def connect(self, path):
        end = time.monotonic() + TIMEOUT
        while True:
            try:
                return self.socket.connect(path)
            except OSError:
                if self.process.poll() is not None or time.monotonic() > end:
                    raise
                time.sleep(0.02)

    def ask(self, command, **arguments):
        words = {"execute": command, "arguments": {k.replace("_", "-"): v for k, v in arguments.items()}}
        self.socket.sendall(json.dumps(words).encode())
        for line in self.lines:
            answer = json.loads(line)
            if "error" in answer:
                raise Failed(f"{command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]
        raise Failed(f"{command}: no answer")

    def end(self):
        """All that is open is closed, so that the images are complete."""
        self.ask("quit")
        if self.process.wait(TIMEOUT):
            raise Failed(f"qemu-storage-daemon: exit status {self.process.returncode}")
        self.lines.close()
        self.socket.close()

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def qemu_version():
    """The first line of what qemu-storage-daemon says of itself."""
    return subprocess.run(["qemu-storage-daemon", "--version"], capture_output=True, text=True,
                          check=True).stdout.splitlines()[0]


def streams_subclusters():
    """Before 8.1, QEMU ends with a failed assertion when it streams into an image with extended L2 entries, since it
    rounds what it copies to clusters."""
    major, minor = re.search(r"version (\d+)\.(\d+)", qemu_version()).groups()
    return (int(major), int(minor)) >= (8, 1)


class Disk:
    """The chain of a plan, as the guest of the daemon has it. Nodes are named by the files."""

    def __init__(self, directory, run, plan):
        self.directory = directory
        self.run = run
        self.spares = list(plan.spares)
        self.live = streams_subclusters()
        self.daemon = Daemon(directory, run)

    def begin(self, chain):
        self.daemon.begin()
        self.chain = []
        for layer in chain:
            self.open(layer, self.chain[-1].file if self.chain else None)
            self.chain.append(layer)
        self.export()

    def open(self, layer, backing):
        def file(name):
            return {"driver": "file", "filename": name, "discard": "unmap"}

        options = {"node_name": layer.file, "driver": layer.format, "file": file(layer.file), "discard": "unmap"}
        if layer.format == "qcow2":
            options["backing"] = backing
        if layer.data:
            options["data_file"] = {"driver": "raw", "discard": "unmap", "file": file(layer.data)}
        self.daemon.ask("blockdev-add", **options)

    def export(self):
        self.daemon.ask("block-export-add", type="nbd", id="disk", name="disk", node_name=self.chain[-1].file,
                        writable=True)

    def moved(self):
        """The guest's disk is another node now."""
        self.daemon.ask("block-export-del", id="disk", mode="hard")
        end = time.monotonic() + TIMEOUT
        while self.daemon.ask("query-block-exports") and time.monotonic() < end:
            time.sleep(0.01)
        self.export()

    def becomes(self, chain):
        """Drop the nodes that are not in the chain any more, from the top down."""
        for layer in reversed(self.chain):
            if layer not in chain:
                self.daemon.ask("blockdev-del", node_name=layer.file)
        self.chain = chain

    # ---- what the guest does ----

    @staticmethod
    def command(op):
        name, offset, length, *byte = op.split(":")
        how = {"byte": ["write", "-q", "-P", *byte], "zero": ["write", "-q", "-z"], "discard": ["discard", "-q"]}[name]
        return " ".join(how + [offset, length])

    def io(self, *ops):
        if not ops:
            return
        commands = [word for op in ops for word in ("-c", self.command(op))]
        done = subprocess.run(["qemu-io", "-d", "unmap", "-f", "raw", *commands, "-c", "flush",
                               f"nbd+unix:///disk?socket={self.daemon.nbd}"], capture_output=True, text=True,
                              timeout=TIMEOUT)
        # It reports an error of one command in its output only.
        if done.returncode or done.stdout or done.stderr:
            raise Failed(f"qemu-io: {done.stdout}{done.stderr}")

    # ---- jobs ----

    def job(self):
        jobs = self.daemon.ask("query-jobs")
        return jobs[0] if jobs else {"status": "none"}

    def wait(self, *states):
        end = time.monotonic() + TIMEOUT
        while self.job()["status"] not in states:
            if time.monotonic() > end:
                raise Failed(f"a job is {self.job()}, not {states}")
            time.sleep(0.01)

    def start(self, command, ops, **arguments):
        """Returns when the guest has written, and the job no longer waits for anything."""
        self.daemon.ask(command, job_id="job", device=self.chain[-1].file, speed=SLOW if ops else 0,
                        auto_dismiss=False, **arguments)
        self.io(*ops)
        if ops and self.job()["status"] in ("running", "ready"):
            self.daemon.ask("block-job-set-speed", device="job", speed=0)

    def finish(self):
        self.wait("concluded")
        error = self.job().get("error")
        self.daemon.ask("job-dismiss", id="job")
        return error

    def finish_well(self):
        error = self.finish()
        if error:
            raise Failed(f"a job ended: {error}")

    # ---- steps ----

    def do_snapshot(self, _words):
        layer = self.spares.pop(0)
        self.open(layer, None)
        self.daemon.ask("blockdev-snapshot", node=self.chain[-1].file, overlay=layer.file)
        self.chain.append(layer)
        self.moved()

    def stream_offline(self, base, name, layer_format, ops):
        """The same by qemu-img, in a pause of the guest."""
        top = self.chain[-1].file
        self.io(*ops)
        self.daemon.end()
        how = ["-b", ""] if base == "none" else ["-b", name, "-F", layer_format]
        subprocess.run(["qemu-img", "rebase", "-q", "-f", "qcow2", *how, top], cwd=self.directory, check=True,
                       timeout=TIMEOUT)
        self.begin(self.chain[:0 if base == "none" else int(base) + 1] + self.chain[-1:])

    def forgets_end(self, base):
        """Where the layer below the top has ended, QEMU takes all for done, and what the base has there shows in the
        top afterwards, which read as zeros before."""
        return base != "none" and int(base) < len(self.chain) - 2 and self.chain[-2].size < self.chain[-1].size

    def do_stream(self, base, name, layer_format, *ops):
        if not self.live or self.forgets_end(base):
            self.stream_offline(base, name, layer_format, ops)
            return
        words = {} if base == "none" else {"base_node": self.chain[int(base)].file, "backing_file": name}
        self.start("block-stream", ops, **words)
        self.finish_well()
        self.becomes(self.chain[:0 if base == "none" else int(base) + 1] + self.chain[-1:])

    def do_cancel(self, *ops):
        if not self.live:
            self.io(*ops)
            return
        self.daemon.ask("block-stream", job_id="job", device=self.chain[-1].file, speed=SLOW, auto_dismiss=False)
        self.io(*ops)
        self.daemon.ask("block-job-cancel", device="job")
        self.finish()

    def do_commit(self, base, name, _format, *ops):
        self.start("block-commit", ops, top_node=self.chain[-2].file, base_node=self.chain[int(base)].file,
                   backing_file=name)
        self.finish_well()
        self.becomes(self.chain[:int(base) + 1] + self.chain[-1:])

    def do_active(self, base, *ops):
        self.start("block-commit", ops, base_node=self.chain[int(base)].file)
        self.wait("ready")
        self.daemon.ask("job-complete", id="job")
        self.finish_well()
        was, chain = self.chain, self.chain[:int(base) + 1]
        self.chain = chain
        self.moved()
        self.chain = was
        self.becomes(chain)

    def do_io(self, *ops):
        self.io(*ops)

    def do_refused(self, *_words):
        pass

    def do_again(self, *_words):
        pass


def play(plan, directory):
    """Changes the images in the directory. Raises an exception if QEMU does not do what the plan says."""
    with tempfile.TemporaryDirectory(prefix="cowchain-") as run:
        disk = Disk(directory, run, plan)
        try:
            disk.begin(plan.layers)
            for number, (name, *words) in enumerate(plan.steps):
                try:
                    getattr(disk, "do_" + name)(*words)
                except Exception as error:
                    raise Failed(f"step {number}, {name} {' '.join(words)}: {error}") from error
            if [layer.file for layer in disk.chain] != [layer.file for layer in plan.chain]:
                raise Failed("the plan has another chain in the end")
            disk.daemon.end()
        finally:
            disk.daemon.kill()

# SPDX-License-Identifier: Apache-2.0
"""One table: what judging a message costs our two engines, a plain xmlsec program, the floor of libxml2 and SHA-256, and
the peers that are installed; on the same files, interleaved in one run. And what a message may make dear: depth, attributes,
namespaces, references at their limits; what reading alone costs. All of it can be written into docs/performance.md."""
import math
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import time

import callgrind
import gsoap
from soap import WSU

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PAGE = os.path.join(ROOT, "docs", "performance.md")
BEGIN, END = "<!-- begin: written by tests/bench/run --only engines --write -->\n", "<!-- end -->\n"
MESSAGES = [  # name, key, octets, kind of Body
    ("2 KB", "rsa:2048", 2 << 10, "records"), ("2 KB P-256", "ec:P-256", 2 << 10, "records"),
    ("8 KB", "rsa:2048", 8 << 10, "records"), ("8 KB P-256", "ec:P-256", 8 << 10, "records"),
    ("32 KB", "rsa:2048", 32 << 10, "records"), ("32 KB P-256", "ec:P-256", 32 << 10, "records"),
    ("1 MB", "rsa:2048", 1 << 20, "records"), ("1 MB one text", "rsa:2048", 1 << 20, "text"),
    ("16 MB", "rsa:2048", 16 << 20, "records"), ("16 MB one text", "rsa:2048", 16 << 20, "text"),
    ("100 MB", "rsa:2048", 100 << 20, "records"), ("100 MB one text", "rsa:2048", 100 << 20, "text"),
]
HUGE = 8 << 20                   # one message a round from here on
ORDER = ("stream", "dom", "xmlsec", "floor", "python-xmlsec", "wss4j", "gsoap")
PEAKS = ("stream", "dom", "xmlsec", "wss4j")  # whose memory stands in the page
WARM_UP = (20000, 12)            # of Java: messages, or seconds of CPU time if these are over first
WARM_UP_HUGE = (2, 12)
JARS = [f"/usr/share/java/{name}.jar" for name in ("wss4j", "xmlsec", "slf4j-api", "slf4j-nop", "commons-logging")]  # nothing is logged
STREAM_AT_MOST = [               # of another program: (program, key, up to octets, share of its CPU time, what the page calls it)
    ("xmlsec", "rsa", 5000, 1 / 6, "of the plain xmlsec program, RSA, 2 to 4 KB"), ("xmlsec", "rsa", 1 << 40, 1 / 5, "of the plain xmlsec program, RSA, above"),
    ("xmlsec", "ec", 10000, 1 / 3, "of the plain xmlsec program, P-256, up to 8 KB"),  # one operation with P-256 is most of a small message
    ("xmlsec", "ec", 1 << 40, 1 / 5, "of the plain xmlsec program, P-256, above"),
    ("wss4j", "", 5000, 1 / 2.5, "of WSS4J, 2 to 4 KB"), ("wss4j", "", 1 << 40, 1 / 4, "of WSS4J, above"),
    ("floor", "", 1 << 40, 1.35, "of the floor, every size"),
]
MEMORY_TARGET_KB = 12 << 10
DEPTHS = (10, 240)
DEPTH_TURNS = 4                  # a round, each a quarter as long
DEAR_TARGET = 4                  # what an octet of a message at its limits may cost, in octets of records
REFERENCES = (2, 30)
REFERENCE_TARGET_US = 10
READER_GAIN = 1.5                # at least, over libxml2's SAX parser
PYTHON = """
import re, sys, time
from lxml import etree
import xmlsec
certificate, path, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
WSU = "{http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd}Id"
octets = open(path, "rb").read()
key = xmlsec.Key.from_file(certificate, xmlsec.constants.KeyDataFormatCertPem)
def once():
    tree = etree.fromstring(octets, etree.XMLParser(huge_tree=True, resolve_entities=False))
    signature = xmlsec.tree.find_node(tree, xmlsec.constants.NodeSignature)
    context = xmlsec.SignatureContext()
    for node in tree.iter():
        if isinstance(node.tag, str) and WSU in node.attrib:
            context.register_id(node, "Id", WSU[1:-3])
    context.key = key
    context.verify(signature)
once()
from_cpu, until, messages = time.process_time(), time.monotonic() + seconds, 0
while messages == 0 or time.monotonic() < until:
    once()
    messages += 1
peak = int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read()).group(1)) - len(octets) // 1024
print(messages, (time.process_time() - from_cpu) * 1e6 / messages, peak)
"""


def records(octets):
    """Records of about so many octets, as an order has them."""
    record = '<o:item><o:article>A-{:06d}</o:article><o:quantity>3</o:quantity><o:price currency="EUR">12.50</o:price></o:item>'
    count = max(1, octets // len(record.format(0)))
    return f'<o:GetOrderResponse xmlns:o="urn:example:orders">{"".join(record.format(i) for i in range(count))}</o:GetOrderResponse>'


def one_text(octets):
    line = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM0NTY3\n"
    return f'<o:document xmlns:o="urn:example:orders">{line * max(1, octets // len(line))}</o:document>'


def nested(octets, depth):
    """Groups of elements that stand so deep in each other, until there are enough octets. Only the depth is to differ: an octet of a tag
    costs more than one of text, so one of seven elements begins with a text, whatever the depth, and which ones nobody can foretell."""
    inner = depth - 3  # Envelope, Body, root
    dice = random.Random(depth)
    end = "".join(f"</o:g{i % 10}>" for i in reversed(range(inner)))
    groups, have = [], 0
    while have < octets:
        groups.append("".join(f"<o:g{i % 10}>{'12.50' if dice.randrange(7) == 0 else ''}" for i in range(inner)) + end)
        have += len(groups[-1])
    return f'<o:r xmlns:o="urn:example:orders">{"".join(groups)}</o:r>'


def wide(octets, attributes=200):
    """Elements with nearly as many attributes as a policy allows."""
    values = " ".join(f'a{i}="{i}"' for i in range(attributes))
    element = f"<o:r {values}/>"
    return f'<o:all xmlns:o="urn:example:orders">{element * max(1, octets // len(element))}</o:all>'


def renamed(octets, names=50):
    """Elements that declare nearly as many namespaces as a policy allows and use each of them."""
    declared = " ".join(f'xmlns:n{i}="urn:example:n{i}"' for i in range(names))
    element = f"<o:r {declared}>{''.join(f'<n{i}:e/>' for i in range(names))}</o:r>"
    return f'<o:all xmlns:o="urn:example:orders">{element * max(1, octets // len(element))}</o:all>'


def more_per_octet(costs, paths):
    """@return %: what an octet of the second message costs more than one of the first"""
    first, second = (cost / os.path.getsize(path) for cost, path in zip(costs, paths))
    return round(100 * (second / first - 1), 1) + 0.0  # never -0.0


class Wss4j:
    """One Java process for one message, warmed up; its compiler compiles at once, not when a processor is free."""

    def __init__(self, classes, keystore, path, warm_up):
        self.child = subprocess.Popen(["java", "-Xbatch", "-Xmx8g", "-cp", classes, "VerifyBench", keystore, path, *map(str, warm_up)],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def measure(self, seconds):
        """@return words of its answer, empty: it does not verify this message"""
        try:
            self.child.stdin.write(f"{seconds}\n")
            self.child.stdin.flush()
        except BrokenPipeError:
            return []
        return self.child.stdout.readline().split()

    def close(self):
        self.child.kill()
        self.child.wait()


class Engines:
    def __init__(self, out, place, rounds, seconds, pin):
        self.out = out
        self.place = place
        self.rounds = rounds
        self.seconds = seconds
        self.pin = pin
        self.pairs = {}
        self.java = self.compile_java()
        self.gsoap = self.compile_gsoap()
        self.wss4j = None
        self.missed = []
        self.rows = []    # of the page's table: name, octets, {program: (us, KB)}
        self.lines = []   # of the page, behind the table
        self.worst = {}   # target -> the largest share of its bound, and the share itself

    def compile_java(self):
        if not shutil.which("javac") or not all(map(os.path.exists, JARS)):
            return None
        jars = ":".join(JARS)
        done = subprocess.run(["javac", "-nowarn", "-cp", jars, "-d", self.place, os.path.join(HERE, "VerifyBench.java")],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        return f"{self.place}:{jars}" if done.returncode == 0 else None

    def compile_gsoap(self):
        if not gsoap.is_here():
            return None
        source = os.path.join(HERE, "gsoap")
        try:
            return gsoap.build(os.path.join(self.place, "gsoap"), os.path.join(source, "orders.h"), os.path.join(source, "verify.c"), "-O2", f"-I{ROOT}")
        except RuntimeError as error:
            print(f"  gSOAP is left out: {error}")
            return None

    def has_python_xmlsec(self):
        return subprocess.run([sys.executable, "-c", "import lxml, xmlsec"], stderr=subprocess.DEVNULL, check=False).returncode == 0

    def pair(self, kind):
        import keys
        if kind not in self.pairs:
            self.pairs[kind] = keys.new_pair(self.place, f"engines-{kind.replace(':', '-')}", kind)
        return self.pairs[kind]

    def keystore(self, pair):
        path = f"{pair.certificate_file}.p12"
        if not os.path.exists(path):
            subprocess.run(["openssl", "pkcs12", "-export", "-name", "peer", "-passout", "pass:password", "-inkey", pair.key_file,
                            "-in", pair.certificate_file, "-out", path], check=True)
        return path

    def message(self, pair, body, name="engines.xml", **more):
        import soap
        path = os.path.join(self.place, name)
        with open(path, "w", encoding="utf-8") as out:
            out.write(soap.sign(pair, body=body, ttl_s=299, **more))
        return path

    def measure(self, program, pair, path, seconds, env=None):
        """@return (CPU us per message, peak KB beyond the message), None: it does not verify this message"""
        if program == "wss4j":
            words = self.wss4j.measure(2 * seconds)
            return (float(words[1]), int(words[2])) if words else None
        certificate = pair.certificate_file
        verify = os.path.join(self.out, "bench", "bench_verify")
        command = {
            "stream": [verify], "dom": [verify], "xmlsec": [os.path.join(self.out, "bench", "baseline_xmlsec")],
            "floor": [os.path.join(self.out, "bench", "bench_floor")], "python-xmlsec": [sys.executable, "-c", PYTHON], "gsoap": [self.gsoap],
        }[program] + [certificate, path, str(seconds)]
        own = dict(os.environ, COUNTERSIGN_ENGINE="dom" if program == "dom" else "stream", **(env or {}))
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False, env=own, preexec_fn=self.pin)
        if done.returncode != 0:
            if program in ("stream", "dom", "floor"):
                raise RuntimeError(f"{program}: {done.stderr.strip()[-300:]}")
            return None
        words = done.stdout.split()
        return float(words[1]), int(float(words[2]))

    def programs(self, huge):
        here = {"wss4j": self.java, "python-xmlsec": self.has_python_xmlsec(), "gsoap": self.gsoap and not huge}  # gSOAP: at most 100,000 items
        return [p for p in ORDER if here.get(p, True)]

    # ---- the table ------------------------------------------------------------------------------------------------------

    def row(self, name, kind, octets, body):
        pair = self.pair(kind)
        path = self.message(pair, (records if body == "records" else one_text)(max(0, octets - 3000)))
        size = os.path.getsize(path)
        huge = size >= HUGE
        samples = {p: [] for p in self.programs(huge)}
        try:
            self.wss4j = Wss4j(self.java, self.keystore(pair), path, WARM_UP_HUGE if huge else WARM_UP) if self.java else None
            for _ in range(1 if huge else self.rounds):
                for program, seen in samples.items():
                    if seen is not None:
                        got = self.measure(program, pair, path, 0 if huge else self.seconds)
                        samples[program] = seen + [got] if got is not None else None
        finally:
            if self.wss4j is not None:
                self.wss4j.close()
        middle = {p: [statistics.median(column) for column in zip(*seen)] for p, seen in samples.items() if seen}
        for program in samples:
            if program not in middle:
                print(f"  {name:16} {size:10} {program:14} does not verify it")
                continue
            us, peak = middle[program]
            share = statistics.median(own[0] / other[0] for own, other in zip(samples["stream"], samples[program]))
            if program == "wss4j":  # it may be warming up still: the fastest round of both
                us = middle[program][0] = min(samples[program])[0]
                share = min(samples["stream"])[0] / us
            print(f"  {name:16} {size:10} {program:14} {us:12.1f} {size / us:9.1f} {peak / 1024:9.1f} {1 / share:9.2f}   "
                  f"{self.judge(name, kind, program, size, share)}", flush=True)
        self.rows.append((name, size, middle))
        if middle["stream"][1] > MEMORY_TARGET_KB:
            self.missed.append(f"{name}: memory of stream")

    def judge(self, name, kind, program, size, share):
        for other, key, limit, target, called in STREAM_AT_MOST:
            if other == program and kind.startswith(key) and size <= limit:
                self.worst[called] = max(self.worst.get(called, 0), share)
                word = self.met(share <= target, f"{name}: stream is {as_share(share)} of {program}, target {as_share(target)}")
                return f"stream is {as_share(share)} of it, target <= {as_share(target)}: {word}"
        return ""

    def met(self, held, what):
        if not held:
            self.missed.append(what)
        return "met" if held else "NOT met"

    def tell(self, text, verdict=""):
        """A line for people and for the page."""
        print(f"  {text}   {verdict}", flush=True)
        self.lines.append(f"- {text}{'.' if not verdict else f' ({verdict})'}")

    # ---- what the figures are made of --------------------------------------------------------------------------------------

    def counted(self):
        pair = self.pair("rsa:2048")
        verify, plain = (os.path.join(self.out, "bench", program) for program in ("bench_verify", "baseline_xmlsec"))
        for name, octets, least in (("2 KB", 2 << 10, 4), ("32 KB", 32 << 10, 4), ("1 MB", 1 << 20, 3.8)):
            path = self.message(pair, records(max(0, octets - 3000)))
            stream, dom, xmlsec = (callgrind.per_message(program, pair.certificate_file, path, dict(os.environ, COUNTERSIGN_ENGINE=engine))
                                   for program, engine in ((verify, "stream"), (verify, "dom"), (plain, "")))
            if stream and dom and xmlsec:
                gain = xmlsec / stream
                self.tell(f"{name}, instructions counted by callgrind (which has no SHA instructions): stream {stream:,}, dom {dom:,}, xmlsec {xmlsec:,}, "
                          f"{gain:.1f} times", f"target >= {least}: {self.met(gain >= least, f'{name}: instructions {gain:.2f}')}")

    def reading(self):
        """The reader of Body beside the parser that it took the place of."""
        pair = self.pair("rsa:2048")
        for name, octets, body in (("32 KB", 32 << 10, records), ("1 MB", 1 << 20, records), ("1 MB one text", 1 << 20, one_text)):
            path = self.message(pair, body(octets - 3000))
            gains = []
            for _ in range(self.rounds):
                us = {}
                for way in ("reader", "libxml2"):
                    done = subprocess.run([os.path.join(self.out, "bench", "bench_reader"), way, path, str(self.seconds)], stdout=subprocess.PIPE,
                                          text=True, check=True, preexec_fn=self.pin)
                    us[way] = float(done.stdout.split()[1])
                gains.append(us["libxml2"] / us["reader"])
            gain = statistics.median(gains)
            self.tell(f"{name}, reading alone: our reader {us['reader']:,.1f} us, libxml2's SAX parser with handlers that do nothing {us['libxml2']:,.1f} us, "
                      f"{gain:.1f} times", f"target >= {READER_GAIN}: {self.met(gain >= READER_GAIN, f'{name}: reader gains {gain:.2f}')}")

    # ---- what a message may make dear ----------------------------------------------------------------------------------------

    def cpu_us(self, path, engine):
        return statistics.median(self.measure(engine, self.pair("rsa:2048"), path, self.seconds)[0] for _ in range(self.rounds))

    def per_octet(self, body, engine):
        path = self.message(self.pair("rsa:2048"), body)
        return self.cpu_us(path, engine) / os.path.getsize(path)

    def depth(self):
        """Time: the fastest of many short turns of each, taken one by one, so that nothing else decides. And instructions."""
        pair = self.pair("rsa:2048")
        deep = {"BENCH_DEPTH": "250"}
        paths = [self.message(pair, nested(1 << 20, depth), name=f"deep-{depth}.xml") for depth in DEPTHS]
        fastest = [math.inf] * len(paths)
        for _ in range(DEPTH_TURNS * self.rounds):
            fastest = [min(us, self.measure("stream", pair, path, self.seconds / DEPTH_TURNS, deep)[0]) for us, path in zip(fastest, paths)]
        verify = os.path.join(self.out, "bench", "bench_verify")
        counts = [callgrind.per_message(verify, pair.certificate_file, path, dict(os.environ, COUNTERSIGN_ENGINE="stream", **deep)) for path in paths]
        more = more_per_octet(fastest, paths)
        counted = f", {more_per_octet(counts, paths):+.1f} % in instructions" if all(counts) else ""
        self.tell(f"1 MB, elements {DEPTHS[1]} deep instead of {DEPTHS[0]}: {more:+.1f} % per octet{counted}",
                  f"target <= 5 %: {self.met(more <= 5, f'depth: {more:.1f} %')}")

    def dear(self):
        """Messages that pass, as dear as the limits let them be."""
        usual = {engine: self.per_octet(records(1 << 20), engine) for engine in ("stream", "dom")}
        for name, body in (("elements of 200 attributes", wide(1 << 20)), ("elements that declare and use 50 namespaces", renamed(1 << 20))):
            times = {engine: self.per_octet(body, engine) / usual[engine] for engine in usual}
            self.tell(f"1 MB, {name}: an octet costs {times['stream']:.2f} of one of records (dom {times['dom']:.2f})",
                      f"target <= {DEAR_TARGET}: {self.met(times['stream'] <= DEAR_TARGET, f'{name}: {times}')}")
        cost = {}
        for count in REFERENCES:
            parts = [f"H{i}" for i in range(count - 2)]
            headers = "".join(f'<h:h xmlns:h="urn:example:h" xmlns:wsu="{WSU}" wsu:Id="{part}">value</h:h>' for part in parts)
            path = self.message(self.pair("rsa:2048"), records(1), parts=("Body", "TS", *parts), other_header=headers)
            cost[count] = {engine: self.cpu_us(path, engine) for engine in usual}
        each = {engine: (cost[REFERENCES[1]][engine] - cost[REFERENCES[0]][engine]) / (REFERENCES[1] - REFERENCES[0]) for engine in usual}
        self.tell(f"{REFERENCES[1]} references instead of {REFERENCES[0]}: {each['stream']:.1f} us for each with its header (dom {each['dom']:.1f})",
                  f"target <= {REFERENCE_TARGET_US} us: {self.met(each['stream'] <= REFERENCE_TARGET_US, f'references: {each}')}")

    # ---- files ----------------------------------------------------------------------------------------------------------

    def file_peak(self, pair, path):
        """@return KB: most memory of `countersign verify` on a file"""
        from product import peak_kb
        product = os.path.join(self.out, "countersign")
        store = ["--keystore", f"sqlite:{os.path.join(self.place, 'engines.db')}"]
        conf = os.path.join(self.place, "engines.conf")
        if not os.path.exists(conf):
            with open(conf, "w", encoding="utf-8") as text:
                text.write("policy large { require-signed Body; limits { body 1000M; text 1000M; } }\n")
            for words in (["init"], ["add", "--role", "verifier", "--partner", "acme", "--alias", "acme-sign", pair.certificate_file, "--activate"]):
                subprocess.run([product, *store, "keystore", *words], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return peak_kb(product, "-c", conf, *store, "verify", "--partner", "acme", "--policy", "large", path)

    def files(self, most):
        pair = self.pair("rsa:2048")
        sizes = [octets for octets in (16 << 20, 100 << 20) if octets <= most]
        least = self.file_peak(pair, self.message(pair, records(1)))
        for octets in sizes:
            more = max(0, self.file_peak(pair, self.message(pair, records(octets))) - least)
            self.tell(f"`countersign verify`, a file of {octets >> 20} MB: {more / 1024:.1f} MB more than one of 3 KB",
                      f"target <= {MEMORY_TARGET_KB >> 10} MB: {self.met(more <= MEMORY_TARGET_KB, f'verify on a file: {more} KB')}")

    # ---- all of it ------------------------------------------------------------------------------------------------------

    def run(self, most, write):
        began = time.monotonic()
        print(f"One message, by program (CPU; median of {self.rounds} interleaved rounds, one message above 8 MB)")
        print(f"  {'message':16} {'octets':>10} {'program':14} {'us':>12} {'MB/s':>9} {'peak MB':>9} {'x stream':>9}")
        for name, kind, octets, body in MESSAGES:
            if octets <= most:
                self.row(name, kind, octets, body)
        self.counted()
        self.reading()
        self.depth()
        self.dear()
        self.files(most)
        print(f"  peak MB: the most memory of the process beyond the message itself; of stream at most {MEMORY_TARGET_KB >> 10}")
        print("  " + ("every target is met" if not self.missed else "NOT met: " + "; ".join(self.missed)))
        print(f"  all this took {(time.monotonic() - began) / 60:.1f} minutes\n")
        if write:
            self.write()

    def page(self):
        programs = [p for p in ORDER if any(p in middle for _, _, middle in self.rows)]
        peaks = [p for p in PEAKS if p in programs]
        head = ["message", "octets", "stream, us", "MB/s"] + [f"{p}, us" for p in programs[1:]] + [f"peak MB: {peaks[0]}"] + peaks[1:]
        lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
        for name, size, middle in self.rows:
            cells = [name, f"{size:,}", in_us(middle["stream"][0]), f"{size / middle['stream'][0]:,.0f}"]
            cells += [in_us(middle[p][0]) if p in middle else "-" for p in programs[1:]]
            cells += [f"{middle[p][1] / 1024:,.0f}" if p in middle else "-" for p in peaks]
            lines.append("| " + " | ".join(cells) + " |")
        lines += ["", *self.lines, "", "| target | at most | here, at worst |", "|---|---|---|"]
        for _, _, _, target, called in STREAM_AT_MOST:
            if called in self.worst:
                lines.append(f"| {called} | {as_share(target)} | {as_share(self.worst[called])} |")
        peak = max(middle["stream"][1] for _, _, middle in self.rows)
        lines.append(f"| memory beyond the message, every size | {MEMORY_TARGET_KB >> 10} MB | {peak / 1024:.0f} MB |")
        lines += ["", "Every target is met." if not self.missed else f"Missed: {'; '.join(self.missed)}."]
        return "\n".join(lines) + "\n"

    def write(self):
        with open(PAGE, encoding="utf-8") as page:
            before, rest = page.read().split(BEGIN)
        with open(PAGE, "w", encoding="utf-8") as page:
            page.write(before + BEGIN + self.page() + END + rest.split(END)[1])


def as_share(share):
    return f"{share:.2f}" if share > 0.995 else f"1/{1 / share:.1f}"


def in_us(us):
    return f"{us:,.1f}" if us < 1000 else f"{us:,.0f}"

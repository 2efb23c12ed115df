# SPDX-License-Identifier: Apache-2.0
"""One table: what judging a message costs our two engines, a plain xmlsec program, the floor of libxml2 and SHA-256, and
the peers that are installed; on the same files, interleaved in one run."""
import glob
import os
import re
import shutil
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
MESSAGES = [  # name, key, octets, kind of Body
    ("2 KB", "rsa:2048", 2 << 10, "records"), ("2 KB P-256", "ec:P-256", 2 << 10, "records"),
    ("8 KB", "rsa:2048", 8 << 10, "records"), ("8 KB P-256", "ec:P-256", 8 << 10, "records"),
    ("32 KB", "rsa:2048", 32 << 10, "records"), ("32 KB P-256", "ec:P-256", 32 << 10, "records"),
    ("1 MB", "rsa:2048", 1 << 20, "records"), ("1 MB one text", "rsa:2048", 1 << 20, "text"),
    ("16 MB", "rsa:2048", 16 << 20, "records"), ("16 MB one text", "rsa:2048", 16 << 20, "text"),
    ("100 MB", "rsa:2048", 100 << 20, "records"), ("100 MB one text", "rsa:2048", 100 << 20, "text"),
]
HUGE = 8 << 20                   # one message a round from here on
ORDER = ("stream", "dom", "xmlsec", "floor", "python-xmlsec", "wss4j")
STREAM_AT_MOST = [               # of another program: (program, key, up to octets, share of its CPU time)
    ("xmlsec", "rsa", 5000, 1 / 6), ("xmlsec", "rsa", 1 << 40, 1 / 5),
    ("xmlsec", "ec", 10000, 1 / 3), ("xmlsec", "ec", 1 << 40, 1 / 5),  # one operation with P-256 is most of a small message
    ("wss4j", "", 5000, 1 / 2.5), ("wss4j", "", 1 << 40, 1 / 4), ("floor", "", 1 << 40, 1.35),
]
MEMORY_TARGET_KB = 12 << 10
DEPTHS = (10, 240)
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
    """Groups of elements that stand so deep in each other, until there are enough octets."""
    inner = depth - 3  # Envelope, Body, root
    group = "".join(f"<o:g{i % 10}>" for i in range(inner)) + "12.50" + "".join(f"</o:g{i % 10}>" for i in reversed(range(inner)))
    return f'<o:r xmlns:o="urn:example:orders">{group * max(1, octets // len(group))}</o:r>'


class Engines:
    def __init__(self, out, place, rounds, seconds, pin):
        self.out = out
        self.place = place
        self.rounds = rounds
        self.seconds = seconds
        self.pin = pin
        self.pairs = {}
        self.java = self.compile_java()
        self.missed = []

    def compile_java(self):
        if not shutil.which("javac") or not os.path.exists("/usr/share/java/wss4j.jar"):
            return None
        jars = ":".join(glob.glob("/usr/share/java/*.jar"))
        done = subprocess.run(["javac", "-nowarn", "-cp", jars, "-d", self.place, os.path.join(HERE, "VerifyBench.java")],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        return f"{self.place}:{jars}" if done.returncode == 0 else None

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

    def message(self, pair, body):
        import soap
        path = os.path.join(self.place, "engines.xml")
        with open(path, "w", encoding="utf-8") as out:
            out.write(soap.sign(pair, body=body, ttl_s=299))
        return path

    def measure(self, program, pair, path, seconds, env=None):
        """@return (CPU us per message, peak KB beyond the message), None: it does not verify this message"""
        certificate = pair.certificate_file
        size = os.path.getsize(path)
        verify = os.path.join(self.out, "bench", "bench_verify")
        command = {
            "stream": [verify, certificate, path, str(seconds)],
            "dom": [verify, certificate, path, str(seconds)],
            "xmlsec": [os.path.join(self.out, "bench", "baseline_xmlsec"), certificate, path, str(seconds)],
            "floor": [os.path.join(self.out, "bench", "bench_floor"), certificate, path, str(seconds)],
            "python-xmlsec": [sys.executable, "-c", PYTHON, certificate, path, str(seconds)],
            "wss4j": ["java", "-Xmx8g", "-cp", self.java or "", "VerifyBench", self.keystore(pair), path,
                      str(10 if size < HUGE else 0), str(max(seconds, 1) if size < HUGE else 0)],
        }[program]
        own = dict(os.environ, COUNTERSIGN_ENGINE="dom" if program == "dom" else "stream", **(env or {}))
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False, env=own,
                              preexec_fn=self.pin if program != "wss4j" else None)
        if done.returncode != 0:
            if program in ("stream", "dom", "floor"):
                raise RuntimeError(f"{program}: {done.stderr.strip()[-300:]}")
            return None
        words = done.stdout.split()
        return float(words[1]), int(float(words[2]))

    def programs(self):
        return [p for p in ORDER if (p != "wss4j" or self.java) and (p != "python-xmlsec" or self.has_python_xmlsec())]

    def row(self, name, kind, octets, body, programs):
        pair = self.pair(kind)
        path = self.message(pair, (records if body == "records" else one_text)(max(0, octets - 3000)))
        size = os.path.getsize(path)
        samples = {p: [] for p in programs}
        for _ in range(1 if size >= HUGE else self.rounds):
            for program, seen in samples.items():
                if seen is not None:
                    got = self.measure(program, pair, path, 0 if size >= HUGE else self.seconds)
                    samples[program] = seen + [got] if got is not None else None
        middle = {p: [statistics.median(column) for column in zip(*seen)] for p, seen in samples.items() if seen}
        for program in programs:
            if program not in middle:
                print(f"  {name:16} {size:10} {program:14} does not verify it")
                continue
            us, peak = middle[program]
            share = middle["stream"][0] / us
            print(f"  {name:16} {size:10} {program:14} {us:12.1f} {size / us:9.1f} {peak / 1024:9.1f} {1 / share:9.2f}   "
                  f"{self.judge(name, kind, program, size, share)}", flush=True)
        if peak_of(middle, "stream") > MEMORY_TARGET_KB:
            self.missed.append(f"{name}: memory of stream")

    def judge(self, name, kind, program, size, share):
        for other, key, limit, target in STREAM_AT_MOST:
            if other == program and kind.startswith(key) and size <= limit:
                met = share <= target
                if not met:
                    self.missed.append(f"{name}: stream is {share:.2f} of {program}, target {target:.2f}")
                return f"stream is {share:.2f} of it, target <= {target:.2f}: {'met' if met else 'NOT met'}"
        return ""

    def instructions(self, pair, path):
        """Per message and engine, from runs over 2 and 6 messages; None without valgrind."""
        found = {}
        for engine in ("stream", "dom"):
            counts = []
            for messages in (2, 6):
                done = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", os.path.join(self.out, "bench", "bench_verify"),
                                       pair.certificate_file, path, str(-messages)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                      check=False, env=dict(os.environ, COUNTERSIGN_ENGINE=engine))
                count = re.search(r"Collected : (\d+)", done.stdout)
                if not count:
                    return None
                counts.append(int(count.group(1)))
            found[engine] = (counts[1] - counts[0]) // 4
        return found

    def counted(self):
        pair = self.pair("rsa:2048")
        for name, octets in (("2 KB", 2 << 10), ("32 KB", 32 << 10), ("1 MB", 1 << 20)):
            got = self.instructions(pair, self.message(pair, records(max(0, octets - 3000)))) if shutil.which("valgrind") else None
            if got:
                print(f"  {name:16} instructions (callgrind): stream {got['stream']:,}, dom {got['dom']:,}, ratio {got['dom'] / got['stream']:.2f}", flush=True)

    def depth(self):
        pair = self.pair("rsa:2048")
        cost = {}
        for depth in DEPTHS:
            path = self.message(pair, nested(1 << 20, depth))
            seen = [self.measure("stream", pair, path, self.seconds, {"BENCH_DEPTH": "250"})[0] for _ in range(self.rounds)]
            cost[depth] = statistics.median(seen) / os.path.getsize(path)
        more = 100 * (cost[DEPTHS[1]] / cost[DEPTHS[0]] - 1)
        print(f"  1 MB, elements {DEPTHS[1]} deep instead of {DEPTHS[0]}: {more:+.1f} % per octet   target <= 5 %: {'met' if more <= 5 else 'NOT met'}")
        if more > 5:
            self.missed.append(f"depth: {more:.1f} %")

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
            more = self.file_peak(pair, self.message(pair, records(octets))) - least
            met = more <= MEMORY_TARGET_KB
            print(f"  countersign verify, a file of {octets >> 20} MB: {more / 1024:.1f} MB more than one of 3 KB   target <= {MEMORY_TARGET_KB >> 10} MB: "
                  f"{'met' if met else 'NOT met'}", flush=True)
            if not met:
                self.missed.append(f"verify on a file: {more} KB")

    def run(self, most):
        programs = self.programs()
        print(f"One message, by program (CPU; median of {self.rounds} interleaved rounds, one message above 8 MB)")
        print(f"  {'message':16} {'octets':>10} {'program':14} {'us':>12} {'MB/s':>9} {'peak MB':>9} {'x stream':>9}")
        for name, kind, octets, body in MESSAGES:
            if octets <= most:
                self.row(name, kind, octets, body, programs)
        self.counted()
        self.depth()
        self.files(most)
        print(f"  peak MB: the most memory of the process beyond the message itself; of stream at most {MEMORY_TARGET_KB >> 10}")
        print("  " + ("every target is met" if not self.missed else "NOT met: " + "; ".join(self.missed)))
        print()


def peak_of(middle, program):
    return middle[program][1] if program in middle else 0


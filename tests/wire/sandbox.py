#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: quick
"""The gateway in its sandbox: what it has given up, that it serves nevertheless, and what a reload may not want."""
import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile

import admin
import product
import report
import wire

ROUTE = 'route plain {{ listener front; path "/"; methods POST; upstream "http://localhost:{port}"; }}\n'
NOBODY = "nobody"


def extra(place, more="", socket=True):
    admin_socket = f'admin {{ socket "{place}/admin.sock"; }}\n' if socket else ""
    return (f'{admin_socket}spool {{ directory "{place}/spool"; }}\nbody-memory 64k;\n'
            f'replay {{ store local; file "{place}/replay"; }}\n{more}\n')


class House(admin.Scene):
    """A gateway with everything that writes files, in front of one receiver whose name has to be looked up."""

    def __init__(self, more="", place=None, socket=True):
        self.place = place or product.new_directory()
        self.keystore = product.Keystore(self.place)
        self.upstream = wire.Upstream(lambda _: wire.reply_octets(b"<ok/>"))
        self.routes = ROUTE.format(port=self.upstream.port)
        self.gateway = product.Gateway(self.place, self.keystore, self.routes, extra(self.place, more, socket))

    def status(self):
        return json.loads(self.command("status", "--json", check=False).stdout)  # draining: exit 1

    def status_now(self):
        """The same, or nothing while one process takes the place of another."""
        try:
            return self.status()
        except ValueError:
            return {}

    def post(self, octets=b"<a/>"):
        with wire.Client(self.gateway.address) as client:
            return client.post(octets, "/x").status

    def stderr_has(self, text):
        return report.until(lambda: text in self.gateway.stderr(), what=text)

    def proc(self, name, pid=None):
        with open(f"/proc/{pid or self.gateway.serving_pid}/status", encoding="ascii") as text:
            return re.search(rf"^{name}:\s*(.*)$", text.read(), re.M).group(1).split()


def of_sanitizers():
    return "build/san" in product.OUT


def test_it_is_confined_and_says_so():
    with House() as house:
        sandbox = house.status()["sandbox"]
        if sandbox["landlock"] == 0:
            raise report.Skip("this kernel has no Landlock")
        report.equal((sandbox["on"], sandbox["refused"]), (True, 0), sandbox)
        report.equal(house.proc("NoNewPrivs"), ["1"], "no new privileges")
        if of_sanitizers():
            report.check("sandbox-degraded" in house.gateway.stderr(), "a build with sanitizers says that it has no filter")
        else:
            report.equal((sandbox["seccomp"], house.proc("Seccomp")), (True, ["2"]), "the filter")


def test_it_serves_reloads_spools_and_follows_the_keystore():
    with House() as house:
        report.equal(house.post(), 200, "a request to a name")
        report.equal(house.post(b"<a>" + b"x" * 300000 + b"</a>"), 200, "a body that goes through the spool")
        before = house.status()["generation"]
        for number in range(3):
            os.rename(house.gateway.access_file, f"{house.gateway.access_file}.{number}")
            house.command("reload")
            report.equal(house.post(), 200, "behind a reload")
            report.until(lambda: os.path.exists(house.gateway.access_file), what="a new access log")
        house.command("hold", "plain")
        report.until(lambda: house.status()["generation"] > before, what="a change of the keystore comes through")
        house.command("release", "plain")
        report.equal(house.status()["sandbox"]["refused"], 0, "nothing stood in its way")


def test_the_keys_process_is_confined_tighter():
    with House("process { keys yes; }") as house:
        with open(f"/proc/{house.gateway.serving_pid}/task/{house.gateway.serving_pid}/children", encoding="ascii") as children:
            keeper = int(children.read().split()[0])
        def confined():
            with open(f"/proc/{keeper}/task/{keeper}/children", encoding="ascii") as children:
                pids = children.read().split()
            return pids and house.proc("NoNewPrivs", pids[0]) == ["1"] and pids[0]
        pid = report.until(confined, what="the keys process")
        report.equal(house.proc("NoNewPrivs", keeper), ["1"], "its keeper gains nothing either")
        if not of_sanitizers():
            report.equal(report.until(lambda: house.proc("Seccomp", pid) == ["2"], what="its filter"), True, "its filter")
        os.kill(int(pid), signal.SIGKILL)
        report.until(lambda: confined() not in (None, False, pid), what="another one, confined again")
        report.equal(house.status()["sandbox"]["refused"], 0, "nothing stood in the way")
    report.check(not house.gateway.running(), "it ended, and its keeper with it")
    report.until(lambda: not product.alive(keeper), what="the keeper ends")


def test_an_upgrade_confines_the_new_process_too():
    with House() as house:
        old = house.gateway.serving_pid
        house.gateway.signal(signal.SIGUSR2)
        report.until(lambda: house.status_now().get("pid", old) != old, what="another process serves")
        report.equal(house.post(), 200, "behind the upgrade")
        report.equal(house.status()["sandbox"]["on"], True, "the new one")
        report.equal(house.proc("NoNewPrivs"), ["1"], "no new privileges")


def test_a_reload_to_another_place_names_it_and_the_cure():
    outside = tempfile.mkdtemp(prefix="cs-outside-", dir="/var/tmp")
    try:
        with House() as house:
            if house.status()["sandbox"]["landlock"] == 0:
                raise report.Skip("this kernel has no Landlock")
            head = house.gateway.head
            house.gateway.head = head.replace(house.gateway.access_file, f"{outside}/access.json")
            house.gateway.configure(house.routes, extra(house.place))
            done = house.command("reload", check=False)
            report.equal(done.returncode, 78, "the reload is refused")
            line = house.stderr_has(f"{outside}/access.json, which the sandbox") and house.gateway.stderr()
            report.check("restart" in line, line)
            with open(f"{outside}/more.conf", "w", encoding="utf-8") as text:
                text.write("workers 2;\n")
            house.gateway.head = head
            house.gateway.configure(house.routes, extra(house.place, f'include "{outside}/more.conf";'))
            done = house.command("reload", check=False)
            report.equal(done.returncode, 78, "the reload is refused")
            house.stderr_has(f"cannot read {outside}/more.conf: Permission denied")
            house.stderr_has("for others restart")
            house.gateway.configure(house.routes, extra(house.place).replace(f"{house.place}/replay", f"{outside}/replay"))
            with open(f"{outside}/replay", "wb"):
                pass
            done = house.command("reload", check=False)
            report.equal(done.returncode, 78, "the reload is refused")
            report.check(f"{outside}/replay" in done.stderr + done.stdout, done.stderr + done.stdout)
            house.stderr_has(f"{outside}/replay")
            report.until(lambda: house.gateway.stderr().count("for others restart") >= 2, what="the cure, again")
            house.gateway.configure(house.routes, extra(house.place, f'include "{outside}/more.conf";'))
            report.equal(house.post(), 200, "the old configuration serves")
            # a new process reaches what its own configuration names
            house.gateway.signal(signal.SIGUSR2)
            report.until(lambda: house.gateway.stderr().count("ready:") == 2, what="another process")
            house.command("reload")
    finally:
        shutil.rmtree(outside)


def test_words_of_the_configuration_open_more_doors():
    outside = tempfile.mkdtemp(prefix="cs-outside-", dir="/var/tmp")
    try:
        with House(f'process {{ write "{outside}"; read "/opt"; }}') as house:
            house.gateway.head = house.gateway.head.replace(house.gateway.access_file, f"{outside}/access.json")
            house.gateway.configure(house.routes, extra(house.place, f'process {{ write "{outside}"; read "/opt"; }}'))
            house.command("reload")
            report.equal(house.post(), 200, "it serves")
            report.until(lambda: os.path.getsize(f"{outside}/access.json") > 0, what="a line in the new place")
    finally:
        shutil.rmtree(outside)


# Installs a filter that answers as a kernel without Landlock does, and becomes the program.
OLD_KERNEL = """#!/usr/bin/python3
import ctypes, errno, os, sys
seccomp = ctypes.CDLL("libseccomp.so.2")
seccomp.seccomp_init.restype = ctypes.c_void_p
context = ctypes.c_void_p(seccomp.seccomp_init(0x7fff0000))
for call in (444, 445, 446):
    assert seccomp.seccomp_rule_add(context, ctypes.c_uint32(0x00050000 | errno.ENOSYS), ctypes.c_int(call), ctypes.c_uint(0)) == 0
assert seccomp.seccomp_load(context) == 0
os.execv("{program}", ["{program}"] + sys.argv[1:])
"""


def test_a_kernel_without_landlock_is_told_of_and_the_rest_is_in_force():
    place, program = product.new_directory(), product.COUNTERSIGN
    wrapper = os.path.join(place, "countersign")
    with open(wrapper, "w", encoding="utf-8") as text:
        text.write(OLD_KERNEL.format(program=program))
    os.chmod(wrapper, 0o755)
    product.COUNTERSIGN = wrapper
    try:
        house = House()
    finally:
        product.COUNTERSIGN = program
    with house:
        sandbox = house.status()["sandbox"]
        report.equal((sandbox["on"], sandbox["landlock"], sandbox["seccomp"]), (True, 0, not of_sanitizers()), sandbox)
        said = [line for line in house.gateway.stderr().splitlines() if "sandbox-degraded" in line and "landlock" in line]
        report.equal(len(said), 1, house.gateway.stderr())
        report.equal(house.post(), 200, "it serves")
        house.command("reload")
        report.equal(house.post(), 200, "behind a reload")


def test_off_is_off_and_loud():
    with House("process { sandbox off; }") as house:
        report.equal(house.status()["sandbox"]["on"], False, "status")
        report.equal(house.proc("Seccomp"), ["0"], "no filter")
        report.check("sandbox-off" in house.gateway.stderr(), "the log says so")
        with wire.Client(house.gateway.address) as client:
            report.equal(client.post(b"<a/>", "/x").status, 200, "it serves")


def test_root_is_given_up_for_the_account_of_the_configuration():
    if os.geteuid() != 0:
        raise report.Skip("only root can give root up")
    account = pwd.getpwnam(NOBODY)
    place = tempfile.mkdtemp(prefix="cs-account-", dir="/var/tmp")
    try:
        product.Keystore(place)
        for name in os.listdir(place):
            os.chown(os.path.join(place, name), account.pw_uid, account.pw_gid)
        os.chown(place, account.pw_uid, account.pw_gid)
        port = wire.unused_port()
        more = f'process {{ user {NOBODY}; }} admin {{ socket "{place}/run/admin.sock"; http 127.0.0.1:{port}; }}'
        with House(more, place=place, socket=False) as house:
            report.equal(house.post(b"<a>" + b"x" * 300000 + b"</a>"), 200, "it serves, and spools")
            report.equal(house.proc("Uid"), [str(account.pw_uid)] * 4, "real, effective, saved, of files")
            report.equal(house.proc("Gid"), [str(account.pw_gid)] * 4, "its group")
            report.check("0" not in house.proc("Groups"), house.proc("Groups"))
            report.equal(house.proc("CapEff"), ["0" * 16], "capabilities")
            report.equal(house.status()["sandbox"]["uid"], account.pw_uid, "status")
            itself = admin.get(f"127.0.0.1:{port}", "/metrics").body.decode()
            for gauge in ("process_open_fds", "process_resident_memory_bytes"):
                report.check(re.search(rf"^{gauge} [1-9]", itself, re.M), f"it still sees itself: {gauge}")
            for missing in ("spool", "run"):
                report.equal(os.stat(f"{place}/{missing}").st_uid, account.pw_uid, f"{missing}, a directory that was missing, is the account's")
            os.chmod(house.gateway.conf_file, 0o644)  # whatever the umask of this test is
            house.command("reload")
            report.equal(house.post(), 200, "behind a reload")
    finally:
        shutil.rmtree(place)


def test_an_account_that_is_not_there_is_said_at_once():
    place = product.new_directory()
    keystore = product.Keystore(place)
    conf = f"{place}/c.conf"
    with open(conf, "w", encoding="utf-8") as text:
        text.write(f'keystore sqlite "{keystore.path}";\nlistener front {{ address 127.0.0.1:0; }}\nprocess {{ user no-such-account; }}\n'
                   + ROUTE.format(port=1))
    for command in (("gateway", "--check"), ("gateway",)):
        done = product.countersign("-c", conf, *command, check=False)
        report.equal(done.returncode, 78, done.stderr)
        report.check(f"{conf}:3:" in done.stderr and "no account no-such-account" in done.stderr, done.stderr)


def test_metrics_tell_of_it():
    port = wire.unused_port()
    with House(f"admin {{ http 127.0.0.1:{port}; }}", socket=False) as house:
        text = admin.get(f"127.0.0.1:{port}", "/metrics").body.decode()
        report.check('countersign_sandbox{part="landlock"} ' in text, text[-1500:])
        report.check(f'countersign_sandbox{{part="seccomp"}} {0 if of_sanitizers() else 1}\n' in text, text[-1500:])
        report.check("countersign_sandbox_refused_total 0\n" in text, text[-1500:])
        report.check(house.gateway.running(), "it runs")


def test_the_build_without_sanitizers_from_inside():
    """Under sanitizers there is no filter of system calls; then the plain build's own test shows it."""
    if not of_sanitizers():
        raise report.Skip("this is that build")
    program = os.path.join(product.ROOT, "build", "tests", "sandbox")
    if not os.path.exists(program):
        raise report.Skip("make test builds it")
    done = subprocess.run([program], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=report.PATIENCE_S, check=False)
    report.equal(done.returncode, 0, done.stdout)


if __name__ == "__main__":
    report.run("sandbox", report.tests_of(sys.modules[__name__]))

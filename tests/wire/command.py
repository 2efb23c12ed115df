#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# tests/run: quick
"""The command as a script sees it: help, versions, usage errors, exit codes, and a configuration that is wrong."""
import datetime
import json
import os
import re
import subprocess
import sys

import keys
import product
import report
import soap
from product import countersign

PLACE = product.new_directory()


def written(name, text):
    path = os.path.join(PLACE, name)
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)
    return path


def small_gateway(place):
    """@return the file of a configuration with a keystore of its own and one route"""
    keystore = product.Keystore(place)
    return written(f"{os.path.basename(place)}.conf", f'keystore sqlite "{keystore.path}";\nlistener front {{ address 127.0.0.1:0; }}\n'
                   'route r { listener front; path "/x"; upstream "http://127.0.0.1:1/"; }\n')


def commands():
    """Words of every command that the help lists."""
    listed = countersign("--help").stdout.split("Commands:\n")[1].split("\n\n")[0].splitlines()
    return [re.split(r"\s{2,}", line.strip())[0].split() for line in listed]


def test_every_command_has_help():
    report.check(["gateway"] in commands(), "gateway is not listed")
    for words in commands():
        done = countersign(*words, "--help")
        report.check(done.stdout.startswith(f"Usage: countersign {' '.join(words)} [OPTIONS]"), f"{words}: {done.stdout[:60]!r}")
        report.equal(done.stderr, "", "stderr")
        report.check("--keystore URI" in done.stdout, f"{words}: no global options")


def test_help_of_a_group_lists_its_commands():
    text = countersign("keystore", "--help").stdout
    report.check("keystore add" in text and "  gateway" not in text, text)


def test_version_names_the_libraries():
    text = countersign("--version").stdout
    for name in ("countersign", "libxml2", "xmlsec", "OpenSSL", "libevent", "SQLite"):
        report.check(re.search(rf"\b{name} \d", text), f"{name} is missing in {text!r}")
    report.check(json.loads(countersign("--version", "--json").stdout)["countersign"], "no version")


def usage_error(args, sentence):
    done = countersign(*args, check=False)
    report.equal(done.returncode, 64, f"exit of {args}")
    report.equal(done.stdout, "", "stdout")
    report.check(sentence in done.stderr, f"{args}: {done.stderr!r}")


def test_usage_errors_are_64_and_named():
    usage_error([], "a command is missing")
    usage_error(["keystore"], "needs a command behind it")
    usage_error(["gatway"], 'did you mean "gateway"?')
    usage_error(["keystore", "ad"], 'did you mean "add"?')
    usage_error(["gateway", "--chekc"], "did you mean --check?")
    usage_error(["--now", "yesterday", "gateway"], "is not a time")
    usage_error(["--now", "2026-08-02T22:40:10Z", "gateway", "--check"], "takes the time from the system")
    usage_error(["keystore", "list", "more"], "too many arguments")
    usage_error(["-c"], "-c needs a value")


def test_no_keystore_is_a_usage_error():
    conf = written("empty.conf", "")
    usage_error(["-c", conf, "keystore", "list"], "no keystore")


def test_output_that_cannot_be_written_is_no_success():
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([product.COUNTERSIGN, "--version"], stdout=full, stderr=subprocess.PIPE, check=False)
    report.equal(done.returncode, 69, "exit")


def test_closed_descriptors_are_held():
    """With 0 to 2 closed, a socket would become standard error, and messages would be sent to a peer."""
    place = product.new_directory()
    conf = small_gateway(place)
    read_end, write_end = os.pipe()
    with subprocess.Popen(["/bin/sh", "-c", 'exec "$0" "$@" <&- >&- 2>&-', product.COUNTERSIGN, "-c", conf, "gateway", "--ready-fd",
                           str(write_end)], pass_fds=(write_end,)) as child:
        os.close(write_end)
        with os.fdopen(read_end, encoding="utf-8") as ready:
            report.check(ready.readline().startswith("ready "), "the gateway did not start")
        held = [os.readlink(f"/proc/{child.pid}/fd/{fd}") for fd in range(3)]
        child.send_signal(15)
        report.equal(child.wait(report.PATIENCE_S), 0, "exit")
    report.equal(held, ["/dev/null"] * 3, "descriptors 0 to 2")


WRONG = """keystore sqlite "ks.db";
retention 80d;
policy response { require-singed Body; }
listner front { address 127.0.0.1:0; }
route r { path "/x"
    methods POST; }
"""


def test_every_error_of_a_configuration_is_named():
    conf = written("wrong.conf", WRONG)
    done = countersign("-c", conf, "gateway", "--check", check=False)
    report.equal(done.returncode, 78, "exit")
    for line in (f"{conf}:2:11: retention 80d is below 90d", f'{conf}:3:19: unknown directive "require-singed" in policy; did you mean "require-signed"?',
                 f'{conf}:4:1: unknown directive "listner"; did you mean "listener"?', f"{conf}:6:5: ';' is missing before \"methods\""):
        report.check(line in done.stderr, f"{line!r} is not in {done.stderr!r}")


def test_unknown_policy_of_a_partner_is_named():
    conf = written("policy.conf", 'keystore sqlite "ks.db";\npolicy response { }\npartner acme { policy respons; }\n')
    done = countersign("-c", conf, "gateway", "--check", check=False)
    report.equal(done.returncode, 78, "exit")
    report.check(f'{conf}:3:23: no policy "respons"; did you mean "response"?' in done.stderr, done.stderr)


def test_what_is_allowed_and_hardly_meant_is_told_with_its_place_and_cure():
    keystore = product.Keystore(product.new_directory())
    conf = written("doubts.conf", f'keystore sqlite "{keystore.path}";\noperator anna {{ uid root no-such-account uid:4711; roles tenant-admin; }}\n'
                   "policy old {\n  legacy sha1 until 2020-02-29;\n  legacy rsa-1024 until 2999-12-31; }\n"
                   'mail { server "smtp://127.0.0.1:9"; from "a@example.com"; ca-file "/nowhere/ca.pem"; }\nlistener front { address 127.0.0.1:0; }\n')
    done = countersign("-c", conf, "gateway", "--check")
    said = done.stderr.splitlines()
    for place, words in ((f"{conf}:2:26: ", 'this machine has no account "no-such-account": nobody is operator anna by it here; correct the name'),
                         (f"{conf}:4:21: ", "the exception legacy sha1 is over since 2020-03-01T00:00:00Z"), (f"{conf}:4:21: ", "move the date, or take the line out"),
                         (f"{conf}:6:67: ", "there is no file /nowhere/ca.pem")):
        report.check(any(line.startswith(place + "warning: ") and words in line for line in said), f"{place} {words}: {done.stderr}")
    report.equal(len([line for line in said if line.startswith(conf)]), 3, f"warnings: {done.stderr}")


def test_directives_of_later_builds_are_not_taken_silently():
    for line in ("console { }", "route r { console off; }"):
        conf = written("later.conf", line + "\n")
        done = countersign("-c", conf, "gateway", "--check", check=False)
        report.equal(done.returncode, 78, f"exit for {line}")
        report.check("unknown directive" in done.stderr, f"{line}: {done.stderr!r}")


def test_configuration_that_cannot_be_read():
    done = countersign("-c", os.path.join(PLACE, "absent.conf"), "keystore", "list", check=False)
    report.equal(done.returncode, 78, "exit")
    report.check("absent.conf:1:1: cannot read" in done.stderr, done.stderr)


def test_configuration_of_the_environment():
    keystore = product.Keystore(product.new_directory())
    conf = written("environment.conf", f'keystore sqlite "{keystore.path}";\n')
    for environment, status in (({"COUNTERSIGN_CONF": conf}, 0), ({"COUNTERSIGN_CONF": conf + ".absent"}, 78)):
        done = subprocess.run([product.COUNTERSIGN, "keystore", "list"], env={**os.environ, **environment}, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, check=False)
        report.equal(done.returncode, status, f"exit with {environment}")


def test_keystore_commands_do_not_resolve_references():
    place = product.new_directory()
    path = os.path.join(place, "ks.db")
    conf = written("unresolved.conf", f'keystore sqlite "{path}";\npartner acme {{ policy later; }}\n'
                   'listener front { address 127.0.0.1:0; }\nroute r { listener other; path "/x"; upstream "http://127.0.0.1:1/"; response { verify nobody; } }\n')
    countersign("-c", conf, "keystore", "init")
    countersign("-c", conf, "keystore", "list")
    report.equal(countersign("-c", conf, "gateway", "--check", check=False).returncode, 78, "exit of the check")


def test_sample_configuration_passes_the_check():
    place = product.new_directory()
    keystore = product.Keystore(place)
    keystore.add_verifier(keys.new_pair(place, "acme"))
    keystore.add_signer(keys.new_pair(place, "own"))
    sample = os.path.join(product.ROOT, "conf", "countersign.conf")
    done = countersign("-c", sample, "--keystore", keystore.uri, "gateway", "--check")
    report.check("error" not in done.stderr, done.stderr)


def test_what_the_sample_configuration_has_in_comments_may_be_taken_out_of_them():
    with open(os.path.join(product.ROOT, "conf", "countersign.conf"), encoding="utf-8") as text:
        sample = text.read()
    # of two ways to say one thing one stays; accounts are those of a machine
    tried, n = re.subn(r"^( *)# ( *)([a-z-]+ [^\n]*[;{]( \})?|\})$", r"\1\2\3", sample.replace("    trust pinned;\n", ""), flags=re.M)
    report.check(n > 35, f"{n} statements in comments")
    conf = written("sample.conf", tried.replace("users anna ben;", "users root;"))
    done = countersign("-c", conf, "--keystore", product.Keystore(product.new_directory()).uri, "gateway", "--check", check=False)
    report.check("cannot be used" not in done.stderr, done.stderr)
    report.check(".conf:" in done.stderr, f"what it refers to is not looked at: {done.stderr}")


def test_words_of_a_partner_go_before_its_policy():
    """An active certificate past its last day: the policy says no, the partner's own grace says yes, while it lasts."""
    place = product.new_directory()
    pair = keys.new_pair(place, "acme", days=(-1, 1))
    keystore = product.Keystore(place)
    keystore.add_verifier(pair)
    keystore.add_signer(pair)
    message = written("grace.xml", soap.envelope())
    signed = written("grace-signed.xml", countersign("--keystore", keystore.uri, "sign", "--alias", "own-sign", message).stdout)
    head = f'keystore sqlite "{keystore.path}";\npolicy strict {{ require-signed Body; expired-certificate refuse; }}\n'
    for words, hours, verdict in (("", 23, "pass"), ("", 25, "fail"), ("expired-certificate grace 24h;", 25, "pass"),
                                  ("expired-certificate grace 24h;", 49, "fail")):
        conf = written("grace.conf", head + f"partner acme {{ policy strict; {words} }}\n")
        moment = (datetime.datetime.utcnow() + datetime.timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")
        done = countersign("-c", conf, "--now", moment, "--json", "verify", "--partner", "acme", signed, check=False)
        record = json.loads(done.stdout)
        report.equal((record["verdict"], record["policy"]), (verdict, "strict"), f"{words or 'no own words'} after {hours} h: {record['reason']}")


def test_log_lines_as_json():
    place = product.new_directory()
    conf = small_gateway(place)
    with product.Process(place, "gateway", [product.COUNTERSIGN, "-c", conf, "--json", "gateway"]) as gateway:
        report.until(lambda: '"event":"ready"' in gateway.stderr(), what="ready line")
        gateway.signal(15)
        report.equal(gateway.wait(), 0, "exit")
        for line in gateway.stderr().splitlines():
            report.check({"t", "level", "event", "message"} <= set(json.loads(line)), line)


if __name__ == "__main__":
    report.run("command", report.tests_of(sys.modules[__name__]))

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Letters in the words and the language of a house: who gets which, what a file may not hold, a gateway that reads them from
within its sandbox; and a mail of which nobody knows whether it went out."""
import os
import shutil
import signal
import subprocess
import sys

import product
import report
from mailbox_server import Mailbox
from notices import EXPIRATION, Noticed, subjects
from report import check, equal
from stores import DAY, Store, rfc3339

SHIPPED = os.path.join(product.ROOT, "conf", "letters")


def own_letters():
    """A copy of what is shipped, to be changed."""
    place = os.path.join(product.new_directory(), "letters")
    shutil.copytree(SHIPPED, place)
    return place


def write_letter(place, name, text):
    with open(os.path.join(place, "de", name), "w", encoding="utf-8") as out:
        out.write(text)


def test_each_gets_the_letters_of_his_locale():
    with Mailbox() as box:
        n = Noticed(box.url, "anna@example.com", "bob@example.org", "eve@acme.example",
                    mail=f'templates "{SHIPPED}"; locale de "anna@example.com" "@acme.example";')
        n.tick(n.end - 14 * DAY)
        mails = {to: message for (to,), message in box.mails}
        equal(mails["bob@example.org"]["Subject"], EXPIRATION, "of the others")
        for to in ("anna@example.com", "eve@acme.example"):
            equal(mails[to]["Subject"], "Zertifikat läuft ab. SAP CPI System: Tenant One", to)
            body = mails[to].get_body().get_content()
            for said in ("Guten Tag Anna Berg,", f"ack-client#1 läuft in 14 Tagen ab: {n.record['not_after']}.", n.record["sha256"],
                         f"Keine dieser Mails mehr:  countersign keystore unsubscribe ack-client --mail {to}"):
                check(said in body, f"{said!r} is not in {body}")
            check("{{" not in body and "No more" not in body, body)


def test_a_step_of_a_rollover_is_told_in_a_letter_of_the_house():
    with Mailbox() as box:
        people = ('operator tom { name "Tom Tal"; mail "tom@example.com"; roles tenant-admin; }\n'
                  'partner acme { contact receiver-admin "Ben" "ben@acme.example"; }\n')
        n = Noticed(box.url, mail=f'templates "{SHIPPED}"; locale de;', after=people)
        product.countersign("-c", n.conf, "rollover", "start", "tls-client.dual", "--alias", "ack-client", "--partner", "acme")
        n.run("tick")
        (to,), message = box.mails[0]
        equal((to, message["Subject"]), ("tom@example.com", "Certificate roll-over R-1 of ack-client, step 1: new key pair, certificate signed by an authority"),
              "who is told of what")
        body = message.get_body().get_content()
        check(body.startswith("Guten Tag Tom Tal,") and "ein Schritt eines Zertifikatswechsels steht an." in body and "R-1, step 1 of" in body, body)


def test_letters_that_cannot_be_used_are_refused_before_anybody_waits_for_them():
    with Mailbox() as box:
        place = own_letters()
        letters = f'templates "{place}"; locale de;'
        n = Noticed(box.url, "anna@example.com", mail=letters)
        good = "Subject: {{subject}}\n\n{{entry}} {{not-after}}\n{{text}}\n"
        bad = (("Subject: x\nBcc: eve@example.com\n\n{{entry}} {{not-after}} {{text}}", "expiration.txt:2:1: behind the subject stands a blank line: a letter has no other header"),
               (good.replace("{{entry}} ", ""), "a letter about expiration must say {{entry}}"),
               (good.replace("{{entry}}", "{{enty}}"), "expiration.txt:3:1: a letter knows nothing as {{enty}}; did you mean {{entry}}?"))
        for text, says in bad:
            write_letter(place, "expiration.txt", text)
            done = n.run("tick", at=n.end - 14 * DAY, check=False)
            equal(done.returncode, 78, done.stderr)
            check(says in done.stderr, f"{says!r} is not in {done.stderr!r}")
            equal(box.mails, [], "nothing went out")
        write_letter(place, "expiration.txt", good)
        n.tick(n.end - 14 * DAY)
        equal(subjects(box), [("anna@example.com", "CN=acme")], "what waited goes out")
        n.way(box.url, letters.replace("locale de", "locale fr"))
        done = n.run("tick", at=n.end - 3 * DAY, check=False)
        equal(done.returncode, 78, "a locale that is not there")
        check(f"locale fr is not known: {place}/fr: No such file or directory; make it, with a file KIND.txt" in done.stderr, done.stderr)


def test_a_gateway_reads_letters_from_within_its_sandbox_and_anew_by_a_reload():
    with Mailbox() as box:
        store, place = Store(), own_letters()
        store.run("generate", "--role", "tls-client", "--alias", "ack-client", "--key", "ec:P-256", "--days", "20")
        store.run("subscribe", "ack-client", "--name", "Anna", "--mail", "anna@example.com")
        extra = f'mail {{ server "{box.url}"; from "gateway@example.com"; templates "{place}"; locale de; }}\n'
        extra += f'admin {{ socket "{os.path.join(product.new_directory(), "admin")}"; }}'
        with product.Gateway(product.new_directory(), store, 'route r { listener front; path "/"; upstream "http://127.0.0.1:9/"; }', extra=extra) as gateway:
            report.until(lambda: box.mails, what="the mail has come")
            equal(box.mails[0][1]["Subject"], "Zertifikat läuft ab. tls-client System: ack-client", "subject")
            write_letter(place, "activated.txt", "{{nothing}}")
            refused = product.countersign("-c", gateway.conf_file, "reload", check=False)
            check(refused.returncode != 0 and "a letter knows nothing as {{nothing}}" in refused.stderr + gateway.stderr(), refused.stderr)
            write_letter(place, "activated.txt", "Subject: Neu: {{entry}}\n\n{{entry}} {{sha256}}\n{{text}}\n")
            product.countersign("-c", gateway.conf_file, "reload")
            store.run("generate", "--alias", "ack-client")
            store.run("activate", "ack-client#2", "--wait", "60s")
            report.until(lambda: len(box.mails) > 1, what="the mail about the new one has come")
            equal(box.mails[1][1]["Subject"], "Neu: ack-client#2", "subject in the new words")


def test_a_mail_that_may_have_gone_out_is_sent_again_or_taken_for_sent_as_was_chosen():
    for chosen, days, again in (("", 14, 1), ("interrupted resend;", 14, 1), ("interrupted assume-sent;", 14, 0), ("interrupted assume-sent;", 3, 1)):
        with Mailbox(slow_s=600) as box:
            n = Noticed(box.url, "anna@example.com", mail=chosen)
            at = n.end - days * DAY
            with subprocess.Popen([product.COUNTERSIGN, "-q", "-c", n.conf, "--now", rfc3339(at), "keystore", "tick"]) as child:
                report.until(lambda: box.mails, what="the server has it and did not say so")
                child.send_signal(signal.SIGKILL)
            equal(set(n.states().values()), {"sending"}, "nobody knows")
            box.slow_s = 0.0
            n.tick(at + 100)
            equal(len(box.mails), 1, "its lease is not over")
            n.tick(at + 400)
            equal((len(box.mails) - 1, set(n.states().values())), (again, {"sent"}), f"{chosen!r} at {days} days")
            equal(len({message["Message-ID"] for _, message in box.mails}), 1, "one Message-ID")


if __name__ == "__main__":
    report.run("notice-letters", report.tests_of(sys.modules[__name__]))

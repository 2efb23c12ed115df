#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Metrics: well formed by the judgement of Prometheus' own tool, and true: what they count is what clients got."""
import json
import os
import re
import shutil
import subprocess
import sys

import admin
import house
import product
import report
import soap
import wire


class Scene(house.House):
    """The house of the wire tests with an admin port."""

    def __init__(self, more="", extra="", **options):
        self.http = f"127.0.0.1:{wire.unused_port()}"
        super().__init__(extra=f"admin {{ http {self.http}; {more} }}\n{extra}", **options)

    def post(self, text, path="/orders"):
        with self.client() as client:
            return client.post(text, path)

    def series(self, lines):
        """The metrics, once so many exchanges are over."""
        self.gateway.logged_count(lines)
        return admin.metrics(self.http)


def test_promtool_finds_nothing_to_say():
    if shutil.which("promtool") is None:
        raise report.Skip("promtool is not there")
    with Scene() as scene:
        scene.post(soap.sign(scene.sender))
        scene.post("nonsense")
        with wire.Client(scene.gateway.address) as client:
            client.send(b"GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n")
            client.reply()
        scene.gateway.logged_count(3)
        reply = admin.get(scene.http, "/metrics")
        report.check(reply.field("content-type").startswith("text/plain; version=0.0.4"), reply.field("content-type"))
        done = subprocess.run(["promtool", "check", "metrics"], input=reply.body, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=report.PATIENCE_S, check=False)
        report.equal((done.returncode, done.stdout.decode()), (0, ""), "what promtool says")


def test_a_refused_message_is_told_alike_to_client_log_and_metrics():
    with Scene() as scene:
        report.equal(scene.post(soap.sign(scene.sender)).status, 200, "status of a good one")
        reply = scene.post(soap.tampered(soap.sign(scene.sender), "4711", "4712"))
        report.equal(reply.status, 500, "status")
        record = scene.gateway.logged(lambda r: r["status"] == 500)
        fault = re.search(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", reply.body).group(0).decode()
        report.equal((record["fault"], record["reason"], record["request"]["partner"], record["request"]["entry"]),
                     (fault, "digest-mismatch", "sender", "sender-sign#1"), "the line in the access log")
        series = scene.series(2)
        for name, labels, wanted in (
                ("countersign_messages_total", {"direction": "request", "partner": "sender", "verdict": "fail", "reason": "digest-mismatch"}, 1),
                ("countersign_messages_total", {"direction": "request", "partner": "sender", "verdict": "pass", "reason": "ok"}, 1),
                ("countersign_messages_total", {"direction": "response", "partner": "acme", "verdict": "pass"}, 1),
                ("countersign_certificate_messages_total", {"partner": "sender", "entry": "sender-sign#1"}, 1),
                ("countersign_certificate_refusals_total", {"partner": "sender", "entry": "sender-sign#1", "reason": "digest-mismatch"}, 1),
                ("countersign_http_refusals_total", {}, 0),
                ("countersign_replay_checks_total", {"result": "new"}, 2)):
            report.equal(admin.value(series, name, **labels), wanted, f"{name} {labels}")


def test_messages_left_to_libxmlsec_are_counted_by_why():
    if os.environ.get("COUNTERSIGN_ENGINE") == "dom":
        raise report.Skip("libxmlsec judges every message of this run")
    with Scene() as scene:
        report.equal(scene.post(soap.sign(scene.sender)).status, 200, "status of a usual one")
        with_instruction = soap.sign(scene.sender, body=f"{soap.ORDER}<?pi?>")
        report.equal(scene.post(with_instruction).status, 500, "status of one with a processing instruction")
        series = scene.series(2)
        counted = {labels["reason"]: v for n, labels, v in series if n == "countersign_engine_fallback_total"}
        report.equal(counted, {"instruction": 1}, "messages that the one-pass engine left, by why")


def test_what_http_refuses_is_counted_by_reason():
    with Scene() as scene:
        with wire.Client(scene.gateway.address) as client:
            client.send(b"POST /orders HTTP/1.1\nHost: a\n\n")
            report.equal(client.reply().status, 400, "status")
        report.equal(admin.value(scene.series(1), "countersign_http_refusals_total", reason="http-line-end"), 1, "refusals")


def test_histograms_hold_what_was_seen():
    with Scene() as scene:
        for _ in range(3):
            scene.post(soap.sign(scene.sender))
        series = scene.series(3)
        report.equal(admin.value(series, "countersign_verify_duration_seconds_count"), 6, "messages that workers had")
        report.equal(admin.value(series, "countersign_verify_duration_seconds_bucket", le="+Inf"), 6, "the last bucket")
        counts = [v for n, labels, v in series if n == "countersign_request_duration_seconds_bucket" and labels["direction"] == "client"]
        report.check(counts == sorted(counts) and counts[-1] == 3, f"buckets add up: {counts}")
        upstream = scene.upstream.url.split("/")[2]
        report.equal(admin.value(series, "countersign_request_duration_seconds_count", direction="upstream", upstream=upstream), 3, "upstream")


def test_gauges_tell_of_certificates_connections_and_reloads():
    with Scene() as scene:
        with scene.client() as client:
            client.post(soap.sign(scene.sender))
            series = scene.series(1)
            idle = lambda: [admin.value(admin.metrics(scene.http), "countersign_connections", side=side, state="idle") for side in ("client", "upstream")]
            report.until(lambda: idle() == [1, 1], what="an idle connection on each side")
        not_after = json.loads(scene.keystore.run("show", "acme-sign#1", "--json").stdout)["not_after"]
        found = admin.value(series, "countersign_certificate_not_after_timestamp_seconds", partner="acme", entry="acme-sign#1", role="verifier", state="active")
        report.check(found > 1e9, f"notAfter {not_after}: {found}")
        report.equal(admin.value(series, "countersign_certificates", role="verifier", state="active"), 2, "certificates")
        scene.gateway.reload()
        report.until(lambda: admin.value(admin.metrics(scene.http), "countersign_reload_total", result="done") == 1, what="the reload")
        report.check(admin.value(series, "process_resident_memory_bytes") > 1e6, "resident memory")
        report.equal(admin.value(series, "countersign_build_info"), 1, "build_info")


def test_partners_beyond_the_labels_count_together():
    with Scene(more="partner-labels 1;") as scene:
        report.equal(scene.post(soap.sign(scene.sender)).status, 200, "status")
        series = scene.series(1)
        partners = {labels["partner"] for name, labels, _ in series if name == "countersign_messages_total"}
        report.check(len(partners) == 2 and "other" in partners, f"partners {partners}")
        report.equal(admin.value(series, "countersign_messages_total"), 2, "messages")


def test_health_off_the_admin_port_answers_the_same_three_questions():
    address = f"127.0.0.2:{wire.unused_port()}"
    with Scene(more=f"health {address};") as scene:
        for path, status in (("/livez", 200), ("/readyz", 200), ("/metrics", 200), ("/api/v1/slots", 404)):
            report.equal(admin.get(address, path).status, status, path)


if __name__ == "__main__":
    report.run("metrics", report.tests_of(sys.modules[__name__]))

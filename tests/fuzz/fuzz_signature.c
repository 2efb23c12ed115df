/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_signature.c: the content of ds:Signature inside a message that is otherwise in order. Nobody signed it, so
 * nothing may pass; the readers of SignedInfo, key references and values meet every shape.
 */
#include "tests/fuzz/worker.h"
#include "tests/unit/soapmaker.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MOST ((size_t)65536)

static const char before[] =
    "<S:Envelope xmlns:S=\"" SOAP11 "\" xmlns:wsse=\"" NS_WSSE "\" xmlns:wsu=\"" NS_WSU "\" xmlns:ds=\"" NS_DS "\">"
    "<S:Header><wsse:Security><wsse:BinarySecurityToken wsu:Id=\"X509\">AAAA</wsse:BinarySecurityToken>"
    "<wsu:Timestamp wsu:Id=\"TS\"><wsu:Created>2026-01-01T00:00:00Z</wsu:Created></wsu:Timestamp><ds:Signature>";
static const char after[] =
    "</ds:Signature></wsse:Security></S:Header><S:Body wsu:Id=\"Body\"><o xmlns=\"urn:o\">text</o></S:Body></S:Envelope>";

static struct maker_key key;
static struct maker_partner partner;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    const char *const all[] = {"exclusive", "inclusive", "inclusive-1.1"};
    const char *const allow[] = {"missing-key-info"};
    char err[200];
    (void)argc;
    (void)argv;
    worker_begin();
    key = maker_key_new("ec:P-256", NULL);
    maker_accept(&partner, &key, WSSEC_ACTIVE);
    if (wssec_policy_set(policy, "canonicalization", 3, all, err, sizeof err) != 0 ||
        wssec_policy_set(policy, "allow", 1, allow, err, sizeof err) != 0) {
        abort();
    }
    worker_ready();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wssec_slice slice[] = {
        {(const uint8_t *)before, sizeof before - 1}, {data, size}, {(const uint8_t *)after, sizeof after - 1}};
    struct wssec_input in = {.slice = slice, .n_slice = 3};
    struct wssec_when when = {MAKER_NOW, MAKER_NOW, WSSEC_TIME_NOW, false, false};
    struct wssec_resolver r = {&partner, 1, maker_candidates, NULL};
    struct wssec_verdict v;
    if (size > MOST) {
        return 0;
    }
    if (wssec_verify(worker, &in, policy, &when, &r, NULL, &v, NULL) != WSSEC_RC_OK || v.verdict == WSSEC_PASS ||
        v.reason == WSSEC_OK || v.reason == WSSEC_INTERNAL || v.reason == WSSEC_ENGINE_DISAGREEMENT) {
        abort();
    }
    return 0;
}

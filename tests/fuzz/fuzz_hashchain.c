/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_hashchain.c: a hash chain and its result, as they lie in a signed container, one behind the other with an octet
 * 255 between them. The walk ends, and every end that is given was really found.
 */
#include "tests/fuzz/worker.h"
#include "tests/unit/soapmaker.h"
#include "wssec/hashchain.h"
#include "wssec/worker.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    worker_begin();
    worker_ready();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *mark = size > 0 ? memchr(data, 0xff, size) : NULL;
    if (mark == NULL) {
        return 0;
    }
    size_t first = (size_t)(mark - data);
    const struct wssec_file part[] = {{"sig-hashchainresult.xml", {data, first}},
                                      {"sig-hashchain.xml", {mark + 1, size - first - 1}},
                                      {"message.xml", {data, 0}}};
    const struct wssec_container files = {.part = part, .n_part = 3, .message = "message.xml"};
    const struct wssec_when when = {MAKER_NOW, MAKER_NOW, WSSEC_TIME_AS_OF, false, false};
    struct wssec_refusal why = {WSSEC_OK, ""};
    struct wssec_hashchain chain;
    struct wssec_judge j = {.worker = worker, .policy = policy, .when = &when, .why = &why};
    unsigned legacy = 0;
    wssec_arena_reset(&worker->arena);
    j.reader = (struct wssec_key_reader){.arena = &worker->arena,
                                         .message = &worker->second,
                                         .policy = policy,
                                         .at = MAKER_NOW,
                                         .legacy = &legacy,
                                         .why = &why,
                                         .files = &files};
    if (wssec_hashchain_read(&j, 1, &chain) != WSSEC_RC_OK || (!chain.is_one && why.reason != WSSEC_OK)) {
        abort();
    }
    for (size_t i = 0; why.reason == WSSEC_OK && i < chain.n_end; i++) {
        if (chain.end[i].uri == NULL || chain.end[i].digest == NULL || chain.end[i].file > files.n_part) {
            abort();
        }
    }
    return 0;
}

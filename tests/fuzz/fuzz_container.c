/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_container.c: any octets as a signed container. What is taken apart has each name once and no name that leads
 * elsewhere; and as nobody signed, nothing passes.
 */
#include "archive/asic.h"
#include "tests/fuzz/worker.h"
#include "tests/unit/soapmaker.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct maker_key key;
static struct maker_partner partner;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    worker_begin();
    key = maker_key_new("ec:P-256", NULL);
    maker_accept(&partner, &key, WSSEC_ACTIVE);
    worker_ready();
    return 0;
}

static void check_names(const struct archive_asic *a)
{
    bool message = false;
    for (size_t i = 0; i < a->container.n_part; i++) {
        const char *name = a->part[i].name;
        message = message || name == a->container.message;
        if (name[0] == '/' || strstr(name, "..") == name || strstr(name, "/../") != NULL ||
            strncmp(name, "META-INF/", 9) == 0) {
            abort();
        }
        for (size_t k = 0; k < i; k++) {
            if (strcmp(a->part[k].name, name) == 0) {
                abort();
            }
        }
    }
    if (!message || a->container.signature.p == NULL) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct archive_order order = ARCHIVE_ORDER_INIT;
    struct archive_asic a;
    char why[200] = "";
    order.max_member = 1 << 20;
    enum wssec_reason reason = archive_asic_read(&a, data, size, &order, why, sizeof why);
    if (reason == WSSEC_OK && a.container.signature.n > 0) {
        const struct wssec_when when = {MAKER_NOW, MAKER_NOW, WSSEC_TIME_AS_OF, false, false};
        const struct wssec_resolver r = {&partner, 1, maker_candidates, NULL};
        struct wssec_verdict v;
        struct wssec_stamped stamp;
        check_names(&a);
        if (wssec_verify_detached(worker, &a.container, policy, &when, &r, &v, NULL, &stamp) != WSSEC_RC_OK ||
            v.verdict == WSSEC_PASS || v.reason == WSSEC_OK || v.reason == WSSEC_INTERNAL) {
            abort();
        }
    } else if (reason != WSSEC_OK && why[0] == '\0') {
        abort();
    }
    archive_asic_clear(&a);
    return 0;
}

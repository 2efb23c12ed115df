/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_bundle.c: files that somebody hands to `archive verify --bundle`. The hash at the end is made to fit, so that
 * what lies behind it is reached; without it nothing is taken. What is read is a whole snapshot, what is refused says
 * why.
 */
#include <openssl/evp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/buffer.h"
#include "base/text.h"
#include "keystore/keystore.h"
#include "keystore/live.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds) {
        __builtin_trap();
    }
}

static void look(const char *text, size_t n)
{
    const ks_snapshot *s = NULL;
    static const char *const nobody = "0000000000000000000000000000000000000000000000000000000000000000";
    ks_bundle_head head;
    cs_error e = {0};
    must(ks_bundle_read(text, n, nobody, &s, &head, &e) != 0 && s == NULL);
    if (ks_bundle_read(text, n, NULL, &s, &head, &e) == 0) {
        must(s != NULL && head.as_of != 0);
        for (const char *const *name = ks_snapshot_partners(s); *name != NULL; name++) {
            must(ks_snapshot_has_partner(s, *name));
        }
        ks_snapshot_release(s);
    } else {
        must(s == NULL && (e.exit_code == CS_EXIT_USAGE || e.exit_code == CS_EXIT_CONFIG) && e.text[0] != '\0');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t digest[32];
    char hex[65];
    cs_buf b = CS_BUF_INIT;
    look((const char *)data, size);
    if (cs_buf_add(&b, data, size) == 0 && EVP_Digest(data, size, digest, NULL, EVP_sha256(), NULL) == 1 &&
        cs_buf_addf(&b, ",\"sha256\":\"%s\"}\n", cs_hex(digest, sizeof digest, hex)) == 0) {
        look(b.data, b.len);
    }
    cs_buf_free(&b);
    return 0;
}

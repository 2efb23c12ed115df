/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_template.c: any octets as a letter of any kind; what is taken can be filled in, and its subject stays one line.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "keystore/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int say(void *ctx, enum ks_template_word word, cs_buf *out, cs_error *e)
{
    (void)ctx;
    (void)e;
    return word == KS_SAY_TEXT ? 1 : cs_buf_adds(out, "{{said}}"); /* what is filled in is not read again */
}

static void fill(const struct ks_template *t)
{
    cs_buf out = CS_BUF_INIT;
    cs_error e = {0};
    if (ks_template_fill(t->body, say, NULL, &out, &e) != 0) {
        __builtin_trap();
    }
    cs_buf_reset(&out);
    if (t->subject != NULL &&
        (ks_template_fill(t->subject, say, NULL, &out, &e) != 0 || strpbrk(out.data, "\r\n") != NULL)) {
        __builtin_trap();
    }
    cs_buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cs_conf_report report = {0};
    enum ks_notice kind = (enum ks_notice)(size > 0 ? data[0] % KS_NOTICES : 0);
    size_t head = size > 0 ? 1 : 0;
    struct ks_template *t = ks_template_read("fuzz", kind, (const char *)data + head, size - head, &report);
    if (t == NULL && report.n == 0) {
        __builtin_trap(); /* refused, and nobody said why */
    }
    if (t != NULL) {
        fill(t);
    }
    ks_template_free(t);
    cs_conf_report_free(&report);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* capture.c: see capture.h. */
#include "keystore/capture.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "keystore/record.h"

int ks_capture_note(ks_store *s, const ks_capture_head *head, const ks_actor *who, cs_time now, cs_error *e)
{
    struct ks_record r = {0};
    char after[256];
    char hex[65];
    snprintf(after, sizeof after, "{\"segment\":%llu,\"record\":%llu,\"hash\":\"%s\"}",
             (unsigned long long)head->segment, (unsigned long long)head->record,
             cs_hex(head->hash, sizeof head->hash, hex));
    int rc = ks_record_begin(&r, s, who, false, now, e) == 0 &&
                     ks_record_audit(&r, KS_CAPTURE_VERB, head->stream, NULL, after, e) == 0 &&
                     ks_record_commit(&r, "capture", e) == 0
                 ? 0
                 : -1;
    ks_record_end(&r);
    return rc;
}

struct captures {
    ks_visit_capture *visit;
    void *ctx;
};

static int take_row(void *ctx, const ks_logged *row, cs_error *e)
{
    const struct captures *c = ctx;
    ks_capture_head head = {.segment = 0};
    char hex[65];
    unsigned long long segment;
    unsigned long long record;
    if (row->verb == NULL || strcmp(row->verb, KS_CAPTURE_VERB) != 0) {
        return 0;
    }
    if (row->object == NULL || row->after == NULL || !cs_copy(head.stream, sizeof head.stream, row->object) ||
        sscanf(row->after, "{\"segment\":%llu,\"record\":%llu,\"hash\":\"%64[0-9a-f]\"}", &segment, &record, hex) !=
            3 ||
        cs_unhex(hex, head.hash, sizeof head.hash) != 0) {
        return cs_error_set(e, CS_EXIT_CONFIG, "store-corrupt", "row %llu of the audit names no segment",
                            (unsigned long long)row->seq);
    }
    head.segment = segment;
    head.record = record;
    return c->visit(c->ctx, &head, e);
}

int ks_captures(ks_store *s, ks_visit_capture *visit, void *ctx, cs_error *e)
{
    struct captures c = {visit, ctx};
    return ks_audit_list(s, false, take_row, &c, e);
}

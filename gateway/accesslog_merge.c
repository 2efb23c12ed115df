/* SPDX-License-Identifier: Apache-2.0 */
/* accesslog_merge.c: see accesslog_merge.h. */
#include "gateway/accesslog_merge.h"

#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "base/time.h"

#define TELL_MS 1000

bool merge_add(struct merge *m, const struct accesslog_key *key)
{
    struct merge_row *row = m->row;
    while (row < m->row + m->n && (strcmp(row->address, key->address) != 0 || strcmp(row->reason, key->reason) != 0)) {
        row++;
    }
    if (row == m->row + MERGE_ROWS) {
        return false;
    }
    if (row == m->row + m->n) {
        cs_copy(row->address, sizeof row->address, key->address);
        row->reason = key->reason;
        row->n = 0;
        row->first_ms = key->at_ms;
        m->since_ms = m->n == 0 ? key->at_ms : m->since_ms;
        m->n++;
    }
    row->n++;
    row->last_ms = key->at_ms;
    return true;
}

bool merge_due(const struct merge *m, int64_t now_ms)
{
    return m->n > 0 && now_ms - m->since_ms >= TELL_MS;
}

char *merge_line(const struct merge_row *row)
{
    cs_buf out = CS_BUF_INIT;
    cs_json j;
    cs_json_begin(&j, &out);
    cs_json_object(&j, NULL);
    cs_json_int(&j, "v", 1);
    cs_json_time_ms(&j, "t", row->first_ms);
    cs_json_time_ms(&j, "until", row->last_ms);
    cs_json_int(&j, "merged", (int64_t)row->n);
    cs_json_str(&j, "client", row->address);
    cs_json_str(&j, "reason", row->reason);
    cs_json_object_end(&j);
    if (out.failed) {
        cs_buf_free(&out);
        return NULL;
    }
    return cs_buf_take(&out, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* keystore_concerns.c: whom a rehearsed change would concern: nodes that would follow it, and routes that use the slot
 * or its partner. */
#include "cli/keystore.h"

static void tell_json(const struct cli_concerns *k, cs_json *j)
{
    cs_json_array(j, "nodes_informed");
    for (size_t i = 0; i < k->nodes.n; i++) {
        if (k->nodes.info[i].live) {
            cs_json_str(j, NULL, k->nodes.info[i].node);
        }
    }
    cs_json_array_end(j);
    cs_json_array(j, "routes_concerned");
    for (size_t i = 0; i < k->where.n_where; i++) {
        cs_json_str(j, NULL, k->where.where[i].route);
    }
    cs_json_array_end(j);
}

static void tell_text(const struct cli_concerns *k)
{
    size_t live = 0;
    printf("informed:");
    for (size_t i = 0; i < k->nodes.n; i++) {
        if (k->nodes.info[i].live) {
            printf("%s node %s", live++ > 0 ? "," : "", k->nodes.info[i].node);
        }
    }
    printf("%s\nconcerned:", live == 0 ? " no node, since none serves this keystore now" : "");
    for (size_t i = 0; i < k->where.n_where; i++) {
        printf("%s route %s", i > 0 ? "," : "", k->where.where[i].route);
    }
    puts(k->where.n_where == 0 ? " no route of a gateway" : "");
}

int cli_concerns_read(struct cli_context *c, ks_store *s, const ks_info *info, struct cli_concerns *out)
{
    *out = (struct cli_concerns){0};
    return ks_nodes(s, c->now, &out->nodes, &c->error) == 0 && ks_where_used(s, info, &out->where, &c->error) == 0 ? 0
                                                                                                                   : -1;
}

void cli_concerns_tell(const struct cli_concerns *k, cs_json *j)
{
    if (j != NULL) {
        tell_json(k, j);
    } else {
        tell_text(k);
    }
}

void cli_concerns_free(struct cli_concerns *k)
{
    ks_node_list_free(&k->nodes);
    ks_evidence_free(&k->where);
}

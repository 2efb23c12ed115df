/* SPDX-License-Identifier: Apache-2.0 */
/* metrics_tls.c: handshakes, and connections that still show what was replaced. */
#include "gateway/gateway_private.h"
#include "gateway/metrics_private.h"

static const char *const sides[2] = {"client", "upstream"};
static const char *const results[HANDSHAKES] = {"full", "resumed", "failed"};
static const char *const versions[TLS_VERSIONS] = {"none", "TLSv1.2", "TLSv1.3"};

static uint64_t handshakes(const struct gateway *gw, int side, int result, int version)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < gw->n_loop; i++) {
        n += atomic_load(&gw->loop[i].counters.handshakes[side][result][version]);
    }
    return n;
}

void metrics_tls(struct metrics *m, cs_buf *out)
{
    struct gateway *gw = m->gateway;
    unsigned old[2];
    prom_family(out, "countersign_tls_handshakes_total", "counter", "TLS handshakes by how they ended.");
    for (int s = 0; s < 2; s++) {
        for (int r = 0; r < HANDSHAKES; r++) {
            for (int v = 0; v < TLS_VERSIONS; v++) {
                if ((r == HANDSHAKE_FAILED) != (v == TLS_NO_VERSION)) {
                    continue;
                }
                cs_buf_adds(out, "countersign_tls_handshakes_total{");
                prom_label(out, "side", sides[s]);
                prom_label(out, "result", results[r]);
                prom_label(out, "version", versions[v]);
                prom_value(out, (double)handshakes(gw, s, r, v));
            }
        }
    }
    tls_old_connections(&gw->tls, &old[0], &old[1]);
    prom_family(out, "countersign_old_connections", "gauge",
                "Open connections made with TLS certificates or anchors that were replaced.");
    for (int s = 0; s < 2; s++) {
        cs_buf_adds(out, "countersign_old_connections{");
        prom_label(out, "side", sides[s]);
        prom_value(out, old[s]);
    }
}

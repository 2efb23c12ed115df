/* SPDX-License-Identifier: Apache-2.0 */
/* sec.c: the children of our Security header by kind. What is unknown here stays unread: it can only matter when a key
 * reference or a policy names it. */
#include "wssec/sec.h"

#include "base/text.h"

enum child { CHILD_SIGNATURE, CHILD_TIMESTAMP, CHILD_USERNAME, CHILD_ENCRYPTED };

static const struct {
    const char *ns, *local;
    enum child kind;
} children[] = {
    {WSSEC_NS_DS, "Signature", CHILD_SIGNATURE},       {WSSEC_NS_WSU, "Timestamp", CHILD_TIMESTAMP},
    {WSSEC_NS_WSSE, "UsernameToken", CHILD_USERNAME},  {WSSEC_NS_XENC, "EncryptedKey", CHILD_ENCRYPTED},
    {WSSEC_NS_XENC, "ReferenceList", CHILD_ENCRYPTED}, {WSSEC_NS_XENC, "EncryptedData", CHILD_ENCRYPTED},
};

/* A key alone opens nothing where it stands: the list that names it may follow the Signature. */
static bool lists_something(const xmlNode *n)
{
    if (!wssec_is(n, WSSEC_NS_XENC, "EncryptedKey")) {
        return true;
    }
    const xmlNode *c = wssec_first_element(n);
    while (c != NULL && !wssec_is(c, WSSEC_NS_XENC, "ReferenceList")) {
        c = wssec_next_element(c);
    }
    return c != NULL;
}

static int take(struct wssec_security *s, xmlNodePtr n, enum child kind, unsigned max_signatures,
                struct wssec_refusal *why)
{
    switch (kind) {
    case CHILD_SIGNATURE:
        if (s->n_signature == max_signatures || s->n_signature == WSSEC_SIGNATURES) {
            return wssec_refuse(why, WSSEC_LIMIT_SIGNATURES, "more than %u signatures", s->n_signature);
        }
        s->signature[s->n_signature++] = n;
        break;
    case CHILD_TIMESTAMP:
        s->timestamp = s->timestamp != NULL ? s->timestamp : n;
        s->n_timestamp++;
        break;
    case CHILD_USERNAME:
        s->username = s->username != NULL ? s->username : n;
        s->n_username++;
        break;
    case CHILD_ENCRYPTED:
        s->encrypted = s->encrypted != NULL ? s->encrypted : n;
        s->encrypted_first = s->encrypted_first || (s->n_signature == 0 && lists_something(n));
        break;
    }
    return 0;
}

int wssec_security_read(const struct wssec_message *m, unsigned max_signatures, struct wssec_security *s,
                        struct wssec_refusal *why)
{
    if (!wssec_element_content(m->security, true)) {
        return wssec_refuse(why, WSSEC_SECURITY_MALFORMED, "text stands between the children of the Security header");
    }
    for (xmlNodePtr n = wssec_first_element(m->security); n != NULL; n = wssec_next_element(n)) {
        for (size_t i = 0; i < sizeof children / sizeof children[0]; i++) {
            if (wssec_is(n, children[i].ns, children[i].local) &&
                take(s, n, children[i].kind, max_signatures, why) != 0) {
                return -1;
            }
        }
    }
    return 0;
}

struct wssec_slice wssec_base64_content(struct wssec_arena *arena, const xmlNode *node, size_t max, int *rc)
{
    struct wssec_slice out = {NULL, 0};
    size_t n = 0;
    const xmlChar *text = wssec_text(node, &n);
    if (text == NULL || n == 0) {
        return out;
    }
    size_t room = cs_base64_decoded_max(n);
    uint8_t *octets = wssec_arena_octets(arena, room);
    if (octets == NULL) {
        *rc = WSSEC_RC_NOMEM;
        return out;
    }
    size_t got = 0;
    if (cs_base64_decode((const char *)text, n, octets, room, &got) != 0 || got == 0 || got > max) {
        return out;
    }
    out.p = octets;
    out.n = got;
    return out;
}

void wssec_security_sealed(const struct wssec_security *s, struct wssec_refusal *why)
{
    *why = (struct wssec_refusal){WSSEC_OK, ""};
    (void)wssec_refuse(why, WSSEC_NO_DECRYPTION_KEY,
                       "%.32s stands before the Signature: the message is to be opened before it can be verified",
                       s->encrypted->name);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* words.c: the words of the keystore, one table each: roles, states, capabilities, guards. */
#include "keystore/words.h"

#include <string.h>

static const struct ks_role_row role_row[KS_ROLES] = {
    [KS_VERIFIER] = {"verifier", 8, false, false, 0, KS_CAN(KS_CAN_VERIFY), KS_CAN(KS_CAN_VERIFY), KS_FLOOR_RETENTION,
                     1024, 2048, 256, "certificates with which a partner signs: several may be active"},
    [KS_ENCRYPT_TO] = {"encrypt-to", 1, false, false, 0, KS_CAN(KS_CAN_ENCRYPT), 0, KS_FLOOR_NONE, 2048, 2048, 256,
                       "the certificate of a partner to which we encrypt"},
    [KS_SIGN] = {"sign", 1, false, true, 0, KS_CAN(KS_CAN_SIGN) | KS_CAN(KS_CAN_VERIFY), KS_CAN(KS_CAN_VERIFY),
                 KS_FLOOR_RETENTION, 2048, 2048, 256, "our own signing key"},
    [KS_DECRYPT] = {"decrypt", 1, false, true, 0, KS_CAN(KS_CAN_DECRYPT), KS_CAN(KS_CAN_DECRYPT), KS_FLOOR_RETENTION,
                    1024, 2048, 256, "our own key to which partners encrypt"},
    [KS_TLS_CLIENT] = {"tls-client", 1, false, true, 2, KS_CAN(KS_CAN_PRESENT), 0, KS_FLOOR_NONE, 2048, 2048, 256,
                       "the certificate that we present as TLS client"},
    [KS_TLS_SERVER] = {"tls-server", 1, true, true, 0, KS_CAN(KS_CAN_PRESENT), 0, KS_FLOOR_DAY, 2048, 2048, 256,
                       "the certificate that a listener presents"},
    [KS_TRUST_ANCHOR] = {"trust-anchor", 64, false, false, 0, KS_CAN(KS_CAN_ANCHOR), KS_CAN(KS_CAN_ANCHOR),
                         KS_FLOOR_RETENTION, 1024, 2048, 256, "a certification authority that we trust"},
    [KS_AUTHZ_CLIENT] = {"authz-client", 64, false, false, 0, KS_CAN(KS_CAN_AUTHORIZE), KS_CAN(KS_CAN_AUTHORIZE),
                         KS_FLOOR_NONE, 2048, 2048, 256, "a client certificate that stands for a user"},
};

static const char *const role_word[KS_ROLES + 1] = {
    "verifier", "encrypt-to", "sign", "decrypt", "tls-client", "tls-server", "trust-anchor", "authz-client", NULL};

static const char *const state_word[KS_STATES + 1] = {"pre-active", "active",      "deactivated", "archived",
                                                      "suspended",  "compromised", "destroyed",   NULL};

static const char *const capability_word[KS_CAPABILITIES] = {"verify",  "sign",   "decrypt",  "encrypt",
                                                             "present", "anchor", "authorize"};

static const char *const guard_word[] = {
    [KS_G1_ONE_ACTIVE] = "one-active",
    [KS_G2_LIMIT_TWO] = "limit-two",
    [KS_G3_LAST_ACCEPTABLE] = "last-acceptable",
    [KS_G4_OVERLAP] = "overlap",
    [KS_G5_KEY_MATCH] = "key-match",
    [KS_G6_DISTRIBUTION] = "distribution",
    [KS_G7_INACTIVE_ONLY] = "inactive-only",
    [KS_G8_RETENTION] = "retention",
    [KS_G9_EVIDENCE] = "evidence",
    [KS_G10_TWO_PERSONS] = "two-persons",
    [KS_G11_PROBE] = "probe",
    [KS_G12_REVOCATION] = "revocation",
    [KS_G13_ONE_ROLLOVER] = "one-roll-over",
    [KS_G14_BACKUP] = "backup",
};

static int find(const char *const words[], const char *word)
{
    for (int i = 0; words[i] != NULL; i++) {
        if (strcmp(words[i], word) == 0) {
            return i;
        }
    }
    return -1;
}

const struct ks_role_row *ks_role_row(enum ks_role r)
{
    return &role_row[r];
}

const char *ks_role_word(enum ks_role r)
{
    return (unsigned)r < KS_ROLES ? role_word[r] : "?";
}

const char *ks_state_word(enum ks_state s)
{
    return (unsigned)s < KS_STATES ? state_word[s] : "?";
}

const char *ks_capability_word(enum ks_capability c)
{
    return (unsigned)c < KS_CAPABILITIES ? capability_word[c] : "?";
}

const char *ks_guard_word(enum ks_guard g)
{
    return (unsigned)g < sizeof guard_word / sizeof guard_word[0] && guard_word[g] != NULL ? guard_word[g] : "?";
}

int ks_role_parse(const char *word, enum ks_role *r)
{
    int i = find(role_word, word);
    if (i < 0) {
        return -1;
    }
    *r = (enum ks_role)i;
    return 0;
}

int ks_state_parse(const char *word, enum ks_state *s)
{
    int i = find(state_word, word);
    if (i < 0) {
        return -1;
    }
    *s = (enum ks_state)i;
    return 0;
}

unsigned ks_capabilities(enum ks_role r, enum ks_state s)
{
    switch (s) {
    case KS_ACTIVE: return role_row[r].while_active;
    case KS_DEACTIVATED: return role_row[r].while_deactivated;
    default: return 0;
    }
}

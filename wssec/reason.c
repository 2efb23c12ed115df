/* SPDX-License-Identifier: Apache-2.0 */
/* reason.c: the reason table of reason.def, and the words of the other enumerations of wssec.h. */
#include <string.h>

#include "wssec/wssec.h"

/* Outward codes by their name in the table; NONE: no SOAP fault exists for the reason. */
#define NONE                       ""
#define CLIENT                     "soap:Client"
#define SERVER                     "soap:Server"
#define MUST_UNDERSTAND            "soap:MustUnderstand"
#define INVALID_SECURITY           "wsse:InvalidSecurity"
#define INVALID_SECURITY_TOKEN     "wsse:InvalidSecurityToken"
#define UNSUPPORTED_SECURITY_TOKEN "wsse:UnsupportedSecurityToken"
#define UNSUPPORTED_ALGORITHM      "wsse:UnsupportedAlgorithm"
#define SECURITY_TOKEN_UNAVAILABLE "wsse:SecurityTokenUnavailable"
#define FAILED_CHECK               "wsse:FailedCheck"
#define FAILED_AUTHENTICATION      "wsse:FailedAuthentication"
#define MESSAGE_EXPIRED            "wsu:MessageExpired"

static const struct {
    const char *code;
    const char *fault;
    const char *etsi;
    const char *hint;
    const char *meaning;
    const char *cure;
} reasons[WSSEC_REASONS] = {
#define ROW(name, code, fault, etsi, hint, meaning, cure) {code, fault, etsi, hint, meaning, cure},
#include "wssec/reason.def"
#undef ROW
};

static enum wssec_reason known(enum wssec_reason r)
{
    return (unsigned)r < WSSEC_REASONS ? r : WSSEC_INTERNAL;
}

const char *wssec_reason_code(enum wssec_reason r)
{
    return reasons[known(r)].code;
}

const char *wssec_reason_meaning(enum wssec_reason r)
{
    return reasons[known(r)].meaning;
}

const char *wssec_reason_cure(enum wssec_reason r)
{
    return reasons[known(r)].cure;
}

const char *wssec_reason_fault(enum wssec_reason r)
{
    return reasons[known(r)].fault;
}

const char *wssec_reason_etsi(enum wssec_reason r)
{
    return reasons[known(r)].etsi;
}

const char *wssec_reason_hint(enum wssec_reason r)
{
    return reasons[known(r)].hint;
}

static const char *const result_words[] = {
    [WSSEC_FAIL] = "fail",
    [WSSEC_PASS] = "pass",
    [WSSEC_INDETERMINATE] = "indeterminate",
    [WSSEC_ERROR] = "error",
};
static const char *const state_words[] = {
    [WSSEC_PRE_ACTIVE] = "pre-active", [WSSEC_ACTIVE] = "active",       [WSSEC_DEACTIVATED] = "deactivated",
    [WSSEC_ARCHIVED] = "archived",     [WSSEC_SUSPENDED] = "suspended", [WSSEC_COMPROMISED] = "compromised",
    [WSSEC_DESTROYED] = "destroyed",
};
static const char *const keyref_words[] = {
    [WSSEC_KEYREF_NONE] = "none",
    [WSSEC_KEYREF_DIRECT] = "direct",
    [WSSEC_KEYREF_PKIPATH] = "pkipath",
    [WSSEC_KEYREF_ISSUER_SERIAL] = "issuer-serial",
    [WSSEC_KEYREF_SKI] = "ski",
    [WSSEC_KEYREF_THUMBPRINT] = "thumbprint",
    [WSSEC_KEYREF_X509V3] = "x509v3-key-identifier",
    [WSSEC_KEYREF_EMBEDDED] = "embedded",
    [WSSEC_KEYREF_X509_DATA] = "x509-data",
};
static const char *const time_words[] = {
    [WSSEC_TIME_NOW] = "now",           [WSSEC_TIME_AS_OF] = "as-of",     [WSSEC_TIME_POE] = "poe",
    [WSSEC_TIME_RECEIVED] = "received", [WSSEC_TIME_CLAIMED] = "claimed", [WSSEC_TIME_MTIME] = "mtime",
};

#define WORD(words, value) ((size_t)(value) < sizeof(words) / sizeof((words)[0]) ? (words)[value] : "unknown")

const char *wssec_result_word(enum wssec_result r)
{
    return WORD(result_words, r);
}

const char *wssec_state_word(enum wssec_state s)
{
    return WORD(state_words, s);
}

const char *wssec_keyref_word(enum wssec_keyref k)
{
    return WORD(keyref_words, k);
}

const char *wssec_time_source_word(enum wssec_time_source s)
{
    return WORD(time_words, s);
}

int wssec_keyref_parse(const char *word, enum wssec_keyref *k)
{
    for (size_t i = WSSEC_KEYREF_DIRECT; i < sizeof keyref_words / sizeof keyref_words[0]; i++) {
        if (strcmp(keyref_words[i], word) == 0) {
            *k = (enum wssec_keyref)i;
            return 0;
        }
    }
    return -1;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* directives.c: the `policy` block of the configuration; every row hands its arguments to wssec_policy_set(). */
#include "wssec/directives.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wssec/policy.h"

#define MAX_ARGUMENTS 64

struct wssec_policies {
    struct wssec_policy **policy;     /* owned references */
    const struct cs_conf_node **node; /* where each stands; NULL: built in. As long as the tree lives */
    const char **name;                /* NULL-terminated, borrowed from the policies */
    size_t n;
};

struct wssec_policies *wssec_policies_new(void)
{
    return calloc(1, sizeof(struct wssec_policies));
}

void wssec_policies_free(struct wssec_policies *set)
{
    if (set == NULL) {
        return;
    }
    for (size_t i = 0; i < set->n; i++) {
        wssec_policy_unref(set->policy[i]);
    }
    free(set->policy);
    free(set->node);
    free(set->name);
    free(set);
}

struct wssec_policy *wssec_policies_find(const struct wssec_policies *set, const char *name)
{
    for (size_t i = 0; i < set->n; i++) {
        if (strcmp(wssec_policy_name(set->policy[i]), name != NULL ? name : "default") == 0) {
            return set->policy[i];
        }
    }
    return NULL;
}

const char *const *wssec_policies_names(const struct wssec_policies *set)
{
    static const char *const none[] = {NULL};
    return set->name != NULL ? set->name : none;
}

/* A new policy at the end of the set. @return borrowed, NULL: no memory */
static struct wssec_policy *grow(struct wssec_policies *set, const char *name, const struct cs_conf_node *node)
{
    struct wssec_policy **policy = reallocarray(set->policy, set->n + 1, sizeof(struct wssec_policy *));
    set->policy = policy != NULL ? policy : set->policy;
    const struct cs_conf_node **where = reallocarray(set->node, set->n + 1, sizeof(struct cs_conf_node *));
    set->node = where != NULL ? where : set->node;
    const char **names = reallocarray(set->name, set->n + 2, sizeof(char *));
    set->name = names != NULL ? names : set->name;
    struct wssec_policy *p = policy != NULL && where != NULL && names != NULL ? wssec_policy_new(name) : NULL;
    if (p != NULL) {
        set->policy[set->n] = p;
        set->node[set->n] = node;
        set->name[set->n++] = wssec_policy_name(p);
    }
    if (names != NULL) {
        names[set->n] = NULL;
    }
    return p;
}

int wssec_policies_freeze(struct wssec_policies *set, struct cs_conf_report *report)
{
    char why[256];
    int result = 0;
    if (wssec_policies_find(set, NULL) == NULL && grow(set, "default", NULL) == NULL) {
        return -1;
    }
    for (size_t i = 0; i < set->n; i++) {
        int rc = wssec_policy_freeze(set->policy[i], why, sizeof why);
        if (rc < 0) {
            cs_conf_error(report, set->node[i], 0, "%s", why);
            result = -1;
        } else if (rc > 0) {
            cs_conf_warn(report, set->node[i], 0, "%s", why);
        }
    }
    return result;
}

/* ---- setters ------------------------------------------------------------------------------------------------------
 */

static void open_policy(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    struct wssec_policies *set = parent;
    const char *name = node->arg[0].text;
    if (wssec_policies_find(set, name) != NULL) {
        cs_conf_error(report, node, 0, "policy %s is there already", name);
        return;
    }
    *child = grow(set, name, node);
    if (*child == NULL) {
        cs_conf_error(report, node, 0, "no memory for policy %s", name);
    }
}

/* `timestamp { }` and `limits { }` only group words of the policy. */
static void open_group(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)node;
    (void)report;
    *child = parent;
}

static void set_in(const char *group, const struct cs_conf_node *node, void *parent, struct cs_conf_report *report)
{
    const char *argv[MAX_ARGUMENTS];
    char word[64];
    char why[256];
    if (parent == NULL) {
        return; /* the policy itself was refused */
    }
    if (node->argc > MAX_ARGUMENTS) {
        cs_conf_error(report, node, -1, "at most %d arguments", MAX_ARGUMENTS);
        return;
    }
    for (int i = 0; i < node->argc; i++) {
        argv[i] = node->arg[i].text;
    }
    (void)snprintf(word, sizeof word, "%s%s%s", group, group[0] != '\0' ? "." : "", node->name);
    if (wssec_policy_set(parent, word, node->argc, argv, why, sizeof why) != 0) {
        cs_conf_error(report, node, node->argc > 0 ? 0 : -1, "%s", why);
    }
}

static void set_word(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    set_in("", node, parent, report);
}

static void set_timestamp(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    set_in("timestamp", node, parent, report);
}

static void set_limit(const struct cs_conf_node *node, void *parent, void **child, struct cs_conf_report *report)
{
    (void)child;
    set_in("limits", node, parent, report);
}

/* ---- rows ---------------------------------------------------------------------------------------------------------
 */

#define IN_POLICY(name, args, flags, deflt, help, good, bad)                                                           \
    {                                                                                                                  \
        name, "policy", args, NULL, flags, deflt, help, good, bad, set_word                                            \
    }
#define IN_TIMESTAMP(name, args, deflt, help, good, bad)                                                               \
    {                                                                                                                  \
        name, "policy-timestamp", args, NULL, 0, deflt, help, good, bad, set_timestamp                                 \
    }
#define LIMIT(name, args, deflt, help, good, bad)                                                                      \
    {                                                                                                                  \
        name, "policy-limits", args, NULL, 0, deflt, help, good, bad, set_limit                                        \
    }

static const struct cs_directive rows[] = {
    {"policy", "", "name", "policy", CS_DIR_REPEAT, NULL, "what a message must fulfil to pass",
     "policy p { require-signed Body; }", "policy { require-signed Body; }", open_policy},
    IN_POLICY("require-signed", "string+", 0, "Body Timestamp?", "parts that one signature must cover; '?': if present",
              "require-signed Body Timestamp wsa:To?;", "require-signed Boddy;"),
    {"timestamp", "policy", "", "policy-timestamp", 0, NULL, "rules of the wsu:Timestamp",
     "timestamp { required yes; ttl 300s; }", "timestamp yes;", open_group},
    IN_TIMESTAMP("required", "yes-no", "no", "a message without Timestamp is refused", "required yes;",
                 "required maybe;"),
    IN_TIMESTAMP("ttl", "duration", "300s", "longest age, and longest Created to Expires", "ttl 300s;", "ttl soon;"),
    IN_TIMESTAMP("skew", "duration", "300s", "how far clocks may differ", "skew 300s;", "skew 2d;"),
    IN_POLICY(
        "signature-algorithms", "word+", 0, "rsa-sha256 rsa-sha384 rsa-sha512 ecdsa-sha256 ecdsa-sha384 ecdsa-sha512",
        "signature algorithms that are accepted", "signature-algorithms rsa-sha256;", "signature-algorithms rsa-sha1;"),
    IN_POLICY("digest-algorithms", "word+", 0, "sha256 sha384 sha512", "digest algorithms that are accepted",
              "digest-algorithms sha256;", "digest-algorithms md5;"),
    IN_POLICY("canonicalization", "word+", 0, "exclusive", "canonicalizations that are accepted",
              "canonicalization exclusive inclusive;", "canonicalization with-comments;"),
    IN_POLICY("legacy", "word word word", CS_DIR_REPEAT, NULL, "a dated exception: legacy NAME until DATE",
              "legacy sha1 until 2027-06-30;", "legacy sha1 until later;"),
    IN_POLICY("minimum-rsa", "number", 0, "2048", "shortest RSA key in bits", "minimum-rsa 3072;", "minimum-rsa long;"),
    IN_POLICY("replay", "on-off", 0, "on", "a signature is accepted once", "replay off;", "replay maybe;"),
    IN_POLICY("signature-confirmation", "word", 0, "accept",
              "a reply must confirm the signatures of our request (require), or must fit when it does (accept)",
              "signature-confirmation require;", "signature-confirmation perhaps;"),
    IN_POLICY(
        "bsp", "word", 0, "off",
        "rules of the Basic Security Profile 1.1 (docs/bsp.md): passed over (off), a note (warn), or those that must hold are a refusal (enforce)",
        "bsp warn;", "bsp perhaps;"),
    IN_POLICY("comments", "word", 0, "refuse",
              "comments and processing instructions inside signed parts: refuse or allow", "comments allow;",
              "comments some;"),
    IN_POLICY("encodings", "word+", 0, "utf-8 utf-16",
              "character encodings that are accepted: utf-8, utf-16, iso-8859-1", "encodings utf-8 iso-8859-1;",
              "encodings utf-7;"),
    IN_POLICY("engine", "word", 0, "auto", "auto: one pass where it applies; xmlsec: libxmlsec judges every message",
              "engine xmlsec;", "engine openssl;"),
    IN_POLICY("cross-check", "word", 0, "1%", "share of messages that both engines judge", "cross-check 0.5%;",
              "cross-check often;"),
    IN_POLICY("expired-certificate", "word duration?", 0, "at-signing",
              "what an expired certificate may still do: at-signing, refuse, grace DURATION",
              "expired-certificate grace 24h;", "expired-certificate refuse 24h;"),
    IN_POLICY("allow", "word+", CS_DIR_REPEAT, NULL, "unsigned-faults, missing-key-info, unsigned-attachments",
              "allow unsigned-faults;", "allow everything;"),
    {"limits", "policy", "", "policy-limits", 0, NULL, "what a message may cost", "limits { body 64M; depth 128; }",
     "limits 64M;", open_group},
    LIMIT("body", "size", "64M", "octets of a message", "body 64M;", "body 0;"),
    LIMIT("dom", "size", "16M", "octets of a message that needs the tree engine", "dom 16M;", "dom big;"),
    LIMIT("text", "size", "10M", "octets of one text", "text 10M;", "text long;"),
    LIMIT("header", "size", "256k", "octets of the SOAP header", "header 256k;", "header 0;"),
    LIMIT("start-tag", "size", "64k", "octets of one tag", "start-tag 64k;", "start-tag 1G;"),
    LIMIT("name", "size", "1k", "octets of one name", "name 1k;", "name 64k;"),
    LIMIT("depth", "number", "128", "elements within each other", "depth 128;", "depth 100000;"),
    LIMIT("attributes", "number", "256", "attributes of one element", "attributes 256;", "attributes 0;"),
    LIMIT("namespaces", "number", "64", "namespaces in scope", "namespaces 64;", "namespaces 0;"),
    LIMIT("header-nodes", "number", "2000", "elements of the SOAP header", "header-nodes 2000;", "header-nodes 0;"),
    LIMIT("ids", "number", "10000", "ids of a message", "ids 10000;", "ids 0;"),
    LIMIT("references", "number", "30", "references of a signature", "references 30;", "references 31;"),
    LIMIT("transforms", "number", "5", "transforms of a reference", "transforms 5;", "transforms 6;"),
    LIMIT("signatures", "number", "4", "signatures in our header", "signatures 4;", "signatures 0;"),
    LIMIT("encrypted", "number", "8", "encrypted parts", "encrypted 8;", "encrypted 0;"),
    LIMIT("candidates", "number", "8", "certificates that are tried", "candidates 8;", "candidates 9;"),
    LIMIT("parts", "number", "100", "parts of a MIME multipart, the SOAP envelope included", "parts 100;", "parts 0;"),
    LIMIT("part-header", "size", "16k", "octets of the header of one MIME part", "part-header 16k;",
          "part-header long;"),
};

struct cs_conf_table wssec_directives(void)
{
    return (struct cs_conf_table){rows, sizeof rows / sizeof rows[0]};
}

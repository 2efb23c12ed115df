/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.h: the configuration rows of the keystore's own directives (keystore, key-encryption-key, retention,
 * guaranteed-delivery, partner) and what they fill. cli/ joins the table with the others; nothing here opens a store.
 */
#ifndef KS_CONFIG_H
#define KS_CONFIG_H

#include <stddef.h>
#include <stdint.h>

#include "base/config.h"
#include "keystore/issuers.h"
#include "keystore/keystore.h"
#include "keystore/live.h"
#include "keystore/mail.h"

/** A person at a partner, told because of what he does; texts are the tree's. */
struct ks_contact {
    const char *role, *name, *mail;
};

/** One `partner NAME { }`. Names of policies are kept as text: whoever joins the tables resolves them. */
struct ks_partner_config {
    char name[KS_WORD];
    char policy[KS_WORD];         /**< "" where none is named: the built-in default */
    int64_t guaranteed_delivery;  /**< seconds; 0: the general one */
    unsigned concurrency;         /**< its exchanges that a gateway has under way at most; 0: any number */
    char expired_certificate[16]; /**< "" (the policy decides), "at-signing", "refuse", "grace" */
    char expired_grace[24];       /**< duration text behind grace, else "" */
    char trust[8];                /**< "pinned", "chain" */
    ks_chain_rule chain;          /**< under "chain"; owns its names */
    struct ks_contact *contact;   /**< owned; in the order of the file */
    size_t n_contact;
    const struct cs_conf_node *anchors_node; /**< the anchors statement, or NULL */
    const struct cs_conf_node *node;         /**< the block, for messages; lives as long as the tree */
    const struct cs_conf_node *policy_node;  /**< the policy statement, or NULL */
    const struct cs_conf_node
        *users_node;                /**< the users statement, or NULL: user names of its messages are not judged */
    const struct ks_config *config; /**< that it stands in */
};

#define KS_OPERATOR_UIDS 8
#define KS_APPROVERS_MAX 16

struct ks_config;

/** One `operator NAME { }`: a person who works with the keystore. */
struct ks_operator {
    char name[KS_WORD];
    char uid[KS_OPERATOR_UIDS][KS_WORD]; /**< accounts */
    size_t n_uid;
    cs_dn *certificate;              /**< owned rule for a client certificate's subject; NULL: none */
    unsigned roles;                  /**< set of 1 << place in: tenant-admin, receiver-admin, sender-admin, lb-admin,
                                      * integration-developer, auditor */
    char full_name[128], mail[256];  /**< "" not said */
    const struct cs_conf_node *node; /**< the block, for messages */
    const struct ks_config *config;  /**< that it stands in */
};

struct ks_config {
    char *uri; /**< owned: "sqlite:PATH"; NULL where the file names no keystore */
    struct ks_kek_config {
        enum ks_kek_kind kind;
        char *where; /**< owned */
    } kek[KS_KEK_SOURCES];
    size_t n_kek;                       /**< 0: not said */
    char node[KS_WORD];                 /**< name of this node; "": that of the host */
    int64_t retention;                  /**< seconds; 0: not said */
    int64_t guaranteed_delivery;        /**< seconds; 0: not said */
    struct ks_partner_config **partner; /**< owned, in the order of the file; addresses are stable */
    size_t n_partner;
    struct ks_operator **operators; /**< owned, in the order of the file; addresses are stable */
    size_t n_operator;
    struct ks_user **user; /**< owned, in the order of the file (users.h) */
    size_t n_user;
    char approver[KS_APPROVERS_MAX][KS_WORD]; /**< persons who may agree (guard G10) */
    size_t n_approver;
    ks_issuer **issuer; /**< owned, in the order of the file; addresses are stable */
    size_t n_issuer;
    ks_mail mail; /**< the way for notices; given false: none */
};

#define KS_CONFIG_INIT                                                                                                 \
    {                                                                                                                  \
        .uri = NULL                                                                                                    \
    }

/** The rows; their parent object at top level is a struct ks_config. Static. */
struct cs_conf_table ks_directives(void);
/** The sources of the key-encryption key into the options of ks_open; strings stay c's. */
void ks_config_sources(const struct ks_config *c, ks_options *out);
/** The partner of that name, or NULL. Borrowed from c. */
const struct ks_partner_config *ks_config_partner(const struct ks_config *c, const char *name);
/** The rule for certificates that are not stored, NULL: the partner is pinned or not in the file. Borrowed from c. */
const ks_chain_rule *ks_config_chain(const struct ks_config *c, const char *partner);
/** What the file refers to, against the keystore: every anchor of a trust chain is a slot of role trust-anchor. One
 * with no active entry is warned of. @return errors, told in the report */
unsigned ks_config_check(const struct ks_config *c, const ks_snapshot *snapshot, struct cs_conf_report *report);
/** Free what c owns; c is empty afterwards. */
void ks_config_free(struct ks_config *c);
/** An alias or partner name: [A-Za-z0-9._-], 1 to 64 octets, not starting with '-' or '.'. */
bool ks_name_ok(const char *name);

#endif

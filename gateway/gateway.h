/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gateway.h: the inline proxy, for cli/. gw_run() is the process: loops, workers, watch thread, signals, until SIGTERM.
 */
#ifndef GW_GATEWAY_H
#define GW_GATEWAY_H

#include "base/config.h"
#include "base/error.h"
#include "keystore/issuers.h"
#include "keystore/keystore.h"
#include "keystore/live.h"
#include "keystore/mail.h"
#include "keystore/users.h"
#include "wssec/wssec.h"

/** Listeners, routes, limits of one configuration; opaque. Filled by cs_conf_apply() with gw_directives() and this as
 * root. */
struct gw_config;
struct gw_config *gw_config_new(void);
void gw_config_free(struct gw_config *c);
/** Path of the admin socket, NULL: none. Borrowed from c. */
const char *gw_admin_socket(const struct gw_config *c);
/** The rows of this folder. */
struct cs_conf_table gw_directives(void);

/** One read configuration with what other folders hold of it; made by cli's loader, immutable once given away. */
struct gw_settings {
    struct gw_config *config; /**< owned */
    char *keystore_uri;       /**< owned */
    ks_options keystore;      /**< its strings are owned by free_with */
    char conf_hash[65];       /**< of all statements: two nodes of one configuration have the same */
    /** Policy by name (NULL name: of that partner, else the built-in default). Borrowed from the settings. NULL:
     * unknown name. */
    struct wssec_policy *(*policy)(const struct gw_settings *s, const char *policy, const char *partner);
    bool (*partner_known)(const struct gw_settings *s, const char *partner);
    const ks_mail *mail;    /**< the way for notices; borrowed from the settings */
    const char *addressees; /**< operators and contacts with an address (ks_set_addressees); borrowed */
    ks_issuers issuers;     /**< of certificates; borrowed from the settings */
    const char *persons;    /**< operators and approvers of the file (ks_set_persons), "" nobody; borrowed */
    int64_t (*partner_delivery)(const struct gw_settings *s, const char *partner);     /**< seconds, 0: none */
    unsigned (*partner_concurrency)(const struct gw_settings *s, const char *partner); /**< exchanges, 0: any number */
    /** Rule for certificates of that partner which are not stored. Borrowed from the settings. NULL: they do not count.
     */
    const ks_chain_rule *(*chain)(const struct gw_settings *s, const char *partner);
    /** That partner if user names of its messages are judged, else NULL. Borrowed from the settings. */
    const struct ks_partner_config *(*users)(const struct gw_settings *s, const char *partner);
    /** The user of that name, NULL: none. Borrowed from the settings. */
    const struct ks_user *(*user)(const struct gw_settings *s, const char *name);
    const char *file; /**< borrowed: the configuration as the user named it; NULL: from memory */
    /** What the loader's part refers to: the keystore, files that are read late. @return errors, told in the report */
    unsigned (*check)(const struct gw_settings *s, const ks_snapshot *snapshot, struct cs_conf_report *report);
    /** Each file that was read; NULL: none. */
    void (*each_file)(const struct gw_settings *s, void (*each)(void *ctx, const char *file), void *ctx);
    void *ctx;                           /**< the loader's own */
    void (*free)(struct gw_settings *s); /**< frees all of it */
};

/** Reads the configuration anew (start and every reload). All errors go to the report, one line each. @return NULL on
 * error */
typedef struct gw_settings *(*gw_load)(void *ctx, struct cs_conf_report *report, cs_error *e);

struct gw_run_options {
    gw_load load;
    void *load_ctx;
    bool check_only; /**< --check: both passes (grammar, references), then return */
    int master_fd;   /**< -1, or the socket to the master that started this process */
    bool again;      /**< another process serves or served already: it is taken over from */
    int ready_fd; /**< -1, or a descriptor that gets one line "ready ADDRESS…\n" when all listeners accept (tests, demo)
                   */
};
/** @return an exit code of enum cs_exit; errors were printed to stderr and logged */
int gw_run(const struct gw_run_options *opt);

#endif

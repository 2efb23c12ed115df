/* SPDX-License-Identifier: Apache-2.0 */
/* policy.c: which policy judges a partner's messages: the one it names, changed by the words of its own block. */
#include "cli/policy.h"

#include "base/text.h"

/* The partner's expired-certificate rule over that of its policy: a frozen copy, reference count 1. */
static struct wssec_policy *with_own_words(struct wssec_policy *base, const struct ks_partner_config *partner,
                                           char *why, size_t size)
{
    const char *const argv[] = {partner->expired_certificate, partner->expired_grace};
    struct wssec_policy *own = wssec_policy_copy(base);
    if (own == NULL) {
        cs_copy(why, size, "out of memory");
        return NULL;
    }
    /* freeze gives 1 with a doubt about the policy; that was said where the policy stands */
    if (wssec_policy_set(own, "expired-certificate", partner->expired_grace[0] != '\0' ? 2 : 1, argv, why, size) != 0 ||
        wssec_policy_freeze(own, why, size) < 0) {
        wssec_policy_unref(own);
        return NULL;
    }
    return own;
}

struct wssec_policy *cli_partner_policy(const struct cli_settings *s, const struct ks_partner_config *partner,
                                        struct cs_conf_report *report)
{
    char why[256] = "";
    struct wssec_policy *base = wssec_policies_find(s->policies, partner->policy[0] != '\0' ? partner->policy : NULL);
    if (base == NULL) {
        const struct cs_conf_node *node = partner->policy_node != NULL ? partner->policy_node : partner->node;
        const char *near = cs_nearest(partner->policy, wssec_policies_names(s->policies));
        cs_conf_error(report, node, 0, "no policy \"%s\"%s%s%s", partner->policy,
                      near != NULL ? "; did you mean \"" : " in this configuration", near != NULL ? near : "",
                      near != NULL ? "\"?" : "");
        return NULL;
    }
    if (partner->expired_certificate[0] == '\0') {
        return wssec_policy_ref(base);
    }
    struct wssec_policy *own = with_own_words(base, partner, why, sizeof why);
    if (own == NULL) {
        cs_conf_error(report, partner->node, 0, "expired-certificate of partner \"%s\": %s", partner->name, why);
    }
    return own;
}

struct wssec_policy *cli_settings_policy(struct cli_context *c, const struct cli_settings *s, const char *name,
                                         const char *partner)
{
    struct cs_conf_report report = {0};
    struct wssec_policy *found = NULL;
    const struct ks_partner_config *config =
        name == NULL && partner != NULL ? ks_config_partner(&s->config, partner) : NULL;
    if (config != NULL) {
        found = cli_partner_policy(s, config, &report);
        if (found == NULL) {
            cs_error_set(&c->error, CS_EXIT_CONFIG, "configuration", "%s",
                         report.n != 0 ? report.line[0] : "out of memory");
        }
        cs_conf_report_free(&report);
        return found;
    }
    found = wssec_policies_find(s->policies, name);
    if (found == NULL) {
        const char *near = name != NULL ? cs_nearest(name, wssec_policies_names(s->policies)) : NULL;
        cs_error_set(&c->error, CS_EXIT_USAGE, "unknown-policy", "no policy \"%.64s\"%s%s%s",
                     name != NULL ? name : "default", near != NULL ? "; did you mean \"" : " in the configuration",
                     near != NULL ? near : "", near != NULL ? "\"?" : "");
        return NULL;
    }
    return wssec_policy_ref(found);
}

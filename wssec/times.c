/* SPDX-License-Identifier: Apache-2.0 */
/* times.c: wsu:Timestamp. Its text decides how long a captured message may be sent again, so it is read strictly. */
#include "wssec/times.h"

#include <limits.h>
#include <string.h>

#include "base/time.h"

#define OTHER_NODES  300 /* seconds that clocks of nodes with one replay store may differ */
#define NO_TIMESTAMP ((int64_t)86400)

struct cursor {
    const char *p, *end;
};

static bool digits(struct cursor *c, int n, int *out)
{
    *out = 0;
    for (int i = 0; i < n; i++, c->p++) {
        if (c->p == c->end || *c->p < '0' || *c->p > '9') {
            return false;
        }
        *out = *out * 10 + (*c->p - '0');
    }
    return true;
}

static bool one(struct cursor *c, char expected)
{
    if (c->p == c->end || *c->p != expected) {
        return false;
    }
    c->p++;
    return true;
}

static int days_in(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

/* What follows the seconds: 0 UTC, 1 another offset or none, -1 neither. XML Schema has two names for UTC, Z and +00:00
 * (3.2.7.3: the same zone); -00:00 is not said to be a third. */
static int zone(struct cursor *c)
{
    int hour = 0;
    int minute = 0;
    if (one(c, 'Z')) {
        return c->p == c->end ? 0 : -1;
    }
    bool east = one(c, '+');
    if (!east && !one(c, '-')) {
        return c->p == c->end ? 1 : -1;
    }
    if (!digits(c, 2, &hour) || !one(c, ':') || !digits(c, 2, &minute) || c->p != c->end || hour > 14 || minute > 59) {
        return -1;
    }
    return east && hour == 0 && minute == 0 ? 0 : 1;
}

int wssec_datetime_parse(const char *text, size_t n, int64_t *out)
{
    struct cursor c = {text, text + n};
    int year, month, day, hour, minute, second; /* all set by digits before they are read */
    if (!digits(&c, 4, &year) || !one(&c, '-') || !digits(&c, 2, &month) || !one(&c, '-') || !digits(&c, 2, &day) ||
        !one(&c, 'T') || !digits(&c, 2, &hour) || !one(&c, ':') || !digits(&c, 2, &minute) || !one(&c, ':') ||
        !digits(&c, 2, &second)) {
        return -1;
    }
    if (month < 1 || month > 12 || day < 1 || day > days_in(year, month) || hour > 23 || minute > 59 || second > 59) {
        return -1;
    }
    if (one(&c, '.')) {
        const char *fraction = c.p;
        while (c.p < c.end && *c.p >= '0' && *c.p <= '9') {
            c.p++;
        }
        if (c.p == fraction) {
            return -1;
        }
    }
    *out = cs_time_civil(year, month, day, hour, minute, second);
    return zone(&c);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static int read_instant(const xmlNode *n, int64_t *out, struct wssec_refusal *why)
{
    size_t len = 0;
    const char *text = (const char *)wssec_text(n, &len);
    const xmlChar *type = wssec_attr(n, NULL, "ValueType");
    while (text != NULL && len > 0 && is_space(text[0])) {
        text++;
        len--;
    }
    while (text != NULL && len > 0 && is_space(text[len - 1])) {
        len--;
    }
    int kind = text != NULL && type == NULL ? wssec_datetime_parse(text, len, out) : -1;
    if (kind != 0) {
        return wssec_refuse(why, WSSEC_TIMESTAMP_MALFORMED, "%.16s %s", n->name,
                            type != NULL ? "has a ValueType"
                            : kind == 1  ? "is not in UTC (Z or +00:00)"
                                         : "is not an xsd:dateTime");
    }
    return 0;
}

int wssec_timestamp_read(const struct wssec_security *s, struct wssec_timestamp *out, struct wssec_refusal *why)
{
    memset(out, 0, sizeof *out);
    if (s->timestamp == NULL) {
        return 0;
    }
    out->node = s->timestamp;
    if (s->n_timestamp > 1) {
        return wssec_refuse(why, WSSEC_TIMESTAMP_MALFORMED, "the header holds %u Timestamps", s->n_timestamp);
    }
    const xmlNode *created = wssec_first_element(s->timestamp);
    const xmlNode *expires = wssec_next_element(created);
    if (!wssec_element_content(s->timestamp, true) || !wssec_is(created, WSSEC_NS_WSU, "Created") ||
        (expires != NULL && (!wssec_is(expires, WSSEC_NS_WSU, "Expires") || wssec_next_element(expires) != NULL))) {
        return wssec_refuse(why, WSSEC_TIMESTAMP_MALFORMED,
                            "the Timestamp is not one Created, then at most one Expires");
    }
    if (read_instant(created, &out->created, why) != 0 ||
        (expires != NULL && read_instant(expires, &out->expires, why) != 0)) {
        return -1;
    }
    if (expires != NULL && out->expires <= out->created) {
        return wssec_refuse(why, WSSEC_TIMESTAMP_MALFORMED, "Expires is not later than Created");
    }
    return 0;
}

static int64_t end_of(const struct wssec_policy *p, const struct wssec_timestamp *t)
{
    int64_t by_ttl = t->created + p->ttl;
    return t->expires != 0 && t->expires < by_ttl ? t->expires : by_ttl;
}

int wssec_timestamp_judge(struct wssec_judge *j, const struct wssec_timestamp *t)
{
    const struct wssec_policy *p = j->policy;
    char stamp[CS_TIME_TEXT];
    char clock[CS_TIME_TEXT];
    if (t->node == NULL) {
        return p->timestamp_required
                   ? wssec_refuse(j->why, WSSEC_TIMESTAMP_MISSING, "the Security header holds no Timestamp")
                   : 0;
    }
    if (t->expires != 0 && t->expires - t->created > p->ttl) {
        return wssec_refuse(j->why, WSSEC_TIMESTAMP_LIFETIME, "Created to Expires is %lld s, allowed are %lld s",
                            (long long)(t->expires - t->created), (long long)p->ttl);
    }
    int64_t now = j->when->freshness ? j->when->now : j->when->at;
    int64_t end = end_of(p, t);
    (void)cs_time_format(now, clock);
    if (t->created > now + p->skew) {
        (void)cs_time_format(t->created, stamp);
        if (j->when->freshness) {
            return wssec_refuse(j->why, WSSEC_TIMESTAMP_FUTURE, "Created %s is %lld s ahead of %s, allowed are %lld s",
                                stamp, (long long)(t->created - now), clock, (long long)p->skew);
        }
        wssec_note(j->verdict, "created-ahead %llds", (long long)(t->created - now));
    } else if (now > end + p->skew) {
        (void)cs_time_format(end, stamp);
        if (j->when->freshness) {
            return wssec_refuse(j->why, WSSEC_TIMESTAMP_EXPIRED, "it ended %s, %lld s before %s, allowed are %lld s",
                                stamp, (long long)(now - end), clock, (long long)p->skew);
        }
        wssec_note(j->verdict, "late %llds", (long long)(now - end));
    }
    return 0;
}

int64_t wssec_replay_until(const struct wssec_judge *j, const struct wssec_timestamp *t)
{
    int64_t end = t->node != NULL ? end_of(j->policy, t) + j->policy->skew : j->when->now + NO_TIMESTAMP;
    return end + OTHER_NODES;
}

bool wssec_replay_claim(struct wssec_judge *j, const struct wssec_replay *c, const uint8_t key[32], int64_t until,
                        const char *what)
{
    int outcome = c->claim(c->ctx, key, until);
    if (outcome < 0) {
        (void)wssec_refuse(j->why, WSSEC_REPLAY_STORE_UNAVAILABLE, "the replay store is full or out of reach");
    } else if (outcome == 0) {
        (void)wssec_refuse(j->why, WSSEC_REPLAY, "%s was accepted before", what);
    }
    return outcome > 0;
}

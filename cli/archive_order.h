/* SPDX-License-Identifier: Apache-2.0 */
/* archive_order.h: what decides the results of a run, as options say it: for archive verify and archive plan. */
#ifndef CLI_ARCHIVE_ORDER_H
#define CLI_ARCHIVE_ORDER_H

#include "archive/archive.h"
#include "cli/command.h"

/** Whose messages they are, by what they are judged. */
#define CLI_ORDER_JUDGED                                                                                               \
    {"partner", 0, CLI_TEXT, "PARTNER", 0, "whose messages they are; auto (default): found by the certificate"},       \
        {"policy", 0, CLI_TEXT, "NAME", 0, "judge under this policy instead of the partner's"},                        \
        {"as-of", 0, CLI_TIME, "TIME", 0, "judge all as of this instant"},                                             \
        {"received-from",                                                                                              \
         0,                                                                                                            \
         CLI_TEXT,                                                                                                     \
         "SPEC",                                                                                                       \
         CLI_REPEAT,                                                                                                   \
         "where the time of receipt stands: name:REGEX (first group, over the loc), header:NAME, field:NAME, "         \
         "index:FILE, "                                                                                                \
         "mtime; the first that fits"},                                                                                \
        {"received-format", 0, CLI_TEXT,                                                                               \
         "STRPTIME",        0, "how that time is written; without it RFC 3339, its basic form, or the Date of HTTP"},  \
        {"received-zone", 0, CLI_TEXT, "ZONE", 0, "of times without one, as +02:00; without it UTC"},                  \
        {"timestamp-anchors",                                                                                          \
         0,                                                                                                            \
         CLI_TEXT,                                                                                                     \
         "SLOT",                                                                                                       \
         CLI_REPEAT,                                                                                                   \
         "trust anchors of time-stamping authorities (RFC 3161): a token FILE.tsr beside FILE proves when FILE "       \
         "existed"},                                                                                                   \
        {"trust-claimed",                                                                                              \
         0,                                                                                                            \
         CLI_FLAG,                                                                                                     \
         NULL,                                                                                                         \
         0,                                                                                                            \
         "where no time of receipt is known, take the signed Created of the message"},                                 \
        {"bundle", 0, CLI_FILE,                                                                                        \
         "FILE",   0, "judge by this file of keystore bundle instead of a keystore, as of its instant"},               \
    {                                                                                                                  \
        "bundle-key", 0, CLI_TEXT, "HEX", 0, "who must have signed it: the key that keystore bundle told its maker"    \
    }

/** What may lie there. */
#define CLI_ORDER_LIMITS                                                                                               \
    {"ndjson-field", 0, CLI_TEXT, "NAME", 0, "member of JSON lines that holds the message; without it payload"},       \
        {"ndjson-encoding", 0, CLI_TEXT, "base64|text", 0, "how it holds it; without it base64"},                      \
        {"max-member", 0, CLI_TEXT, "SIZE", 0, "largest payload; without it 64M"},                                     \
        {"max-ratio", 0, CLI_NUMBER, "N", 0, "unpacked to packed octets of an archive; without it 200"},               \
        {"max-members", 0, CLI_NUMBER, "N", 0, "members of one archive; without it 10000000"},                         \
        {"max-nesting", 0, CLI_NUMBER, "N", 0, "archives in archives; without it 3"},                                  \
    {                                                                                                                  \
        "timeout-per-item", 0, CLI_DURATION, "DURATION", 0, "longest work on one item; without it 10s"                 \
    }

/** Read operands and options, also those that a command does not have in its table: then they are at their defaults.
 * @return 0, or -1 with c->error filled; archive_order_free in either case */
int cli_order_take(struct cli_context *c, struct archive_order *o) CS_MUST_CHECK;
/** What --option says is wrong. @return -1, c->error is filled (exit 64) */
int cli_order_wrong(struct cli_context *c, const char *option, const char *why);
/** Read a size as 64M. *out stays as it is where the option is not given. @return 0, or -1 with c->error filled */
int cli_order_size(struct cli_context *c, const char *option, uint64_t *out) CS_MUST_CHECK;

#endif

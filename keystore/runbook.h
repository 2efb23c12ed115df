/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runbook.h: how the certificate of a slot is exchanged, step by step, as data: who does what after which step, what
 * closes it, how it is undone. A runbook is text in the grammar of the configuration; a roll-over that has begun keeps
 * its own copy. The step function is pure: what is known and the instant go in, what each step waits for comes out.
 */
#ifndef KS_RUNBOOK_H
#define KS_RUNBOOK_H

#include "base/config.h"
#include "keystore/keystore.h"

#define KS_STEPS_MAX    24
#define KS_STEP_NAME    8                  /* octets of a step's number ("4a"), with its NUL */
#define KS_RUNBOOK_TEXT ((size_t)32 << 10) /* octets of a runbook, at most */
#define KS_STEP_RUNS    4                  /* commands of one step */
#define KS_STEP_WAYS    4                  /* ways to close one step */

/** Who takes part. The order is that of the roles of an operator. */
enum ks_part { KS_TENANT_ADMIN, KS_RECEIVER_ADMIN, KS_SENDER_ADMIN, KS_LB_ADMIN, KS_INTEGRATION_DEVELOPER, KS_PARTS };
/** Who works with other systems than this one. */
#define KS_OUTSIDE (1U << KS_RECEIVER_ADMIN | 1U << KS_SENDER_ADMIN | 1U << KS_LB_ADMIN)
const char *ks_part_word(enum ks_part p);
int ks_part_parse(const char *word, enum ks_part *p); /**< @return 0, or -1 */

enum ks_step_kind {
    KS_STEP_DO,     /**< somebody does something */
    KS_STEP_INFORM, /**< somebody is told: sent by itself */
    KS_STEP_WAIT,   /**< the other side is waited for */
    KS_STEP_AUTO,   /**< done here without a hand */
    KS_STEP_KINDS
};
const char *ks_step_kind_word(enum ks_step_kind k);

/** What may close a step, and what may make it needless. */
enum ks_fact_of {
    KS_FACT_CONFIRMED,
    KS_FACT_DELIVERED,
    KS_FACT_RECEIVED,
    KS_FACT_KEY_MATCH,
    KS_FACT_FETCHED,
    KS_FACT_PROBE_NEW,
    KS_FACT_PROBE_BOTH,
    KS_FACT_PROBE_OLD_REFUSED,
    KS_FACT_EXCHANGED,
    KS_FACT_ACCEPTED,
    KS_FACT_SCHEDULED,
    KS_FACT_CONVERGED,
    KS_FACT_OLD_CONNECTIONS_ZERO,
    KS_FACT_IN_FLIGHT_ZERO,
    KS_FACT_QUEUE_EMPTY,
    KS_FACT_HELD,
    KS_FACT_RELEASED,
    KS_FACT_WINDOW_SET,
    KS_FACT_WINDOW_BEGUN,
    KS_FACT_FIRST_USE_NEW,
    KS_FACT_QUIET_OLD,
    KS_FACT_NONE_REFUSED,
    KS_FACT_CA_OFFERED,
    KS_FACT_DN_UNCHANGED,
    KS_FACT_ROOT_UNCHANGED,
    KS_FACT_NAMES_MAPPED,
    KS_FACT_NAMES_RETIRED,
    KS_FACT_SAME_USER,
    KS_FACT_NO_USER_MAPPING,
    KS_FACT_USER_RETIRED,
    KS_FACT_ROUTED,
    KS_FACT_OLD_STOPPED,
    KS_FACT_OPEN_MESSAGES_ZERO,
    KS_FACT_PROCESS_STOP,
    KS_FACT_REMOVED,
    KS_FACTS
};

struct ks_fact_row {
    enum ks_fact_of fact;
    const char *word;
    const char *help; /**< when it holds, for people */
};
const struct ks_fact_row *ks_fact_rows(size_t *n);
const char *ks_fact_word(enum ks_fact_of f);

#define KS_BIT(x) ((uint64_t)1 << (x))

struct ks_runbook_step {
    char n[KS_STEP_NAME];
    unsigned who;     /**< set of 1 << ks_part: who may close it; one of them is enough */
    bool each;        /**< all of them must */
    bool each_sender; /**< every sender is told, or says so, for himself */
    bool told;        /**< to is said */
    enum ks_part to;  /**< inform: whom */
    enum ks_step_kind kind;
    const char *title;   /**< one line; borrowed from the runbook, as all texts */
    const char *text;    /**< what the one who does it is to know; {{…}} stand for facts; "" none */
    const char *by_hand; /**< what a person does where no command can; "" nothing */
    const char *run[KS_STEP_RUNS];
    size_t n_run;
    const char *undo[KS_STEP_RUNS];
    size_t n_undo;
    uint32_t after, closes;     /**< sets of 1 << place of a step */
    uint64_t way[KS_STEP_WAYS]; /**< each a set of facts that close it together */
    size_t n_way;
    uint64_t optional; /**< facts that are told of, and close nothing */
    uint64_t skip_if;  /**< with all of these it is needless; 0: never */
    bool no_return;    /**< what is done here nobody here can take back */
};

struct ks_runbook {
    char name[KS_WORD];
    const char *title, *seed; /**< seed: number of the published procedure; "" of none */
    enum ks_role role;        /**< of the slots that it is for */
    bool window;              /**< needs an agreed span */
    struct ks_runbook_step step[KS_STEPS_MAX];
    size_t n;
    uint8_t hash[32];     /**< of the text */
    char *text;           /**< owned: as read */
    struct cs_conf *tree; /**< owned: holds the texts */
};

/** Read one runbook. What is wrong stands in report as name:line:column: message. @return NULL then, or no memory */
struct ks_runbook *ks_runbook_read(const char *name, const char *text, size_t n, struct cs_conf_report *report);
void ks_runbook_free(struct ks_runbook *r);
/** Place of the step of that number, r->n: there is none. */
size_t ks_runbook_find(const struct ks_runbook *r, const char *n);
/** The numbers of its steps as a line says them, "1, 2a, 2b, 3", as far as there is room. */
void ks_runbook_numbers(const struct ks_runbook *r, char *text, size_t size);
/** Does a word of those whom it is for close it, alone or with other evidence? */
bool ks_step_takes_word(const struct ks_runbook_step *step);
/** The table of the grammar, for documentation and tests. */
struct cs_conf_table ks_runbook_directives(void);

/* ---- the step function ----------------------------------------------------------------------------------------- */

enum ks_step_state {
    KS_STEP_WAITS, /**< for a step before it */
    KS_STEP_READY, /**< it is to be done now */
    KS_STEP_DONE,
    KS_STEP_SKIPPED,
    KS_STEP_UNDONE, /**< taken back by abort */
    KS_STEP_STATES
};
const char *ks_step_state_word(enum ks_step_state s);
int ks_step_state_parse(const char *word, enum ks_step_state *s);

#define KS_FACT_TEXT 200
/** What is known of a roll-over. */
struct ks_facts {
    uint64_t hold;                     /**< set of facts that hold */
    char text[KS_FACTS][KS_FACT_TEXT]; /**< what was seen, whether it holds or not; "" nothing to say */
};

/** What is known of a step. */
struct ks_step_known {
    enum ks_step_state state; /**< as stored: waits (or ready: neither is stored), done, skipped, undone */
    unsigned confirmed;       /**< set of 1 << ks_part: who said so */
    char unsaid[160];         /**< of a step of several senders: who did not yet, for people */
    bool delivered;           /**< what is to be told was */
};

struct ks_step_judged {
    enum ks_step_state state;
    bool closes_now;    /**< it is not stored so yet */
    uint64_t by;        /**< facts that close it; 0: it was closed, or closes with another one */
    size_t with;        /**< place of the step that closes it; KS_STEPS_MAX: none */
    uint32_t waits_for; /**< set of 1 << place */
    char missing[320];  /**< of a ready one: what its evidence lacks, for people */
};

/** Where a roll-over stands. known, out: r->n of them. @return true: nothing is left to be done */
bool ks_runbook_judge(const struct ks_runbook *r, const struct ks_facts *facts, const struct ks_step_known *known,
                      struct ks_step_judged *out);

#endif

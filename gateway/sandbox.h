/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sandbox.h: what a process of ours takes away from itself before it reads the first octet of a peer: the account, the
 * files (Landlock), the system calls (seccomp). What was taken comes back with a new process only. A kernel that lacks
 * a part is told of in one log line, and the rest is in force.
 */
#ifndef GW_SANDBOX_H
#define GW_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "gateway/config.h"

/* Reports of sanitizers fork, trace, and read the process and write their files: such a build has no filter of calls.
 */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANDBOX_SANITIZED true
#elif defined(__has_feature)
#define SANDBOX_SANITIZED                                                                                              \
    (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer))
#else
#define SANDBOX_SANITIZED false
#endif

enum sandbox_reach {
    SANDBOX_READ,   /**< a file, or all that lies below a directory */
    SANDBOX_DEVICE, /**< a device or pipe: read and written, never made */
    SANDBOX_WRITE,  /**< all below a directory: files made, changed and removed */
    SANDBOX_SOCKET  /**< the same, and sockets */
};

/** What the process may still reach. Filled with sandbox_let(), then immutable. */
struct sandbox_paths {
    struct sandbox_path {
        char *path; /**< owned; without symbolic links */
        enum sandbox_reach reach;
    } * item; /**< owned */
    size_t n;
    bool failed; /**< no memory: sandbox_confine() refuses */
};

/** Which process: they need different system calls. */
enum sandbox_kind { SANDBOX_GATEWAY = 1, SANDBOX_KEYS = 2 };

struct sandbox {
    bool wanted;  /**< process { sandbox } */
    bool seccomp; /**< in force */
    int landlock; /**< version of Landlock in force, 0: none */
    struct sandbox_paths paths;
};

/** Let the process reach path, too; one that does not exist is passed over. */
void sandbox_let(struct sandbox_paths *p, const char *path, enum sandbox_reach reach);
void sandbox_paths_free(struct sandbox_paths *p);

struct sandbox_rules {
    enum sandbox_kind kind;
    bool own_ports; /**< it binds TCP ports itself; else the master does */
    pid_t may_end;  /**< the one process that it may signal, 0: none */
};
/** Confine this process from now on. To be called before it has threads. @return 0; -1: e filled, it must not go on */
int sandbox_confine(struct sandbox *s, const struct sandbox_rules *rules, cs_error *e) CS_MUST_CHECK;
/** Would the process be let at path? Without a sandbox: yes. Any thread. */
bool sandbox_allows(const struct sandbox *s, const char *path, enum sandbox_reach reach);

/* ---- the gateway process ---- */

/** Make missing directories of the configuration, and go over to the account of `process { user }`, if root started us.
 *  Before the keystore is opened, so that no file of it belongs to root. @return 0, -1: e filled */
int sandbox_become(const struct gw_config *c, cs_error *e) CS_MUST_CHECK;
/** All that this configuration needs, and then sandbox_confine(), unless it says `sandbox off`. may_end: as above. */
int sandbox_gateway(struct sandbox *s, const struct gw_settings *settings, bool own_ports, pid_t may_end,
                    cs_error *e) CS_MUST_CHECK;
/** A reload that met a closed door: name what the new configuration would need. @return -1 with e filled, 0: nothing */
int sandbox_judge(const struct sandbox *s, const struct gw_settings *settings, cs_error *e) CS_MUST_CHECK;
void sandbox_free(struct sandbox *s);

/* ---- the keys process ---- */

/** It reads the keystore of these settings and answers on the descriptors it has; nothing else. @return as above */
int sandbox_keys(const struct gw_settings *settings, cs_error *e) CS_MUST_CHECK;

/* ---- refused calls (seccomp) ---- */

/** System calls refused so far in this process. Any thread. */
uint64_t sandbox_refused(void);
/** Log what was refused since the last time. One thread. */
void sandbox_tell(void);

/* sandbox_files.c, sandbox_calls.c: the two halves of sandbox_confine().
 * @return version or 1: in force; 0: not in this kernel, why is told; -1: e filled */
int sandbox_files(const struct sandbox_paths *p, const struct sandbox_rules *rules, const char **why, cs_error *e);
int sandbox_calls(const struct sandbox_rules *rules, const char **why, cs_error *e);

#endif

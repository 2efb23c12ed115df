/* SPDX-License-Identifier: Apache-2.0 */
/* keyproc.h: the keys process itself, and what it is asked. */
#ifndef GW_KEYPROC_H
#define GW_KEYPROC_H

#include <stdint.h>
#include <sys/types.h>

#include "gateway/gateway.h"

#define KEYPROC_OCTETS 2048 /* RSA-16384 */
#define KEYPROC_MAGIC  0x6b657973u

enum keyproc_op {
    KEYPROC_RSA_SIGN = 1, /**< the private operation on data, padding as OpenSSL numbers it */
    KEYPROC_RSA_DECRYPT,
    KEYPROC_EC_SIGN, /**< ECDSA over a digest, DER */
    KEYPROC_EC_AGREE /**< ECDH with the public key whose point data is: the secret that both know */
};

struct keyproc_question {
    uint32_t magic;
    uint32_t op;
    int32_t padding;
    uint32_t n; /**< of alias#n */
    char alias[KS_WORD];
    uint32_t octets;
    uint8_t data[KEYPROC_OCTETS];
};

struct keyproc_answer {
    uint32_t magic;
    int32_t octets; /**< -1: refused */
    uint8_t data[KEYPROC_OCTETS];
};

/** Keep a keys process alive on listening socket fd until the process asker is gone; starts a dead one again. Never
 *  returns. To be called in a child of a process without threads. */
void keyproc_keep(int fd, pid_t asker, const struct gw_settings *settings) __attribute__((noreturn));

#endif

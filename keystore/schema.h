/* SPDX-License-Identifier: Apache-2.0 */
/* schema.h: the tables of the keystore as one text. */
#ifndef KS_SCHEMA_H
#define KS_SCHEMA_H

extern const char ks_schema_sql[];

#endif

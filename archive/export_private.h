/* SPDX-License-Identifier: Apache-2.0 */
/* export_private.h: what the parts of an export share. */
#ifndef ARCHIVE_EXPORT_PRIVATE_H
#define ARCHIVE_EXPORT_PRIVATE_H

#include "archive/export.h"
#include "archive/report_private.h"

bool archive_selected(const struct archive_select *s, const struct archive_record *r);

#endif

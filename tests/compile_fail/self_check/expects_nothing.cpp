// SPDX-License-Identifier: Apache-2.0
#ifdef WEFT_MUST_FAIL
static_assert(false, "the rows of a and b must agree");
#endif

// SPDX-License-Identifier: Apache-2.0
// expect: the rows of a and b must agree
#ifdef WEFT_MUST_FAIL
static_assert(false, "a must have rows");
#endif

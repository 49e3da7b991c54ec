// SPDX-License-Identifier: Apache-2.0
// expect: the rows of a and b must agree
static_assert(true, "the rows of a and b must agree");

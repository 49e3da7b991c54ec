// SPDX-License-Identifier: Apache-2.0
#include "weft/tensor/shape.hpp"

#include "support/catch.hpp"

using namespace weft;

static_assert(sizeof(Shape<3, 4>) == 1, "a static shape stores nothing");
static_assert(sizeof(Shape<Dyn, 4>) == sizeof(Index), "only dynamic extents are stored");
static_assert(Shape<3, 4>{}.size() == 12);
static_assert(Shape<>{}.size() == 1 && Shape<>::rank == 0);
static_assert(extent_of<Shape<3, Dyn, 5>, -1> == 5);
static_assert(is_dynamic<extent_of<Shape<3, Dyn, 5>, 1>>);
static_assert(std::is_same_v<ReplaceAxis<Shape<3, Dyn, 5>, 1, 7>, Shape<3, 7, 5>>);
static_assert(std::is_same_v<DropFirst<Shape<3, Dyn>>, Shape<Dyn>>);
static_assert(SameExtent<3, 3> && SameExtent<3, Dyn> && SameExtent<Dyn, Dyn> && !SameExtent<3, 4>);
static_assert(multiply_extents<4, 16>() == 64 && is_dynamic<multiply_extents<4, Dyn>()>);

TEST_CASE("a shape mixes known and dynamic extents in order") {
  const Shape<Dyn, 4, Dyn> shape(2, 5);
  CHECK(shape[0] == 2);
  CHECK(shape[1] == 4);
  CHECK(shape[2] == 5);
  CHECK(shape.size() == 40);
  CHECK(shape.text() == "[2, 4, 5]");
  CHECK(shape == Shape<2, 4, 5>{});
  CHECK_FALSE(shape == Shape<Dyn, Dyn, Dyn>(2, 4, 6));
}

TEST_CASE("a shape made from run-time extents checks the known ones") {
  CHECK(Shape<Dyn, 4>::from({7, 4})[0] == 7);
  CHECK_THROWS_WITH((Shape<Dyn, 4>::from({7, 5}, "lm_head.weight")), "lm_head.weight: axis 1 must be 4, found 5");
}

TEST_CASE("an extent in the type contradicted at run time is refused") {
  CHECK(resolve_extent<8>(0, "heads") == 8);
  CHECK(resolve_extent<8>(8, "heads") == 8);
  CHECK(resolve_extent<Dyn>(3, "heads") == 3);
  CHECK_THROWS_WITH(resolve_extent<8>(4, "heads"), "heads is 8 in the type, found 4");
  CHECK_THROWS_WITH(resolve_extent<Dyn>(0, "heads"),
                    "heads must be given and positive where the type leaves it Dyn, found 0");
}

#include "store/postgres/parameters.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace pawl::store {
namespace {

using namespace std::string_literals;

std::string value(const PgParameters& parameters, int index) {
    return {parameters.values()[index], static_cast<std::size_t>(parameters.lengths()[index])};
}

TEST(PostgresParameters, NumbersAreBigEndianOfTheirTypesLength) {
    PgParameters parameters;
    parameters.int8(-2).int4(258).boolean(true).boolean(false).int8(std::numeric_limits<std::int64_t>::min());
    ASSERT_EQ(parameters.count(), 5);
    EXPECT_EQ(value(parameters, 0), "\xff\xff\xff\xff\xff\xff\xff\xfe"s);
    EXPECT_EQ(value(parameters, 1), "\0\0\1\2"s);
    EXPECT_EQ(value(parameters, 2), "\1"s);
    EXPECT_EQ(value(parameters, 3), "\0"s);
    EXPECT_EQ(value(parameters, 4), "\x80\0\0\0\0\0\0\0"s);
    EXPECT_EQ(parameters.types()[0], 20U);
    EXPECT_EQ(parameters.types()[1], 23U);
    EXPECT_EQ(parameters.types()[2], 16U);
    for (int i = 0; i < 5; ++i) EXPECT_EQ(parameters.formats()[i], 1);
}

TEST(PostgresParameters, EmptyIsNotNull) {
    PgParameters parameters;
    parameters.text({}).bytes(std::string_view()).null(PgType::text).optional_int8(std::nullopt).optional_bytes("\0a"s);
    EXPECT_NE(parameters.values()[0], nullptr);
    EXPECT_NE(parameters.values()[1], nullptr);
    EXPECT_EQ(parameters.values()[2], nullptr);
    EXPECT_EQ(parameters.values()[3], nullptr);
    EXPECT_EQ(parameters.types()[3], 20U);
    EXPECT_EQ(parameters.lengths()[4], 2);
    EXPECT_EQ(parameters.types()[4], 17U);
}

TEST(PostgresParameters, ACopyDoesNotReferToTheFirstOne) {
    PgParameters copy;
    {
        PgParameters first;
        first.int8(7);
        copy = first;
        first.clear();
        first.int8(8);
    }
    EXPECT_EQ(value(copy, 0), "\0\0\0\0\0\0\0\7"s);
}

TEST(PostgresParameters, AnArrayHasAHeaderThenLengthAndBytesOfEach) {
    PgArray array(PgType::int4);
    array.add_int4(1);
    array.add_null();
    EXPECT_EQ(array.size(), 2U);
    EXPECT_EQ(array.wire(),
              "\0\0\0\1"  // one dimension
              "\0\0\0\1"  // there are nulls
              "\0\0\0\x17"
              "\0\0\0\2"  // two elements
              "\0\0\0\1"  // the first is number 1
              "\0\0\0\4\0\0\0\1"
              "\xff\xff\xff\xff"s);
    PgParameters parameters;
    parameters.array(array);
    EXPECT_EQ(parameters.types()[0], 1007U);
}

TEST(PostgresParameters, AClearedArrayIsUsedAgain) {
    PgArray array(PgType::text);
    array.add_text("first");
    array.add_null();
    const std::size_t first = array.bytes();
    array.clear();
    EXPECT_TRUE(array.empty());
    array.add_text("a");
    EXPECT_LT(array.bytes(), first);
    EXPECT_EQ(array.wire(), "\0\0\0\1\0\0\0\0\0\0\0\x19\0\0\0\1\0\0\0\1\0\0\0\1a"s);
}

TEST(PostgresParameters, EachElementHasItsArrayType) {
    EXPECT_EQ(PgArray(PgType::boolean).type(), PgType::boolean_array);
    EXPECT_EQ(PgArray(PgType::bytea).type(), PgType::bytea_array);
    EXPECT_EQ(PgArray(PgType::int4).type(), PgType::int4_array);
    EXPECT_EQ(PgArray(PgType::int8).type(), PgType::int8_array);
    EXPECT_EQ(PgArray(PgType::text).type(), PgType::text_array);
}

TEST(PostgresParameters, RowsOfNothingAreEmpty) {
    const PgRows none;
    EXPECT_TRUE(none.empty());
    EXPECT_EQ(none.columns(), 0);
    EXPECT_EQ(none.affected(), 0);
    EXPECT_TRUE(none.is_null(0, 0));
}

using PostgresParametersDeathTest = ::testing::Test;
TEST(PostgresParametersDeathTest, AnElementOfAnotherTypeIsOurMistake) {
    PgArray array(PgType::int4);
    EXPECT_DEATH(array.add_int8(1), "PgType::int8");
}

}  // namespace
}  // namespace pawl::store

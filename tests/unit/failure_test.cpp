#include "core/journal.hpp"
#include "core/limits.hpp"
#include "core/utf8.hpp"

#include <gtest/gtest.h>
#include <boost/json.hpp>

#include <random>

using namespace pawl;
using namespace pawl::core;

TEST(Failure, WhoAskedComesBackAsItWas) {
    for (const Asked& asked :
         {Asked{}, Asked{"ann@host", "", ""}, Asked{"", "", "its deadline"}, Asked{"a \"b\"", "r\n1", "x"}}) {
        EXPECT_EQ(decode_asked(encode_asked(asked)), asked);
        const Failure failure{ErrorClass::final, Errc::task_cancelled, text_of(asked), true, asked};
        EXPECT_EQ(decode_failure(encode_failure(failure)), failure);
    }
    EXPECT_EQ(encode_asked({}), "{}");
    EXPECT_EQ(text_of({"ann", "r1", "full"}), "by ann (request r1): full");
    EXPECT_EQ(text_of({"", "", "full"}), "full");
    EXPECT_EQ(decode_asked("no JSON"), Asked{});
}

TEST(Failure, RoundTripsWithQuotesControlCharactersAndNul) {
    using namespace std::string_literals;
    for (const auto cls : {ErrorClass::retryable, ErrorClass::final, ErrorClass::unknown}) {
        const Failure failure{cls, Errc::outcome_unknown, "say \"no\"\\ \n\t\x01\x7f \0 and on, ü€😀"s};
        EXPECT_EQ(decode_failure(encode_failure(failure)), failure);
    }
    EXPECT_EQ(encode_failure({ErrorClass::retryable, Errc::step_failed, "a\"b"}),
              R"({"class":"retryable","code":"step_failed","message":"a\"b"})");
}

TEST(Failure, InvalidUtf8IsKeptAsVisibleText) {
    const Failure decoded = decode_failure(encode_failure({ErrorClass::final, Errc::step_failed, "a\xff\xc0\x80z"}));
    EXPECT_EQ(decoded.message, "a\\xff\\xc0\\x80z");
}

TEST(Failure, RandomBytesGiveJsonThatDecodesAndStaysTheSame) {
    std::mt19937 random(3);
    for (int i = 0; i < 2'000; ++i) {
        std::string bytes(random() % 300, '\0');
        for (char& c : bytes) c = static_cast<char>(random());
        const std::string text = encode_failure({ErrorClass::unknown, Errc::timed_out, bytes});
        boost::system::error_code failed;
        ASSERT_TRUE(boost::json::parse(text, failed).is_object() && !failed);
        const Failure decoded = decode_failure(text);
        ASSERT_EQ(decoded.code, Errc::timed_out);
        ASSERT_EQ(encode_failure(decoded), text);
    }
}

TEST(Failure, ALongMessageIsCutBetweenCharactersAndSaysSo) {
    for (const std::size_t shift : {0u, 1u, 2u}) {
        std::string message(shift, 'x');
        while (message.size() < 3 * limits::error_bytes_max) message += "€";
        const std::string kept =
            decode_failure(encode_failure({ErrorClass::final, Errc::step_failed, message})).message;

        EXPECT_LE(kept.size(), limits::error_bytes_max);
        EXPECT_GT(kept.size(), limits::error_bytes_max - 64);
        EXPECT_EQ(first_invalid_utf8(kept), kept.size());
        EXPECT_NE(kept.find("[cut, " + std::to_string(message.size()) + " bytes in all]"), std::string::npos);
        EXPECT_EQ(kept.find("\\x"), std::string::npos) << "a character was cut in two";
    }
}

TEST(Failure, AMessageOfExactlyTheLimitIsWholeAndOneMoreIsCut) {
    const std::string whole(limits::error_bytes_max, 'm');
    EXPECT_EQ(decode_failure(encode_failure({ErrorClass::final, Errc::step_failed, whole})).message, whole);
    const Failure cut = decode_failure(encode_failure({ErrorClass::final, Errc::step_failed, whole + "m"}));
    EXPECT_EQ(cut.message.size(), limits::error_bytes_max);
    EXPECT_NE(cut.message, whole);
}

TEST(Failure, GarbageOverTheLimitStaysWithinItWhenShown) {
    const std::string garbage(limits::error_bytes_max, '\xff');  // each byte is shown as four
    const Failure kept = decode_failure(encode_failure({ErrorClass::final, Errc::step_failed, garbage}));
    EXPECT_LE(kept.message.size(), limits::error_bytes_max);
    EXPECT_NE(kept.message.find("[cut, 16384 bytes in all]"), std::string::npos);
}

TEST(Failure, TextOfAnotherOriginBecomesTheMessageOfAFinalFailure) {
    for (const std::string text :
         {"disk on fire", "", "{\"class\":1}", "[1]", "{\"class\":\"odd\",\"code\":\"x\",\"message\":\"m\"}"}) {
        EXPECT_EQ(decode_failure(text), (Failure{ErrorClass::final, Errc::step_failed, text}));
    }
}

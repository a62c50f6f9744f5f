#include "net/url.hpp"

#include <gtest/gtest.h>

namespace pawl::net {
namespace {

TEST(Url, PartsOfAPlainUrlAreFound) {
    const Url url = parse_url("http://Localhost:8080/v1/chat?x=1#part").value();
    EXPECT_FALSE(url.tls);
    EXPECT_EQ(url.host, "localhost");
    EXPECT_EQ(url.port, 8080);
    EXPECT_EQ(url.target, "/v1/chat?x=1");
    EXPECT_EQ(url.authority(), "localhost:8080");
}

TEST(Url, DefaultsOfTheSchemeAreFilledIn) {
    const Url url = parse_url("HTTPS://api.openai.com").value();
    EXPECT_TRUE(url.tls);
    EXPECT_EQ(url.port, 443);
    EXPECT_EQ(url.target, "/");
    EXPECT_EQ(url.authority(), "api.openai.com");
    EXPECT_EQ(parse_url("http://a?q=1").value().target, "/?q=1");
}

TEST(Url, Ipv6StandsInBrackets) {
    const Url url = parse_url("http://[::1]:81/x").value();
    EXPECT_EQ(url.host, "::1");
    EXPECT_EQ(url.port, 81);
    EXPECT_EQ(url.authority(), "[::1]:81");
}

TEST(Url, MalformedUrlsAreRefusedWithTheReason) {
    for (const char* text : {"",
                             "localhost",
                             "ftp://a/",
                             "file:///etc/passwd",
                             "http://",
                             "http:///x",
                             "http://a b/",
                             "http://a\r\nX: y/",
                             "http://a/\x01",
                             "http://a:0/",
                             "http://a:65536/",
                             "http://a:/",
                             "http://a:80x/",
                             "http://[::1/",
                             "http://[::1]x/",
                             "http://[zz]/",
                             "http://a/\xc3\xa9",
                             "http://a%2e/",
                             "://a/",
                             "http://a:8:8/"}) {
        const auto url = parse_url(text);
        ASSERT_TRUE(url.has_error()) << text;
        EXPECT_EQ(url.error().code, Errc::bad_input);
        EXPECT_FALSE(url.error().message.empty());
    }
    EXPECT_TRUE(parse_url("http://a/" + std::string(9'000, 'x')).has_error());
}

TEST(Url, AUserAndPasswordAreRefusedAndNotRepeated) {
    const auto url = parse_url("https://user:hunter2@api.example.com/");
    ASSERT_TRUE(url.has_error());
    EXPECT_EQ(url.error().message.find("hunter2"), std::string::npos);
}

TEST(Url, LoopbackNamesAreTold) {
    for (const char* name : {"localhost", "LOCALHOST", "127.0.0.1", "127.255.0.9", "::1"})
        EXPECT_TRUE(is_loopback_name(name)) << name;
    for (const char* name : {"", "localhost.evil.example", "128.0.0.1", "0x7f000001", "127.1", "::2", "evil.example"}) {
        EXPECT_FALSE(is_loopback_name(name)) << name;
    }
}

}  // namespace
}  // namespace pawl::net

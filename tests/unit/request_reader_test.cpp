// B3 to B6, B8 and B19 of the bad inputs, on text. Each message is fed whole and byte by byte: the answer must not
// depend on how the network cuts it.
#include "net/request_reader.hpp"

#include <gtest/gtest.h>

namespace pawl::net {
namespace {

struct Reading {
    RequestReader::Need need = RequestReader::Need::more;
    int status = 0;
    std::string rest;
    ServerRequest request;
};

ReaderLimits small_limits() {
    ReaderLimits limits;
    limits.header_bytes_max = 1024;
    limits.body_bytes_max = 100;
    return limits;
}

Reading read(std::string_view text, ReaderLimits limits, bool by_byte) {
    RequestReader reader(limits);
    Reading out;
    std::string buffer;
    std::size_t fed = 0;
    while (out.need == RequestReader::Need::more && fed < text.size()) {
        const std::size_t n = by_byte ? 1 : text.size();
        buffer += text.substr(fed, n);
        fed += n;
        out.need = reader.go_on(buffer);
    }
    if (out.need == RequestReader::Need::refused) out.status = reader.refusal().status;
    out.rest = buffer + std::string(text.substr(std::min(fed, text.size())));
    out.request = std::move(reader.request());
    return out;
}

void expect_status(int status, std::string_view text, ReaderLimits limits = small_limits()) {
    for (const bool by_byte : {false, true}) {
        const Reading got = read(text, limits, by_byte);
        EXPECT_EQ(got.need, RequestReader::Need::refused) << text;
        EXPECT_EQ(got.status, status) << text << (by_byte ? " by byte" : " whole");
    }
}

TEST(RequestReader, AWholeRequestIsTakenAndTheNextIsLeft) {
    for (const bool by_byte : {false, true}) {
        const Reading got =
            read("POST /a?b=c HTTP/1.1\r\nHost: x\r\nX-Y: z\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\n",
                 small_limits(), by_byte);
        ASSERT_EQ(got.need, RequestReader::Need::nothing);
        EXPECT_EQ(got.request.method, "POST");
        EXPECT_EQ(got.request.path(), "/a");
        EXPECT_EQ(got.request.query(), "b=c");
        EXPECT_EQ(got.request.header("x-y"), "z");
        EXPECT_EQ(got.request.body, "abc");
        EXPECT_EQ(got.rest, "GET / HTTP/1.1\r\n");
    }
}

TEST(RequestReader, AChunkedBodyIsJoinedAndItsTrailersAddNoHeader) {
    for (const bool by_byte : {false, true}) {
        const Reading got = read(
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            "3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nHost: evil\r\n\r\n",
            small_limits(), by_byte);
        ASSERT_EQ(got.need, RequestReader::Need::nothing);
        EXPECT_EQ(got.request.body, "abcde");
        EXPECT_EQ(got.request.header("host"), "x");
        EXPECT_EQ(std::count_if(got.request.headers.begin(), got.request.headers.end(),
                                [](const auto& h) { return h.first == "host"; }),
                  1);
        EXPECT_EQ(got.rest, "");
    }
}

TEST(RequestReader, TwoStatementsOfTheLengthAreRefused) {
    expect_status(400,
                  "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    expect_status(400,
                  "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n");
    expect_status(400, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc");
    expect_status(400, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc");
    expect_status(400, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3, 3\r\n\r\nabc");
    expect_status(
        400, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
}

TEST(RequestReader, OddEncodingsAndLengthsAreRefused) {
    for (const char* value : {"xchunked", "chunked, gzip", "gzip, chunked", "chunked;q=1", "identity", "chunked,",
                              "\x0b"
                              "chunked"}) {
        expect_status(400,
                      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: " + std::string(value) + "\r\n\r\n0\r\n\r\n");
    }
    for (const char* value : {"-1", "+3", "0x3", "3 ", "3a", "", "99999999999999999999999"}) {
        if (std::string_view(value) == "3 ") continue;  // trailing blanks are not part of a value
        expect_status(400, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::string(value) + "\r\n\r\nabc");
    }
    for (const char* size : {"-3", "+3", "0x3", "ffffffffffffffffff", "zz", " 3", ""}) {
        expect_status(400, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string(size) +
                               "\r\nabc\r\n0\r\n\r\n");
    }
    expect_status(400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
}

TEST(RequestReader, LooseLinesAreRefused) {
    expect_status(400, "GET / HTTP/1.1\nHost: x\n\n");
    expect_status(400, "GET / HTTP/1.1\r\nHost: x\nX: y\r\n\r\n");
    expect_status(400, "GET / HTTP/1.1\r\nHost : x\r\n\r\n");
    expect_status(400, "GET / HTTP/1.1\r\n Host: x\r\n\r\n");
    expect_status(400, "GET / HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n");
    expect_status(400, "GET / HTTP/1.1\r\nHost: x\r\nX: a\r\n\tb\r\n\r\n");
    expect_status(400, std::string_view("GET / HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n", 36));
    expect_status(400, "GET  / HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_status(400, "nonsense\r\n\r\n");
    expect_status(400, "GET / HTTP/2.0\r\nHost: x\r\n\r\n");
}

TEST(RequestReader, AGetTakesNoBody) {
    expect_status(400, "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nGET /evil HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_status(400, "HEAD / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    const Reading got = read("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", small_limits(), false);
    EXPECT_EQ(got.need, RequestReader::Need::nothing);
}

TEST(RequestReader, ExactlyOneHostIsNeeded) {
    expect_status(400, "GET / HTTP/1.1\r\n\r\n");
    expect_status(400, "GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n");
    expect_status(400, "GET http://evil/ HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_status(400, "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n");
}

TEST(RequestReader, SizesAreBounded) {
    expect_status(414, "GET /" + std::string(2'000, 'a') + " HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_status(431, "GET / HTTP/1.1\r\nHost: x\r\nX: " + std::string(2'000, 'a') + "\r\n\r\n");
    std::string many = "GET / HTTP/1.1\r\nHost: x\r\n";
    for (int i = 0; i < 500; ++i) many += "a: b\r\n";
    expect_status(431, many + "\r\n");
    expect_status(413, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 101\r\n\r\n");
    expect_status(413, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n" +
                           std::string(101, 'x') + "\r\n0\r\n\r\n");
    expect_status(400, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;" + std::string(20'000, 'x'));
    const Reading full = read("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n" + std::string(100, 'x'),
                              small_limits(), false);
    EXPECT_EQ(full.need, RequestReader::Need::nothing);
}

TEST(RequestReader, CompressedBodiesAndOtherExpectationsAreRefused) {
    expect_status(415, "POST / HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc");
    expect_status(417, "POST / HTTP/1.1\r\nHost: x\r\nExpect: the-moon\r\nContent-Length: 3\r\n\r\nabc");
}

TEST(RequestReader, OverTcpOnlyLoopbackNamesAreServed) {
    ReaderLimits limits = small_limits();
    limits.loopback_names_only = true;
    expect_status(403, "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", limits);
    expect_status(403, "GET / HTTP/1.1\r\nHost: localhost.evil.example:80\r\n\r\n", limits);
    expect_status(403, "GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\n\r\n", limits);
    expect_status(403, "GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: null\r\n\r\n", limits);
    expect_status(403, "GET / HTTP/1.0\r\n\r\n", limits);
    for (const char* host : {"localhost", "localhost:7295", "127.0.0.1:7295", "[::1]:7295"}) {
        const Reading got = read(
            "GET / HTTP/1.1\r\nHost: " + std::string(host) + "\r\nOrigin: http://localhost:1\r\n\r\n", limits, false);
        EXPECT_EQ(got.need, RequestReader::Need::nothing) << host;
    }
}

TEST(RequestReader, NoCutOrFlippedByteCrashesIt) {
    const std::string good = "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    unsigned state = 1;
    for (int i = 0; i < 20'000; ++i) {
        std::string text = good;
        for (int flips = 0; flips < 3; ++flips) {
            state = state * 1'664'525u + 1'013'904'223u;
            text[(state >> 8) % text.size()] = static_cast<char>(state >> 24);
        }
        const Reading got = read(text, small_limits(), (i & 1) != 0);
        EXPECT_TRUE(got.need == RequestReader::Need::refused ? got.status >= 400 : true);
    }
}

}  // namespace
}  // namespace pawl::net
